//! `hot-sku`: 64 clients that all want the same SKU, beside 64 clients that update its row in a loop and do nothing else,
//! where everybody waits for the row until the one before has committed.
//!
//! Twice: the hold alone, planned and booked by the functions that ingest itself uses, for orders that are there; and
//! whole orders. Of these the one row is the smaller part: orders with SKUs of their own stand beside them.

use anyhow::{Context, Result, ensure};
use sqlx::{PgConnection, Row};

use super::ingest::SERVICE;
use super::{Clients, DATABASE, METRICS, STORED, Usage, connect, ground, settle};
use crate::bench::orders::{HOT_SKU, Orders};
use crate::bench::rounds::{Comparison, Goal};
use crate::database::{self, Role};
use crate::layout::Layout;

const CLIENTS: usize = 64;
/// Holds of a turn.
const HOLDS: usize = 3_200;
const WARM: usize = 640;
const UPDATE: &str = "update of its row";
const LEDGER: &str = "update and ledger, plain";
const APART: &str = "Ordak, 500 SKUs";
const GOALS: [Goal; 1] = [Goal { metric: METRICS[0].name, beside: UPDATE, ratio: 0.5 }];

/// What the clients of a turn do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    /// One hold for an order that is there.
    Hold,
    /// Nothing but an update of the row.
    Update,
    /// The update and the row of the ledger, by one plain statement.
    Ledger,
    /// A whole order of this SKU.
    Order,
    /// A whole order of one of 500 others.
    Apart,
}

/// Runs both comparisons.
pub async fn run(layout: &Layout) -> Result<Vec<Comparison>> {
    let mut hot = Orders::of_one_sku(&layout.checkout, 200_000_000)?;
    ground(layout, DATABASE, STORED).await?;
    let mut apart = Orders::of_one_line(&layout.checkout, 400_000_000)?;
    let mut all = Vec::new();
    for (title, contenders, doings) in [
        (
            "hot-sku: 64 clients hold",
            &["Ordak", UPDATE, LEDGER][..],
            &[Doing::Hold, Doing::Update, Doing::Ledger][..],
        ),
        (
            "hot-sku: 64 clients ingest whole orders",
            &["Ordak", UPDATE, APART][..],
            &[Doing::Order, Doing::Update, Doing::Apart][..],
        ),
    ] {
        let mut comparison = Comparison::new(title, &METRICS, contenders, &GOALS);
        let turn = async |who: usize, _| {
            let doing = *doings.get(who).context("nobody")?;
            let before = sold(layout).await?;
            let orders = if doing == Doing::Apart { &mut apart } else { &mut hot };
            let usage = match doing {
                Doing::Hold => {
                    let holds: Vec<u64> = (0..STORED).collect();
                    turn(layout, "", &holds, async |to, order| hold(to, order).await).await?
                }
                Doing::Update => {
                    turn(layout, "", &[(); WARM + HOLDS], async |to, ()| update(to).await).await?
                }
                Doing::Ledger => {
                    let holds: Vec<u64> = (0..STORED).collect();
                    turn(layout, "", &holds, async |to, order| update_and_ledger(to, order).await).await?
                }
                Doing::Order | Doing::Apart => {
                    let made = orders.make(WARM + HOLDS)?;
                    turn(layout, SERVICE, &made, async |to, order| order.ingest(to).await).await?
                }
            };
            let sold = sold(layout).await? - before;
            let expected = if doing == Doing::Apart { 0 } else { WARM + HOLDS };
            ensure!(usize::try_from(sold)? == expected, "{sold} were sold instead of {expected}");
            Ok(usage.per(HOLDS))
        };
        comparison.run(turn).await?;
        all.push(comparison);
    }
    Ok(all)
}

/// Some of the work to warm up, the rest by the clock.
async fn turn<W: Send + Clone>(
    layout: &Layout,
    first: &str,
    work: &[W],
    call: impl AsyncFn(&mut PgConnection, W) -> Result<()>,
) -> Result<Usage> {
    let mut clients = Clients::open(layout, DATABASE, Role::Superuser, CLIENTS, first).await?;
    let mut work = work.iter().cloned();
    clients.each(layout, work.by_ref().take(WARM).collect(), &call).await?;
    settle(layout, DATABASE).await?;
    let usage = clients.each(layout, work.take(HOLDS).collect(), &call).await?;
    clients.close().await?;
    Ok(usage)
}

/// One piece for a stored order, as ingest holds it for a new one.
async fn hold(connection: &mut PgConnection, order: u64) -> Result<()> {
    let query = "with planned as materialized (
            select private.plan_new_holds(
                'bannos',
                array[row('hot', 0, $1, 'Cake', null, 1, 0, 1, false, '{}')::private.order_line], true, true
            ) as holds
        )
        select private.book_holds(
            'bannos', 'bannos-' || (1 + $2), 'gid://shopify/Order/' || (5000000000001 + $2),
            'bench:' || gen_random_uuid(), p.holds, array[p.holds[1].item_id], '{-1}', true
        ) from planned p";
    let order = i64::try_from(order)?;
    sqlx::query(query).bind(HOT_SKU).bind(order).execute(connection).await.context("no hold")?;
    Ok(())
}

async fn update(connection: &mut PgConnection) -> Result<()> {
    let query =
        "update public.inventory_items set ats = ats - 1 where store = 'bannos' and sku = $1 and ats > 0";
    let done = sqlx::query(query).bind(HOT_SKU).execute(connection).await?;
    ensure!(done.rows_affected() == 1, "nothing was sold");
    Ok(())
}

async fn update_and_ledger(connection: &mut PgConnection, order: u64) -> Result<()> {
    let query = "with taken as (
            update public.inventory_items set ats = ats - 1 where store = 'bannos' and sku = $1 and ats > 0
            returning id
        )
        insert into public.inventory_txn (item_id, store, order_id, line_id, delta, reason, idempotency_key)
        select id, 'bannos', 'bannos-' || (1 + $2), 'hot', -1, 'hold', 'bench:' || gen_random_uuid() from taken";
    let order = i64::try_from(order)?;
    let done = sqlx::query(query).bind(HOT_SKU).bind(order).execute(connection).await?;
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
