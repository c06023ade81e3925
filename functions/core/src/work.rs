//! An item of the work queue as the worker claims it, and the result that it reports.
//!
//! Knows the shape of both and nothing of any topic.

mod claim;

pub use claim::Claim;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest error text that is reported.
const LONGEST_ERROR: usize = 500;
/// How long what a fault of our database has stopped waits: it may be the item's own doing, and is not counted.
const OWN_FAULT_WAIT_MS: u64 = 15 * 1000;
/// How long what lacks a setting waits: nobody sets one within seconds.
const UNSET_WAIT_MS: u64 = 5 * 60 * 1000;
/// No wait asked for by an upstream is longer than this; the queue caps its own back-off at the same hour.
pub const LONGEST_WAIT_MS: u64 = 60 * 60 * 1000;

/// A claimed row of the queue.
#[derive(Clone, Debug, Deserialize)]
pub struct WorkItem {
    /// Its id.
    pub id: i64,
    /// What kind of effect it asks for.
    pub topic: String,
    /// The store it belongs to.
    pub store: String,
    /// The Shopify domain of that store.
    #[serde(default)]
    pub shop_domain: Option<String>,
    /// What to do.
    #[serde(default)]
    pub payload: Value,
    /// The idempotency key of the effect.
    #[serde(default)]
    pub dedupe_key: String,
    /// Proof of the claim: a report with an older fence is ignored.
    pub fence: i64,
    /// Which attempt this is, from 1.
    #[serde(default)]
    pub attempt: i64,
    /// When the claim runs out.
    #[serde(default)]
    pub lease_until: Option<String>,
    /// What the database read for the item when it was claimed.
    #[serde(default)]
    pub context: Value,
}

/// What kind of failure it was, which decides whether it is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ErrorClass {
    /// Trying again may help.
    Transient,
    /// Trying again cannot help.
    Permanent,
    /// A plan or quota is used up.
    Limit,
    /// A setting of ours is missing or wrong: people have to be told.
    Misconfigured,
}

/// A failure, before it is known which items it hits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkFailure {
    /// Its class.
    pub class: ErrorClass,
    /// What went wrong, without personal data.
    pub error: String,
    /// How long to wait when the upstream said so.
    pub retry_after_ms: Option<u64>,
    /// The upstream is well but asks for patience: nothing is wrong with the item, nor with the upstream.
    pub throttled: bool,
    /// The fault is our own, so that nothing was asked of the upstream: nothing is wrong with either.
    pub postponed: bool,
}

impl WorkFailure {
    /// A failure that another try may cure.
    #[must_use]
    pub fn transient(error: impl Into<String>, retry_after_ms: Option<u64>) -> Self {
        Self::new(ErrorClass::Transient, error, retry_after_ms)
    }

    /// A failure that no further try can cure.
    #[must_use]
    pub fn permanent(error: impl Into<String>) -> Self {
        Self::new(ErrorClass::Permanent, error, None)
    }

    /// A plan or quota is used up: not for ever, but not for seconds either.
    #[must_use]
    pub fn limit(error: impl Into<String>, retry_after_ms: Option<u64>) -> Self {
        Self::new(ErrorClass::Limit, error, retry_after_ms)
    }

    /// The upstream asks for patience, for so long when it says.
    #[must_use]
    pub fn throttled(error: impl Into<String>, retry_after_ms: Option<u64>) -> Self {
        Self { throttled: true, ..Self::transient(error, retry_after_ms) }
    }

    /// A fault of our database kept us from asking the upstream anything.
    #[must_use]
    pub fn postponed(error: impl Into<String>) -> Self {
        Self { postponed: true, ..Self::transient(error, Some(OWN_FAULT_WAIT_MS)) }
    }

    /// A setting of ours that is missing or wrong kept us from asking the upstream anything.
    #[must_use]
    pub fn misconfigured(error: impl Into<String>) -> Self {
        Self { postponed: true, ..Self::new(ErrorClass::Misconfigured, error, Some(UNSET_WAIT_MS)) }
    }

