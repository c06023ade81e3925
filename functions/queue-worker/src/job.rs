//! What there is to do: which claimed items make a job together, who carries it out, and what it may cost.
//!
//! The one place that knows every topic: a new one gets its name in [`TOPICS`], a kind of job, its turn in [`plan`], and a
//! line wherever the compiler asks for one.

use crate::{Setup, alert, email, mapping, push, refund, replay, stock_check};
use ordak_core::{
    inventory_push::{self, Call, Unmapped},
    sorted::Sorted,
    work::{WorkFailure, WorkItem, WorkResult},
};
use std::time::Duration;

/// Topics that somebody here can carry out. Others wait in the queue.
pub const TOPICS: [&str; 6] =
    [push::TOPIC, replay::TOPIC, alert::TOPIC, refund::TOPIC, stock_check::TOPIC, email::TOPIC];

/// Something to carry out.
pub enum Job {
    Push(Call),
    LookUp(Unmapped),
    /// Items of one store.
    Look(Vec<WorkItem>),
    Replay(WorkItem),
    Alert(WorkItem),
    Email(WorkItem),
    Refund(WorkItem),
}

/// The stores whose keys are needed.
#[must_use]
pub fn stores_with_keys(items: &[WorkItem]) -> Vec<&str> {
    items.iter().filter(|item| item.topic != replay::TOPIC).map(|item| item.store.as_str()).collect()
}

/// Results that are known without doing anything, and what is to be done, each with the name of its lane: its topic and
/// store, as the database writes it.
#[must_use]
pub fn plan(items: Vec<WorkItem>) -> (Vec<WorkResult>, Vec<(String, Job)>) {
    let (pushes, others): (Vec<WorkItem>, Vec<WorkItem>) =
        items.into_iter().partition(|item| item.topic == push::TOPIC);
    let plan = inventory_push::plan(&pushes);
    let pushes =
        plan.calls.into_iter().map(|call| (format!("{}/{}", push::TOPIC, call.store), Job::Push(call)));
    let look_ups =
        plan.unmapped.into_iter().map(|work| (format!("{}/{}", push::TOPIC, work.store), Job::LookUp(work)));
    let (looks, others): (Vec<WorkItem>, Vec<WorkItem>) =
        others.into_iter().partition(|item| item.topic == stock_check::TOPIC);
    let mut stores: Sorted<String, Vec<WorkItem>> = Sorted::default();
    for item in looks {
        stores.entry(item.store.clone(), Vec::new).push(item);
    }
    let looks = stores
        .into_iter()
        .map(|(store, items)| (format!("{}/{store}", stock_check::TOPIC), Job::Look(items)));
    let (mut known, mut jobs) = (plan.refused, pushes.chain(look_ups).chain(looks).collect::<Vec<_>>());
    for item in others {
        let lane = format!("{}/{}", item.topic, item.store);
        let job = match item.topic.as_str() {
            alert::TOPIC => Job::Alert(item),
            refund::TOPIC => Job::Refund(item),
            email::TOPIC => Job::Email(item),
            replay::TOPIC => Job::Replay(item),
            _ => {
                let failure = WorkFailure::permanent("the worker claims this topic and cannot carry it out");
                known.push(WorkResult::failed(item.id, item.fence, &failure));
                continue;
            }
        };
        jobs.push((lane, job));
    }
    (known, jobs)
}

impl Job {
    /// Carries it out; `limit` is how long an exchange that starts now may take.
    pub async fn carry_out(self, setup: &Setup, limit: impl Fn() -> Duration) -> Vec<WorkResult> {
        match self {
            Self::Push(call) => push::push(setup, call, limit).await,
            Self::LookUp(work) => mapping::look_up(setup, work, limit()).await,
            Self::Look(items) => stock_check::look(setup, &items, limit()).await,
            Self::Replay(item) => vec![replay::replay(&setup.rpc, &item, limit()).await],
            Self::Alert(item) => vec![alert::tell(setup, &item, limit()).await],
            Self::Email(item) => vec![email::send(setup, &item, limit()).await],
            Self::Refund(item) => vec![refund::refund(setup, &item, limit).await],
        }
    }

