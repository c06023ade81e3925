//! `ingest-sql`: the ingest function alone, for real orders of one to three lines with stock to hold; beside one plain
//! insert of the same rows, values ready, in one transaction.

use anyhow::{Result, ensure};

use super::deliveries::{Deliveries, held};
use super::plain::Rows;
use super::{Clients, DATABASE, METRICS, STORED, connect, ground, settle};
use crate::bench::rounds::{Comparison, Goal};
use crate::database::{self, Role};
use crate::layout::Layout;

/// Orders of a turn.
const ORDERS: usize = 600;
/// Orders before the clock runs: plans are made, pages read.
const WARM: usize = 20;
const PLAIN: &str = "plain insert of the rows";
const GOALS: [Goal; 1] = [Goal { metric: METRICS[0].name, beside: PLAIN, ratio: 0.6 }];

/// Runs the comparison with one connection and with sixteen.
pub async fn run(layout: &Layout) -> Result<Vec<Comparison>> {
    let mut deliveries = Deliveries::of(&layout.checkout, 100_000_000)?;
    ground(layout, DATABASE, STORED, &deliveries).await?;
    let one = compare(layout, &mut deliveries, 1, "ingest-sql: 1 connection").await?;
    let many = compare(layout, &mut deliveries, 16, "ingest-sql: 16 connections").await?;
    Ok(vec![one, many])
}

async fn compare(
    layout: &Layout,
    deliveries: &mut Deliveries,
    connections: usize,
    title: &'static str,
) -> Result<Comparison> {
    let mut comparison = Comparison::new(title, &METRICS, &["Ordak", PLAIN], &GOALS);
    let turn = async |who: usize, _| {
        let all = deliveries.make(ORDERS + WARM * connections)?;
        let gids: Vec<String> = all.iter().map(|delivery| delivery.gid.clone()).collect();
        let (warm, measured) = all.split_at(WARM * connections);
        let usage = if who == 0 {
            let mut clients = Clients::open(layout, DATABASE, Role::Superuser, connections, SERVICE).await?;
            clients.each(layout, warm.to_vec(), async |to, delivery| delivery.ingest(to).await).await?;
            settle(layout, DATABASE).await?;
            let usage = clients
                .each(layout, measured.to_vec(), async |to, delivery| delivery.ingest(to).await)
                .await?;
            clients.close().await?;
            usage
        } else {
            let mut superuser = connect(layout, DATABASE, Role::Superuser).await?;
            let mut rows = Vec::new();
            for delivery in all {
                let gid = delivery.gid.clone();
                delivery.ingest(&mut superuser).await?;
                rows.push(Rows::take(&mut superuser, &gid).await?);
            }
            database::close(superuser).await?;
            let measured = rows.split_off(WARM * connections);
            let mut clients = Clients::open(layout, DATABASE, Role::Superuser, connections, "").await?;
            clients.each(layout, rows, async |to, rows| rows.put(to).await).await?;
            settle(layout, DATABASE).await?;
            let usage = clients.each(layout, measured, async |to, rows| rows.put(to).await).await?;
            clients.close().await?;
            usage
        };
        let mut superuser = connect(layout, DATABASE, Role::Superuser).await?;
        let there = held(&mut superuser, &gids).await?;
        database::close(superuser).await?;
        ensure!(usize::try_from(there)? == gids.len(), "{there} orders are there instead of {}", gids.len());
        Ok(usage.per(ORDERS))
    };
    comparison.run(turn).await?;
    Ok(comparison)
}

/// As whom the edge calls.
pub const SERVICE: &str = "set role service_role; set request.jwt.claims = '{\"role\":\"service_role\"}'";
