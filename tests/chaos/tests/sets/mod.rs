//! Sets of five deliveries, each with one thing in it that goes wrong elsewhere.

mod refunds;

use ordak_e2e::{Failure, Outcome};
use ordak_model::{Delivery, Identity, Story, bases};
use serde_json::{Value, json};

/// SKUs in stock.
pub type Skus = [String; 4];

/// A set of deliveries under any identity.
pub struct Set {
    /// For complaints.
    pub name: &'static str,
    /// How many deliveries there are.
    pub length: usize,
    /// Makes them.
    pub tell: fn(&Identity, &Skus) -> Outcome<Vec<Delivery>>,
}

/// Every set.
pub fn all() -> Vec<Set> {
    let set = |name, tell| Set { name, length: 5, tell };
    let mut all = vec![
        set("paid, edited, cancelled", paid_edited_cancelled),
        set("all at the same instant", all_at_the_same_instant),
        set("never created", never_created),
        set("notes vanish", notes_vanish),
        set("duplicates", duplicates),
        set("cancelled and revived", cancelled_and_revived),
        set("refunded piece by piece", refunded),
        set("created without updated_at", undated),
        set("lines change places", lines_change_places),
        set("edits and refunds beside snapshots", references),
        set("topics that are not signed", forged_topics),
    ];
    all.extend(refunds::all());
    all
}

fn begin(name: &str, identity: &Identity, skus: &Skus) -> Outcome<Story> {
    let base = bases()?.into_iter().find(|base| base.name.contains(name));
    let base = base.ok_or_else(|| Failure::new(format!("no fixture is called {name}")))?;
    let mut story = Story::new(&base, identity);
    for (index, sku) in (0..story.line_count()).zip(skus.iter().cycle()) {
        story.order_line(index, sku, 2);
    }
    story.set("financial_status", json!("pending"));
    Ok(story)
}

fn paid_edited_cancelled(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("multi_line", identity, skus)?;
    story.tell("orders/create");
    story.pass(10);
    story.set("financial_status", json!("paid"));
    story.tell("orders/paid");
    story.pass(10);
    story.want(0, 5);
    story.drop_line(1);
    story.add_line(&skus[3], 1);
    story.tell("orders/updated");
    story.pass(10);
    story.cancel("customer");
    story.tell("orders/cancelled");
    story.pass(10);
    story.set("financial_status", json!("refunded"));
    story.tell("orders/updated");
    Ok(story.told().to_vec())
}

fn all_at_the_same_instant(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("simple_delivery", identity, skus)?;
    story.tell("orders/create");
    story.want(0, 1);
    story.tell("orders/updated");
    story.want(0, 7);
    story.set("note", json!("conflict"));
    story.tell("orders/updated");
    story.want(0, 3);
    story.set("financial_status", json!("paid"));
    story.tell("orders/paid");
    story.set("note", Value::Null);
    story.want(0, 4);
    story.tell("orders/fulfilled");
    Ok(story.told().to_vec())
}

fn never_created(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("inr_cod", identity, skus)?;
    story.tell("orders/updated");
    story.pass(5);
    story.want(1, 9);
    story.tell("orders/updated");
    story.set("financial_status", json!("paid"));
    story.tell("orders/paid");
    story.pass(5);
    story.tell("orders/partially_fulfilled");
    story.pass(5);
    story.set("shipping_address", Value::Null);
    story.set("customer", Value::Null);
    story.tell("orders/fulfilled");
    Ok(story.told().to_vec())
}

fn notes_vanish(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("gelato", identity, skus)?;
    story.set("note", json!("first"));
    story.tell("orders/create");
    story.pass(1);
    story.set("note", json!("second"));
    story.set_attribute("Delivery Instructions", None);
    story.tell("orders/updated");
    story.pass(1);
    story.set("note", json!(""));
    story.set_attribute("Local Delivery Date and Time", None);
    story.tell("orders/updated");
    story.pass(1);
    story.set("note", Value::Null);
    story.set_attribute("Delivery Method", Some("Store Pickup"));
    story.set_line(0, "properties", json!([]));
    story.tell("orders/updated");
    story.pass(1);
    story.set("line_items", json!([]));
    story.tell("orders/updated");
    Ok(story.told().to_vec())
}

