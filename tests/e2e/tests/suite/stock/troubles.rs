//! Questions about stock that Shopify answers late, wrongly or not at all: asked again until they are answered, and
//! nothing is decided by an answer that is none.

use super::{call, checks, levels, put, report, settle, shop, signal, stock_of};
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use ordak_e2e::{Outcome, unique_number};
use serde_json::json;

/// Each of these passes.
const PASSING: [&str; 9] = [
    "500",
    "503",
    "502_html",
    "429_seconds",
    "throttled",
    "truncated_json",
    "malformed_json",
    "empty_200",
    "reset_before_body",
];

async fn trouble(stack: &Stack, store: Store, mode: &str, text: &str) -> Outcome {
    let fault = json!({
        "upstream": "shopify", "shop": store.domain(), "mode": mode, "count": 1, "match": text, "retry_after": 1
    });
    stack.plan_fault(&fault).await
}

#[tokio::test]
async fn a_search_that_fails_decides_nothing() -> Outcome {
    let stack = Stack::up().await?;
    for mode in PASSING {
        let store = shop(&stack, json!({})).await?;
        let gid = format!("gid://shopify/InventoryItem/{}", unique_number(1_000_000_000_000));
        put(&stack, store, json!({"variants": [{"sku": "A", "inventory_item_id": gid}]})).await?;
        trouble(&stack, store, mode, "productVariants").await?;
        let new = json!({"p_store": store.key, "p_sku": "A", "p_ats": 3});
        call(&stack, "upsert_inventory_item", &new).await?;
        settle(&stack, store).await?;
        assert_eq!(stock_of(&stack, store, "A").await?["mapping"], "mapped", "{mode}");
    }
    Ok(())
}

#[tokio::test]
async fn a_look_that_fails_decides_nothing() -> Outcome {
    let stack = Stack::up().await?;
    for mode in PASSING {
        let store = shop(&stack, json!({})).await?;
        let cake = store::stock(&stack, store, 10).await?;
        levels(&stack, store, &[(&cake, 12)]).await?;
        trouble(&stack, store, mode, "query Levels").await?;
        signal(&stack, store, &cake).await?;
        settle(&stack, store).await?;
        assert_eq!(stack.shopify_level(store, &cake).await?, Some(10), "{mode}");
        let found = checks(&stack, store).await?;
        assert_eq!((found.len(), &found[0]["outcome"]), (1, &json!("corrected")), "{mode}: {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_page_that_fails_is_read_by_the_next_run() -> Outcome {
    let stack = Stack::up().await?;
    for mode in PASSING {
        let store = shop(&stack, json!({})).await?;
        let cake = store::stock(&stack, store, 10).await?;
        levels(&stack, store, &[(&cake, 10)]).await?;
        trouble(&stack, store, mode, "StockPage").await?;
        eventually("a run to its end", async || {
            let answer = super::reconcile(&stack, store, true).await?;
            let complete = answer.at("/data/stores/0/complete") == true;
            Ok(if complete { Ok(()) } else { Err(answer.text) })
        })
        .await?;
        let last = report(&stack, store).await?;
        assert_eq!((&last["state"], &last["compared"]), (&json!("finished"), &json!(1)), "{mode}: {last}");
    }
    Ok(())
}

#[tokio::test]
async fn a_shop_that_lets_nobody_in_is_told_at_once() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let cake = store::stock(&stack, store, 10).await?;
    put(&stack, store, json!({"tokens": ["another"]})).await?;
    call(&stack, "upsert_inventory_item", &json!({"p_store": store.key, "p_sku": "A", "p_ats": 3})).await?;
    signal(&stack, store, &cake).await?;
    settle(&stack, store).await?;
    let query = "select distinct topic, error_class, retry_count from public.work_queue
        where store = $1 and status = 'dead' order by topic";
    let dead = stack.db().await?.rows(query, &[&store.key]).await?;
    let of = |topic: &str| json!({"topic": topic, "error_class": "permanent", "retry_count": 1});
    assert_eq!(dead, [of("inventory_push"), of("stock_check")]);
    assert_eq!(
        stock_of(&stack, store, "A").await?["mapping"],
        "waiting",
        "what could not be asked is not decided"
    );
    assert_ne!(checks(&stack, store).await?[0]["outcome"], "corrected");
    Ok(())
}
