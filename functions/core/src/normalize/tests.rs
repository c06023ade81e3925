//! Tests: what each captured order becomes, and what is refused.

use super::*;
use crate::fixtures;
use serde_json::{Value, json};

pub(super) fn order_of(topic: &Topic, body: &str) -> NormalizedOrder {
    match normalize(topic, body.as_bytes(), &NormalizeSettings::default()) {
        Ok(Normalized::Order(order)) => *order,
        other => panic!("{body}: {other:?}"),
    }
}

pub(super) fn order(body: &str) -> NormalizedOrder {
    order_of(&Topic::OrdersCreate, body)
}

pub(super) fn with(members: &str) -> NormalizedOrder {
    order(&format!(r#"{{"id":1,"currency":"AUD",{members}}}"#))
}

fn refused(topic: &Topic, body: &[u8]) -> NormalizeError {
    normalize(topic, body, &NormalizeSettings::default()).unwrap_err()
}

/// `shopify_orders_create__x` is a delivery of `orders/create`.
pub(super) fn topic_of(fixture: &str) -> Topic {
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
            "cancel_reason": null, "customer_id": null, "missing_fields": ["customer"], "refunds": null,
            "lines": [{
                "line_id": "n:0", "position": 0, "sku": null, "title": "Gelato Cake", "variant_title": null,
                "quantity": 1, "consumed": 0, "price": null, "gift_card": false,
                "properties": {"Gelato Flavours": "Vanilla / Pistachio", "_LocalDeliveryID": "ignore-me"}
            }]
        })
    );
}

#[test]
fn edits_name_their_order_and_refunds_say_what_was_refunded() {
    let read = |fixture: &str| {
        let read = normalize(&topic_of(fixture), &fixtures::read(fixture), &NormalizeSettings::default());
        serde_json::to_value(read.unwrap()).unwrap()
    };
    let (edited, refunded) =
        ("shopify_orders_edited__sample", "shopify_refunds_create__cad_pos_card_present_return");
    let id = "820982911946154500";
    assert_eq!(
        read(edited),
        json!({"gid": format!("gid://shopify/Order/{id}"), "shopify_id": id, "snapshot": false})
    );
    assert_eq!(
        read(refunded),
        json!({
            "gid": "gid://shopify/Order/6022498320664", "shopify_id": "6022498320664", "snapshot": false,
            "refund": {
                "id": "975224602904", "created_at": "2024-09-09T17:36:31Z",
                "lines": [{"line_id": "15075349889304", "quantity": 4, "restock": true}]
            }
        })
    );
    for fixture in [edited, refunded] {
        assert_eq!(refused(&topic_of(fixture), b"{}"), NormalizeError::NotAnOrder);
    }
    assert!(order_of(&Topic::OrdersEdited, r#"{"id":1,"line_items":[]}"#).snapshot);
}

#[test]
fn an_order_knows_its_refunds_and_its_customer() {
    let fixture = fixtures::read("shopify_orders_cancelled__hkd_draft_refunded");
    let order = order(std::str::from_utf8(&fixture).unwrap());
    assert_eq!(order.refunds, Some(vec!["982959849772".to_owned()]));
    assert_eq!((order.lines[0].quantity, order.lines[0].consumed), (0, 0));
    let named =
        with(r#""customer":{"id":"77","admin_graphql_api_id":"gid://shopify/Customer/77"},"refunds":[]"#);
    assert_eq!((named.customer_id.as_deref(), named.refunds), (Some("77"), Some(Vec::new())));
}

#[test]
fn what_is_about_the_shop_says_so() {
    let read = |fixture: &str| {
        let topic = topic_of(&fixture.replace("inventory_levels_update", "inventory_levels"));
        let read = normalize(&topic, &fixtures::read(fixture), &NormalizeSettings::default());
        serde_json::to_value(read.unwrap()).unwrap()
    };
    assert_eq!(
        read("shopify_customers_redact__sample"),
        json!({"snapshot": false, "compliance": {
            "shop_domain": "{shop}.myshopify.com", "customer_id": "191167",
            "order_ids": ["299938", "280263", "220458"], "request_id": null,
            "contacts": ["john@example.com", "555-625-1199"]
        }})
    );
    assert_eq!(read("shopify_customers_data_request__sample")["compliance"]["request_id"], "9999");
    assert_eq!(read("shopify_shop_redact__sample")["compliance"]["order_ids"], json!([]));
    assert_eq!(
        read("shopify_app_uninstalled__sample"),
        json!({"snapshot": false, "uninstalled": {"shop_domain": null}})
    );
    assert_eq!(read("shopify_inventory_levels_update__available_null"), Value::Null);
    let unknown = Topic::parse("products/update");
    assert_eq!(normalize(&unknown, b"{}", &NormalizeSettings::default()), Ok(Normalized::Nothing));
    assert_eq!(refused(&Topic::ShopRedact, b"{}"), NormalizeError::NotAsPromised);
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
