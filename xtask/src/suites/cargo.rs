//! Runs cargo with its output on the terminal and reads from it how many tests passed and failed.

use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use super::Counts;
use crate::layout::Checkout;
use crate::say;

/// A cargo command in the checkout, free of what cargo told this program about itself.
pub fn command(checkout: &Checkout, arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(arguments).current_dir(checkout.root()).stdin(Stdio::null()).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|p| name.starts_with(p)))
        {
            cargo.env_remove(name);
        }
    }
    cargo
}

/// A check that passes or fails as a whole.
pub async fn check(checkout: &Checkout, arguments: &[&str]) -> Result<Counts> {
    let what = format!("cargo {}", arguments.join(" "));
    let step = say::step(&what);
    let status = command(checkout, arguments).status().await.with_context(|| format!("cannot run {what}"))?;
    step.done();
    if !status.success() {
        say::info(format!("FAILED: {what}"));
    }
    Ok(Counts::one(status.success()))
}

/// Runs `cargo test` and counts. A run that fails without a failed test (it does not compile, it was killed) counts as
/// one failure.
pub async fn test(mut cargo: Command) -> Result<Counts> {
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot run cargo test")?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        let mut lines = BufReader::new(stdout).split(b'\n');
        while let Some(line) = lines.next_segment().await.context("cannot read the tests' output")? {
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            if let Some(found) = result_line(&line) {
                counts.add(found);
            }
        }
    }
    let status = child.wait().await.context("cannot wait for cargo test")?;
    if !status.success() && counts.failed == 0 {
        counts.failed = 1;
    }
    Ok(counts)
}

/// Reads `test result: ok. 3 passed; 0 failed; 0 ignored; …`. An ignored test is one that did not pass.
fn result_line(line: &str) -> Option<Counts> {
    let (_, figures) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
    let figure = |name: &str| {
        let part = figures.split("; ").find_map(|part| part.strip_suffix(name))?;
        part.trim().parse::<u64>().ok()
    };
    Some(Counts { passed: figure(" passed")?, failed: figure(" failed")? + figure(" ignored")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_cargo_prints_and_counts_ignored_tests_as_failed() {
        let line = "test result: FAILED. 12 passed; 2 failed; 1 ignored; 0 measured; 5 filtered out; finished in 0.01s";
        assert_eq!(result_line(line), Some(Counts { passed: 12, failed: 3 }));
        assert_eq!(result_line("test something ... ok"), None);
    }

    #[tokio::test]
    async fn a_run_that_dies_without_a_failed_test_has_failed() {
        let mut shell = Command::new("sh");
        shell.args([
            "-c",
            "echo 'test result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out'; exit 101",
        ]);
        assert_eq!(test(shell).await.unwrap(), Counts { passed: 3, failed: 1 });
    }
}
