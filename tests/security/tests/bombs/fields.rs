//! Orders in which one field holds what its column, its index or its calculation cannot.

use crate::bodies::{Bomb, bomb};
use ordak_security::delivery::{fresh_id, order};
use serde_json::{Value, json};

/// Numbers that a machine, a script or a column cannot hold.
pub fn numbers() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    let digits = "9".repeat(10_000);
    for number in [
        "1e400",
        "-1e400",
        "1e-400",
        "1e308",
        "1E+9999999999",
        "-0",
        "-1",
        "0",
        "1.5",
        "1e3",
        "9007199254740993",
        "9223372036854775807",
        "9223372036854775808",
        "18446744073709551616",
        "-9223372036854775809",
        "123456789012345678901234567890",
        digits.as_str(),
    ] {
        let shown: String = number.chars().take(40).collect();
        for field in ["id", "order_number", "total_price", "updated_at", "number", "unknown_field"] {
            bombs.push(bomb(format!("{field} is {shown}"), with_raw(field, number)));
        }
        for field in ["id", "quantity", "current_quantity", "price", "grams"] {
            bombs.push(bomb(format!("a line's {field} is {shown}"), in_line(field, number)));
        }
    }
    for price in [
        "1e400",
        "NaN",
        "Infinity",
        "-1",
        "",
        " ",
        "1,000.00",
        "0x10",
        "١٢٣",
        "99999999999999999999999999999999999999999.99",
        "1.123456789",
    ] {
        bombs.push(bomb(format!("total_price is the text {price:?}"), with("total_price", json!(price))));
        bombs.push(bomb(
            format!("a line's price is the text {price:?}"),
            in_line("price", &json!(price).to_string()),
        ));
    }
    let id = fresh_id();
    let mut greedy = order(id);
    greedy["line_items"] = json!([
        {"id": id + 1, "sku": "GREEDY", "quantity": i32::MAX, "price": "1"},
        {"id": id + 2, "sku": "GREEDY", "quantity": i32::MAX, "price": "1"},
    ]);
    bombs.push(bomb("quantities whose sum has no room", greedy.to_string()));
    bombs
}

/// Texts that a column, an index or a log cannot hold, in every field that has one.
pub fn texts() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    let kilobytes = "k".repeat(9_000);
    let megabyte = "m".repeat(1_000_000);
    for (what, text) in [
        ("a zero character", "\\u0000".to_owned()),
        ("a zero character inside", "a\\u0000b".to_owned()),
        ("a lone high surrogate", "\\ud800".to_owned()),
        ("a lone low surrogate", "\\udfff".to_owned()),
        ("surrogates in the wrong order", "\\udc00\\ud800".to_owned()),
        ("a noncharacter", "\\uffff".to_owned()),
        ("control characters", "\\u0001\\u001b[31m\\u007f\\u0085".to_owned()),
        ("text that turns around", "\\u202e\\u2066abc".to_owned()),
        ("line ends", "a\\r\\nb\\u2028c".to_owned()),
        ("quotes", "';--\\\"${x}{{x}}%s<script>".to_owned()),
        ("9 kilobytes", kilobytes),
        ("a megabyte", megabyte),
    ] {
        let raw = format!("\"{text}\"");
        for field in [
            "name",
            "note",
            "tags",
            "email",
            "currency",
            "order_number",
            "id",
            "admin_graphql_api_id",
            "updated_at",
            "cancelled_at",
            "cancel_reason",
            "financial_status",
            "unknown_field",
        ] {
            bombs.push(bomb(format!("{field} with {what}"), with_raw(field, &raw)));
        }
        for field in ["id", "sku", "title", "variant_title", "name", "properties"] {
            bombs.push(bomb(format!("a line's {field} with {what}"), in_line(field, &raw)));
        }
        let pair = format!("[{{\"name\":{raw},\"value\":{raw}}}]");
        bombs.push(bomb(format!("a property with {what}"), in_line("properties", &pair)));
        bombs.push(bomb(format!("an attribute with {what}"), with_raw("note_attributes", &pair)));
        bombs.push(bomb(
            format!("a customer with {what}"),
            with_raw("customer", &format!("{{\"first_name\":{raw}}}")),
        ));
        bombs.push(bomb(format!("a key with {what}"), with_raw(&text, "1")));
    }
    for bytes in [b"\xff".as_slice(), b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80", b"\xe2\x82", b"\0"] {
        let body = with("note", json!("BYTES")).replace("BYTES", "\u{1}");
        let at = body.find('\u{1}').unwrap_or_default();
        let (front, back) = body.as_bytes().split_at(at);
        let raw = [front, bytes, back.get(1..).unwrap_or_default()].concat();
        bombs.push(bomb(format!("bytes {bytes:02x?} in a text"), raw));
    }
    bombs
}

/// Fields of another type than Shopify's.
pub fn types() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    for value in
        ["null", "true", "1", "\"text\"", "[]", "{}", "[null]", "[[]]", "{\"id\":{}}", "[1,\"a\",{}]"]
    {
        for field in [
            "id",
            "admin_graphql_api_id",
            "order_number",
            "updated_at",
            "cancelled_at",
            "currency",
            "presentment_currency",
            "total_price",
            "current_total_price_set",
            "customer",
            "shipping_address",
            "billing_address",
            "line_items",
            "note",
            "note_attributes",
            "tags",
            "refunds",
            "fulfillments",
            "discount_applications",
            "financial_status",
        ] {
            bombs.push(bomb(format!("{field} is {value}"), with_raw(field, value)));
        }
        for field in
            ["id", "sku", "title", "quantity", "current_quantity", "price", "properties", "gift_card"]
        {
            bombs.push(bomb(format!("a line's {field} is {value}"), in_line(field, value)));
        }
    }
    for time in [
        "infinity",
        "-infinity",
        "now",
        "epoch",
        "today",
        "0000-00-00T00:00:00Z",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "2026-01-01T00:00:00+99:99",
        "9999999-01-01T00:00:00Z",
        "294277-01-01T00:00:00Z",
        "4714-01-01T00:00:00Z BC",
        "2026-01-01",
        "1",
    ] {
        for field in ["updated_at", "cancelled_at", "created_at"] {
            bombs.push(bomb(format!("{field} is {time}"), with(field, json!(time))));
        }
        let attribute = json!([{"name": "Local Delivery Date and Time", "value": time}]);
        bombs.push(bomb(format!("delivery date is {time}"), with("note_attributes", attribute)));
    }
    bombs
}

/// An order in which one field is something else.
pub fn with(field: &str, value: Value) -> String {
    let mut order = order(fresh_id());
    order[field] = value;
    order.to_string()
}

/// The same with JSON as it is written here, which no serialiser would write. A field that is there already is replaced.
pub fn with_raw(field: &str, json: &str) -> String {
    let mut order = order(fresh_id());
    if let Some(fields) = order.as_object_mut() {
        fields.remove(field);
    }
    let text = order.to_string();
    format!("{{\"{field}\":{json},{}", text.get(1..).unwrap_or_default())
}

/// The same in the only line of an order.
pub fn in_line(field: &str, json: &str) -> String {
    let id = fresh_id();
    let mut line = json!({"id": id, "sku": "MSH002B", "title": "Cake", "quantity": 1, "price": "1.00"});
    if let Some(fields) = line.as_object_mut() {
        fields.remove(field);
    }
    let line = line.to_string();
    let raw = format!("[{{\"{field}\":{json},{}]", line.get(1..).unwrap_or_default());
    with_raw("line_items", &raw)
}
