//! The control routes: what was asked, what was done, and starting afresh.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::{Value, json};
use support::{Fakes, ITEM, SHOP, quantity};

#[tokio::test]
async fn records_every_call_with_headers_body_status_and_key() {
    let fakes = Fakes::start().await;
    fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    let posted = fakes
        .client
        .post(format!("{}/slack/hook", fakes.url))
        .header("X-Test", "a")
        .body(r#"{"text":"plain"}"#)
        .send();
    assert_eq!(posted.await.unwrap().text().await.unwrap(), "ok");
    let shopify = fakes.get("/_calls?upstream=shopify").await;
    let call = &shopify["calls"][0];
    assert_eq!(call["status"], 200);
    assert_eq!(call["idempotency_key"], "k1");
    assert_eq!(call["shop"], SHOP);
    assert_eq!(call["body"]["variables"]["key"], "k1");
    let slack = fakes.get("/_calls?upstream=slack").await;
    assert_eq!(slack["calls"][0]["body"]["text"], "plain");
    assert_eq!(slack["calls"][0]["headers"]["x-test"], "a");
    let all = fakes.get("/_calls").await;
    assert_eq!(all["calls"].as_array().unwrap().len(), 2);
    let none = fakes.get("/_calls?contains=InventoryItem/9").await;
    assert_eq!(none["calls"], json!([]));
}

#[tokio::test]
async fn tells_effects_by_key() {
    let fakes = Fakes::start().await;
    fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    fakes.push("k2", json!([quantity(ITEM, 4, json!(5))])).await;
    let effects = fakes.get("/_effects?key=k2").await;
    assert_eq!(effects["effects"].as_array().unwrap().len(), 1);
    assert_eq!(effects["effects"][0]["seq"], 2);
    assert_eq!(effects["effects"][0]["detail"]["quantities"][0]["from"], 5);
}

#[tokio::test]
async fn a_reset_forgets_all_or_one_shop() {
    let fakes = Fakes::start().await;
    fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    fakes.post("/_reset", json!({"shop": "other.myshopify.com"})).await;
    assert_eq!(fakes.available(ITEM).await, Some(5));
    fakes.post("/_reset", json!({"shop": SHOP})).await;
    assert_eq!(fakes.available(ITEM).await, None);
    assert_eq!(fakes.effects().await, 1);
    fakes.post("/_reset", json!({})).await;
    assert_eq!(fakes.effects().await, 0);
    assert_eq!(fakes.get("/_calls").await, json!({"calls": []}));
}

#[tokio::test]
async fn says_what_it_does_not_understand() {
    let fakes = Fakes::start().await;
    for (path, body) in [
        ("/_faults", json!({"upstream": "shopify", "mode": "earthquake"})),
        ("/_faults", json!({"upstream": "shopify", "mode": "500", "rate": 2})),
        ("/_state", json!({"upstream": "slack", "shop": "x"})),
    ] {
        let response = fakes.client.post(format!("{}{path}", fakes.url)).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{path} {body}");
        assert!(response.json::<Value>().await.unwrap()["message"].is_string());
    }
    let unknown = fakes.client.get(format!("{}/acme/x", fakes.url)).send().await.unwrap();
    assert_eq!(unknown.status(), 404);
}
