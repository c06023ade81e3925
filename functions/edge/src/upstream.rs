//! Calling systems of other people: no redirect is followed, no body is read beyond a cap, nothing is waited for longer
//! than a limit.
//!
//! Knows HTTP and nothing of any system; what an answer means is decided elsewhere.

use crate::task::settled;
use std::time::Duration;
use worker::{
    js_sys::{Array, Object, Promise, Reflect, Uint8Array},
    wasm_bindgen::{self, JsCast, JsValue, prelude::wasm_bindgen},
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
    ask(None, url, headers, Some(body), limit).await
}

/// Gets JSON.
///
/// # Errors
/// When no whole answer came.
pub async fn get_json(url: &str, limit: Duration) -> Result<Reply, NoReply> {
    ask(None, url, &[], None, limit).await
}

/// Posts JSON to another worker, over its binding.
///
/// # Errors
/// When no whole answer came.
pub async fn post_to(
    service: &JsValue,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
    limit: Duration,
) -> Result<Reply, NoReply> {
    ask(Some(service), url, headers, Some(body), limit).await
}

#[wasm_bindgen(module = "/src/upstream.js")]
extern "C" {
    #[wasm_bindgen(js_name = ask)]
    fn begin(
        service: Option<&JsValue>,
        url: &str,
        headers: &Object,
        body: Option<&str>,
        ms: u32,
        most: usize,
    ) -> Promise;
}

async fn ask(
    service: Option<&JsValue>,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
    limit: Duration,
) -> Result<Reply, NoReply> {
    let sent = Object::new();
    let constant = [("accept", "application/json"), ("content-type", "application/json")];
    for &(name, value) in constant.iter().take(1 + usize::from(body.is_some())).chain(headers) {
        Reflect::set(&sent, &name.into(), &value.into()).map_err(|_| NoReply::Broken)?;
    }
    // The runtime's timers count no further.
    let ms = limit.as_millis().min(i32::MAX as u128) as u32;
    let answer = settled(&begin(service, url, &sent, body, ms, LONGEST_ANSWER)).await;
    read(&answer.map_err(|_| NoReply::Broken)?)
}

fn read(answer: &JsValue) -> Result<Reply, NoReply> {
    let Some(answer) = answer.dyn_ref::<Array>() else {
        return Err(match answer.as_string().as_deref() {
            Some("late") => NoReply::TimedOut,
            Some("long") => NoReply::TooLong,
            _ => NoReply::Broken,
        });
    };
    // Three digits, a text if any and a list of bytes, as `upstream.js` makes them.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let status = answer.get(0).as_f64().unwrap_or_default() as u16;
    let body = answer.get(2).dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default();
    Ok(Reply { status, retry_after: answer.get(1).as_string(), body })
}
