//! Suite `access`: every cell of `supabase/access.toml`, asserted as the role that really calls.
//!
//! Each cell runs as PostgREST runs a request: claims set, role switched, one statement. Everything is rolled back.

#![allow(clippy::indexing_slicing, reason = "a serde_json::Value answers null for what it does not have")]

mod over_rest;

use anyhow::{Context, Result};
use ordak_security::caller::{Caller, Outcome};
use ordak_security::database::Database;
use ordak_security::matrix::{Matrix, Rows, Table, WORLD};
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use ordak_security::surface;
use ordak_security::tally::Tally;
use std::collections::BTreeSet;

/// Nobody but their owner may touch these.
const CLOSED_SCHEMAS: &str = "'private', 'auth'";

#[test]
fn every_cell_is_as_the_file_says() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut database = Database::connect(&stack.database)?;
    let matrix = Matrix::read()?;
    let mut tally = Tally::new("access");

    let tables = the_file_is_complete(&matrix, &mut database, &mut tally)?;
    database.run("begin")?;
    database.run(WORLD).context("the world")?;
    let mut caller = Caller { stack: &stack, database };
    for actor in Actor::ALL {
        for table in &tables {
            selects(&matrix, table, actor, &mut caller, &mut tally)?;
            writes(&matrix, table, actor, &mut caller, &mut tally)?;
        }
        for (name, rpc) in &matrix.rpcs {
            for rows in Rows::ALL {
                let Some((expected, call)) = rpc.cell(rows, actor) else { continue };
                let got = caller.outcome(actor, &format!("select public.{call} as answer"))?;
                tally.check("function cells", got.matches(expected), || {
                    format!("{} {name} {rows:?}: expected {expected}, got {got:?}", actor.name())
                });
            }
        }
        closed_schemas(actor, &mut caller, &mut tally)?;
    }
    caller.database.run("rollback")?;
    tally.finish()
}

#[test]
fn the_same_cells_hold_over_rest() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut database = Database::connect(&stack.database)?;
    let mut tally = Tally::new("access over REST");
    let matrix = Matrix::read()?;
    let tables = the_file_is_complete(&matrix, &mut database, &mut tally)?;
    over_rest::sample(&stack, &matrix, &tables, &mut database, &mut tally)?;
    tally.finish()
}

/// Compares the lists of the file with what is there, and answers every table that is there.
fn the_file_is_complete(matrix: &Matrix, database: &mut Database, tally: &mut Tally) -> Result<Vec<Table>> {
    let mut tables: BTreeSet<String> = surface::tables(database)?.into_iter().collect();
    let partitions = surface::partitions(database)?;
    for (partition, store) in &partitions {
        tables.remove(partition);
        let named = *partition == format!("orders_{store}");
        tally
            .check("lists", named, || format!("partition {partition} of store {store:?} is named otherwise"));
    }
    let rpcs: Vec<String> = surface::rpcs(database)?.into_iter().map(|rpc| rpc.name).collect();
    let distinct: BTreeSet<String> = rpcs.iter().cloned().collect();
    tally.check("lists", distinct.len() == rpcs.len(), || "there are overloads".to_owned());
    for (what, there, listed) in [
        ("tables", tables.clone(), matrix.tables().cloned().collect::<BTreeSet<String>>()),
        ("functions", distinct, matrix.rpcs.keys().cloned().collect()),
    ] {
        tally.check("lists", there == listed, || {
            let missing: Vec<&String> = there.difference(&listed).collect();
            let gone: Vec<&String> = listed.difference(&there).collect();
            format!("{what} missing from access.toml: {missing:?}; listed but not there: {gone:?}")
        });
    }
    let tables = tables.into_iter().map(|name| Table { name, store: None });
    Ok(tables.chain(partitions.into_iter().map(|(name, store)| Table { name, store: Some(store) })).collect())
}

fn selects(
    matrix: &Matrix,
    table: &Table,
    actor: Actor,
    caller: &mut Caller,
    tally: &mut Tally,
) -> Result<()> {
    for rows in Rows::ALL {
        let Some((expected, condition)) = matrix.select(table, rows, actor) else { continue };
        let name = &table.name;
        let got =
            caller.outcome(actor, &format!("select count(*)::text from public.{name} where {condition}"))?;
        let passed = match (expected, &got) {
            ("x", Outcome::Denied) => true,
            ("-", Outcome::Text(count)) => count == "0",
            ("rows", Outcome::Text(count)) => count != "0",
            _ => false,
        };
        tally.check("table cells", passed, || {
            format!("{} select {name} {rows:?}: expected {expected}, got {got:?}", actor.name())
        });
    }
    Ok(())
}

fn writes(
    matrix: &Matrix,
    table: &Table,
    actor: Actor,
    caller: &mut Caller,
    tally: &mut Tally,
) -> Result<()> {
    // The file has one word for all of them: refused. Reading it here keeps the cell in the file, not in the code.
    let Some(expected) = matrix.write(table, actor) else { return Ok(()) };
    let conditions: Vec<(Rows, String)> =
        Rows::ALL.iter().filter_map(|rows| Some((*rows, matrix.select(table, *rows, actor)?.1))).collect();
    let table = &table.name;
    let column = caller.owner(&format!(
        "select quote_ident(attname) from pg_catalog.pg_attribute
         where attrelid = 'public.{table}'::regclass and attnum > 0 and attgenerated = '' and attidentity = ''
             and not attisdropped
         order by attnum limit 1"
    ))?;
    for (rows, condition) in conditions {
        for (verb, statement) in [
            (
                "insert",
                format!(
                    "insert into public.{table} ({column}) select {column} from public.{table} where {condition}"
                ),
            ),
            ("update", format!("update public.{table} set {column} = {column} where {condition}")),
            ("delete", format!("delete from public.{table} where {condition}")),
        ] {
            let got = caller.outcome(actor, &statement)?;
            tally.check("table cells", expected == "x" && got == Outcome::Denied, || {
                format!("{} {verb} {table} {rows:?}: expected {expected}, got {got:?}", actor.name())
            });
        }
    }
    // Without a condition nothing but the privilege can refuse these.
    for statement in [
        format!("insert into public.{table} default values"),
        format!("delete from public.{table}"),
        format!("truncate public.{table}"),
        format!("lock table public.{table} in access exclusive mode"),
        format!("create trigger t after insert on public.{table} execute function private.refuse_change()"),
        format!("alter table public.{table} disable row level security"),
        format!("copy public.{table} from stdin"),
    ] {
        let got = caller.outcome(actor, &statement)?;
        tally.check("blunt writes", got == Outcome::Denied, || {
            format!("{} {statement}: {got:?}", actor.name())
        });
    }
    Ok(())
}

fn closed_schemas(actor: Actor, caller: &mut Caller, tally: &mut Tally) -> Result<()> {
    let tables = caller.owner(&format!(
        "select coalesce(string_agg(format('%I.%I', n.nspname, c.relname), ',' order by 1), '')
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
         where n.nspname in ({CLOSED_SCHEMAS}) and c.relkind in ('r', 'p', 'v', 'm')"
    ))?;
    for table in tables.split(',') {
        let got = caller.outcome(actor, &format!("select count(*)::text from {table}"))?;
        tally.check("closed tables", got == Outcome::Denied, || {
            format!("{} reads {table}: {got:?}", actor.name())
        });
    }
    Ok(())
}
