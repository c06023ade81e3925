//! Calling functions of the database in our own name, for what is in the envelope: whatever goes wrong is our fault, since
//! nobody else has said what is asked.
//!
//! Knows no function of the database.

use crate::{rest_error::Role, rpc::Rpc};
use ordak_core::envelope::{Envelope, Failure, Fault};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::time::Duration;

/// Calls `function` and gives back the bytes of the answer, as they came.
///
/// # Errors
/// A fault when none came in time, or the REST server refused.
pub async fn answer(
    rpc: &Rpc,
    function: &str,
    arguments: &impl Serialize,
    limit: Duration,
) -> Result<Vec<u8>, Fault> {
    let arguments = serde_json::to_vec(arguments)
        .map_err(|error| Fault::internal(format!("{function}: arguments cannot be written: {error}")))?;
    sent(rpc, function, arguments, limit).await
}

/// Calls `function` and gives back the data of its envelope.
///
/// # Errors
/// As [`answer`]; also when the function refuses, or its data have another form.
pub async fn data<T: DeserializeOwned>(
    rpc: &Rpc,
    function: &str,
    arguments: &impl Serialize,
    limit: Duration,
) -> Result<T, Fault> {
    let data = opened(function, &answer(rpc, function, arguments, limit).await?)?;
    serde_json::from_value(data).map_err(|_| Fault::internal(format!("{function}: strange data")))
}

// Neither is generic: they stand in a module once.

async fn sent(rpc: &Rpc, function: &str, arguments: Vec<u8>, limit: Duration) -> Result<Vec<u8>, Fault> {
    let answer = rpc.call(function, arguments, limit).await;
    answer.map_err(|error| ours(function, error.into_failure(function, Role::Service)))
}

fn opened(function: &str, answer: &[u8]) -> Result<Value, Fault> {
    Envelope::read(answer)?.into_data().map_err(|failure| ours(function, failure))
}

fn ours(function: &str, failure: Failure) -> Fault {
    match failure {
        Failure::Fault(fault) => fault,
        Failure::Rejection(rejection) => Fault::internal(format!("{function}: {}", rejection.message)),
    }
}
