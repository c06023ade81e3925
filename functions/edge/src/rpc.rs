//! Calling Postgres functions through the REST server.
//!
//! Arguments and answers are raw JSON bytes: what comes in is what goes out, nothing is parsed or written again. They go
//! straight to the runtime's `fetch`. Decides nothing about what a refusal means for the caller.

use crate::{border, rest_error::RpcError, task::told};
use ordak_core::{envelope::Fault, secret_key::Header};
use std::time::Duration;
use worker::{
    js_sys::{Array, Uint8Array},
    wasm_bindgen::{JsCast, JsValue},
    web_sys::Headers,
};

/// A client in somebody's name: the headers say whose.
#[derive(Debug)]
pub struct Rpc {
    base: String,
    headers: Headers,
}

impl Rpc {
    /// A client for the project at `base` (`SUPABASE_URL`).
    ///
    /// # Errors
    /// A fault when a header cannot be sent as it is, without quoting it.
    pub fn new(base: &str, headers: Vec<Header>) -> Result<Self, Fault> {
        let mut lines = String::from("accept\napplication/json\ncontent-type\napplication/json");
        for (name, value) in headers {
            if !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                return Err(Fault::internal(format!("header {name} has characters that cannot be sent")));
            }
            for line in [name, &value] {
                lines.push('\n');
                lines.push_str(line);
            }
        }
        let headers = border::sent(&lines).map_err(|_| Fault::internal("headers cannot be sent"))?;
        Ok(Self { base: format!("{}/rest/v1/rpc/", base.trim_end_matches('/')), headers })
    }

    /// Calls `function` with a JSON object as its arguments and gives back the answer as it came, if it came within
    /// `limit`.
    ///
    /// # Errors
    /// When nothing came back in time, or the server refused.
    pub async fn call(
        &self,
        function: &str,
        arguments: Vec<u8>,
        limit: Duration,
    ) -> Result<Vec<u8>, RpcError> {
        let url = format!("{}{function}", self.base);
        let limit = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let posted = told(|place, number| {
            border::post(place, number, &url, &self.headers, &arguments, limit);
        });
        drop(arguments);
        read(posted.await)
    }
}

fn read(posted: Result<JsValue, JsValue>) -> Result<Vec<u8>, RpcError> {
    let posted = posted.map_err(|_| RpcError::Silent("not reached"))?;
    let Some(answer) = posted.dyn_ref::<Array>() else {
        return Err(RpcError::Silent(match posted.as_string().as_deref() {
            Some("no answer in time") => "no answer in time",
            Some("answer broke off") => "answer broke off",
            _ => "not reached",
        }));
    };
    // Three digits and a list of bytes, as `border.js` makes them.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let status = answer.get(0).as_f64().unwrap_or_default() as u16;
    let body = answer.get(1).dyn_ref::<Uint8Array>().map(Uint8Array::to_vec).unwrap_or_default();
    if (200..300).contains(&status) { Ok(body) } else { Err(RpcError::read(status, &body)) }
}
