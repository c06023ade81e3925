//! One drain: claim, do, report, until nothing is due or the time is over.
//!
//! Overlapping drains are safe: leases and fences in the database see to that. A drain that dies loses nothing. What
//! hangs is not waited for before more is claimed: it keeps its own lane and is reported when it ends.

use crate::{
    Setup,
    job::{self, Job, TOPICS},
    lanes::Lanes,
    queue,
    run::Run,
};
use futures_util::stream::{FuturesUnordered, StreamExt};
use ordak_core::{calendar::rfc3339, envelope::Fault, work::WorkResult};
use ordak_edge::{clock, deadline::within, request_id};
use std::{
    cell::{Cell, RefCell},
    future::Future,
    time::Duration,
};
use worker::Delay;

/// Items a claim.
const BATCH: usize = 100;
/// Jobs at a time: a worker has six outgoing connections.
const WIDTH: usize = 6;
/// Jobs of a lane at a time, so that one that hangs leaves places to others.
const LANE_WIDTH: usize = 4;
/// Jobs at a time that call one system, whichever stores they are of.
const UPSTREAM_WIDTH: usize = 5;
/// No claim later than this after the start.
const CLAIM_MS: u64 = 25_000;
/// No upstream is waited for beyond this: the runtime ends work after an answer at 30 s.
const END_MS: u64 = 28_000;
/// Longest wait for one exchange with an upstream; with [`END_MS`] far below every lease.
const EXCHANGE_MS: u64 = 10_000;
/// What is left of an item's lease must be at least this for its job to start.
const MARGIN_MS: u64 = 2_000;
/// With places free, how long one result waits for the next before they are reported and more is claimed.
const GATHER_MS: u64 = 250;
/// How long until more is claimed beside what is under way or held back: others may have become due.
const LOOK_AGAIN_MS: u64 = 1_000;
/// Requests that are kept for reporting and recording.
const RESERVE: usize = 6;

/// A drain under way.
pub struct Drain<'a> {
    setup: &'a Setup,
    worker: String,
    started: u64,
    /// Whether to stay for what is due but held back by a rate or a breaker: the clock's drains do.
    patient: bool,
    /// How many requests may still be made.
    budget: Cell<usize>,
    jobs: Cell<usize>,
    run: RefCell<Run>,
}

/// A job with the end of its lease.
type Leased = (Job, Option<u64>);

/// The lane of a job that has ended, and its results.
type Ended = (usize, Vec<WorkResult>);

impl<'a> Drain<'a> {
    /// Starts one. Its name is new, whatever the request is called: leases are proved with it.
    #[must_use]
    pub fn new(setup: &'a Setup, patient: bool) -> Self {
        Self {
            setup,
            worker: format!("queue-worker/{}", request_id::fresh()),
            started: clock::now_ms(),
            patient,
            budget: Cell::new(setup.settings.subrequests),
            jobs: Cell::new(0),
            run: RefCell::default(),
        }
    }

    /// Drains and records the run.
    ///
    /// # Errors
    /// The first fault of the database. What was done before it is recorded all the same; a drain that could not even
    /// claim is none.
    pub async fn run(self) -> Result<Run, Fault> {
        let result = self.drain().await;
        self.run.borrow_mut().ms = self.elapsed();
        let run = self.run.take();
        if result.is_ok() || run.claimed > 0 || run.dead > 0 {
            let record = run.to_record(&self.worker, &rfc3339(self.started));
            let recorded = queue::record(&self.setup.rpc, &record).await;
            result.and(recorded)?;
        } else {
            result?;
        }
        Ok(run)
    }

    /// After a fault nothing more is claimed or started; what is under way comes to its end and is reported, and what
    /// waits goes back.
    async fn drain(&self) -> Result<(), Fault> {
        let mut lanes = Lanes::new(LANE_WIDTH, UPSTREAM_WIDTH);
        let mut running = FuturesUnordered::new();
        let mut outcome = Ok(());
        loop {
            let limit = if outcome.is_ok() { self.claim_limit() } else { 0 };
            if limit > 0 && running.len() < WIDTH {
                match self.claim(limit, &mut lanes).await {
                    Ok(Some(wait)) if running.is_empty() && lanes.is_empty() => {
                        Delay::from(wait).await;
                        continue;
                    }
                    Ok(_) => {}
                    Err(fault) => outcome = Err(fault),
                }
            }
            let untried = if outcome.is_err() { lanes.clear() } else { Vec::new() };
            let mut results: Vec<WorkResult> = untried.iter().flat_map(|(job, _)| job.release()).collect();
            if running.is_empty() && lanes.is_empty() && results.is_empty() {
                return outcome;
            }
            results.extend(self.round(&mut lanes, &mut running, |at, job| self.carry_out(at, job)).await);
            outcome = outcome.and(self.report(results).await);
        }
    }

