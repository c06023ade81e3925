//! Bodies that a parser, a column or a calculation may not survive. Every one is rightly signed.

use crate::fields::{in_line, with, with_raw};
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

/// A bomb that claims no encoding.
pub fn bomb(name: impl Into<String>, body: impl Into<Vec<u8>>) -> Bomb {
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
