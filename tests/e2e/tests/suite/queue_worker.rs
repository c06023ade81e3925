//! Stock held for orders and shown at Shopify: the right level, each intent executed once, few calls.

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, BATCH, Item, SHORT, STOCK, Store};
use ordak_e2e::{Outcome, token};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn order_of(stack: &Stack, store: Store, lines: &[(&str, u32)]) -> Outcome<Order> {
    let order = Order::simple()?.with_lines(lines);
    let answer = Delivery::new(store, "orders/create", order.bytes()).send_until_taken(stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "created"), "{}", answer.text);
    Ok(order)
}

async fn level_becomes(stack: &Stack, store: Store, item: &Item, wanted: i64) -> Outcome {
    eventually("the level at Shopify", async || {
        stack.drain().await?;
        let level = stack.shopify_level(store, item).await?;
        Ok(if level == Some(wanted) { Ok(()) } else { Err(format!("{level:?}, wanted {wanted}")) })
    })
    .await
}

async fn all_done(stack: &Stack, store: Store, item: &Item) -> Outcome<Vec<Value>> {
    let query = "select status, retry_count, dedupe_key, error_class from public.work_queue
        where store = $1 and topic = 'inventory_push' and payload ->> 'sku' = $2";
    let db = stack.db().await?;
    eventually("done work", async || {
        let rows = db.rows(query, &[&store.key, &item.sku]).await?;
        let done = !rows.is_empty() && rows.iter().all(|row| row["status"] == "done");
        Ok(if done { Ok(rows) } else { Err(format!("{rows:?}")) })
    })
    .await
}

