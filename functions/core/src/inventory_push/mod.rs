//! Pushing stock levels to Shopify: what to send, and what the answer means.

use crate::work::{WorkItem, WorkResult};

/// What is to be done about a batch of claimed items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Calls to make, each to one store.
    pub calls: Vec<Call>,
    /// Items that cannot be pushed.
    pub refused: Vec<WorkResult>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The store.
    pub store: String,
    /// Its Shopify domain.
    pub shop_domain: String,
}

/// The request of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// JSON body.
    pub body: String,
    /// The idempotency key in it.
    pub idempotency_key: String,
}

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What became of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Results to report.
    pub results: Vec<WorkResult>,
    /// The rest of the call, to be sent at once: the innocent items of a call that was refused for others.
    pub again: Option<Call>,
}

/// Plans the calls for claimed `inventory_push` items.
#[must_use]
pub fn plan(items: &[WorkItem]) -> Plan {
    let _ = items;
    Plan::default()
}

impl Call {
    /// The request.
    #[must_use]
    pub fn request(&self) -> Request {
        Request { body: String::new(), idempotency_key: String::new() }
    }

    /// Judges the answer; `now` is in seconds since 1970.
    #[must_use]
    pub fn classify(&self, answer: Answer<'_>, now: i64) -> Verdict {
        let _ = (answer, now);
        Verdict::default()
    }

    /// No answer came: connection refused, reset, timeout.
    #[must_use]
    pub fn no_answer(&self, error: &str) -> Vec<WorkResult> {
        let _ = error;
        Vec::new()
    }
}
