//! Races about the last piece, by name: a new order counts on stock that it has not locked, and another takes that first.

use ordak_e2e::session::{End, Session};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, CROWDED, Item, Store};
use ordak_e2e::{Outcome, unique, unique_number};
use serde_json::{Value, json};

/// A new order of one piece of each.
fn create(number: u64, items: &[&Item]) -> String {
    create_in(CROWDED, number, items)
}

fn create_in(store: Store, number: u64, items: &[&Item]) -> String {
    let lines: Vec<Value> = items
        .iter()
        .enumerate()
        .map(|(at, item)| json!({"line_id": at.to_string(), "position": at, "sku": item.sku, "quantity": 1}))
        .collect();
    let order = json!({
        "snapshot": true, "gid": format!("gid://shopify/Order/{number}"), "shopify_id": number.to_string(),
        "order_number": number.to_string(), "updated_at": "2026-11-01T10:00:00Z", "topic_rank": 0, "lines": lines
    });
    let (domain, id) = (store.domain(), unique());
    format!(
        "ingest_shopify_event(p_shop_domain => '{domain}', p_topic => 'orders/create', p_webhook_id => '{id}',
            p_content_hash => '{id}', p_order => '{order}', p_payload => '{{}}')"
    )
}

/// A correction of stock by hand.
fn adjust(store: Store, item: &Item, delta: i32) -> String {
    format!("adjust_stock('{}', '{}', {delta}, 'counted', '{}')", store.key, item.sku, unique())
}

/// What is left of an order and what it left behind.
async fn found(stack: &Stack, number: u64) -> Outcome<Value> {
    let query = "select o.allocation_status as status, o.inventory_blocked as blocked,
            (select string_agg(l.held_quantity || '+' || l.short_quantity, ' ' order by l.line_id)
             from public.order_line_items l where l.store = o.store and l.order_id = o.id) as held,
            (select string_agg(s.action, ' ' order by s.id)
             from public.stage_events s where s.store = o.store and s.order_id = o.id) as told,
            (select count(*)::int from public.inventory_txn t where t.store = o.store and t.order_id = o.id) as ledger,
            (select count(*)::int from public.work_queue w
             where w.topic = 'inventory_push' and w.dedupe_key like '%/' || o.shopify_order_gid || '/%') as pushes,
            (select count(*)::int from public.work_queue w
             where w.topic = 'order_ingest_retry' and w.payload ->> 'order_gid' = o.shopify_order_gid) as retries,
            (select e.processed_at is not null and e.attempts = 1 and e.last_error is null
             from public.event_store e where e.store = o.store and e.ref_id = o.shopify_order_gid) as at_once
        from public.orders o where o.shopify_order_gid = $1";
    stack.db().await?.row(query, &[&format!("gid://shopify/Order/{number}")]).await
}

async fn left(stack: &Stack, item: &Item) -> Outcome<Value> {
    let query = "select i.ats, i.opening_ats + coalesce(sum(t.delta), 0)::int as ledger
        from public.inventory_items i left join public.inventory_txn t on t.item_id = i.id
        where i.store = $1 and i.sku = $2 group by i.id";
    stack.db().await?.row(query, &[&CROWDED.key, &item.sku]).await
}

/// Who takes the last piece before the order that counts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    /// Another new order, behind which it waits for the row, or before that in its queue.
    Order,
    /// Somebody who has locked the row and knows of no queue.
    Correction,
}

