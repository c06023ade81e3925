//! Turns a fault into bytes on the wire, or into their absence.

use super::{FaultRequest, Mode, Subject, bodies};
use crate::answer::Answer;
use crate::shopify::errors;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use chrono::{TimeDelta, Utc};
use serde_json::json;
use std::time::Duration;

/// Longer than any caller waits.
const NEVER_MS: u64 = 60_000;

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

    fn nothing(answer: Answer) -> Self {
        Self::cut(answer, bodies::closed_at_once())
    }

    fn cut(answer: Answer, body: axum::body::Body) -> Self {
        Self { status: None, key: answer.key.clone(), response: answer.carrying(body) }
    }
}

/// Applies a fault. `execute` runs the request and gives its right answer; a fault that means "not executed" does not
/// call it. `held` is what the request holds while it is under way and has not been executed.
pub async fn apply(
    fault: &FaultRequest,
    subject: &Subject<'_>,
    held: impl Send + 'static,
    execute: impl FnOnce() -> Answer + Send + 'static,
) -> Reply {
    match fault.mode {
        Mode::Slow => {
            let pause = delay(fault, 3_000);
            // In a task of its own: a server goes on although the caller has left.
            let late = tokio::spawn(async move {
                tokio::time::sleep(pause).await;
                drop(held);
                execute()
            });
            Reply::plain(late.await.unwrap_or_else(|_| broken_server()))
        }
        Mode::Hang => {
            tokio::time::sleep(delay(fault, NEVER_MS)).await;
            Reply::nothing(Answer::new(StatusCode::OK, "application/json", ""))
        }
        Mode::ResetBefore => Reply::nothing(Answer::new(StatusCode::OK, "application/json", "")),
        mode if mode.executes() => {
            drop(held);
            executed(fault, execute()).await
        }
        _ => Reply::plain(refusal(fault, subject)),
    }
}

/// The answers of faults that come after the effect.
async fn executed(fault: &FaultRequest, mut answer: Answer) -> Reply {
    let half = answer.body.slice(..answer.body.len() / 2);
    match fault.mode {
        Mode::ExecutedThenReset => Reply::nothing(answer),
        Mode::ExecutedThenHang => {
            tokio::time::sleep(delay(fault, NEVER_MS)).await;
            Reply::nothing(answer)
        }
        Mode::ResetMid => Reply::cut(answer, bodies::closed_after(half, bodies::FLUSH)),
        Mode::HangMid => Reply::cut(answer, bodies::closed_after(half, delay(fault, NEVER_MS))),
        Mode::Trickle => {
            let (status, key) = (Some(answer.status.as_u16()), answer.key.clone());
            let body = bodies::trickling(answer.body.clone(), delay(fault, 250));
            Reply { response: answer.carrying(body), status, key }
        }
        Mode::HugeBody => {
            let (status, key) = (Some(answer.status.as_u16()), answer.key.clone());
            let body = bodies::huge(fault.bytes.unwrap_or(64 * 1024 * 1024));
            Reply { response: answer.carrying(body), status, key }
        }
        Mode::ExecutedThenError => {
            let key = answer.key.clone();
            Reply { key, ..Reply::plain(broken_server()) }
        }
        mode => {
            match mode {
                Mode::MalformedJson => answer.body = "{\"data\": <!-- not json -->".into(),
                Mode::TruncatedJson => answer.body = half,
                Mode::DeepJson => answer.body = "[".repeat(100_000).into(),
                Mode::EmptyBody => answer.body = "".into(),
                Mode::WrongEncoding => {
                    answer = answer.with(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
                }
                _ => answer.headers.retain(|(name, _)| name != header::CONTENT_TYPE),
            }
            if mode == Mode::WrongContentType {
                answer = answer.with(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
            }
            Reply::plain(answer)
        }
    }
}

/// The answers of faults that do not execute anything and are well-formed HTTP.
fn refusal(fault: &FaultRequest, subject: &Subject<'_>) -> Answer {
    let shopify = subject.upstream == "shopify";
    match fault.mode {
        Mode::TooManySeconds => too_many().with(header::RETRY_AFTER, HeaderValue::from(wait(fault))),
        Mode::TooManyDate => too_many().with(header::RETRY_AFTER, http_date(wait(fault))),
        Mode::Throttled if shopify => Answer::json(StatusCode::OK, &errors::throttled(13, 3, 2_000, 100)),
        Mode::Throttled | Mode::TooMany => too_many(),
        Mode::UserErrors if shopify => {
            Answer::json(StatusCode::OK, &errors::planned_user_error(fault.code.as_deref(), subject.body))
        }
        Mode::UserErrors => Answer::json(StatusCode::BAD_REQUEST, &json!({"errors": "Bad Request"})),
        Mode::BadRequest => Answer::json(StatusCode::BAD_REQUEST, &json!({"errors": "Bad Request"})),
        Mode::PaymentRequired => {
            Answer::json(StatusCode::PAYMENT_REQUIRED, &json!({"errors": "Unavailable Shop"}))
        }
        Mode::NotFound => Answer::json(StatusCode::NOT_FOUND, &json!({"errors": "Not Found"})),
        Mode::WebPage => {
            let page = "<html><body><h1>Sign in to the network</h1></body></html>";
            Answer::new(StatusCode::OK, "text/html", page)
        }
        Mode::BadGateway => {
            let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
            Answer::new(StatusCode::BAD_GATEWAY, "text/html", page)
        }
        Mode::Unavailable => Answer::new(StatusCode::SERVICE_UNAVAILABLE, "text/plain", ""),
        Mode::Redirect => elsewhere(StatusCode::FOUND),
        Mode::RedirectWithBody => elsewhere(StatusCode::TEMPORARY_REDIRECT),
        Mode::RevokedToken => Answer::json(StatusCode::UNAUTHORIZED, &errors::bad_token()),
        Mode::Forbidden => Answer::json(StatusCode::FORBIDDEN, &json!({"errors": "Forbidden"})),
        _ => broken_server(),
    }
}

fn broken_server() -> Answer {
    Answer::json(StatusCode::INTERNAL_SERVER_ERROR, &json!({"errors": "Internal Server Error"}))
}

fn elsewhere(status: StatusCode) -> Answer {
    Answer::new(status, "text/html", "").with(header::LOCATION, HeaderValue::from_static("/redirected"))
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
