//! Tests: whatever is wrong with an order, nothing panics and nothing odd comes out.

use super::tests::{order, topic_of};
use super::*;
use crate::fixtures;
use serde_json::Value;

/// Pseudo-random numbers with a printed seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

/// Whatever a sender may put where something else belongs.
const ODDITIES: [&str; 22] = [
    "null",
    "true",
    "0",
    "-1",
    "1e300",
    "-0.000",
    "820982911946154508",
    "99999999999999999999",
    "\"\"",
    "\" \"",
    "\"1e400\"",
    "\"NaN\"",
    "\"\\u200b\"",
    "\"<b>x</b>\"",
    "\"2025-02-30\"",
    "\"🎂\\uFFFF\"",
    "[]",
    "{}",
    "[[[1]]]",
    "{\"name\":{\"value\":1}}",
    "[null,{\"id\":[]}]",
    "\"gid://shopify/Order/1\"",
];

/// Puts odd values in the place of random members, however deep.
fn disturb(value: &mut Value, dice: &mut Dice, chance: usize) {
    if dice.below(chance) == 0 {
        let oddity = ODDITIES[dice.below(ODDITIES.len())];
        *value = serde_json::from_str(oddity).unwrap();
        return;
    }
    match value {
        Value::Array(elements) => elements.iter_mut().for_each(|element| disturb(element, dice, chance)),
        Value::Object(members) => {
            members.values_mut().for_each(|member| disturb(member, dice, chance));
            if dice.below(chance) == 0 {
                let name = members.keys().nth(dice.below(members.len().max(1))).cloned();
                name.map(|name| members.remove(&name));
            }
        }
        _ => {}
    }
}

#[test]
fn whatever_is_wrong_with_an_order_nothing_panics_and_nothing_odd_comes_out() {
    let mut dice = Dice(20_261_121);
    let mut orders = 0;
    for fixture in fixtures::names("shopify_orders_") {
        let whole: Value = serde_json::from_slice(&fixtures::read(&fixture)).unwrap();
        for round in 0..400 {
            let mut body = whole.clone();
            disturb(&mut body, &mut dice, 3 + round);
            let text = body.to_string();
            if let Ok(Normalized::Order(order)) =
                normalize(&topic_of(&fixture), text.as_bytes(), &NormalizeSettings::default())
            {
                orders += 1;
                check_invariants(&order, &text);
            }
        }
    }
    assert!(orders > 2000, "{orders} orders survived: the test proves too little");
}

fn check_invariants(order: &NormalizedOrder, body: &str) {
    assert!(order.shopify_id.parse::<i64>().is_ok_and(|id| id > 0), "{body}");
    assert_eq!(order.gid, format!("gid://shopify/Order/{}", order.shopify_id));
    let mut ids: Vec<&str> = order.lines.iter().map(|line| line.line_id.as_str()).collect();
    let lines = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), lines, "line ids repeat in {body}");
    let json = serde_json::to_value(order).unwrap();
    assert_clean(&json, body);
    for line in &order.lines {
        assert!((0..=1_000_000).contains(&line.quantity));
        assert!(
            line.price
                .as_deref()
                .is_none_or(|price| price.parse::<f64>().is_ok_and(|price| price.abs() < 1e12))
        );
        assert!(line.sku.as_deref().is_none_or(|sku| !sku.is_empty() && sku.chars().count() <= 255));
    }
    assert!(order.currency.as_deref().is_none_or(|code| code.len() == 3));
    assert!(
        order
            .due_date
            .as_deref()
            .is_none_or(|date| chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok())
    );
    for at in [&order.updated_at, &order.cancelled_at].into_iter().flatten() {
        assert!(chrono::DateTime::parse_from_rfc3339(at).is_ok());
    }
}

fn assert_clean(value: &Value, body: &str) {
    match value {
        Value::String(text) => {
            assert!(
                !text.contains('\0') && !text.trim().is_empty() && text.chars().count() <= 10_003,
                "{text:?} in {body}"
            );
        }
        Value::Array(elements) => elements.iter().for_each(|element| assert_clean(element, body)),
        Value::Object(members) => members.values().for_each(|member| assert_clean(member, body)),
        _ => {}
    }
}

#[test]
fn cut_and_flipped_bytes_never_panic() {
    let mut dice = Dice(7);
    let whole = fixtures::read("shopify_orders_create__aud_shop_usd_presentment");
    for _ in 0..3000 {
        let mut body = whole.clone();
        for _ in 0..=dice.below(4) {
            let at = dice.below(body.len());
            match dice.below(3) {
                0 => body[at] ^= 1 << dice.below(8),
                1 => body.truncate(at.max(1)),
                _ => body[at] = b"{}[]\",:\\u0e-"[dice.below(12)],
            }
        }
        let _ = normalize(&Topic::OrdersCreate, &body, &NormalizeSettings::default());
    }
}

#[test]
fn a_million_members_and_a_long_text_are_read_in_one_pass() {
    let members: Vec<String> = (0..300_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let body = format!(r#"{{"id":1,"note":"{}",{}}}"#, "x ".repeat(500_000), members.join(","));
    assert_eq!(order(&format!(r#"{{"currency":"AUD",{}"#, &body[1..])).notes.unwrap().chars().count(), 4999);
}
