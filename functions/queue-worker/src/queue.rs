//! The queue's RPCs.
//!
//! Knows their names and shapes.

use ordak_core::{
    envelope::{Envelope, Failure, Fault},
    work::{Claim, WorkResult},
};
use ordak_edge::{rest_error::Caller, rpc::Rpc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for one RPC; far below every lease.
const LIMIT: Duration = Duration::from_secs(8);

/// What a report changed.
#[derive(Debug, Default, Deserialize)]
pub struct Reported {
    /// Items that are done.
    #[serde(default)]
    pub done: u64,
    /// Items that will be tried again.
    #[serde(default)]
    pub retried: u64,
    /// Items that were given up.
    #[serde(default)]
    pub dead: u64,
}

/// Leases up to `limit` due items of these topics, but none of the lanes that are `busy`.
///
/// # Errors
/// A fault when the database does not answer as it should.
pub async fn claim(
    rpc: &Rpc,
    worker: &str,
    topics: &[&str],
    limit: usize,
    busy: &[&str],
) -> Result<Claim, Fault> {
    let arguments = json!({"p_worker": worker, "p_topics": topics, "p_limit": limit, "p_busy": busy});
    Claim::read(&ask(rpc, "claim_work", &arguments).await?)
}

/// Reports a whole batch. Asked once more when nothing comes back: a lost report makes finished work run again.
///
/// # Errors
/// As [`claim`].
pub async fn report(rpc: &Rpc, worker: &str, results: &[WorkResult]) -> Result<Reported, Fault> {
    let arguments = json!({"p_worker": worker, "p_results": results});
    let data = match call(rpc, "report_work", &arguments).await {
        Ok(data) => data,
        Err(_) => call(rpc, "report_work", &arguments).await?,
    };
    serde_json::from_value(data).map_err(|_| Fault::internal("report_work: no figures"))
}

/// Records the drain.
///
/// # Errors
/// As [`claim`].
pub async fn record(rpc: &Rpc, run: &impl Serialize) -> Result<(), Fault> {
    call(rpc, "record_worker_run", run).await.map(|_| ())
}

/// Calls a function with the service role; whatever goes wrong is our fault.
///
/// # Errors
/// As [`claim`].
pub async fn call(rpc: &Rpc, function: &str, arguments: &impl Serialize) -> Result<Value, Fault> {
    let body = ask(rpc, function, arguments).await?;
    Envelope::read(&body)?.into_data().map_err(|failure| ours(function, failure))
}

/// The answer as it came.
async fn ask(rpc: &Rpc, function: &str, arguments: &impl Serialize) -> Result<Vec<u8>, Fault> {
    let arguments = serde_json::to_vec(arguments)
        .map_err(|error| Fault::internal(format!("{function}: arguments cannot be written: {error}")))?;
    rpc.call(function, arguments, LIMIT)
        .await
        .map_err(|error| ours(function, error.into_failure(function, Caller::Service)))
}

fn ours(function: &str, failure: Failure) -> Fault {
    match failure {
        Failure::Fault(fault) => fault,
        Failure::Rejection(rejection) => Fault::internal(format!("{function}: {}", rejection.message)),
    }
}
