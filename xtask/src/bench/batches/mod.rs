//! `batches`: ten thousand batches whose windows close, decided in one `orchestrate` call through the built function in
//! plain workerd; beside the usual way, which reads, decides and writes batch by batch through the REST API.
//!
//! Every turn has batches of its own, made anew. What came of them is counted after each: a contender that does less than
//! it should ends the run.

mod usual;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use super::place::Place;
use super::rounds::{Comparison, Goal, Metric};
use super::workerd::Workerd;
use crate::database::{self, Role};
use crate::keys::{self, LOCAL_JWT_SECRET};
use crate::layout::Layout;
use crate::settings::Backend;
use crate::stack::Stack;
use usual::Orders;

/// Candidates of the one call.
const BATCHES: usize = 10_000;
/// Contributions of each.
const EACH: usize = 10;
/// Candidates of a turn of the usual way; its time is scaled to as many as the one call has.
const SAMPLE: usize = 200;

const METRICS: [Metric; 2] = [
    Metric { name: "s for 10 000 batches", more_is_better: false },
    Metric { name: "batches/s", more_is_better: true },
];

const TOGETHER: &str = "one by one, its orders at once";
const EACH_ALONE: &str = "one by one, order by order";

const GOALS: [Goal; 1] = [Goal { metric: METRICS[0].name, beside: EACH_ALONE, ratio: 50.0 }];

/// Runs the comparison.
pub async fn run(place: &Place) -> Result<Vec<Comparison>> {
    let mut stack = Stack::new(place.layout.clone(), Backend::Local, Vec::new());
    let result = with(place, &mut stack).await;
    stack.stop().await?;
    Ok(vec![result?])
}

async fn with(place: &Place, stack: &mut Stack) -> Result<Comparison> {
    stack.start_database_only().await?;
    // PostgREST takes the time-out that a function asks for before it calls it, the local REST server does not: a slow
    // machine would be measured by its eight seconds.
    let mut superuser = database::connect(&place.layout, Role::Superuser).await?;
    database::run_script(&mut superuser, "alter role authenticator set statement_timeout = '60s'").await?;
    database::close(superuser).await?;
    stack.start_rest().await?;
    // What follows a decision, refunds and alerts, is not what is measured: the queue worker is played by an idle one.
    let own = place.function("batch-processor").await?.bound("QUEUE_WORKER", "idle");
    let workerd = Workerd::start(&place.layout, "bench-batches", &[own, place.peer("idle").await?])?;
    let result = compare(&place.layout, &workerd).await;
    let result = result.with_context(|| workerd.last_words());
    workerd.stop().await?;
    result
}

async fn compare(layout: &Layout, workerd: &Workerd) -> Result<Comparison> {
    let key = keys::api_key(LOCAL_JWT_SECRET, "service_role")?;
    let client = Client::builder().no_proxy().build().context("no HTTP client")?;
    let rest = format!("http://127.0.0.1:{}/rest/v1", layout.ports.rest());
    let function = format!("http://{}/functions/v1/batch-processor", workerd.address);
    let mut comparison =
        Comparison::new("batches: 10 each", &METRICS, &["Ordak", TOGETHER, EACH_ALONE], &GOALS);
    let mut turns = 0;
    let turn = async |who: usize, _| {
        turns += 1;
        let batches = if who == 0 { BATCHES } else { SAMPLE };
        make(layout, batches, turns).await?;
        let started = Instant::now();
        match who {
            0 => orchestrate(&client, &function, &key).await?,
            1 => usual::Way::new(&client, &rest, &key, Orders::AtOnce).decide_all().await?,
            _ => usual::Way::new(&client, &rest, &key, Orders::Alone).decide_all().await?,
        }
        let took = started.elapsed().as_secs_f64();
        check(layout, batches, turns).await?;
        let scale = BATCHES as f64 / batches as f64;
        Ok(vec![took * scale, batches as f64 / took])
    };
    comparison.run(turn).await?;
    Ok(comparison)
}

async fn orchestrate(client: &Client, url: &str, key: &str) -> Result<()> {
    let answer = client.post(url).bearer_auth(key).json(&json!({"jobType": "orchestrate"})).send().await?;
    let status = answer.status();
    let answer: Value = answer.json().await?;
    let results = answer.get("results").and_then(Value::as_array).map_or(0, Vec::len);
    ensure!(
        status == 200 && answer.get("processed") == Some(&json!(BATCHES)) && results == BATCHES,
        "{status}: {:.300}",
        answer.to_string()
    );
    Ok(())
}

/// The batches of a turn, and the state in which a quiet hour would have left the tables.
async fn make(layout: &Layout, batches: usize, turn: usize) -> Result<()> {
    let path = layout.checkout.path("tests/bench/batches/ground.sql");
    let script = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let filled = [("{batches}", batches), ("{each}", EACH), ("{turn}", turn)];
    let script = filled.iter().fold(script, |script, (name, value)| script.replace(name, &value.to_string()));
    let mut owner = database::connect(layout, Role::Owner).await?;
    database::run_script(&mut owner, &script).await.context("ground.sql failed")?;
    database::close(owner).await?;
    let mut superuser = database::connect(layout, Role::Superuser).await?;
    database::run_script(&mut superuser, "vacuum analyze").await?;
    database::run_script(&mut superuser, "checkpoint").await?;
    database::close(superuser).await
}

/// Whether everything was done, and nothing twice.
async fn check(layout: &Layout, batches: usize, turn: usize) -> Result<()> {
    let query = format!(
        "with mine as (
            select distinct c.batch_id from public.batch_contributions c
            join public.orders o on o.store = c.store and o.id = c.order_id
            where o.shopify_order_number::bigint / 100000000 = {turn}
        )
        select jsonb_build_object(
            'confirmed', count(*) filter (where b.status = 'confirmed'),
            'cancelled', count(*) filter (where b.status = 'cancelled'),
            'needs_review', count(*) filter (where b.status = 'needs_review'),
            'filling', count(*) filter (where b.status = 'filling'),
            'ordered', (select count(*) from public.supplier_orders s join mine on mine.batch_id = s.batch_id),
            'orders_cancelled', (select count(*) from public.orders o
                where o.shopify_order_number::bigint / 100000000 = {turn} and o.cancelled_at is not null),
            'refunds', (select count(*) from public.work_queue w
                where w.topic = 'refund' and w.payload ->> 'batch_id' in (select batch_id::text from mine)),
            'events', (select count(*) from public.event_store e
                where e.ref_id in (select 'batch:' || batch_id from mine))
        ) as done
        from public.production_batches b join mine on mine.batch_id = b.id"
    );
    let mut owner = database::connect(layout, Role::Owner).await?;
    let row = sqlx::raw_sql(AssertSqlSafe(query)).fetch_one(&mut owner).await.context("cannot count")?;
    let done: Value = row.try_get("done").context("no counts")?;
    database::close(owner).await?;
    let tenths = batches / 10;
    let expected = json!({
        "confirmed": 4 * tenths, "cancelled": 3 * tenths, "needs_review": 2 * tenths, "filling": tenths,
        "ordered": 4 * tenths, "orders_cancelled": 3 * tenths * EACH, "refunds": 3 * tenths * (EACH - EACH / 10),
        "events": batches
    });
    ensure!(done == expected, "{done} was done instead of {expected}");
    Ok(())
}
