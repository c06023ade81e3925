//! Webhooks get lost, and subscriptions vanish: the hourly comparison with the shop finds both out. Each test has a
//! store of its own, and a run is always for that store alone.

mod poison;
pub mod shop;
mod trouble;

use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store;
use reqwest::Method;
use serde_json::{Value, json};
use shop::{PATH, alerts, events, lines, minutes_ago, new_store, order, put, row, run};

#[tokio::test]
async fn an_order_that_no_webhook_brought_is_there_after_the_run() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let (cake, candle) = (store::stock(&stack, store, 10).await?, store::stock(&stack, store, 10).await?);
    let lost = order(&[(&cake.sku, 2), (&candle.sku, 3)], 10)?;
    put(&stack, store, &[&lost]).await?;

    let figures = run(&stack, store).await?;
    assert_eq!(
        (&figures["listed"], &figures["missed"], &figures["repaired"], &figures["complete"]),
        (&json!(1), &json!(1), &json!(1), &json!(true)),
        "{figures}"
    );
    let found = row(&stack, store, &lost).await?.unwrap();
    assert_eq!(
        (&found["id"], &found["stage"], &found["placeholder"], &found["customer_name"]),
        (&json!(lost.order_id(store)), &json!("Filling"), &json!(false), &json!("Jamie Rivera"))
    );
    assert_eq!((&found["currency"], found["total_amount"].as_f64()), (&json!("AUD"), Some(36.8)));
    assert_eq!(
        (&found["payment_status"], &found["allocation_status"]),
        (&json!("paid"), &json!("allocated"))
    );
    let held = |line: &Value| (line["sku"].clone(), line["quantity"].clone(), line["held"].clone());
    let lines = lines(&stack, &lost.order_id(store)).await?;
    assert_eq!(
        lines.iter().map(held).collect::<Vec<_>>(),
        [(json!(cake.sku), json!(2), json!(2)), (json!(candle.sku), json!(3), json!(3))]
    );
    let id = |line: &Value| json!(line["id"].to_string());
    let of_shopify: Vec<Value> = lost.payload["line_items"].as_array().unwrap().iter().map(id).collect();
    assert_eq!(lines.iter().map(|line| line["line_id"].clone()).collect::<Vec<_>>(), of_shopify);

    // Its effects leave without waiting for the clock.
    eventually("the level at Shopify", async || {
        let level = stack.shopify_level(store, &cake).await?;
        Ok(if level == Some(8) { Ok(()) } else { Err(format!("{level:?}")) })
    })
    .await?;
    let told = alerts(&stack, store, "webhooks_missed").await?;
    assert_eq!((told.len(), &told[0]["meta"]["repaired"]), (1, &json!(1)), "{told:?}");
    assert!(!told[0].to_string().contains("Jamie"));

    let replay = json!({"p_store": store.key, "p_order_id": lost.order_id(store)});
    let replay = stack.rpc(&stack.service_key, "replay_order", &replay).await?;
    assert_eq!(replay.at("/data/differences"), &json!({}), "{}", replay.text);
    Ok(())
}

#[tokio::test]
async fn the_webhook_that_comes_after_all_changes_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let cake = store::stock(&stack, store, 10).await?;
    let late = order(&[(&cake.sku, 2)], 10)?;
    put(&stack, store, &[&late]).await?;
    run(&stack, store).await?;
    let before = (row(&stack, store, &late).await?, lines(&stack, &late.order_id(store)).await?);

    Delivery::new(store, "orders/create", late.bytes()).deliver(&stack).await?;
    assert_eq!((row(&stack, store, &late).await?, lines(&stack, &late.order_id(store)).await?), before);
    let figures = run(&stack, store).await?;
    assert_eq!((&figures["listed"], &figures["missed"]), (&json!(1), &json!(0)), "{figures}");
    Ok(())
}

