//! `refund`: money goes back through Shopify.
//!
//! Carries two exchanges, a question and the refund itself. What is asked, what is sent and what the answers mean is
//! decided in `ordak-core`.

use crate::Setup;
use ordak_core::{
    admin_api::Answer,
    refund::{Refund, Step},
    settings::admin_token,
    work::{WorkFailure, WorkItem, WorkResult},
};
use ordak_edge::{
    clock,
    isolate::getter,
    upstream::{self, Reply},
};
use std::time::Duration;

pub use ordak_core::refund::TOPIC;

/// Gives back what the item says; `limit` holds for each exchange.
pub async fn refund(setup: &Setup, item: &WorkItem, limit: impl Fn() -> Duration) -> WorkResult {
    match carry_out(setup, item, limit).await {
        Ok(()) => WorkResult::done(item.id, item.fence),
        Err(failure) => WorkResult::failed(item.id, item.fence, &failure),
    }
}

async fn carry_out(setup: &Setup, item: &WorkItem, limit: impl Fn() -> Duration) -> Result<(), WorkFailure> {
    let refund = Refund::of(item)?;
    let reply = exchange(setup, item, &refund, &refund.question(), limit()).await?;
    let Step::Send(body) = refund.next(answer(&reply), clock::now_s())? else {
        return Ok(());
    };
    let limit = limit();
    // Whoever has the item once the lease is over asks anew.
    if limit.is_zero() {
        return Err(WorkFailure::transient("no time was left", None));
    }
    let reply = exchange(setup, item, &refund, &body, limit).await?;
    refund.judge(answer(&reply), clock::now_s())
}

fn answer(reply: &Reply) -> Answer<'_> {
    Answer { status: reply.status, retry_after: reply.retry_after.as_deref(), body: &reply.body }
}

async fn exchange(
    setup: &Setup,
    item: &WorkItem,
    refund: &Refund,
    body: &str,
    limit: Duration,
) -> Result<Reply, WorkFailure> {
    let failed = |error: &str| WorkFailure::transient(error, None);
    let token =
        admin_token(&getter(&setup.variables), &item.store).map_err(|fault| failed(fault.detail()))?;
    let url = setup.settings.graphql_url(refund.shop_domain());
    let url = url.ok_or_else(|| failed("the store has no usable shop domain"))?;
    let headers = [("x-shopify-access-token", token.expose())];
    upstream::post_json(&url, &headers, body, limit).await.map_err(|error| failed(error.as_str()))
}
