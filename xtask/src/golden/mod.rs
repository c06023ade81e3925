//! `schema`: what the migrations make, as a text that is kept in `supabase/schema.txt`. A change of the schema shows up in
//! it as a readable difference, also one that nobody meant: a grant, a policy, an index. It knows the catalog of the
//! database and no table of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result};
use sqlx::Row;

use crate::database::{self, Role};
use crate::interrupt::Interrupt;
use crate::layout::{Checkout, Layout, StackName};
use crate::settings::Backend;
use crate::stack::Stack;
use crate::suites::live::take;
use crate::{say, setup};

const CATALOG: &str = include_str!("catalog.sql");
const FILE: &str = "supabase/schema.txt";
/// So many lines of a difference are shown.
const SHOWN: usize = 120;

/// Writes the file anew, from the migrations in a fresh database.
pub async fn rewrite(checkout: &Checkout) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let layout = Layout::new(checkout, StackName::Test)?;
    let _lock = take(&layout)?;
    interrupt.unless(setup::packages(checkout)).await?;
    let mut stack = Stack::new(layout.clone(), Backend::Local, Vec::new());
    let result = interrupt.unless(read_fresh(&mut stack, &layout)).await;
    stack.stop().await?;
    let (schema, kept) = (result?, kept(checkout));
    match difference(&kept, &schema) {
        None => say::info(format!("{FILE} is what the migrations make.")),
        Some(difference) => {
            let path = path(checkout);
            std::fs::write(&path, schema).with_context(|| format!("cannot write {}", path.display()))?;
            say::info(format!("{difference}\n{FILE} is written."));
        }
    }
    Ok(())
}

/// How the schema of a running database differs from the file; none when it does not.
pub async fn check(layout: &Layout) -> Result<Option<String>> {
    let difference = difference(&kept(&layout.checkout), &read(layout).await?);
    Ok(difference.map(|difference| {
        format!(
            "{FILE} is not what the migrations make (- kept, + made):\n{difference}\n\
             `cargo xtask schema` writes it anew; read the difference before you commit it"
        )
    }))
}

async fn read_fresh(stack: &mut Stack, layout: &Layout) -> Result<String> {
    stack.start_database_only().await?;
    read(layout).await
}

async fn read(layout: &Layout) -> Result<String> {
    let mut connection = database::connect(layout, Role::Owner).await?;
    // So that every name is written with its schema.
    database::run_script(&mut connection, "set search_path = ''").await?;
    let row = sqlx::raw_sql(CATALOG)
        .fetch_one(&mut connection)
        .await
        .map_err(|error| database::explain(CATALOG, error))?;
    let schema = row.try_get("schema").context("the catalog cannot be read")?;
    database::close(connection).await?;
    Ok(schema)
}

fn path(checkout: &Checkout) -> PathBuf {
    checkout.path(FILE)
}

/// A file that is not there is an empty one.
fn kept(checkout: &Checkout) -> String {
    std::fs::read_to_string(path(checkout)).unwrap_or_default()
}

/// Heading and lines of every block.
fn blocks(schema: &str) -> BTreeMap<&str, Vec<&str>> {
    let texts = schema.split("\n\n").map(str::trim_end).filter(|text| !text.is_empty());
    texts
        .filter_map(|text| {
            let mut lines = text.lines();
            Some((lines.next()?, lines.collect()))
        })
        .collect()
}

/// Block by block: what is gone, what is new.
fn difference(kept: &str, made: &str) -> Option<String> {
    if kept == made {
        return None;
    }
    let (before, after) = (blocks(kept), blocks(made));
    let none = Vec::new();
    let mut lines = Vec::new();
    let headings: std::collections::BTreeSet<&&str> = before.keys().chain(after.keys()).collect();
    for heading in headings {
        let (old, new) = (before.get(*heading).unwrap_or(&none), after.get(*heading).unwrap_or(&none));
        let sign = match (before.contains_key(*heading), after.contains_key(*heading)) {
            (true, false) => '-',
            (false, true) => '+',
            _ if old == new => continue,
            _ => ' ',
        };
        lines.push(format!("{sign} {heading}"));
        let shown = lines.len();
        lines.extend(old.iter().filter(|line| !new.contains(line)).map(|line| format!("- {line}")));
        lines.extend(new.iter().filter(|line| !old.contains(line)).map(|line| format!("+ {line}")));
        if lines.len() == shown {
            lines.push("      (the same lines in another order or number)".to_owned());
        }
    }
    if lines.is_empty() {
        lines.push("  (the same blocks in another order)".to_owned());
    }
    let more = lines.len().saturating_sub(SHOWN);
    lines.truncate(SHOWN);
    if more > 0 {
        lines.push(format!("  … and {more} lines more"));
    }
    Some(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: &str = "table public.a\n    id integer\n    granted to authenticated: select\n\ntable public.b\n    id integer\n";

    #[test]
    fn the_same_is_no_difference() {
        assert_eq!(difference(KEPT, KEPT), None);
    }

    #[test]
    fn a_difference_is_told_by_block() {
        let made = KEPT.replace("select", "insert, select").replace("table public.b", "table public.c");
        assert_eq!(
            difference(KEPT, &made).unwrap(),
            "  table public.a\n\
             -     granted to authenticated: select\n\
             +     granted to authenticated: insert, select\n\
             - table public.b\n\
             -     id integer\n\
             + table public.c\n\
             +     id integer"
        );
    }

    #[test]
    fn order_and_number_count() {
        let made = "table public.b\n    x\n    y\n";
        let turned = "table public.b\n    y\n    x\n";
        assert!(difference(made, turned).unwrap().contains("another order"));
        assert!(difference("", KEPT).unwrap().starts_with("+ table public.a"));
    }

    #[test]
    fn the_kept_schema_names_what_everything_rests_on() {
        let schema = kept(&Checkout::find().unwrap());
        let blocks = blocks(&schema);
        for heading in ["table public.orders", "function public.scan", "type public.order_stage"] {
            assert!(blocks.contains_key(heading), "{heading}");
        }
        assert!(!schema.contains("orders_bannos"), "a store's partition is no part of the schema");
    }
}
