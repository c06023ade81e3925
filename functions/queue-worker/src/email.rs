//! `email`: those who run a store are written to.
//!
//! Carries the message. What it says and what the answer means is decided in `ordak-core`.

use crate::Setup;
use ordak_core::{
    email,
    work::{WorkFailure, WorkItem, WorkResult},
};
use ordak_edge::{
    clock,
    log::{Level, Line},
    upstream,
};
use std::time::Duration;

/// Topic of these items.
pub const TOPIC: &str = email::TOPIC;

/// Sends it, with the store's own key where it has brought one. Where no service is set the item is done: what nobody can
/// send must not pile up. Where its settings are wrong it waits.
pub async fn send(setup: &Setup, item: &WorkItem, limit: Duration) -> WorkResult {
    let settings = match &setup.settings.email {
        Ok(settings) => settings,
        Err(why) => {
            return WorkResult::failed(item.id, item.fence, &WorkFailure::misconfigured(why.as_str()));
        }
    };
    let Some(settings) = settings else {
        Line::new("queue-worker", Level::Info, "email_off", clock::now_ms())
            .place(Some(&item.store), Some(TOPIC))
            .write();
        return WorkResult::done(item.id, item.fence);
    };
    let key = match setup.shops.vault().email(&item.store).await {
        Ok(own) => own.unwrap_or_else(|| settings.key.clone()),
        Err(refusal) => return WorkResult::failed(item.id, item.fence, &refusal.failure),
    };
    let body = match email::body(item, &settings.from) {
        Ok(body) => body,
        Err(failure) => return WorkResult::failed(item.id, item.fence, &failure),
    };
    let bearer = format!("Bearer {}", key.expose());
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", item.dedupe_key.as_str())];
    let reply = upstream::post_json(&settings.endpoint, &headers, &body, limit).await;
    let verdict = match reply {
        Ok(reply) => email::judge(reply.status, reply.retry_after.as_deref(), &reply.body, clock::now_s()),
        Err(error) => Err(WorkFailure::transient(error.as_str(), None)),
    };
    match verdict {
        Ok(()) => WorkResult::done(item.id, item.fence),
        Err(failure) => WorkResult::failed(item.id, item.fence, &failure),
    }
}
