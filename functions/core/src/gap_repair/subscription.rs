//! Webhook subscriptions: which must exist, which do, and making one that does not.
//!
//! Only those that were made through the Admin API are seen here, and only those vanish silently: after eight failed
//! deliveries in a row Shopify deletes them. The compliance topics are set with the app and can be subscribed to by
//! nobody.

use super::{connection, request, text};
use crate::admin_api::{Kind, Refusal, passing, quote};
use crate::topic::Topic;
use crate::work::WorkFailure;
use serde_json::{Value, json};

/// Every topic that Ordak acts on and the Admin API can subscribe to.
pub const WANTED: [Topic; 10] = [
    Topic::OrdersCreate,
    Topic::OrdersUpdated,
    Topic::OrdersEdited,
    Topic::OrdersPaid,
    Topic::OrdersPartiallyFulfilled,
    Topic::OrdersFulfilled,
    Topic::OrdersCancelled,
    Topic::RefundsCreate,
    Topic::InventoryLevelsUpdate,
    Topic::AppUninstalled,
];

const LIST: &str = "query Subscriptions($after: String) { webhookSubscriptions(first: 250, after: $after) { \
    nodes { topic uri format } pageInfo { hasNextPage endCursor } } }";
const CREATE: &str = "mutation Subscribe($topic: WebhookSubscriptionTopic!, $webhookSubscription: WebhookSubscriptionInput!) { \
    webhookSubscriptionCreate(topic: $topic, webhookSubscription: $webhookSubscription) { \
    webhookSubscription { id } userErrors { field message } } }";
/// What Shopify says when the subscription exists by now.
const TAKEN: &str = "has already been taken";

/// A subscription that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    topic: String,
    uri: String,
}

/// The request for the subscriptions of the app.
#[must_use]
pub fn list(after: Option<&str>) -> String {
    request(LIST, &json!({ "after": after }))
}

/// The subscriptions in the body of an answer that send JSON, and where the next page begins.
///
/// # Errors
/// When there is no such page.
pub fn read_list(body: &Value) -> Result<(Vec<Subscription>, Option<String>), Refusal> {
    let page = body.pointer("/data/webhookSubscriptions").and_then(connection);
    let (nodes, next) = page.ok_or_else(|| passing("Shopify's answer has no page of subscriptions"))?;
    let json = |node: &&Value| node.get("format").is_none_or(|format| format == "JSON");
    let read = |node: &Value| Some(Subscription { topic: text(node, "topic")?, uri: text(node, "uri")? });
    Ok((nodes.iter().filter(json).filter_map(read).collect(), next))
}

/// The wanted topics that nothing sends to this address.
#[must_use]
pub fn missing(existing: &[Subscription], callback: &str) -> Vec<Topic> {
    let address = |uri: &str| uri.trim_end_matches('/').to_owned();
    let exists = |topic: &Topic| {
        existing.iter().any(|subscription| {
            subscription.topic == name(topic) && address(&subscription.uri) == address(callback)
        })
    };
    WANTED.into_iter().filter(|topic| !exists(topic)).collect()
}

/// The request that subscribes to a topic.
#[must_use]
pub fn create(topic: &Topic, callback: &str) -> String {
    let subscription = json!({"uri": callback, "format": "JSON"});
    request(CREATE, &json!({"topic": name(topic), "webhookSubscription": subscription}))
}

/// Whether the body of an answer says that the subscription exists now.
///
/// # Errors
/// When it says why not.
pub fn read_created(body: &Value) -> Result<(), Refusal> {
    let result = body.pointer("/data/webhookSubscriptionCreate").filter(|result| result.is_object());
    let result = result.ok_or_else(|| passing("Shopify's answer has no subscription"))?;
    let errors = result.get("userErrors").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let message = |error: &Value| text(error, "message").unwrap_or_default();
    match errors.iter().map(message).find(|message| !message.contains(TAKEN)) {
        None => Ok(()),
        Some(message) => {
            let failure = WorkFailure::permanent(format!("Shopify: {}", quote(None, Some(&message))));
            Err(Refusal { kind: Kind::Refused, failure })
        }
    }
}

