//! A request as a function sees it: method, address and the headers that are read, taken over in one piece.
//!
//! Decides nothing. The `worker` crate's own request asks the runtime for each of these, some of them twice.

use crate::border;
use worker::{FromRequest, js_sys::Array, wasm_bindgen::JsValue, web_sys};

/// What of the headers is read often; any other costs a question of its own.
const HEADERS: [&str; 10] = [
    "x-request-id",
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
    static NAMES: Array = HEADERS.iter().map(|name| JsValue::from_str(name)).collect();
}

/// A request.
#[derive(Debug)]
pub struct Incoming {
    raw: web_sys::Request,
    seen: Seen,
}

/// What was taken over: a line each for method and address, then one for each of [`HEADERS`].
#[derive(Debug)]
struct Seen(String);

impl Seen {
    fn line(&self, number: usize) -> &str {
        self.0.split('\n').nth(number).unwrap_or_default()
    }

    /// Path and query. An address is written by the runtime: behind scheme and host there is always a path, and `?` and
    /// `#` stand in it only where they begin something.
    fn target(&self) -> (&str, &str) {
        let url = self.line(1);
        let behind_scheme = url.find("://").map_or(0, |at| at + 3);
        let (_, rest) = url.split_at(behind_scheme);
        let (_, rest) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let rest = rest.split('#').next().unwrap_or_default();
        rest.split_once('?').unwrap_or((rest, ""))
    }
}

impl FromRequest for Incoming {
    fn from_raw(raw: web_sys::Request) -> Result<Self, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, worker::Error>(Self::new(raw))
    }
}

impl Incoming {
    /// Takes over what is read often.
    #[must_use]
    pub fn new(raw: web_sys::Request) -> Self {
        let seen = Seen(NAMES.with(|names| border::look(&raw, names)));
        Self { raw, seen }
    }

    /// The method as it was sent.
    #[must_use]
    pub fn method(&self) -> &str {
        self.seen.line(0)
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
        let value = match HEADERS.iter().position(|known| *known == name) {
            Some(place) => self.seen.line(place + 2).to_owned(),
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

    fn seen(url: &str) -> Seen {
        let mut lines = vec!["POST", url];
        lines.extend(HEADERS.map(|name| if name == "origin" { "https://kiosk" } else { "" }));
        Seen(lines.join("\n"))
    }

    #[test]
    fn every_line_is_found_where_it_was_put() {
        let seen = seen("https://a.example/functions/v1/x");
        assert_eq!(seen.line(0), "POST");
        let origin = 2 + HEADERS.iter().position(|name| *name == "origin").unwrap();
        assert_eq!((seen.line(origin), seen.line(origin - 1), seen.line(99)), ("https://kiosk", "", ""));
    }

    #[test]
    fn a_path_ends_before_query_and_fragment() {
        let cases = [
            ("https://a.example/", ("/", "")),
            ("https://a.example/b/c?d=e?f#g", ("/b/c", "d=e?f")),
            ("http://127.0.0.1:8780/b#?c", ("/b", "")),
            ("https://a.example/%3F://x", ("/%3F://x", "")),
        ];
        for (url, target) in cases {
            assert_eq!(seen(url).target(), target, "{url}");
        }
    }
}
