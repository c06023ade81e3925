//! A received JSON body, before anybody reads it: is it JSON, is it shallow enough, can the database hold it?
//!
//! Works on bytes in one pass with a counter instead of a stack, so that no body can exhaust memory or the call
//! stack. Knows nothing of what the document means.

use serde::de::IgnoredAny;
use std::fmt;

/// Deepest nesting that is read.
pub const DEEPEST: usize = 64;
/// Longest number token; no honest one comes near.
const LONGEST_NUMBER: usize = 400;
/// Number of digits before the decimal point from which a number is no longer a finite double, which some readers
/// between us and the database are built on.
const GREATEST_MAGNITUDE: i64 = 308;
/// Smallest exponent that is let through; Postgres' numeric ends at 16383 decimals.
const SMALLEST_EXPONENT: i64 = -400;

/// Why a body cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentError {
    /// Not JSON, or not UTF-8.
    NotJson,
    /// Nested deeper than [`DEEPEST`].
    TooDeep,
    /// JSON that a `jsonb` column refuses: a NUL character, half a surrogate pair, a number without bounds.
    Unstorable,
}

impl fmt::Display for DocumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotJson => f.write_str("is not JSON"),
            Self::TooDeep => write!(f, "is nested deeper than {DEEPEST} levels"),
            Self::Unstorable => {
                f.write_str("holds a NUL character, half a surrogate pair or a number out of range")
            }
        }
    }
}

impl std::error::Error for DocumentError {}

/// Checks a body and returns it as text.
///
/// # Errors
/// The first reason, in the order of [`DocumentError`]: depth is checked before syntax, so that a bomb costs one scan.
pub fn check(body: &[u8]) -> Result<&str, DocumentError> {
    let text = std::str::from_utf8(body).map_err(|_| DocumentError::NotJson)?;
    let storable = scan(body)?;
    serde_json::from_str::<IgnoredAny>(text).map_err(|_| DocumentError::NotJson)?;
    if storable { Ok(text) } else { Err(DocumentError::Unstorable) }
}

/// Follows brackets, strings and numbers; tells whether everything is storable. Syntax is not its business.
fn scan(body: &[u8]) -> Result<bool, DocumentError> {
    let mut depth = 0usize;
    let mut storable = true;
    let mut rest = body;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > DEEPEST {
                    return Err(DocumentError::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => storable &= skip_string(&mut rest),
            b'-' | b'0'..=b'9' => {
                let length =
                    tail.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
                let length = length.count();
                let (token, after) = tail.split_at(length);
                storable &= number_is_storable(byte, token);
                rest = after;
            }
            _ => {}
        }
    }
    Ok(storable)
}

/// How many bytes of a string stand before the next quote or backslash. Eight are looked at together: bodies are long.
#[must_use]
pub fn in_string(text: &[u8]) -> usize {
    let (words, _) = text.as_chunks::<8>();
    let quiet = words.iter().position(|word| {
        let word = u64::from_le_bytes(*word);
        has_zero(word ^ (EACH * u64::from(b'"'))) || has_zero(word ^ (EACH * u64::from(b'\\')))
    });
    let seen = quiet.unwrap_or(words.len()) * 8;
    let rest = text.get(seen..).unwrap_or_default();
    seen + rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

/// One in each byte.
const EACH: u64 = 0x0101_0101_0101_0101;

/// Whether one of the eight bytes is zero.
fn has_zero(word: u64) -> bool {
    word.wrapping_sub(EACH) & !word & (EACH << 7) != 0
}

/// Moves behind the closing quote; tells whether every escape in the string can be stored.
fn skip_string(rest: &mut &[u8]) -> bool {
    let mut storable = true;
    let mut high_surrogate = false;
    loop {
        if !high_surrogate {
            // Most of a body is this: letters of which none means anything here.
            *rest = rest.get(in_string(rest)..).unwrap_or_default();
        }
        match *rest {
            [] => return storable,
            [b'"', tail @ ..] => {
                *rest = tail;
                return storable && !high_surrogate;
            }
            [b'\\', b'u', a, b, c, d, tail @ ..] => {
                let unit = [a, b, c, d]
                    .iter()
                    .fold(0u32, |unit, digit| unit << 4 | char::from(**digit).to_digit(16).unwrap_or(0));
                let low = (0xdc00..0xe000).contains(&unit);
                storable &= unit != 0 && low == high_surrogate;
                high_surrogate = (0xd800..0xdc00).contains(&unit);
                *rest = tail;
            }
            [b'\\', _, tail @ ..] | [_, tail @ ..] => {
                storable &= !high_surrogate;
                high_surrogate = false;
                *rest = tail;
            }
        }
    }
}

fn number_is_storable(first: u8, token: &[u8]) -> bool {
    if token.len() >= LONGEST_NUMBER {
        return false;
    }
    let (mantissa, exponent) = match token.iter().position(|b| matches!(b, b'e' | b'E')) {
        Some(at) => token.split_at(at),
        None => (token, [].as_slice()),
    };
    let integer_digits = mantissa.iter().take_while(|b| b.is_ascii_digit()).count() as i64;
    let magnitude = integer_digits + i64::from(first.is_ascii_digit());
    let digits: &[u8] = exponent.get(1..).unwrap_or_default();
    let negative = digits.first() == Some(&b'-');
    let exponent = digits
        .iter()
        .filter(|b| b.is_ascii_digit())
        .fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative {
        -exponent >= SMALLEST_EXPONENT
    } else {
        magnitude.saturating_add(exponent) <= GREATEST_MAGNITUDE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}1{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn accepts_json_of_every_kind() {
        for body in [
            "{}",
            "[]",
            "null",
            "1",
            "-0.5e-3",
            "\"x\"",
            " {\"a\": [1, {\"b\": \"\\u00e9\\ud83c\\udf82\"}]} ",
        ] {
            assert_eq!(check(body.as_bytes()), Ok(body), "{body}");
        }
    }

    #[test]
    fn refuses_what_is_not_json() {
        for body in [
            "",
            " ",
            "{",
            "nul",
            "{\"a\":}",
            "{} x",
            "<html>",
            "{'a':1}",
            "[1,]",
            "01",
            "\u{feff}{}",
            "\"\n\"",
        ] {
            assert_eq!(check(body.as_bytes()), Err(DocumentError::NotJson), "{body:?}");
        }
        assert_eq!(check(b"\"\xff\""), Err(DocumentError::NotJson));
        assert_eq!(check(b"\x1f\x8b\x08\x00"), Err(DocumentError::NotJson));
    }

    #[test]
    fn finds_the_end_of_what_is_plain_wherever_it_is() {
        for length in 0..40 {
            for filling in [0x00, b' ', b'a', b'!', b'#', b'[', b']', 0x80, 0xa2, 0xdc, 0xff] {
                let text = vec![filling; length];
                assert_eq!(in_string(&text), length);
                for (at, end) in (0..length).flat_map(|at| [(at, b'"'), (at, b'\\')]) {
                    let mut text = text.clone();
                    text[at] = end;
                    assert_eq!(in_string(&text), at, "{text:?}");
                }
            }
        }
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
}
