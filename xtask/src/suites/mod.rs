//! `test`: the suites by name, and the one line that sums them up. A suite without a test counts as failed: it proves
//! nothing.

pub mod cargo;
pub mod db;
pub mod live;
pub mod tap;
pub mod unit;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::interrupt::{Interrupt, Interrupted};
use crate::layout::Checkout;
use crate::say;

/// A suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unit,
    Db,
    /// The tests of this package, run against a whole stack.
    Live(&'static str),
}

struct Suite {
    name: &'static str,
    about: &'static str,
    kind: Kind,
}

/// All suites, in the order in which they run.
const SUITES: [Suite; 5] = [
    Suite { name: "unit", about: "rules of the house, format, lints, native tests", kind: Kind::Unit },
    Suite {
        name: "db",
        about: "the schema, pgTAP files of supabase/tests and the access matrix on a fresh database",
        kind: Kind::Db,
    },
    Suite {
        name: "e2e",
        about: "the built workers, real Postgres, fakes over HTTP",
        kind: Kind::Live("ordak-e2e"),
    },
    Suite {
        name: "chaos",
        about: "convergence, oversell, a storm of deliveries; whatever fails, is stopped or killed",
        kind: Kind::Live("ordak-chaos"),
    },
    Suite {
        name: "security",
        about: "forged tokens and signatures, bombs, every cell of the access matrix, escalation, advisors",
        kind: Kind::Live("ordak-security"),
    },
];

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
}

impl Counts {
    /// One test that passed or failed.
    pub fn one(passed: bool) -> Self {
        Self { passed: u64::from(passed), failed: u64::from(!passed) }
    }

    /// Adds other counts.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

/// Runs every suite or one; the last line printed is the sum.
pub async fn run(checkout: &Checkout, wanted: Option<&str>, nightly: bool) -> Result<ExitCode> {
    let suites: Vec<&Suite> =
        SUITES.iter().filter(|suite| wanted.is_none_or(|name| name == suite.name)).collect();
    if suites.is_empty() {
        let known: Vec<String> =
            SUITES.iter().map(|suite| format!("\n  {:<8} {}", suite.name, suite.about)).collect();
        bail!("there is no suite `{}`; there are:{}", wanted.unwrap_or_default(), known.concat());
    }
    let interrupt = Interrupt::listen()?;
    let mut total = Counts::default();
    let mut lines = Vec::new();
    for suite in suites {
        say::info(format!("\n=== {}: {} ===", suite.name, suite.about));
        let started = Instant::now();
        let counts = count(run_one(checkout, suite.kind, nightly, &interrupt).await, suite.name)?;
        lines.push(format!(
            "{:<8} {:>5} passed {:>5} failed   {}",
            suite.name,
            counts.passed,
            counts.failed,
            say::seconds(started.elapsed())
        ));
        total.add(counts);
    }
    say::info("");
    for line in lines {
        say::info(line);
    }
    say::info(format!("\n{} passed, {} failed", total.passed, total.failed));
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn run_one(checkout: &Checkout, kind: Kind, nightly: bool, interrupt: &Interrupt) -> Result<Counts> {
    match kind {
        Kind::Unit => interrupt.unless(unit::run(checkout)).await,
        Kind::Db => db::run(checkout, interrupt).await,
        Kind::Live(package) => live::run(checkout, package, nightly, interrupt).await,
    }
}

/// A suite that could not run is one failure; only the developer's interruption ends everything.
fn count(result: Result<Counts>, name: &str) -> Result<Counts> {
    match result {
        Ok(counts) if counts == Counts::default() => {
            say::info(format!("the suite {name} ran no test at all"));
            Ok(Counts::one(false))
        }
        Ok(counts) => Ok(counts),
        Err(error) if error.is::<Interrupted>() => Err(error),
        Err(error) => {
            say::info(format!("error: {error:#}"));
            Ok(Counts::one(false))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_without_tests_or_with_an_error_has_failed() {
        assert_eq!(count(Ok(Counts::default()), "x").unwrap(), Counts { passed: 0, failed: 1 });
        assert_eq!(count(Err(anyhow::anyhow!("no")), "x").unwrap(), Counts { passed: 0, failed: 1 });
        assert_eq!(count(Ok(Counts { passed: 2, failed: 0 }), "x").unwrap(), Counts { passed: 2, failed: 0 });
        assert!(count(Err(Interrupted.into()), "x").is_err());
    }

    #[tokio::test]
    async fn an_unknown_suite_lists_the_known_ones() {
        let error = run(&Checkout::find().unwrap(), Some("nonsense"), false).await.unwrap_err().to_string();
        assert!(SUITES.iter().all(|suite| error.contains(suite.name)), "{error}");
    }
}
