//! Money given back by the fake Admin API: once for a key, and never more than was paid.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::{Value, json};
use support::{Fakes, SHOP};

const MUTATION: &str = "mutation Refund($input: RefundInput!, $key: String!) {
  refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { field message } } }";
const QUERY: &str = "query($id: ID!) { node(id: $id) { ... on Order { id refunds(first: 9) { note }
  transactions(first: 9) { id kind status gateway amountSet { presentmentMoney { amount currencyCode } }
    parentTransaction { id } } } } }";

async fn shop() -> Fakes {
    let fakes = Fakes::start().await;
    let order = json!({"id": 7, "currency": "AUD", "total_price": "36.80", "financial_status": "paid"});
    let answer = fakes.post("/_shop", json!({"shop": SHOP, "orders": [order]})).await;
    assert_eq!(answer["ok"], true, "{answer}");
    fakes
}

fn input(amount: &str) -> Value {
    json!({
        "orderId": "gid://shopify/Order/7", "currency": "AUD", "note": "because", "transactions": [{
            "orderId": "gid://shopify/Order/7", "parentId": "gid://shopify/OrderTransaction/70", "gateway": "bogus",
            "kind": "REFUND", "amount": amount
        }]
    })
}

async fn refund(fakes: &Fakes, key: &str, input: Value) -> Value {
    fakes.graphql(MUTATION, json!({"input": input, "key": key})).await
}

fn refusal(answer: &Value) -> &str {
    answer["data"]["refundCreate"]["userErrors"][0]["message"].as_str().unwrap()
}

#[tokio::test]
async fn gives_back_once_for_a_key() {
    let fakes = shop().await;
    let first = refund(&fakes, "k1", input("36.80")).await;
    assert!(first["data"]["refundCreate"]["refund"]["id"].is_string(), "{first}");
    assert_eq!(refund(&fakes, "k1", input("36.80")).await["data"], first["data"]);
    assert_eq!(fakes.effects().await, 1);
    let order = fakes.graphql(QUERY, json!({"id": "gid://shopify/Order/7"})).await["data"]["node"].clone();
    assert_eq!(order["refunds"], json!([{"note": "because"}]));
    assert_eq!(order["transactions"][1]["kind"], "REFUND");
    assert_eq!(order["transactions"][1]["parentTransaction"]["id"], "gid://shopify/OrderTransaction/70");
    assert_eq!(
        order["transactions"][0]["amountSet"]["presentmentMoney"],
        json!({"amount": "36.8", "currencyCode": "AUD"})
    );
}

#[tokio::test]
async fn refuses_what_the_real_one_refuses() {
    let fakes = shop().await;
    let bare = "mutation R($input: RefundInput!) { refundCreate(input: $input) { refund { id } } }";
    let answer = fakes.graphql(bare, json!({"input": input("1.00")})).await;
    assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_REQUEST");
    assert!(refusal(&refund(&fakes, "k1", input("36.81")).await).contains("cannot be greater"));
    assert!(refusal(&refund(&fakes, "k1", input("36.80")).await).contains("different operation parameters"));
    let mut foreign = input("1.00");
    foreign["currency"] = json!("USD");
    assert!(refusal(&refund(&fakes, "k2", foreign).await).contains("presentment currency"));
    let mut unknown = input("1.00");
    unknown["orderId"] = json!("gid://shopify/Order/8");
    assert!(refusal(&refund(&fakes, "k3", unknown).await).contains("does not exist"));
    let mut orphan = input("1.00");
    orphan["transactions"][0]["parentId"] = json!("gid://shopify/OrderTransaction/1");
    assert!(refusal(&refund(&fakes, "k4", orphan).await).contains("not refundable"));
    assert_eq!(fakes.effects().await, 0);
    refund(&fakes, "k5", input("30.00")).await;
    assert!(refusal(&refund(&fakes, "k6", input("7.00")).await).contains("cannot be greater"));
    refund(&fakes, "k7", input("6.80")).await;
    assert_eq!(fakes.effects().await, 2);
}
