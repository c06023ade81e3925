//! `tidy`: the rules of the house that no compiler knows, each with a sentence that says what to do. A rule is a
//! function of the files alone.

mod code;
mod places;
mod sql;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::layout::Checkout;
use crate::say;

/// A file that belongs to the repository.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its path from the top.
    pub path: String,
    /// What is in it; empty for files that are no text.
    pub text: String,
}

/// Something against the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The file, with the line where there is one.
    pub place: String,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl Finding {
    fn in_file(path: &str, sentence: impl Into<String>) -> Self {
        Self { place: path.to_owned(), sentence: sentence.into() }
    }

    fn in_line(path: &str, index: usize, sentence: impl Into<String>) -> Self {
        Self { place: format!("{path}:{}", index + 1), sentence: sentence.into() }
    }
}

type Rule = fn(&[Source]) -> Vec<Finding>;

const RULES: [Rule; 13] = [
    places::unknown_top_level_entries,
    places::long_files,
    places::paths_of_one_machine,
    places::download_addresses,
    places::misnamed_migrations,
    code::missing_headers,
    code::unexplained_exceptions,
    code::notes_to_self,
    code::ignored_tests,
    code::swallowed_failures,
    sql::unexplained_definers,
    sql::untested_functions,
    sql::skipped_assertions,
];

/// Checks all rules and prints what was found.
pub fn run(checkout: &Checkout) -> Result<ExitCode> {
    if check_and_report(checkout)? {
        say::info("The house is tidy.");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Whether all rules are kept; prints what is not.
pub fn check_and_report(checkout: &Checkout) -> Result<bool> {
    let sources = sources(checkout)?;
    let findings: Vec<Finding> = RULES.iter().flat_map(|rule| rule(&sources)).collect();
    for finding in &findings {
        say::info(format!("  {}: {}", finding.place, finding.sentence));
    }
    Ok(findings.is_empty())
}

/// What git knows or would take in: tracked files and new ones that are not ignored.
fn sources(checkout: &Checkout) -> Result<Vec<Source>> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(checkout.root())
        .output()
        .context("cannot run git, which knows the files of the repository")?;
    if !output.status.success() {
        bail!("git cannot list the files: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let mut paths: Vec<String> = String::from_utf8_lossy(&output.stdout)
        .split('\0')
        .filter(|p| !p.is_empty())
        .map(str::to_owned)
        .collect();
    paths.sort();
    paths.dedup();
    let mut sources = Vec::new();
    for path in paths {
        let full: PathBuf = checkout.path(&path);
        if full.is_dir() {
            sources.push(Source { path, text: String::new() });
            continue;
        }
        // A file that was deleted but not committed yet is no longer part of the house.
        let Ok(bytes) = std::fs::read(&full) else { continue };
        sources.push(Source { path, text: String::from_utf8(bytes).unwrap_or_default() });
    }
    Ok(sources)
}

/// Whether the path ends like this.
fn has_extension(source: &Source, extensions: &[&str]) -> bool {
    source.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

#[cfg(test)]
fn source(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), text: text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_names_the_line_as_editors_count() {
        assert_eq!(Finding::in_line("a.rs", 0, "x").place, "a.rs:1");
    }

    #[test]
    fn the_repository_lists_its_files() {
        let sources = sources(&Checkout::find().unwrap()).unwrap();
        assert!(
            sources.iter().any(|source| source.path == "xtask/src/main.rs" && source.text.starts_with("//!"))
        );
        assert!(sources.iter().all(|source| !source.path.starts_with("target/")));
    }
}