fn duplicates(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("hkd_draft_auto", identity, skus)?;
    story.tell("orders/create");
    story.pass(60);
    story.want(0, 0);
    story.tell("orders/updated");
    let (first, second) = first_two(&story)?;
    let fresh = first.replayed(format!("{}-fresh", identity.id));
    let fresher = second.replayed(format!("{}-fresher", identity.id));
    Ok(vec![first.clone(), second, first, fresh, fresher])
}

fn cancelled_and_revived(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("test_notification", identity, skus)?;
    story.tell("orders/create");
    story.pass(60);
    story.cancel("fraud");
    story.tell("orders/cancelled");
    story.pass(60);
    story.set("cancelled_at", Value::Null);
    story.set("cancel_reason", Value::Null);
    story.want(0, 2);
    story.tell("orders/updated");
    story.pass(60);
    story.cancel("customer");
    story.tell("orders/updated");
    story.pass(60);
    story.set("cancelled_at", Value::Null);
    story.want(1, 3);
    story.tell("orders/fulfilled");
    Ok(story.told().to_vec())
}

fn refunded(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("usd_presentment", identity, skus)?;
    story.order_line(0, &skus[0], 4);
    story.tell("orders/create");
    for left in [3, 1, 2, 0] {
        story.pass(3600);
        story.want(0, left);
        story.cost(left * 4562);
        story.set("financial_status", json!(if left == 0 { "refunded" } else { "partially_refunded" }));
        story.tell("orders/updated");
    }
    Ok(story.told().to_vec())
}

fn undated(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("gelato", identity, skus)?;
    story.set("note", json!("only the oldest says this"));
    story.tell_undated("orders/create");
    story.want(0, 6);
    story.tell_undated("orders/paid");
    story.set("note", Value::Null);
    story.tell("orders/updated");
    story.pass(-86_400);
    story.want(0, 1);
    story.set("note", json!("older, though told later"));
    story.tell("orders/updated");
    story.want(0, 8);
    story.tell("orders/paid");
    Ok(story.told().to_vec())
}

fn lines_change_places(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("multi_line", identity, skus)?;
    story.tell("orders/create");
    story.pass(1);
    story.set_line(0, "sku", json!(skus[1]));
    story.set_line(1, "sku", json!(skus[0]));
    story.tell("orders/updated");
    story.pass(1);
    story.set_line(0, "sku", json!(""));
    story.set_line(2, "gift_card", json!(true));
    story.tell("orders/updated");
    story.pass(1);
    story.drop_line(0);
    story.set_line(1, "gift_card", json!(false));
    story.tell("orders/updated");
    story.pass(1);
    story.add_line(&skus[2], 3);
    story.add_line(&skus[2], 3);
    story.tell("orders/updated");
    Ok(story.told().to_vec())
}

fn references(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("simple_delivery", identity, skus)?;
    story.tell("orders/create");
    story.pass(1);
    story.want(0, 1);
    story.tell("orders/updated");
    let mut told = story.told().to_vec();
    let mut beside = |topic: &str, body: Value| {
        let webhook_id = format!("{}-{topic}-{}", identity.id, told.len());
        told.push(Delivery {
            shop: identity.shop.domain.clone(),
            topic: topic.into(),
            webhook_id,
            body: body.to_string(),
        });
    };
    let edit = |id: i32| json!({"order_edit": {"id": id, "order_id": identity.id, "line_items": {}}});
    beside("orders/edited", edit(1));
    beside("refunds/create", json!({"id": 1, "order_id": identity.id, "refund_line_items": []}));
    beside("orders/edited", edit(2));
    Ok(told)
}

/// The signature covers the body alone: whoever has seen one can send it under any topic.
fn forged_topics(identity: &Identity, skus: &Skus) -> Outcome<Vec<Delivery>> {
    let mut story = begin("simple_delivery", identity, skus)?;
    story.tell("orders/create");
    story.pass(1);
    story.want(0, 1);
    story.tell("orders/updated");
    let (first, second) = first_two(&story)?;
    let forged = |of: &Delivery, topic: &str| {
        let delivery = of.replayed(format!("{}-{topic}", identity.id));
        Delivery { topic: topic.into(), ..delivery }
    };
    Ok(vec![
        forged(&first, "orders/cancelled"),
        forged(&second, "orders/fulfilled"),
        forged(&first, "app/uninstalled"),
        first,
        second,
    ])
}

fn first_two(story: &Story) -> Outcome<(Delivery, Delivery)> {
    match story.told() {
        [first, second, ..] => Ok((first.clone(), second.clone())),
        _ => Err(Failure::new("the story is too short")),
    }
}
