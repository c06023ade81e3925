//! `edge`: what a worker costs by itself. A webhook with a wrong signature is refused before anything outside is asked, so
//! that all of its time is the worker's own. Once each worker alone, once each behind its gateway.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::load::{self, Expected, Shot, Volume};
use super::orders::Orders;
use super::place::Place;
use super::rounds::{Comparison, Goal, Metric};
use super::workerd::Workerd;

/// How long a turn takes.
const TURN: Duration = Duration::from_secs(3);
/// How long everybody runs before the rounds count: workerd compiles what is hot in the background.
const WARM_UP: Duration = Duration::from_secs(4);
/// Bodies that take turns.
const BODIES: usize = 64;
/// The answer of those who look at the signature.
const REFUSAL: Expected = Expected { status: 401, part: "UNAUTHENTICATED" };

const ORDAK: &str = "Ordak";
const TYPESCRIPT: &str = "TypeScript, WebCrypto";
/// They read nothing and answer everybody alike: what a request costs before anything is done for it, in Rust with the
/// library's own entry, and in a script.
const HELLO: &str = "Rust hello world";
const EMPTY: &str = "empty script";

const PROCESSES: [&str; 4] = ["bench-edge-1", "bench-edge-2", "bench-edge-3", "bench-edge-4"];

/// What is measured of each turn.
const METRICS: [Metric; 4] = [
    Metric { name: "requests/s", more_is_better: true },
    Metric { name: "p50 ms", more_is_better: false },
    Metric { name: "p99 ms", more_is_better: false },
    Metric { name: "CPU µs/request", more_is_better: false },
];

const GOALS: [Goal; 1] = [Goal { metric: "requests/s", beside: TYPESCRIPT, ratio: 1.0 }];

/// Runs all comparisons.
pub async fn run(place: &Place) -> Result<Vec<Comparison>> {
    let own =
        || async { place.function("order-ingest").await.map(|worker| worker.bound("QUEUE_WORKER", "idle")) };
    let idle = place.peer("idle").await?;
    let alone = vec![
        (ORDAK, vec![own().await?, idle.clone()], REFUSAL),
        (TYPESCRIPT, vec![place.peer("order-ingest").await?], REFUSAL),
        (HELLO, vec![place.worker(&place.hello).await?], Expected { status: 200, part: "hello" }),
        (EMPTY, vec![idle.clone()], Expected { status: 200, part: "{}" }),
    ];
    let gateway = place.function("gateway").await?;
    let gateway = gateway.every_service_but("ORDER_INGEST", "idle");
    let theirs = vec![
        place.peer("gateway").await?.bound("ORDER_INGEST", "order-ingest"),
        place.peer("order-ingest").await?,
    ];
    let behind = vec![(ORDAK, vec![gateway, own().await?, idle], REFUSAL), (TYPESCRIPT, theirs, REFUSAL)];
    let mut comparisons = Vec::new();
    for (what, goals, groups) in [("alone", &GOALS[..], alone), ("behind a gateway", &[][..], behind)] {
        let mut running = Vec::new();
        for ((name, workers, expected), process) in groups.into_iter().zip(PROCESSES) {
            let workerd = Workerd::start(&place.layout, process, &workers)?;
            running.push(Running { name, workerd, expected });
        }
        let result = compare(place, what, goals, &running).await;
        for Running { name, workerd, .. } in running {
            let words = workerd.last_words();
            workerd.stop().await?;
            if result.is_err() {
                crate::say::info(format!("{name} said last:\n{words}"));
            }
        }
        comparisons.extend(result?);
    }
    Ok(comparisons)
}

async fn compare(place: &Place, what: &str, goals: &[Goal], running: &[Running]) -> Result<Vec<Comparison>> {
    let mut orders = Orders::of_one_line(&place.layout.checkout, 900_000_000)?;
    let mut comparisons = Vec::new();
    let names: Vec<&'static str> = running.iter().map(|one| one.name).collect();
    for kilobytes in [7, 32] {
        let shots = (0..BODIES).map(|_| orders.forgery(kilobytes * 1024)).collect::<Result<Arc<[Shot]>>>()?;
        for one in running {
            turn(one, &shots, WARM_UP).await?;
        }
        let title = format!("edge: a wrong signature on {kilobytes} KB, {what}");
        let mut comparison = Comparison::new(title, &METRICS, &names, goals);
        comparison
            .run(async |who, _| turn(running.get(who).context("nobody's turn")?, &shots, TURN).await)
            .await?;
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// A contender.
struct Running {
    name: &'static str,
    workerd: Workerd,
    expected: Expected,
}

async fn turn(running: &Running, shots: &Arc<[Shot]>, time: Duration) -> Result<Vec<f64>> {
    let Running { workerd, expected, .. } = running;
    let before = workerd.cpu_ms();
    let outcome = load::fire(workerd.address, shots, Volume::For(time), *expected).await?;
    let cpu_us = (workerd.cpu_ms() - before) * 1000.0 / outcome.times_ms.len() as f64;
    Ok(vec![outcome.per_second(), outcome.percentile(50), outcome.percentile(99), cpu_us])
}