    /// Claims more and puts it into its lanes. When there was nothing: how long to wait for what is held back, if that
    /// is worth it.
    async fn claim(&self, limit: usize, lanes: &mut Lanes<Leased>) -> Result<Option<Duration>, Fault> {
        self.spend(1);
        let claim = queue::claim(&self.setup.rpc, &self.worker, &TOPICS, limit, &lanes.busy()).await?;
        self.run.borrow_mut().claimed(&claim.items);
        self.run.borrow_mut().unreadable(claim.unreadable.len());
        self.run.borrow_mut().lapsed(&claim.given_up);
        let nothing = claim.items.is_empty() && claim.unreadable.is_empty();
        let ends = claim.items.iter().filter_map(|item| clock::parse(item.lease_until.as_deref()?)).min();
        let stores = job::stores_with_keys(&claim.items);
        if !stores.is_empty() {
            // One call for the keys of all of them; none when nothing here leaves the house.
            self.spend(1);
            self.setup.shops.vault().prepare(&stores).await;
        }
        let (refused, jobs) = job::plan(claim.items);
        for (lane, job) in jobs {
            lanes.add(lane, job.upstream(), (job, ends));
        }
        let known = refused.into_iter().chain(claim.unreadable).collect();
        self.report(known).await?;
        let wait =
            claim.retry_in_ms.filter(|wait| nothing && self.patient && self.elapsed() + wait < CLAIM_MS);
        Ok(wait.map(|wait| Duration::from_millis(wait.min(LOOK_AGAIN_MS))))
    }

    /// Runs jobs until all have ended, or some have and there is room for others. What will not be started goes back.
    async fn round<F: Future<Output = Ended>>(
        &self,
        lanes: &mut Lanes<Leased>,
        running: &mut FuturesUnordered<F>,
        start: impl Fn(usize, Leased) -> F,
    ) -> Vec<WorkResult> {
        let (mut results, began) = (Vec::new(), clock::now_ms());
        loop {
            while running.len() < WIDTH
                && let Some((at, job)) = lanes.next()
            {
                running.push(start(at, job));
            }
            let next = if running.len() < WIDTH && self.claim_limit() > 0 {
                let left = LOOK_AGAIN_MS.saturating_sub(clock::now_ms().saturating_sub(began));
                let patience = if results.is_empty() { left } else { left.min(GATHER_MS) };
                match within(Duration::from_millis(patience), running.next()).await {
                    Some(next) => next,
                    None => return results,
                }
            } else {
                running.next().await
            };
            let Some((at, ended)) = next else { return results };
            for (job, _) in lanes.finished(at, job::went_well(&ended)) {
                results.extend(job.release());
            }
            results.extend(ended);
        }
    }

    async fn carry_out(&self, at: usize, (job, lease_end): Leased) -> Ended {
        let number = self.jobs.replace(self.jobs.get() + 1);
        // However little a drain may spend, every job fits into one.
        let cost = job.cost().min(self.setup.settings.subrequests / 2);
        if self.limit(lease_end).is_zero() || self.budget.get() < cost + RESERVE {
            return (at, job.release());
        }
        self.spend(cost);
        let mut results = job.carry_out(self.setup, || self.limit(lease_end)).await;
        for result in &mut results {
            result.job = Some(number);
        }
        (at, results)
    }

    async fn report(&self, results: Vec<WorkResult>) -> Result<(), Fault> {
        if results.is_empty() {
            return Ok(());
        }
        self.spend(1);
        let reported = queue::report(&self.setup.rpc, &self.worker, &results).await?;
        self.run.borrow_mut().reported(&results, &reported);
        Ok(())
    }

    /// How many items the time and the requests that are left are enough for.
    fn claim_limit(&self) -> usize {
        let affordable = self.budget.get().saturating_sub(RESERVE);
        if self.elapsed() < CLAIM_MS { BATCH.min(affordable) } else { 0 }
    }

    fn spend(&self, requests: usize) {
        self.budget.set(self.budget.get().saturating_sub(requests));
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
}
