//! Many do different things to the same few rows at once, and nobody waits in a circle: no call ends in a deadlock, or in
//! any other error that it would not have met alone.
//!
//! What is called is chosen at random, who meets whom is up to the database. A lock that takes too long is no circle.

use ordak_chaos::figures::{announce, report, times};
use ordak_chaos::ground::{Ground, variable};
use ordak_chaos::session::Session;
use ordak_e2e::db::Db;
use ordak_e2e::{Failure, Outcome};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

/// Who call at the same time.
const CLIENTS: usize = 32;
/// How often each of them calls.
const CALLS: usize = 50;
/// Whose rows these are.
const STORE: &str = "chaoscircle";
/// Its shop.
const SHOP: &str = "chaoscircle.myshopify.com";
/// So many rows of a kind: few, so that everybody meets.
const FEW: usize = 6;

/// What one client calls next. Needs the owner's hand when it is no function of ours.
enum Call {
    Function(String),
    Owner(String),
}

/// A ground on which everybody meets.
struct Place {
    ground: Ground,
    /// SKUs, and with `gid://shopify/InventoryItem/` before them the items of Shopify.
    items: Vec<String>,
    /// Numbers of orders.
    orders: Vec<i64>,
}

impl Place {
    async fn open(suite: u8) -> Outcome<Self> {
        let ground = Ground::open(suite).await?;
        let session = ground.session().await?;
        let create = "select public.create_store(p_key => $1, p_name => $1, p_shop_domain => $2,
            p_timezone => 'Australia/Sydney', p_origin_country => 'AU', p_currency => 'AUD')";
        session.data(create, &[&STORE, &SHOP]).await?;
        let orders: Vec<i64> = (0..FEW).map(|_| ground.identity().id).collect();
        let items: Vec<String> = orders.iter().map(ToString::to_string).collect();
        let place = Self { ground, items, orders };
        let settings = json!({"settle_seconds": 0, "location_gid": "gid://shopify/Location/1"});
        session.data("select public.update_stock_settings($1, $2)", &[&STORE, &settings]).await?;
        let statement = "insert into public.inventory_items
            (store, sku, opening_ats, ats, shopify_inventory_item_gid)
            select $1, i.sku, 10, 10, 'gid://shopify/InventoryItem/' || i.sku from unnest($2::text[]) as i (sku)";
        Db::connect(&variable("DATABASE_URL")?).await?.execute(statement, &[&STORE, &place.items]).await?;
        Ok(place)
    }

    fn item<'a>(&'a self, rng: &mut fastrand::Rng) -> &'a str {
        rng.choice(&self.items).map_or("", String::as_str)
    }

    fn order(&self, rng: &mut fastrand::Rng) -> i64 {
        rng.choice(&self.orders).copied().unwrap_or_default()
    }

    /// Some of them, in any order.
    fn some<T: Clone>(all: &[T], rng: &mut fastrand::Rng) -> Vec<T> {
        let mut some: Vec<T> = all.iter().filter(|_| rng.bool()).cloned().collect();
        rng.shuffle(&mut some);
        some
    }

    /// A delivery of the shop.
    fn delivery(topic: &str, order: &Value, payload: &Value, rng: &mut fastrand::Rng) -> Call {
        let id = rng.u128(..);
        Call::Function(format!(
            "ingest_shopify_event(p_shop_domain => '{SHOP}', p_topic => '{topic}', p_webhook_id => '{id}',
                p_content_hash => '{id}', p_order => '{order}', p_payload => '{payload}')"
        ))
    }

    /// An order as it is now: some of the SKUs, in any order.
    fn snapshot(&self, rng: &mut fastrand::Rng) -> Call {
        let number = self.order(rng);
        let lines: Vec<Value> = Self::some(&self.items, rng)
            .iter()
            .enumerate()
            .map(|(at, sku)| json!({"line_id": at.to_string(), "position": at, "sku": sku, "quantity": rng.u8(0..4)}))
            .collect();
        let order = json!({
            "snapshot": true, "gid": format!("gid://shopify/Order/{number}"), "shopify_id": number.to_string(),
            "order_number": number.to_string(), "customer_id": rng.u8(1..3).to_string(), "topic_rank": 1,
            "updated_at": format!("2026-11-01T10:{:02}:{:02}Z", rng.u8(0..60), rng.u8(0..60)),
            "customer_name": "Zoe Zebra", "lines": lines
        });
        let payload =
            json!({"customer": {"email": "zoe@zebra.example"}, "created_at": "2026-01-01T10:00:00Z"});
        Self::delivery("orders/updated", &order, &payload, rng)
    }

    fn adjustment(&self, rng: &mut fastrand::Rng) -> Call {
        let (sku, delta, key) = (self.item(rng), rng.i32(1..6), rng.u128(..));
        Call::Function(format!("adjust_stock('{STORE}', '{sku}', {delta}, 'zoe zebra counted', '{key}')"))
    }

    /// Stock is compared with the shop's, looked at, moved and mapped.
    fn counting(&self, rng: &mut fastrand::Rng) -> Call {
        let gid = |sku: &str| format!("gid://shopify/InventoryItem/{sku}");
        match rng.u8(0..15) {
            0 | 1 => Call::Function(format!("start_reconcile('{}', array['{STORE}'], true, 1)", rng.u8(0..3))),
            2..=5 => {
                let levels: Vec<Value> = Self::some(&self.items, rng)
                    .iter()
                    .map(|sku| json!({"gid": gid(sku), "sku": sku, "available": rng.u8(0..20)}))
                    .collect();
                let next = if rng.bool() { "null".to_owned() } else { format!("'{}'", rng.u32(..)) };
                let levels = json!(levels);
                Call::Function(format!(
                    "compare_stock(r.run, r.id, r.location_gid, r.page_after, {next}, '{levels}')
                    from (select) as one left join public.reconcile_runs r on r.store = '{STORE}' and r.state = 'reading'"
                ))
            }
            6..=9 => Call::Function(format!(
                "settle_stock_checks('{STORE}', (
                    select coalesce(jsonb_agg(c || jsonb_build_object('available', {}) order by random()), '[]')
                    from jsonb_array_elements(public.begin_stock_checks('{STORE}', array(
                        select o.id from public.stock_checks o where o.store = '{STORE}' and o.closed_at is null
                    )) #> '{{data,items}}') c
                ))",
                rng.u8(0..20)
            )),
            10 => {
                let stock = json!({"stock": {"item_gid": gid(self.item(rng))}});
                Self::delivery("inventory_levels/update", &stock, &json!({}), rng)
            }
            11 => {
                let item = if rng.bool() { "null".to_owned() } else { format!("'{}'", gid(self.item(rng))) };
                Call::Function(format!("map_inventory_item('{STORE}', '{}', {item})", self.item(rng)))
            }
            12 if rng.bool() => {
                let found: Vec<Value> = Self::some(&self.items, rng)
                    .iter()
                    .map(|sku| json!({"sku": sku, "gids": [gid(self.item(rng))]}))
                    .collect();
                Call::Function(format!("save_mapping('{STORE}', '{}')", json!(found)))
            }
            13 => self.snapshot(rng),
            _ => self.adjustment(rng),
        }
    }

    /// Customers are forgotten while their orders come, are applied again, and work about them is claimed, decided and swept.
    fn forgetting(&self, rng: &mut fastrand::Rng) -> Call {
        match rng.u8(0..14) {
            0..=2 => {
                let orders: Vec<String> = Self::some(&self.items, rng);
                let compliance = json!({"compliance": {
                    "shop_domain": SHOP, "customer_id": rng.u8(1..3).to_string(), "order_ids": orders,
                    "contacts": ["zoe@zebra.example"]
                }});
                let topic = if rng.u8(0..4) == 0 { "customers/data_request" } else { "customers/redact" };
                Self::delivery(topic, &compliance, &json!({}), rng)
            }
            3 | 4 => self.snapshot(rng),
            5 => Call::Owner(format!(
                "update public.event_store set processed_at = null where id = (
                    select e.id from public.event_store e where e.ref_id = 'gid://shopify/Order/{}'
                    order by e.id desc limit 1 for update skip locked
                )",
                self.order(rng)
            )),
            6 => Call::Function(format!(
                "replay_event((select max(e.id) from public.event_store e
                    where e.ref_id = 'gid://shopify/Order/{}'))",
                self.order(rng)
            )),
            7 => Call::Function(format!(
                "retry_work((select array_agg(w.id) from (
                    select w.id from public.work_queue w where w.store = '{STORE}' order by random() limit 20) w))"
            )),
            8 => Call::Function(format!(
                "record_dead_letter('shopify', '{SHOP}', 'orders/updated', '{}', 'unreadable', 'zoe@zebra.example {}')",
                rng.u128(..),
                self.order(rng)
            )),
            9 => Call::Function(format!(
                "claim_work('{}', array['order_ingest_retry', 'inventory_push'], 5)",
                rng.u128(..)
            )),
            10 => Call::Function("continue_compliance(1)".to_owned()),
            11 => Call::Function("purge_work()".to_owned()),
            12 => Call::Function("check_queue()".to_owned()),
            _ => self.adjustment(rng),
        }
    }

    /// All call at once, each as often as the others. Gives what went wrong.
    async fn crowd(self: &Arc<Self>, choose: fn(&Self, &mut fastrand::Rng) -> Call) -> Outcome<Vec<String>> {
        let mut tasks = JoinSet::new();
        for (number, session) in self.ground.sessions(CLIENTS).await?.into_iter().enumerate() {
            let (place, owner) = (Arc::clone(self), Db::connect(&variable("DATABASE_URL")?).await?);
            let mut rng = self.ground.seed.rng(u64::try_from(number)?);
            tasks.spawn(async move {
                let mut wrongs = Vec::new();
                for _ in 0..CALLS * times() {
                    wrongs.extend(match choose(&place, &mut rng) {
                        Call::Function(call) => call_it(&session, &call).await,
                        Call::Owner(statement) => owner
                            .execute(&statement, &[])
                            .await
                            .err()
                            .map(|error| format!("{statement}: {error:?}")),
                    });
                }
                wrongs
            });
        }
        let mut wrongs = Vec::new();
        while let Some(done) = tasks.join_next().await {
            wrongs.extend(done?);
        }
        Ok(wrongs)
    }
}

