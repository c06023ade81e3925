//! `scale`: the rate of ingest on a database with a million stored orders, beside databases of the same server with a
//! hundred thousand and ten thousand.

use anyhow::{Context, Result};

use super::ingest::SERVICE;
use super::{Clients, METRICS, connect, ground, settle};
use crate::bench::orders::Orders;
use crate::bench::rounds::{Comparison, Goal};
use crate::database::{self, Role};
use crate::layout::Layout;
use crate::say;

/// Connections at a time.
const CLIENTS: usize = 16;
/// Orders of a turn.
const ORDERS: usize = 2_000;
const WARM: usize = 320;
const SIZES: [(&str, &str, u64); 3] = [
    ("1 000 000 stored orders", "scale_1000000", 1_000_000),
    ("100 000 stored orders", "scale_100000", 100_000),
    ("10 000 stored orders", "scale_10000", 10_000),
];
const GOALS: [Goal; 2] = [
    Goal { metric: METRICS[0].name, beside: SIZES[1].0, ratio: 0.85 },
    Goal { metric: METRICS[0].name, beside: SIZES[2].0, ratio: 0.85 },
];

/// Runs the comparison.
pub async fn run(layout: &Layout) -> Result<Vec<Comparison>> {
    let mut all = Orders::of(&layout.checkout, 300_000_000)?;
    for (name, database, orders) in SIZES {
        let step = say::step(format!("making {name}"));
        // From the migrated database, to which nobody is connected now.
        let mut maker = connect(layout, "template1", Role::Superuser).await?;
        database::run_script(&mut maker, &format!("create database {database} template postgres")).await?;
        database::close(maker).await?;
        ground(layout, database, orders).await?;
        step.done();
    }
    let names = SIZES.map(|(name, ..)| name);
    let mut comparison = Comparison::new("scale: 16 connections", &METRICS, &names, &GOALS);
    let turn = async |who: usize, _| {
        let (_, database, _) = SIZES.get(who).copied().context("no such size")?;
        let mut clients = Clients::open(layout, database, Role::Superuser, CLIENTS, SERVICE).await?;
        let (warm, measured) = (all.make(WARM)?, all.make(ORDERS)?);
        clients.each(layout, warm, async |to, order| order.ingest(to).await).await?;
        settle(layout, database).await?;
        let usage = clients.each(layout, measured, async |to, order| order.ingest(to).await).await?;
        clients.close().await?;
        Ok(usage.per(ORDERS))
    };
    comparison.run(turn).await?;
    Ok(vec![comparison])
}
