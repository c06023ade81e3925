//! Every planned fault as a caller meets it on the wire, and whether the effect behind it happened.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

mod support;

use reqwest::Response;
use serde_json::{Value, json};
use std::time::Duration;
use support::{Fakes, ITEM, MUTATION, SHOP, input, quantity};

async fn armed(fault: Value) -> Fakes {
    let fakes = Fakes::start().await;
    let mut fault = fault;
    fault["upstream"] = json!("shopify");
    assert_eq!(fakes.post("/_faults", fault).await["ok"], true);
    fakes
}

async fn push(fakes: &Fakes) -> reqwest::Result<Response> {
    fakes
        .try_graphql(MUTATION, json!({"key": "k1", "input": input(json!([quantity(ITEM, 5, json!(0))]))}))
        .await
}

/// A push whose caller leaves before an answer, as soon as it has arrived and has had so many effects.
async fn given_up(fakes: &Fakes, effects: usize) {
    let arrived = async {
        loop {
            let calls = fakes.get("/_calls?upstream=shopify").await;
            if calls["calls"][0].is_object() && fakes.effects().await == effects {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        answer = push(fakes) => panic!("it was answered: {answer:?}"),
        () = arrived => {}
    }
}

/// The fault is used up: the same request goes through, and the effect is there once.
async fn heals(fakes: &Fakes, effects_before: usize) {
    assert_eq!(fakes.effects().await, effects_before);
    assert_eq!(push(fakes).await.unwrap().status(), 200);
    assert_eq!(fakes.available(ITEM).await, Some(5));
    assert_eq!(fakes.effects().await, 1);
}

#[tokio::test]
async fn answers_with_statuses_and_bodies_of_broken_servers() {
    for (mode, status) in [
        ("429_seconds", 429),
        ("429_date", 429),
        ("429", 429),
        ("500", 500),
        ("502_html", 502),
        ("503", 503),
        ("redirect", 302),
        ("redirect_307", 307),
        ("400", 400),
        ("402", 402),
        ("404", 404),
        ("revoked_token", 401),
        ("forbidden", 403),
    ] {
        let fakes = armed(json!({"mode": mode, "retry_after": 7})).await;
        let response = push(&fakes).await.unwrap();
        assert_eq!(response.status(), status, "{mode}");
        let hint = response.headers().get("retry-after").map(|value| value.to_str().unwrap().to_owned());
        match mode {
            "429_seconds" => assert_eq!(hint.as_deref(), Some("7")),
            "429_date" => assert!(hint.is_some_and(|hint| hint.ends_with(" GMT"))),
            _ => assert_eq!(hint, None, "{mode}"),
        }
        heals(&fakes, 0).await;
    }
}

#[tokio::test]
async fn hides_failures_in_a_200() {
    let fakes = armed(json!({"mode": "throttled"})).await;
    let body: Value = push(&fakes).await.unwrap().json().await.unwrap();
    assert_eq!(body["errors"][0]["extensions"]["code"], "THROTTLED");
    assert!(body["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"].is_number());
    heals(&fakes, 0).await;

    let fakes = armed(json!({"mode": "user_errors", "code": "IDEMPOTENCY_CONCURRENT_REQUEST"})).await;
    let body: Value = push(&fakes).await.unwrap().json().await.unwrap();
    let errors = &body["data"]["inventorySetQuantities"]["userErrors"];
    assert_eq!(errors[0]["code"], "IDEMPOTENCY_CONCURRENT_REQUEST");
    heals(&fakes, 0).await;

    let fakes = armed(json!({"mode": "html_200"})).await;
    assert!(push(&fakes).await.unwrap().text().await.unwrap().starts_with("<html>"));
    heals(&fakes, 0).await;
}

#[tokio::test]
async fn says_no_in_the_words_of_what_was_asked() {
    let fakes = armed(json!({"mode": "user_errors", "count": 2})).await;
    let refund = "mutation R { refundCreate { refund { id } } }";
    let body = fakes.graphql(refund, json!({})).await;
    assert_eq!(body["data"]["refundCreate"]["userErrors"][0]["code"], "INTERNAL_ERROR");
    let body = fakes.graphql("query { shop { id } }", json!({})).await;
    assert_eq!(body["errors"][0]["extensions"]["code"], "INTERNAL_SERVER_ERROR");
    assert!(body.get("data").is_none());
}

#[tokio::test]
async fn cuts_the_connection_before_the_answer() {
    for (mode, effects) in [("reset_before_body", 0), ("executed_then_reset", 1)] {
        let fakes = armed(json!({"mode": mode})).await;
        let error = push(&fakes).await.unwrap_err();
        assert!(error.is_request(), "{mode}: {error:?}");
        heals(&fakes, effects).await;
    }
}

#[tokio::test]
async fn cuts_the_connection_in_the_middle_of_the_answer() {
    let fakes = armed(json!({"mode": "reset_mid_body"})).await;
    let response = push(&fakes).await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.bytes().await.is_err());
    heals(&fakes, 1).await;
}

#[tokio::test]
async fn garbles_the_body_after_executing() {
    for mode in ["malformed_json", "truncated_json", "deep_json", "empty_200"] {
        let fakes = armed(json!({"mode": mode})).await;
        let body = push(&fakes).await.unwrap().text().await.unwrap();
        assert!(serde_json::from_str::<Value>(&body).is_err(), "{mode}: {body}");
        heals(&fakes, 1).await;
    }
}

#[tokio::test]
async fn sends_more_than_anyone_wants_to_hold() {
    let fakes = armed(json!({"mode": "huge_body", "bytes": 3_000_000})).await;
    let body = push(&fakes).await.unwrap().bytes().await.unwrap();
    assert!(body.len() > 2_900_000, "{}", body.len());
    heals(&fakes, 1).await;
}

#[tokio::test]
async fn answers_late_or_never() {
    let fakes = armed(json!({"mode": "slow", "delay_ms": 1})).await;
    assert_eq!(push(&fakes).await.unwrap().status(), 200);
    heals(&fakes, 1).await;

    let fakes = armed(json!({"mode": "hang", "delay_ms": 600_000})).await;
    given_up(&fakes, 0).await;
    let calls = fakes.get("/_calls?upstream=shopify").await;
    assert_eq!(calls["calls"][0]["status"], Value::Null);
    assert_eq!(calls["calls"][0]["fault"], "hang");
    heals(&fakes, 0).await;
}

#[tokio::test]
async fn whoever_follows_a_redirect_is_recorded() {
    let fakes = armed(json!({"mode": "redirect"})).await;
    let response = push(&fakes).await.unwrap();
    let target = response.headers().get("location").unwrap().to_str().unwrap().to_owned();
    let calls = async || fakes.get("/_calls?upstream=redirected").await["calls"].as_array().unwrap().len();
    assert_eq!(calls().await, 0);
    fakes.client.get(format!("{}{target}", fakes.url)).send().await.unwrap();
    assert_eq!(calls().await, 1);
}

#[tokio::test]
async fn a_fault_of_one_shop_spares_the_others_and_can_be_called_off() {
    let fakes = armed(json!({"mode": "500", "shop": "other.myshopify.com"})).await;
    assert_eq!(push(&fakes).await.unwrap().status(), 200);
    let id = fakes.post("/_faults", json!({"upstream": "shopify", "mode": "500", "shop": SHOP})).await["id"]
        .clone();
    let gone = fakes.client.delete(format!("{}/_faults?id={id}", fakes.url)).send().await.unwrap();
    assert_eq!(gone.json::<Value>().await.unwrap(), json!({"ok": true}));
    assert_eq!(push(&fakes).await.unwrap().status(), 200);
    assert_eq!(fakes.get("/_faults").await["faults"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn executes_and_then_says_something_else() {
    let fakes = armed(json!({"mode": "executed_then_500"})).await;
    assert_eq!(push(&fakes).await.unwrap().status(), 500);
    heals(&fakes, 1).await;
    for (mode, header, value) in
        [("wrong_content_type", "content-type", "text/html"), ("wrong_encoding", "content-encoding", "gzip")]
    {
        let fakes = armed(json!({"mode": mode})).await;
        let response = push(&fakes).await.unwrap();
        assert_eq!(response.headers().get(header).unwrap(), value);
        heals(&fakes, 1).await;
    }
}

#[tokio::test]
async fn executes_and_leaves_the_caller_waiting() {
    let fakes = armed(json!({"mode": "executed_then_hang"})).await;
    given_up(&fakes, 1).await;
    let patience = Duration::from_millis(100);
    heals(&fakes, 1).await;
    for (mode, status) in [("hang_mid_body", 200), ("trickle", 200)] {
        let fakes = armed(json!({"mode": mode})).await;
        let response = push(&fakes).await.unwrap();
        assert_eq!(response.status(), status, "{mode}");
        assert!(tokio::time::timeout(patience, response.bytes()).await.is_err(), "{mode}");
        heals(&fakes, 1).await;
    }
    let fakes = armed(json!({"mode": "trickle", "delay_ms": 0})).await;
    let whole: Value = push(&fakes).await.unwrap().json().await.unwrap();
    assert_eq!(whole["data"]["inventorySetQuantities"]["userErrors"], json!([]));
}

#[tokio::test]
async fn a_key_that_is_in_use_is_not_used_again_and_what_is_late_happens_without_its_caller() {
    let fakes = armed(json!({"mode": "slow", "delay_ms": 3_000})).await;
    given_up(&fakes, 0).await;
    let code = async || {
        let answer: Value = push(&fakes).await.unwrap().json().await.unwrap();
        answer["data"]["inventorySetQuantities"]["userErrors"][0]["code"].clone()
    };
    assert_eq!(code().await, "IDEMPOTENCY_CONCURRENT_REQUEST");
    while fakes.effects().await == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(code().await, Value::Null);
    heals(&fakes, 1).await;
}
