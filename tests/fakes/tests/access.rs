//! Tokens of a fake shop: granted to its apps, good for a while, revoked.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail on what it did not expect")]

mod support;

use serde_json::{Value, json};
use support::{Fakes, SHOP};

impl Fakes {
    async fn set(&self, access: Value) {
        let done = self.post("/_state", json!({"upstream": "shopify", "shop": SHOP, "access": access})).await;
        assert_eq!(done, json!({"ok": true}));
    }

    async fn grant(&self, body: &str, form: &'static str) -> (u16, String) {
        let request = self.client.post(format!("{}/shopify/{SHOP}/admin/oauth/access_token", self.url));
        let request = request.header("content-type", form).header("accept", "application/json");
        let response = request.body(body.to_owned()).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    async fn opens(&self, token: &str) -> bool {
        let request = self.client.post(self.endpoint()).header("X-Shopify-Access-Token", token);
        let response = request.json(&json!({"query": "{ shop { name } }"})).send().await.unwrap();
        response.status() == 200
    }
}

const ASKED: &str = r#"{"grant_type":"client_credentials","client_id":"app","client_secret":"hush"}"#;

#[tokio::test]
async fn an_app_gets_tokens_that_end() {
    let fakes = Fakes::start().await;
    assert!(fakes.opens("anything").await, "a shop that nobody has set up takes any token");
    fakes.set(json!({"apps": [{"client_id": "app", "client_secret": "hush"}]})).await;
    assert!(!fakes.opens("anything").await);
    let (status, text) = fakes.grant(ASKED, "application/json").await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &told["expires_in"]), (200, &json!(86_399)));
    let first = told["access_token"].as_str().unwrap();
    let form = "grant_type=client_credentials&client_id=app&client_secret=hush";
    let (_, text) = fakes.grant(form, "application/x-www-form-urlencoded").await;
    let told: Value = serde_json::from_str(&text).unwrap();
    let second = told["access_token"].as_str().unwrap();
    assert!(first != second && fakes.opens(first).await && fakes.opens(second).await);
    fakes.set(json!({"revoke_granted": true})).await;
    assert!(!fakes.opens(first).await && !fakes.opens(second).await);
    fakes.set(json!({"token_life_ms": 0})).await;
    let (_, text) = fakes.grant(ASKED, "application/json").await;
    let told: Value = serde_json::from_str(&text).unwrap();
    assert!(!fakes.opens(told["access_token"].as_str().unwrap()).await);
}

#[tokio::test]
async fn who_is_no_app_of_the_shop_gets_none() {
    let fakes = Fakes::start().await;
    let refused = async |body: &str, code: &str| {
        let (status, text) = fakes.grant(body, "application/json").await;
        assert!(status == 400 && text.contains(code), "{body}: {status} {text}");
    };
    refused(ASKED, "application_cannot_be_found").await;
    fakes.set(json!({"apps": [{"client_id": "app", "client_secret": "hush"}]})).await;
    refused(&ASKED.replace("hush", "loud"), "invalid_client").await;
    refused(&ASKED.replace("client_credentials", "password"), "invalid_request").await;
    refused("", "invalid_request").await;
    fakes.set(json!({"refuse_grants": "shop_not_permitted"})).await;
    refused(ASKED, "shop_not_permitted").await;
    fakes.set(json!({"refuse_grants": ""})).await;
    assert_eq!(fakes.grant(ASKED, "application/json").await.0, 200);
}
