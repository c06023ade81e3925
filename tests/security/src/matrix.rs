//! The checked-in files `supabase/access.toml` and `access_service.toml`, read into cells, and the world that their cells
//! are about.
//!
//! Knows nothing of what is true; that is for the database to show.

use crate::people::Actor;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where the files are: one matrix in two parts.
const PATHS: [&str; 2] = [
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../supabase/access.toml"),
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../supabase/access_service.toml"),
];

/// One row of every table for each store, for a transaction that is rolled back.
pub const WORLD: &str = include_str!("world.sql");

/// The file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrix {
    actors: Vec<String>,
    classes: BTreeMap<String, Class>,
    /// Table to class; a name may stand for all partitions of a table: `orders_*`.
    tables: BTreeMap<String, String>,
    /// Function to its row.
    pub rpcs: BTreeMap<String, Rpc>,
}

/// Tables whose cells are the same.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Why, for readers.
    #[serde(rename = "about")]
    _about: String,
    own_is: String,
    other_is: String,
    none_is: String,
    own: String,
    other: String,
    none: String,
    writes: String,
}

/// A function: how it is called, and what comes of it for rows of which store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rpc {
    call: String,
    own: Option<String>,
    other: Option<String>,
    none: Option<String>,
}

/// A table that is there.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The store whose partition it is.
    pub store: Option<String>,
}

/// Whose rows a cell is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Of the actor's store.
    Own,
    /// Of the other store.
    Other,
    /// Of no store.
    None,
}

impl Rows {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Own, Self::Other, Self::None];
}

impl Matrix {
    /// Reads the file and checks that every row has a cell for every actor.
    ///
    /// # Errors
    /// When it cannot be read or is not in its form.
    pub fn read() -> Result<Self> {
        let mut text = String::new();
        for path in PATHS {
            text.push_str(&std::fs::read_to_string(path).with_context(|| format!("read {path}"))?);
        }
        let matrix: Self = toml::from_str(&text).context("supabase/access.toml with access_service.toml")?;
        let names: Vec<&str> = Actor::ALL.iter().map(|actor| actor.name()).collect();
        ensure!(matrix.actors == names, "the actors are {names:?}, in this order");
        for (name, class) in &matrix.classes {
            ensure!(matrix.tables.values().any(|used| used == name), "no table is of class {name}");
            for (cells, allowed) in [
                (&class.own, ["x", "-", "rows"].as_slice()),
                (&class.other, &["x", "-", "rows"]),
                (&class.none, &["x", "-", "rows"]),
                (&class.writes, &["x"]),
            ] {
                let cells: Vec<&str> = cells.split_whitespace().collect();
                ensure!(
                    cells.len() == names.len(),
                    "class {name}: {} cells in a row of {}",
                    cells.len(),
                    names.len()
                );
                ensure!(
                    cells.iter().all(|cell| allowed.contains(cell)),
                    "class {name}: only {allowed:?} in {cells:?}"
                );
            }
        }
        for class in matrix.tables.values() {
            ensure!(matrix.classes.contains_key(class), "there is no class {class}");
        }
        for (name, rpc) in &matrix.rpcs {
            ensure!(
                rpc.none.is_some() != (rpc.own.is_some() && rpc.other.is_some()),
                "{name}: own and other, or none"
            );
            for cells in [&rpc.own, &rpc.other, &rpc.none].into_iter().flatten() {
                ensure!(
                    cells.split_whitespace().count() == names.len(),
                    "{name}: a cell for each of {names:?}"
                );
            }
            ensure!(rpc.call.starts_with(&format!("{name}(")), "{name} calls something else: {}", rpc.call);
        }
        Ok(matrix)
    }

    /// The tables that are listed, without those that stand for partitions.
    pub fn tables(&self) -> impl Iterator<Item = &String> {
        self.tables.keys().filter(|name| !name.ends_with('*'))
    }

    /// What a select of these rows shows, and the condition that picks them; `None` when there can be no such rows.
    #[must_use]
    pub fn select(&self, table: &Table, rows: Rows, actor: Actor) -> Option<(&str, String)> {
        let class = self.class(table)?;
        let elsewhere = match (&table.store, rows) {
            (Some(store), Rows::Own) => store != actor.own_store(),
            (Some(store), Rows::Other) => store == actor.own_store(),
            _ => false,
        };
        if elsewhere {
            return None;
        }
        let (cells, condition) = match rows {
            Rows::Own => (&class.own, &class.own_is),
            Rows::Other => (&class.other, &class.other_is),
            Rows::None => (&class.none, &class.none_is),
        };
        Some((cell(cells, actor)?, fill(condition, actor, actor.own_store())))
    }

    /// What a write comes to.
    #[must_use]
    pub fn write(&self, table: &Table, actor: Actor) -> Option<&str> {
        cell(&self.class(table)?.writes, actor)
    }

    fn class(&self, table: &Table) -> Option<&Class> {
        let name = match &table.store {
            Some(store) => format!("{}*", table.name.strip_suffix(store.as_str())?),
            None => table.name.clone(),
        };
        self.classes.get(self.tables.get(&name)?)
    }
}

impl Rpc {
    /// The call and what comes of it, `None` when this function has no such row.
    #[must_use]
    pub fn cell(&self, rows: Rows, actor: Actor) -> Option<(&str, String)> {
        let (cells, store) = match rows {
            Rows::Own => (self.own.as_ref()?, actor.own_store()),
            Rows::Other => (self.other.as_ref()?, actor.other_store()),
            Rows::None => (self.none.as_ref()?, actor.own_store()),
        };
        Some((cell(cells, actor)?, fill(&self.call, actor, store)))
    }
}

fn cell(cells: &str, actor: Actor) -> Option<&str> {
    let column = Actor::ALL.iter().position(|known| *known == actor)?;
    cells.split_whitespace().nth(column)
}

fn fill(template: &str, actor: Actor, store: &str) -> String {
    template
        .replace("{own}", actor.own_store())
        .replace("{other}", actor.other_store())
        .replace("{store}", store)
        .replace("{n}", if store == "bannos" { "1" } else { "2" })
        .replace("{user}", actor.user().or(Actor::Staff.user()).unwrap_or_default())
}