#[tokio::test]
async fn what_webhooks_brought_is_not_stored_again() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let known = [order(&[("A", 1)], 9)?, order(&[("B", 1)], 8)?];
    for order in &known {
        Delivery::new(store, "orders/create", order.bytes()).deliver(&stack).await?;
    }
    put(&stack, store, &[&known[0], &known[1]]).await?;
    let before = events(&stack, store).await?;
    for _ in 0..2 {
        let figures = run(&stack, store).await?;
        assert_eq!(
            (&figures["listed"], &figures["missed"], &figures["repaired"]),
            (&json!(2), &json!(0), &json!(0)),
            "{figures}"
        );
    }
    assert_eq!(events(&stack, store).await?, before);
    assert!(alerts(&stack, store, "webhooks_missed").await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_lost_update_and_a_lost_cancellation_are_made_up_for() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let cake = store::stock(&stack, store, 10).await?;
    let (mut changed, mut cancelled) = (order(&[(&cake.sku, 1)], 50)?, order(&[(&cake.sku, 4)], 50)?);
    for order in [&changed, &cancelled] {
        Delivery::new(store, "orders/create", order.bytes()).deliver(&stack).await?;
    }
    changed.each_line(|line| line["current_quantity"] = json!(3));
    changed.set("updated_at", minutes_ago(10)).set("financial_status", json!("refunded"));
    cancelled.set("updated_at", minutes_ago(9)).set("cancelled_at", minutes_ago(9));
    put(&stack, store, &[&changed, &cancelled]).await?;

    let figures = run(&stack, store).await?;
    assert_eq!((&figures["missed"], &figures["repaired"]), (&json!(2), &json!(2)), "{figures}");
    let found = row(&stack, store, &changed).await?.unwrap();
    assert_eq!(found["payment_status"], "refunded");
    let found_lines = lines(&stack, &changed.order_id(store)).await?;
    assert_eq!((&found_lines[0]["quantity"], &found_lines[0]["held"]), (&json!(3), &json!(3)));
    assert!(row(&stack, store, &cancelled).await?.unwrap()["cancelled_at"].is_string());
    let query = "select ats from public.inventory_items where store = $1 and sku = $2";
    let stock = stack.db().await?.row(query, &[&store.key, &cake.sku]).await?;
    assert_eq!(stock["ats"], 7);
    Ok(())
}

#[tokio::test]
async fn a_placeholder_becomes_an_order() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let order = order(&[("A", 1)], 10)?;
    Delivery::new(store, "orders/updated", order.bytes()).deliver(&stack).await?;
    assert_eq!(row(&stack, store, &order).await?.unwrap()["placeholder"], true);
    put(&stack, store, &[&order]).await?;
    let figures = run(&stack, store).await?;
    assert_eq!(figures["repaired"], 1, "{figures}");
    assert_eq!(row(&stack, store, &order).await?.unwrap()["placeholder"], false);
    Ok(())
}

#[tokio::test]
async fn an_order_from_before_the_store_was_ours_is_no_lost_order() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let mut old = order(&[("A", 1)], 10)?;
    old.set("created_at", minutes_ago(60 * 24 * 9));
    put(&stack, store, &[&old]).await?;
    run(&stack, store).await?;
    assert_eq!(row(&stack, store, &old).await?.unwrap()["placeholder"], true);
    assert_eq!(run(&stack, store).await?["missed"], 0);
    Ok(())
}

#[tokio::test]
async fn a_run_that_was_cut_off_goes_on_where_it_was() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let orders: Vec<Order> = (0..110).map(|n| order(&[("A", 1)], 200 - n)).collect::<Outcome<_>>()?;
    put(&stack, store, &orders.iter().collect::<Vec<_>>()).await?;
    // The subscriptions, the first page and its ten portions pass; the second page does not.
    let fault = json!({
        "upstream": "shopify", "shop": store.domain(), "mode": "502_html", "match": "\"after\":\"20"
    });
    let armed = Answer::to(stack.http.post(format!("{}/_faults", stack.fakes_url)).json(&fault)).await?;
    assert_eq!(armed.status, 200, "{}", armed.text);

    let first = run(&stack, store).await?;
    assert_eq!(
        (&first["stopped"], &first["pages"], &first["repaired"], &first["complete"]),
        (&json!("upstream"), &json!(1), &json!(50), &json!(false)),
        "{first}"
    );
    let query = "select page_after, run from public.sync_cursors where store = $1";
    let cursor = stack.db().await?.row(query, &[&store.key]).await?;
    assert!(cursor["page_after"].is_string() && cursor["run"].is_null(), "{cursor}");
    let second = run(&stack, store).await?;
    assert_eq!(
        (&second["stopped"], &second["listed"], &second["repaired"], &second["complete"]),
        (&Value::Null, &json!(60), &json!(60), &json!(true)),
        "{second}"
    );
    let query = "select id from public.orders where store = $1 and not placeholder";
    assert_eq!(stack.db().await?.count(query, &[&store.key]).await?, orders.len());
    assert_eq!(events(&stack, store).await?, orders.len());
    Ok(())
}

