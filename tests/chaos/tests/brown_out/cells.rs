//! The checked-in table of what must come of each fault at each call.

use ordak_chaos::work::Kind;
use ordak_e2e::{Failure, Outcome};
use serde_json::{Value, json};

const TABLE: &str = include_str!("cells.txt");

/// Seconds that an upstream asks to wait for; more than the queue waits by itself after a first failure.
pub const PATIENCE_S: i64 = 90;

/// A call that can go wrong.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// Its name in the table.
    pub name: &'static str,
    /// The work that makes it.
    pub kind: Kind,
    /// The upstream that it goes to.
    upstream: &'static str,
    /// What it contains and no other call of that work; else the text that names the work.
    contains: Option<&'static str>,
}

/// The columns of the table, in its order. Another upstream is a line here and a column there.
pub const CALLS: [Call; 7] = [
    Call { name: "push", kind: Kind::Push, upstream: "shopify", contains: Some("inventorySetQuantities") },
    Call { name: "question", kind: Kind::Refund, upstream: "shopify", contains: Some("RefundableOrder") },
    Call { name: "refund", kind: Kind::Refund, upstream: "shopify", contains: Some("refundCreate") },
    Call { name: "lookup", kind: Kind::Lookup, upstream: "shopify", contains: Some("productVariants") },
    Call { name: "look", kind: Kind::Look, upstream: "shopify", contains: Some("query Levels") },
    Call { name: "alert", kind: Kind::Alert, upstream: "slack", contains: None },
    Call { name: "email", kind: Kind::Email, upstream: "email", contains: None },
];

/// One cell.
#[derive(Clone, Debug)]
pub struct Cell {
    /// The fault, as the table calls it.
    pub fault: &'static str,
    /// The call that it hits.
    pub call: Call,
    /// What must come of it.
    pub expected: &'static str,
}

impl Cell {
    /// The fault as the fakes want to be told, for a call that names `mark` to the shop of this domain.
    pub fn plan(&self, domain: &str, mark: &str) -> Value {
        // Longer than anybody waits for an answer; it happens all the same.
        let (mode, delay_ms) = if self.fault == "late" { ("slow", Some(12_000)) } else { (self.fault, None) };
        json!({
            "upstream": self.call.upstream, "mode": mode, "delay_ms": delay_ms, "count": 1,
            "retry_after": PATIENCE_S, "bytes": 8 * 1024 * 1024, "match": self.call.contains.unwrap_or(mark),
            "shop": (self.call.upstream == "shopify").then_some(domain)
        })
    }

    /// Whether it can be tried.
    pub fn is_tried(&self) -> bool {
        self.expected != "-"
    }

    /// Whether the worker has to wait for seconds before it knows.
    pub fn takes_time(&self) -> bool {
        matches!(self.fault, "slow" | "late" | "hang" | "executed_then_hang" | "hang_mid_body" | "trickle")
    }

    /// What must come of it, without the number of effects.
    pub fn outcome(&self) -> &'static str {
        self.expected.split_once('/').map_or(self.expected, |(outcome, _)| outcome)
    }

    /// How often its effect must happen.
    pub fn effects(&self) -> usize {
        match self.expected.split_once('/').and_then(|(_, times)| times.parse().ok()) {
            Some(times) => times,
            None => usize::from(self.outcome() != "dead"),
        }
    }
}

/// Every cell of the table, row by row. A row that is too short is a failure.
pub fn all() -> Outcome<Vec<Cell>> {
    let mut cells = Vec::new();
    for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split_whitespace();
        let Some(fault) = words.next() else { continue };
        let row: Vec<&str> = words.collect();
        if row.len() != CALLS.len() {
            return Err(Failure::new(format!("the row {fault} has {} cells", row.len())));
        }
        cells.extend(CALLS.iter().zip(row).map(|(call, expected)| Cell { fault, call: *call, expected }));
    }
    Ok(cells)
}
