use super::*;
use crate::permutations;
use serde_json::{Value, json};

fn shop() -> Shop {
    Shop { store: "bannos".into(), domain: "bannos.myshopify.com".into(), prefix: "bannos".into() }
}

fn delivery(topic: &str, minute: u32, change: Value) -> Delivery {
    let mut order = json!({
        "id": 5, "order_number": 77, "updated_at": format!("2026-02-09T01:{minute:02}:00Z"),
        "financial_status": "pending", "current_total_price": "20.00", "currency": "AUD",
        "line_items": [{"id": 1, "sku": "A", "title": "Cake", "quantity": 2, "current_quantity": 2}],
    });
    for (name, value) in change.as_object().unwrap() {
        order[name] = value.clone();
    }
    Delivery {
        shop: shop().domain,
        topic: topic.into(),
        webhook_id: format!("{topic} {minute}"),
        body: order.to_string(),
    }
}

fn state(deliveries: &[Delivery]) -> OrderState {
    order_state(&shop(), deliveries).unwrap()
}

#[test]
fn the_order_of_the_set_does_not_matter() {
    let set = [
        delivery("orders/create", 0, json!({"note": "first"})),
        delivery("orders/updated", 1, json!({"note": "second"})),
        delivery("orders/updated", 1, json!({"note": null})),
        delivery("orders/cancelled", 2, json!({"note": null, "cancelled_at": "2026-02-09T01:02:00Z"})),
    ];
    for order in permutations(set.len()) {
        let turned: Vec<Delivery> = order.iter().map(|index| set[*index].clone()).collect();
        assert_eq!(state(&turned), state(&set));
    }
    assert_eq!(state(&set).fields.notes.as_deref(), Some("second"));
}

#[test]
fn a_later_update_wins_and_at_the_same_time_the_greater_topic() {
    let paid = delivery("orders/paid", 1, json!({"financial_status": "paid"}));
    let updated = delivery("orders/updated", 1, json!({"financial_status": "authorized"}));
    assert_eq!(state(&[paid.clone(), updated]).fields.payment_status.as_deref(), Some("paid"));
    let later = delivery("orders/updated", 2, json!({"financial_status": "refunded"}));
    assert_eq!(state(&[later, paid]).fields.payment_status.as_deref(), Some("refunded"));
}

#[test]
fn at_the_same_time_and_topic_the_greater_hash_wins() {
    let one = delivery("orders/updated", 1, json!({"note": "one"}));
    let two = delivery("orders/updated", 1, json!({"note": "two"}));
    let greater = if one.content_hash() > two.content_hash() { "one" } else { "two" };
    assert_eq!(state(&[one, two]).fields.notes.as_deref(), Some(greater));
}

#[test]
fn an_order_without_updated_at_is_the_oldest() {
    let dated = delivery("orders/create", 0, json!({"note": "dated"}));
    let undated = delivery("orders/cancelled", 0, json!({"note": "undated", "updated_at": null}));
    assert_eq!(state(&[undated, dated]).fields.notes.as_deref(), Some("dated"));
}

#[test]
fn a_cancellation_stays_though_a_later_update_knows_nothing_of_it() {
    let cancelled = delivery(
        "orders/cancelled",
        1,
        json!({"cancelled_at": "2026-02-09T01:01:00Z", "cancel_reason": "customer"}),
    );
    let late = delivery("orders/updated", 9, json!({"cancelled_at": null, "cancel_reason": null}));
    let end = state(&[cancelled, late]);
    assert!(end.fields.cancelled_at.is_some());
    assert_eq!(end.fields.cancel_reason.as_deref(), Some("customer"));
    assert_eq!(end.wanted(&end.fields.lines[0], &BTreeSet::from(["A".to_owned()])), 0);
}

#[test]
fn lines_are_those_of_the_winner_and_what_it_leaves_out_is_filled_in() {
    let create = delivery("orders/create", 0, json!({}));
    let emptied = delivery("orders/updated", 1, json!({"line_items": [], "financial_status": null}));
    let end = state(&[create, emptied]);
    assert!(end.fields.lines.is_empty());
    assert_eq!(end.fields.payment_status.as_deref(), Some("pending"));
    assert_eq!(end.fields.product_title.as_deref(), Some("Cake"));
}

#[test]
fn without_its_create_it_is_a_placeholder() {
    let update = delivery("orders/updated", 1, json!({}));
    assert!(state(std::slice::from_ref(&update)).placeholder);
    assert!(!state(&[update, delivery("orders/create", 0, json!({}))]).placeholder);
}

#[test]
fn another_shop_says_nothing_about_the_order() {
    let create = delivery("orders/create", 0, json!({}));
    let stray =
        delivery("orders/updated", 5, json!({"note": "stray"})).misdirected("flourlane.myshopify.com");
    assert_eq!(state(&[create.clone(), stray.clone()]), state(&[create]));
    assert_eq!(order_state(&shop(), &[stray]), None);
}

#[test]
fn only_tracked_lines_that_are_no_gift_cards_ask_for_stock() {
    let lines = json!([
        {"id": 1, "sku": "A", "quantity": 2},
        {"id": 2, "sku": "B", "quantity": 2},
        {"id": 3, "sku": "", "quantity": 2},
        {"id": 4, "sku": "A", "quantity": 2, "gift_card": true},
    ]);
    let end = state(&[delivery("orders/create", 0, json!({"line_items": lines}))]);
    let tracked = BTreeSet::from(["A".to_owned()]);
    let wanted: Vec<i64> = end.fields.lines.iter().map(|line| end.wanted(line, &tracked)).collect();
    assert_eq!(wanted, [2, 0, 0, 0]);
}
