//! `queue`: 20 000 items that do nothing, enqueued by the thousand and drained in claims of 100, beside graphile-worker and
//! pg-boss on the same server; all of them by the same program (`tests/bench/queue`), through the same driver.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;

use crate::bench::rounds::{Comparison, Goal, Metric};
use crate::database::{self, Role};
use crate::layout::Layout;
use crate::say;

const ITEMS: usize = 20_000;
const METRICS: [Metric; 2] =
    [Metric { name: "enqueued/s", more_is_better: true }, Metric { name: "drained/s", more_is_better: true }];
/// The names are also what the program calls them.
const CONTENDERS: [&str; 3] = ["ordak", "graphile-worker", "pg-boss"];
const GOALS: [Goal; 4] = [
    Goal { metric: METRICS[0].name, beside: CONTENDERS[1], ratio: 1.0 },
    Goal { metric: METRICS[0].name, beside: CONTENDERS[2], ratio: 1.0 },
    Goal { metric: METRICS[1].name, beside: CONTENDERS[1], ratio: 1.0 },
    Goal { metric: METRICS[1].name, beside: CONTENDERS[2], ratio: 1.0 },
];

#[derive(Deserialize)]
struct Turn {
    enqueue_s: f64,
    drain_s: f64,
}

/// Runs the comparison.
pub async fn run(layout: &Layout) -> Result<Vec<Comparison>> {
    let folder = layout.checkout.path("tests/bench/queue");
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&folder);
    say::run("installing graphile-worker and pg-boss", npm, &layout.log("bench-queue-npm"), "Is npm there?")
        .await?;
    let address = database::url(layout, Role::Superuser);
    let mut comparison = Comparison::new("queue: 20 000 items", &METRICS, &CONTENDERS, &GOALS);
    let turn = async |who: usize, _| {
        let name = CONTENDERS.get(who).copied().unwrap_or_default();
        let mut node = Command::new("node");
        node.args(["queue.mjs", name, &address, &ITEMS.to_string()]).current_dir(&folder).kill_on_drop(true);
        let output = node.output().await.context("cannot start node")?;
        let told = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {told}");
        let turn: Turn = serde_json::from_slice(&output.stdout).with_context(|| format!("{name}: {told}"))?;
        Ok(vec![ITEMS as f64 / turn.enqueue_s, ITEMS as f64 / turn.drain_s])
    };
    comparison.run(turn).await?;
    Ok(vec![comparison])
}
