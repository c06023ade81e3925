//! Work of each kind that the queue-worker carries out, planted so that a test can say what came of it. A new kind is a
//! line in [`Kind::ALL`] and an arm in [`plant`].
//!
//! Knows what a row of the queue must say and where the effect shows; decides nothing about what should come of it.

use crate::session::Session;
use ordak_e2e::answer::Answer;
use ordak_e2e::db::Db;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, LOCATION, Store};
use ordak_e2e::{Failure, Outcome, unique, unique_number};
use ordak_model::Delivery;
use serde_json::{Value, json};

/// A kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A level goes to Shopify.
    Push,
    /// Money goes back through Shopify.
    Refund,
    /// People are told by Slack.
    Alert,
    /// Those who run a store are written to.
    Email,
    /// A stored event is applied; its effect is in the database.
    Replay,
    /// Shopify is asked which inventory item a SKU is; its effect is in the database.
    Lookup,
    /// Shopify is asked for a level; its effect is in the database.
    Look,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] =
        &[Self::Push, Self::Refund, Self::Alert, Self::Email, Self::Replay, Self::Lookup, Self::Look];

    /// Its topic in the queue.
    #[must_use]
    pub fn topic(self) -> &'static str {
        match self {
            Self::Push | Self::Lookup => "inventory_push",
            Self::Refund => "refund",
            Self::Alert => "slack_alert",
            Self::Email => "email",
            Self::Replay => "order_ingest_retry",
            Self::Look => "stock_check",
        }
    }

    /// What the request that has the effect contains, and no other.
    #[must_use]
    pub fn call(self) -> &'static str {
        match self {
            Self::Push => "inventorySetQuantities",
            Self::Refund => "refundCreate",
            Self::Alert => "\"text\"",
            Self::Email => "\"subject\"",
            Self::Replay => "p_event_id",
            Self::Lookup => "save_mapping",
            Self::Look => "settle_stock_checks",
        }
    }

    /// A query that finds the effect of work in the database by its mark; none when the effect is elsewhere.
    fn effect(self) -> Option<&'static str> {
        match self {
            Self::Push | Self::Refund | Self::Alert | Self::Email => None,
            Self::Replay => {
                Some("select 1 from public.event_store where id::text = $1 and processed_at is not null")
            }
            Self::Lookup => Some(
                "select 1 from public.inventory_items where sku = $1 and shopify_inventory_item_gid is not null",
            ),
            // What agrees leaves no row.
            Self::Look => Some(
                "select 1 where not exists (select 1 from public.stock_checks where id::text = $1 and closed_at is null)",
            ),
        }
    }

    /// Whether the other side knows idempotency keys. Slack does not: told and not recorded is told again.
    #[must_use]
    pub fn has_keys(self) -> bool {
        self != Self::Alert
    }
}

/// Work that waits.
#[derive(Clone, Debug)]
pub struct Planted {
    /// Its kind.
    pub kind: Kind,
    /// Its store.
    pub store: Store,
    /// Its row in the queue.
    pub id: i64,
    /// What names it in the queue.
    pub key: String,
    /// What names it at the other side.
    pub mark: String,
}

/// What has become of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Its status.
    pub status: String,
    /// How often it was claimed.
    pub claims: i64,
    /// Class of its last error.
    pub error_class: String,
    /// Its last error.
    pub error: String,
}

/// Plants work of a kind in a store. It is not due before it is [`release`]d.
pub async fn plant(stack: &Stack, db: &Db, kind: Kind, store: Store) -> Outcome<Planted> {
    let (payload, mark) = match kind {
        Kind::Push => {
            let item = store::stock(stack, store, 7).await?;
            (json!({"sku": item.sku}), item.gid)
        }
        Kind::Refund => {
            let order = Order::simple()?;
            let shop = json!({"shop": store.domain(), "orders": [order.payload]});
            let put = Answer::to(stack.http.post(format!("{}/_shop", stack.fakes_url)).json(&shop)).await?;
            if put.at("/ok") != true {
                return Err(Failure::new(put.text));
            }
            (json!({"order_gid": order.gid(), "amount": "5.00", "currency": "AUD"}), order.gid())
        }
        Kind::Alert => {
            let text = format!("chaos {}", unique());
            (json!({"kind": "test", "text": text}), text)
        }
        Kind::Email => {
            let text = format!("chaos {}", unique());
            (json!({"kind": "test", "to": "kitchen@example.com", "text": text}), text)
        }
        Kind::Replay => {
            let event = unapplied(stack, db, store).await?;
            (json!({"event_id": event}), event.to_string())
        }
        Kind::Lookup => {
            let sku = format!("SKU-{}", unique());
            let item = format!("gid://shopify/InventoryItem/{}", unique_number(1_000_000_000_000));
            let variants = json!([{"sku": sku, "inventory_item_id": item}]);
            tell_shop(
                stack,
                store,
                json!({"variants": variants, "locations": [{"id": LOCATION, "name": "Shop"}]}),
            )
            .await?;
            let statement =
                "insert into public.inventory_items (store, sku, opening_ats, ats, shopify_location_gid)
                values ($1, $2, 7, 7, $3)";
            db.execute(statement, &[&store.key, &sku, &LOCATION]).await?;
            (json!({"sku": sku}), sku)
        }
        Kind::Look => {
            let item = store::stock(stack, store, 7).await?;
            let level = json!({"inventory_item_id": item.gid, "location_id": LOCATION, "available": 7});
            tell_shop(stack, store, json!({"levels": [level]})).await?;
            let statement = "insert into public.stock_checks (store, item_id, sku, cause, looks)
                select i.store, i.id, i.sku, 'signal', 1 from public.inventory_items i
                where i.store = $1 and i.sku = $2 returning id::text";
            let check = db.written(statement, &[&store.key, &item.sku]).await?;
            (json!({"check_id": check.parse::<i64>()?, "sku": item.sku}), check)
        }
    };
    let statement = "insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at)
        values ($1, $2, $3, $4, now() + interval '1 day') returning id::text";
    let key = unique();
    let id = db.written(statement, &[&kind.topic(), &store.key, &payload, &key]).await?.parse()?;
    Ok(Planted { kind, store, id, key, mark })
}

