//! Rules about code and scripts. What the compiler's lints can see is left to them.

use super::{Finding, Source, has_extension};

fn rust(sources: &[Source]) -> impl Iterator<Item = &Source> {
    sources.iter().filter(|source| has_extension(source, &["rs"]))
}

fn lines(source: &Source) -> impl Iterator<Item = (usize, &str)> {
    source.text.lines().map(str::trim).enumerate()
}

pub fn missing_headers(sources: &[Source]) -> Vec<Finding> {
    let sentence = "begin the file with `//!`: what the module is for and what it must not know";
    rust(sources)
        .filter(|source| !source.text.starts_with("//!") && !is_test_module(&source.path))
        .map(|source| Finding::in_file(&source.path, sentence))
        .collect()
}

/// The tests of the module beside them, which says what they are about.
fn is_test_module(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.ends_with("_tests.rs")
}

/// Lints of the workspace that stand for a rule of the house.
const HOUSE_LINTS: [&str; 7] = [
    "unsafe_code",
    "unwrap_used",
    "expect_used",
    "clippy::panic",
    "clippy::todo",
    "dbg_macro",
    "indexing_slicing",
];

pub fn unexplained_exceptions(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in rust(sources) {
        for (index, line) in lines(source) {
            if !["#[allow(", "#![allow(", "#[expect(", "#![expect("]
                .iter()
                .any(|start| line.starts_with(start))
            {
                continue;
            }
            let rest = source.text.lines().skip(index).collect::<Vec<_>>().join(" ");
            let attribute = rest.split(")]").next().unwrap_or_default();
            if HOUSE_LINTS.iter().any(|lint| attribute.contains(lint)) && !attribute.contains("reason") {
                let sentence =
                    "an exception to a rule of the house carries its reason: `allow(…, reason = \"…\")`";
                findings.push(Finding::in_line(&source.path, index, sentence));
            }
        }
    }
    findings
}

pub fn notes_to_self(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources {
        let marker = match source.path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("rs" | "js" | "mjs" | "ts") => "//",
            Some("sql") => "--",
            Some("toml" | "sh") => "#",
            _ => continue,
        };
        for (index, line) in source.text.lines().enumerate() {
            let Some((_, comment)) = line.split_once(marker) else { continue };
            let first = comment
                .trim_start_matches(['/', '!', '-', '#', ' '])
                .split(|c: char| !c.is_ascii_uppercase())
                .next();
            if first.is_some_and(|word| ["TODO", "FIXME", "XXX", "HACK"].contains(&word)) {
                findings.push(Finding::in_line(
                    &source.path,
                    index,
                    "do it now or write an issue; no notes in the code",
                ));
            }
        }
    }
    findings
}

pub fn ignored_tests(sources: &[Source]) -> Vec<Finding> {
    // In pieces, so that this file does not find itself.
    let ignore = ["#[ig", "nore"].concat();
    let mut findings = Vec::new();
    for source in rust(sources) {
        for (index, line) in lines(source) {
            if line.starts_with(&ignore) {
                findings.push(Finding::in_line(
                    &source.path,
                    index,
                    "a test that does not run proves nothing",
                ));
            }
        }
    }
    findings
}

pub fn swallowed_failures(sources: &[Source]) -> Vec<Finding> {
    let scripts = sources.iter().filter(|source| {
        source.path.starts_with(".ci/")
            || has_extension(source, &["sh", "toml", "yml", "yaml"])
            || source.path.ends_with("package.json")
    });
    let mut findings = Vec::new();
    for source in scripts {
        for (index, line) in lines(source) {
            let code = line.split(" #").next().unwrap_or_default();
            let swallowed = [["|| tr", "ue"], ["|| ", ":"], ["set ", "+e"]].map(|p| p.concat());
            if swallowed.iter().any(|text| code.contains(text.as_str())) {
                findings.push(Finding::in_line(&source.path, index, "a failure must not be swallowed"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_module_without_a_header_is_found() {
        assert_eq!(missing_headers(&[source("a.rs", "use std;")]).len(), 1);
        let good = [source("a.rs", "//! A."), source("a.sql", ""), source("a/tests.rs", "use super::*;")];
        assert!(missing_headers(&good).is_empty());
    }

    #[test]
    fn an_exception_needs_a_reason() {
        let silent = ["#[all", "ow(clippy::unwrap_used)]"].concat();
        assert_eq!(unexplained_exceptions(&[source("a.rs", &silent)]).len(), 1);
        let explained = ["#[all", "ow(\n    clippy::unwrap_used,\n    reason = \"measured\"\n)]"].concat();
        assert!(unexplained_exceptions(&[source("a.rs", &explained)]).is_empty());
        let of_taste = ["#[all", "ow(clippy::too_many_lines)]"].concat();
        assert!(unexplained_exceptions(&[source("a.rs", &of_taste)]).is_empty());
    }

    #[test]
    fn notes_in_comments_are_found_and_words_in_code_are_not() {
        for (path, text) in [
            ("a.rs", ["// TO", "DO: later"]),
            ("a.sql", ["select 1; -- FIX", "ME"]),
            ("a.toml", ["# HA", "CK"]),
        ] {
            assert_eq!(notes_to_self(&[source(path, &text.concat())]).len(), 1, "{path}");
        }
        let words = ["const TODO: &str = \"# TO", "DO\"; // the directive TODO"].concat();
        assert!(notes_to_self(&[source("a.rs", &words)]).is_empty());
    }

    #[test]
    fn a_test_that_is_switched_off_is_found() {
        assert_eq!(ignored_tests(&[source("a.rs", &["    #[ig", "nore = \"slow\"]"].concat())]).len(), 1);
        assert!(ignored_tests(&[source("a.rs", "// #[test]")]).is_empty());
    }

    #[test]
    fn a_swallowed_failure_is_found_in_scripts_only() {
        let line = ["cargo test || tr", "ue"].concat();
        assert_eq!(swallowed_failures(&[source(".ci/run", &line)]).len(), 1);
        assert!(swallowed_failures(&[source("README.md", &line)]).is_empty());
        assert!(swallowed_failures(&[source(".ci/run", "cargo test")]).is_empty());
    }
}
