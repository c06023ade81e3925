//! Counts checks and keeps what failed, so that one failure does not hide the next hundred.

use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::io::Write as _;

/// How many failures are shown.
const SHOWN: usize = 40;

/// The score of one suite.
#[derive(Debug, Default)]
pub struct Tally {
    suite: String,
    counts: BTreeMap<String, usize>,
    failures: Vec<String>,
}

impl Tally {
    /// An empty score.
    #[must_use]
    pub fn new(suite: &str) -> Self {
        Self { suite: suite.to_owned(), ..Self::default() }
    }

    /// Counts one check under a label; a failed one is kept with its detail.
    pub fn check(&mut self, label: &str, passed: bool, detail: impl FnOnce() -> String) {
        self.count(label, 1);
        if !passed {
            self.fail(detail());
        }
    }

    /// Adds to a figure without checking anything.
    pub fn count(&mut self, label: &str, by: usize) {
        *self.counts.entry(label.to_owned()).or_default() += by;
    }

    /// Records a failure.
    pub fn fail(&mut self, what: String) {
        self.failures.push(what);
    }

    /// What has been counted under a label.
    #[must_use]
    pub fn counted(&self, label: &str) -> usize {
        self.counts.get(label).copied().unwrap_or_default()
    }

    /// Joins the score of a part.
    pub fn join(&mut self, part: Self) {
        for (label, count) in part.counts {
            *self.counts.entry(label).or_default() += count;
        }
        self.failures.extend(part.failures);
    }

    /// Prints the one line of figures, also when output of passing tests is captured, and says whether all passed.
    ///
    /// # Errors
    /// When a check failed; the message lists the first of them.
    pub fn finish(self) -> Result<()> {
        let figures: Vec<String> =
            self.counts.iter().map(|(label, count)| format!("{count} {label}")).collect();
        let line = format!("{}: {}, {} failures\n", self.suite, figures.join(", "), self.failures.len());
        std::io::stdout().lock().write_all(line.as_bytes())?;
        if self.failures.is_empty() {
            return Ok(());
        }
        let shown: Vec<&str> = self.failures.iter().take(SHOWN).map(String::as_str).collect();
        let more = self.failures.len().saturating_sub(SHOWN);
        bail!(
            "{} failures in {}:\n  {}\n  and {more} more",
            self.failures.len(),
            self.suite,
            shown.join("\n  ")
        )
    }
}
