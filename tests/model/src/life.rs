//! Random lives of orders, as shops lead them: paid, edited, refunded, annotated, cancelled; told once, twice at the
//! same instant, or by an update alone.

use crate::base::Base;
use crate::delivery::Delivery;
use crate::story::{Identity, Story};
use serde_json::{Value, json};

/// SKUs that no store tracks: ordered, never held.
const UNTRACKED: &str = "NOT-TRACKED";

const VARIANTS: [&str; 5] =
    ["Large / Vanilla", "Small / Chocolate", "Medium / Red Velvet", "Hazelnut / Small", "Plain"];

const NOTES: [Option<&str>; 4] = [None, Some(""), Some("Happy Birthday"), Some("no nuts — 一切顺利 🎂")];

const DUE: [Option<&str>; 4] = [
    None,
    Some("2026-03-01 between 10:00 and 14:00"),
    Some("2026-03-02"),
    Some("2026-12-24 between 9 and 10"),
];

/// The deliveries of a random life, `length` of them, in the order in which they were made. Lines ask for some of
/// the SKUs, for untracked ones, and for none.
#[must_use]
pub fn life(
    rng: &mut fastrand::Rng,
    base: &Base,
    identity: &Identity,
    skus: &[String],
    length: usize,
) -> Vec<Delivery> {
    let mut story = Story::new(base, identity);
    for index in 0..story.line_count() {
        let (sku, quantity) = (pick_sku(rng, skus), rng.u32(1..4));
        story.order_line(index, &sku, quantity);
        story.set_line(index, "variant_title", json!(one(rng, &VARIANTS)));
    }
    story.set("financial_status", json!("pending"));

    // One life in six is only ever known from updates.
    story.tell(if rng.u8(..6) == 0 { "orders/updated" } else { "orders/create" });
    while story.told().len() < length {
        // One change in four happens within the second of the one before.
        let seconds = if rng.u8(..4) == 0 { 0 } else { i64::from(rng.u32(1..90_000)) };
        story.pass(seconds);
        let topic = change(rng, &mut story, skus);
        if topic != "refunds/create" || !story.tell_refund() {
            story.tell(if topic == "refunds/create" { "orders/updated" } else { topic });
        }
        if story.told().len() < length && rng.u8(..4) == 0 {
            // Shopify tells most changes twice: under their own topic and as an update.
            story.tell("orders/updated");
        }
    }
    story.told().to_vec()
}

fn change(rng: &mut fastrand::Rng, story: &mut Story, skus: &[String]) -> &'static str {
    let line = rng.usize(..story.line_count().max(1));
    match rng.u8(..14) {
        0 => {
            story.set("financial_status", json!("paid"));
            return "orders/paid";
        }
        1 => {
            story.cancel(one(rng, &["customer", "inventory", "other"]));
            story.set("financial_status", json!("refunded"));
            return "orders/cancelled";
        }
        2 => return one(rng, &["orders/fulfilled", "orders/partially_fulfilled"]),
        3 | 12 | 13 => {
            story.refund(line, rng.i64(1..3), one(rng, &["return", "cancel", "no_restock"]));
            story.set("financial_status", json!("partially_refunded"));
            story.cost(rng.u32(..40_000));
            // Told by itself first, or only by what the order looks like afterwards.
            return if rng.bool() { "refunds/create" } else { "orders/updated" };
        }
        4 => story.drop_line(line),
        5 => {
            let sku = pick_sku(rng, skus);
            story.add_line(&sku, rng.u32(1..4));
        }
        6 => {
            let sku = pick_sku(rng, skus);
            story.set_line(line, "sku", json!(sku));
        }
        7 => story.set("note", json!(one(rng, &NOTES))),
        8 => story.set_attribute("Local Delivery Date and Time", one(rng, &DUE)),
        9 => story.set_attribute(
            "Delivery Method",
            one(rng, &[None, Some("Store Pickup"), Some("Local Delivery")]),
        ),
        10 => {
            let name = one(rng, &[Value::Null, json!({"name": "Ana Q."}), json!({"name": "Bo R."})]);
            story.set("shipping_address", name);
        }
        _ => story.want(line, rng.u32(..6)),
    }
    "orders/updated"
}

fn pick_sku(rng: &mut fastrand::Rng, skus: &[String]) -> String {
    match rng.u8(..8) {
        0 => String::new(),
        1 => UNTRACKED.into(),
        _ => rng.choice(skus).cloned().unwrap_or_default(),
    }
}

fn one<T: Clone + Default>(rng: &mut fastrand::Rng, from: &[T]) -> T {
    rng.choice(from).cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Seed, Shop, bases, order_state};

    #[test]
    fn lives_repeat_with_their_seed_and_show_everything_in_a_hundred() {
        let shop =
            Shop { store: "bannos".into(), domain: "bannos.myshopify.com".into(), prefix: "bannos".into() };
        let skus = ["A".to_owned(), "B".to_owned()];
        let (mut cancelled, mut placeholders, mut removed, mut ties, mut lost) = (0, 0, 0, 0, 0);
        for (number, base) in (0..100).zip(bases().unwrap().iter().cycle()) {
            let identity = Identity { shop: shop.clone(), id: Seed::new(1, 0).order_id(number) };
            let draw = || life(&mut Seed::new(1, 0).rng(number.into()), base, &identity, &skus, 6);
            let told = draw();
            assert_eq!(told, draw());
            assert_eq!(told.len(), 6);
            let end = order_state(&shop, &told).unwrap();
            cancelled += usize::from(end.fields.cancelled_at.is_some());
            placeholders += usize::from(end.placeholder);
            removed += usize::from(end.fields.lines.iter().any(|line| line.quantity == 0));
            lost += usize::from(end.fields.lines.iter().any(|line| line.consumed > 0));
            let instants: Vec<_> = told
                .iter()
                .filter_map(|one| Some(order_state(&shop, std::slice::from_ref(one))?.fields.updated_at))
                .collect();
            ties += usize::from(instants.windows(2).any(|pair| pair[0] == pair[1]));
        }
        assert!(cancelled > 10 && placeholders > 5 && removed > 10 && ties > 30 && lost > 3);
    }
}
