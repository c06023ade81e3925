//! One JSON line per request, and the same form for what has no request.
//!
//! Every text is sanitised here, in one place. Names, addresses and payloads do not belong into any field.

use crate::{border, clock};
use ordak_core::{calendar::rfc3339, sanitize::sanitize};
use serde::Serialize;
use std::borrow::Cow;

/// Longest text in a line.
const LONGEST: usize = 300;

/// How much attention a line deserves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing changed, nothing wrong.
    Info,
    /// Refused, for a reason of the caller's.
    Warn,
    /// Our fault.
    Error,
    /// Something was done.
    Success,
}

/// A line. Absent fields are left out.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// When it was written.
    time: String,
    /// Level.
    pub level: Level,
    /// Which function writes.
    pub function: &'a str,
    /// Which request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<Cow<'a, str>>,
    /// Which store, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<Cow<'a, str>>,
    /// Which route or topic.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub route: Option<Cow<'a, str>>,
    /// In a word, what came of it.
    pub outcome: Cow<'a, str>,
    /// HTTP status of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// How long it took.
    pub ms: u64,
    /// What was wrong, when it was our fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Cow<'a, str>>,
}

impl<'a> Line<'a> {
    /// A line of `function` about `outcome`, timed from `started_ms`.
    #[must_use]
    pub fn new(function: &'a str, level: Level, outcome: &'a str, started_ms: u64) -> Self {
        let now = clock::now_ms();
        Self {
            time: rfc3339(now),
            level,
            function,
            request_id: None,
            store: None,
            route: None,
            outcome: clean(outcome),
            status: None,
            ms: now.saturating_sub(started_ms),
            error: None,
        }
    }

    /// Names the request.
    #[must_use]
    pub fn request(mut self, id: &'a str) -> Self {
        self.request_id = Some(clean(id));
        self
    }

    /// Names store and route.
    #[must_use]
    pub fn place(mut self, store: Option<&'a str>, route: Option<&'a str>) -> Self {
        self.store = store.map(clean);
        self.route = route.map(clean);
        self
    }

    /// Adds the detail of a fault.
    #[must_use]
    pub fn error(mut self, detail: Option<&'a str>) -> Self {
        self.error = detail.map(clean);
        self
    }

    /// Adds the status of the answer.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Writes it. All levels go to the same stream, so that a line is a line and nothing else.
    pub fn write(&self) {
        border::log(&self.text());
    }

    /// The line as it is written.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Masked, and cut: a line is for reading, whatever somebody put into a path.
fn clean(text: &str) -> Cow<'_, str> {
    let masked = sanitize(text);
    if masked.len() <= LONGEST { masked } else { masked.chars().take(LONGEST).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_masked_and_cut() {
        assert_eq!(clean("jamie.rivera@example.com"), "jam***@example.com");
        assert_eq!(clean(&"ü".repeat(5000)).chars().count(), LONGEST);
    }
}
