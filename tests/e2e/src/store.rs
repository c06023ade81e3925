//! Stores of the tests' own, so that a test which looks at stock or makes Shopify fail disturbs no other.

use crate::db::Db;
use crate::stack::Stack;
use crate::{Failure, Outcome, unique_number};
use serde_json::json;

/// A store as the tests address it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Store {
    /// Its key, which is also the prefix of its order ids.
    pub key: &'static str,
}

/// From the seed: what the tokens of the environment belong to.
pub const BANNOS: Store = Store { key: "bannos" };
/// From the seed: the other store, for looking across.
pub const FLOURLANE: Store = Store { key: "flourlane" };
/// Stock is held and pushed.
pub const STOCK: Store = Store { key: "testone" };
/// Many orders of one SKU.
pub const BATCH: Store = Store { key: "testtwo" };
/// Nothing in stock.
pub const SHORT: Store = Store { key: "testthree" };
/// Shopify fails for a while.
pub const BROKEN: Store = Store { key: "testfour" };
/// Shopify asks for patience.
pub const BUSY: Store = Store { key: "testfive" };
/// Shopify has revoked the token.
pub const REVOKED: Store = Store { key: "testsix" };
/// Compliance topics, which reach every order of the store.
pub const COMPLIANCE: Store = Store { key: "testseven" };
/// Drained by the clock.
pub const CLOCK: Store = Store { key: "testeight" };
/// Answers of Shopify get lost after it has acted.
pub const LOSSY: Store = Store { key: "testnine" };
/// Signs with secrets of its own, of which one is about to retire.
pub const ROTATION: Store = Store { key: "testten" };
/// Shopify sends elsewhere.
pub const REDIRECTED: Store = Store { key: "testeleven" };
/// Pushes of the same SKU meet on their way to Shopify.
pub const CROWDED: Store = Store { key: "testtwelve" };
/// Orders pool into batches.
pub const POOLED: Store = Store { key: "testthirteen" };
/// Alerts are counted.
pub const ALARMED: Store = Store { key: "testfourteen" };
/// Slack fails for a while.
pub const UNHEARD: Store = Store { key: "testfifteen" };

const OWN: [Store; 15] = [
    STOCK, BATCH, SHORT, BROKEN, BUSY, REVOKED, COMPLIANCE, CLOCK, LOSSY, ROTATION, REDIRECTED, CROWDED,
    POOLED, ALARMED, UNHEARD,
];

/// Shopify's id of the place where everything is.
pub const LOCATION: &str = "gid://shopify/Location/77";

impl Store {
    /// The domain of its shop.
    pub fn domain(self) -> String {
        format!("{}.myshopify.com", self.key)
    }

    /// The partition that holds its orders.
    pub fn partition(self) -> String {
        format!("orders_{}", self.key)
    }
}

/// Makes the tests' own stores, unless they are there.
pub async fn prepare(stack: &Stack) -> Outcome {
    for store in OWN {
        create(stack, store).await?;
    }
    Ok(())
}

/// A store that no other test and no other run has: for what cannot be undone.
pub async fn fresh(stack: &Stack) -> Outcome<Store> {
    // Leaked, as stores are named by constants everywhere else; there are a few in a run.
    let store = Store { key: Box::leak(format!("once{}", unique_number(100_000_000_000)).into_boxed_str()) };
    create(stack, store).await?;
    Ok(store)
}

/// A store that takes no orders: it has no place to keep them, and so costs nobody anything.
pub async fn bare(db: &Db) -> Outcome<Store> {
    let store = Store { key: Box::leak(format!("bare{}", unique_number(100_000_000_000)).into_boxed_str()) };
    let statement = "insert into public.stores
        (key, name, shop_domain, id_prefix, timezone, origin_country, currency)
        values ($1, $1, $2, $1, 'Australia/Sydney', 'AU', 'AUD')";
    db.execute(statement, &[&store.key, &store.domain()]).await?;
    Ok(store)
}

async fn create(stack: &Stack, store: Store) -> Outcome {
    let arguments = json!({
        "p_key": store.key, "p_name": format!("Test {}", store.key), "p_shop_domain": store.domain(),
        "p_timezone": "Australia/Sydney", "p_origin_country": "AU", "p_currency": "AUD"
    });
    let answer = stack.rpc(&stack.service_key, "create_store", &arguments).await?;
    if answer.at("/ok") == true {
        Ok(())
    } else {
        Err(Failure::new(format!("create_store {}: {} {}", store.key, answer.status, answer.text)))
    }
}

/// A SKU in stock.
#[derive(Clone, Debug)]
pub struct Item {
    /// The SKU.
    pub sku: String,
    /// Shopify's id of the inventory item.
    pub gid: String,
}

/// Puts a new SKU in stock.
pub async fn stock(stack: &Stack, store: Store, ats: i32) -> Outcome<Item> {
    let number = unique_number(1_000_000_000_000);
    let item = Item { sku: format!("SKU-{number}"), gid: format!("gid://shopify/InventoryItem/{number}") };
    let statement = "insert into public.inventory_items
        (store, sku, opening_ats, ats, shopify_inventory_item_gid, shopify_location_gid)
        values ($1, $2, $3, $3, $4, $5)";
    stack.db().await?.execute(statement, &[&store.key, &item.sku, &ats, &item.gid, &LOCATION]).await?;
    Ok(item)
}
