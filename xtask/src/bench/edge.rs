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
/// The answer of everybody.
const REFUSAL: Expected = Expected { status: 401, part: "UNAUTHENTICATED" };

const ORDAK: &str = "Ordak";
const TYPESCRIPT: &str = "TypeScript, WebCrypto";

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
    let alone = [vec![own().await?, idle.clone()], vec![place.peer("order-ingest").await?]];
    let gateway = place.function("gateway").await?;
    let gateway = gateway.every_service_but("ORDER_INGEST", "idle");
    let behind = [
        vec![gateway, own().await?, idle],
        vec![
            place.peer("gateway").await?.bound("ORDER_INGEST", "order-ingest"),
            place.peer("order-ingest").await?,
        ],
    ];
    let mut comparisons = Vec::new();
    for (what, goals, groups) in [("alone", &GOALS[..], &alone), ("behind a gateway", &[][..], &behind)] {
        let running = [
            Workerd::start(&place.layout, "bench-ordak", &groups[0])?,
            Workerd::start(&place.layout, "bench-typescript", &groups[1])?,
        ];
        let result = compare(place, what, goals, &running).await;
        for (workerd, name) in running.into_iter().zip([ORDAK, TYPESCRIPT]) {
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

async fn compare(
    place: &Place,
    what: &str,
    goals: &[Goal],
    running: &[Workerd; 2],
) -> Result<Vec<Comparison>> {
    let mut orders = Orders::of_one_line(&place.layout.checkout, 900_000_000)?;
    let mut comparisons = Vec::new();
    for kilobytes in [7, 32] {
        let shots = (0..BODIES).map(|_| orders.forgery(kilobytes * 1024)).collect::<Result<Arc<[Shot]>>>()?;
        for workerd in running {
            turn(workerd, &shots, WARM_UP).await?;
        }
        let title = format!("edge: a wrong signature on {kilobytes} KB, {what}");
        let mut comparison = Comparison::new(title, &METRICS, &[ORDAK, TYPESCRIPT], goals);
        comparison
            .run(async |who, _| turn(running.get(who).context("nobody's turn")?, &shots, TURN).await)
            .await?;
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

async fn turn(workerd: &Workerd, shots: &Arc<[Shot]>, time: Duration) -> Result<Vec<f64>> {
    let before = workerd.cpu_ms();
    let outcome = load::fire(workerd.address, shots, Volume::For(time), REFUSAL).await?;
    let cpu_us = (workerd.cpu_ms() - before) * 1000.0 / outcome.times_ms.len() as f64;
    Ok(vec![outcome.per_second(), outcome.percentile(50), outcome.percentile(99), cpu_us])
}