/// `orders/create` is `ORDERS_CREATE` there.
fn name(topic: &Topic) -> String {
    topic.as_str().replace('/', "_").to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALLBACK: &str = "https://ordak.example/functions/v1/order-ingest";

    fn body(nodes: Value) -> Value {
        json!({"data": {"webhookSubscriptions": {"nodes": nodes, "pageInfo": {"hasNextPage": false, "endCursor": null}}}})
    }

    fn of(topic: &str, uri: &str) -> Value {
        json!({"topic": topic, "uri": uri, "format": "JSON"})
    }

    #[test]
    fn every_topic_is_wanted_but_those_that_nobody_can_subscribe_to() {
        let compliance = ["customers/data_request", "customers/redact", "shop/redact"];
        for name in compliance {
            assert!(!WANTED.contains(&Topic::parse(name)), "{name}");
        }
        let spelled: Vec<String> = WANTED.iter().map(name).collect();
        assert_eq!(
            spelled,
            [
                "ORDERS_CREATE",
                "ORDERS_UPDATED",
                "ORDERS_EDITED",
                "ORDERS_PAID",
                "ORDERS_PARTIALLY_FULFILLED",
                "ORDERS_FULFILLED",
                "ORDERS_CANCELLED",
                "REFUNDS_CREATE",
                "INVENTORY_LEVELS_UPDATE",
                "APP_UNINSTALLED",
            ]
        );
    }

    #[test]
    fn what_goes_elsewhere_or_in_another_form_is_missing() {
        let all: Value = WANTED.iter().map(|topic| of(&name(topic), CALLBACK)).collect();
        let (existing, next) = read_list(&body(all)).unwrap();
        assert_eq!((missing(&existing, CALLBACK), next), (vec![], None));
        assert_eq!(missing(&existing, &format!("{CALLBACK}/")), []);
        assert_eq!(missing(&existing, "https://other.example/functions/v1/order-ingest").len(), WANTED.len());

        let nodes = json!([
            of("ORDERS_CREATE", "https://elsewhere.example/x"),
            {"topic": "ORDERS_PAID", "uri": CALLBACK, "format": "XML"},
            of("ORDERS_UPDATED", CALLBACK), of("PRODUCTS_UPDATE", CALLBACK), {"topic": null}
        ]);
        let (existing, _) = read_list(&body(nodes)).unwrap();
        let missing = missing(&existing, CALLBACK);
        assert!(missing.contains(&Topic::OrdersCreate) && missing.contains(&Topic::OrdersPaid));
        assert_eq!(missing.len(), WANTED.len() - 1);
    }

    #[test]
    fn a_subscription_that_exists_by_now_is_as_good_as_a_new_one() {
        let answer = |errors: Value| json!({"data": {"webhookSubscriptionCreate": {"userErrors": errors}}});
        assert_eq!(read_created(&answer(json!([]))), Ok(()));
        let taken = json!([{"field": ["webhookSubscription", "callbackUrl"], "message": "Address for this topic has already been taken"}]);
        assert_eq!(read_created(&answer(taken)), Ok(()));
        let refusal = read_created(&answer(json!([{"message": "Address is invalid"}]))).unwrap_err();
        assert_eq!(refusal.kind, Kind::Refused);
        assert!(refusal.failure.error.contains("Address is invalid"));
        assert!(read_created(&json!({"data": {"webhookSubscriptionCreate": null}})).is_err());
    }

    #[test]
    fn an_answer_without_a_page_is_no_empty_page() {
        for body in [json!({}), json!({"data": {"webhookSubscriptions": null}}), body(json!(null))] {
            assert!(read_list(&body).is_err(), "{body}");
        }
    }
}
