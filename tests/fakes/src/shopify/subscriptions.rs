//! Webhook subscriptions of a shop, as far as the API makes and lists them. Nothing is ever delivered.

use serde::Deserialize;
use serde_json::{Value, json};

/// Topics that can be subscribed to, as far as the fake knows them. The compliance topics cannot.
pub const TOPICS: &[&str] = &[
    "APP_UNINSTALLED",
    "INVENTORY_LEVELS_UPDATE",
    "ORDERS_CANCELLED",
    "ORDERS_CREATE",
    "ORDERS_DELETE",
    "ORDERS_EDITED",
    "ORDERS_FULFILLED",
    "ORDERS_PAID",
    "ORDERS_PARTIALLY_FULFILLED",
    "ORDERS_UPDATED",
    "PRODUCTS_UPDATE",
    "REFUNDS_CREATE",
    "SHOP_UPDATE",
];

/// One subscription.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscription {
    /// What it is about.
    pub topic: String,
    /// Where it sends.
    pub uri: String,
    /// `JSON` or `XML`.
    #[serde(default = "json_format")]
    pub format: String,
}

fn json_format() -> String {
    "JSON".into()
}

/// What an attempt to subscribe came to.
pub struct Outcome {
    /// The payload object.
    pub payload: Value,
    /// What changed, when something was executed.
    pub effect: Option<Value>,
}

/// Every subscription as the API tells it.
pub fn list(subscriptions: &[Subscription]) -> Value {
    subscriptions.iter().enumerate().map(|(index, subscription)| told(index, subscription)).collect()
}

fn told(index: usize, subscription: &Subscription) -> Value {
    json!({
        "__typename": "WebhookSubscription", "id": format!("gid://shopify/WebhookSubscription/{}", index + 1),
        "topic": subscription.topic, "uri": subscription.uri, "format": subscription.format
    })
}

/// Subscribes, or says why not in `userErrors`.
pub fn create(subscriptions: &mut Vec<Subscription>, topic: &Value, input: &Value) -> Outcome {
    let wanted = Subscription {
        topic: topic.as_str().unwrap_or_default().to_owned(),
        uri: input["uri"].as_str().unwrap_or_default().to_owned(),
        format: input["format"].as_str().unwrap_or("JSON").to_owned(),
    };
    let taken = |known: &Subscription| {
        known.topic == wanted.topic && known.uri == wanted.uri && known.format == wanted.format
    };
    let problem = if wanted.uri.is_empty() {
        Some("Address can't be blank")
    } else if !wanted.uri.starts_with("https://") {
        Some("Address protocol http:// is not supported")
    } else if subscriptions.iter().any(taken) {
        Some("Address for this topic has already been taken")
    } else {
        None
    };
    if let Some(message) = problem {
        let error = json!({"field": ["webhookSubscription", "callbackUrl"], "message": message});
        let payload = json!({"webhookSubscription": null, "userErrors": [error]});
        return Outcome { payload, effect: None };
    }
    let effect = json!({"topic": wanted.topic, "uri": wanted.uri});
    let payload = json!({"webhookSubscription": told(subscriptions.len(), &wanted), "userErrors": []});
    subscriptions.push(wanted);
    Outcome { payload, effect: Some(effect) }
}
