//! A benchmark's figures, for people and for programs.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::measure::{Measured, Results};
use super::plan::{Call, Plan};
use super::summary::Verdict;
use crate::layout::Layout;
use crate::say;

/// Prints the table.
pub fn print(plan: &Plan, results: &Results) {
    say::info(format!("\nPostgres {}, {}", results.postgres, describe(&results.ground)));
    say::info(format!(
        "\n{:<34} {:>6} {:^25} {:^17} {:>7} {:>6}",
        "", "", "server, ms", "with commit, ms", "rows by", "target"
    ));
    say::info(format!(
        "{:<34} {:>6} {:>8} {:>8} {:>7} {:>8} {:>8} {:>7} {:>6}",
        "call", "times", "p50", "p95", "max", "p50", "p95", "whole", "p95"
    ));
    for (call, measured) in plan.calls.iter().zip(&results.calls) {
        let (server, commit) = (measured.server, measured.with_commit);
        let target = call.target_p95_ms.map(|target| format!("{target:.0}")).unwrap_or_default();
        say::info(format!(
            "{:<34} {:>6} {:>8.2} {:>8.2} {:>7.1} {:>8.2} {:>8.2} {:>7} {:>6}",
            call.name,
            call.times,
            server.p50_ms,
            server.p95_ms,
            server.max_ms,
            commit.p50_ms,
            commit.p95_ms,
            measured.rows_by_whole_scans,
            target
        ));
    }
}

fn describe(ground: &Value) -> String {
    let Value::Object(figures) = ground else { return ground.to_string() };
    let parts: Vec<String> =
        figures.iter().map(|(name, figure)| format!("{figure} {}", name.replace('_', " "))).collect();
    parts.join(", ")
}

/// What became of the targets.
pub fn verdicts(plan: &Plan, results: &Results) -> Vec<Verdict> {
    let calls = plan.calls.iter().zip(&results.calls);
    let verdict = |(call, measured): (&Call, &Measured)| {
        let (target, p95) = (call.target_p95_ms?, measured.server.p95_ms);
        Some(Verdict {
            what: format!("{}: {} — server p95", plan.name, call.name),
            goal: format!("< {target:.0} ms"),
            measured: format!("{p95:.1} ms"),
            reached: p95 < target,
        })
    };
    calls.filter_map(verdict).collect()
}

/// Writes the figures to `.ordak/bench/<name>.json` and says where that is.
pub fn write(layout: &Layout, plan: &Plan, results: &Results) -> Result<String> {
    let name = format!("bench/{}.json", plan.name);
    let path = layout.checkout.local(&name);
    let text = serde_json::to_string_pretty(&document(plan, results)).context("cannot write the figures")?;
    std::fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!(".ordak/{name}"))
}

fn document(plan: &Plan, results: &Results) -> Value {
    let calls: Vec<Value> = plan
        .calls
        .iter()
        .zip(&results.calls)
        .map(|(call, measured)| {
            json!({
                "name": call.name, "user": call.user, "times": call.times, "sql": call.sql,
                "server": measured.server, "with_commit": measured.with_commit,
                "rows_by_whole_scans": measured.rows_by_whole_scans, "target_p95_ms": call.target_p95_ms
            })
        })
        .collect();
    json!({
        "name": plan.name, "about": plan.about, "at": chrono::Utc::now().to_rfc3339(), "machine": machine(),
        "postgres": results.postgres, "ground": results.ground, "calls": calls
    })
}

/// What the figures were taken on.
pub fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    json!({"system": std::env::consts::OS, "architecture": std::env::consts::ARCH, "cores": cores, "cpu": model})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_described_in_words() {
        assert_eq!(describe(&json!({"open_orders": 3})), "3 open orders");
    }
}
