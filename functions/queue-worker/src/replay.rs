//! `order_ingest_retry`: a stored event is applied again.
//!
//! Knows the RPC and its answer; why applying failed is the database's knowledge.

use ordak_core::{
    envelope::{Envelope, Failure},
    work::{WorkFailure, WorkItem, WorkResult},
};
use ordak_edge::{rest_error::Role, rpc::Rpc};
use serde_json::{Value, json};
use std::time::Duration;

/// Topic of these items.
pub const TOPIC: &str = "order_ingest_retry";

const RPC: &str = "replay_event";

/// Applies the event that the item names.
pub async fn replay(rpc: &Rpc, item: &WorkItem, limit: Duration) -> WorkResult {
    let failure = match item.payload.get("event_id").and_then(Value::as_i64) {
        None => Some(WorkFailure::permanent("the item names no event")),
        Some(event) => apply(rpc, event, limit).await.err().map(|failure| judge(&failure)),
    };
    match failure {
        None => WorkResult::done(item.id, item.fence),
        Some(failure) => WorkResult::failed(item.id, item.fence, &failure),
    }
}

async fn apply(rpc: &Rpc, event: i64, limit: Duration) -> Result<(), Failure> {
    let arguments = json!({ "p_event_id": event }).to_string().into_bytes();
    let body =
        rpc.call(RPC, arguments, limit).await.map_err(|error| error.into_failure(RPC, Role::Service))?;
    Envelope::read(&body)?.into_data()?;
    Ok(())
}

/// What blames the item cannot be cured by another try; what blames us may.
fn judge(failure: &Failure) -> WorkFailure {
    match failure {
        Failure::Rejection(rejection) => WorkFailure::permanent(rejection.message.clone()),
        Failure::Fault(fault) => WorkFailure::transient(fault.detail(), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordak_core::{
        envelope::{Fault, Rejection},
        work::ErrorClass,
    };

    #[test]
    fn an_event_that_does_not_exist_is_given_up() {
        assert_eq!(judge(&Rejection::not_found("no such event").into()).class, ErrorClass::Permanent);
        assert_eq!(judge(&Fault::internal("still failing").into()).class, ErrorClass::Transient);
    }
}