#[tokio::test]
async fn a_held_unit_is_a_lower_level_at_shopify_once() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let (cake, candle) = (store::stock(&stack, STOCK, 10).await?, store::stock(&stack, STOCK, 50).await?);
    let order = order_of(&stack, STOCK, &[(&cake.sku, 2), (&candle.sku, 5), ("NOT-TRACKED", 9)]).await?;
    let id = order.order_id(STOCK);

    let query =
        "select sku, quantity, held_quantity as held, short_quantity as short from public.order_line_items
        where order_id = $1 order by position";
    let lines = db.rows(query, &[&id]).await?;
    let line = |sku: &str, quantity: i64, held: i64| json!({"sku": sku, "quantity": quantity, "held": held, "short": 0});
    assert_eq!(lines, [line(&cake.sku, 2, 2), line(&candle.sku, 5, 5), line("NOT-TRACKED", 9, 0)]);
    let query =
        "select i.sku, sum(t.delta)::int as moved, min(t.reason) as reason, i.ats from public.inventory_txn t
        join public.inventory_items i on i.id = t.item_id where t.order_id = $1 group by i.sku, i.ats";
    let moved: BTreeMap<String, Value> = db
        .rows(query, &[&id])
        .await?
        .into_iter()
        .map(|row| (row["sku"].as_str().unwrap().to_owned(), row))
        .collect();
    assert_eq!(moved[&cake.sku], json!({"sku": cake.sku, "moved": -2, "reason": "hold", "ats": 8}));
    assert_eq!(moved[&candle.sku], json!({"sku": candle.sku, "moved": -5, "reason": "hold", "ats": 45}));

    level_becomes(&stack, STOCK, &cake, 8).await?;
    level_becomes(&stack, STOCK, &candle, 45).await?;
    for item in [&cake, &candle] {
        assert_eq!(all_done(&stack, STOCK, item).await?.len(), 1);
        assert_eq!(stack.shopify_effects(STOCK, item).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn redelivery_holds_nothing_twice() -> Outcome {
    let stack = Stack::up().await?;
    let cake = store::stock(&stack, STOCK, 10).await?;
    let order = Order::simple()?.with_lines(&[(&cake.sku, 2)]);
    let delivery = Delivery::new(STOCK, "orders/create", order.bytes());
    for again in [
        delivery.clone(),
        delivery.clone(),
        delivery.again(),
        Delivery::new(STOCK, "orders/paid", order.bytes()),
    ] {
        again.deliver(&stack).await?;
    }
    level_becomes(&stack, STOCK, &cake, 8).await?;
    let ats =
        stack.db().await?.row("select ats from public.inventory_items where sku = $1", &[&cake.sku]).await?;
    assert_eq!(ats, json!({"ats": 8}));
    assert_eq!(stack.shopify_effects(STOCK, &cake).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn edits_and_cancellation_give_back_what_is_no_longer_wanted() -> Outcome {
    let stack = Stack::up().await?;
    let cake = store::stock(&stack, STOCK, 10).await?;
    let mut order = order_of(&stack, STOCK, &[(&cake.sku, 4)]).await?;
    level_becomes(&stack, STOCK, &cake, 6).await?;
    order.each_line(|line| line["current_quantity"] = json!(1));
    order.set("updated_at", json!("2026-02-07T10:00:00+11:00"));
    Delivery::new(STOCK, "orders/updated", order.bytes()).deliver(&stack).await?;
    level_becomes(&stack, STOCK, &cake, 9).await?;
    order
        .set("updated_at", json!("2026-02-08T10:00:00+11:00"))
        .set("cancelled_at", json!("2026-02-08T10:00:00+11:00"));
    Delivery::new(STOCK, "orders/cancelled", order.bytes()).deliver(&stack).await?;
    level_becomes(&stack, STOCK, &cake, 10).await
}

#[tokio::test]
async fn ten_orders_of_one_sku_cost_few_calls() -> Outcome {
    let stack = Stack::up().await?;
    let cake = store::stock(&stack, BATCH, 100).await?;
    let sent = (0..10).map(|_| {
        let (stack, sku) = (stack.clone(), cake.sku.clone());
        tokio::spawn(async move { order_of(&stack, BATCH, &[(&sku, 1)]).await })
    });
    for order in sent.collect::<Vec<_>>() {
        order.await??;
    }
    level_becomes(&stack, BATCH, &cake, 90).await?;
    all_done(&stack, BATCH, &cake).await?;
    let calls = stack.shopify_calls(BATCH, &cake).await?.len();
    assert!(calls <= 10, "{calls} calls for 10 orders");
    let effects = stack.shopify_effects(BATCH, &cake).await?;
    // Others' SKUs may be in the same call.
    let last = effects.last().unwrap();
    let quantities = last["detail"]["quantities"].as_array().unwrap();
    let of_cake = quantities.iter().find(|one| one.to_string().contains(&format!("\"{}\"", cake.gid)));
    assert_eq!(of_cake.unwrap()["to"], 90, "{last}");
    Ok(())
}

#[tokio::test]
async fn what_waits_together_leaves_in_one_call() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let (cake, candle) = (store::stock(&stack, BATCH, 33).await?, store::stock(&stack, BATCH, 44).await?);
    let statement = "insert into public.work_queue (topic, store, payload, dedupe_key)
        select 'inventory_push', $1, jsonb_build_object('sku', s.sku), s.sku || n
        from unnest($2::text[]) as s (sku), generate_series(1, 10) as n";
    db.execute(statement, &[&BATCH.key, &vec![cake.sku.clone(), candle.sku.clone()]]).await?;
    level_becomes(&stack, BATCH, &cake, 33).await?;
    level_becomes(&stack, BATCH, &candle, 44).await?;
    for item in [&cake, &candle] {
        assert_eq!(all_done(&stack, BATCH, item).await?.len(), 10);
        // One, unless a claim of another test took a part of them.
        let calls = stack.shopify_calls(BATCH, item).await?.len();
        assert!(calls <= 2, "{calls} calls for what waited together");
    }
    Ok(())
}

#[tokio::test]
async fn a_sold_out_sku_leaves_the_order_accepted_and_short() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let (gone, there) = (store::stock(&stack, SHORT, 0).await?, store::stock(&stack, SHORT, 5).await?);
    let order = order_of(&stack, SHORT, &[(&gone.sku, 1), (&there.sku, 2)]).await?;
    let id = order.order_id(SHORT);
    let query = "select stage, allocation_status, inventory_blocked from public.orders where id = $1";
    assert_eq!(
        db.row(query, &[&id]).await?,
        json!({"stage": "Filling", "allocation_status": "short", "inventory_blocked": true})
    );
    let query = "select sku, held_quantity as held, short_quantity as short from public.order_line_items where order_id = $1 order by position";
    assert_eq!(
        db.rows(query, &[&id]).await?,
        [json!({"sku": gone.sku, "held": 0, "short": 1}), json!({"sku": there.sku, "held": 2, "short": 0})]
    );
    level_becomes(&stack, SHORT, &gone, 0).await?;
    level_becomes(&stack, SHORT, &there, 3).await
}

#[tokio::test]
async fn only_the_service_role_may_drain() -> Outcome {
    let stack = Stack::up().await?;
    let path = "/functions/v1/queue-worker";
    let claims = json!({"role": "service_role", "iss": "supabase", "ref": "local", "iat": token::now(), "exp": token::now() + 60});
    let forged = token::hs256(&claims, "another secret");
    let bare = Answer::to(stack.request(Method::POST, path)).await?;
    assert_eq!((bare.status, bare.at("/ok")), (401, &Value::Bool(false)), "{}", bare.text);
    for key in [&stack.anon_key, &stack.admin, &forged, &"garbage".to_owned()] {
        let answer =
            Answer::to(stack.request(Method::POST, path).header("apikey", key).bearer_auth(key)).await?;
        assert!([401, 403].contains(&answer.status), "{} {}", answer.status, answer.text);
    }
    let answer = stack.drain().await?;
    assert_eq!((answer.status, answer.at("/ok")), (200, &Value::Bool(true)), "{}", answer.text);
    for figure in ["claimed", "done", "retried", "dead", "ms"] {
        assert!(answer.at(&format!("/data/{figure}")).is_number(), "{figure}: {}", answer.text);
    }
    assert!(answer.at("/data/by_topic").is_object(), "{}", answer.text);
    let method = Answer::to(stack.request(Method::GET, path)).await?;
    assert_eq!((method.status, method.header("allow")), (405, "POST"));
    Ok(())
}

#[tokio::test]
async fn each_drain_is_on_record() -> Outcome {
    let stack = Stack::up().await?;
    let cake = store::stock(&stack, STOCK, 3).await?;
    order_of(&stack, STOCK, &[(&cake.sku, 1)]).await?;
    level_becomes(&stack, STOCK, &cake, 2).await?;
    let query = "select sum(claimed)::int as claimed, sum(done)::int as done from public.worker_runs";
    let runs = stack.db().await?.row(query, &[]).await?;
    assert!(runs["claimed"].as_i64() >= Some(1) && runs["done"].as_i64() >= Some(1), "{runs}");
    Ok(())
}
