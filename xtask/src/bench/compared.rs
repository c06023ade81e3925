//! Comparisons on the terminal and in a file.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::report::machine;
use super::rounds::{Comparison, ROUNDS, Spread};
use super::summary::{self, Verdict};
use crate::layout::Checkout;
use crate::say;

/// Prints a table: medians, in brackets the lowest and the highest, and how many times as good as the others Ordak is.
pub fn print(comparison: &Comparison) {
    say::info(format!("\n{}; {ROUNDS} rounds in turn: median (lowest–highest)\n", comparison.title));
    let heads: String = comparison.metrics.iter().map(|metric| format!("{:>27}", metric.name)).collect();
    say::info(format!("{:<34}{heads}", ""));
    for (who, name) in comparison.contenders.iter().enumerate() {
        let cell = |metric| format!("{:>27}", figure(Spread::of(comparison.of(who, metric))));
        let cells: String = (0..comparison.metrics.len()).map(cell).collect();
        say::info(format!("{name:<34}{cells}"));
    }
    for (other, name) in comparison.contenders.iter().enumerate().skip(1) {
        let cell = |metric| {
            let ratio = comparison.ratio(other, metric);
            format!("{:>27}", if ratio.median.is_nan() { figure(ratio) } else { figure(ratio) + "×" })
        };
        let cells: String = (0..comparison.metrics.len()).map(cell).collect();
        say::info(format!("{:<34}{cells}", format!("as good as {name}")));
    }
    for verdict in summary::of(comparison) {
        let Verdict { what, goal, measured, .. } = &verdict;
        say::info(format!("goal: {what} {goal}: {measured}, {}", verdict.word()));
    }
}

fn figure(spread: Spread) -> String {
    let Spread { median, low, high } = spread;
    if median.is_nan() {
        return "–".to_owned();
    }
    let digits = match median {
        m if m >= 1000.0 => 0,
        m if m >= 100.0 => 1,
        _ => 2,
    };
    format!("{median:.digits$} ({low:.digits$}–{high:.digits$})")
}

/// Writes the comparisons of one benchmark to `.ordak/bench/<name>.json` and says where that is.
pub fn write(checkout: &Checkout, name: &str, about: &str, comparisons: &[Comparison]) -> Result<String> {
    let comparisons: Vec<Value> = comparisons.iter().map(document).collect();
    write_figures(checkout, name, about, &json!({"rounds": ROUNDS, "comparisons": comparisons}))
}

/// The same for figures of any form.
pub fn write_figures(checkout: &Checkout, name: &str, about: &str, figures: &Value) -> Result<String> {
    let file = format!("bench/{name}.json");
    let path = checkout.local(&file);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let document = json!({
        "name": name, "about": about, "at": chrono::Utc::now().to_rfc3339(), "machine": machine(), "figures": figures
    });
    let text = serde_json::to_string_pretty(&document).context("cannot write the figures")?;
    std::fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    Ok(format!(".ordak/{file}"))
}

fn document(comparison: &Comparison) -> Value {
    let figures = |who: usize| -> Value {
        let metrics = comparison.metrics.iter().enumerate();
        metrics
            .map(|(metric, of)| {
                let rounds = comparison.of(who, metric);
                let ratio = (who > 0).then(|| comparison.ratio(who, metric));
                json!({"metric": of, "rounds": rounds, "spread": Spread::of(rounds), "ordak_is_times_as_good": ratio})
            })
            .collect()
    };
    let contenders: Vec<Value> = comparison
        .contenders
        .iter()
        .enumerate()
        .map(|(who, name)| json!({"name": name, "figures": figures(who)}))
        .collect();
    let goals: Vec<Value> = comparison
        .reached()
        .iter()
        .map(|(goal, reached)| json!({"goal": goal, "reached": reached}))
        .collect();
    json!({"title": comparison.title, "contenders": contenders, "goals": goals})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_figures_have_no_decimals() {
        assert_eq!(figure(Spread { median: 1234.56, low: 1000.1, high: 2000.9 }), "1235 (1000–2001)");
        assert_eq!(figure(Spread { median: 0.987, low: 0.9, high: 1.0 }), "0.99 (0.90–1.00)");
    }
}