/// Two want the last piece. The second, a new order, reads that it is there, writes all of its own, waits for it, and
/// finds what the first has left of it.
async fn two_want_the_last_piece(taker: Taker, how: End, expected: Value, alert: bool) -> Outcome {
    let stack = Stack::up().await?;
    let (last, ample) = (store::stock(&stack, CROWDED, 1).await?, store::stock(&stack, CROWDED, 9).await?);
    let (one, other) = (unique_number(1_000_000_000), unique_number(1_000_000_000));
    let (first, second) = (Session::begin(&stack).await?, Session::begin(&stack).await?);

    let taking = match taker {
        Taker::Order => create(one, &[&last]),
        Taker::Correction => adjust(CROWDED, &last, -1),
    };
    let answer = first.call(&taking).await?;
    assert_eq!(answer["ok"], true, "{answer}");
    let answer = second.call_after(&first, how, &create(other, &[&ample, &last])).await?;
    assert_eq!(answer["data"]["outcome"], "created", "{answer}");
    second.end(End::Commit).await?;

    assert_eq!(found(&stack, other).await?, expected, "{taker:?}, {how:?}");
    assert_eq!(left(&stack, &last).await?, json!({"ats": 0, "ledger": 0}), "{taker:?}, {how:?}: sold once");
    assert_eq!(left(&stack, &ample).await?, json!({"ats": 8, "ledger": 8}), "{taker:?}, {how:?}: taken once");
    let query = "select count(*) > 0 as told from public.work_queue w
        where w.topic = 'slack_alert' and w.store = $1 and w.payload ->> 'kind' = 'stock_short'";
    let row = stack.db().await?.row(query, &[&CROWDED.key]).await?;
    assert!(!alert || row == json!({"told": true}), "{row}");
    Ok(())
}

#[tokio::test]
async fn a_piece_that_goes_at_the_last_moment_leaves_the_order_short() -> Outcome {
    let short = json!({
        "status": "short", "blocked": true, "held": "1+0 0+1", "told": "order_short order_ingested", "ledger": 1,
        "pushes": 2, "retries": 0, "at_once": true
    });
    for taker in [Taker::Order, Taker::Correction] {
        two_want_the_last_piece(taker, End::Commit, short.clone(), true).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_piece_that_comes_back_at_the_last_moment_is_taken() -> Outcome {
    let allocated = json!({
        "status": "allocated", "blocked": false, "held": "1+0 1+0", "told": "order_allocated order_ingested",
        "ledger": 2, "pushes": 2, "retries": 0, "at_once": true
    });
    for taker in [Taker::Order, Taker::Correction] {
        two_want_the_last_piece(taker, End::Rollback, allocated.clone(), false).await?;
    }
    Ok(())
}

/// An order gets its rows of the ledger, and with them their ids, before it gets the stock: a later row can be there first.
/// A look at Shopify's level that begins between the two must not take the stock for unmoved.
#[tokio::test]
async fn a_hold_that_was_noted_before_a_look_and_made_during_it_is_seen() -> Outcome {
    let stack = Stack::up().await?;
    let (store, number) = (store::fresh(&stack).await?, unique_number(1_000_000_000));
    let (item, db) = (store::stock(&stack, store, 5).await?, stack.db().await?);
    let (first, order) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    let open = "select private.open_stock_checks($1, 'signal', null, array[i.id], null, '0')
        from public.inventory_items i where i.store = $1";
    db.row(open, &[&store.key]).await?;
    let check =
        db.row("select id from public.stock_checks where store = $1", &[&store.key]).await?["id"].clone();

    assert_eq!(first.call(&adjust(store, &item, 1)).await?["ok"], true);
    let later = async {
        assert_eq!(first.call(&adjust(store, &item, 1)).await?["ok"], true);
        first.end(End::Commit).await
    };
    let answer = order.call_behind(&first, &create_in(store, number, &[&item]), later).await?;
    assert_eq!(answer["data"]["outcome"], "created", "{answer}");
    let begin = json!({"p_store": store.key, "p_checks": [check]});
    let looks = stack.rpc(&stack.service_key, "begin_stock_checks", &begin).await?;
    order.end(End::Commit).await?;

    // A push that waits would be reason enough to look again.
    db.execute("delete from public.work_queue where store = $1", &[&store.key]).await?;
    let look = json!({"check_id": check, "token": looks.at("/data/items/0/token"), "available": 7});
    let settle = json!({"p_store": store.key, "p_looks": [look]});
    let answer = stack.rpc(&stack.service_key, "settle_stock_checks", &settle).await?;
    assert_eq!(answer.at("/data/decided"), 0, "{}", answer.text);
    let query = "select c.theirs, i.ats, (select array_agg(t.delta order by t.id) from public.inventory_txn t where t.item_id = i.id) as ledger
        from public.stock_checks c join public.inventory_items i on i.id = c.item_id where c.store = $1";
    let unlooked = json!({"theirs": null, "ats": 6, "ledger": [1, -1, 1]});
    assert_eq!(db.row(query, &[&store.key]).await?, unlooked, "the look counts for nothing");
    Ok(())
}
