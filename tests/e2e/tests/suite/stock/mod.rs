//! Stock and its shop: which inventory item a SKU is, what a changed level means, and the nightly comparison. Each test
//! has a store and a shop of its own.

mod mapping;
mod night;
mod signals;
mod troubles;

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Item, LOCATION, Store};
use ordak_e2e::{Outcome, unique_number};
use reqwest::Method;
use serde_json::{Value, json};

/// A store whose stock is at the one location of its shop, and that confirms a difference at once.
async fn shop(stack: &Stack, settings: Value) -> Outcome<Store> {
    let store = store::fresh(stack).await?;
    let mut wanted = json!({"location_gid": LOCATION, "settle_seconds": 0});
    wanted.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    set(stack, store, &wanted).await?;
    Ok(store)
}

async fn call(stack: &Stack, name: &str, arguments: &Value) -> Outcome<Value> {
    let answer = stack.rpc(&stack.service_key, name, arguments).await?;
    assert_eq!(answer.at("/ok"), true, "{name}: {}", answer.text);
    Ok(answer.at("/data").clone())
}

async fn set(stack: &Stack, store: Store, settings: &Value) -> Outcome {
    call(stack, "update_stock_settings", &json!({"p_store": store.key, "p_settings": settings})).await?;
    Ok(())
}

/// Says what the fake shop has.
async fn put(stack: &Stack, store: Store, mut state: Value) -> Outcome {
    state["upstream"] = json!("shopify");
    state["shop"] = json!(store.domain());
    let answer = Answer::to(stack.http.post(format!("{}/_state", stack.fakes_url)).json(&state)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Ok(())
}

/// Gives levels of the shop, as if somebody had set them there.
async fn levels(stack: &Stack, store: Store, levels: &[(&Item, i64)]) -> Outcome {
    let level = |(item, available): &(&Item, i64)| json!({"inventory_item_id": item.gid, "location_id": LOCATION, "available": available});
    put(stack, store, json!({"levels": levels.iter().map(level).collect::<Vec<_>>()})).await
}

/// Requests that reached the shop and hold a text.
async fn asked(stack: &Stack, store: Store, text: &str) -> Outcome<usize> {
    let query = [("upstream", "shopify"), ("shop", &store.domain()), ("contains", text)];
    let answer = Answer::to(stack.http.get(format!("{}/_calls", stack.fakes_url)).query(&query)).await?;
    Ok(answer.at("/calls").as_array().map_or(0, Vec::len))
}

/// Drains until nothing of the store waits any more.
async fn settle(stack: &Stack, store: Store) -> Outcome {
    let hurry = "update public.work_queue set next_retry_at = now() where store = $1 and status in ('pending', 'error')
        and topic in ('stock_check', 'inventory_push') and next_retry_at > now()";
    let busy = "select id, topic, status, last_error from public.work_queue where store = $1
        and status in ('pending', 'error', 'processing') and topic in ('stock_check', 'inventory_push')";
    let db = stack.db().await?;
    eventually("settled stock", async || {
        db.execute(hurry, &[&store.key]).await?;
        stack.drain().await?;
        let left = db.rows(busy, &[&store.key]).await?;
        Ok(if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) })
    })
    .await
}

/// Shopify's word that a level has changed; the value in it is never the truth.
async fn signal(stack: &Stack, store: Store, item: &Item) -> Outcome {
    let number = item.gid.rsplit('/').next().unwrap();
    let body = json!({
        "admin_graphql_api_id": format!("gid://shopify/InventoryLevel/9?inventory_item_id={number}"),
        "inventory_item_id": 1, "location_id": 77, "available": null, "updated_at": unique_number(1_000_000_000_000).to_string()
    });
    let answer =
        Delivery::new(store, "inventory_levels/update", body.to_string()).send_until_taken(stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "ignored"), "{}", answer.text);
    Ok(())
}

async fn stock_of(stack: &Stack, store: Store, sku: &str) -> Outcome<Value> {
    let data = call(stack, "get_stock", &json!({"p_store": store.key, "p_skus": [sku]})).await?;
    Ok(data["items"][0].clone())
}

/// What has been found out about levels: (SKU, outcome, theirs, ours), open ones without an outcome.
async fn checks(stack: &Stack, store: Store) -> Outcome<Vec<Value>> {
    let query = "select sku, outcome, theirs, ours from public.stock_checks where store = $1 order by id";
    stack.db().await?.rows(query, &[&store.key]).await
}

async fn alerts(stack: &Stack, store: Store, kind: &str) -> Outcome<Vec<Value>> {
    let query = "select payload from public.work_queue
        where topic = 'slack_alert' and store = $1 and payload ->> 'kind' = $2 order by id";
    let rows = stack.db().await?.rows(query, &[&store.key, &kind]).await?;
    Ok(rows.into_iter().map(|row| row["payload"].clone()).collect())
}

/// Calls the function, for one store.
async fn reconcile(stack: &Stack, store: Store, now: bool) -> Outcome<Answer> {
    let request = stack.request(Method::POST, "/functions/v1/reconcile").header("apikey", &stack.service_key);
    let request = request.bearer_auth(&stack.service_key).json(&json!({"stores": [store.key], "now": now}));
    let answer = Answer::to(request).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Ok(answer)
}

/// The last report of a store.
async fn report(stack: &Stack, store: Store) -> Outcome<Value> {
    let query = "select id, state, pages, compared, imported, drifted, corrected, failed, error, location_gid, page_after
        from public.reconcile_runs where store = $1 order by id desc limit 1";
    stack.db().await?.row(query, &[&store.key]).await
}

/// The ledger explains every unit.
async fn explained(stack: &Stack, store: Store) -> Outcome {
    let query = "select i.sku from public.inventory_items i where i.store = $1 and i.ats <> i.opening_ats
        + (select coalesce(sum(t.delta), 0) from public.inventory_txn t where t.item_id = i.id)";
    assert_eq!(stack.db().await?.count(query, &[&store.key]).await?, 0);
    Ok(())
}
