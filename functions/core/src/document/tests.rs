//! Tests: what is JSON, what can be stored, and that a parser agrees.

use super::*;
use crate::fixtures;
use serde::de::IgnoredAny;
use serde_json::Value;

fn nested(depth: usize) -> String {
    format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
}

#[test]
fn accepts_json_of_every_kind() {
    for body in
        ["{}", "[]", "null", "1", "-0.5e-3", "\"x\"", " {\"a\": [1, {\"b\": \"\\u00e9\\ud83c\\udf82\"}]} "]
    {
        assert_eq!(check(body.as_bytes()), Ok(()), "{body}");
    }
}

#[test]
fn refuses_what_is_not_json() {
    for body in
        ["", " ", "{", "nul", "{\"a\":}", "{} x", "<html>", "{'a':1}", "[1,]", "01", "\u{feff}{}", "\"\n\""]
    {
        assert_eq!(check(body.as_bytes()), Err(DocumentError::NotJson), "{body:?}");
    }
    assert_eq!(check(b"\"\xff\""), Err(DocumentError::NotJson));
    assert_eq!(check(b"\x1f\x8b\x08\x00"), Err(DocumentError::NotJson));
}

#[test]
fn counts_depth_and_not_brackets_inside_strings() {
    assert!(check(nested(DEEPEST).as_bytes()).is_ok());
    assert_eq!(check(nested(DEEPEST + 1).as_bytes()), Err(DocumentError::TooDeep));
    assert!(check(format!("\"{}\\\"{}\"", "[".repeat(200), "{".repeat(200)).as_bytes()).is_ok());
}

#[test]
fn survives_any_depth() {
    for depth in [127, 128, 100_000, 2_000_000] {
        assert_eq!(check(nested(depth).as_bytes()), Err(DocumentError::TooDeep));
        assert_eq!(check("[".repeat(depth).as_bytes()), Err(DocumentError::TooDeep));
        assert_eq!(check("{\"a\":".repeat(depth).as_bytes()), Err(DocumentError::TooDeep));
    }
}

#[test]
fn refuses_what_jsonb_refuses() {
    for body in [
        r#""\u0000""#,
        r#"{"a":"x\u0000y"}"#,
        r#"{"\u0000":1}"#,
        r#""\ud800""#,
        r#""\ud800x""#,
        r#""\ud800\n""#,
        r#""\ud800\ud800\udc00""#,
        r#""\udc00""#,
        r#""\udc00\ud800""#,
        "1e400",
        "-1e309",
        "1E+99999999999999999999",
        "1e-20000",
    ] {
        assert_eq!(check(body.as_bytes()), Err(DocumentError::Unstorable), "{body}");
    }
    assert_eq!(check("9".repeat(309).as_bytes()), Err(DocumentError::Unstorable));
    assert_eq!(check(format!("0.{}", "1".repeat(500)).as_bytes()), Err(DocumentError::Unstorable));
}

#[test]
fn an_escaped_backslash_is_not_an_escape() {
    assert!(check(br#""\\u0000""#).is_ok());
    assert!(check(br#""\\ud800""#).is_ok());
    assert!(check(br#""\ud83c\udf82\ud83c\udf82""#).is_ok());
}

#[test]
fn lets_honest_numbers_through() {
    for body in ["820982911946154508", "99999999999999999999999", "1e300", "0.10", "-12.5E+2", "1e-300"] {
        assert!(check(body.as_bytes()).is_ok(), "{body}");
    }
}

#[test]
fn tells_what_is_wrong_first() {
    let bomb = "[".repeat(100);
    assert_eq!(check(format!("{{,{bomb}").as_bytes()), Err(DocumentError::NotJson));
    assert_eq!(check(format!("[1e999,{bomb}").as_bytes()), Err(DocumentError::TooDeep));
    assert_eq!(check(b"[1e999,]"), Err(DocumentError::NotJson));
}

/// Whether JSON can be stored, as a parser sees it: it builds no half of a surrogate pair and no infinite number.
fn can_be_stored(text: &str) -> bool {
    fn nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(list) => list.iter().any(nul),
            Value::Object(object) => object.iter().any(|(name, value)| name.contains('\0') || nul(value)),
            _ => false,
        }
    }
    serde_json::from_str::<Value>(text).is_ok_and(|value| !nul(&value))
}

#[test]
fn agrees_with_a_parser_on_whatever_is_changed_in_a_body() {
    const MARKS: [&str; 24] = [
        "{", "}", "[", "]", "\"", ",", ":", "\\", "\\u", "\\ud83c", "\\udf82", "\\u0000", "0", "-", ".", "e",
        "+", "1", " ", "\n", "\u{1}", "é", "true", "null",
    ];
    let mut seed = 20_261_121_u64;
    let mut below = |limit: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % limit
    };
    let whole = fixtures::read("shopify_orders_create__aud_shop_usd_presentment");
    let small: [&[u8]; 4] = [
        br#"{"a":[1,-2.5e+3,"x\u00e9\ud83c\udf82\n"],"b":{"c":null,"d":[true,false,[]]},"e":{}}"#,
        br#" [ 0 , -0.0e-10 , "" , { "\"" : [ [ ] ] } ] "#,
        br#""\ud83c\udf82 and a long text behind it""#,
        b"-120.50E-7",
    ];
    let mut judged = [0; 3];
    for round in 0..60_000 {
        let source = if round % 40 == 0 { whole.as_slice() } else { small[round % 4] };
        let mut body = source.to_vec();
        for _ in 0..=below(3) {
            let (from, mark) = (below(body.len() + 1), MARKS[below(MARKS.len())]);
            let until = body.len().min(from + below(3));
            body.splice(from..until, mark.bytes());
        }
        let Ok(text) = std::str::from_utf8(&body) else { continue };
        let expected = match serde_json::from_str::<IgnoredAny>(text) {
            Err(_) => Err(DocumentError::NotJson),
            Ok(_) if can_be_stored(text) => Ok(()),
            Ok(_) => Err(DocumentError::Unstorable),
        };
        judged[match expected {
            Ok(()) => 0,
            Err(DocumentError::NotJson) => 1,
            Err(_) => 2,
        }] += 1;
        assert_eq!(check(&body), expected, "{text}");
    }
    assert!(judged.iter().all(|many| *many > 500), "the test proves too little: {judged:?}");
}
