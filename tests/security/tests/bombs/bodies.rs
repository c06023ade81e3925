//! Bodies that a parser, a column or a calculation may not survive. Every one is rightly signed.

use flate2::Compression;
use flate2::write::GzEncoder;
use ordak_security::delivery::{fresh_id, order};
use serde_json::{Value, json};
use std::io::Write as _;

/// A body and what is special about it.
pub struct Bomb {
    /// For messages.
    pub name: String,
    /// The bytes.
    pub body: Vec<u8>,
    /// `Content-Encoding`, when it claims one.
    pub encoding: Option<&'static str>,
}

fn bomb(name: impl Into<String>, body: impl Into<Vec<u8>>) -> Bomb {
    Bomb { name: name.into(), body: body.into(), encoding: None }
}

/// What is no JSON object at all, or not only one.
pub fn shapes() -> Vec<Bomb> {
    let whole = order(fresh_id()).to_string();
    let mut bombs: Vec<Bomb> = [
        "",
        " ",
        "\n\n",
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "1.5",
        "\"text\"",
        "\"\"",
        "[]",
        "[[]]",
        "[{}]",
        "[null]",
        "{}",
        "{",
        "}",
        "[",
        "]",
        "\"",
        "{]",
        "{\"id\":}",
        "{\"id\":1,}",
        "{id:1}",
        "{'id':1}",
        "{\"id\":1}{\"id\":2}",
        "{\"id\":1} x",
        "{\"id\":1}]",
        "// {}",
        "/* */ {}",
        "{\"id\":NaN}",
        "{\"id\":Infinity}",
        "{\"id\":0x10}",
        "{\"id\":01}",
        "{\"id\":+1}",
        "{\"id\":1.}",
        "{\"id\":.5}",
        "{\"id\":1e}",
        "undefined",
        "<order><id>1</id></order>",
        "id=1&name=x",
        "\u{feff}{\"id\":1}",
        "{\"id\":\"1\"}",
        "{\"\":1}",
        "{\"__proto__\":{\"id\":1}}",
    ]
    .iter()
    .map(|text| bomb(format!("body {text:?}"), *text))
    .collect();
    let utf16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    bombs.push(bomb("UTF-16", [b"\xff\xfe".as_slice(), &utf16].concat()));
    bombs.push(bomb("an order twice", format!("{whole}{whole}")));
    bombs.push(bomb("an order and a zero byte", format!("{whole}\0")));
    bombs.push(bomb("an order in a list", format!("[{whole}]")));
    bombs.push(bomb("an order as text", Value::String(whole.clone()).to_string()));
    bombs.push(bomb("half an order", whole.get(..whole.len() / 2).unwrap_or_default()));
    bombs.push(bomb("only zero bytes", vec![0; 1000]));
    bombs.push(bomb("every byte there is", (0..=255).collect::<Vec<u8>>()));
    bombs
}

/// Nesting, as a whole body and inside an order.
pub fn depths() -> Vec<Bomb> {
    let mut bombs = Vec::new();
    for depth in [126usize, 127, 128, 129, 1_000, 100_000] {
        let lists = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let objects = format!("{}1{}", "{\"a\":".repeat(depth), "}".repeat(depth));
        bombs.push(bomb(format!("{depth} lists"), lists.clone()));
        bombs.push(bomb(format!("{depth} objects"), objects.clone()));
        bombs.push(bomb(format!("{depth} lists never closed"), "[".repeat(depth)));
        bombs.push(bomb(format!("{depth} lists in an order"), with_raw("deep", &lists)));
        bombs.push(bomb(format!("{depth} objects in a line"), in_line("properties", &objects)));
    }
    bombs
}

