//! `ingest-sql`: the ingest function alone, for real orders of one to three lines with stock to hold; beside one plain
//! insert of the same rows, values ready, in one transaction.

use anyhow::{Result, ensure};
use sqlx::{PgConnection, Row};

use super::plain::Rows;
use super::{Clients, DATABASE, METRICS, STORED, connect, ground, settle};
use crate::bench::orders::Orders;
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
    let mut orders = Orders::of(&layout.checkout, 100_000_000)?;
    ground(layout, DATABASE, STORED).await?;
    let one = compare(layout, &mut orders, 1, "ingest-sql: 1 connection").await?;
    let many = compare(layout, &mut orders, 16, "ingest-sql: 16 connections").await?;
    Ok(vec![one, many])
}

async fn compare(
    layout: &Layout,
    orders: &mut Orders,
    connections: usize,
    title: &'static str,
) -> Result<Comparison> {
    let mut comparison = Comparison::new(title, &METRICS, &["Ordak", PLAIN], &GOALS);
    let turn = async |who: usize, _| {
        let all = orders.make(ORDERS + WARM * connections)?;
        let gids: Vec<String> = all.iter().map(|order| order.gid.clone()).collect();
        let (warm, measured) = all.split_at(WARM * connections);
        let usage = if who == 0 {
            let mut clients = Clients::open(layout, DATABASE, Role::Superuser, connections, SERVICE).await?;
            clients.each(layout, warm.to_vec(), async |to, order| order.ingest(to).await).await?;
            settle(layout, DATABASE).await?;
            let usage =
                clients.each(layout, measured.to_vec(), async |to, order| order.ingest(to).await).await?;
            clients.close().await?;
            usage
        } else {
            let mut superuser = connect(layout, DATABASE, Role::Superuser).await?;
            let mut rows = Vec::new();
            for order in all {
                order.ingest(&mut superuser).await?;
                rows.push(Rows::take(&mut superuser, &order.gid).await?);
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

/// How many orders of ours hold all that they want; who does less than he should ends the run.
async fn held(connection: &mut PgConnection, gids: &[String]) -> Result<i64> {
    let query = "select count(*) as held from public.orders o
        where o.shopify_order_gid = any($1) and o.allocation_status = 'allocated'
            and exists (select 1 from public.inventory_txn t where t.store = o.store and t.order_id = o.id)
            and exists (select 1 from public.stage_events e where e.store = o.store and e.order_id = o.id)";
    let row = sqlx::query(query).bind(gids).fetch_one(connection).await?;
    Ok(row.try_get("held")?)
}
