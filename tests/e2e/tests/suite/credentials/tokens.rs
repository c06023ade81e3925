//! Tokens that an app asks for: once, again when they end, and not for ever when it is refused.

use super::desk::{grants, push_becomes, put, put_well, sell, sell_and_push, shop_takes, tokens_used};
use ordak_e2e::Outcome;
use ordak_e2e::desk::Desk;
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, LOCATION, Store};
use ordak_e2e::unique;
use serde_json::{Value, json};

/// A store with an app of its own.
async fn with_app(stack: &Stack, access: Value) -> Outcome<(Store, Value)> {
    let store = store::fresh(stack).await?;
    let keys = json!({"client_id": "app", "client_secret": unique()});
    let mut access = access;
    access["apps"] = json!([keys]);
    shop_takes(stack, store, &[], access).await?;
    put_well(stack, store, "shopify", &keys).await?;
    Ok((store, keys))
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_until_it_ends() -> Outcome {
    let stack = Stack::up().await?;
    let (store, _) = with_app(&stack, json!({})).await?;
    assert_eq!(grants(&stack, store).await?, 1, "tried when it was put");
    let mut used = Vec::new();
    for _ in 0..3 {
        let item = sell_and_push(&stack, store).await?;
        used.extend(tokens_used(&stack, store, &item).await?);
    }
    assert!(used.iter().all(|(token, status)| token == &used[0].0 && *status == 200), "{used:?}");
    assert_eq!(grants(&stack, store).await?, 2, "one for three drains");
    Ok(())
}

#[tokio::test]
async fn a_token_whose_life_is_over_is_replaced_before_anybody_is_refused() -> Outcome {
    let stack = Stack::up().await?;
    let (store, _) = with_app(&stack, json!({"token_life_ms": 1000})).await?;
    let mut used = Vec::new();
    for _ in 0..2 {
        let item = sell_and_push(&stack, store).await?;
        used.extend(tokens_used(&stack, store, &item).await?);
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    }
    assert_ne!(used.first().map(|(token, _)| token), used.last().map(|(token, _)| token), "{used:?}");
    Ok(())
}

#[tokio::test]
async fn a_revoked_token_is_replaced_at_once_and_the_work_goes_on() -> Outcome {
    let stack = Stack::up().await?;
    let (store, _) = with_app(&stack, json!({})).await?;
    sell_and_push(&stack, store).await?;
    shop_takes(&stack, store, &[], json!({"revoke_granted": true})).await?;
    let item = sell(&stack, store).await?;
    let work = push_becomes(&stack, store, &item, "done").await?;
    assert_eq!(work["retry_count"], 0, "nobody had to come again: {work}");
    let used = tokens_used(&stack, store, &item).await?;
    let statuses: Vec<u64> = used.iter().map(|(_, status)| *status).collect();
    assert_eq!(statuses, [401, 200], "{used:?}");
    assert_ne!(used[0].0, used[1].0);
    assert_eq!(stack.shopify_effects(store, &item).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_app_that_is_refused_ends_the_work_at_once_and_says_why() -> Outcome {
    let stack = Stack::up().await?;
    let (store, keys) = with_app(&stack, json!({})).await?;
    sell_and_push(&stack, store).await?;
    let gone = json!({"revoke_granted": true, "refuse_grants": "app_not_installed"});
    shop_takes(&stack, store, &[], gone).await?;
    let item = sell(&stack, store).await?;
    let work = push_becomes(&stack, store, &item, "dead").await?;
    assert_eq!((&work["error_class"], &work["retry_count"]), (&json!("permanent"), &json!(1)), "{work}");
    let why = work["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("app_not_installed") && why.contains("the app is not installed"), "{why}");
    assert_eq!(stack.shopify_calls(store, &item).await?.len(), 1, "trying again cannot help");
    let answer = put(&stack, store, "shopify", &keys).await?;
    assert_eq!(answer.status, 400, "{}", answer.text);

    // Installed again, it goes on with what comes next.
    shop_takes(&stack, store, &[], json!({"refuse_grants": ""})).await?;
    put_well(&stack, store, "shopify", &keys).await?;
    let next = sell(&stack, store).await?;
    push_becomes(&stack, store, &next, "done").await?;
    Ok(())
}

/// More than six drains of one isolate, whose calls all lack a token at the same time.
#[tokio::test]
async fn one_token_is_asked_for_however_many_calls_need_one() -> Outcome {
    const DRAINS: usize = 8;
    let stack = Stack::up().await?;
    let (store, _) = with_app(&stack, json!({})).await?;
    let before = grants(&stack, store).await?;
    let desk = Desk::open(&stack, store).await?;
    // A claim takes a hundred, which make a call.
    let statement = "with items as (
            insert into public.inventory_items
                (store, sku, opening_ats, ats, shopify_inventory_item_gid, shopify_location_gid)
            select $1, 'S-' || n, 5, 5, 'gid://shopify/InventoryItem/' || (7000000000 + n), $2
            from generate_series(1, 100 * $3::int) n
            returning sku
        )
        insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at)
        select 'inventory_push', $1, jsonb_build_object('sku', sku), $1 || sku, 'infinity' from items";
    let drains = i32::try_from(DRAINS)?;
    stack.db().await?.execute(statement, &[&store.key, &LOCATION, &drains]).await?;
    // All of them are there before the first is answered, on any machine that is not much slower than this.
    let slow = json!({
        "upstream": "shopify", "shop": store.domain(), "match": "client_credentials", "mode": "slow", "delay_ms": 3000
    });
    stack.plan_fault(&slow).await?;
    let lone = Lone::start("queue-worker", &desk.bindings()).await?;
    let all = futures_util::future::join_all((0..DRAINS).map(|_| lone.drain(&stack.service_key)));
    for answer in all.await {
        assert_eq!(answer?.status, 200);
    }
    let left =
        "select 1 from public.work_queue where store = $1 and topic = 'inventory_push' and status <> 'done'";
    assert_eq!(stack.db().await?.count(left, &[&store.key]).await?, 0);
    let sets = stack.shopify_ledger(store).await?.len();
    assert!(sets >= DRAINS, "{sets} calls have changed something");
    assert_eq!(grants(&stack, store).await?, before + 1);
    Ok(())
}

#[tokio::test]
async fn a_shop_that_grants_nothing_for_a_while_is_asked_again() -> Outcome {
    let stack = Stack::up().await?;
    let (store, _) = with_app(&stack, json!({})).await?;
    let fault = json!({
        "upstream": "shopify", "shop": store.domain(), "match": "client_credentials", "mode": "500", "count": 1
    });
    stack.plan_fault(&fault).await?;
    let item = sell(&stack, store).await?;
    let work = push_becomes(&stack, store, &item, "done").await?;
    assert!(work["retry_count"].as_i64() >= Some(1), "{work}");
    assert_eq!(stack.shopify_effects(store, &item).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_static_token_that_is_revoked_for_good_is_tried_once() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let own = format!("shpat_{}", unique());
    shop_takes(&stack, store, &[&own], json!({})).await?;
    put_well(&stack, store, "shopify", &json!({"access_token": own})).await?;
    shop_takes(&stack, store, &["another"], json!({})).await?;
    let item = sell(&stack, store).await?;
    let work = push_becomes(&stack, store, &item, "dead").await?;
    assert_eq!(work["error_class"], "permanent", "{work}");
    let why = work["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("refused the access token (401)"), "{why}");
    assert_eq!(tokens_used(&stack, store, &item).await?, [(own, 401)]);
    Ok(())
}

#[tokio::test]
async fn the_hourly_comparison_uses_the_same_keys() -> Outcome {
    let stack = Stack::up().await?;
    let (store, _) = with_app(&stack, json!({})).await?;
    let figures = crate::gap_repair::shop::run(&stack, store).await?;
    assert_eq!((&figures["stopped"], &figures["complete"]), (&Value::Null, &json!(true)), "{figures}");
    assert_eq!(grants(&stack, store).await?, 2);
    shop_takes(&stack, store, &[], json!({"revoke_granted": true})).await?;
    let figures = crate::gap_repair::shop::run(&stack, store).await?;
    assert_eq!(figures["complete"], json!(true), "{figures}");
    shop_takes(&stack, store, &[], json!({"revoke_granted": true, "refuse_grants": "invalid_client"}))
        .await?;
    let figures = crate::gap_repair::shop::run(&stack, store).await?;
    assert_eq!(figures["stopped"], json!("access"), "{figures}");
    assert!(figures["reason"].to_string().contains("invalid_client"), "{figures}");
    Ok(())
}
