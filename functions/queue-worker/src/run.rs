//! What came of a drain, in figures.
//!
//! Knows no job and no upstream.

use crate::queue::Reported;
use ordak_core::{
    sorted::Sorted,
    work::{WorkItem, WorkResult},
};
use serde::Serialize;
use serde_json::{Value, json};

/// Most reasons that are kept.
const MOST_REASONS: usize = 5;

/// What came of one topic.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Tally {
    claimed: u64,
    done: u64,
    failed: u64,
    /// Claimed again at once, as what they were compared with is no more.
    #[serde(skip_serializing_if = "is_zero")]
    stale: u64,
    /// Given back untried.
    #[serde(skip_serializing_if = "is_zero")]
    released: u64,
    /// Kept from being tried by a fault of our own.
    #[serde(skip_serializing_if = "is_zero")]
    postponed: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What came of a drain.
#[derive(Debug, Default)]
pub struct Run {
    /// Items that were leased.
    pub claimed: u64,
    /// Items that are done.
    pub done: u64,
    /// Items that will be tried again.
    pub retried: u64,
    /// Items that were given up.
    pub dead: u64,
    /// How long it took.
    pub ms: u64,
    by_topic: Sorted<String, Tally>,
    /// Topics of the items that are not reported yet.
    in_hand: Sorted<i64, String>,
    /// How many a fault of our own kept from being tried.
    pub postponed: u64,
    /// Why items may have been given up or postponed, a few.
    reasons: Sorted<String, ()>,
}

impl Run {
    /// As the function answers it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "claimed": self.claimed, "done": self.done, "retried": self.retried, "dead": self.dead,
            "by_topic": self.by_topic, "ms": self.ms,
        })
    }

    /// As it is recorded.
    #[must_use]
    pub fn to_record(&self, worker: &str, started_at: &str) -> Value {
        json!({
            "p_worker": worker, "p_started_at": started_at, "p_claimed": self.claimed, "p_done": self.done,
            "p_retried": self.retried, "p_dead": self.dead, "p_by_topic": self.by_topic,
        })
    }

    /// Why items were given up or postponed, as far as the reports tell that had any.
    #[must_use]
    pub fn reasons(&self) -> String {
        self.reasons.keys().map(String::as_str).collect::<Vec<_>>().join("; ")
    }

    /// These were leased.
    pub fn claimed(&mut self, items: &[WorkItem]) {
        self.claimed += items.len() as u64;
        for item in items {
            self.by_topic.entry(item.topic.clone(), Tally::default).claimed += 1;
            *self.in_hand.entry(item.id, String::new) = item.topic.clone();
        }
    }

    /// So many were leased and are given up unread.
    pub fn unreadable(&mut self, count: usize) {
        self.claimed += count as u64;
    }

    /// These died of their leases before anybody reported them, and nobody else will tell.
    pub fn lapsed(&mut self, topics: &[String]) {
        self.dead += topics.len() as u64;
        for topic in topics {
            if self.reasons.len() < MOST_REASONS {
                self.reasons.entry(format!("{topic}: its lease ran out again and again"), || ());
            }
        }
    }

    /// These were reported, and that is what it changed.
    pub fn reported(&mut self, results: &[WorkResult], reported: &Reported) {
        self.done += reported.done;
        self.retried += reported.retried;
        self.dead += reported.dead;
        for result in results {
            let Some(topic) = self.in_hand.remove(&result.id) else { continue };
            let told = reported.dead > 0 || result.is_postponed();
            let told = told && self.reasons.len() < MOST_REASONS;
            if let Some(error) = result.error.as_deref().filter(|_| told) {
                self.reasons.entry(format!("{topic}: {error}"), || ());
            }
            let tally = self.by_topic.entry(topic, Tally::default);
            match result {
                result if result.is_done() => tally.done += 1,
                result if result.is_stale() => tally.stale += 1,
                result if result.is_released() => tally.released += 1,
                result if result.is_postponed() => {
                    self.postponed += 1;
                    tally.postponed += 1;
                }
                _ => tally.failed += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordak_core::work::WorkFailure;

    fn item(id: i64) -> WorkItem {
        serde_json::from_value(json!({"id": id, "topic": "email", "store": "a", "fence": 1})).unwrap()
    }

    #[test]
    fn counts_by_topic_what_was_claimed() {
        let mut run = Run::default();
        run.claimed(&[item(1), item(2), item(3)]);
        run.unreadable(1);
        let failed = WorkResult::failed(2, 1, &WorkFailure::transient("x", None));
        run.reported(&[WorkResult::done(1, 1), failed], &Reported { done: 1, retried: 1, dead: 0 });
        run.reported(&[WorkResult::released(3, 1), WorkResult::done(9, 1)], &Reported::default());
        let tally = Tally { claimed: 3, done: 1, failed: 1, stale: 0, released: 1, postponed: 0 };
        assert_eq!(run.by_topic.get(&"email".to_owned()), Some(&tally));
        assert_eq!((run.claimed, run.done, run.retried), (4, 1, 1));
        assert_eq!(run.reasons(), "", "what is tried again is nobody's business yet");
    }

    #[test]
    fn what_died_of_its_lease_is_told() {
        let mut run = Run::default();
        run.lapsed(&["email".into(), "email".into(), "refund".into()]);
        assert_eq!((run.claimed, run.dead), (0, 3));
        assert_eq!(
            run.reasons(),
            "email: its lease ran out again and again; refund: its lease ran out again and again"
        );
    }

    #[test]
    fn a_fault_of_our_own_is_told_at_once() {
        let mut run = Run::default();
        run.claimed(&[item(1)]);
        let postponed = WorkResult::failed(1, 1, &WorkFailure::misconfigured("X is missing"));
        run.reported(&[postponed], &Reported { retried: 1, ..Reported::default() });
        let tally = Tally { claimed: 1, postponed: 1, ..Tally::default() };
        assert_eq!((run.postponed, run.by_topic.get(&"email".to_owned())), (1, Some(&tally)));
        assert_eq!(run.reasons(), "email: X is missing");
    }
}
