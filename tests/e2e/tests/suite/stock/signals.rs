//! `inventory_levels/update` is a signal: the level is asked for, and what differs is corrected once it is certain.

use super::{call, checks, explained, levels, put, set, settle, shop, signal, stock_of};
use ordak_e2e::Outcome;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store;
use serde_json::{Value, json};

#[tokio::test]
async fn an_echo_of_our_own_push_changes_nothing_and_ends() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let cake = store::stock(&stack, store, 10).await?;
    let order = Order::simple()?.with_lines(&[(&cake.sku, 2)]);
    Delivery::new(store, "orders/create", order.bytes()).deliver(&stack).await?;
    settle(&stack, store).await?;
    assert_eq!(stack.shopify_level(store, &cake).await?, Some(8));
    let work = "select id from public.work_queue where store = $1 and topic = 'inventory_push'";
    let before = stack.db().await?.count(work, &[&store.key]).await?;

    for _ in 0..3 {
        signal(&stack, store, &cake).await?;
        settle(&stack, store).await?;
    }
    assert_eq!(checks(&stack, store).await?, Vec::<Value>::new());
    assert_eq!(stack.db().await?.count(work, &[&store.key]).await?, before);
    assert_eq!(stack.shopify_effects(store, &cake).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn drift_is_pushed_over_where_we_are_right() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let cake = store::stock(&stack, store, 10).await?;
    levels(&stack, store, &[(&cake, 25)]).await?;
    signal(&stack, store, &cake).await?;
    signal(&stack, store, &cake).await?;
    settle(&stack, store).await?;
    assert_eq!(stack.shopify_level(store, &cake).await?, Some(10));
    let found = json!({"sku": cake.sku, "outcome": "corrected", "theirs": 25, "ours": 10});
    assert_eq!(checks(&stack, store).await?, std::slice::from_ref(&found));

    // The push has its own echo.
    signal(&stack, store, &cake).await?;
    settle(&stack, store).await?;
    assert_eq!(checks(&stack, store).await?, [found]);
    let effects = stack.shopify_effects(store, &cake).await?;
    assert_eq!(effects.len(), 1);
    let change = &effects[0]["detail"]["quantities"][0];
    assert_eq!((&change["from"], &change["to"]), (&json!(25), &json!(10)));
    Ok(())
}

#[tokio::test]
async fn where_shopify_is_right_its_level_is_adopted_and_goes_to_those_who_wait() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({"reconcile_policy": "shopify_wins"})).await?;
    let cake = store::stock(&stack, store, 1).await?;
    let order = Order::simple()?.with_lines(&[(&cake.sku, 3)]);
    Delivery::new(store, "orders/create", order.bytes()).deliver(&stack).await?;
    settle(&stack, store).await?;
    assert_eq!(stock_of(&stack, store, &cake.sku).await?["short"], 3);

    levels(&stack, store, &[(&cake, 9)]).await?;
    signal(&stack, store, &cake).await?;
    settle(&stack, store).await?;
    let item = stock_of(&stack, store, &cake.sku).await?;
    assert_eq!((&item["ats"], &item["short"]), (&json!(6), &json!(0)));
    assert_eq!(stack.shopify_level(store, &cake).await?, Some(6));
    let query = "select delta, reason from public.inventory_txn where store = $1 order by id";
    let moved = stack.db().await?.rows(query, &[&store.key]).await?;
    assert_eq!(moved, [json!({"delta": 8, "reason": "reconcile"}), json!({"delta": -3, "reason": "hold"})]);
    explained(&stack, store).await
}

#[tokio::test]
async fn an_order_that_shopify_has_counted_and_we_have_not_is_no_drift() -> Outcome {
    let stack = Stack::up().await?;
    for policy in ["local_wins", "shopify_wins"] {
        let store = shop(&stack, json!({"reconcile_policy": policy, "settle_seconds": 3600})).await?;
        let cake = store::stock(&stack, store, 10).await?;
        // Shopify takes the stock for a sale by itself and says so; the order is still on its way.
        levels(&stack, store, &[(&cake, 8)]).await?;
        signal(&stack, store, &cake).await?;
        let once =
            "update public.work_queue set next_retry_at = now() where store = $1 and topic = 'stock_check'";
        let db = stack.db().await?;
        db.execute(once, &[&store.key]).await?;
        let looked = async || -> Outcome<Result<(), String>> {
            stack.drain().await?;
            let found = checks(&stack, store).await?;
            Ok(if found[0]["theirs"] == 8 { Ok(()) } else { Err(format!("{found:?}")) })
        };
        ordak_e2e::poll::eventually("a first look", looked).await?;
        assert_eq!(stock_of(&stack, store, &cake.sku).await?["ats"], 10);
        assert_eq!(stack.shopify_level(store, &cake).await?, Some(8), "and nothing is pushed over the sale");

        let order = Order::simple()?.with_lines(&[(&cake.sku, 2)]);
        Delivery::new(store, "orders/create", order.bytes()).deliver(&stack).await?;
        settle(&stack, store).await?;
        assert_eq!(checks(&stack, store).await?, Vec::<Value>::new(), "{policy}");
        assert_eq!(stock_of(&stack, store, &cake.sku).await?["ats"], 8, "{policy}: counted once");
        assert_eq!(stack.shopify_level(store, &cake).await?, Some(8));
    }
    Ok(())
}

#[tokio::test]
async fn a_level_that_is_gone_and_a_shop_that_is_away_are_told_apart() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let (gone, slow) = (store::stock(&stack, store, 5).await?, store::stock(&stack, store, 5).await?);
    put(&stack, store, json!({"variants": [{"sku": gone.sku, "inventory_item_id": gone.gid}]})).await?;
    signal(&stack, store, &gone).await?;
    settle(&stack, store).await?;
    let found = checks(&stack, store).await?;
    assert_eq!((&found[0]["outcome"], &found[0]["theirs"]), (&json!("failed"), &Value::Null));

    levels(&stack, store, &[(&slow, 6)]).await?;
    stack.break_shopify(store, "500", 2).await?;
    signal(&stack, store, &slow).await?;
    settle(&stack, store).await?;
    assert_eq!(stack.shopify_level(store, &slow).await?, Some(5), "looked at again until it answers");
    Ok(())
}

#[tokio::test]
async fn what_is_none_of_ours_is_not_looked_at() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let cake = store::stock(&stack, store, 10).await?;
    levels(&stack, store, &[(&cake, 3)]).await?;
    set(&stack, store, &json!({"location_gid": "gid://shopify/Location/78"})).await?;
    let query = "update public.inventory_items set shopify_location_gid = null where store = $1";
    stack.db().await?.execute(query, &[&store.key]).await?;
    signal(&stack, store, &cake).await?;
    assert_eq!(checks(&stack, store).await?, Vec::<Value>::new(), "another location");
    let untracked = json!({"p_store": store.key, "p_sku": cake.sku, "p_tracked": false});
    call(&stack, "upsert_inventory_item", &untracked).await?;
    set(&stack, store, &json!({"location_gid": store::LOCATION})).await?;
    signal(&stack, store, &cake).await?;
    assert_eq!(checks(&stack, store).await?, Vec::<Value>::new(), "not tracked");
    Ok(())
}
