//! The figures of a run, as the function answers them.

use serde::Serialize;
use serde_json::{Value, json};

/// What was found of a store's webhook subscriptions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Webhooks {
    /// `checked`, `off` (no address to send them to is set) or `unknown` (Shopify could not be asked).
    pub state: &'static str,
    /// Topics that had no subscription and have one now.
    pub registered: Vec<String>,
    /// Topics that have none.
    pub missing: Vec<String>,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Webhooks {
    fn of(state: &'static str) -> Self {
        Self { state, registered: Vec::new(), missing: Vec::new(), error: None }
    }

    /// They were looked at.
    #[must_use]
    pub fn checked() -> Self {
        Self::of("checked")
    }

    /// They are none of our business.
    #[must_use]
    pub fn off() -> Self {
        Self::of("off")
    }

    /// They could not be looked at.
    #[must_use]
    pub fn unknown(error: Option<String>) -> Self {
        Self { error, ..Self::of("unknown") }
    }
}

/// What came of one store.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// The store.
    pub store: String,
    /// Pages of the shop's list that were dealt with.
    pub pages: u64,
    /// Orders on them.
    pub listed: u64,
    /// Those that were unknown here, or known in an older state.
    pub missed: u64,
    /// Those that are right now.
    pub repaired: u64,
    /// Those that somebody else brought meanwhile, or that changed or vanished while they were read.
    pub passed: u64,
    /// Those that could not be applied.
    pub failed: u64,
    /// Whether the window was read to its end.
    pub complete: bool,
    /// Nothing that changed before is missing.
    pub seen_until: String,
    /// In a word, why it was left alone.
    pub stopped: Option<&'static str>,
    /// In a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Its webhook subscriptions.
    pub webhooks: Webhooks,
}

impl Default for Figures {
    fn default() -> Self {
        Self {
            store: String::new(),
            pages: 0,
            listed: 0,
            missed: 0,
            repaired: 0,
            passed: 0,
            failed: 0,
            complete: false,
            seen_until: String::new(),
            stopped: None,
            reason: None,
            webhooks: Webhooks::unknown(None),
        }
    }
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Report {
    /// Its stores.
    pub stores: Vec<Figures>,
    /// Stores that another run was reading.
    pub busy: Vec<String>,
    /// How long it took.
    pub ms: u64,
}

impl Report {
    /// Orders that were repaired.
    #[must_use]
    pub fn repaired(&self) -> u64 {
        self.stores.iter().map(|figures| figures.repaired).sum()
    }

    /// Stores that were left alone.
    #[must_use]
    pub fn stopped(&self) -> usize {
        self.stores.iter().filter(|figures| figures.stopped.is_some()).count()
    }

    /// As the function answers it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "stores": self.stores, "busy": self.busy, "repaired": self.repaired(), "stopped": self.stopped(),
            "ms": self.ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_is_the_sum_of_its_stores() {
        let stores = vec![
            Figures { store: "a".into(), repaired: 2, complete: true, ..Figures::default() },
            Figures { store: "b".into(), repaired: 1, stopped: Some("access"), ..Figures::default() },
        ];
        let report = Report { stores, busy: vec!["c".into()], ms: 7 }.to_json();
        assert_eq!(
            (&report["repaired"], &report["stopped"], &report["busy"][0]),
            (&json!(3), &json!(1), &json!("c"))
        );
        assert_eq!(report["stores"][1]["stopped"], "access");
        assert!(report["stores"][0].get("reason").is_none());
    }
}
