//! The fakes on a port of their own, and the words to speak to them.
#![allow(dead_code, reason = "each test file uses its own part")]

use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::net::TcpListener;

pub const SHOP: &str = "cakes.myshopify.com";
pub const ITEM: &str = "gid://shopify/InventoryItem/1001";
pub const LOCATION: &str = "gid://shopify/Location/1";
pub const MUTATION: &str = "mutation Push($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason referenceDocumentUri
      changes { name delta quantityAfterChange item { id } location { id name } } }
    userErrors { field message code }
  }
}";

pub struct Fakes {
    pub url: String,
    pub client: Client,
}

impl Fakes {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, ordak_fakes::router()).await });
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self { url, client }
    }

    pub fn endpoint(&self) -> String {
        format!("{}/shopify/{SHOP}/admin/api/2026-10/graphql.json", self.url)
    }

    pub async fn try_graphql(&self, query: &str, variables: Value) -> reqwest::Result<Response> {
        self.client
            .post(self.endpoint())
            .header("X-Shopify-Access-Token", "shpat_test")
            .json(&json!({"query": query, "variables": variables}))
            .send()
            .await
    }

    pub async fn graphql(&self, query: &str, variables: Value) -> Value {
        let response = self.try_graphql(query, variables).await.unwrap();
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    pub async fn push(&self, key: &str, quantities: Value) -> Value {
        self.graphql(MUTATION, json!({"key": key, "input": input(quantities)})).await
    }

    pub async fn get(&self, path: &str) -> Value {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap().json().await.unwrap()
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        self.client
            .post(format!("{}{path}", self.url))
            .json(&body)
            .send()
            .await
            .unwrap()
            .json()
            .await
            .unwrap()
    }

    pub async fn available(&self, item: &str) -> Option<i64> {
        let state = self.get("/_state?upstream=shopify").await;
        let levels = state["levels"].as_array().unwrap().clone();
        levels
            .iter()
            .find(|level| level["inventory_item_id"] == item)
            .and_then(|level| level["available"].as_i64())
    }

    pub async fn effects(&self) -> usize {
        self.get("/_effects?upstream=shopify").await["effects"].as_array().unwrap().len()
    }
}

pub fn input(quantities: Value) -> Value {
    json!({
        "name": "available", "reason": "correction",
        "referenceDocumentUri": "logistics://har-408/set/1", "quantities": quantities
    })
}

pub fn quantity(item: &str, quantity: i64, from: Value) -> Value {
    json!({"inventoryItemId": item, "locationId": LOCATION, "quantity": quantity, "changeFromQuantity": from})
}

pub fn fixture(name: &str) -> Value {
    let path = format!("{}/../fixtures/shopify/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// The shape of a value: keys and kinds, without the values themselves.
pub fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields.iter().map(|(key, field)| (key.clone(), shape(field))).collect(),
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::String(_) => json!("string"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("boolean"),
        Value::Null => Value::Null,
    }
}
