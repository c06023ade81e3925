//! Races in which two once waited for each other, or one was told of a unique key: both get what they came for, one after
//! the other.

use ordak_e2e::poll::eventually;
use ordak_e2e::session::{End, Session, waits};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, LOCATION, Store};
use ordak_e2e::{Failure, Outcome, unique, unique_number};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Calls a function and commits, at once or as soon as it may.
fn calling(session: Session, function: String) -> JoinHandle<Outcome<Value>> {
    tokio::spawn(async move {
        let answer = session.call(&function).await?;
        session.end(End::Commit).await?;
        Ok(answer)
    })
}

/// A third holds a row until both wait, the one in front of the other: each has by then whatever it takes before that row.
async fn in_a_row(stack: &Stack, held: &str, front: String, behind: String) -> Outcome<[Value; 2]> {
    let (watcher, third) = (stack.db().await?, stack.db().await?);
    third.execute("begin", &[]).await?;
    third.row(&format!("select 1 as held from {held} for update"), &[]).await?;
    let (one, other) = (Session::begin(stack).await?, Session::begin(stack).await?);
    let (one_pid, other_pid) = (one.pid(), other.pid());
    let one = calling(one, front);
    waits(&watcher, one_pid).await?;
    let other = calling(other, behind);
    waits(&watcher, other_pid).await?;
    third.execute("rollback", &[]).await?;
    Ok([one.await??, other.await??])
}

#[tokio::test]
async fn a_look_at_a_level_and_a_page_of_the_same_run_do_not_wait_for_each_other() -> Outcome {
    let stack = Stack::up().await?;
    let (db, store) = (stack.db().await?, store::fresh(&stack).await?);
    let item = store::stock(&stack, store, 9).await?;
    let statement = "with run as (
            insert into public.reconcile_runs (store, policy, location_gid, run, lease_until)
            values ($1, 'local_wins', $2, 'race', now() + interval '10 minutes') returning id
        )
        insert into public.stock_checks (store, item_id, sku, cause, run_id)
        select i.store, i.id, i.sku, 'reconcile', r.id from public.inventory_items i, run r
        where i.store = $1 and i.sku = $3
        returning id || ' ' || run_id";
    let ids = db.written(statement, &[&store.key, &LOCATION, &item.sku]).await?;
    let (check, run) = ids.split_once(' ').ok_or_else(|| Failure::new(ids.clone()))?;

    // The look has the stock and counts for its run, the page has the run and wants the stock.
    let look = format!(
        "settle_stock_checks('{0}', (select jsonb_agg(c || '{{\"available\": 4}}') from jsonb_array_elements(
            public.begin_stock_checks('{0}', array[{check}]::bigint[]) #> '{{data,items}}') c))",
        store.key
    );
    let levels = json!([{"gid": item.gid, "sku": item.sku, "tracked": true, "available": 4}]);
    let page = format!("compare_stock('race', {run}, '{LOCATION}', null, 'next', '{levels}')");
    let held = format!("public.inventory_items where store = '{}' and sku = '{}'", store.key, item.sku);
    for answer in in_a_row(&stack, &held, look, page).await? {
        assert_eq!(answer["ok"], true, "{answer}");
    }
    let row = db
        .row("select looks, theirs, closed_at from public.stock_checks where store = $1", &[&store.key])
        .await?;
    assert_eq!(row, json!({"looks": 1, "theirs": 4, "closed_at": null}));
    Ok(())
}

/// A delivery as a call.
fn delivery(store: Store, topic: &str, order: &Value) -> String {
    let (domain, id) = (store.domain(), unique());
    format!(
        "ingest_shopify_event(p_shop_domain => '{domain}', p_topic => '{topic}', p_webhook_id => '{id}',
            p_content_hash => '{id}', p_order => '{order}', p_payload => '{{}}')"
    )
}

