//! `inventory_push`: stock levels go to Shopify.
//!
//! Carries requests and answers. Which items share a call, what it says and what the answer means is decided in
//! `ordak-core`.

use crate::Setup;
use ordak_core::{
    admin_api::Refusal,
    inventory_push::{Answer, Call},
    work::WorkResult,
};
use ordak_edge::{clock, shop_access::Address, upstream::Reply};
use std::time::Duration;

/// Topic of these items.
pub const TOPIC: &str = "inventory_push";

/// How often the innocent rest of a refused call is sent again before it goes back to be claimed anew.
pub const ROUNDS: usize = 5;

/// Makes a call, and again without the items for which it was refused; `limit` holds for each exchange.
pub async fn push(setup: &Setup, call: Call, limit: impl Fn() -> Duration) -> Vec<WorkResult> {
    let mut results = Vec::new();
    let mut next = Some(call);
    for _ in 0..ROUNDS {
        let Some(call) = next.take() else { break };
        // The lease may have run out since the last round: whoever has the items now sends what is true now.
        if limit().is_zero() {
            results.extend(call.untried());
            break;
        }
        match exchange(setup, &call, &limit).await {
            Ok(reply) => {
                let answer = Answer {
                    status: reply.status,
                    retry_after: reply.retry_after.as_deref(),
                    body: &reply.body,
                };
                let verdict = call.classify(answer, clock::now_s());
                results.extend(verdict.results);
                next = verdict.again;
            }
            Err(refusal) => results.extend(call.failed(&refusal.failure)),
        }
    }
    if let Some(rest) = next {
        results.extend(rest.untried());
    }
    results
}

async fn exchange(setup: &Setup, call: &Call, limit: &dyn Fn() -> Duration) -> Result<Reply, Refusal> {
    let shop = Address { store: &call.store, domain: &call.shop_domain };
    setup.shops.post(shop, &call.request().body, limit).await
}
