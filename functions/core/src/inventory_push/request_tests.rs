//! Tests: what is sent for a call, and under which key.

use super::tests::{ITEM_1, call, item, stock, two_levels};
use crate::work::WorkItem;
use serde_json::{Value, json};

#[test]
fn the_request_has_the_form_of_2026_10() {
    let request = two_levels().request();
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert!(
        body["query"]
            .as_str()
            .unwrap()
            .contains("inventorySetQuantities(input: $input) @idempotent(key: $key)")
    );
    assert_eq!(
        body["variables"],
        json!({
            "key": request.idempotency_key,
            "input": {
                "name": "available", "reason": "correction",
                "referenceDocumentUri": format!("ordak://inventory-push/bannos/{}", request.idempotency_key),
                "quantities": [
                    {"inventoryItemId": ITEM_1, "locationId": "gid://shopify/Location/1", "quantity": 7, "changeFromQuantity": null},
                    {"inventoryItemId": "gid://shopify/InventoryItem/1002", "locationId": "gid://shopify/Location/1", "quantity": 0, "changeFromQuantity": null}
                ]
            }
        })
    );
}

#[test]
fn a_known_level_is_compared() {
    let mut context = stock(1, 5);
    context["change_from"] = json!(8);
    let body: Value = serde_json::from_str(&call(&[item(1, "bannos", context)]).request().body).unwrap();
    assert_eq!(body["variables"]["input"]["quantities"][0]["changeFromQuantity"], 8);
}

#[test]
fn the_same_intent_has_the_same_key_and_another_intent_another() {
    let key = |items: &[WorkItem]| call(items).request().idempotency_key;
    let base = [item(1, "bannos", stock(1001, 7)), item(2, "bannos", stock(1002, 3))];
    let turned = [base[1].clone(), base[0].clone()];
    assert_eq!(key(&base), key(&turned));
    let mut reclaimed = base.clone();
    reclaimed[0].fence += 1;
    reclaimed[0].attempt += 1;
    assert_eq!(key(&base), key(&reclaimed), "a retry is the same intent");
    let mut others = vec![key(&base)];
    others.push(key(&base[..1]));
    others.push(key(&[item(1, "bannos", stock(1001, 6)), base[1].clone()]));
    others.push(key(&[item(9, "bannos", stock(1001, 7)), base[1].clone()]));
    others.push(key(&[item(1, "flourlane", stock(1001, 7)), item(2, "flourlane", stock(1002, 3))]));
    let count = others.len();
    others.sort();
    others.dedup();
    assert_eq!(others.len(), count);
    assert!(others.iter().all(|key| crate::action::is_uuid(key) && key.as_bytes()[14] == b'5'));
    assert!(others.iter().all(|key| matches!(key.as_bytes()[19], b'8' | b'9' | b'a' | b'b')));
}
