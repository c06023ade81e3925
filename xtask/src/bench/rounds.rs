//! Comparing: everybody does the same thing in turn, round after round, on one machine in one run, so that whatever
//! disturbs the machine disturbs all of them. From the rounds come medians, the spread, and ratios.
//!
//! Knows nothing of what is done.

use anyhow::Result;
use serde::Serialize;

use crate::say;

/// Rounds that count. An odd number, so that a median is a value that was seen.
pub const ROUNDS: usize = 5;

/// What is measured of each round.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Metric {
    /// Its name, with its unit.
    pub name: &'static str,
    /// Whether more is better.
    pub more_is_better: bool,
}

/// What the specification asks of a ratio.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Goal {
    /// Of which metric.
    pub metric: &'static str,
    /// Compared with whom.
    pub beside: &'static str,
    /// So many times as good, at least.
    pub ratio: f64,
}

/// One comparison: the first contender is Ordak.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// What is done.
    pub title: String,
    /// What is measured.
    pub metrics: Vec<Metric>,
    /// Who takes part.
    pub contenders: Vec<&'static str>,
    /// By contender, metric and round.
    pub values: Vec<Vec<Vec<f64>>>,
    /// What is asked for.
    pub goals: Vec<Goal>,
}

/// The middle of some values, and their ends.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The lowest.
    pub low: f64,
    /// The highest.
    pub high: f64,
}

impl Spread {
    /// Of these values; no number without any.
    pub fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
        let median = match sorted.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => at(n / 2),
            n => f64::midpoint(at(n / 2 - 1), at(n / 2)),
        };
        Self { median, low: at(0), high: sorted.last().copied().unwrap_or(f64::NAN) }
    }
}

impl Comparison {
    /// Without any rounds yet.
    pub fn new(
        title: impl Into<String>,
        metrics: &[Metric],
        contenders: &[&'static str],
        goals: &[Goal],
    ) -> Self {
        Self {
            title: title.into(),
            metrics: metrics.to_vec(),
            contenders: contenders.to_vec(),
            values: vec![vec![Vec::new(); metrics.len()]; contenders.len()],
            goals: goals.to_vec(),
        }
    }

    /// Runs all rounds: `turn` is told whose turn it is and which round, and gives one value for each metric. Who begins
    /// changes from round to round.
    pub async fn run(&mut self, mut turn: impl AsyncFnMut(usize, usize) -> Result<Vec<f64>>) -> Result<()> {
        let many = self.contenders.len();
        for round in 0..ROUNDS {
            let step = say::step(format!("{}: round {} of {ROUNDS}", self.title, round + 1));
            for place in 0..many {
                let contender = (round + place) % many;
                let values = turn(contender, round).await?;
                self.add(contender, &values);
            }
            step.done();
        }
        Ok(())
    }

    fn add(&mut self, contender: usize, values: &[f64]) {
        let rows = self.values.get_mut(contender).into_iter().flatten();
        rows.zip(values).for_each(|(row, value)| row.push(*value));
    }

    /// The values of one metric over the rounds.
    pub fn of(&self, contender: usize, metric: usize) -> &[f64] {
        self.values.get(contender).and_then(|metrics| metrics.get(metric)).map_or(&[], Vec::as_slice)
    }

    /// How many times as good as another contender the first one is, round by round: what disturbed a round disturbed
    /// both. Above 1 is better, whatever the metric.
    pub fn ratio(&self, other: usize, metric: usize) -> Spread {
        let more = self.metrics.get(metric).is_some_and(|metric| metric.more_is_better);
        let pairs = self.of(0, metric).iter().zip(self.of(other, metric));
        let ratios: Vec<f64> = pairs
            .map(|(own, other)| if more { own / other } else { other / own })
            .filter(|ratio| ratio.is_finite())
            .collect();
        Spread::of(&ratios)
    }

    /// Each goal with the ratio that was reached.
    pub fn reached(&self) -> Vec<(Goal, Spread)> {
        let place = |goal: &Goal| {
            let other = self.contenders.iter().position(|name| *name == goal.beside)?;
            let metric = self.metrics.iter().position(|metric| metric.name == goal.metric)?;
            Some((*goal, self.ratio(other, metric)))
        };
        self.goals.iter().filter_map(place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Metric = Metric { name: "requests/s", more_is_better: true };
    const TIME: Metric = Metric { name: "p99 ms", more_is_better: false };
    const GOAL: Goal = Goal { metric: "requests/s", beside: "peer", ratio: 1.0 };

    #[test]
    fn the_middle_is_the_median() {
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Spread { median: 2.0, low: 1.0, high: 3.0 });
        assert_eq!(Spread::of(&[1.0, 2.0]).median, 1.5);
        assert!(Spread::of(&[]).median.is_nan(), "nobody measured is not measured as nothing");
    }

    #[tokio::test]
    async fn everybody_has_a_turn_a_round_and_ratios_go_by_rounds() {
        let mut comparison = Comparison::new("t", &[RATE, TIME], &["ordak", "peer"], &[GOAL]);
        let mut first = Vec::new();
        let turn = async |who: usize, round: usize| {
            if who == round % 2 && first.len() == round {
                first.push(who);
            }
            // The machine is slower in each round than in the one before, the ratio stays.
            let slow = (round + 1) as f64;
            Ok(vec![(2 - who) as f64 * 100.0 / slow, (who + 1) as f64 * slow])
        };
        comparison.run(turn).await.unwrap();
        assert_eq!(first.len(), ROUNDS, "who begins changes");
        assert_eq!(comparison.ratio(1, 0), Spread { median: 2.0, low: 2.0, high: 2.0 });
        assert_eq!(comparison.ratio(1, 1).median, 2.0, "half the time is twice as good");
        let (goal, reached) = comparison.reached()[0];
        assert!(goal.beside == "peer" && reached.median == 2.0);
    }
}
