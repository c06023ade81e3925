//! Lenient reading of one JSON value.
//!
//! Senders put numbers in texts and texts in numbers, nulls anywhere, objects where a text belongs. A [`Field`] is a
//! piece of a [`Document`], that is of the received text itself: ids and amounts are read from their own digits, never
//! through a float, and what nobody asks for is never built. Knows nothing of orders.

use crate::decimal::Decimal;
use crate::document::Document;

/// One JSON value, as received.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    document: &'a Document<'a>,
    place: u32,
}

impl<'a> Field<'a> {
    /// The value that a whole document is.
    #[must_use]
    pub fn whole(document: &'a Document<'a>) -> Self {
        Self { document, place: 0 }
    }

    fn first(self) -> u8 {
        self.document.first(self.place)
    }

    /// Whether it is `null`.
    #[must_use]
    pub fn is_null(self) -> bool {
        self.first() == b'n'
    }

    /// Whether it is an object.
    #[must_use]
    pub fn is_object(self) -> bool {
        self.first() == b'{'
    }

    /// Whether it is a list.
    #[must_use]
    pub fn is_list(self) -> bool {
        self.first() == b'['
    }

    /// The members of an object by name, in one pass. Absent and `null` are both `None`; of a repeated member the last
    /// counts, as it does for `jsonb`.
    #[must_use]
    pub fn pick<const N: usize>(self, names: [&str; N]) -> [Option<Field<'a>>; N] {
        let mut found = [None; N];
        // Most members are not wanted, and their length tells so.
        let bit = |name: &str| 1u64 << (name.len() & 63);
        let lengths = names.iter().fold(0, |lengths, name| lengths | bit(name));
        self.entries(&mut |name, value| {
            if lengths & bit(name) == 0 {
                return true;
            }
            for (slot, wanted) in found.iter_mut().zip(names) {
                if wanted == name {
                    *slot = Some(value).filter(|value| !value.is_null());
                }
            }
            true
        });
        found
    }

