//! The pieces of a list or an object: elements, or names and values in turn.
//!
//! Brackets and quotes are all that is looked at: whether the text is JSON has been asked before, of all of it at once.
//! Asking a parser again for each piece took longer than everything else that is done with an order.

use super::Field;
use crate::document::in_string;

/// What is left to go through.
pub(super) struct Pieces<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Pieces<'a> {
    /// Those of a text that begins with this bracket; of any other there are none.
    pub(super) fn of(text: &'a str, bracket: u8) -> Self {
        let text = if text.as_bytes().first() == Some(&bracket) { text } else { "" };
        Self { text, at: 1 }
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let between = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':');
        let begin = self.at + rest.iter().position(|byte| !between(byte))?;
        let end = begin + length(self.text.as_bytes().get(begin..)?)?;
        self.at = end;
        self.text.get(begin..end).map(Field)
    }
}

/// How long the value is that begins here; `None` where none does, or where it does not end.
fn length(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => string(text),
        b'[' | b'{' => container(text),
        b']' | b'}' => None,
        _ => {
            let ends = |byte: &u8| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r');
            text.iter().position(ends)
        }
    }
}

/// With its quotes.
fn string(text: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += in_string(text.get(at..)?);
        match text.get(at)? {
            b'"' => return Some(at + 1),
            _ => at += 2,
        }
    }
}

/// With its brackets.
fn container(text: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0usize, 0usize);
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => {
                at += string(text.get(at..)?)?;
                continue;
            }
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// Reads a value piece by piece as far down as it goes.
    fn read(field: Field<'_>) -> Value {
        if field.is_object() {
            let mut object = serde_json::Map::new();
            field.entries(&mut |name, value| {
                object.insert(name.to_owned(), read(value));
                true
            });
            object.into()
        } else if field.is_list() {
            let mut list = Vec::new();
            field.elements(&mut |value| {
                list.push(read(value));
                true
            });
            list.into()
        } else {
            serde_json::from_str(field.0).unwrap()
        }
    }

    fn any(seed: &mut u64, depth: u32) -> Value {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (kind, many) = (*seed >> 60, *seed >> 56 & 3);
        let texts = ["", "a", "\"", "\\", "\\\"", "]},{[", "é\u{2028}🎂", "a\\\\\"\n\t\u{1}", " : , "];
        let text = texts[(*seed >> 40) as usize % texts.len()];
        match kind {
            0..=4 if depth < 5 => (0..many).map(|_| any(seed, depth + 1)).collect(),
            5..=9 if depth < 5 => (0..many)
                .map(|n| (format!("{text}{n}"), any(seed, depth + 1)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            10 => json!(-12.5e-7),
            11 => json!(820_982_911_946_154_508_i64),
            12 => json!(null),
            13 => json!(false),
            _ => json!(text),
        }
    }

    #[test]
    fn finds_what_a_parser_finds() {
        let mut seed = 11;
        for _ in 0..5000 {
            let value = any(&mut seed, 0);
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                assert_eq!(read(Field::document(&text)), value, "{text}");
            }
        }
        for name in crate::fixtures::names("") {
            let body = crate::fixtures::read(&name);
            let text = std::str::from_utf8(&body).unwrap();
            assert_eq!(read(Field::document(text)), serde_json::from_str::<Value>(text).unwrap(), "{name}");
        }
    }

    #[test]
    fn what_does_not_end_has_no_pieces_and_no_panic() {
        let text = r#"{"a":[1,{"b":"c\"d"}],"e":{}}"#;
        for end in 0..text.len() {
            for bracket in [b'{', b'['] {
                assert!(Pieces::of(&text[..end], bracket).count() < 5);
                assert!(Pieces::of(&text[end..], bracket).count() < 5);
            }
        }
        for odd in ["{]", "[}", "[\"", "[\"\\", "[\"\\\"", "{{", "[ü]", "[1", "{\"a\":}"] {
            assert!(Pieces::of(odd, odd.as_bytes()[0]).count() < 3, "{odd}");
        }
    }
}
