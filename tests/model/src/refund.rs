//! What refunds take away from the lines of an order: those that an order lists, and those that are told by themselves.
//!
//! A refund counts once, by its id. Pieces that are not put back on the shelf are nobody's any more, but their stock is
//! gone.

use crate::delivery::Delivery;
use crate::reading::{text, time};
use crate::snapshot::{Line, Snapshot};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Pieces of each line, and how many of them were not put back.
pub(crate) type Gone = BTreeMap<String, (i64, i64)>;

/// A refund that was told by itself.
#[derive(Clone, Debug)]
struct Refund {
    gid: String,
    id: String,
    at: Option<i64>,
    gone: Gone,
}

/// The ids of the refunds that an order lists, and what they took; no ids when it has no list.
pub(crate) fn listed(order: &Value) -> (Option<BTreeSet<String>>, Gone) {
    let Some(list) = order.get("refunds").and_then(Value::as_array) else { return (None, Gone::new()) };
    let (mut ids, mut gone) = (BTreeSet::new(), Gone::new());
    for refund in list {
        if ids.insert(text(refund.get("id")).unwrap_or_default()) {
            add(&mut gone, taken(refund));
        }
    }
    (Some(ids), gone)
}

/// Takes away from the lines of the newest snapshot what it does not know of yet.
pub(crate) fn subtract(newest: &mut Snapshot, deliveries: &[&Delivery]) {
    let mut told: Vec<(Refund, String)> = deliveries
        .iter()
        .filter_map(|delivery| Some((refund(delivery)?, delivery.content_hash())))
        .filter(|(refund, _)| refund.gid == newest.gid)
        .collect();
    // Told in several bodies it is what the one with the greatest hash says.
    told.sort_by(|(_, left), (_, right)| right.cmp(left));
    let (mut seen, mut gone) = (BTreeSet::new(), Gone::new());
    for (refund, _) in told {
        let known = match &newest.refunds {
            Some(ids) => ids.contains(&refund.id),
            None => refund.at.is_some_and(|at| newest.updated_at.is_some_and(|until| at <= until)),
        };
        if seen.insert(refund.id) && !known {
            add(&mut gone, refund.gone);
        }
    }
    for line in &mut newest.lines {
        take(line, &gone);
    }
}

fn take(line: &mut Line, gone: &Gone) {
    if let Some((refunded, lost)) = gone.get(&line.line_id) {
        let taken = line.quantity.min(*refunded);
        line.quantity -= taken;
        line.consumed += taken.min(*lost);
    }
}

fn refund(delivery: &Delivery) -> Option<Refund> {
    let body: Value =
        (delivery.topic == "refunds/create").then(|| serde_json::from_str(&delivery.body).ok())??;
    Some(Refund {
        gid: format!("gid://shopify/Order/{}", text(body.get("order_id"))?),
        id: text(body.get("id"))?,
        at: time(body.get("created_at")),
        gone: taken(&body),
    })
}

fn taken(refund: &Value) -> Gone {
    let mut gone = Gone::new();
    for item in refund.get("refund_line_items").and_then(Value::as_array).into_iter().flatten() {
        let pieces = item.get("quantity").and_then(Value::as_i64).unwrap_or(0);
        let back = ["return", "cancel"]
            .contains(&item.get("restock_type").and_then(Value::as_str).unwrap_or_default());
        if let Some(line) = text(item.get("line_item_id")) {
            add(&mut gone, Gone::from([(line, (pieces, if back { 0 } else { pieces }))]));
        }
    }
    gone
}

fn add(all: &mut Gone, more: Gone) {
    for (line, (refunded, lost)) in more {
        let sum = all.entry(line).or_default();
        *sum = (sum.0 + refunded, sum.1 + lost);
    }
}
