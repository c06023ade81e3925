//! Suite `catalog`: the advisors of Supabase find nothing, and would find something.
//!
//! The rules of the house themselves are pgTAP, in `supabase/tests/house_rules_test.sql`. Here the Supabase CLI judges
//! the migrated database, and then a scratch database with a planted fault of every kind.

#![allow(clippy::indexing_slicing, reason = "a serde_json::Value answers null for what it does not have")]

use anyhow::{Context, Result, bail, ensure};
use ordak_security::database::Database;
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

/// A database that exists while the suite runs.
const SCRATCH: &str = "ordak_planted_faults";

/// The one advisor that is not asked: in a database without history every index is unused.
const ABOUT_HISTORY: &str = "unused_index";

/// What the planted faults must be called.
const PLANTED: [&str; 17] = [
    "auth_rls_initplan",
    "auth_users_exposed",
    "duplicate_index",
    "fkey_to_auth_unique",
    "function_search_path_mutable",
    "materialized_view_in_api",
    "multiple_permissive_policies",
    "no_primary_key",
    "policy_exists_rls_disabled",
    "rls_disabled_in_public",
    "rls_enabled_no_policy",
    "rls_policy_always_true",
    "rls_references_user_metadata",
    "security_definer_view",
    "sensitive_columns_exposed",
    "unindexed_foreign_keys",
    "unsupported_reg_types",
];

#[test]
fn the_advisors_find_nothing_but_what_was_planted() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut tally = Tally::new("catalog");
    let findings = advisors(&stack.database)?;
    tally.check("databases judged", findings.is_empty(), || format!("the advisors say {findings:?}"));

    let found = with_scratch_database(&stack)?;
    let names: BTreeSet<&str> = found.iter().filter_map(|finding| finding.split(' ').next()).collect();
    for fault in PLANTED {
        tally.check("planted faults found", names.contains(fault), || {
            format!("{fault} was not found: {found:?}")
        });
    }
    tally.finish()
}

fn with_scratch_database(stack: &Stack) -> Result<Vec<String>> {
    let (server, _) = stack.database.rsplit_once('/').context("DATABASE_URL names a database")?;
    let url = format!("{server}/{SCRATCH}");
    let mut owner = Database::connect(&stack.database)?;
    owner.run(&format!("drop database if exists {SCRATCH} with (force)"))?;
    owner.run(&format!("create database {SCRATCH} template template0"))?;
    let planted =
        Database::connect(&url).and_then(|mut scratch| Ok(scratch.run(include_str!("planted.sql"))?));
    let found = planted.and_then(|()| advisors(&url));
    owner.run(&format!("drop database if exists {SCRATCH} with (force)"))?;
    found
}

/// What the advisors say at every level, name first.
fn advisors(database: &str) -> Result<Vec<String>> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let program = root.join("node_modules/.bin/supabase");
    ensure!(program.exists(), "the Supabase CLI is not installed: npm ci");
    let output = Command::new(&program)
        .args(["db", "advisors", "--type", "all", "--level", "info", "--output-format", "json"])
        .arg(format!("--remote={database}"))
        .current_dir(&root)
        .output()
        .context("run the Supabase CLI")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answer: Value = match serde_json::from_str(&text) {
        Ok(answer) if output.status.success() => answer,
        _ => bail!(
            "supabase db advisors: {} {text} {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        ),
    };
    let results = answer["results"].as_array().context("a list of results")?;
    Ok(results
        .iter()
        .filter(|finding| finding["name"] != ABOUT_HISTORY)
        .map(|finding| {
            let text = |name: &str| finding[name].as_str().unwrap_or_default().to_owned();
            format!("{} {}: {}", text("name"), text("level"), text("detail"))
        })
        .collect())
}
