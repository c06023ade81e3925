//! A change wakes the worker that carries its effects out: nothing waits for the clock.

use ordak_e2e::Outcome;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::desk::Desk;
use ordak_e2e::lone::Lone;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store;
use serde_json::json;

/// Both run alone, so that no clock ticks and nobody but the ingest can have asked this worker to drain.
#[tokio::test]
async fn a_push_leaves_because_the_ingest_has_woken_the_worker() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let item = store::stock(&stack, store, 10).await?;
    let desk = Desk::open(&stack, store).await?;
    let settings = json!({
        "SUPABASE_URL": stack.supabase_url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key,
        "SHOPIFY_WEBHOOK_SECRET": stack.webhook_secret
    });
    let lone = Lone::start_beside(("order-ingest", &settings), ("queue-worker", &desk.bindings())).await?;
    let ingest = Stack { gateway_url: lone.url().to_owned(), ..stack.clone() };

    let order = Order::simple()?.with_lines(&[(&item.sku, 3)]);
    let delivery = Delivery::new(store, "orders/create", order.bytes());
    assert_eq!(desk.asked("claim_work")?, 0);
    assert_eq!(delivery.send(&ingest).await?.str("/data/outcome"), "created");
    eventually("a drain that the ingest has asked for", async || {
        Ok(if desk.asked("claim_work")? > 0 { Ok(()) } else { Err("none".to_owned()) })
    })
    .await?;
    eventually("the level at Shopify", async || {
        let level = stack.shopify_level(store, &item).await?;
        Ok(if level == Some(7) { Ok(()) } else { Err(format!("{level:?}")) })
    })
    .await?;
    assert_eq!(stack.shopify_effects(store, &item).await?.len(), 1);
    Ok(())
}
