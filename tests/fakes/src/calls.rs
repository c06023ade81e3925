//! The record of every request that reached a fake, in order of arrival.

use chrono::{SecondsFormat, Utc};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// One request and what became of it.
#[derive(Clone, Debug, Serialize)]
pub struct Call {
    /// When it arrived.
    pub at: String,
    /// First path segment.
    pub upstream: String,
    /// Shop domain, for upstreams that serve several.
    pub shop: Option<String>,
    /// HTTP method.
    pub method: String,
    /// Path with query.
    pub path: String,
    /// Headers, names in lower case; a repeated header is joined by a comma.
    pub headers: BTreeMap<String, String>,
    /// Parsed body when it is JSON, else its text.
    pub body: Value,
    /// Status answered; null while unanswered and for a caller that left or was cut off.
    pub status: Option<u16>,
    /// The idempotency key it carried.
    pub idempotency_key: Option<String>,
    /// The fault that was applied to it.
    pub fault: Option<String>,
}

impl Call {
    /// The time stamp of a call that arrives now.
    pub fn now() -> String {
        Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
    }
}

/// Which calls a reader wants; absent fields match everything.
#[derive(Debug, Default, serde::Deserialize)]
pub struct CallFilter {
    /// Only this upstream.
    pub upstream: Option<String>,
    /// Only this shop.
    pub shop: Option<String>,
    /// Only calls whose body contains this text.
    pub contains: Option<String>,
}

impl CallFilter {
    fn admits(&self, call: &Call) -> bool {
        self.upstream.as_ref().is_none_or(|upstream| *upstream == call.upstream)
            && self.shop.as_ref().is_none_or(|shop| Some(shop) == call.shop.as_ref())
            && self.contains.as_ref().is_none_or(|text| call.body.to_string().contains(text.as_str()))
    }
}

/// All calls since the last reset.
#[derive(Default)]
pub struct CallLog {
    first: usize,
    calls: Vec<Call>,
}

impl CallLog {
    /// Records an arrival and returns its ticket for [`CallLog::finish`].
    pub fn begin(&mut self, call: Call) -> usize {
        self.calls.push(call);
        self.first + self.calls.len() - 1
    }

    /// Completes a record; a ticket from before a reset changes nothing.
    pub fn finish(&mut self, ticket: usize, change: impl FnOnce(&mut Call)) {
        if let Some(call) = ticket.checked_sub(self.first).and_then(|index| self.calls.get_mut(index)) {
            change(call);
        }
    }

    /// The calls that the filter admits, oldest first.
    pub fn list(&self, filter: &CallFilter) -> Vec<Call> {
        self.calls.iter().filter(|call| filter.admits(call)).cloned().collect()
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.first += self.calls.len();
        self.calls.clear();
    }
}
