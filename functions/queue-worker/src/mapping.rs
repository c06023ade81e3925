//! What has to be known before a level can be pushed: the location of a store, and which inventory items its SKUs are.
//!
//! Carries questions and answers. What a hit means is decided in `ordak-core` and in the database, which has the levels
//! pushed as soon as it knows where.

use crate::{Setup, queue};
use ordak_core::{
    admin_api::{Kind, Refusal},
    inventory_push::Unmapped,
    stock::{
        location,
        mapping::{self, Found, Hits, MOST_SKUS},
    },
    work::{WorkFailure, WorkResult},
};
use ordak_edge::{
    admin_shop::{Shop, Stop},
    clock,
};
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;

/// What the database wants to know.
#[derive(Deserialize)]
struct Wanted {
    ask_locations: bool,
    skus: Vec<String>,
}

/// Looks up what is unknown, within `limit` altogether.
pub async fn look_up(setup: &Setup, work: Unmapped, limit: Duration) -> Vec<WorkResult> {
    let end = clock::now_ms().saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
    let failure = carry_out(setup, &work, end).await.err().map(WorkFailure::from);
    let result = |claim: &ordak_core::inventory_push::Claim| match &failure {
        None => WorkResult::done(claim.id, claim.fence),
        Some(failure) => WorkResult::failed(claim.id, claim.fence, failure),
    };
    work.claims.iter().map(result).collect()
}

async fn carry_out(setup: &Setup, work: &Unmapped, end: u64) -> Result<(), Stop> {
    let asked = json!({"p_store": work.store, "p_skus": work.skus});
    let wanted = queue::call(&setup.rpc, "begin_mapping", &asked).await?;
    let wanted: Wanted =
        serde_json::from_value(wanted).map_err(|_| Stop::Database("begin_mapping: strange data".into()))?;
    let shop = Shop::open(&setup.shops, &work.store, &work.shop_domain, end);
    if wanted.ask_locations {
        let locations = location::all(async |body: String| shop.ask(&body).await).await?;
        let saved = json!({"p_store": work.store, "p_locations": locations});
        queue::call(&setup.rpc, "save_locations", &saved).await?;
    }
    for skus in wanted.skus.chunks(MOST_SKUS) {
        let found = find(&shop, skus).await?;
        let saved = json!({"p_store": work.store, "p_found": found});
        queue::call(&setup.rpc, "save_mapping", &saved).await?;
    }
    Ok(())
}

/// What Shopify has under each SKU. One that its search does not understand spoils it for the others, and finds nothing.
async fn find(shop: &Shop<'_>, skus: &[String]) -> Result<Vec<Found>, Stop> {
    match search(shop, skus).await? {
        Ok(found) => Ok(found),
        Err(_) => {
            let mut found = Vec::new();
            for sku in skus {
                let alone = std::slice::from_ref(sku);
                found.extend(search(shop, alone).await?.unwrap_or_else(|_| Hits::new(alone).into_found()));
            }
            Ok(found)
        }
    }
}

/// The hits of one search, or that it was not understood.
async fn search(shop: &Shop<'_>, skus: &[String]) -> Result<Result<Vec<Found>, Refusal>, Stop> {
    let mut hits = Hits::new(skus);
    let mut after = None;
    for _ in 0..mapping::MOST_PAGES {
        let body = shop.ask(&mapping::search(skus, after.as_deref())).await?;
        match hits.add(&body) {
            Ok(None) => return Ok(Ok(hits.into_found())),
            Ok(next) => after = next,
            Err(refusal) if refusal.kind == Kind::Refused => return Ok(Err(refusal)),
            Err(refusal) => return Err(refusal.into()),
        }
    }
    Err(Stop::Refused("Shopify finds too much for a SKU".into()))
}