#[tokio::test]
async fn throttling_is_obeyed() -> Outcome {
    let stack = Stack::up().await?;
    for mode in ["throttled", "429_seconds", "429"] {
        let store = new_store(&stack).await?;
        let lost = order(&[("A", 1)], 10)?;
        put(&stack, store, &[&lost]).await?;
        let fault = json!({
            "upstream": "shopify", "shop": store.domain(), "mode": mode, "retry_after": 1, "match": "ChangedOrders"
        });
        Answer::to(stack.http.post(format!("{}/_faults", stack.fakes_url)).json(&fault)).await?;
        let figures = run(&stack, store).await?;
        assert_eq!(
            (&figures["stopped"], &figures["repaired"]),
            (&Value::Null, &json!(1)),
            "{mode}: {figures}"
        );
    }
    // A small bucket: the run keeps to what is restored and never asks in vain.
    let store = new_store(&stack).await?;
    let orders: Vec<Order> = (0..12).map(|n| order(&[("A", 1)], 30 - n)).collect::<Outcome<_>>()?;
    put(&stack, store, &orders.iter().collect::<Vec<_>>()).await?;
    let throttle = json!({
        "upstream": "shopify", "shop": store.domain(), "throttle": {"maximum": 800, "restore_rate": 400}
    });
    Answer::to(stack.http.post(format!("{}/_state", stack.fakes_url)).json(&throttle)).await?;
    let figures = run(&stack, store).await?;
    assert_eq!((&figures["stopped"], &figures["repaired"]), (&Value::Null, &json!(12)), "{figures}");
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_stops_its_store_and_no_other() -> Outcome {
    let stack = Stack::up().await?;
    let (shut, open) = (new_store(&stack).await?, new_store(&stack).await?);
    let (there, lost) = (order(&[("A", 1)], 10)?, order(&[("A", 1)], 10)?);
    put(&stack, shut, &[&there]).await?;
    put(&stack, open, &[&lost]).await?;
    let tokens = json!({"upstream": "shopify", "shop": shut.domain(), "tokens": ["another"]});
    Answer::to(stack.http.post(format!("{}/_state", stack.fakes_url)).json(&tokens)).await?;

    let request = stack.request(Method::POST, PATH).header("apikey", &stack.service_key);
    let request = request.bearer_auth(&stack.service_key).json(&json!({"stores": [shut.key, open.key]}));
    let answer = Answer::to(request).await?;
    assert_eq!(
        (answer.at("/data/stopped"), answer.at("/data/repaired")),
        (&json!(1), &json!(1)),
        "{}",
        answer.text
    );
    assert!(row(&stack, open, &lost).await?.is_some() && row(&stack, shut, &there).await?.is_none());
    for _ in 0..2 {
        assert_eq!(run(&stack, shut).await?["stopped"], "access");
    }
    let told = alerts(&stack, shut, "shopify_access").await?;
    assert_eq!(told.len(), 1, "three refusals in five minutes are one message: {told:?}");

    let tokens = json!({"upstream": "shopify", "shop": shut.domain(), "tokens": []});
    Answer::to(stack.http.post(format!("{}/_state", stack.fakes_url)).json(&tokens)).await?;
    assert_eq!(run(&stack, shut).await?["repaired"], 1);
    Ok(())
}

#[tokio::test]
async fn a_vanished_subscription_is_made_again_and_told_once() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let first = run(&stack, store).await?;
    assert_eq!(first["webhooks"]["registered"].as_array().map(Vec::len), Some(10), "{first}");
    let url = format!("{}/_shop", stack.fakes_url);
    let shop = async || Answer::to(stack.http.get(&url).query(&[("shop", store.domain())])).await;
    let mut subscriptions = shop().await?.at("/subscriptions").as_array().unwrap().clone();
    assert!(
        subscriptions.iter().all(|one| one["uri"].as_str().unwrap().ends_with("/functions/v1/order-ingest"))
    );
    let second = run(&stack, store).await?;
    assert_eq!(
        (&second["webhooks"]["state"], &second["webhooks"]["registered"]),
        (&json!("checked"), &json!([]))
    );

    subscriptions.retain(|one| one["topic"] != "ORDERS_PAID");
    let left: Vec<Value> =
        subscriptions.iter().map(|one| json!({"topic": one["topic"], "uri": one["uri"]})).collect();
    let body = json!({"shop": store.domain(), "subscriptions": left});
    Answer::to(stack.http.post(&url).json(&body)).await?;
    let third = run(&stack, store).await?;
    assert_eq!(third["webhooks"]["registered"], json!(["orders/paid"]), "{third}");
    assert_eq!(shop().await?.at("/subscriptions").as_array().unwrap().len(), 10);
    let told = alerts(&stack, store, "webhook_subscriptions").await?;
    assert_eq!(told.len(), 1, "{told:?}");
    Ok(())
}

#[tokio::test]
async fn only_the_service_role_may_run_it() -> Outcome {
    let stack = Stack::up().await?;
    let bare = Answer::to(stack.request(Method::POST, PATH)).await?;
    assert_eq!((bare.status, bare.str("/code")), (401, "UNAUTHENTICATED"), "{}", bare.text);
    for key in [&stack.anon_key, &stack.admin, &"garbage".to_owned()] {
        let answer =
            Answer::to(stack.request(Method::POST, PATH).header("apikey", key).bearer_auth(key)).await?;
        assert_eq!(answer.status, 401, "{}", answer.text);
    }
    let method = Answer::to(stack.request(Method::GET, PATH)).await?;
    assert_eq!((method.status, method.header("allow")), (405, "POST"));
    let strange = stack.request(Method::POST, PATH).header("apikey", &stack.service_key);
    let strange = strange.bearer_auth(&stack.service_key).json(&json!({"store": "bannos"}));
    let strange = Answer::to(strange).await?;
    assert_eq!((strange.status, strange.str("/code")), (400, "BAD_INPUT"), "{}", strange.text);
    Ok(())
}
