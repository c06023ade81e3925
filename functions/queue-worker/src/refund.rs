//! `refund`: money goes back through Shopify.
//!
//! Carries two exchanges, a question and the refund itself. What is asked, what is sent and what the answers mean is
//! decided in `ordak-core`.

use crate::Setup;
use ordak_core::{
    admin_api::Answer,
    refund::{Refund, Step},
    work::{WorkFailure, WorkItem, WorkResult},
};
use ordak_edge::{clock, shop_access::Address, upstream::Reply};
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
    let shop = Address { store: &item.store, domain: refund.shop_domain() };
    let reply = setup.shops.post(shop, &refund.question(), &limit).await?;
    let Step::Send(body) = refund.next(answer(&reply), clock::now_s())? else {
        return Ok(());
    };
    // Whoever has the item once the lease is over asks anew.
    let reply = setup.shops.post(shop, &body, &limit).await?;
    refund.judge(answer(&reply), clock::now_s())
}

fn answer(reply: &Reply) -> Answer<'_> {
    Answer { status: reply.status, retry_after: reply.retry_after.as_deref(), body: &reply.body }
}
