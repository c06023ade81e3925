//! `hot-sku`: 64 clients whose orders all want the same SKU; beside 64 clients that update its row in a loop and do
//! nothing else, where everybody waits for the row until the one before has committed. Orders with SKUs of their own
//! stand beside them to show what the one row costs, and what all the rest of an order.

use anyhow::{Result, ensure};
use sqlx::Row;

use super::ingest::SERVICE;
use super::{Clients, DATABASE, METRICS, STORED, connect, ground, settle};
use crate::bench::orders::{HOT_SKU, Orders};
use crate::bench::rounds::{Comparison, Goal};
use crate::database::{self, Role};
use crate::layout::Layout;

const CLIENTS: usize = 64;
/// Holds of a turn.
const HOLDS: usize = 3_200;
const WARM: usize = 640;
const UPDATE: &str = "update of its row";
const APART: &str = "Ordak, 500 SKUs";
const GOALS: [Goal; 1] = [Goal { metric: METRICS[0].name, beside: UPDATE, ratio: 0.5 }];

/// Runs the comparison.
pub async fn run(layout: &Layout) -> Result<Vec<Comparison>> {
    let mut hot = Orders::of_one_sku(&layout.checkout, 200_000_000)?;
    ground(layout, DATABASE, STORED).await?;
    let mut apart = Orders::of_one_line(&layout.checkout, 400_000_000)?;
    let mut comparison = Comparison::new("hot-sku: 64 clients", &METRICS, &["Ordak", UPDATE, APART], &GOALS);
    let turn = async |who: usize, _| {
        let before = sold(layout).await?;
        let usage = if who != 1 {
            let orders = if who == 0 { &mut hot } else { &mut apart };
            let mut clients = Clients::open(layout, DATABASE, Role::Superuser, CLIENTS, SERVICE).await?;
            let (warm, measured) = (orders.make(WARM)?, orders.make(HOLDS)?);
            clients.each(layout, warm, async |to, order| order.ingest(to).await).await?;
            settle(layout, DATABASE).await?;
            let usage = clients.each(layout, measured, async |to, order| order.ingest(to).await).await?;
            clients.close().await?;
            usage
        } else {
            let mut clients = Clients::open(layout, DATABASE, Role::Superuser, CLIENTS, "").await?;
            clients.each(layout, vec![(); WARM], async |to, ()| update(to).await).await?;
            settle(layout, DATABASE).await?;
            let usage = clients.each(layout, vec![(); HOLDS], async |to, ()| update(to).await).await?;
            clients.close().await?;
            usage
        };
        let sold = sold(layout).await? - before;
        let expected = if who == 2 { 0 } else { WARM + HOLDS };
        ensure!(usize::try_from(sold)? == expected, "{sold} were sold instead of {expected}");
        Ok(usage.per(HOLDS))
    };
    comparison.run(turn).await?;
    Ok(vec![comparison])
}

async fn update(connection: &mut sqlx::PgConnection) -> Result<()> {
    let query =
        "update public.inventory_items set ats = ats - 1 where store = 'bannos' and sku = $1 and ats > 0";
    let done = sqlx::query(query).bind(HOT_SKU).execute(connection).await?;
    ensure!(done.rows_affected() == 1, "nothing was sold");
    Ok(())
}

async fn sold(layout: &Layout) -> Result<i64> {
    let mut superuser = connect(layout, DATABASE, Role::Superuser).await?;
    let query = "select (opening_ats - ats)::bigint as sold from public.inventory_items
        where store = 'bannos' and sku = $1";
    let row = sqlx::query(query).bind(HOT_SKU).fetch_one(&mut superuser).await?;
    database::close(superuser).await?;
    Ok(row.try_get("sold")?)
}