    /// The system that it calls.
    #[must_use]
    pub const fn upstream(&self) -> &'static str {
        match self {
            Self::Push(_) | Self::LookUp(_) | Self::Look(_) | Self::Refund(_) => "shopify",
            Self::Replay(_) => "database",
            Self::Alert(_) => "slack",
            Self::Email(_) => "email",
        }
    }

    /// The most requests that it makes.
    #[must_use]
    pub fn cost(&self) -> usize {
        match self {
            Self::Push(_) => push::ROUNDS,
            Self::LookUp(work) => 5 + work.skus.len(),
            Self::Look(items) => 2 + items.len(),
            Self::Refund(_) => 2,
            Self::Replay(_) | Self::Alert(_) | Self::Email(_) => 1,
        }
    }

    /// Its items go back untried.
    #[must_use]
    pub fn release(&self) -> Vec<WorkResult> {
        let released = |id, fence| WorkResult::released(id, fence);
        match self {
            Self::Push(call) => call.untried(),
            Self::LookUp(work) => work.claims.iter().map(|it| released(it.id, it.fence)).collect(),
            Self::Look(items) => items.iter().map(|it| released(it.id, it.fence)).collect(),
            Self::Replay(item) | Self::Alert(item) | Self::Email(item) | Self::Refund(item) => {
                vec![released(item.id, item.fence)]
            }
        }
    }
}

/// Whether the system that a job called is well, as far as its results tell: one success is enough.
#[must_use]
pub fn went_well(results: &[WorkResult]) -> Option<bool> {
    results.iter().filter_map(WorkResult::health).reduce(|one, other| one || other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn item(id: i64, topic: &str, store: &str) -> WorkItem {
        serde_json::from_value(json!({"id": id, "topic": topic, "store": store, "fence": 1})).unwrap()
    }

    #[test]
    fn each_topic_and_store_has_its_lane() {
        let items =
            vec![item(1, replay::TOPIC, "a"), item(2, alert::TOPIC, "a"), item(3, replay::TOPIC, "b")];
        let (_, jobs) = plan(items);
        let lanes: Vec<&str> = jobs.iter().map(|(lane, _)| lane.as_str()).collect();
        assert_eq!(lanes, ["order_ingest_retry/a", "slack_alert/a", "order_ingest_retry/b"]);
        assert!(matches!(jobs[1].1, Job::Alert(_)) && matches!(jobs[2].1, Job::Replay(_)));
    }

    #[test]
    fn a_topic_that_nobody_carries_out_is_refused_and_not_taken_for_another() {
        let (known, jobs) = plan(vec![item(1, "courier_booking", "a"), item(2, replay::TOPIC, "a")]);
        assert_eq!(known.iter().map(|result| result.id).collect::<Vec<_>>(), [1]);
        assert!(matches!(jobs.as_slice(), [(_, Job::Replay(_))]));
    }

    #[test]
    fn what_stays_in_the_house_needs_no_keys() {
        let items = [item(1, replay::TOPIC, "a"), item(2, push::TOPIC, "b"), item(3, alert::TOPIC, "c")];
        assert_eq!(stores_with_keys(&items), ["b", "c"]);
    }

    #[test]
    fn what_is_not_tried_goes_back() {
        let results = Job::Replay(item(7, replay::TOPIC, "a")).release();
        assert!(results.iter().all(|result| result.id == 7 && result.is_released()));
    }

    #[test]
    fn one_success_shows_that_a_system_is_well() {
        let (done, released) = (WorkResult::done(1, 1), WorkResult::released(1, 1));
        let failed = |failure| WorkResult::failed(1, 1, &failure);
        let dead = failed(WorkFailure::permanent("refused"));
        let down = failed(WorkFailure::transient("no answer in time", None));
        assert_eq!(went_well(&[down.clone(), done, dead.clone()]), Some(true));
        assert_eq!(went_well(&[dead.clone(), down]), Some(false));
        assert_eq!(went_well(&[dead, released]), None);
    }
}
