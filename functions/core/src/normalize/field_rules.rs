//! Tests: each rule of each field of an order.

use super::tests::{order, order_of, with};
use super::*;
use crate::fixtures;

#[test]
fn an_id_is_read_in_every_honest_shape() {
    for (body, id) in [
        (r#"{"id":"820982911946154508","currency":"AUD"}"#, "820982911946154508"),
        (
            r#"{"id":820982911946154500,"admin_graphql_api_id":"gid://shopify/Order/820982911946154508"}"#,
            "820982911946154508",
        ),
        (r#"{"admin_graphql_api_id":"gid://shopify/Order/7?x=1"}"#, "7"),
        (r#"{"order":{"id":7,"currency":"AUD"}}"#, "7"),
        (r#"{"id":"","order":{"id":"7","currency":"AUD"}}"#, "7"),
        (r#"{"id":1,"id":7,"currency":"AUD"}"#, "7"),
        (r#"{"id":9223372036854775807,"currency":"AUD"}"#, "9223372036854775807"),
    ] {
        assert_eq!(order(body).shopify_id, id, "{body}");
    }
}

#[test]
fn an_order_number_fits_a_label_or_is_absent() {
    let number = |json: &str| with(&format!(r#""order_number":{json}"#)).order_number;
    for (json, expected) in [
        ("1001", "1001"),
        ("\"1001\"", "1001"),
        ("\"#B1001\"", "B1001"),
        ("1001.0", "1001"),
        ("\"W-17_2\"", "W-17_2"),
    ] {
        assert_eq!(number(json).as_deref(), Some(expected), "{json}");
    }
    for json in [
        "null",
        "0",
        "-1",
        "\"\"",
        "\"#\"",
        "\"a b\"",
        "\"a/b\"",
        "\"é\"",
        "{}",
        "[1]",
        "1.5",
        "\"-1\"",
        "\"none\"",
        &format!("\"{}\"", "9".repeat(40)),
    ] {
        assert_eq!(number(json), None, "{json}");
    }
}

#[test]
fn the_customer_is_found_where_there_is_one() {
    let name = |members: &str| with(members).customer_name;
    let shipping = r#""shipping_address":{"name":" Ada  Lovelace "}"#;
    let customer = r#""customer":{"first_name":"Grace","last_name":"Hopper"}"#;
    let billing = r#""billing_address":{"name":"Edsger"}"#;
    assert_eq!(name(&format!("{billing},{customer},{shipping}")).as_deref(), Some("Ada Lovelace"));
    assert_eq!(
        name(&format!(r#"{billing},{customer},"shipping_address":{{"name":""}}"#)).as_deref(),
        Some("Grace Hopper")
    );
    assert_eq!(
        name(&format!(r#"{billing},"customer":{{"first_name":null,"last_name":" "}}"#)).as_deref(),
        Some("Edsger")
    );
    assert_eq!(name(r#""customer":{"first_name":"Cher"}"#).as_deref(), Some("Cher"));
    assert_eq!(name(r#""shipping_address":{"first_name":"A","last_name":"B"}"#).as_deref(), Some("A B"));
    for none in
        [r#""customer":null"#, r#""customer":"Jamie""#, r#""customer":[]"#, r#""customer":{"first_name":{}}"#]
    {
        assert_eq!(name(none), None, "{none}");
    }
}

#[test]
fn notes_are_joined() {
    let notes = |members: &str| with(members).notes;
    let door = r#""note_attributes":[{"name":"delivery instructions ","value":"Door\n2"}]"#;
    assert_eq!(notes(&format!(r#""note":" Hi \u200b",{door}"#)).as_deref(), Some("Hi • Door\n2"));
    assert_eq!(notes(door).as_deref(), Some("Door\n2"));
    assert_eq!(notes(r#""note":"Hi""#).as_deref(), Some("Hi"));
    assert_eq!(
        notes(r#""note":"","note_attributes":{"Delivery Instructions":"Door"}"#).as_deref(),
        Some("Door")
    );
    assert_eq!(notes(r#""note":{"a":1},"note_attributes":"x""#), None);
}

#[test]
fn the_due_date_comes_from_the_attribute_else_from_a_tag() {
    let due = |members: &str| with(members).due_date;
    let attribute = |value: &str| {
        format!(r#""note_attributes":[{{"name":"Local Delivery Date and Time","value":"{value}"}}]"#)
    };
    let tags = r#""tags":"vip, DEL:2025-10-03, PICKUP:2025-10-04""#;
    assert_eq!(
        due(&format!("{},{tags}", attribute("Thursday 2 October 2025 between 1 and 2"))).as_deref(),
        Some("2025-10-02")
    );
    assert_eq!(due(&format!("{},{tags}", attribute("soon"))).as_deref(), Some("2025-10-03"));
    assert_eq!(due(tags).as_deref(), Some("2025-10-03"));
    assert_eq!(due(r#""tags":"del: 3/10/2025""#).as_deref(), Some("2025-10-03"));
    assert_eq!(due(r#""tags":["x","Pickup:3 Oct 2025"]"#).as_deref(), Some("2025-10-03"));
    assert_eq!(due(r#""tags":"PICKUP:soon, DEL:2025-10-03""#).as_deref(), Some("2025-10-03"));
    assert_eq!(due(&attribute("2025-02-30")), None);
    for none in
        [r#""tags":"MODEL:2025-10-03""#, r#""tags":"DEL2025-10-03""#, r#""tags":{}"#, r#""tags":"DEL:""#]
    {
        assert_eq!(due(none), None, "{none}");
    }
}

#[test]
fn the_delivery_method_comes_from_the_attribute_else_from_a_tag() {
    let method = |members: &str| with(members).delivery_method;
    let attribute =
        |value: &str| format!(r#""note_attributes":[{{"name":"DELIVERY METHOD","value":"{value}"}}]"#);
    for value in ["Pickup", "store pick up", "PICK-UP", "Local Pickup"] {
        assert_eq!(method(&attribute(value)), Some("pickup"), "{value}");
    }
    for value in ["Delivery", "Courier", "Uber"] {
        assert_eq!(
            method(&format!(r#"{},"tags":"PICKUP:2025-10-03""#, attribute(value))),
            Some("delivery"),
            "{value}"
        );
    }
    assert_eq!(method(r#""tags":"PICKUP:2025-10-03""#), Some("pickup"));
    assert_eq!(method(r#""tags":"DEL:whenever""#), Some("delivery"));
    assert_eq!(method(&attribute(" ")), None);
    assert_eq!(method(r#""tags":"""#), None);
}

#[test]
fn a_cancellation_is_read_from_what_is_signed() {
    let body = r#"{"id":1,"updated_at":"2026-01-01T10:00:00+10:00","cancelled_at":null}"#;
    assert_eq!(order_of(&Topic::OrdersCancelled, body).cancelled_at, None);
    let said = with(
        r#""cancelled_at":"2026-01-02T00:00:00Z","cancel_reason":" fraud ","financial_status":"VOIDED""#,
    );
    assert_eq!(said.cancelled_at.as_deref(), Some("2026-01-02T00:00:00Z"));
    assert_eq!(
        (said.cancel_reason.as_deref(), said.payment_status.as_deref()),
        (Some("fraud"), Some("voided"))
    );
}

#[test]
fn the_topic_ranks_the_snapshot_and_changes_nothing_else() {
    let body = String::from_utf8(fixtures::read("shopify_orders_create__aud_simple_delivery")).unwrap();
    let created = order_of(&Topic::OrdersCreate, &body);
    for (topic, rank) in [(Topic::OrdersUpdated, 1), (Topic::OrdersPaid, 3), (Topic::OrdersCancelled, 6)] {
        let mut other = order_of(&topic, &body);
        assert_eq!(other.topic_rank, rank);
        other.topic_rank = 0;
        assert_eq!(other, created);
    }
}

#[test]
fn a_store_reads_its_own_names() {
    let settings = NormalizeSettings {
        due_date_attribute: "Ready by".into(),
        flavour_properties: vec!["Sponge".into()],
        size_property: "Tiers".into(),
        kitchen: false,
        ..NormalizeSettings::default()
    };
    let body = r#"{"id":1,"note_attributes":[{"name":"ready BY","value":"1 May 2026"}],
        "line_items":[{"title":"T","properties":[{"name":"Sponge","value":"Red/Blue"},{"name":"tiers","value":"2"},{"name":"Flavour","value":"x"}]}]}"#;
    let Ok(Normalized::Order(order)) = normalize(&Topic::OrdersCreate, body.as_bytes(), &settings) else {
        panic!()
    };
    assert_eq!(order.due_date.as_deref(), Some("2026-05-01"));
    assert_eq!((order.flavour.as_deref(), order.size.as_deref()), (Some("Red, Blue"), Some("2")));
    let Ok(Normalized::Order(bare)) =
        normalize(&Topic::OrdersCreate, br#"{"id":1,"currency":"AUD"}"#, &settings)
    else {
        panic!()
    };
    assert_eq!(bare.missing_fields, ["customer", "product", "due_date"]);
}
