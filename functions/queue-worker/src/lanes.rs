//! Running jobs side by side, fairly: a free place goes to the lane that uses the fewest, so that one slow upstream
//! holds up its own lane and not the others.
//!
//! Knows nothing of what the jobs are.

use futures_util::stream::{FuturesUnordered, StreamExt};
use std::{collections::VecDeque, future::Future};

struct Lane<J> {
    name: String,
    waiting: VecDeque<J>,
    running: usize,
}

struct Lanes<J>(Vec<Lane<J>>);

impl<J> Lanes<J> {
    fn new(jobs: Vec<(String, J)>) -> Self {
        let mut lanes: Vec<Lane<J>> = Vec::new();
        for (name, job) in jobs {
            match lanes.iter_mut().find(|lane| lane.name == name) {
                Some(lane) => lane.waiting.push_back(job),
                None => lanes.push(Lane { name, waiting: VecDeque::from([job]), running: 0 }),
            }
        }
        Self(lanes)
    }

    /// The next job and the number of its lane.
    fn next(&mut self) -> Option<(usize, J)> {
        let (at, lane) = self
            .0
            .iter_mut()
            .enumerate()
            .filter(|(_, lane)| !lane.waiting.is_empty())
            .min_by_key(|(_, lane)| lane.running)?;
        let job = lane.waiting.pop_front()?;
        lane.running += 1;
        Some((at, job))
    }

    fn finished(&mut self, at: usize) {
        if let Some(lane) = self.0.get_mut(at) {
            lane.running = lane.running.saturating_sub(1);
        }
    }
}

/// Runs every job, at most `width` at a time; a job comes with the name of its lane. Results come in the order in
/// which jobs end.
pub async fn run<J, R, F>(jobs: Vec<(String, J)>, width: usize, start: impl Fn(J) -> F) -> Vec<R>
where
    F: Future<Output = R>,
{
    let mut lanes = Lanes::new(jobs);
    let mut running = FuturesUnordered::new();
    let mut results = Vec::new();
    loop {
        while running.len() < width {
            let Some((at, job)) = lanes.next() else { break };
            let job = start(job);
            running.push(async move { (at, job.await) });
        }
        let Some((at, result)) = running.next().await else {
            return results;
        };
        lanes.finished(at);
        results.push(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(list: &[(&str, u8)]) -> Vec<(String, u8)> {
        list.iter().map(|(lane, job)| ((*lane).to_owned(), *job)).collect()
    }

    #[test]
    fn places_are_shared_among_lanes() {
        let mut lanes = Lanes::new(jobs(&[("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5), ("b", 6)]));
        let first: Vec<u8> = (0..4).filter_map(|_| lanes.next()).map(|(_, job)| job).collect();
        assert_eq!(first, [1, 5, 2, 6]);
    }

    #[test]
    fn a_free_place_goes_to_the_lane_that_uses_the_fewest() {
        let mut lanes = Lanes::new(jobs(&[("slow", 1), ("slow", 2), ("slow", 3), ("fast", 4), ("fast", 5)]));
        let started: Vec<(usize, u8)> = (0..3).filter_map(|_| lanes.next()).collect();
        assert_eq!(started, [(0, 1), (1, 4), (0, 2)]);
        lanes.finished(1);
        assert_eq!(lanes.next(), Some((1, 5)));
    }

    #[test]
    fn a_slow_lane_does_not_stop_another() {
        let all = jobs(&[("slow", 0), ("slow", 0), ("slow", 0), ("fast", 1), ("fast", 2), ("fast", 3)]);
        let done = std::cell::RefCell::new(Vec::new());
        let work = run(all, 2, |job| {
            let done = &done;
            async move {
                if job == 0 {
                    std::future::pending::<()>().await;
                }
                done.borrow_mut().push(job);
            }
        });
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(std::pin::pin!(work).poll(&mut context).is_pending());
        assert_eq!(*done.borrow(), [1, 2, 3]);
    }

    #[test]
    fn nothing_to_do_is_done_at_once() {
        let work = run(jobs(&[]), 6, |job: u8| async move { job });
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert_eq!(std::pin::pin!(work).poll(&mut context), std::task::Poll::Ready(Vec::new()));
    }
}
