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
    items.iter().map(|item| result(item, failure.as_ref())).collect()
}

/// What became of an item of a look; one that names no check cannot be carried out, ever.
fn result(item: &WorkItem, failure: Option<&WorkFailure>) -> WorkResult {
    let nameless = || WorkFailure::permanent("the payload names no check_id");
    match (check_id(item), failure) {
        (None, _) => WorkResult::failed(item.id, item.fence, &nameless()),
        (Some(_), Some(failure)) => WorkResult::failed(item.id, item.fence, failure),
        (Some(_), None) => WorkResult::done(item.id, item.fence),
    }
}

fn check_id(item: &WorkItem) -> Option<i64> {
    item.payload.get("check_id").and_then(Value::as_i64)
}

async fn carry_out(setup: &Setup, items: &[WorkItem], end: u64) -> Result<(), Stop> {
    let ids: Vec<i64> = items.iter().filter_map(check_id).collect();
    let Some(first) = items.first().filter(|_| !ids.is_empty()) else { return Ok(()) };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_no_check_is_dead_at_once_and_holds_up_no_other() {
        let item = |id: i64, payload: Value| -> WorkItem {
            let item = json!({"id": id, "topic": TOPIC, "store": "bannos", "fence": 1, "payload": payload});
            serde_json::from_value(item).unwrap()
        };
        let permanent = Some(ordak_core::work::ErrorClass::Permanent);
        for payload in [json!({}), json!(null), json!({"check_id": "7"}), json!({"check_id": 1e300})] {
            let outcome = result(&item(1, payload.clone()), None);
            assert_eq!((outcome.outcome, outcome.error_class), ("failed", permanent), "{payload}");
        }
        assert!(result(&item(2, json!({"check_id": 7})), None).is_done());
    }
}
