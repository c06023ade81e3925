//! Delivering a missed order: the way of every webhook, signed as its shop would have signed it.
//!
//! Whoever takes webhooks reads it, by the names of its store, and keeps what nobody can read. Knows its answers.

use crate::{Setup, database::Task};
use ordak_core::gap_repair::Delivery;
use ordak_edge::{admin_shop::Stop, request_id, service};
use serde_json::Value;
use std::time::Duration;
use worker::Env;

const ORDER_INGEST: &str = "order-ingest";
/// Longest wait for one delivery; its taker gives the database 4 s.
const LIMIT: Duration = Duration::from_secs(8);

/// What came of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The order is as Shopify has it, and was not before.
    Repaired,
    /// Somebody else brought it meanwhile, or it waits in a queue.
    Known,
    /// Nobody can read it; it is kept for a person to look at.
    Failed,
    /// It was refused, stored or not.
    Doubtful,
}

/// Delivers.
///
/// # Errors
/// When nothing can be delivered at all.
pub async fn deliver(
    setup: &Setup,
    env: &Env,
    id: &str,
    task: &Task,
    delivery: &Delivery,
) -> Result<Delivered, Stop> {
    let signature = setup.settings.signing.sign_as(&task.store, delivery.body.as_bytes());
    let signature = signature.ok_or_else(|| Stop::Misconfigured("no secret signs for the store".into()))?;
    let headers = [
        (request_id::HEADER, id),
        ("x-shopify-shop-domain", &task.shop_domain),
        ("x-shopify-topic", delivery.topic.as_str()),
        ("x-shopify-webhook-id", &delivery.webhook_id),
        ("x-shopify-hmac-sha256", &signature),
    ];
    match service::post(env, ORDER_INGEST, &headers, &delivery.body, LIMIT).await {
        Err(error) => Err(Stop::Database(format!("{ORDER_INGEST}: {error}"))),
        Ok(reply) => judge(reply.status, &reply.body),
    }
}

fn judge(status: u16, body: &[u8]) -> Result<Delivered, Stop> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
    match (status, word("/data/outcome")) {
        (200, Some("created" | "hydrated" | "updated" | "cancelled")) => Ok(Delivered::Repaired),
        (200, Some("stale" | "duplicate" | "spilled")) => Ok(Delivered::Known),
        (200, _) => Ok(Delivered::Failed),
        (500, _) if word("/code") == Some("INTERNAL") => Ok(Delivered::Doubtful),
        _ => Err(Stop::Database(format!(
            "{ORDER_INGEST} answered {status} {}",
            word("/code").unwrap_or_default()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(status: u16, body: Value) -> Result<Delivered, &'static str> {
        judge(status, body.to_string().as_bytes()).map_err(|stop| stop.word())
    }

    #[test]
    fn only_what_changed_something_is_a_repair() {
        let outcome = |outcome: &str| of(200, json!({"ok": true, "data": {"outcome": outcome}}));
        for word in ["created", "hydrated", "updated", "cancelled"] {
            assert_eq!(outcome(word), Ok(Delivered::Repaired), "{word}");
        }
        for word in ["stale", "duplicate", "spilled"] {
            assert_eq!(outcome(word), Ok(Delivered::Known), "{word}");
        }
        assert_eq!(outcome("ignored"), Ok(Delivered::Failed));
        assert_eq!(of(200, json!({})), Ok(Delivered::Failed));
    }

    #[test]
    fn a_refusal_stops_the_store_unless_it_may_be_of_this_order_alone() {
        assert_eq!(of(500, json!({"ok": false, "code": "INTERNAL"})), Ok(Delivered::Doubtful));
        for (status, code) in
            [(503, "UNAVAILABLE"), (401, "UNAUTHENTICATED"), (500, "MISCONFIGURED"), (404, "NOT_FOUND")]
        {
            assert_eq!(of(status, json!({"ok": false, "code": code})), Err("database"), "{code}");
        }
        assert_eq!(judge(502, b"<html>").map_err(|stop| stop.word()), Err("database"));
    }
}
