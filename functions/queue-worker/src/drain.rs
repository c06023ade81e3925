//! One drain: claim, do, report, until nothing is due or the time is over.
//!
//! Overlapping drains are safe: leases and fences in the database see to that. A drain that dies loses nothing.

use crate::{Setup, alert, lanes, mapping, push, queue, refund, replay, stock_check};
use ordak_core::{
    envelope::Fault,
    inventory_push::{self, Call, Unmapped},
    work::{WorkFailure, WorkItem, WorkResult},
};
use ordak_edge::{clock, request_id};
use serde::Serialize;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

/// Topics that somebody here can carry out. Others wait in the queue.
const TOPICS: [&str; 5] = [push::TOPIC, replay::TOPIC, alert::TOPIC, refund::TOPIC, stock_check::TOPIC];
/// Items a claim.
const BATCH: usize = 100;
/// Jobs at a time: a worker has six outgoing connections.
const WIDTH: usize = 6;
/// No claim later than this after the start.
const CLAIM_MS: u64 = 25_000;
/// No upstream is waited for beyond this: the runtime ends work after an answer at 30 s.
const END_MS: u64 = 28_000;
/// Longest wait for one exchange with an upstream; with [`END_MS`] far below every lease.
const EXCHANGE_MS: u64 = 10_000;
/// What is left of an item's lease must be at least this for its job to start.
const MARGIN_MS: u64 = 2_000;

/// What came of one topic.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Tally {
    claimed: u64,
    done: u64,
    failed: u64,
    /// Claimed again at once, as what they were compared with is no more.
    #[serde(skip_serializing_if = "is_zero")]
    stale: u64,
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
    by_topic: BTreeMap<String, Tally>,
    ms: u64,
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

    fn count(&mut self, items: &[WorkItem], results: &[WorkResult], reported: &queue::Reported) {
        self.claimed += items.len() as u64;
        self.done += reported.done;
        self.retried += reported.retried;
        self.dead += reported.dead;
        for item in items {
            let tally = self.by_topic.entry(item.topic.clone()).or_default();
            tally.claimed += 1;
            match results.iter().find(|result| result.id == item.id) {
                Some(result) if result.is_done() => tally.done += 1,
                Some(result) if result.is_stale() => tally.stale += 1,
                _ => tally.failed += 1,
            }
        }
    }
}

/// Something to carry out.
enum Job {
    Push(Call),
    LookUp(Unmapped),
    /// Items of one store.
    Look(Vec<WorkItem>),
    Replay(WorkItem),
    Alert(WorkItem),
    Refund(WorkItem),
}

/// A drain under way.
pub struct Drain<'a> {
    setup: &'a Setup,
    worker: String,
    started: u64,
}

impl<'a> Drain<'a> {
    /// Starts one. Its name is new, whatever the request is called: leases are proved with it.
    #[must_use]
    pub fn new(setup: &'a Setup) -> Self {
        Self { setup, worker: format!("queue-worker/{}", request_id::fresh()), started: clock::now_ms() }
    }

    /// Drains and records the run.
    ///
    /// # Errors
    /// The first fault of the database. What was done before it is recorded all the same; a drain that could not even
    /// claim is none.
    pub async fn run(&self) -> Result<Run, Fault> {
        let mut run = Run::default();
        let result = self.drain(&mut run).await;
        run.ms = self.elapsed();
        if result.is_ok() || run.claimed > 0 {
            let recorded = queue::record(&self.setup.rpc, &self.record_of(&run)).await;
            result.and(recorded)?;
        } else {
            result?;
        }
        Ok(run)
    }

    async fn drain(&self, run: &mut Run) -> Result<(), Fault> {
        while self.elapsed() < CLAIM_MS {
            let items = queue::claim(&self.setup.rpc, &self.worker, &TOPICS, BATCH).await?;
            if items.is_empty() {
                break;
            }
            let results = self.carry_out(&items).await;
            let reported = queue::report(&self.setup.rpc, &self.worker, &results).await?;
            run.count(&items, &results, &reported);
        }
        Ok(())
    }

    async fn carry_out(&self, items: &[WorkItem]) -> Vec<WorkResult> {
        // One call for the keys of all of them; none when nothing here leaves the house.
        self.setup.shops.vault().prepare(&stores_with_keys(items)).await;
        let lease_end = items.iter().filter_map(|item| clock::parse(item.lease_until.as_deref()?)).min();
        let (mut results, jobs) = jobs(items);
        let limit = || self.limit(lease_end);
        let done = lanes::run(jobs, WIDTH, |job| async move {
            match (job, limit()) {
                (job, limit) if limit.is_zero() => too_late(&job),
                (Job::Push(call), _) => push::push(self.setup, call, limit).await,
                (Job::LookUp(work), limit) => mapping::look_up(self.setup, work, limit).await,
                (Job::Look(items), limit) => stock_check::look(self.setup, &items, limit).await,
                (Job::Replay(item), limit) => vec![replay::replay(&self.setup.rpc, &item, limit).await],
                (Job::Alert(item), limit) => vec![alert::tell(self.setup, &item, limit).await],
                (Job::Refund(item), _) => vec![refund::refund(self.setup, &item, limit).await],
            }
        })
        .await;
        results.extend(done.into_iter().flatten());
        results
    }