/// Many of something, within 5 MiB.
pub fn crowds() -> Vec<Bomb> {
    let repeated = |piece: &str, times: usize| piece.repeat(times).trim_end_matches(',').to_owned();
    let keys: String = (0..450_000).map(|n| format!("\"{n:x}\":1,")).collect();
    let lines = |count: usize, same: bool| {
        let id = fresh_id();
        let mut value = order(id);
        value["line_items"] = (0..count)
            .map(|n| json!({"id": if same { id } else { id + 1 + n as u64 }, "sku": "MSH002B", "quantity": 1, "price": "1"}))
            .collect();
        value.to_string()
    };
    vec![
        bomb("a million equal keys", format!("{{{}}}", repeated("\"\":1,", 1_000_000))),
        bomb("450 000 keys", format!("{{{}}}", keys.trim_end_matches(','))),
        bomb("450 000 keys in an order", with_raw("many", &format!("{{{}}}", keys.trim_end_matches(',')))),
        bomb("a million numbers", format!("[{}]", repeated("1,", 1_000_000))),
        bomb("a million numbers in an order", with_raw("many", &format!("[{}]", repeated("1,", 1_000_000)))),
        bomb(
            "a million empty lists in an order",
            with_raw("many", &format!("[{}]", repeated("[],", 1_000_000))),
        ),
        bomb("equal keys in an order", with_raw("id\":1,\"id", "2")),
        bomb("equal keys that matter", with_raw("total_price\":\"1.00\",\"total_price", "\"2.00\"")),
        bomb("1 000 lines", lines(1_000, false)),
        bomb("10 000 lines", lines(10_000, false)),
        bomb("500 lines of one id", lines(500, true)),
        bomb("an order of 5 MB of spaces", format!("{}{}", " ".repeat(5_000_000), order(fresh_id()))),
        bomb("100 000 tags", with("tags", Value::String("a,".repeat(100_000)))),
        bomb(
            "20 000 attributes",
            with(
                "note_attributes",
                (0..20_000).map(|n| json!({"name": format!("n{n}"), "value": "v"})).collect(),
            ),
        ),
    ]
}

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

/// Compressed bodies: nothing is unpacked, so they are no JSON.
pub fn packed() -> Vec<Bomb> {
    let pack = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        let written = encoder.write_all(bytes);
        written.and_then(|()| encoder.finish()).unwrap_or_default()
    };
    let plain = order(fresh_id()).to_string().into_bytes();
    let zeros = pack(&vec![b' '; 200 * 1024 * 1024]);
    [
        ("gzip that says so", pack(&plain), Some("gzip")),
        ("gzip that does not say so", pack(&plain), None),
        ("gzip that says deflate", pack(&plain), Some("deflate")),
        ("gzip that says br", pack(&plain), Some("br")),
        ("gzip twice", pack(&pack(&plain)), Some("gzip, gzip")),
        ("200 MiB of spaces in gzip", zeros.clone(), Some("gzip")),
        ("200 MiB of spaces in gzip that does not say so", zeros, None),
        ("plain text that says gzip", plain.clone(), Some("gzip")),
        ("plain text that says nonsense", plain.clone(), Some("zip-bomb")),
        ("plain text that says identity", plain, Some("identity")),
    ]
    .into_iter()
    .map(|(name, body, encoding)| Bomb { name: name.to_owned(), body, encoding })
    .collect()
}

/// An order in which one field is something else.
fn with(field: &str, value: Value) -> String {
    let mut order = order(fresh_id());
    order[field] = value;
    order.to_string()
}

/// The same with JSON as it is written here, which no serialiser would write. A field that is there already is replaced.
fn with_raw(field: &str, json: &str) -> String {
    let mut order = order(fresh_id());
    if let Some(fields) = order.as_object_mut() {
        fields.remove(field);
    }
    let text = order.to_string();
    format!("{{\"{field}\":{json},{}", text.get(1..).unwrap_or_default())
}

fn in_line(field: &str, json: &str) -> String {
    let id = fresh_id();
    let mut line = json!({"id": id, "sku": "MSH002B", "title": "Cake", "quantity": 1, "price": "1.00"});
    if let Some(fields) = line.as_object_mut() {
        fields.remove(field);
    }
    let line = line.to_string();
    let raw = format!("[{{\"{field}\":{json},{}]", line.get(1..).unwrap_or_default());
    with_raw("line_items", &raw)
}
