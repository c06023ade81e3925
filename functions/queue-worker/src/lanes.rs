//! Who goes next: a free place goes to the lane that uses the fewest, and neither a lane nor all lanes to one upstream may
//! use all, so that one that is slow holds up its own and not the others. A lane in which everything fails is left alone.
//!
//! Knows nothing of what the jobs are.

use std::collections::VecDeque;

/// After so many failures in a row nothing more of a lane is started: the database's circuit breaker opens at as many.
const FAILURES: usize = 5;

struct Lane<J> {
    name: String,
    upstream: &'static str,
    waiting: VecDeque<J>,
    running: usize,
    failures: usize,
}

/// Jobs that wait, by lane.
pub struct Lanes<J> {
    lanes: Vec<Lane<J>>,
    width: usize,
    upstream_width: usize,
}

impl<J> Lanes<J> {
    /// No jobs yet; at most `width` of a lane and `upstream_width` that call one system will run at a time.
    #[must_use]
    pub fn new(width: usize, upstream_width: usize) -> Self {
        Self { lanes: Vec::new(), width, upstream_width }
    }

    /// Has a job wait in the lane of this name and system.
    pub fn add(&mut self, name: String, upstream: &'static str, job: J) {
        match self.lanes.iter_mut().find(|lane| lane.name == name && lane.upstream == upstream) {
            Some(lane) => lane.waiting.push_back(job),
            None => {
                let waiting = VecDeque::from([job]);
                self.lanes.push(Lane { name, upstream, waiting, running: 0, failures: 0 });
            }
        }
    }

    /// The next job and the number of its lane; `None` when none may start now.
    pub fn next(&mut self) -> Option<(usize, J)> {
        let at = (0..self.lanes.len()).filter(|at| self.may_start(*at)).min_by_key(|at| self.running(*at))?;
        let lane = self.lanes.get_mut(at)?;
        let job = lane.waiting.pop_front()?;
        lane.running += 1;
        Some((at, job))
    }

    fn may_start(&self, at: usize) -> bool {
        self.lanes.get(at).is_some_and(|lane| {
            let same = self.lanes.iter().filter(|other| other.upstream == lane.upstream);
            !lane.waiting.is_empty()
                && lane.running < self.width
                && same.map(|other| other.running).sum::<usize>() < self.upstream_width
        })
    }

    fn running(&self, at: usize) -> usize {
        self.lanes.get(at).map_or(0, |lane| lane.running)
    }

    /// A job of this lane has ended, well or not, or nobody can say. Gives back the jobs that will not be started, when
    /// that was one failure too many.
    pub fn finished(&mut self, at: usize, well: Option<bool>) -> Vec<J> {
        let Some(lane) = self.lanes.get_mut(at) else { return Vec::new() };
        lane.running = lane.running.saturating_sub(1);
        match well {
            Some(true) => lane.failures = 0,
            Some(false) => lane.failures += 1,
            None => {}
        }
        if lane.failures < FAILURES { Vec::new() } else { lane.waiting.drain(..).collect() }
    }

    /// Gives back every job that waits.
    pub fn clear(&mut self) -> Vec<J> {
        self.lanes.iter_mut().flat_map(|lane| lane.waiting.drain(..)).collect()
    }

