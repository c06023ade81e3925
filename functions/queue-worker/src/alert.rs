//! `slack_alert`: people are told.
//!
//! Carries the message. What it says and what the answer means is decided in `ordak-core`.

use crate::Setup;
use ordak_core::{
    alert,
    work::{WorkFailure, WorkItem, WorkResult},
};
use ordak_edge::{
    clock,
    log::{Level, Line},
    upstream,
};
use std::time::Duration;

/// Topic of these items.
pub const TOPIC: &str = alert::TOPIC;

/// Slack answers at once or not at all; nothing else of the drain should wait for it.
const LIMIT: Duration = Duration::from_secs(2);

/// Tells it to Slack: where the store wants to hear it, else where everybody is told. Where there is none the item is done: what nobody wants to hear must not pile up. Where the address is wrong it waits, as somebody does want to hear.
pub async fn tell(setup: &Setup, item: &WorkItem, limit: Duration) -> WorkResult {
    let webhook = match setup.shops.vault().slack(&item.store).await {
        Ok(Some(own)) => Ok(Some(own)),
        Ok(None) => setup.settings.slack_webhook.clone().map_err(WorkFailure::misconfigured),
        Err(refusal) => Err(refusal.failure),
    };
    let webhook = match webhook {
        Ok(webhook) => webhook,
        Err(failure) => return WorkResult::failed(item.id, item.fence, &failure),
    };
    let Some(webhook) = webhook else {
        let started = clock::now_ms();
        Line::new("queue-worker", Level::Info, "alert_off", started)
            .place(Some(&item.store), Some(TOPIC))
            .write();
        return WorkResult::done(item.id, item.fence);
    };
    // Slack knows no such key; whoever stands in its place may.
    let headers = [("idempotency-key", item.dedupe_key.as_str())];
    let reply = upstream::post_json(webhook.expose(), &headers, &alert::body(item), limit.min(LIMIT)).await;
    let verdict = match reply {
        Ok(reply) => alert::judge(reply.status, reply.retry_after.as_deref(), &reply.body, clock::now_s()),
        Err(error) => Err(WorkFailure::transient(error.as_str(), None)),
    };
    match verdict {
        Ok(()) => WorkResult::done(item.id, item.fence),
        Err(failure) => WorkResult::failed(item.id, item.fence, &failure),
    }
}