    fn new(class: ErrorClass, error: impl Into<String>, retry_after_ms: Option<u64>) -> Self {
        let retry_after_ms = retry_after_ms.map(|wait| wait.min(LONGEST_WAIT_MS));
        Self { class, error: error.into(), retry_after_ms, throttled: false, postponed: false }
    }
}

/// One line of a report: what became of one claimed item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkResult {
    /// The item.
    pub id: i64,
    /// The fence it was claimed with.
    pub fence: i64,
    /// `done`, `stale`, `throttled`, `postponed`, `released` or `failed`.
    pub outcome: &'static str,
    /// Level that Shopify confirmed, for a push that is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pushed: Option<i32>,
    /// Class of the failure.
    pub error_class: Option<ErrorClass>,
    /// Text of the failure, sanitised and capped.
    pub error: Option<String>,
    /// Wait that the upstream asked for.
    pub retry_after_ms: Option<u64>,
    /// Which call of the batch it came from: one call that fails for many items is one failure of the upstream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<usize>,
}

impl WorkResult {
    /// The effect happened.
    #[must_use]
    pub fn done(id: i64, fence: i64) -> Self {
        Self {
            id,
            fence,
            outcome: "done",
            pushed: None,
            error_class: None,
            error: None,
            retry_after_ms: None,
            job: None,
        }
    }

    /// Shopify now has this level.
    #[must_use]
    pub fn pushed(id: i64, fence: i64, level: i32) -> Self {
        Self { pushed: Some(level), ..Self::done(id, fence) }
    }

    /// The effect did not happen, because it was compared with a state that is no more: it is due again at once, with
    /// what is known then, and nothing has failed.
    #[must_use]
    pub fn stale(id: i64, fence: i64, error: &str) -> Self {
        let failed = Self::failed(id, fence, &WorkFailure::transient(error, None));
        Self { outcome: "stale", ..failed }
    }

    /// Nothing was tried: the item goes back as it was.
    #[must_use]
    pub fn released(id: i64, fence: i64) -> Self {
        Self { outcome: "released", ..Self::done(id, fence) }
    }

    /// The effect did not happen, or nobody knows.
    #[must_use]
    pub fn failed(id: i64, fence: i64, failure: &WorkFailure) -> Self {
        let error: String = crate::sanitize::sanitize(&failure.error).chars().take(LONGEST_ERROR).collect();
        Self {
            id,
            fence,
            outcome: match failure {
                WorkFailure { postponed: true, .. } => "postponed",
                WorkFailure { throttled: true, .. } => "throttled",
                _ => "failed",
            },
            error_class: Some(failure.class),
            error: Some(error),
            retry_after_ms: failure.retry_after_ms,
            ..Self::done(id, fence)
        }
    }

