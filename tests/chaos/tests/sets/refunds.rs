//! Sets with refunds: told by themselves, within the order, or both, and in any order.

use super::{Set, Skus, begin};
use ordak_e2e::Outcome;
use ordak_model::{Delivery, Identity};
use serde_json::{Map, Value, json};

/// Every set.
pub fn all() -> Vec<Set> {
    let set = |name, tell| Set { name, length: 5, tell };
    vec![
        set("refunds beside snapshots", beside_snapshots),
        set("refunds that no snapshot knows", unknown_to_snapshots),
        set("refunds in the old form", in_the_old_form),
        set("refunds and a cancellation", with_a_cancellation),
        set("a refund in two bodies", in_two_bodies),
    ]
}

fn beside_snapshots(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("multi_line", identity, skus)?;
    story.order_line(0, &skus[0], 6);
    story.tell("orders/create");
    story.pass(60);
    story.refund(0, 2, "return");
    story.tell_refund();
    story.tell("orders/updated");
    story.pass(60);
    story.refund(0, 1, "no_restock");
    story.tell_refund();
    story.tell("orders/updated");
    Ok(story.told().to_vec())
}

fn unknown_to_snapshots(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("simple_delivery", identity, skus)?;
    story.order_line(0, &skus[1], 9);
    story.tell("orders/create");
    story.set("note", json!("before"));
    story.tell("orders/updated");
    for kind in ["cancel", "no_restock", "something_new"] {
        story.pass(3600);
        story.refund(0, 2, kind);
        story.tell_refund();
    }
    Ok(story.told().to_vec())
}

/// Bodies without current quantities, and one without the list of refunds: which it knows, time has to tell.
fn in_the_old_form(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("usd_presentment", identity, skus)?;
    story.order_line(0, &skus[2], 8);
    story.tell_in_old_form("orders/create");
    story.pass(60);
    story.refund(0, 3, "no_restock");
    story.tell_refund();
    story.pass(60);
    story.tell_in_old_form("orders/updated");
    story.pass(60);
    story.refund(0, 1, "return");
    story.tell_refund();
    story.pass(-30);
    story.set("refunds", Value::Null);
    story.tell("orders/updated");
    Ok(story.told().to_vec())
}

fn with_a_cancellation(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("multi_line", identity, skus)?;
    story.tell("orders/create");
    story.pass(60);
    story.refund(0, 1, "no_restock");
    story.tell_refund();
    story.pass(60);
    story.refund(1, 2, "cancel");
    story.tell_refund();
    story.cancel("customer");
    story.tell("orders/cancelled");
    story.pass(60);
    story.set("cancelled_at", Value::Null);
    story.tell("orders/updated");
    Ok(story.told().to_vec())
}

/// Shopify tells a refund anew when its payment goes through: another body, the same refund.
fn in_two_bodies(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("simple_delivery", identity, skus)?;
    story.order_line(0, &skus[3], 5);
    story.tell("orders/create");
    story.pass(60);
    story.refund(0, 2, "no_restock");
    story.tell_refund();
    let mut told = story.told().to_vec();
    if let Some(first) = told.last().cloned() {
        let mut body: Map<String, Value> = serde_json::from_str(&first.body)?;
        body.insert("note".into(), json!("paid back"));
        let again = first.replayed(format!("{}-again", identity.id));
        told.push(Delivery { body: Value::Object(body).to_string(), ..again });
        told.push(first.replayed(format!("{}-fresh", identity.id)));
    }
    story.pass(-30);
    story.tell("orders/paid");
    told.extend(story.told().last().cloned());
    Ok(told)
}
