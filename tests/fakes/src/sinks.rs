//! Upstreams that only take things in: chat, error tracking, product analytics, e-mail. Each says what the
//! real one says when all is well; what was sent is read back from the call log.

use crate::answer::Answer;
use axum::http::{HeaderMap, StatusCode};
use serde_json::json;

/// Upstreams that the fakes answer for besides Shopify.
const SINKS: [&str; 4] = ["slack", "sentry", "posthog", "email"];

/// Whether the upstream is one of these.
pub fn knows(upstream: &str) -> bool {
    SINKS.contains(&upstream)
}

/// The answer of a contented sink.
pub fn answer(upstream: &str, headers: &HeaderMap) -> Answer {
    let key = headers.get("idempotency-key").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut answer = match upstream {
        "slack" => Answer::new(StatusCode::OK, "text/html", "ok"),
        "sentry" => Answer::json(StatusCode::OK, &json!({"id": "fc6d8c0c43fc4630ad850ee518f1b9d0"})),
        "posthog" => Answer::json(StatusCode::OK, &json!({"status": 1})),
        _ => Answer::json(StatusCode::OK, &json!({"id": "49a3999c-0ce1-4ea6-ab68-afcd6dc2e794"})),
    };
    answer.key = key;
    answer
}