    /// Whether the effect happened.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcome == "done"
    }

    /// Whether it is to be done again at once.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.outcome == "stale"
    }

    /// Whether nothing was tried.
    #[must_use]
    pub fn is_released(&self) -> bool {
        self.outcome == "released"
    }

    /// Whether a fault of our own kept it from being tried.
    #[must_use]
    pub fn is_postponed(&self) -> bool {
        self.outcome == "postponed"
    }

    /// What it says of the upstream: that it is well, that it is not, or nothing.
    #[must_use]
    pub fn health(&self) -> Option<bool> {
        match (self.outcome, self.error_class) {
            ("done" | "stale", _) => Some(true),
            ("failed", Some(ErrorClass::Transient)) => Some(false),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_what_the_claim_returns() {
        let item: WorkItem = serde_json::from_value(json!({
            "id": 7, "topic": "inventory_push", "store": "bannos", "shop_domain": "bannos.myshopify.com",
            "payload": {"sku": "A"}, "dedupe_key": "A1", "fence": 3, "attempt": 1,
            "lease_until": "2026-11-21T00:00:00Z", "context": null, "something_new": true
        }))
        .unwrap();
        assert_eq!((item.id, item.fence), (7, 3));
        assert!(item.context.is_null());
    }

    #[test]
    fn writes_what_the_report_takes() {
        assert_eq!(
            serde_json::to_value(WorkResult::done(7, 3)).unwrap(),
            json!({"id":7,"fence":3,"outcome":"done","error_class":null,"error":null,"retry_after_ms":null})
        );
        assert_eq!(
            serde_json::to_value(WorkResult::pushed(7, 3, 0)).unwrap(),
            json!({"id":7,"fence":3,"outcome":"done","pushed":0,"error_class":null,"error":null,"retry_after_ms":null})
        );
        let stale = WorkResult::stale(7, 3, "another level");
        assert_eq!(
            serde_json::to_value(&stale).unwrap(),
            json!({"id":7,"fence":3,"outcome":"stale","error_class":"transient","error":"another level","retry_after_ms":null})
        );
        assert!(stale.is_stale() && !stale.is_done());
        let failure = WorkFailure::transient("timeout", Some(1500));
        assert_eq!(
            serde_json::to_value(WorkResult::failed(7, 3, &failure)).unwrap(),
            json!({"id":7,"fence":3,"outcome":"failed","error_class":"transient","error":"timeout","retry_after_ms":1500})
        );
    }

    #[test]
    fn patience_is_no_failure_and_what_was_not_tried_says_nothing() {
        let throttled = WorkResult::failed(7, 3, &WorkFailure::throttled("asked to wait", Some(2000)));
        assert_eq!(
            serde_json::to_value(&throttled).unwrap(),
            json!({"id":7,"fence":3,"outcome":"throttled","error_class":"transient","error":"asked to wait","retry_after_ms":2000})
        );
        let released = WorkResult { job: Some(4), ..WorkResult::released(7, 3) };
        assert_eq!(
            serde_json::to_value(&released).unwrap(),
            json!({"id":7,"fence":3,"outcome":"released","error_class":null,"error":null,"retry_after_ms":null,"job":4})
        );
        let health = |failure| WorkResult::failed(1, 1, &failure).health();
        assert_eq!(health(WorkFailure::transient("", None)), Some(false));
        assert_eq!(health(WorkFailure::permanent("")), None);
        assert_eq!(health(WorkFailure::limit("", None)), None);
        assert_eq!((throttled.health(), released.health()), (None, None));
        assert_eq!(WorkResult::stale(1, 1, "").health(), Some(true));
        assert!(released.is_released() && !throttled.is_released() && !throttled.is_done());
    }

    #[test]
    fn a_fault_of_our_own_says_nothing_of_the_upstream() {
        let result = |failure| WorkResult::failed(7, 3, &failure);
        let ours = result(WorkFailure::postponed("no keys"));
        assert_eq!(
            serde_json::to_value(&ours).unwrap(),
            json!({"id":7,"fence":3,"outcome":"postponed","error_class":"transient","error":"no keys","retry_after_ms":15_000})
        );
        let unset = result(WorkFailure::misconfigured("X is missing"));
        assert_eq!(
            serde_json::to_value(&unset).unwrap(),
            json!({"id":7,"fence":3,"outcome":"postponed","error_class":"misconfigured","error":"X is missing","retry_after_ms":300_000})
        );
        for result in [ours, unset] {
            assert!(result.is_postponed() && !result.is_released() && result.health().is_none());
        }
    }

    #[test]
    fn an_error_is_sanitised_and_capped() {
        let failure = WorkFailure::permanent(format!("jamie.rivera@example.com {}", "x".repeat(9000)));
        let error = WorkResult::failed(1, 1, &failure).error.unwrap();
        assert!(error.starts_with("jam***@example.com") && error.chars().count() == LONGEST_ERROR);
    }

    #[test]
    fn no_upstream_can_park_an_item_for_ever() {
        assert_eq!(WorkFailure::transient("", Some(u64::MAX)).retry_after_ms, Some(LONGEST_WAIT_MS));
    }
}
