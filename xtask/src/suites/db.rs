//! The suite `db`: the schema against what is kept of it, each pgTAP file of `supabase/tests`, and every cell of the
//! access matrix, against a fresh database. Files run over the driver as the role that owns the schema, as `supabase test
//! db` runs them, and take on the roles they need.

use std::path::Path;

use anyhow::{Context, Result};
use futures_util::StreamExt;
use sqlx::{Either, Row, ValueRef};

use super::live::take;
use super::tap::{self, Verdict};
use super::{Counts, cargo};
use crate::database::{self, Role};
use crate::digest;
use crate::interrupt::Interrupt;
use crate::layout::{Checkout, Layout, StackName};
use crate::settings::{self, Backend};
use crate::stack::Stack;
use crate::{golden, say, setup};

/// Brings a fresh database up, runs the files, and takes it down whatever happens.
pub async fn run(checkout: &Checkout, interrupt: &Interrupt) -> Result<Counts> {
    let layout = Layout::new(checkout, StackName::Test)?;
    let _lock = take(&layout)?;
    interrupt.unless(setup::packages(checkout)).await?;
    let mut stack = Stack::new(layout.clone(), Backend::Local, Vec::new());
    let result = interrupt.unless(test(&mut stack, &layout)).await;
    stack.stop().await?;
    result
}

async fn test(stack: &mut Stack, layout: &Layout) -> Result<Counts> {
    stack.start_database_only().await?;
    let folder = layout.checkout.path("supabase/tests");
    let mut counts = Counts::default();
    let changed = golden::check(layout).await?;
    say::info(format!("{} the schema that is kept", if changed.is_none() { "ok  " } else { "FAIL" }));
    if let Some(difference) = &changed {
        say::info(format!("     {}", difference.replace('\n', "\n     ")));
    }
    counts.add(Counts::one(changed.is_none()));
    for file in digest::files_below(&folder, &[])? {
        if file.extension().is_none_or(|extension| extension != "sql") {
            continue;
        }
        let name = file.strip_prefix(&folder).unwrap_or(&file).display().to_string();
        let verdict = run_file(layout, &file).await?;
        say::info(format!(
            "{} {name}: {} passed",
            if verdict.failures.is_empty() { "ok  " } else { "FAIL" },
            verdict.passed
        ));
        for failure in &verdict.failures {
            say::info(format!("     {}", failure.replace('\n', "\n     ")));
        }
        counts.add(Counts { passed: verdict.passed, failed: verdict.failures.len() as u64 });
    }
    counts.add(access_matrix(layout).await?);
    Ok(counts)
}

/// The part of the suite `security` that needs nothing but the database: whoever changes SQL meets it here.
async fn access_matrix(layout: &Layout) -> Result<Counts> {
    let arguments =
        ["test", "--package", "ordak-security", "--test", "access", "every_cell_is_as_the_file_says"];
    let mut tests = cargo::command(&layout.checkout, &arguments);
    tests.envs(settings::env(layout, &Backend::Local)?.iter());
    cargo::test(tests).await
}

async fn run_file(layout: &Layout, file: &Path) -> Result<Verdict> {
    let script = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut connection = database::connect(layout, Role::Owner).await?;
    let mut lines = Vec::new();
    let mut died = None;
    {
        let mut results = sqlx::raw_sql(sqlx::AssertSqlSafe(script.clone())).fetch_many(&mut connection);
        while let Some(result) = results.next().await {
            match result {
                Ok(Either::Right(row)) => lines.extend(first_column(&row).lines().map(str::to_owned)),
                Ok(Either::Left(_)) => {}
                Err(error) => {
                    died = Some(format!("{:#}", database::explain(&script, error)));
                    break;
                }
            }
        }
    }
    database::close(connection).await?;
    Ok(tap::judge(&lines, died))
}

/// TAP comes as text in the first column; other values are none of our business.
fn first_column(row: &sqlx::postgres::PgRow) -> String {
    match row.try_get_raw(0) {
        Ok(value) if !value.is_null() => value.as_str().map(str::to_owned).unwrap_or_default(),
        _ => String::new(),
    }
}