/// What went wrong with a call: an error, or an event that could not be applied. To have waited long is nothing wrong.
async fn call_it(session: &Session, call: &str) -> Option<String> {
    match session.value(&format!("select public.{call}"), &[]).await {
        Ok(answer) if answer.get("code").is_some_and(|code| code == "INTERNAL") => {
            Some(format!("{call}: {answer}"))
        }
        Ok(_) => None,
        Err(error) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => None,
        Err(error) => Some(format!("{call}: {:?}", Failure::from(error))),
    }
}

async fn nobody_waits_in_a_circle(
    name: &str,
    suite: u8,
    choose: fn(&Place, &mut fastrand::Rng) -> Call,
) -> Outcome {
    let place = Arc::new(Place::open(suite).await?);
    let wrongs = place.crowd(choose).await?;
    let calls = CLIENTS * CALLS * times();
    announce(&format!("circles: {name}, {calls} calls, {} went wrong, {}", wrongs.len(), place.ground.seed));
    assert!(wrongs.is_empty(), "{}", report(&wrongs, place.ground.seed));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_counts_stock_waits_in_a_circle() -> Outcome {
    nobody_waits_in_a_circle("counting", 6, Place::counting).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_forgets_customers_waits_in_a_circle() -> Outcome {
    nobody_waits_in_a_circle("forgetting", 7, Place::forgetting).await
}
