//! The webhook endpoint: stored once, whatever is sent how often.

use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::{Delivery, PATH};
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{BANNOS, FLOURLANE};
use ordak_e2e::unique;
use reqwest::Method;
use serde_json::{Value, json};

async fn events(stack: &Stack, order: &Order) -> Outcome<usize> {
    stack.db().await?.count("select from public.event_store where ref_id = $1", &[&order.gid()]).await
}

async fn dead_letters(stack: &Stack, webhook_id: &str) -> Outcome<Vec<Value>> {
    let like = format!("%{webhook_id}%");
    let query = "select reason, shop_domain, topic, body, encoding from public.dead_letters where external_id like $1";
    stack.db().await?.rows(query, &[&like]).await
}

#[tokio::test]
async fn creates_an_order_and_says_so() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let answer = Delivery::new(BANNOS, "orders/create", order.bytes()).send_until_taken(&stack).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.at("/ok"), true);
    assert_eq!(answer.str("/data/outcome"), "created");
    assert_eq!(answer.str("/data/order_id"), order.order_id(BANNOS));
    assert!(answer.at("/data/event_id").is_number(), "{}", answer.text);
    assert_eq!(events(&stack, &order).await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_repeated_delivery_is_a_duplicate() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let delivery = Delivery::new(BANNOS, "orders/create", order.bytes());
    delivery.deliver(&stack).await?;
    let again = delivery.send_until_taken(&stack).await?;
    assert_eq!((again.status, again.str("/data/outcome")), (200, "duplicate"), "{}", again.text);
    assert_eq!(events(&stack, &order).await?, 1);
    Ok(())
}

#[tokio::test]
async fn the_same_content_with_fresh_ids_is_a_duplicate() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let delivery = Delivery::new(BANNOS, "orders/create", order.bytes());
    delivery.deliver(&stack).await?;
    let mut nameless = delivery.again();
    nameless.webhook_id = String::new();
    for replay in [delivery.again(), nameless] {
        let answer = replay.send_until_taken(&stack).await?;
        assert_eq!((answer.status, answer.str("/data/outcome")), (200, "duplicate"), "{}", answer.text);
    }
    assert_eq!(events(&stack, &order).await?, 1);
    Ok(())
}

#[tokio::test]
async fn many_deliveries_at_once_make_one_order() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let delivery = Delivery::new(BANNOS, "orders/create", order.bytes());
    let sent = (0..8).map(|n| {
        let delivery = if n % 2 == 0 { delivery.clone() } else { delivery.again() };
        let stack = stack.clone();
        tokio::spawn(async move { delivery.send_until_taken(&stack).await })
    });
    let mut created = 0;
    for answer in sent.collect::<Vec<_>>() {
        let answer = answer.await??;
        assert_eq!(answer.status, 200, "{}", answer.text);
        created += usize::from(answer.str("/data/outcome") == "created");
    }
    assert_eq!((created, events(&stack, &order).await?), (1, 1));
    Ok(())
}

#[tokio::test]
async fn an_update_before_its_create_waits_as_a_placeholder() -> Outcome {
    let stack = Stack::up().await?;
    let mut order = Order::simple()?;
    let create = Delivery::new(BANNOS, "orders/create", order.bytes());
    order.set("updated_at", json!("2026-02-07T09:00:00+11:00")).set("note", json!("ring the bell"));
    let update = Delivery::new(BANNOS, "orders/updated", order.bytes());
    let query = "select placeholder, notes from public.orders where id = $1";
    let row = async || stack.db().await?.row(query, &[&order.order_id(BANNOS)]).await;

    update.deliver(&stack).await?;
    assert_eq!(row().await?["placeholder"], true);
    let answer = create.send_until_taken(&stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "hydrated"), "{}", answer.text);
    let row = row().await?;
    assert_eq!(row["placeholder"], false);
    assert!(
        row["notes"].as_str().is_some_and(|notes| notes.contains("ring the bell")),
        "the newer snapshot wins: {row}"
    );
    Ok(())
}

