//! An e-mail service in the manner of Resend: `POST /emails` with a bearer key. An `Idempotency-Key` that comes again
//! with the same body brings the first answer and no second e-mail; with another body it is refused.

use super::Posted;
use crate::answer::Answer;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Most recipients of one e-mail.
const MOST_RECIPIENTS: usize = 50;
/// Longest idempotency key.
const LONGEST_KEY: usize = 256;

/// Takes an e-mail.
pub fn take(posted: &Posted<'_>) -> Answer {
    if posted.path != "/emails" {
        return refuse(StatusCode::NOT_FOUND, "not_found", "The requested endpoint does not exist");
    }
    let key = posted.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
    match key {
        None => {
            return refuse(
                StatusCode::UNAUTHORIZED,
                "missing_api_key",
                "Missing API key in the authorization header",
            );
        }
        Some(key) if !key.starts_with("re_") => {
            return refuse(StatusCode::FORBIDDEN, "invalid_api_key", "API key is invalid");
        }
        Some(_) => {}
    }
    let idempotency = posted.header("idempotency-key");
    if idempotency.is_some_and(|key| key.len() > LONGEST_KEY) {
        let message = "The key must be between 1-256 chars";
        return refuse(StatusCode::BAD_REQUEST, "invalid_idempotency_key", message);
    }
    let Some(Value::Object(email)) = posted.json() else {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, "validation_error", "The body is not a JSON object");
    };
    if let Some(problem) = problem(&Value::Object(email.clone())) {
        return refuse(StatusCode::UNPROCESSABLE_ENTITY, problem.0, &problem.1);
    }
    if let Some((body, answer)) = idempotency.and_then(|key| posted.known("email", key)) {
        if body == posted.body {
            return Answer::json(StatusCode::OK, &answer);
        }
        let message = "This idempotency key has been used on a request that had a different payload";
        return refuse(StatusCode::CONFLICT, "invalid_idempotent_request", message);
    }
    let detail = json!({"to": recipients(email.get("to")), "subject": email.get("subject")});
    posted.took("email", "email", idempotency, detail);
    let answer = json!({"id": uuid(idempotency.unwrap_or_default())});
    if let Some(key) = idempotency {
        posted.remember("email", key, answer.clone());
    }
    Answer::json(StatusCode::OK, &answer)
}

fn problem(email: &Value) -> Option<(&'static str, String)> {
    let text = |name: &str| email.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    for field in ["from", "subject"] {
        if text(field).is_none() {
            return Some(("missing_required_field", format!("Missing `{field}` field.")));
        }
    }
    if text("html").or(text("text")).is_none() {
        return Some(("missing_required_field", "Missing `html` or `text` field.".to_owned()));
    }
    let to = recipients(email.get("to"));
    if to.is_empty() {
        return Some(("missing_required_field", "Missing `to` field.".to_owned()));
    }
    if to.len() > MOST_RECIPIENTS {
        return Some(("validation_error", "The `to` field takes at most 50 addresses.".to_owned()));
    }
    let strange = |field: &'static str| {
        let message = format!(
            "Invalid `{field}` field. The email address needs to follow the `email@example.com` or `Name <email@example.com>` format."
        );
        Some(("validation_error", message))
    };
    if !to.iter().all(|address| is_address(address)) {
        return strange("to");
    }
    if !text("from").is_some_and(is_address) {
        return strange("from");
    }
    None
}

fn recipients(to: Option<&Value>) -> Vec<String> {
    match to {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => {
            all.iter().map(|one| one.as_str().unwrap_or_default().to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// `a@b.c` or `Name <a@b.c>`.
fn is_address(text: &str) -> bool {
    let bare = match text.split_once('<') {
        Some((_, rest)) => rest.strip_suffix('>').unwrap_or_default(),
        None => text,
    };
    bare.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty()
            && domain.contains('.')
            && !domain.contains('@')
            && !bare.contains(char::is_whitespace)
    })
}

/// The id of an e-mail; the same for the same key.
fn uuid(key: &str) -> String {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("49a3999c-0ce1-4ea6-ab68-{:012x}", hash & 0xffff_ffff_ffff)
}

fn refuse(status: StatusCode, name: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"statusCode": status.as_u16(), "name": name, "message": message}))
}
