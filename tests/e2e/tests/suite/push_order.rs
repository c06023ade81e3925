//! Levels of one SKU on their way to Shopify at once: what arrives last is what is true last.

use futures_util::future::try_join_all;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, CROWDED, Item};
use ordak_e2e::{Failure, Outcome};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const UNTIL: &str = "select i.ats, i.pushed_quantity, sum(w.retry_count)::int as retries,
        count(*) filter (where w.status <> 'done')::int as waiting
    from public.inventory_items i
    join public.work_queue w on w.store = i.store and w.topic = 'inventory_push' and w.payload ->> 'sku' = i.sku
    where i.store = $1 and i.sku = $2
    group by i.id";

/// Takes one piece.
async fn sell(stack: &Stack, item: &Item) -> Outcome {
    let order = Order::simple()?.with_lines(&[(&item.sku, 1)]);
    Delivery::new(CROWDED, "orders/create", order.bytes()).deliver(stack).await
}

/// A drain; a claim that has waited for 3 s for those of other tests is made again.
fn drain(stack: &Stack) -> JoinHandle<Outcome> {
    let stack = stack.clone();
    tokio::spawn(async move {
        let mut answer = stack.drain().await?;
        for _ in 0..20 {
            if answer.status != 503 {
                break;
            }
            answer = stack.drain().await?;
        }
        assert_eq!(answer.status, 200, "{}", answer.text);
        Ok(())
    })
}

/// Waits until every push of the item is done and gives back what is known of it then.
async fn settled(stack: &Stack, item: &Item) -> Outcome<Value> {
    let db = stack.db().await?;
    eventually("done pushes", async || {
        stack.drain().await?;
        let row = db.row(UNTIL, &[&CROWDED.key, &item.sku]).await?;
        Ok(if row["waiting"] == 0 { Ok(row) } else { Err(row.to_string()) })
    })
    .await
}

/// Changes of the level as Shopify executed them, oldest first: each begins where the one before it ended.
async fn levels(stack: &Stack, item: &Item) -> Outcome<Vec<i64>> {
    let effects = stack.shopify_effects(CROWDED, item).await?;
    let figure = |effect: &Value, name: &str| {
        let quantities = effect["detail"]["quantities"].as_array().unwrap();
        let ours = quantities.iter().find(|quantity| quantity["inventory_item_id"] == item.gid.as_str());
        ours.unwrap()[name].as_i64().unwrap()
    };
    for pair in effects.windows(2) {
        assert_eq!(figure(&pair[0], "to"), figure(&pair[1], "from"), "{effects:?}");
    }
    Ok(effects.iter().map(|effect| figure(effect, "to")).collect())
}

/// The first level is still on its way when two more drains have a newer one to send.
async fn overtakes(stack: &Stack) -> Outcome {
    let item = store::stock(stack, CROWDED, 10).await?;
    // Longer than two sales take on a busy machine, and shorter than a worker waits.
    stack.delay_at_shopify(CROWDED, &item, 6000).await?;
    sell(stack, &item).await?;
    let first = drain(stack);
    eventually("the first call", async || {
        let calls = stack.shopify_calls(CROWDED, &item).await?.len();
        Ok(if calls > 0 { Ok(()) } else { Err(String::from("none")) })
    })
    .await?;
    sell(stack, &item).await?;
    sell(stack, &item).await?;
    for drain in [drain(stack), drain(stack), first] {
        drain.await??;
    }
    let row = settled(stack, &item).await?;
    assert_eq!((&row["ats"], &row["pushed_quantity"]), (&json!(7), &json!(7)), "{row}");
    assert_eq!(stack.shopify_level(CROWDED, &item).await?, Some(7));
    assert_eq!(levels(stack, &item).await?, [9, 7], "what waited together left together, after the first");
    Ok(())
}

#[tokio::test]
async fn a_newer_level_never_overtakes_an_older_one() -> Outcome {
    let stack = Stack::up().await?;
    try_join_all((0..4).map(|_| overtakes(&stack))).await?;
    Ok(())
}

#[tokio::test]
async fn many_drains_end_with_what_is_there() -> Outcome {
    let stack = Stack::up().await?;
    let item = store::stock(&stack, CROWDED, 100).await?;
    for _ in 0..10 {
        let drains = [drain(&stack), drain(&stack)];
        try_join_all((0..3).map(|_| sell(&stack, &item))).await?;
        for drain in drains {
            drain.await??;
        }
    }
    let row = settled(&stack, &item).await?;
    assert_eq!((&row["ats"], &row["retries"]), (&json!(70), &json!(0)), "{row}");
    assert_eq!(stack.shopify_level(CROWDED, &item).await?, Some(70));
    let levels = levels(&stack, &item).await?;
    // A sale between the choice of pushes and the look at the stock is in that level, and its own push tells it again.
    assert!(levels.is_sorted_by(|a, b| a >= b), "no level is older than the one before it: {levels:?}");
    Ok(())
}

#[tokio::test]
async fn a_push_compares_with_what_was_confirmed_last() -> Outcome {
    let stack = Stack::up().await?;
    let item = store::stock(&stack, CROWDED, 10).await?;
    for _ in 0..3 {
        sell(&stack, &item).await?;
        settled(&stack, &item).await?;
    }
    let pairs = asked(&stack, &item).await?;
    assert_eq!(pairs, [(json!(null), json!(9)), (json!(9), json!(8)), (json!(8), json!(7))]);
    Ok(())
}

#[tokio::test]
async fn a_level_that_somebody_else_changed_is_set_all_the_same() -> Outcome {
    let stack = Stack::up().await?;
    let item = store::stock(&stack, CROWDED, 10).await?;
    sell(&stack, &item).await?;
    settled(&stack, &item).await?;
    stack.change_at_shopify(CROWDED, &item, 4).await?;
    sell(&stack, &item).await?;
    let row = settled(&stack, &item).await?;
    assert_eq!(
        row,
        json!({"ats": 8, "pushed_quantity": 8, "retries": 0, "waiting": 0}),
        "no attempt is burnt"
    );
    assert_eq!(stack.shopify_level(CROWDED, &item).await?, Some(8));
    let pairs = asked(&stack, &item).await?;
    let compared_refused_set = [(json!(null), json!(9)), (json!(9), json!(8)), (json!(null), json!(8))];
    assert_eq!(pairs, compared_refused_set);
    Ok(())
}

/// What Shopify was asked: from which level to which. A call that is refused for the item of another test is sent again
/// without that one: the same question twice in a row counts once.
async fn asked(stack: &Stack, item: &Item) -> Outcome<Vec<(Value, Value)>> {
    let mut pairs = Vec::new();
    for call in stack.shopify_calls(CROWDED, item).await? {
        let quantities = call.pointer("/body/variables/input/quantities").and_then(Value::as_array);
        let ours =
            quantities.and_then(|all| all.iter().find(|one| one["inventoryItemId"] == item.gid.as_str()));
        let ours = ours.ok_or_else(|| Failure::new(format!("no quantity of {}: {call}", item.gid)))?;
        pairs.push((ours["changeFromQuantity"].clone(), ours["quantity"].clone()));
    }
    pairs.dedup();
    Ok(pairs)
}
