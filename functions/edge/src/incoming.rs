//! A request as a function sees it: method, path, id and the headers that the function is sure to ask for, taken over in
//! one piece; other headers as they are asked for.
//!
//! Decides nothing. The `worker` crate's own request asks the runtime for each of these, some of them twice.

use crate::{border, request_id};
use std::cell::RefCell;
use worker::{FromRequest, js_sys::Array, wasm_bindgen::JsValue, web_sys};

/// Names of headers, at least one. A list lives as long as the program: it is written for the runtime once.
pub type Names = &'static [&'static str];

thread_local! {
    /// The lists that the runtime knows.
    static WRITTEN: RefCell<Vec<(Names, Array)>> = const { RefCell::new(Vec::new()) };
}

/// A request.
#[derive(Debug)]
pub struct Incoming {
    raw: web_sys::Request,
    seen: Seen,
}

/// What was taken over: method, path with query, and headers, a line each.
#[derive(Debug)]
struct Seen {
    text: String,
    names: Names,
    /// Where the lines of the path and of the first header begin.
    begin: [usize; 2],
}

impl Seen {
    fn new(text: String, names: Names) -> Self {
        // Lines are short: looking at every byte is quicker than what looks for one in long texts.
        let mut breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        let mut next = || breaks.next().unwrap_or(text.len());
        let begin = [next(), next()];
        Self { text, names, begin }
    }

    fn line(&self, from: usize, until: usize) -> &str {
        self.text.get(from..until).unwrap_or_default().trim_end_matches('\n')
    }

    fn method(&self) -> &str {
        self.line(0, self.begin[0])
    }

    /// Path and query. The runtime writes `?` and `#` only where they begin something.
    fn target(&self) -> (&str, &str) {
        let target = self.line(self.begin[0], self.begin[1]);
        let target = target.split_once('#').map_or(target, |(before, _)| before);
        target.split_once('?').unwrap_or((target, ""))
    }

    /// One of the headers that were taken over; an absent one is empty.
    fn header(&self, name: &str) -> Option<&str> {
        let place = self.names.iter().position(|known| *known == name)?;
        self.text.get(self.begin[1]..)?.split('\n').nth(place)
    }
}

impl FromRequest for Incoming {
    fn from_raw(raw: web_sys::Request) -> Result<Self, impl Into<Box<dyn std::error::Error>>> {
        Ok::<_, worker::Error>(Self::new(raw, &[request_id::HEADER]))
    }
}

impl Incoming {
    /// Takes over what is always read, and these headers.
    #[must_use]
    pub fn new(raw: web_sys::Request, names: Names) -> Self {
        let seen = Seen::new(with_written(names, |written| border::look(&raw, written)), names);
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
        let value = match self.seen.header(name) {
            Some(value) => value.to_owned(),
            None => self.raw.headers().get(name).ok().flatten()?,
        };
        not_blank(value)
    }

    /// The values of these headers, asked for at once.
    #[must_use]
    pub fn headers<const N: usize>(&self, names: &'static [&'static str; N]) -> [Option<String>; N] {
        let text = with_written(names, |written| border::headers(&self.raw, written));
        let mut lines = text.split('\n');
        std::array::from_fn(|_| lines.next().map(str::to_owned).and_then(not_blank))
    }

    /// The request itself.
    #[must_use]
    pub fn raw(&self) -> &web_sys::Request {
        &self.raw
    }
}

fn not_blank(value: String) -> Option<String> {
    Some(value).filter(|value| !value.trim().is_empty())
}

/// Does something with these names as the runtime reads them.
fn with_written<T>(names: Names, what: impl FnOnce(&Array) -> T) -> T {
    WRITTEN.with_borrow_mut(|all| match all.iter().find(|(known, _)| std::ptr::eq(*known, names)) {
        Some((_, written)) => what(written),
        None => {
            let written: Array = names.iter().map(|name| JsValue::from_str(name)).collect();
            all.push((names, written.clone()));
            what(&written)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names = &["x-request-id", "content-length"];

    fn seen(target: &str) -> Seen {
        Seen::new(format!("POST\n{target}\nan-id\n17"), NAMES)
    }

    #[test]
    fn every_line_is_found_where_it_was_put() {
        let one = seen("/functions/v1/x");
        assert_eq!((one.method(), one.target()), ("POST", ("/functions/v1/x", "")));
        assert_eq!((one.header("x-request-id"), one.header("content-length")), (Some("an-id"), Some("17")));
        assert_eq!(one.header("origin"), None, "was not taken over");
        let without = Seen::new("GET\n/\n\n".to_owned(), NAMES);
        assert_eq!((without.method(), without.target()), ("GET", ("/", "")));
        assert_eq!((without.header("x-request-id"), without.header("content-length")), (Some(""), Some("")));
        let bare = Seen::new("GET\n/".to_owned(), &[]);
        assert_eq!((bare.method(), bare.target(), bare.header("x-request-id")), ("GET", ("/", ""), None));
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
