//! The goals of all benchmarks of a run in one table: what was asked for, what was reached.

use anyhow::Result;
use serde::Serialize;
use serde_json::json;

use super::compared::write_figures;
use super::rounds::Comparison;
use crate::layout::Checkout;
use crate::say;

/// What became of a goal.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What was measured.
    pub what: String,
    /// What was asked for.
    pub goal: String,
    /// What came of it.
    pub measured: String,
    /// Whether that is enough.
    pub reached: bool,
}

impl Verdict {
    /// For people, at the end of a line.
    pub fn word(&self) -> &'static str {
        if self.reached { "reached" } else { "not reached" }
    }
}

/// The goals of a comparison.
pub fn of(comparison: &Comparison) -> Vec<Verdict> {
    let verdict = |(goal, reached): (super::rounds::Goal, super::rounds::Spread)| Verdict {
        what: format!("{} — {}", comparison.title, goal.metric),
        goal: format!("≥ {} × {}", goal.ratio, goal.beside),
        measured: format!("{:.2} × ({:.2}–{:.2})", reached.median, reached.low, reached.high),
        reached: reached.median >= goal.ratio,
    };
    comparison.reached().into_iter().map(verdict).collect()
}

/// Prints the table and writes it to `.ordak/bench/goals.json`.
pub fn finish(checkout: &Checkout, verdicts: &[Verdict]) -> Result<()> {
    say::info("\n=== goals ===\n");
    for verdict in verdicts {
        let Verdict { what, goal, measured, .. } = verdict;
        say::info(format!("{:<12} {measured:<24} {goal:<44} {what}", verdict.word()));
    }
    let missed = verdicts.iter().filter(|verdict| !verdict.reached).count();
    say::info(format!("\n{} goals, {missed} not reached", verdicts.len()));
    let path = write_figures(checkout, "goals", "what was asked for and what was reached", &json!(verdicts))?;
    say::info(format!("Written to {path}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::rounds::{Goal, Metric};

    #[test]
    fn a_goal_is_reached_by_the_median_of_the_rounds() {
        let metric = Metric { name: "requests/s", more_is_better: true };
        let goal = Goal { metric: "requests/s", beside: "peer", ratio: 1.0 };
        let mut comparison = Comparison::new("t", &[metric], &["Ordak", "peer"], &[goal]);
        comparison.values = vec![vec![vec![3.0, 3.0, 3.0]], vec![vec![2.0, 6.0, 1.0]]];
        let [verdict] = of(&comparison).try_into().unwrap();
        assert_eq!((verdict.measured.as_str(), verdict.word()), ("1.50 × (0.50–3.00)", "reached"));
        comparison.values[1] = vec![vec![4.0, 6.0, 1.0]];
        assert_eq!(of(&comparison)[0].word(), "not reached");
    }
}
