//! A Slack webhook: JSON with a text, answered by the word `ok`. It knows no idempotency keys: what is told twice is
//! told twice.

use super::Posted;
use crate::answer::Answer;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Longest text that Slack takes, in characters.
const LONGEST: usize = 40_000;

/// Takes a message.
pub fn take(posted: &Posted<'_>) -> Answer {
    let refuse = |why: &'static str| Answer::new(StatusCode::BAD_REQUEST, "text/html", why);
    let Some(Value::Object(message)) = posted.json() else {
        return refuse("invalid_payload");
    };
    let text = message.get("text").and_then(Value::as_str).unwrap_or_default();
    let has_blocks = ["blocks", "attachments"]
        .iter()
        .any(|name| message.get(*name).and_then(Value::as_array).is_some_and(|list| !list.is_empty()));
    if text.is_empty() && !has_blocks {
        return refuse("no_text");
    }
    if text.chars().count() > LONGEST {
        return refuse("msg_too_long");
    }
    posted.took("slack", "message", posted.header("idempotency-key"), json!({"text": text}));
    Answer::new(StatusCode::OK, "text/html", "ok")
}
