//! Pushing stock levels to Shopify: what to send for a batch of claimed items, and what the answer means for each.
//!
//! The worker sends the *current* level of every SKU that waits, so ten holds on one SKU cost one write upstream. Knows
//! no HTTP client: a [`Call`] is turned into a [`Request`], someone sends it, and the [`Answer`] is judged.

mod answer;
mod request;

pub use crate::admin_api::Answer;
pub use answer::Verdict;
pub use request::Request;

use crate::sorted::Sorted;
use crate::work::{WorkFailure, WorkItem, WorkResult};
use serde::Deserialize;

/// Quantities that one call takes.
pub const MOST_QUANTITIES: usize = 250;
/// The topic of the items.
pub const TOPIC: &str = "inventory_push";

/// What is to be done about a batch of claimed items.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Calls to make, each to one store.
    pub calls: Vec<Call>,
    /// What has to be looked up before it can be pushed, by store.
    pub unmapped: Vec<Unmapped>,
    /// Items that cannot be pushed, with the reason: to be reported as they are.
    pub refused: Vec<WorkResult>,
}

/// One call: levels of one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The store.
    pub store: String,
    /// Its Shopify domain.
    pub shop_domain: String,
    /// At most [`MOST_QUANTITIES`], sorted by inventory item and location, each pair once.
    pub quantities: Vec<Quantity>,
}

/// SKUs of one store of which Shopify's inventory item or location is not known yet, and the items that wait for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmapped {
    /// The store.
    pub store: String,
    /// Its Shopify domain.
    pub shop_domain: String,
    /// The SKUs, each once.
    pub skus: Vec<String>,
    /// The claimed items: done when that is known, as then the levels are pushed anew.
    pub claims: Vec<Claim>,
}

/// The level of one SKU, and the items that wait for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// The SKU, for messages.
    pub sku: String,
    /// Shopify's inventory item.
    pub inventory_item_gid: String,
    /// Shopify's location.
    pub location_gid: String,
    /// Available to sell; never negative.
    pub available: i32,
    /// What Shopify is known to hold, when somebody knows: then the write compares and swaps.
    pub change_from: Option<i32>,
    /// The claimed items that this level settles.
    pub claims: Vec<Claim>,
}

/// A claimed item, as far as reporting needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The item.
    pub id: i64,
    /// The fence it was claimed with.
    pub fence: i64,
}

/// Levels of one store by inventory item and location.
type Levels = Sorted<(String, String), Quantity>;

/// What the database read for the item when it was claimed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Context {
    sku: Option<String>,
    ats: Option<i64>,
    inventory_item_gid: Option<String>,
    location_gid: Option<String>,
    change_from: Option<i32>,
}

/// Plans the calls for claimed items: one group a store, one quantity an inventory item and location, the rest refused
/// for good. The same items make the same calls, whatever order they come in.
#[must_use]
pub fn plan(items: &[WorkItem]) -> Plan {
    let mut plan = Plan::default();
    let mut stores: Sorted<(&str, &str), Levels> = Sorted::default();
    let mut unmapped: Sorted<(&str, &str), Unmapped> = Sorted::default();
    let mut sorted = Sorted::default();
    for item in items {
        sorted.entry(item.id, || item);
    }
    for item in sorted.into_values() {
        let claim = Claim { id: item.id, fence: item.fence };
        match (quantity_of(item), item.shop_domain.as_deref()) {
            (Ok(Wanted::Unmapped(sku)), Some(domain)) if !domain.is_empty() => {
                let (store, shop_domain) = (item.store.clone(), domain.to_owned());
                let none = || Unmapped { store, shop_domain, skus: Vec::new(), claims: Vec::new() };
                let waiting = unmapped.entry((&item.store, domain), none);
                waiting.claims.push(claim);
                if !waiting.skus.contains(&sku) {
                    waiting.skus.push(sku);
                }
            }
            (Ok(Wanted::Level(wanted)), Some(domain)) if !domain.is_empty() => {
                let store = stores.entry((&item.store, domain), Levels::default);
                let target = (wanted.inventory_item_gid.clone(), wanted.location_gid.clone());
                let (available, change_from) = (wanted.available, wanted.change_from);
                let quantity = store.entry(target, || wanted);
                quantity.claims.push(claim);
                // All were read at one time; should they differ all the same, the youngest item is right.
                (quantity.available, quantity.change_from) = (available, change_from);
            }
            (Err(failure), _) => plan.refused.push(WorkResult::failed(claim.id, claim.fence, &failure)),
            (Ok(_), _) => {
                let failure = WorkFailure::permanent(format!("store {} has no shop domain", item.store));
                plan.refused.push(WorkResult::failed(claim.id, claim.fence, &failure));
            }
        }
    }
    plan.unmapped = unmapped.into_values().collect();
    for ((store, shop_domain), quantities) in stores {
        let quantities: Vec<Quantity> = quantities.into_values().collect();
        plan.calls.extend(quantities.chunks(MOST_QUANTITIES).map(|chunk| Call {
            store: store.to_owned(),
            shop_domain: shop_domain.to_owned(),
            quantities: chunk.to_vec(),
        }));
    }
    plan
}

/// What an item asks for.
enum Wanted {
    Level(Quantity),
    /// Its SKU has to be looked up first.
    Unmapped(String),
}

fn quantity_of(item: &WorkItem) -> Result<Wanted, WorkFailure> {
    if item.topic != TOPIC {
        return Err(WorkFailure::permanent(format!("topic {} is not {TOPIC}", item.topic)));
    }
    let context = Option::<Context>::deserialize(&item.context).ok().flatten().unwrap_or_default();
    let asked = item.payload.get("sku").and_then(serde_json::Value::as_str);
    let sku = context.sku.or_else(|| asked.map(str::to_owned)).unwrap_or_else(|| "(none)".into());
    let Some(ats) = context.ats else {
        return Err(WorkFailure::permanent(format!("SKU {sku} is not in stock keeping")));
    };
    let (Some(inventory_item_gid), Some(location_gid)) = (context.inventory_item_gid, context.location_gid)
    else {
        return Ok(Wanted::Unmapped(sku));
    };
    for (gid, kind) in [(&inventory_item_gid, "InventoryItem"), (&location_gid, "Location")] {
        let number = gid.strip_prefix("gid://shopify/").and_then(|gid| gid.strip_prefix(kind));
        if !number.is_some_and(|number| number.starts_with('/')) {
            return Err(WorkFailure::permanent(format!("SKU {sku} is mapped to no Shopify {kind}")));
        }
    }
    Ok(Wanted::Level(Quantity {
        inventory_item_gid,
        location_gid,
        sku,
        available: i32::try_from(ats.max(0)).unwrap_or(i32::MAX),
        change_from: context.change_from,
        claims: Vec::new(),
    }))
}

impl Call {
    /// All items that the call settles.
    pub fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        self.quantities.iter().flat_map(|quantity| quantity.claims.iter().copied())
    }

    /// Nothing of it has happened: it was not sent, or was refused as a whole for other items. Its items go back.
    #[must_use]
    pub fn untried(&self) -> Vec<WorkResult> {
        self.claims().map(|claim| WorkResult::released(claim.id, claim.fence)).collect()
    }

    /// The same failure for every item.
    #[must_use]
    pub fn failed(&self, failure: &WorkFailure) -> Vec<WorkResult> {
        self.claims().map(|claim| WorkResult::failed(claim.id, claim.fence, failure)).collect()
    }
}

#[cfg(test)]
mod request_tests;
#[cfg(test)]
mod stale_tests;
#[cfg(test)]
mod tests;
