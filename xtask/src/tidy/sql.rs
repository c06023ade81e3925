//! Rules about SQL that are about the text; rules about the resulting catalog are tests of the database.

use super::{Finding, Source};

pub fn unexplained_definers(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("migrations/")) {
        for (line, definition) in definitions(&source.text) {
            let definer = definition
                .lines()
                .map(str::trim)
                .any(|line| line.to_lowercase().starts_with("security definer"));
            let reason =
                definition.lines().filter_map(|line| line.trim().strip_prefix("-- definer because:"));
            if definer && reason.filter(|reason| !reason.trim().is_empty()).count() == 0 {
                let sentence = "a security definer says why: a line `-- definer because: …` in its body";
                findings.push(Finding::in_line(&source.path, line, sentence));
            }
        }
    }
    findings
}

pub fn untested_functions(sources: &[Source]) -> Vec<Finding> {
    let tests: Vec<&Source> = sources
        .iter()
        .filter(|source| source.path.starts_with("supabase/tests/") || source.path.starts_with("tests/"))
        .collect();
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("migrations/")) {
        for (line, definition) in definitions(&source.text) {
            let Some(name) = public_name(definition) else { continue };
            if !tests.iter().any(|test| names(&test.text, &name)) {
                let sentence =
                    format!("no file in supabase/tests or tests names public.{name}: write its test");
                findings.push(Finding::in_line(&source.path, line, sentence));
            }
        }
    }
    findings
}

pub fn skipped_assertions(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("supabase/tests/")) {
        for (index, line) in source.text.lines().enumerate() {
            let line = line.trim().to_lowercase();
            let starts = ["select skip(", "select todo(", "select * from skip(", "select * from todo_start("];
            if starts.iter().any(|start| line.starts_with(start)) {
                findings.push(Finding::in_line(
                    &source.path,
                    index,
                    "an assertion that is skipped proves nothing",
                ));
            }
        }
    }
    findings
}

/// The function definitions of a migration with the index of their first line; each ends where the next begins.
fn definitions(text: &str) -> Vec<(usize, &str)> {
    let mut starts = Vec::new();
    let mut offset = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let lower = line.trim_start().to_lowercase();
        if lower.starts_with("create function ") || lower.starts_with("create or replace function ") {
            starts.push((index, offset));
        }
        offset += line.len();
    }
    let ends = starts.iter().skip(1).map(|(_, offset)| *offset).chain([text.len()]);
    starts.iter().zip(ends).filter_map(|((line, start), end)| Some((*line, text.get(*start..end)?))).collect()
}

fn public_name(definition: &str) -> Option<String> {
    let lower = definition.to_lowercase();
    let (_, rest) = lower.split_once("function ")?;
    let name = rest.trim_start().strip_prefix("public.")?;
    name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().map(str::to_owned)
}

/// Whether the text has the name as a whole word.
fn names(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(name).any(|(position, _)| {
        let before = text.get(..position).and_then(|t| t.chars().next_back());
        let after = text.get(position + name.len()..).and_then(|t| t.chars().next());
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    const SILENT: &str = "create function public.a()\nlanguage sql\nsecurity definer\nas $$ select 1; $$;\n";
    const EXPLAINED: &str = "create or replace function public.b()\nsecurity definer\nas $$\n    -- definer because: it writes\n$$;\n";

    #[test]
    fn a_definer_without_its_reason_is_found_even_beside_one_with() {
        let text = format!("{EXPLAINED}{SILENT}");
        let findings = unexplained_definers(&[source("migrations/1.sql", &text)]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].place, "migrations/1.sql:6");
        assert!(unexplained_definers(&[source("migrations/1.sql", EXPLAINED)]).is_empty());
        let empty = EXPLAINED.replace("it writes", "");
        assert_eq!(unexplained_definers(&[source("migrations/1.sql", &empty)]).len(), 1);
    }

    #[test]
    fn a_function_that_no_test_names_is_found() {
        let migration = source("migrations/1.sql", SILENT);
        assert_eq!(
            untested_functions(&[migration.clone(), source("supabase/tests/a.sql", "select ab();")]).len(),
            1
        );
        assert!(untested_functions(&[migration, source("tests/e2e/a.rs", "rpc(\"a\")")]).is_empty());
        let private = source("migrations/1.sql", &SILENT.replace("public", "private"));
        assert!(untested_functions(&[private]).is_empty());
    }

    #[test]
    fn a_skipped_assertion_is_found() {
        assert_eq!(
            skipped_assertions(&[source("supabase/tests/a.sql", "SELECT skip('later', 2);")]).len(),
            1
        );
        assert!(
            skipped_assertions(&[source("supabase/tests/a.sql", "select ok(true, 'skip(');")]).is_empty()
        );
    }
}
