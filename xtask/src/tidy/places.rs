//! Rules about where things are, how they are called and how big they may grow.

use super::{Finding, Source, has_extension};

/// The top level is fixed; what a tool insists on is listed with it.
const TOP_LEVEL: [&str; 16] = [
    ".cargo",
    ".ci",
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "functions",
    "migrations",
    "package-lock.json",
    "package.json",
    "rustfmt.toml",
    "supabase",
    "tests",
    "wrangler.toml",
];
/// Files are meant to stay near 350 lines; here is where it ends.
const LONGEST: usize = 500;

pub fn unknown_top_level_entries(sources: &[Source]) -> Vec<Finding> {
    let mut entries: Vec<&str> = sources.iter().filter_map(|source| source.path.split('/').next()).collect();
    entries.dedup();
    let unknown = entries.into_iter().filter(|entry| *entry != "xtask" && !TOP_LEVEL.contains(entry));
    let sentence = "unknown at the top level, which is fixed: move it below a folder that is there";
    unknown.map(|entry| Finding::in_file(entry, sentence)).collect()
}

pub fn long_files(sources: &[Source]) -> Vec<Finding> {
    let written = |source: &&Source| has_extension(source, &["rs", "sql", "toml", "md", "js", "mjs", "ts"]);
    let golden = |source: &&Source| source.path.contains("/golden/");
    let lengths = sources.iter().filter(written).filter(|source| !golden(source)).map(|source| {
        let lines = source.text.lines().count();
        (source, lines)
    });
    let long = lengths.filter(|(_, lines)| *lines > LONGEST);
    long.map(|(source, lines)| {
        Finding::in_file(
            &source.path,
            format!("{lines} lines: more than {LONGEST} do not fit in the head; split it"),
        )
    })
    .collect()
}

pub fn paths_of_one_machine(sources: &[Source]) -> Vec<Finding> {
    // In pieces, so that this file does not find itself.
    let beginnings = [["/ho", "me/"], ["/ro", "ot/"], ["/Use", "rs/"], ["/wo", "rk/"], ["/tmp/", "lab"]]
        .map(|p| p.concat());
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !source.path.starts_with("tests/fixtures/")) {
        for (index, line) in source.text.lines().enumerate() {
            for beginning in &beginnings {
                if let Some(position) = line.find(beginning.as_str())
                    && !ends_in_a_name(line.get(..position).unwrap_or_default())
                {
                    findings.push(Finding::in_line(
                        &source.path,
                        index,
                        format!("`{beginning}…` is a path of one machine: make it relative"),
                    ));
                }
            }
        }
    }
    findings
}

/// `https://shop/home/` and `../root/` are no absolute paths.
fn ends_in_a_name(before: &str) -> bool {
    before.ends_with(|c: char| c.is_alphanumeric() || ".-_}>)".contains(c))
}

pub fn download_addresses(sources: &[Source]) -> Vec<Finding> {
    let lock_files = sources.iter().filter(|source| source.path.ends_with("package-lock.json"));
    let mut findings = Vec::new();
    for source in lock_files {
        for (index, line) in source.text.lines().enumerate() {
            if line.trim_start().starts_with("\"resolved\"") {
                let sentence =
                    "names a registry: `npm install --omit-lockfile-registry-resolved` writes it without";
                findings.push(Finding::in_line(&source.path, index, sentence));
                break;
            }
        }
    }
    findings
}

pub fn misnamed_migrations(sources: &[Source]) -> Vec<Finding> {
    let migrations = sources.iter().filter_map(|source| source.path.strip_prefix("migrations/"));
    let sentence = "a migration is called <14 digits>_<subject>.sql, and nothing else lies beside it";
    migrations
        .filter(|name| !is_migration(name))
        .map(|name| Finding::in_file(&format!("migrations/{name}"), sentence))
        .collect()
}

fn is_migration(name: &str) -> bool {
    let Some((time, subject)) = name.split_once('_') else { return false };
    let Some(subject) = subject.strip_suffix(".sql") else { return false };
    time.len() == 14
        && time.chars().all(|c| c.is_ascii_digit())
        && !subject.is_empty()
        && subject.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    #[test]
    fn a_stranger_at_the_top_is_found_and_the_rest_is_not() {
        let sources = [source("README.md", ""), source("notes.txt", ""), source("xtask/src/main.rs", "")];
        let findings = unknown_top_level_entries(&sources);
        assert_eq!(findings.iter().map(|f| f.place.as_str()).collect::<Vec<_>>(), ["notes.txt"]);
    }

    #[test]
    fn a_file_may_have_500_lines_and_not_one_more() {
        let lines = |n: usize| "x\n".repeat(n);
        assert!(
            long_files(&[source("a.rs", &lines(500)), source("package-lock.json", &lines(900))]).is_empty()
        );
        assert_eq!(long_files(&[source("a.sql", &lines(501))]).len(), 1);
    }

    #[test]
    fn an_absolute_path_of_a_person_is_found_and_a_relative_one_is_not() {
        let path = ["see /ho", "me/jo/x"].concat();
        assert_eq!(paths_of_one_machine(&[source("a.md", &path)]).len(), 1);
        let harmless = ["https://example.com/ho", "me/x and ../wo", "rk/x"].concat();
        assert!(paths_of_one_machine(&[source("a.md", &harmless)]).is_empty());
        assert!(paths_of_one_machine(&[source("tests/fixtures/a.json", &path)]).is_empty());
    }

    #[test]
    fn a_lock_file_with_addresses_is_found() {
        assert_eq!(download_addresses(&[source("package-lock.json", "  \"resolved\": \"x\"")]).len(), 1);
        assert!(download_addresses(&[source("package-lock.json", "  \"integrity\": \"x\"")]).is_empty());
    }

    #[test]
    fn migrations_have_a_time_and_a_subject() {
        let good = source("migrations/20261121000100_foundation.sql", "");
        assert!(misnamed_migrations(&[good]).is_empty());
        for bad in
            ["migrations/foundation.sql", "migrations/20261121000100_Foundation.sql", "migrations/notes.md"]
        {
            assert_eq!(misnamed_migrations(&[source(bad, "")]).len(), 1, "{bad}");
        }
    }
}
