//! The queue's RPCs.
//!
//! Knows their names and shapes.

use ordak_core::{
    envelope::Fault,
    work::{Claim, WorkResult},
};
use ordak_edge::{rpc::Rpc, service_role};
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
    Claim::read(&service_role::answer(rpc, "claim_work", &arguments, LIMIT).await?)
}

/// Reports a whole batch. Asked once more when nothing comes back: a lost report makes finished work run again.
///
/// # Errors
/// As [`claim`].
pub async fn report(rpc: &Rpc, worker: &str, results: &[WorkResult]) -> Result<Reported, Fault> {
    let arguments = json!({"p_worker": worker, "p_results": results});
    match service_role::data(rpc, "report_work", &arguments, LIMIT).await {
        Err(_) => service_role::data(rpc, "report_work", &arguments, LIMIT).await,
        reported => reported,
    }
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
    service_role::data(rpc, function, arguments, LIMIT).await
}
