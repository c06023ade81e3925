//! Calling Postgres functions through the REST server.
//!
//! Arguments and answers are raw JSON bytes: what comes in is what goes out, nothing is parsed or written again. They go
//! straight to the runtime's `fetch`. Decides nothing about what a refusal means for the caller.

use crate::{
    border::{self, code},
    rest_error::RpcError,
    task::{Report, reported},
};
use ordak_core::{envelope::Fault, secret_key::Header};
use std::{cell::RefCell, time::Duration};
use worker::{js_sys::JsString, web_sys::Headers};

/// A client in somebody's name: the headers say whose.
#[derive(Debug)]
pub struct Rpc {
    base: String,
    headers: Headers,
}

thread_local! {
    /// Where functions are, as the runtime has it: an isolate calls few, all of one project.
    static WRITTEN: RefCell<Vec<(String, JsString)>> = const { RefCell::new(Vec::new()) };
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
        let ms = u32::try_from(limit.as_millis()).unwrap_or(u32::MAX);
        let posted = with_written(format!("{}{function}", self.base), |url| {
            reported(|place, number| border::post(place, number, url, &self.headers, &arguments, ms))
        });
        drop(arguments);
        read(posted.await)
    }
}

/// Does something with an address as the runtime reads it.
fn with_written<T>(url: String, what: impl FnOnce(&JsString) -> T) -> T {
    WRITTEN.with_borrow_mut(|all| {
        if let Some((_, written)) = all.iter().find(|(known, _)| *known == url) {
            return what(written);
        }
        let written = JsString::from(url.as_str());
        let done = what(&written);
        all.push((url, written));
        done
    })
}

fn read(Report { code, bytes, .. }: Report) -> Result<Vec<u8>, RpcError> {
    match code {
        code::NOT_REACHED => Err(RpcError::Silent("not reached")),
        code::ANSWER_BROKE_OFF => Err(RpcError::Silent("answer broke off")),
        code::NO_ANSWER_IN_TIME => Err(RpcError::Silent("no answer in time")),
        200..300 => Ok(bytes),
        status => Err(RpcError::read(u16::try_from(status).unwrap_or_default(), &bytes)),
    }
}