    /// How long an exchange that starts now may take; zero when it is too late to start one.
    fn limit(&self, lease_end: Option<u64>) -> Duration {
        let left = END_MS.saturating_sub(self.elapsed());
        let leased = lease_end.map_or(u64::MAX, |end| end.saturating_sub(clock::now_ms()));
        Duration::from_millis(EXCHANGE_MS.min(left).min(leased.saturating_sub(MARGIN_MS)))
    }

    fn elapsed(&self) -> u64 {
        clock::now_ms().saturating_sub(self.started)
    }

    fn record_of(&self, run: &Run) -> Value {
        json!({
            "p_worker": self.worker, "p_started_at": clock::rfc3339(self.started), "p_claimed": run.claimed,
            "p_done": run.done, "p_retried": run.retried, "p_dead": run.dead, "p_by_topic": run.by_topic,
        })
    }
}

/// The stores whose keys are needed.
fn stores_with_keys(items: &[WorkItem]) -> Vec<&str> {
    items.iter().filter(|item| item.topic != replay::TOPIC).map(|item| item.store.as_str()).collect()
}

/// Results that are known without doing anything, and what is to be done, each with the name of its lane.
fn jobs(items: &[WorkItem]) -> (Vec<WorkResult>, Vec<(String, Job)>) {
    let (pushes, others): (Vec<WorkItem>, Vec<WorkItem>) =
        items.iter().cloned().partition(|item| item.topic == push::TOPIC);
    let plan = inventory_push::plan(&pushes);
    let pushes =
        plan.calls.into_iter().map(|call| (format!("{}/{}", push::TOPIC, call.store), Job::Push(call)));
    let look_ups =
        plan.unmapped.into_iter().map(|work| (format!("{}/{}", push::TOPIC, work.store), Job::LookUp(work)));
    let (looks, others): (Vec<WorkItem>, Vec<WorkItem>) =
        others.into_iter().partition(|item| item.topic == stock_check::TOPIC);
    let mut stores: BTreeMap<String, Vec<WorkItem>> = BTreeMap::new();
    for item in looks {
        stores.entry(item.store.clone()).or_default().push(item);
    }
    let looks = stores
        .into_iter()
        .map(|(store, items)| (format!("{}/{store}", stock_check::TOPIC), Job::Look(items)));
    let others = others.into_iter().map(|item| {
        let lane = format!("{}/{}", item.topic, item.store);
        let job = match item.topic.as_str() {
            alert::TOPIC => Job::Alert(item),
            refund::TOPIC => Job::Refund(item),
            _ => Job::Replay(item),
        };
        (lane, job)
    });
    (plan.refused, pushes.chain(look_ups).chain(looks).chain(others).collect())
}

fn too_late(job: &Job) -> Vec<WorkResult> {
    let failure = WorkFailure::transient("the drain ended before its turn", None);
    let failed = |id, fence| WorkResult::failed(id, fence, &failure);
    match job {
        Job::Push(call) => call.failed(&failure),
        Job::LookUp(work) => work.claims.iter().map(|claim| failed(claim.id, claim.fence)).collect(),
        Job::Look(items) => items.iter().map(|item| failed(item.id, item.fence)).collect(),
        Job::Replay(item) | Job::Alert(item) | Job::Refund(item) => {
            vec![failed(item.id, item.fence)]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: i64, topic: &str, store: &str) -> WorkItem {
        serde_json::from_value(json!({"id": id, "topic": topic, "store": store, "fence": 1})).unwrap()
    }

    #[test]
    fn each_topic_and_store_has_its_lane() {
        let (_, jobs) =
            jobs(&[item(1, replay::TOPIC, "a"), item(2, alert::TOPIC, "a"), item(3, replay::TOPIC, "b")]);
        let lanes: Vec<&str> = jobs.iter().map(|(lane, _)| lane.as_str()).collect();
        assert_eq!(lanes, ["order_ingest_retry/a", "slack_alert/a", "order_ingest_retry/b"]);
        assert!(matches!(jobs[1].1, Job::Alert(_)) && matches!(jobs[2].1, Job::Replay(_)));
    }

    #[test]
    fn what_stays_in_the_house_needs_no_keys() {
        let items = [item(1, replay::TOPIC, "a"), item(2, push::TOPIC, "b"), item(3, alert::TOPIC, "c")];
        assert_eq!(stores_with_keys(&items), ["b", "c"]);
    }

    #[test]
    fn what_comes_too_late_is_reported_and_waits() {
        let results = too_late(&Job::Replay(item(7, replay::TOPIC, "a")));
        assert!(results.iter().all(|result| result.id == 7 && !result.is_done()));
    }

    #[test]
    fn counts_by_topic_what_was_claimed() {
        let mut run = Run::default();
        let items = [item(1, replay::TOPIC, "a"), item(2, replay::TOPIC, "a")];
        let reported = queue::Reported { done: 1, retried: 1, dead: 0 };
        run.count(&items, &[WorkResult::done(1, 1)], &reported);
        assert_eq!(run.by_topic[replay::TOPIC], Tally { claimed: 2, done: 1, failed: 1, stale: 0 });
        assert_eq!((run.claimed, run.done, run.retried), (2, 1, 1));
    }
}
