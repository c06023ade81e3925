//! A request as a function sees it: method, path and id, taken over in one piece, and headers as they are asked for.
//!
//! Decides nothing. The `worker` crate's own request asks the runtime for each of these, some of them twice.

use crate::border;
use worker::{FromRequest, wasm_bindgen::JsValue, web_sys};

/// The header with the id of a request, which is taken over at once.
const ID: &str = "x-request-id";

/// Headers that are asked for often: their names are written for the runtime once.
const KNOWN: [&str; 9] = [
    "authorization",
    "apikey",
    "content-length",
    "origin",
    "x-shopify-hmac-sha256",
    "x-shopify-shop-domain",
    "x-shopify-topic",
    "x-shopify-webhook-id",
    "x-shopify-triggered-at",
];

thread_local! {
    static NAMES: [JsValue; KNOWN.len()] = KNOWN.map(JsValue::from_str);
}

/// A request.
#[derive(Debug)]
pub struct Incoming {
    raw: web_sys::Request,
    seen: Seen,
}

/// What was taken over: method, path with query, and id, a line each.
#[derive(Debug)]
struct Seen {
    text: String,
    /// Where the lines of path and id begin.
    begin: [usize; 2],
}

impl Seen {
    fn new(text: String) -> Self {
        // Lines are short: looking at every byte is quicker than what looks for one in long texts.
        let mut breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let mut next = || breaks.next().unwrap_or(text.len());
        let begin = [next(), next()];
        Self { text, begin }
    }

    fn line(&self, from: usize, until: usize) -> &str {
        self.text.get(from..until).unwrap_or_default().trim_end_matches('\n')
    }

    fn method(&self) -> &str {
        self.line(0, self.begin[0])
    }

    fn id(&self) -> &str {
        self.line(self.begin[1], self.text.len())
    }

    /// Path and query. The runtime writes `?` and `#` only where they begin something.
    fn target(&self) -> (&str, &str) {
        let target = self.line(self.begin[0], self.begin[1]);
        let target = target.split_once('#').map_or(target, |(before, _)| before);
        target.split_once('?').unwrap_or((target, ""))
    }
}

impl FromRequest for Incoming {
    fn from_raw(raw: web_sys::Request) -> Result<Self, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, worker::Error>(Self::new(raw))
    }
}

impl Incoming {
    /// Takes over what is always read.
    #[must_use]
    pub fn new(raw: web_sys::Request) -> Self {
        let seen = Seen::new(border::look(&raw));
        Self { raw, seen }
    }

    /// The method as it was sent.
    #[must_use]
    pub fn method(&self) -> &str {
        self.seen.method()
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> &str {
        self.seen.target().0
    }

    /// What stands behind the `?`, decoded.
    #[must_use]
    pub fn query(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.seen.target().1.as_bytes()).into_owned().collect()
    }

    /// A header's value; `None` when it is missing or blank.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let value = match KNOWN.iter().position(|known| *known == name) {
            Some(place) => NAMES.with(|names| border::header(&self.raw, names.get(place)?))?,
            None if name == ID => self.seen.id().to_owned(),
            None => self.raw.headers().get(name).ok().flatten()?,
        };
        Some(value).filter(|value| !value.trim().is_empty())
    }

    /// The request itself.
    #[must_use]
    pub fn raw(&self) -> &web_sys::Request {
        &self.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(target: &str) -> Seen {
        Seen::new(format!("POST\n{target}\nan-id"))
    }

    #[test]
    fn every_line_is_found_where_it_was_put() {
        let seen = seen("/functions/v1/x");
        assert_eq!((seen.method(), seen.id()), ("POST", "an-id"));
        let without = Seen::new("GET\n/\n".to_owned());
        assert_eq!((without.method(), without.id(), without.target()), ("GET", "", ("/", "")));
    }

    #[test]
    fn a_path_ends_before_query_and_fragment() {
        let cases = [
            ("/", ("/", "")),
            ("/b/c?d=e?f#g", ("/b/c", "d=e?f")),
            ("/b#?c", ("/b", "")),
            ("/%3F://x", ("/%3F://x", "")),
        ];
        for (target, parts) in cases {
            assert_eq!(seen(target).target(), parts, "{target}");
        }
    }
}