#[tokio::test]
async fn an_order_that_is_forgotten_and_applied_again_is_locked_before_its_events() -> Outcome {
    let stack = Stack::up().await?;
    let (db, store) = (stack.db().await?, store::fresh(&stack).await?);
    let number = unique_number(1_000_000_000);
    let gid = format!("gid://shopify/Order/{number}");
    let order = json!({
        "snapshot": true, "gid": gid, "shopify_id": number.to_string(), "order_number": number.to_string(),
        "updated_at": "2026-11-01T10:00:00Z", "topic_rank": 0, "customer_name": "Zoe", "lines": []
    });
    let create = Session::begin(&stack).await?;
    let answer = create.call(&delivery(store, "orders/create", &order)).await?;
    create.end(End::Commit).await?;
    let event = &answer["data"]["event_id"];
    db.execute("update public.event_store set processed_at = null where ref_id = $1", &[&gid]).await?;

    let forget = json!({"compliance": {"shop_domain": store.domain(), "customer_id": "1", "order_ids": [number.to_string()]}});
    let held = format!("public.order_index where shopify_order_gid = '{gid}'");
    let calls = (delivery(store, "customers/redact", &forget), format!("replay_event({event})"));
    for answer in in_a_row(&stack, &held, calls.0, calls.1).await? {
        assert_eq!(answer["ok"], true, "{answer}");
    }
    let query =
        "select o.customer_name, e.processed_at is not null as applied, e.payload ? 'redacted' as redacted
        from public.orders o join public.event_store e on e.ref_id = o.shopify_order_gid
        where o.shopify_order_gid = $1";
    let row = db.row(query, &[&gid]).await?;
    assert_eq!(row, json!({"customer_name": "[redacted]", "applied": true, "redacted": true}));
    Ok(())
}

/// Two want the same at once: the second waits, and is told that it is taken.
async fn only_one_gets_it(stack: &Stack, one: &str, other: &str) -> Outcome {
    let (first, second) = (Session::begin(stack).await?, Session::begin(stack).await?);
    let answer = first.call(one).await?;
    assert_eq!(answer["ok"], true, "{answer}");
    let answer = second.call_after(&first, End::Commit, other).await?;
    assert_eq!(answer["code"], "CONFLICT", "{answer}");
    second.end(End::Commit).await
}

#[tokio::test]
async fn what_two_want_at_once_is_refused_to_the_second() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let (one, other) = (store::stock(&stack, store, 1).await?, store::stock(&stack, store, 1).await?);
    let map =
        |sku: &str| format!("map_inventory_item('{}', '{sku}', 'gid://shopify/InventoryItem/7')", store.key);
    only_one_gets_it(&stack, &map(&one.sku), &map(&other.sku)).await?;

    let db = stack.db().await?;
    let add = "insert into public.suppliers (store, name) values ($1, $2) returning id::text";
    let one = db.written(add, &[&store.key, &unique()]).await?;
    let other = db.written(add, &[&store.key, &unique()]).await?;
    let rename = |id: &str| format!("upsert_supplier('{}', 'Same', null, '{id}')", store.key);
    only_one_gets_it(&stack, &rename(&one), &rename(&other)).await
}

#[tokio::test]
async fn an_admin_who_is_at_work_keeps_nobody_from_managing_staff() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let item = store::stock(&stack, store, 1).await?;
    let admin = Session::begin_as(&stack, "00000000-0000-4000-8000-000000000003").await?;
    let answer =
        admin.call(&format!("adjust_stock('{}', '{}', 1, 'counted', 'a')", store.key, item.sku)).await?;
    assert_eq!(answer["ok"], true, "{answer}");

    let (watcher, office) = (stack.db().await?, Session::begin(&stack).await?);
    let (at_work, managing) = (admin.pid(), office.pid());
    let stands_behind = eventually("somebody who waits for the Admin", async || {
        let row =
            watcher.row("select $1 = any (pg_blocking_pids($2)) as behind", &[&at_work, &managing]).await?;
        Ok(if row["behind"] == true { Ok(()) } else { Err(row.to_string()) })
    });
    let rename = "upsert_staff('00000000-0000-4000-8000-000000000005', 'Fay Former', 'Staff')";
    tokio::select! {
        answer = office.call(rename) => assert_eq!(answer?["ok"], true),
        behind = stands_behind => return Err(Failure::new(format!("whoever manages staff waits: {behind:?}"))),
    }
    office.end(End::Rollback).await?;
    admin.end(End::Rollback).await
}