    /// Whether no job waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lanes.iter().all(|lane| lane.waiting.is_empty())
    }

    /// Lanes of which nothing more is wanted now: they have enough, or everything in them fails.
    #[must_use]
    pub fn busy(&self) -> Vec<&str> {
        self.lanes
            .iter()
            .filter(|lane| {
                !lane.waiting.is_empty() || lane.running >= self.width || lane.failures >= FAILURES
            })
            .map(|lane| lane.name.as_str())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lanes(list: &[(&str, u8)]) -> Lanes<u8> {
        let mut lanes = Lanes::new(4, 5);
        for (lane, job) in list {
            lanes.add((*lane).to_owned(), "", *job);
        }
        lanes
    }

    #[test]
    fn places_are_shared_among_lanes() {
        let mut lanes = lanes(&[("a", 1), ("a", 2), ("a", 3), ("a", 4), ("b", 5), ("b", 6)]);
        let first: Vec<u8> = (0..4).filter_map(|_| lanes.next()).map(|(_, job)| job).collect();
        assert_eq!(first, [1, 5, 2, 6]);
    }

    #[test]
    fn a_free_place_goes_to_the_lane_that_uses_the_fewest() {
        let mut lanes = lanes(&[("slow", 1), ("slow", 2), ("slow", 3), ("fast", 4), ("fast", 5)]);
        let started: Vec<(usize, u8)> = (0..3).filter_map(|_| lanes.next()).collect();
        assert_eq!(started, [(0, 1), (1, 4), (0, 2)]);
        assert!(lanes.finished(1, Some(true)).is_empty());
        assert_eq!(lanes.next(), Some((1, 5)));
    }

    #[test]
    fn no_lane_takes_every_place() {
        let mut lanes = lanes(&[("slow", 1), ("slow", 2), ("slow", 3), ("slow", 4), ("slow", 5)]);
        let started = std::iter::from_fn(|| lanes.next()).count();
        assert_eq!((started, lanes.next()), (4, None));
        assert_eq!(lanes.busy(), ["slow"]);
        lanes.add("fast".into(), "", 6);
        assert_eq!(lanes.next(), Some((1, 6)));
        assert_eq!(lanes.busy(), ["slow"]);
        lanes.finished(0, None);
        assert_eq!(lanes.next(), Some((0, 5)));
    }

    #[test]
    fn one_upstream_of_many_stores_leaves_a_place_to_others() {
        let mut lanes = Lanes::new(4, 5);
        for (lane, job) in [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("b", 5), ("c", 6)] {
            lanes.add(lane.to_owned(), "hangs", job);
        }
        assert_eq!(std::iter::from_fn(|| lanes.next()).count(), 5);
        lanes.add("d".into(), "well", 7);
        assert_eq!(lanes.next().map(|(_, job)| job), Some(7));
        assert_eq!(lanes.next(), None);
        lanes.finished(0, None);
        assert_eq!(lanes.next().map(|(_, job)| job), Some(6));
    }

    #[test]
    fn a_lane_in_which_everything_fails_is_left_alone() {
        let mut lanes =
            lanes(&[("dead", 0), ("dead", 1), ("dead", 2), ("dead", 3), ("dead", 4), ("dead", 5)]);
        for failure in 1..=5 {
            let (at, _) = lanes.next().unwrap();
            assert_eq!(
                lanes.finished(at, Some(false)),
                if failure < 5 { vec![] } else { vec![5] },
                "{failure}"
            );
        }
        lanes.add("dead".into(), "", 6);
        lanes.add("well".into(), "", 7);
        assert_eq!(lanes.finished(0, None), [6]);
        assert_eq!((lanes.next(), lanes.busy()), (Some((1, 7)), vec!["dead"]));
    }

    #[test]
    fn what_waits_is_given_back_and_what_runs_ends() {
        let mut lanes = lanes(&[("a", 1), ("b", 2), ("a", 3)]);
        let (at, _) = lanes.next().unwrap();
        assert_eq!(lanes.clear(), [3, 2]);
        assert!(lanes.is_empty() && lanes.next().is_none());
        assert!(lanes.finished(at, Some(true)).is_empty());
    }

    #[test]
    fn a_success_between_failures_starts_the_count_again() {
        let mut lanes = lanes(&[("a", 0)]);
        for well in [false, false, false, false, true, false, false, false, false] {
            lanes.finished(0, Some(well));
        }
        lanes.finished(0, None);
        assert_eq!(lanes.next(), Some((0, 0)));
        assert!(lanes.busy().is_empty());
    }
}
