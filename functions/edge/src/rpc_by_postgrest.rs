//! Calling Postgres functions through the REST server with the library `postgrest`: the same interface as
//! [`crate::rpc`], for functions of which nobody waits for every millisecond. The library and its HTTP client are 46 KB
//! (gzip) of a bundle and some microseconds of every call.
//!
//! Decides nothing about what a refusal means for the caller.

use crate::{deadline::within, rest_error::RpcError};
use ordak_core::{envelope::Fault, secret_key::Header};
use postgrest::Postgrest;
use std::time::Duration;

/// A client in somebody's name: the headers say whose.
pub struct Rpc {
    client: Postgrest,
}

impl Rpc {
    /// A client for the project at `base` (`SUPABASE_URL`).
    ///
    /// # Errors
    /// A fault when a header cannot be sent as it is, without quoting it.
    pub fn new(base: &str, headers: Vec<Header>) -> Result<Self, Fault> {
        let mut client = Postgrest::new(format!("{}/rest/v1", base.trim_end_matches('/')));
        for (name, value) in headers {
            // The client panics on what does not fit into a header.
            if !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
                return Err(Fault::internal(format!("header {name} has characters that cannot be sent")));
            }
            client = client.insert_header(name, value);
        }
        Ok(Self { client })
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
        within(limit, self.send(function, arguments))
            .await
            .unwrap_or(Err(RpcError::Silent("no answer in time")))
    }

    async fn send(&self, function: &str, arguments: Vec<u8>) -> Result<Vec<u8>, RpcError> {
        // Bytes instead of the builder's own string: they cross into the runtime without being transcoded.
        let request = self.client.rpc(function, "").build().body(arguments);
        let answer = request.send().await.map_err(|_| RpcError::Silent("not reached"))?;
        let status = answer.status().as_u16();
        let body = answer.bytes().await.map_err(|_| RpcError::Silent("answer broke off"))?;
        if (200..300).contains(&status) { Ok(Vec::from(body)) } else { Err(RpcError::read(status, &body)) }
    }
}
