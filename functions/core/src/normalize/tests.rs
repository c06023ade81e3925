use super::*;
use crate::fixtures;
use serde_json::{Value, json};

fn order_of(topic: &Topic, body: &str) -> NormalizedOrder {
    match normalize(topic, body.as_bytes(), &NormalizeSettings::default()) {
        Ok(Normalized::Order(order)) => *order,
        other => panic!("{body}: {other:?}"),
    }
}

fn order(body: &str) -> NormalizedOrder {
    order_of(&Topic::OrdersCreate, body)
}

fn with(members: &str) -> NormalizedOrder {
    order(&format!(r#"{{"id":1,"currency":"AUD",{members}}}"#))
}

fn refused(topic: &Topic, body: &[u8]) -> NormalizeError {
    normalize(topic, body, &NormalizeSettings::default()).unwrap_err()
}

/// `shopify_orders_create__x` is a delivery of `orders/create`.
fn topic_of(fixture: &str) -> Topic {
    let (resource, event) =
        fixture.strip_prefix("shopify_").unwrap().split_once("__").unwrap().0.split_once('_').unwrap();
    Topic::parse(&format!("{resource}/{event}"))
}

#[test]
fn every_order_fixture_becomes_what_the_table_says() {
    type Row = (
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        &'static str,
        [Option<&'static str>; 6],
        &'static str,
    );
    #[rustfmt::skip]
    let table: [Row; 11] = [
        // fixture, id, number, currency, amount, [customer, product, flavour, size, due, method], updated_at
        ("cancelled__hkd_draft_refunded", "6198821716268", "1065", "HKD", "0.00",
            [Some("Jamie"), Some("aaa0103測試商品11aa"), None, None, None, None], "2025-01-24T02:57:18Z"),
        ("create__aud_cake_gelato_minimal", "1234567890", "1001", "AUD", "89.00",
            [None, Some("Gelato Cake"), Some("Vanilla, Pistachio"), None, Some("2025-10-02"), Some("delivery")], ""),
        ("create__aud_multi_line_split_gateways", "6683628404991", "2542", "AUD", "755.79",
            [Some("Jamie Rivera"), Some("Mr. Wet Wall 10Mm End Cap Trim 2400Mm White"), None, None, None, None], "2026-02-09T01:07:34Z"),
        ("create__aud_shop_usd_presentment", "2998548365461", "1029", "USD", "45.85",
            [Some("Jamie Rivera"), Some("Classic Fountain Pen"), Some("Fine"), None, None, None], "2020-12-26T21:18:48Z"),
        ("create__aud_simple_delivery", "7027490226488", "1956", "AUD", "36.80",
            [Some("Jamie Rivera"), Some("Fienza Jet Brass Hand-Held Shower Head: Matt Black(Fienza P#:Msh002B)"), None, None, None, None], "2026-02-05T23:52:14Z"),
        ("create__hkd_draft_auto_fixed_entitled", "6200354537772", "1069", "HKD", "304.00",
            [None, Some("aaa0103測試商品11aa"), None, None, None, None], "2025-01-24T03:09:40Z"),
        ("create__hkd_draft_percentage_across_all", "6200407294252", "1071", "HKD", "186.90",
            [None, Some("aaa0103測試商品11aa"), None, None, None, None], "2025-01-24T04:10:16Z"),
        ("create__inr_cod_partial_payment", "6718829691190", "7677", "INR", "12709.00",
            [Some("Jamie Rivera"), Some("Aeolus One Super Dry Absorption Towels (Green)"), None, None, None, None], "2025-07-16T14:39:07Z"),
        ("create__test_notification_ids_over_2p53", "820982911946154508", "1234", "USD", "403.00",
            [Some("Steve Shipper"), Some("IPod Nano - 8GB"), None, None, None, None], "2019-06-04T17:53:06Z"),
        ("fulfilled__inr_gift_card", "5361240244438", "1003", "INR", "10.00",
            [Some("Jamie Rivera"), None, None, None, None, None], "2024-01-12T09:23:27Z"),
        ("paid__usd_tracking_note_attributes", "5778367414385", "1017", "USD", "600.00",
            [Some("Jamie Rivera"), Some("The Collection Snowboard: Hydrogen"), None, None, None, None], "2024-11-06T02:54:50Z"),
    ];
    let mut seen: Vec<String> = vec!["shopify_orders_edited__sample".into()];
    for (name, id, number, currency, amount, [customer, product, flavour, size, due, method], updated_at) in
        table
    {
        let fixture = format!("shopify_orders_{name}");
        let body = String::from_utf8(fixtures::read(&fixture)).unwrap();
        let order = order_of(&topic_of(&fixture), &body);
        assert_eq!(order.shopify_id, id, "{name}");
        assert_eq!(order.gid, format!("gid://shopify/Order/{id}"), "{name}");
        assert_eq!(order.order_number.as_deref(), Some(number), "{name}");
        assert_eq!(order.currency.as_deref(), Some(currency), "{name}");
        assert_eq!(order.total_amount.as_deref(), Some(amount), "{name}");
        assert_eq!(order.customer_name.as_deref(), customer, "{name}");
        assert_eq!(order.product_title.as_deref(), product, "{name}");
        assert_eq!(order.flavour.as_deref(), flavour, "{name}");
        assert_eq!(order.size.as_deref(), size, "{name}");
        assert_eq!(order.due_date.as_deref(), due, "{name}");
        assert_eq!(order.delivery_method, method, "{name}");
        assert_eq!(order.updated_at.as_deref().unwrap_or_default(), updated_at, "{name}");
        assert_eq!(order.missing_fields.contains(&"flavour"), flavour.is_none(), "{name}");
        seen.push(fixture);
    }
    seen.sort();
    assert_eq!(seen, fixtures::names("shopify_orders_"), "a fixture is missing from the table");
}

#[test]
fn the_lines_of_the_fixtures_are_read() {
    let lines = |name: &str| {
        let fixture = format!("shopify_orders_{name}");
        order_of(&topic_of(&fixture), std::str::from_utf8(&fixtures::read(&fixture)).unwrap()).lines
    };
    let walls: Vec<(Option<String>, i32, Option<String>)> = lines("create__aud_multi_line_split_gateways")
        .into_iter()
        .map(|line| (line.sku, line.quantity, line.price))
        .collect();
    let line = |sku: &str, quantity, price: &str| (Some(sku.to_owned()), quantity, Some(price.to_owned()));
    assert_eq!(
        walls,
        [line("MWW0034", 5, "15.99"), line("MWW0044", 1, "15.99"), line("MWW0003", 3, "219.95")]
    );

    let cake = &lines("create__aud_cake_gelato_minimal")[0];
    assert_eq!((cake.line_id.as_str(), cake.quantity, &cake.sku, &cake.price), ("n:0", 1, &None, &None));
    let pens = &lines("create__aud_shop_usd_presentment")[0];
    assert_eq!(
        (pens.price.as_deref(), pens.variant_title.as_deref()),
        (Some("34.67"), Some("Fine / Bordeaux"))
    );
    assert_eq!(lines("paid__usd_tracking_note_attributes")[0].price.as_deref(), Some("600"));
    assert_eq!(lines("create__test_notification_ids_over_2p53")[0].line_id, "866550311766439020");
    assert_eq!(lines("cancelled__hkd_draft_refunded")[0].quantity, 0);
    let gift = &lines("fulfilled__inr_gift_card")[0];
    assert!(gift.gift_card && gift.quantity == 1);
}

#[test]
fn the_minimal_cake_serializes_as_the_contract_says() {
    let body = fixtures::read("shopify_orders_create__aud_cake_gelato_minimal");
    let read = normalize(&Topic::OrdersCreate, &body, &NormalizeSettings::default()).unwrap();
    assert_eq!(
        serde_json::to_value(read).unwrap(),
        json!({
            "gid": "gid://shopify/Order/1234567890", "shopify_id": "1234567890", "snapshot": true,
            "order_number": "1001", "updated_at": null, "topic_rank": 0, "customer_name": null,
            "product_title": "Gelato Cake", "flavour": "Vanilla, Pistachio", "size": null,
            "notes": "Happy Birthday • Leave at door", "due_date": "2025-10-02", "delivery_method": "delivery",
            "currency": "AUD", "total_amount": "89.00", "payment_status": null, "cancelled_at": null,
            "cancel_reason": null, "missing_fields": ["customer_name"],
            "lines": [{
                "line_id": "n:0", "position": 0, "sku": null, "title": "Gelato Cake", "variant_title": null,
                "quantity": 1, "price": null, "gift_card": false,
                "properties": {"Gelato Flavours": "Vanilla / Pistachio", "_LocalDeliveryID": "ignore-me"}
            }]
        })
    );
}

#[test]
fn edits_and_refunds_only_name_their_order() {
    for (fixture, id) in [
        ("shopify_orders_edited__sample", "820982911946154500"),
        ("shopify_refunds_create__cad_pos_card_present_return", "6022498320664"),
    ] {
        let read =
            normalize(&topic_of(fixture), &fixtures::read(fixture), &NormalizeSettings::default()).unwrap();
        assert_eq!(
            serde_json::to_value(&read).unwrap(),
            json!({"gid": format!("gid://shopify/Order/{id}"), "shopify_id": id, "snapshot": false})
        );
        assert_eq!(refused(&topic_of(fixture), b"{}"), NormalizeError::NotAnOrder);
    }
    assert!(order_of(&Topic::OrdersEdited, r#"{"id":1,"line_items":[]}"#).snapshot);
}

#[test]
fn other_topics_say_nothing_about_orders() {
    for fixture in [
        "shopify_inventory_levels_update__available_null",
        "shopify_app_uninstalled__sample",
        "shopify_customers_data_request__sample",
        "shopify_customers_redact__sample",
        "shopify_shop_redact__sample",
    ] {
        let topic = topic_of(&fixture.replace("inventory_levels_update", "inventory_levels"));
        let read = normalize(&topic, &fixtures::read(fixture), &NormalizeSettings::default()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), Value::Null, "{fixture}");
    }
    let unknown = Topic::parse("products/update");
    assert_eq!(normalize(&unknown, b"{}", &NormalizeSettings::default()), Ok(Normalized::Nothing));
}

#[test]
fn what_is_no_order_is_refused() {
    let create = Topic::OrdersCreate;
    for body in ["", "nonsense", "{", "<html>", "{\"id\":1,}"] {
        assert_eq!(refused(&create, body.as_bytes()), NormalizeError::NotJson, "{body}");
    }
    for body in [
        "null",
        "[]",
        "1",
        "\"x\"",
        "{}",
        "[{\"id\":1,\"currency\":\"AUD\"}]",
        r#"{"id":1}"#,
        r#"{"id":1,"hello":"world"}"#,
        r#"{"id":null,"currency":"AUD"}"#,
        r#"{"id":0,"currency":"AUD"}"#,
        r#"{"id":-5,"currency":"AUD"}"#,
        r#"{"id":1e18,"currency":"AUD"}"#,
        r#"{"id":99999999999999999999,"currency":"AUD"}"#,
        r#"{"id":{"a":1},"currency":"AUD"}"#,
        r#"{"id":1,"admin_graphql_api_id":"gid://shopify/Product/1","currency":"AUD"}"#,
        r#"{"id":1,"admin_graphql_api_id":"gid://shopify/Order/x","currency":"AUD"}"#,
        r#"{"order":{"id":1}}"#,
        r#"{"order":[]}"#,
    ] {
        assert_eq!(refused(&create, body.as_bytes()), NormalizeError::NotAnOrder, "{body}");
    }
    assert_eq!(refused(&create, "[".repeat(100_000).as_bytes()), NormalizeError::TooDeep);
    assert_eq!(refused(&create, br#"{"id":1,"currency":"AUD","note":"\u0000"}"#), NormalizeError::Unstorable);
    assert_eq!(refused(&create, br#"{"id":1,"currency":"AUD","note":"\ud800"}"#), NormalizeError::Unstorable);
    assert_eq!(refused(&create, br#"{"id":1,"total_price":1e400}"#), NormalizeError::Unstorable);
    assert_eq!(refused(&create, b"{\"id\":1,\"note\":\"\xff\"}"), NormalizeError::NotJson);
    let lines = format!(r#"{{"id":1,"line_items":[{}{{}}]}}"#, "{},".repeat(10_000));
    assert_eq!(refused(&create, lines.as_bytes()), NormalizeError::TooManyLines);
    assert_eq!(refused(&Topic::ShopRedact, b"\"\\u0000\""), NormalizeError::Unstorable);
}

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
fn a_cancellation_always_has_its_time() {
    let body = r#"{"id":1,"updated_at":"2026-01-01T10:00:00+10:00","cancelled_at":null}"#;
    assert_eq!(order_of(&Topic::OrdersCancelled, body).cancelled_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(order_of(&Topic::OrdersUpdated, body).cancelled_at, None);
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
    for (topic, rank) in [(Topic::OrdersUpdated, 1), (Topic::OrdersPaid, 3), (Topic::OrdersFulfilled, 5)] {
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
    assert_eq!(bare.missing_fields, ["customer_name", "product_title", "due_date"]);
}

/// Pseudo-random numbers with a printed seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Whatever a sender may put where something else belongs.
const ODDITIES: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "1e300",
    "-0.000",
    "820982911946154508",
    "99999999999999999999",
    "\"\"",
    "\" \"",
    "\"1e400\"",
    "\"NaN\"",
    "\"\\u200b\"",
    "\"<b>x</b>\"",
    "\"2025-02-30\"",
    "\"🎂\\uFFFF\"",
    "[]",
    "{}",
    "[[[1]]]",
    "{\"name\":{\"value\":1}}",
    "[null,{\"id\":[]}]",
    "\"gid://shopify/Order/1\"",
];

/// Puts odd values in the place of random members, however deep.
fn disturb(value: &mut Value, dice: &mut Dice, chance: usize) {
    if dice.below(chance) == 0 {
        let oddity = ODDITIES[dice.below(ODDITIES.len())];
        *value = serde_json::from_str(oddity).unwrap();
        return;
    }
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| disturb(element, dice, chance)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| disturb(member, dice, chance));
            if dice.below(chance) == 0 {
                let name = members.keys().nth(dice.below(members.len().max(1))).cloned();
                name.map(|name| members.remove(&name));
            }
        }
        _ => {}
    }
}

#[test]
fn whatever_is_wrong_with_an_order_nothing_panics_and_nothing_odd_comes_out() {
    let mut dice = Dice(20_261_121);
    let mut orders = 0;
    for fixture in fixtures::names("shopify_orders_") {
        let whole: Value = serde_json::from_slice(&fixtures::read(&fixture)).unwrap();
        for round in 0..400 {
            let mut body = whole.clone();
            disturb(&mut body, &mut dice, 3 + round);
            let text = body.to_string();
            if let Ok(Normalized::Order(order)) =
                normalize(&topic_of(&fixture), text.as_bytes(), &NormalizeSettings::default())
            {
                orders += 1;
                check_invariants(&order, &text);
            }
        }
    }
    assert!(orders > 2000, "{orders} orders survived: the test proves too little");
}

fn check_invariants(order: &NormalizedOrder, body: &str) {
    assert!(order.shopify_id.parse::<i64>().is_ok_and(|id| id > 0), "{body}");
    assert_eq!(order.gid, format!("gid://shopify/Order/{}", order.shopify_id));
    let mut ids: Vec<&str> = order.lines.iter().map(|line| line.line_id.as_str()).collect();
    let lines = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), lines, "line ids repeat in {body}");
    let json = serde_json::to_value(order).unwrap();
    assert_clean(&json, body);
    for line in &order.lines {
        assert!((0..=1_000_000).contains(&line.quantity));
        assert!(
            line.price
                .as_deref()
                .is_none_or(|price| price.parse::<f64>().is_ok_and(|price| price.abs() < 1e12))
        );
        assert!(line.sku.as_deref().is_none_or(|sku| !sku.is_empty() && sku.chars().count() <= 255));
    }
    assert!(order.currency.as_deref().is_none_or(|code| code.len() == 3));
    assert!(
        order
            .due_date
            .as_deref()
            .is_none_or(|date| chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok())
    );
    for at in [&order.updated_at, &order.cancelled_at].into_iter().flatten() {
        assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok());
    }
}

fn assert_clean(value: &Value, body: &str) {
    match value {
        Value::String(text) => {
            assert!(
                !text.contains('\0') && !text.trim().is_empty() && text.chars().count() <= 10_003,
                "{text:?} in {body}"
            );
        }
        Value::Array(elements) => elements.iter().for_each(|element| assert_clean(element, body)),
        Value::Object(members) => members.values().for_each(|member| assert_clean(member, body)),
        _ => {}
    }
}

#[test]
fn cut_and_flipped_bytes_never_panic() {
    let mut dice = Dice(7);
    let whole = fixtures::read("shopify_orders_create__aud_shop_usd_presentment");
    for _ in 0..3000 {
        let mut body = whole.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(body.len());
            match dice.below(3) {
                0 => body[at] ^= 1 << dice.below(8),
                1 => body.truncate(at.max(1)),
                _ => body[at] = b"{}[]\",:\\u0e-"[dice.below(12)],
            }
        }
        let _ = normalize(&Topic::OrdersCreate, &body, &NormalizeSettings::default());
    }
}

#[test]
fn a_million_members_and_a_long_text_are_read_in_one_pass() {
    let members: Vec<String> = (0..300_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let body = format!(r#"{{"id":1,"note":"{}",{}}}"#, "x ".repeat(500_000), members.join(","));
    assert_eq!(order(&format!(r#"{{"currency":"AUD",{}"#, &body[1..])).notes.unwrap().chars().count(), 4999);
}
