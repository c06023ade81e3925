//! `bundle`: how large each function is, as the platform counts it: script and module, compressed.

use anyhow::Result;
use serde_json::{Value, json};

use super::place::Place;
use super::summary::Verdict;
use crate::functions::build::compressed_size;
use crate::say;

/// What each function has to stay below.
const LIMIT_KB: f64 = 250.0;

/// Prints the table and gives back the figures, and what became of the goal.
pub async fn run(place: &Place) -> Result<(Value, Vec<Verdict>)> {
    say::info(format!("\n{:<26}{:>12}{:>12}", "gzip -9, KB", "size", "limit"));
    let mut figures = Vec::new();
    let mut verdicts = Vec::new();
    for function in &place.functions {
        let kilobytes = compressed_size(&place.worker(function).await?.files())? as f64 / 1024.0;
        say::info(format!("{:<26}{kilobytes:>12.1}{LIMIT_KB:>12.0}", function.name));
        figures.push(json!({"function": function.name, "gzip_kb": kilobytes}));
        verdicts.push(Verdict {
            what: format!("bundle: {}", function.name),
            goal: format!("< {LIMIT_KB:.0} KB"),
            measured: format!("{kilobytes:.1} KB"),
            reached: kilobytes < LIMIT_KB,
        });
    }
    for (name, worker) in [
        ("Rust hello world", place.worker(&place.hello).await?),
        ("TypeScript order-ingest", place.peer("order-ingest").await?),
    ] {
        let kilobytes = compressed_size(&worker.files())? as f64 / 1024.0;
        say::info(format!("{name:<26}{kilobytes:>12.1}"));
        figures.push(json!({"peer": name, "gzip_kb": kilobytes}));
    }
    Ok((json!({"limit_kb": LIMIT_KB, "sizes": figures}), verdicts))
}
