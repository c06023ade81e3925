//! Calling systems of other people: no redirect is followed, no body is read beyond a cap, nothing is waited for longer
//! than a limit.
//!
//! Knows HTTP and nothing of any system; what an answer means is decided elsewhere.

use crate::deadline::within;
use futures_util::StreamExt;
use std::time::Duration;
use worker::{
    AbortController, AbortSignal, Fetch, Headers, Method, Request, RequestInit, RequestRedirect, Response,
    wasm_bindgen::JsValue,
};

/// Longest answer that is read.
pub const LONGEST_ANSWER: usize = 1024 * 1024;

/// An answer, whatever its status.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status; a redirect is an answer like any other.
    pub status: u16,
    /// `Retry-After` as sent.
    pub retry_after: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer. Whether the effect happened is unknown in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoReply {
    /// Nothing came in time.
    TimedOut,
    /// The connection was refused, reset or broke off.
    Broken,
    /// It was longer than the cap.
    TooLong,
}

impl NoReply {
    /// In words, for whoever reads of the failure.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TimedOut => "no answer in time",
            Self::Broken => "the connection was refused or broke off",
            Self::TooLong => "the answer is too long",
        }
    }
}

/// Posts JSON.
///
/// # Errors
/// When no whole answer came.
pub async fn post_json(
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
    limit: Duration,
) -> Result<Reply, NoReply> {
    limited(url, headers, Some(body), limit).await
}

/// Gets JSON.
///
/// # Errors
/// When no whole answer came.
pub async fn get_json(url: &str, limit: Duration) -> Result<Reply, NoReply> {
    limited(url, &[], None, limit).await
}

async fn limited(
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
    limit: Duration,
) -> Result<Reply, NoReply> {
    let controller = AbortController::default();
    let signal = controller.signal();
    let result = within(limit, exchange(url, headers, body, &signal)).await.unwrap_or(Err(NoReply::TimedOut));
    if result.is_err() {
        // A connection that nobody listens to any more would still count against the isolate's six.
        controller.abort();
    }
    result
}

async fn exchange(
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
    signal: &AbortSignal,
) -> Result<Reply, NoReply> {
    let response = send(url, headers, body, signal).await.map_err(|_| NoReply::Broken)?;
    let status = response.status_code();
    let retry_after = response.headers().get("retry-after").ok().flatten();
    Ok(Reply { status, retry_after, body: read(response).await? })
}

async fn send(
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
    signal: &AbortSignal,
) -> worker::Result<Response> {
    let sent = Headers::new();
    sent.set("accept", "application/json")?;
    if body.is_some() {
        sent.set("content-type", "application/json")?;
    }
    for (name, value) in headers {
        sent.set(name, value)?;
    }
    let mut init = RequestInit::new();
    init.with_method(if body.is_some() { Method::Post } else { Method::Get })
        .with_headers(sent)
        .with_redirect(RequestRedirect::Manual)
        .with_body(body.map(JsValue::from_str));
    Fetch::Request(Request::new_with_init(url, &init)?).send_with_signal(signal).await
}

async fn read(mut response: Response) -> Result<Vec<u8>, NoReply> {
    let mut body = Vec::new();
    let Ok(mut chunks) = response.stream() else {
        return Ok(body);
    };
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| NoReply::Broken)?;
        if body.len() + chunk.len() > LONGEST_ANSWER {
            return Err(NoReply::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
