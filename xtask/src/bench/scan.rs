//! `scan`: distinct orders, each scanned once: the token is checked, the stage completed in the database. Ordak's function
//! beside a TypeScript worker that makes the same call.

use std::sync::Arc;

use anyhow::{Context, Result};
use serde_json::json;

use super::database;
use super::load::{self, Expected, Shot, Volume};
use super::place::Place;
use super::rounds::{Comparison, Goal, Metric};
use super::workerd::Workerd;
use crate::keys;

/// Scans in a turn.
const SCANS: u64 = 3000;
/// Scans before each turn that are not counted, as in [`super::ingest`].
const WARM_UP: u64 = 300;
/// The number of the first order in `tests/bench/scan/ground.sql`.
const FIRST: u64 = 2_000_000;
/// Who scans: somebody of the seed who works in the store.
const STAFF: &str = "00000000-0000-4000-8000-000000000001";
/// The answer of everybody.
const DONE: Expected = Expected { status: 200, part: "Decorating" };

const ORDAK: &str = "Ordak";
const TYPESCRIPT: &str = "TypeScript, same call";
const GATEWAY: &str = "Ordak behind its gateway";

const METRICS: [Metric; 4] = [
    Metric { name: "requests/s", more_is_better: true },
    Metric { name: "p50 ms", more_is_better: false },
    Metric { name: "p99 ms", more_is_better: false },
    Metric { name: "workerd, CPU µs/request", more_is_better: false },
];

const GOALS: [Goal; 2] = [
    Goal { metric: "requests/s", beside: TYPESCRIPT, ratio: 1.0 },
    Goal { metric: "p99 ms", beside: TYPESCRIPT, ratio: 1.0 },
];

/// Runs the comparison.
pub async fn run(place: &Place) -> Result<Vec<Comparison>> {
    let (own, idle) = (place.function("stage-actions").await?, place.peer("idle").await?);
    let own = own.bound("QUEUE_WORKER", "idle");
    let gateway = place.function("gateway").await?.every_service_but("STAGE_ACTIONS", "idle");
    let groups = [
        ("bench-ordak", vec![own.clone(), idle.clone()]),
        ("bench-same-call", vec![place.peer("stage-actions").await?]),
        ("bench-gateway", vec![gateway, own, idle]),
    ];
    database::with(place, "scan", async || {
        let mut running = Vec::new();
        for (name, group) in &groups {
            running.push(Workerd::start(&place.layout, name, group)?);
        }
        let result = compare(place, &running).await;
        for worker in running {
            worker.stop().await?;
        }
        result
    })
    .await
}

async fn compare(place: &Place, running: &[Workerd]) -> Result<Vec<Comparison>> {
    let secret = place.setting("SUPABASE_JWT_SECRET");
    let token = keys::user_token(secret, place.setting("SUPABASE_URL"), STAFF)?;
    let mut next = FIRST;
    let mut turn = async |who: usize, many: u64| -> Result<Vec<f64>> {
        let shots =
            (next..next + many).map(|number| scan(number, &token)).collect::<Result<Arc<[Shot]>>>()?;
        next += many;
        let worker = running.get(who).context("nobody's turn")?;
        let before = worker.cpu_ms();
        let outcome = load::fire(worker.address, &shots, Volume::Once, DONE).await?;
        let cpu_us = (worker.cpu_ms() - before) * 1000.0 / many as f64;
        Ok(vec![outcome.per_second(), outcome.percentile(50), outcome.percentile(99), cpu_us])
    };
    for who in 0..running.len() {
        turn(who, SCANS / 2).await?;
    }
    database::settle(&place.layout).await?;
    let title = "scan: distinct orders, 16 connections";
    let mut comparison = Comparison::new(title, &METRICS, &[ORDAK, TYPESCRIPT, GATEWAY], &GOALS);
    comparison
        .run(async |who, _| {
            turn(who, WARM_UP).await?;
            turn(who, SCANS).await
        })
        .await?;
    Ok(vec![comparison])
}

fn scan(number: u64, token: &str) -> Result<Shot> {
    let body = json!({"scan": format!("bannos-{number}"), "scan_id": uuid::Uuid::new_v4()});
    let bearer = format!("Bearer {token}");
    Shot::post("/functions/v1/stage-actions/scan", &[("authorization", bearer.as_str())], body.to_string())
}