    /// One member of an object.
    #[must_use]
    pub fn get(self, name: &str) -> Option<Field<'a>> {
        let [member] = self.pick([name]);
        member
    }

    /// An object, read once to be asked many times. `wanted` are the only names that will be asked for.
    #[must_use]
    pub fn members<const N: usize>(self, wanted: [&'static str; N]) -> Members<'a, N> {
        Members { wanted, found: self.pick(wanted) }
    }

    /// Every member of an object, in order, until the visitor says false. Anything but an object has none.
    pub fn entries(self, visit: &mut dyn FnMut(&str, Field<'a>) -> bool) {
        let behind = if self.is_object() { self.document.behind(self.place) } else { 0 };
        let mut place = self.place + 1;
        while place < behind {
            let (name, value) = (self.at(place), self.at(place + 1));
            place = self.document.behind(value.place);
            let wanted = match name.plain() {
                Some(name) => visit(name, value),
                None => name.text().is_some_and(|name| visit(&name, value)),
            };
            if !wanted {
                return;
            }
        }
    }

    /// Every element of a list, in order, until the visitor says false. Anything but a list has none.
    pub fn elements(self, visit: &mut dyn FnMut(Field<'a>) -> bool) {
        let behind = if self.is_list() { self.document.behind(self.place) } else { 0 };
        let mut place = self.place + 1;
        while place < behind && visit(self.at(place)) {
            place = self.document.behind(place);
        }
    }

    fn at(self, place: u32) -> Self {
        Self { place, ..self }
    }

    /// A text without escapes, as it stands.
    fn plain(self) -> Option<&'a str> {
        let (written, escaped) = self.document.written(self.place)?;
        let text = written.strip_prefix('"')?.strip_suffix('"')?;
        (!escaped).then_some(text)
    }

    /// A text; numbers and booleans as they are written. Objects, lists and `null` are no text.
    #[must_use]
    pub fn text(self) -> Option<String> {
        match self.first() {
            b'"' => self.plain().map(str::to_owned).or_else(|| serde_json::from_str(self.written()?).ok()),
            b'{' | b'[' | b'n' => None,
            _ => self.written().map(str::to_owned),
        }
    }

    /// As it is written; nothing for a list or an object.
    fn written(self) -> Option<&'a str> {
        self.document.written(self.place).map(|(written, _)| written)
    }

    /// A number, or a text that is one.
    #[must_use]
    pub fn decimal(self) -> Option<Decimal> {
        Decimal::parse(&self.text()?)
    }

    /// A positive whole number as its digits, a `.0` behind it forgiven; an exponent is not, because whoever wrote one
    /// has rounded.
    #[must_use]
    pub fn id(self) -> Option<String> {
        let text = self.text()?;
        let text = text.trim();
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let plain = !whole.is_empty()
            && whole.bytes().all(|b| b.is_ascii_digit())
            && fraction.bytes().all(|b| b == b'0');
        let digits = whole.trim_start_matches('0');
        (plain && digits.parse::<i64>().is_ok()).then(|| digits.to_owned())
    }

    /// `true`, and what people write for it.
    #[must_use]
    pub fn is_true(self) -> bool {
        self.text()
            .is_some_and(|text| matches!(text.trim().to_ascii_lowercase().as_str(), "true" | "1" | "yes"))
    }
}

/// The members of an object that were asked for, found in one pass over it.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a, const N: usize> {
    wanted: [&'static str; N],
    found: [Option<Field<'a>>; N],
}

impl<'a, const N: usize> Members<'a, N> {
    /// One of them; a name that was not asked for is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Field<'a>> {
        let place = self.wanted.iter().position(|wanted| *wanted == name)?;
        self.found.get(place).copied().flatten()
    }

    /// Some of them.
    #[must_use]
    pub fn pick<const M: usize>(&self, names: [&str; M]) -> [Option<Field<'a>>; M] {
        names.map(|name| self.get(name))
    }
}

#[cfg(test)]
impl Field<'static> {
    /// The value that this JSON is.
    pub(crate) fn document(json: &str) -> Self {
        let text: &'static str = String::leak(json.to_owned());
        Self::whole(Box::leak(Box::new(Document::read(text.as_bytes()).unwrap())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn text(json: &str) -> Option<String> {
        Field::document(json).text()
    }

    #[test]
    fn reads_texts_numbers_and_booleans_as_text() {
        assert_eq!(text(r#" "a\u00e9\n\"" "#).as_deref(), Some("aé\n\""));
        assert_eq!(text("820982911946154508").as_deref(), Some("820982911946154508"));
        assert_eq!(text("-1.50").as_deref(), Some("-1.50"));
        assert_eq!(text("true").as_deref(), Some("true"));
        for json in ["null", "{}", "[]", r#"{"a":"b"}"#] {
            assert_eq!(text(json), None, "{json}");
        }
    }

    #[test]
    fn picks_members_in_one_pass() {
        let object = Field::document(r#" { "b": null, "a" : [1, {"a": 2}] , "c":{"a":3}, "\u0064": "x" } "#);
        let [a, b, c, d, e] = object.pick(["a", "b", "c", "d", "e"]);
        assert!(b.is_none() && e.is_none());
        assert_eq!(d.unwrap().text().as_deref(), Some("x"));
        assert_eq!(c.unwrap().get("a").unwrap().text().as_deref(), Some("3"));
        let mut seen = 0;
        a.unwrap().elements(&mut |_| {
            seen += 1;
            true
        });
        assert_eq!(seen, 2);
    }

    #[test]
    fn of_a_repeated_member_the_last_counts() {
        assert_eq!(Field::document(r#"{"a":1,"a":2}"#).get("a").unwrap().text().as_deref(), Some("2"));
        assert!(Field::document(r#"{"a":1,"a":null}"#).get("a").is_none());
    }

    #[test]
    fn finds_nothing_in_the_wrong_kind() {
        for json in ["1", "\"a\"", "[]", "null", "[{\"a\":1}]", "{}"] {
            assert!(Field::document(json).get("a").is_none(), "{json}");
        }
        Field::document("{\"0\":1}").elements(&mut |_| panic!("an object has no elements"));
    }

    #[test]
    fn stops_when_told() {
        let mut seen = 0;
        Field::document("[1,2,3,4]").elements(&mut |_| {
            seen += 1;
            seen < 2
        });
        assert_eq!(seen, 2);
    }

    #[test]
    fn an_id_is_positive_and_exact() {
        let id = |json: &str| Field::document(json).id();
        assert_eq!(id("820982911946154508").as_deref(), Some("820982911946154508"));
        assert_eq!(id("\"0042\"").as_deref(), Some("42"));
        assert_eq!(id("5.0").as_deref(), Some("5"));
        assert_eq!(id("9223372036854775807").as_deref(), Some("9223372036854775807"));
        for json in [
            "0",
            "-1",
            "9223372036854775808",
            "1e18",
            "8.2e17",
            "1.5",
            "\"\"",
            "\"1x\"",
            "null",
            "[1]",
            "true",
        ] {
            assert_eq!(id(json), None, "{json}");
        }
    }

    #[test]
    fn truth_has_few_names() {
        for json in ["true", "\"true\"", "1", "\"1\"", "\"Yes\""] {
            assert!(Field::document(json).is_true(), "{json}");
        }
        for json in ["false", "0", "null", "\"no\"", "{}", "2"] {
            assert!(!Field::document(json).is_true(), "{json}");
        }
    }

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
            field.written().map_or(Value::Null, |written| serde_json::from_str(written).unwrap())
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
            10 => serde_json::json!(-12.5e-7),
            11 => serde_json::json!(820_982_911_946_154_508_i64),
            12 => serde_json::json!(null),
            13 => serde_json::json!(false),
            _ => serde_json::json!(text),
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
}