/// Says what the fake shop has.
async fn tell_shop(stack: &Stack, store: Store, mut state: Value) -> Outcome {
    if let Some(fields) = state.as_object_mut() {
        fields.insert("upstream".to_owned(), json!("shopify"));
        fields.insert("shop".to_owned(), json!(store.domain()));
    }
    let answer = Answer::to(stack.http.post(format!("{}/_state", stack.fakes_url)).json(&state)).await?;
    if answer.at("/ok") == true { Ok(()) } else { Err(Failure::new(answer.text)) }
}

/// Makes planted work due.
pub async fn release(db: &Db, planted: &[Planted]) -> Outcome {
    let ids: Vec<i64> = planted.iter().map(|planted| planted.id).collect();
    db.execute("update public.work_queue set next_retry_at = now() where id = any($1)", &[&ids]).await?;
    Ok(())
}

/// An event that is stored and waits to be applied. Straight into the database: over HTTP it would wake a drain, which
/// could take what is planted next.
async fn unapplied(stack: &Stack, db: &Db, store: Store) -> Outcome<i64> {
    let delivery = Delivery {
        shop: store.domain(),
        topic: "orders/create".to_owned(),
        webhook_id: unique(),
        body: String::from_utf8(Order::simple()?.bytes())?,
    };
    let answer = Session::connect(&stack.database_url).await?.ingest(&delivery).await?;
    let Some(event) = answer.pointer("/data/event_id").and_then(Value::as_i64) else {
        return Err(Failure::new(format!("not taken: {answer}")));
    };
    db.execute("update public.event_store set processed_at = null where id = $1", &[&event]).await?;
    Ok(event)
}

/// What has become of it.
pub async fn row(db: &Db, planted: &Planted) -> Outcome<Row> {
    let query = "select w.status, w.fence as claims, coalesce(w.error_class, '') as error_class,
            coalesce(w.last_error, '') as error
        from public.work_queue w where w.id = $1";
    let row = db.row(query, &[&planted.id]).await?;
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let number = |name: &str| row.get(name).and_then(Value::as_i64).unwrap_or_default();
    Ok(Row {
        status: text("status"),
        claims: number("claims"),
        error_class: text("error_class"),
        error: text("error"),
    })
}

/// How often it has had its effect.
pub async fn effects(stack: &Stack, db: &Db, planted: &Planted) -> Outcome<usize> {
    match planted.kind.effect() {
        Some(query) => db.count(query, &[&planted.mark]).await,
        None => Ok(ledger(stack, planted).await?.len()),
    }
}

/// What the other side has entered of it, oldest first; nothing when its effect is in the database.
pub async fn ledger(stack: &Stack, planted: &Planted) -> Outcome<Vec<Value>> {
    if planted.kind.effect().is_some() {
        return Ok(Vec::new());
    }
    let mut query = vec![];
    let domain = planted.store.domain();
    match planted.kind {
        Kind::Alert => query.push(("upstream", "slack")),
        Kind::Email => query.push(("upstream", "email")),
        _ => query.extend([("upstream", "shopify"), ("shop", domain.as_str())]),
    }
    let url = format!("{}/_effects", stack.fakes_url);
    let mut answer = Answer::to(stack.http.get(url).query(&query)).await?;
    match answer.json.pointer_mut("/effects").map(Value::take) {
        Some(Value::Array(mut all)) => {
            all.retain(|effect| effect.to_string().contains(&planted.mark));
            Ok(all)
        }
        _ => Err(Failure::new(format!("the fakes answered {} {}", answer.status, answer.text))),
    }
}
