//! The RPCs of credentials.
//!
//! Every call is made by the service role; in whose name is an argument, and the database asks whether that is an Admin.

use crate::Setup;
use ordak_core::envelope::{Envelope, Failure, Fault};
use ordak_edge::{door::Caller, rest_error};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for one call.
const LIMIT: Duration = Duration::from_secs(5);

/// Calls a function in somebody's name; gives the envelope as it came.
///
/// # Errors
/// When no envelope came.
pub async fn call(
    setup: &Setup,
    function: &str,
    mut arguments: Value,
    caller: &Caller,
) -> Result<Vec<u8>, Failure> {
    if let (Caller::User(user), Some(arguments)) = (caller, arguments.as_object_mut()) {
        arguments.insert("p_user".into(), json!(user));
    }
    setup
        .rpc
        .call(function, arguments.to_string().into_bytes(), LIMIT)
        .await
        .map_err(|error| error.into_failure(function, rest_error::Role::Service))
}

/// The same, for what is in the envelope.
///
/// # Errors
/// Also when the database refuses.
pub async fn ask<T: DeserializeOwned>(
    setup: &Setup,
    function: &str,
    arguments: Value,
    caller: &Caller,
) -> Result<T, Failure> {
    let data = Envelope::read(&call(setup, function, arguments, caller).await?)?.into_data()?;
    serde_json::from_value(data).map_err(|_| Fault::internal(format!("{function}: strange data")).into())
}