#[tokio::test]
async fn an_older_update_changes_nothing_and_a_cancellation_stays() -> Outcome {
    let stack = Stack::up().await?;
    let mut order = Order::simple()?;
    let send = async |topic: &str, order: &Order| -> Outcome<String> {
        let answer = Delivery::new(BANNOS, topic, order.bytes()).send_until_taken(&stack).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Ok(answer.str("/data/outcome").to_owned())
    };
    assert_eq!(send("orders/create", &order).await?, "created");
    order.set("updated_at", json!("2026-02-06T10:00:00+11:00")).set("total_price", json!("1.00"));
    order.set("current_total_price", json!("1.00"));
    assert_eq!(send("orders/updated", &order).await?, "stale");
    order
        .set("updated_at", json!("2026-02-08T10:00:00+11:00"))
        .set("cancelled_at", json!("2026-02-08T10:00:00+11:00"));
    order.set("cancel_reason", json!("customer"));
    assert_eq!(send("orders/cancelled", &order).await?, "cancelled");
    order.set("updated_at", json!("2026-02-09T10:00:00+11:00")).set("cancelled_at", Value::Null);
    send("orders/updated", &order).await?;
    let query =
        "select cancelled_at is not null as cancelled, cancel_reason from public.orders where id = $1";
    let row = stack.db().await?.row(query, &[&order.order_id(BANNOS)]).await?;
    assert_eq!(row, json!({"cancelled": true, "cancel_reason": "customer"}));
    Ok(())
}

#[tokio::test]
async fn an_order_belongs_to_one_store_for_ever() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let delivery = Delivery::new(BANNOS, "orders/create", order.bytes());
    delivery.deliver(&stack).await?;
    // The signature covers the body alone: another shop header verifies just as well.
    let stolen = delivery.again().from_shop(&FLOURLANE.domain()).send_until_taken(&stack).await?;
    assert!(stolen.status < 500, "{}", stolen.text);
    let query = "select store from public.orders where shopify_order_gid = $1";
    let rows = stack.db().await?.rows(query, &[&order.gid()]).await?;
    assert_eq!(rows, [json!({"store": "bannos"})]);
    Ok(())
}

#[tokio::test]
async fn an_unknown_shop_becomes_a_dead_letter() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let shop = format!("{}.myshopify.com", unique());
    let delivery = Delivery::new(BANNOS, "orders/create", order.bytes()).from_shop(&shop);
    let answer = delivery.send_until_taken(&stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "ignored"), "{}", answer.text);
    let letters = dead_letters(&stack, &delivery.webhook_id).await?;
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0]["shop_domain"], shop);
    assert_eq!(events(&stack, &order).await?, 0);
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_json_becomes_a_dead_letter_once() -> Outcome {
    let stack = Stack::up().await?;
    let delivery = Delivery::new(BANNOS, "orders/create", "this is not JSON");
    for _ in 0..2 {
        let answer = delivery.send_until_taken(&stack).await?;
        assert_eq!((answer.status, answer.at("/ok")), (200, &Value::Bool(true)), "{}", answer.text);
    }
    let letters = dead_letters(&stack, &delivery.webhook_id).await?;
    assert_eq!(letters.len(), 1);
    assert_eq!((&letters[0]["body"], &letters[0]["encoding"]), (&json!("this is not JSON"), &json!("utf8")));
    Ok(())
}

#[tokio::test]
async fn other_methods_are_refused_with_the_right_one() -> Outcome {
    let stack = Stack::up().await?;
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = Answer::to(stack.request(method.clone(), PATH)).await?;
        assert_eq!((answer.status, answer.header("allow")), (405, "POST"), "{method}");
        assert_eq!(answer.at("/ok"), false, "{method} {}", answer.text);
    }
    Ok(())
}
