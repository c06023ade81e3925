//! Races by name: two sessions of the database, stopped where they meet.

use ordak_e2e::db::Db;
use ordak_e2e::session::{End, Session};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, CROWDED, Item};
use ordak_e2e::{Outcome, unique, unique_number};
use serde_json::{Value, json};

/// The key of the one push that is most urgent, leased.
async fn claim(session: &Session, worker: &str) -> Outcome<String> {
    let query = "select public.claim_work($1, '{inventory_push}', 1) #>> '{data,items,0,dedupe_key}' as key";
    let row = session.db.row(query, &[&worker]).await?;
    Ok(row["key"].as_str().unwrap_or_default().to_owned())
}

/// A push that is more urgent than any that other tests make.
async fn urgent(db: &Db, item: &Item, key: &str) -> Outcome {
    let statement =
        "insert into public.work_queue (topic, store, payload, dedupe_key, priority, next_retry_at)
        values ('inventory_push', $1, jsonb_build_object('sku', $2::text), $3, 0, '2000-01-01')";
    db.execute(statement, &[&CROWDED.key, &item.sku, &key]).await?;
    Ok(())
}

#[tokio::test]
async fn a_claim_that_is_not_committed_keeps_its_sku() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let item = store::stock(&stack, CROWDED, 10).await?;
    let (first_key, second_key) = (unique(), unique());
    let (first, second) = (Session::begin(&stack).await?, Session::begin(&stack).await?);

    // Made and claimed unseen: a drain of another test could have it otherwise.
    first.db.execute("reset role", &[]).await?;
    urgent(&first.db, &item, &first_key).await?;
    first.db.execute("set local role service_role", &[]).await?;
    assert_eq!(claim(&first, "first").await?, first_key);
    urgent(&db, &item, &second_key).await?;
    let claimed = second.meets(&first, &db, claim(&second, "second")).await?;
    // It may have got the push of another test instead: nobody carries that out here.
    second.end(End::Rollback).await?;
    assert_ne!(claimed, second_key, "two hands hold levels of one SKU");

    let done = "update public.work_queue set status = 'done', finished_at = now(), lease_until = null
        where dedupe_key = any ($1)";
    db.execute(done, &[&vec![first_key, second_key]]).await?;
    Ok(())
}

/// How an order gives up a line that waits for stock.
#[derive(Clone, Copy, Debug)]
enum GivesUp {
    Quantity,
    Line,
    Order,
}

impl GivesUp {
    /// The order as a snapshot, before (minute 0) and after (minute 1).
    fn snapshot(self, number: u64, sku: &str, minute: u8) -> Value {
        let after = minute > 0;
        let line = |quantity: u8| json!({"line_id": "1", "position": 1, "sku": sku, "quantity": quantity});
        let lines = match (self, after) {
            (Self::Quantity, true) => json!([line(0)]),
            (Self::Line, true) => json!([]),
            _ => json!([line(5)]),
        };
        let at = format!("2026-11-01T10:0{minute}:00Z");
        let cancelled = matches!((self, after), (Self::Order, true)).then(|| at.clone());
        json!({
            "snapshot": true, "gid": format!("gid://shopify/Order/{number}"), "shopify_id": number.to_string(),
            "order_number": number.to_string(), "updated_at": at, "topic_rank": minute, "cancelled_at": cancelled,
            "lines": lines
        })
    }
}

async fn ingest(db: &Db, topic: &str, order: &Value) -> Outcome<String> {
    let query = "select public.ingest_shopify_event(
            p_shop_domain => $1, p_topic => $2, p_webhook_id => $3, p_content_hash => $3, p_order => $4, p_payload => '{}'
        ) #>> '{data,outcome}' as outcome";
    let row = db.row(query, &[&CROWDED.domain(), &topic, &unique(), order]).await?;
    Ok(row["outcome"].as_str().unwrap_or_default().to_owned())
}

/// Stock arrives and is given to a line that waits for it, while the order gives that line up. A line that is short
/// counts as one that may move, so that the order looks again once it has the stock's lock; else it would write over
/// what it was given, and the stock would be gone.
async fn stock_meets_an_order_that_gives_up(stack: &Stack, how: GivesUp) -> Outcome {
    let db = stack.db().await?;
    let item = store::stock(stack, CROWDED, 0).await?;
    let number = unique_number(1_000_000_000);
    let create = Session::begin(stack).await?;
    assert_eq!(ingest(&create.db, "orders/create", &how.snapshot(number, &item.sku, 0)).await?, "created");
    create.end(End::Commit).await?;

    let (stock, order) = (Session::begin(stack).await?, Session::begin(stack).await?);
    let query = "select public.adjust_stock($1, $2, 5, 'restock', $3) #> '{data,allocated_lines}' as lines";
    let given = stock.db.row(query, &[&CROWDED.key, &item.sku, &unique()]).await?;
    assert_eq!(given, json!({"lines": 1}), "{how:?}: the line that waits gets what arrives");
    let snapshot = how.snapshot(number, &item.sku, 1);
    let outcome = order.meets(&stock, &db, ingest(&order.db, "orders/updated", &snapshot)).await?;
    order.end(End::Commit).await?;
    assert!(["updated", "cancelled"].contains(&outcome.as_str()), "{how:?}: {outcome}");

    let query = "select i.ats, i.opening_ats + coalesce(sum(t.delta), 0)::int as ledger, (
            select coalesce(sum(l.held_quantity + l.short_quantity), 0)::int from public.order_line_items l
            where l.store = i.store and l.sku = i.sku
        ) as held_or_short
        from public.inventory_items i left join public.inventory_txn t on t.item_id = i.id
        where i.store = $1 and i.sku = $2 group by i.id";
    let row = db.row(query, &[&CROWDED.key, &item.sku]).await?;
    assert_eq!(row, json!({"ats": 5, "ledger": 5, "held_or_short": 0}), "{how:?}");
    Ok(())
}

#[tokio::test]
async fn stock_that_meets_an_order_giving_up_is_not_lost() -> Outcome {
    let stack = Stack::up().await?;
    for how in [GivesUp::Quantity, GivesUp::Line, GivesUp::Order] {
        stock_meets_an_order_that_gives_up(&stack, how).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_store_that_opens_is_in_the_way_of_nobody_who_writes() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let (writer, opener) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    let key = format!("once{}", unique_number(100_000_000_000));
    writer.db.execute("reset role", &[]).await?;
    writer.db.execute("lock table public.inventory_txn in row exclusive mode", &[]).await?;

    // Whichever table is attached to first: the writer comes to the others now.
    let goes_on = async {
        let others = "lock table public.orders, public.order_line_items, public.stage_events,
            public.batch_contributions in row exclusive mode";
        writer.db.execute(others, &[]).await?;
        writer.end(End::Commit).await
    };
    let call =
        format!("create_store('{key}', 'Once', '{key}.myshopify.com', 'Australia/Sydney', 'AU', 'AUD')");
    let opened = opener.interrupted(&db, opener.call(&call), goes_on).await?;
    assert_eq!(opened["ok"], true, "{opened}");
    opener.end(End::Rollback).await
}
