//! Benchmarks of the database's functions through the Postgres protocol: no edge, no REST server. Durability is Postgres'
//! own: `fsync` and `synchronous_commit` are on, and a run in which they are not ends.

mod hot_sku;
mod ingest;
mod plain;
mod queue;
mod scale;

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use futures_util::future::try_join_all;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

use super::orders::Orders;
use super::rounds::{Comparison, Metric};
use crate::database::{self, Role};
use crate::layout::Layout;
use crate::postgres::{self, Place};
use crate::process_table;
use crate::settings::Backend;
use crate::stack::Stack;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bench {
    Ingest,
    Queue,
    HotSku,
    Scale,
}

/// All of them, with what they are about.
pub const ALL: [(&str, Bench, &str); 4] = [
    ("ingest-sql", Bench::Ingest, "the ingest function alone, beside one plain insert of the same rows"),
    ("queue", Bench::Queue, "20 000 items enqueued and drained, beside graphile-worker and pg-boss"),
    ("hot-sku", Bench::HotSku, "64 clients hold one SKU, beside updates of its row in a loop"),
    ("scale", Bench::Scale, "ingest on 1 000 000 stored orders, beside 100 000 and 10 000"),
];

/// What a turn of calls is measured by.
const METRICS: [Metric; 3] = [
    Metric { name: "orders/s", more_is_better: true },
    Metric { name: "processor ms an order", more_is_better: false },
    Metric { name: "log KB an order", more_is_better: false },
];

/// Orders that are there before, where their number is not the question: plans for empty tables are plans for nobody.
const STORED: u64 = 20_000;

/// The database of everything but `scale`.
const DATABASE: &str = "postgres";

/// Runs one on a database of its own, made from nothing and deleted afterwards.
pub async fn run(layout: &Layout, bench: Bench) -> Result<Vec<Comparison>> {
    let mut stack = Stack::new(layout.clone(), Backend::Local, Vec::new());
    let result = with(layout, &mut stack, bench).await;
    stack.stop().await?;
    // A million orders are some gigabytes.
    postgres::server::wipe(&Place::of(layout)?)?;
    result
}

async fn with(layout: &Layout, stack: &mut Stack, bench: Bench) -> Result<Vec<Comparison>> {
    stack.start_database_only().await?;
    let durable =
        text(layout, "select current_setting('fsync') || current_setting('synchronous_commit')").await?;
    ensure!(durable == "onon", "fsync or synchronous_commit is off");
    match bench {
        Bench::Ingest => ingest::run(layout).await,
        Bench::Queue => queue::run(layout).await,
        Bench::HotSku => hot_sku::run(layout).await,
        Bench::Scale => scale::run(layout).await,
    }
}

/// Connections that stay, each with a server process of its own.
struct Clients {
    connections: Vec<(PgConnection, i32)>,
}

/// What a turn used.
struct Usage {
    seconds: f64,
    processor_ms: f64,
    log_bytes: f64,
}

impl Usage {
    /// The values of [`METRICS`].
    fn per(&self, orders: usize) -> Vec<f64> {
        let orders = orders as f64;
        vec![orders / self.seconds, self.processor_ms / orders, self.log_bytes / 1024.0 / orders]
    }
}

impl Clients {
    /// Opens so many to one of the server's databases, and has each run a script.
    async fn open(layout: &Layout, database: &str, role: Role, many: usize, first: &str) -> Result<Self> {
        let mut connections = Vec::new();
        for _ in 0..many {
            let mut connection = connect(layout, database, role).await?;
            database::run_script(&mut connection, first).await?;
            let row =
                sqlx::raw_sql("select pg_catalog.pg_backend_pid() as pid").fetch_one(&mut connection).await?;
            connections.push((connection, row.try_get("pid")?));
        }
        Ok(Self { connections })
    }

    /// Shares the work out and waits for the last.
    async fn each<W: Send + Clone>(
        &mut self,
        layout: &Layout,
        work: Vec<W>,
        call: impl AsyncFn(&mut PgConnection, W) -> Result<()>,
    ) -> Result<Usage> {
        let share = work.len().div_ceil(self.connections.len().max(1)).max(1);
        let (log, processor) = (log_position(layout).await?, self.processor_ms());
        let started = Instant::now();
        let shares = self.connections.iter_mut().zip(work.chunks(share)).map(|((connection, _), work)| {
            let call = &call;
            async move {
                for one in work {
                    call(connection, one.clone()).await?;
                }
                anyhow::Ok(())
            }
        });
        try_join_all(shares).await?;
        let seconds = started.elapsed().as_secs_f64();
        Ok(Usage {
            seconds,
            processor_ms: self.processor_ms() - processor,
            log_bytes: log_position(layout).await? - log,
        })
    }

    fn processor_ms(&self) -> f64 {
        self.connections.iter().map(|(_, pid)| process_table::cpu_ms(*pid).unwrap_or(f64::NAN)).sum()
    }

    async fn close(self) -> Result<()> {
        for (connection, _) in self.connections {
            database::close(connection).await?;
        }
        Ok(())
    }
}

async fn connect(layout: &Layout, database: &str, role: Role) -> Result<PgConnection> {
    let options: PgConnectOptions = database::url(layout, role).parse().context("not a database address")?;
    let options = options.database(database).disable_statement_logging();
    options.connect().await.with_context(|| format!("cannot connect to {database}"))
}

/// The state in which a quiet hour leaves the tables, and a checkpoint behind us for every turn alike.
async fn settle(layout: &Layout, database: &str) -> Result<()> {
    let mut superuser = connect(layout, database, Role::Superuser).await?;
    database::run_script(&mut superuser, "vacuum analyze").await?;
    database::run_script(&mut superuser, "checkpoint").await?;
    database::close(superuser).await
}

/// Bytes written to the write-ahead log so far.
async fn log_position(layout: &Layout) -> Result<f64> {
    let position = text(layout, "select (pg_catalog.pg_current_wal_lsn() - '0/0')::text").await?;
    position.parse().context("not a position")
}

/// A shop with so many orders behind it, and stock for those to come.
async fn ground(layout: &Layout, database: &str, orders: u64) -> Result<()> {
    let path = layout.checkout.path("tests/bench/scale/ground.sql");
    let script = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut superuser = connect(layout, database, Role::Superuser).await?;
    database::run_script(&mut superuser, &script.replace("{orders}", &orders.to_string()))
        .await
        .context("ground.sql failed")?;
    Orders::stock_up(&mut superuser).await?;
    database::close(superuser).await?;
    settle(layout, database).await
}

/// The one text that a query answers, asked by the superuser.
async fn text(layout: &Layout, query: &str) -> Result<String> {
    let mut superuser = database::connect(layout, Role::Superuser).await?;
    let row = sqlx::raw_sql(AssertSqlSafe(query.to_owned())).fetch_one(&mut superuser).await?;
    let text = row.try_get(0)?;
    database::close(superuser).await?;
    Ok(text)
}
