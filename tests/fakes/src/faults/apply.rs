//! Turns a fault into bytes on the wire, or into their absence.

use super::{FaultRequest, Mode, bodies};
use crate::answer::Answer;
use crate::shopify::errors;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{TimeDelta, Utc};
use serde_json::json;
use std::time::Duration;

/// What goes back to the caller, and what the record says of it.
pub struct Reply {
    /// The response to write.
    pub response: Response,
    /// Status as the caller sees it; `None` when the connection is cut.
    pub status: Option<u16>,
    /// The idempotency key of the request, when it was executed.
    pub key: Option<String>,
}

impl Reply {
    /// The answer as the fake meant it.
    pub fn plain(answer: Answer) -> Self {
        Self { status: Some(answer.status.as_u16()), key: answer.key.clone(), response: answer.whole() }
    }

    fn cut(answer: Answer, body: axum::body::Body) -> Self {
        Self { status: None, key: answer.key.clone(), response: answer.carrying(body) }
    }
}

/// Applies a fault. `execute` runs the request and gives its right answer; a fault that means "not executed"
/// does not call it.
pub async fn apply(fault: &FaultRequest, upstream: &str, execute: impl FnOnce() -> Answer) -> Reply {
    match fault.mode {
        Mode::Slow => {
            tokio::time::sleep(delay(fault, 3_000)).await;
            Reply::plain(execute())
        }
        Mode::Hang => {
            tokio::time::sleep(delay(fault, 60_000)).await;
            Reply::cut(Answer::new(StatusCode::OK, "application/json", ""), bodies::closed_at_once())
        }
        Mode::ResetBefore => {
            Reply::cut(Answer::new(StatusCode::OK, "application/json", ""), bodies::closed_at_once())
        }
        Mode::ExecutedThenReset => Reply::cut(execute(), bodies::closed_at_once()),
        Mode::ResetMid => {
            let answer = execute();
            let half = answer.body.slice(..answer.body.len() / 2);
            Reply::cut(answer, bodies::closed_after(half))
        }
        Mode::MalformedJson => {
            let mut answer = execute();
            answer.body = "{\"data\": <!-- not json -->".into();
            Reply::plain(answer)
        }
        Mode::TruncatedJson => {
            let mut answer = execute();
            answer.body = answer.body.slice(..answer.body.len() / 2);
            Reply::plain(answer)
        }
        Mode::HugeBody => {
            let answer = execute();
            let (status, key) = (Some(answer.status.as_u16()), answer.key.clone());
            let body = bodies::huge(fault.bytes.unwrap_or(64 * 1024 * 1024));
            Reply { response: answer.carrying(body), status, key }
        }
        _ => Reply::plain(refusal(fault, upstream)),
    }
}

/// The answers of faults that do not execute anything and are well-formed HTTP.
fn refusal(fault: &FaultRequest, upstream: &str) -> Answer {
    let shopify = upstream == "shopify";
    match fault.mode {
        Mode::TooManySeconds => too_many().with(header::RETRY_AFTER, HeaderValue::from(wait(fault))),
        Mode::TooManyDate => too_many().with(header::RETRY_AFTER, http_date(wait(fault))),
        Mode::Throttled if shopify => Answer::json(StatusCode::OK, &errors::throttled(13, 3, 2_000, 100)),
        Mode::Throttled | Mode::TooMany => too_many(),
        Mode::UserErrors if shopify => {
            let code = fault.code.as_deref().unwrap_or("INTERNAL_ERROR");
            Answer::json(StatusCode::OK, &errors::planned_user_error(code))
        }
        Mode::UserErrors => Answer::json(StatusCode::BAD_REQUEST, &json!({"errors": "Bad Request"})),
        Mode::BadGateway => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
            Answer::new(StatusCode::BAD_GATEWAY, "text/html", page)
        }
        Mode::Unavailable => Answer::new(StatusCode::SERVICE_UNAVAILABLE, "text/plain", ""),
        Mode::Redirect => Answer::new(StatusCode::FOUND, "text/html", "")
            .with(header::LOCATION, HeaderValue::from_static("/redirected")),
        Mode::RevokedToken => Answer::json(StatusCode::UNAUTHORIZED, &errors::bad_token()),
        Mode::Forbidden => Answer::json(StatusCode::FORBIDDEN, &json!({"errors": "Forbidden"})),
        _ => Answer::json(StatusCode::INTERNAL_SERVER_ERROR, &json!({"errors": "Internal Server Error"})),
    }
}

fn too_many() -> Answer {
    let body = json!({"errors": "Exceeded 2 calls per second for api client. Reduce request rates to resume uninterrupted service."});
    Answer::json(StatusCode::TOO_MANY_REQUESTS, &body)
}

fn wait(fault: &FaultRequest) -> u64 {
    fault.retry_after.unwrap_or(2)
}

fn delay(fault: &FaultRequest, default_ms: u64) -> Duration {
    Duration::from_millis(fault.delay_ms.unwrap_or(default_ms))
}

fn http_date(seconds: u64) -> HeaderValue {
    let ahead = TimeDelta::seconds(i64::try_from(seconds).unwrap_or(0));
    let text = (Utc::now() + ahead).format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
}
