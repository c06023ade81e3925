//! The final state of one order as a function of the set of its deliveries.
//!
//! The newest snapshot has the greatest (`updated_at`, topic rank, content hash). It alone says what the lines are, less
//! the refunds that it does not know of;
//! of every other field the newest that says anything counts, which mends what a snapshot leaves out and keeps a
//! cancellation; an order without its create is a placeholder.

use crate::delivery::{Delivery, rank};
use crate::reading::snapshot;
use crate::refund::subtract;
use crate::snapshot::{Line, Snapshot};
use std::collections::BTreeSet;

/// A shop as the model needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// Key of the store.
    pub store: String,
    /// Its domain: deliveries under another one are not about its orders.
    pub domain: String,
    /// What its order ids begin with.
    pub prefix: String,
}

/// What must be true of an order in the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderState {
    /// Key of the store.
    pub store: String,
    /// `<prefix>-<number>`.
    pub id: String,
    /// The merged fields; the lines are those of the newest snapshot.
    pub fields: Snapshot,
    /// No create among the deliveries.
    pub placeholder: bool,
    /// What the kitchen misses.
    pub missing: BTreeSet<String>,
    /// Content hash of the newest snapshot.
    pub winner: String,
}

impl OrderState {
    /// What a line asks of stock: nothing when the order is cancelled, the line a gift card or the SKU not tracked.
    #[must_use]
    pub fn wanted(&self, line: &Line, tracked: &BTreeSet<String>) -> i64 {
        let held = line.sku.as_ref().is_some_and(|sku| tracked.contains(sku));
        if held && !line.gift_card && self.fields.cancelled_at.is_none() { line.quantity } else { 0 }
    }

    /// What a line keeps of stock besides: what was refunded and not put back, even of a cancelled order.
    #[must_use]
    pub fn lost(&self, line: &Line, tracked: &BTreeSet<String>) -> i64 {
        let held = line.sku.as_ref().is_some_and(|sku| tracked.contains(sku));
        if held && !line.gift_card { line.consumed } else { 0 }
    }
}

/// The state that the deliveries make, in whatever order they are given. `None` without any snapshot.
#[must_use]
pub fn order_state(shop: &Shop, deliveries: &[Delivery]) -> Option<OrderState> {
    let own: Vec<&Delivery> = deliveries.iter().filter(|delivery| delivery.shop == shop.domain).collect();
    let mut seen: Vec<_> = own
        .iter()
        .filter_map(|delivery| {
            let read = snapshot(delivery)?;
            Some(((read.updated_at, rank(&delivery.topic)?, delivery.content_hash()), read))
        })
        .collect();
    seen.sort_by(|(left, _), (right, _)| right.cmp(left));
    let ((_, _, winner), newest) = seen.first()?;

    let snapshots: Vec<&Snapshot> = seen.iter().map(|(_, read)| read).collect();
    let mut fields = Snapshot {
        number: first(&snapshots, |read| &read.number),
        customer_name: first(&snapshots, |read| &read.customer_name),
        product_title: first(&snapshots, |read| &read.product_title),
        flavour: first(&snapshots, |read| &read.flavour),
        size: first(&snapshots, |read| &read.size),
        notes: first(&snapshots, |read| &read.notes),
        due_date: first(&snapshots, |read| &read.due_date),
        delivery_method: first(&snapshots, |read| &read.delivery_method),
        currency: first(&snapshots, |read| &read.currency),
        total: first(&snapshots, |read| &read.total),
        payment_status: first(&snapshots, |read| &read.payment_status),
        cancelled_at: first(&snapshots, |read| &read.cancelled_at),
        cancel_reason: first(&snapshots, |read| &read.cancel_reason),
        ..newest.clone()
    };
    subtract(&mut fields, &own);
    let missing = [
        ("customer", fields.customer_name.is_none()),
        ("product", fields.product_title.is_none()),
        ("due_date", fields.due_date.is_none()),
        ("flavour", fields.flavour.is_none()),
    ];
    Some(OrderState {
        store: shop.store.clone(),
        id: format!("{}-{}", shop.prefix, fields.number.as_ref().unwrap_or(&fields.shopify_id)),
        placeholder: !seen.iter().any(|((_, rank, _), _)| *rank == 0),
        missing: missing.into_iter().filter(|(_, is)| *is).map(|(name, _)| name.to_owned()).collect(),
        winner: winner.clone(),
        fields,
    })
}

fn first<T: Clone>(newest_first: &[&Snapshot], field: impl Fn(&Snapshot) -> &Option<T>) -> Option<T> {
    newest_first.iter().find_map(|read| field(read).clone())
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
