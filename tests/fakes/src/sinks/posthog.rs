//! PostHog's capture API: `/batch/` with many events, `/capture/` and `/i/v0/e/` with one. An event's `uuid` makes it
//! one, however often it is sent.

use super::Posted;
use crate::answer::Answer;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Longest distinct id that PostHog takes.
const LONGEST_ID: usize = 200;

/// Takes events.
pub fn take(posted: &Posted<'_>) -> Answer {
    let batch = match posted.path {
        "/batch/" | "/batch" => true,
        "/capture/" | "/capture" | "/i/v0/e/" | "/i/v0/e" => false,
        _ => return refuse(StatusCode::NOT_FOUND, "not_found", "Endpoint not found."),
    };
    let Some(Value::Object(sent)) = posted.json() else {
        return refuse(StatusCode::BAD_REQUEST, "invalid_payload", "Malformed request data");
    };
    let key = sent.get("api_key").or(sent.get("token")).and_then(Value::as_str).unwrap_or_default();
    if !key.starts_with("phc_") {
        let message =
            "Project API key invalid. You can find your project API key in PostHog project settings.";
        return refuse(StatusCode::UNAUTHORIZED, "invalid_api_key", message);
    }
    let sent = Value::Object(sent);
    let events = if batch {
        sent.get("batch").and_then(Value::as_array).cloned().unwrap_or_default()
    } else {
        vec![sent]
    };
    if events.is_empty() {
        return refuse(StatusCode::BAD_REQUEST, "invalid_payload", "There are no events");
    }
    if let Some(why) = events.iter().find_map(problem) {
        return refuse(StatusCode::BAD_REQUEST, "invalid_payload", why);
    }
    for event in &events {
        let uuid = event.get("uuid").and_then(Value::as_str);
        if uuid.is_some_and(|uuid| posted.known("posthog", uuid).is_some()) {
            continue;
        }
        if let Some(uuid) = uuid {
            posted.remember("posthog", uuid, Value::Null);
        }
        let name = event.get("event").cloned().unwrap_or_default();
        posted.took("posthog", "event", uuid, json!({"event": name, "distinct_id": distinct_id(event)}));
    }
    Answer::json(StatusCode::OK, &json!({"status": 1}))
}

fn problem(event: &Value) -> Option<&'static str> {
    let name = event.get("event").and_then(Value::as_str).unwrap_or_default();
    if name.is_empty() {
        return Some("An event needs a name");
    }
    match distinct_id(event) {
        None => return Some("All events must have the field \"distinct_id\""),
        Some(id) if id.chars().count() > LONGEST_ID => return Some("The distinct_id is too long"),
        Some(_) => {}
    }
    if event.get("properties").is_some_and(|properties| !properties.is_object()) {
        return Some("The properties of an event are an object");
    }
    let timestamp = event.get("timestamp").filter(|timestamp| !timestamp.is_null());
    if timestamp
        .is_some_and(|at| at.as_str().is_none_or(|at| chrono::DateTime::parse_from_rfc3339(at).is_err()))
    {
        return Some("The timestamp of an event is in the form of ISO 8601");
    }
    None
}

fn distinct_id(event: &Value) -> Option<String> {
    let id = event.get("distinct_id").or_else(|| event.pointer("/properties/distinct_id"))?;
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    (!id.is_empty() && id != "null").then_some(id)
}

fn refuse(status: StatusCode, code: &str, detail: &str) -> Answer {
    Answer::json(status, &json!({"type": "validation_error", "code": code, "detail": detail, "attr": null}))
}
