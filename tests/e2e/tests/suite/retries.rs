//! Shopify has a bad day: work is retried, is not done twice, and is given up only when trying cannot help.

use ordak_e2e::Outcome;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, BROKEN, BUSY, Item, LOSSY, REDIRECTED, REVOKED, Store};
use serde_json::{Value, json};

/// Takes 1 of 10 in stock while Shopify fails in one way for one call.
async fn sell_while(stack: &Stack, store: Store, mode: &str) -> Outcome<Item> {
    let item = store::stock(stack, store, 10).await?;
    stack.break_shopify(store, mode, 1).await?;
    let order = Order::simple()?.with_lines(&[(&item.sku, 1)]);
    Delivery::new(store, "orders/create", order.bytes()).deliver(stack).await?;
    Ok(item)
}

async fn work_becomes(stack: &Stack, store: Store, item: &Item, wanted: &str) -> Outcome<Value> {
    let db = stack.db().await?;
    let query = "select id, status, retry_count, error_class, last_error from public.work_queue
        where store = $1 and topic = 'inventory_push' and payload ->> 'sku' = $2";
    eventually(&format!("{wanted} work"), async || {
        db.hurry(store.key).await?;
        stack.drain().await?;
        let row = db.maybe_row(query, &[&store.key, &item.sku]).await?.unwrap_or_default();
        Ok(if row["status"] == wanted { Ok(row) } else { Err(row.to_string()) })
    })
    .await
}

/// `burnt` attempts: to be asked for patience costs none.
async fn recovers(stack: &Stack, store: Store, mode: &str, burnt: u32) -> Outcome {
    let item = sell_while(stack, store, mode).await?;
    let work = work_becomes(stack, store, &item, "done").await?;
    assert_eq!(work["retry_count"], burnt, "{mode}: {work}");
    assert_eq!(stack.shopify_level(store, &item).await?, Some(9), "{mode}");
    assert_eq!(stack.shopify_effects(store, &item).await?.len(), 1, "{mode}: executed other than once");
    Ok(())
}

#[tokio::test]
async fn failures_of_a_server_are_retried() -> Outcome {
    let stack = Stack::up().await?;
    for mode in ["500", "502_html", "503", "reset_before_body"] {
        recovers(&stack, BROKEN, mode, 1).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_call_for_patience_is_obeyed() -> Outcome {
    let stack = Stack::up().await?;
    for mode in ["429_seconds", "429_date", "429", "throttled"] {
        recovers(&stack, BUSY, mode, 0).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_got_lost_executes_nothing_twice() -> Outcome {
    let stack = Stack::up().await?;
    for mode in ["executed_then_reset", "reset_mid_body", "truncated_json", "malformed_json"] {
        recovers(&stack, LOSSY, mode, 1).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_ends_in_a_dead_letter_at_once() -> Outcome {
    let stack = Stack::up().await?;
    let item = sell_while(&stack, REVOKED, "revoked_token").await?;
    let work = work_becomes(&stack, REVOKED, &item, "dead").await?;
    assert_eq!(work["error_class"], "permanent", "{work}");
    assert_eq!(stack.shopify_calls(REVOKED, &item).await?.len(), 1, "trying again cannot help");
    assert_eq!(stack.shopify_level(REVOKED, &item).await?, None);
    let query = "select store, source, topic, reason from public.dead_letters where work_id = $1";
    let id = work["id"].as_i64().unwrap_or_default();
    let letter = stack.db().await?.row(query, &[&id]).await?;
    assert_eq!(
        (&letter["store"], &letter["topic"]),
        (&json!(REVOKED.key), &json!("inventory_push")),
        "{letter}"
    );
    assert!(!letter["reason"].as_str().unwrap_or_default().is_empty());
    // What comes after is not held up.
    let next = store::stock(&stack, REVOKED, 5).await?;
    let order = Order::simple()?.with_lines(&[(&next.sku, 1)]);
    Delivery::new(REVOKED, "orders/create", order.bytes()).deliver(&stack).await?;
    work_becomes(&stack, REVOKED, &next, "done").await?;
    assert_eq!(stack.shopify_level(REVOKED, &next).await?, Some(4));
    Ok(())
}

#[tokio::test]
async fn a_redirect_is_not_followed() -> Outcome {
    let stack = Stack::up().await?;
    let item = sell_while(&stack, REDIRECTED, "redirect").await?;
    eventually("an outcome", async || {
        let query = "select status from public.work_queue where store = $1 and payload ->> 'sku' = $2";
        let row =
            stack.db().await?.maybe_row(query, &[&REDIRECTED.key, &item.sku]).await?.unwrap_or_default();
        Ok(if ["error", "dead", "done"].contains(&row["status"].as_str().unwrap_or_default()) {
            Ok(())
        } else {
            Err(row.to_string())
        })
    })
    .await?;
    let calls = ordak_e2e::answer::Answer::to(
        stack.http.get(format!("{}/_calls?upstream=redirected", stack.fakes_url)),
    )
    .await?;
    assert_eq!(calls.at("/calls"), &json!([]), "the token went elsewhere");
    Ok(())
}
