//! `stock_check`: levels of Shopify are looked at.
//!
//! Carries questions and answers; what a level means the database decides.

use crate::{Setup, queue};
use ordak_core::{
    stock::level::{self, Check},
    work::{WorkFailure, WorkItem, WorkResult},
};
use ordak_edge::{
    admin_shop::{Shop, Stop},
    clock,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

pub use ordak_core::stock::level::TOPIC;

#[derive(Deserialize)]
struct Begun {
    items: Vec<Check>,
}

/// Looks at the levels of items of one store, within `limit` altogether.
pub async fn look(setup: &Setup, items: &[WorkItem], limit: Duration) -> Vec<WorkResult> {
    let end = clock::now_ms().saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let failure = carry_out(setup, items, end).await.err().map(WorkFailure::from);
    let result = |item: &WorkItem| match &failure {
        None => WorkResult::done(item.id, item.fence),
        Some(failure) => WorkResult::failed(item.id, item.fence, failure),
    };
    items.iter().map(result).collect()
}

async fn carry_out(setup: &Setup, items: &[WorkItem], end: u64) -> Result<(), Stop> {
    let Some(first) = items.first() else { return Ok(()) };
    let ids: Vec<i64> =
        items.iter().filter_map(|item| item.payload.get("check_id").and_then(Value::as_i64)).collect();
    let asked = json!({"p_store": first.store, "p_checks": ids});
    let begun = queue::call(&setup.rpc, "begin_stock_checks", &asked).await?;
    let begun: Begun = serde_json::from_value(begun)
        .map_err(|_| Stop::Database("begin_stock_checks: strange data".into()))?;
    let domain = first.shop_domain.as_deref().unwrap_or_default();
    let shop = Shop::open(&setup.shops, &first.store, domain, end);
    let (questions, mut looks) = level::questions(begun.items);
    for question in questions {
        looks.extend(question.read(&shop.ask(&question.body()).await?)?);
    }
    if !looks.is_empty() {
        let seen = json!({"p_store": first.store, "p_looks": looks});
        queue::call(&setup.rpc, "settle_stock_checks", &seen).await?;
    }
    Ok(())
}
