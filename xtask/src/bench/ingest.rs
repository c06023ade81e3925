//! `ingest`: distinct signed orders, from the request to the commit. Ordak's function beside a TypeScript worker that makes
//! the same call, one that works as usual in several calls, the call without any function, and the SQL function alone.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::database;
use super::load::{self, CONNECTIONS, Expected, Shot, Volume};
use super::orders::{Order, Orders};
use super::place::Place;
use super::rounds::{Comparison, Goal, Metric};
use super::sessions::Sessions;
use super::workerd::{Worker, Workerd};
use crate::database::{self as postgres, Role};
use crate::layout::Layout;

/// Orders in a turn.
const ORDERS: usize = 6000;
/// Orders before each turn that are not counted: who was idle while others had theirs begins with cold caches, and has been
/// given back what it had no use for.
const WARM_UP: usize = 300;
/// The answer of everybody.
const TAKEN: Expected = Expected { status: 200, part: "created" };

const SAME_CALL: &str = "TypeScript, same call";
const USUAL: &str = "TypeScript, as usual";
const NO_FUNCTION: &str = "no function, bare RPC";
const CONTENDERS: [&str; 6] =
    ["Ordak", SAME_CALL, USUAL, NO_FUNCTION, "SQL over Postgres' protocol", "Ordak behind its gateway"];

const METRICS: [Metric; 4] = [
    Metric { name: "requests/s", more_is_better: true },
    Metric { name: "p50 ms", more_is_better: false },
    Metric { name: "p99 ms", more_is_better: false },
    Metric { name: "workerd, CPU µs/request", more_is_better: false },
];

const GOALS: [Goal; 4] = [
    Goal { metric: "requests/s", beside: SAME_CALL, ratio: 1.0 },
    Goal { metric: "p99 ms", beside: SAME_CALL, ratio: 1.0 },
    Goal { metric: "requests/s", beside: USUAL, ratio: 2.0 },
    Goal { metric: "requests/s", beside: NO_FUNCTION, ratio: 0.8 },
];

/// Runs the comparison.
pub async fn run(place: &Place) -> Result<Vec<Comparison>> {
    let (own, idle) = (place.function("order-ingest").await?, place.peer("idle").await?);
    let own = own.bound("QUEUE_WORKER", "idle");
    let gateway = place.function("gateway").await?.every_service_but("ORDER_INGEST", "idle");
    let groups = [
        vec![own.clone(), idle.clone()],
        vec![place.peer("order-ingest").await?],
        vec![place.peer("order-ingest-usual").await?],
        vec![gateway, own, idle],
    ];
    database::with(place, "ingest", async || {
        stock_up(&place.layout).await?;
        let running = Workers::start(&place.layout, &groups)?;
        let result = compare(place, &running).await;
        running.stop().await?;
        result
    })
    .await
}

/// The same stock for everybody.
async fn stock_up(layout: &Layout) -> Result<()> {
    let mut superuser = postgres::connect(layout, Role::Superuser).await?;
    Orders::stock_up(&mut superuser).await?;
    let usual = "insert into public.usual_stock (store, sku, ats)
        select i.store, i.sku, i.ats from public.inventory_items i";
    postgres::run_script(&mut superuser, usual).await?;
    postgres::close(superuser).await
}

async fn compare(place: &Place, running: &Workers) -> Result<Vec<Comparison>> {
    let mut orders = Orders::of(&place.layout.checkout, 900_000_000)?;
    let sessions = Sessions::open(&place.layout, CONNECTIONS).await?;
    let mut comparison =
        Comparison::new("ingest: distinct orders, 16 connections", &METRICS, &CONTENDERS, &GOALS);
    for who in 0..CONTENDERS.len() {
        turn(place, running, &sessions, &mut orders, who, ORDERS / 6).await?;
    }
    database::settle(&place.layout).await?;
    comparison
        .run(async |who, _| {
            turn(place, running, &sessions, &mut orders, who, WARM_UP).await?;
            turn(place, running, &sessions, &mut orders, who, ORDERS).await
        })
        .await?;
    sessions.close().await?;
    Ok(vec![comparison])
}

async fn turn(
    place: &Place,
    running: &Workers,
    sessions: &Sessions,
    orders: &mut Orders,
    who: usize,
    many: usize,
) -> Result<Vec<f64>> {
    let worker = match who {
        0..=2 => Some(who),
        5 => Some(3),
        _ => None,
    };
    if let Some(worker) = worker.and_then(|worker| running.0.get(worker)) {
        let shots = (0..many).map(|_| orders.delivery()).collect::<Result<Arc<[Shot]>>>()?;
        let before = worker.cpu_ms();
        let outcome = load::fire(worker.address, &shots, Volume::Once, TAKEN).await?;
        let cpu_us = (worker.cpu_ms() - before) * 1000.0 / many as f64;
        return Ok(vec![outcome.per_second(), outcome.percentile(50), outcome.percentile(99), cpu_us]);
    }
    let orders: Vec<Order> = orders.make(many)?;
    let outcome = if CONTENDERS.get(who) == Some(&NO_FUNCTION) {
        let shots = orders.iter().map(|order| place.rpc(order)).collect::<Result<Arc<[Shot]>>>()?;
        load::fire(place.rest_address(), &shots, Volume::Once, TAKEN).await?
    } else {
        sessions.ingest(&orders).await?
    };
    Ok(vec![outcome.per_second(), outcome.percentile(50), outcome.percentile(99), f64::NAN])
}

/// Every group of workers in a process of its own.
struct Workers(Vec<Workerd>);

impl Workers {
    fn start(layout: &Layout, groups: &[Vec<Worker>]) -> Result<Self> {
        let names = ["bench-ordak", "bench-same-call", "bench-usual", "bench-gateway"];
        let workers = groups.iter().zip(names).map(|(group, name)| Workerd::start(layout, name, group));
        workers.collect::<Result<_>>().map(Self).context("the workers cannot start")
    }

    async fn stop(self) -> Result<()> {
        for worker in self.0 {
            worker.stop().await?;
        }
        Ok(())
    }
}
