//! Orders that join batches: the documented answer, 64 buyers after the last places, and small batches that fill up one
//! after the other.

use super::{Supplier, process, status};
use ordak_e2e::stack::Stack;
use ordak_e2e::{Outcome, unique_number};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[tokio::test]
async fn an_order_opens_a_batch_and_the_next_joins_it() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 200).await?;
    let first = process(&stack, supplier.order(50)).await?;
    assert_eq!(first.status, 200, "{}", first.text);
    let mut shape = first.json.clone();
    let fields = shape.as_object_mut().unwrap();
    let (order, batch) = (fields.remove("orderId").unwrap(), fields.remove("batchId").unwrap());
    assert_eq!(
        shape,
        json!({
            "success": true, "isNewBatch": true, "batchFillPercentage": 25.0,
            "pricing": {"unitPrice": 22.5, "totalPrice": 1125.0, "currency": "AUD"}
        })
    );
    assert!(order.as_str().unwrap().starts_with("testthirteen-"));
    let second = process(&stack, supplier.order(1)).await?;
    assert_eq!((second.at("/batchId"), second.at("/isNewBatch")), (&batch, &json!(false)));
    assert_eq!(second.at("/batchFillPercentage"), &json!(25.5));
    assert_eq!(status(&db, batch.as_str().unwrap()).await?, "filling");
    Ok(())
}

#[tokio::test]
async fn an_order_of_shopify_contributes_once_however_often_it_is_sent() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 200).await?;
    let mut data = supplier.order(5);
    data["orderGid"] = json!(format!("gid://shopify/Order/{}", unique_number(10_000_000_000_000)));
    let sent = (0..8).map(|_| {
        let (stack, data) = (stack.clone(), data.clone());
        tokio::spawn(async move { process(&stack, data).await })
    });
    let mut answers = Vec::new();
    for answer in sent.collect::<Vec<_>>() {
        let answer = answer.await??;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answers.push((
            answer.at("/orderId").clone(),
            answer.at("/batchId").clone(),
            answer.at("/pricing").clone(),
        ));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "the same answer to all");
    let row = db
        .row("select sum(current_quantity)::int as taken from public.production_batches where product_category = $1", &[&supplier.category])
        .await?;
    assert_eq!(row, json!({"taken": 5}));
    Ok(())
}

/// 64 buyers at once, of one piece each: how many came into which batch.
async fn all_join(stack: &Stack, supplier: &Supplier) -> Outcome<BTreeMap<String, usize>> {
    let buyers = (0..64).map(|_| {
        let (stack, data) = (stack.clone(), supplier.order(1));
        tokio::spawn(async move { process(&stack, data).await })
    });
    let mut got = BTreeMap::new();
    for buyer in buyers.collect::<Vec<_>>() {
        let answer = buyer.await??;
        assert_eq!(answer.status, 200, "{}", answer.text);
        *got.entry(answer.str("/batchId").to_owned()).or_default() += 1;
    }
    Ok(got)
}

#[tokio::test]
async fn the_last_places_go_to_as_many_as_there_are() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 50).await?;
    let contested = supplier.batch(&db, 40, 50, "20 days").await?;
    let mut got = all_join(&stack, &supplier).await?;
    assert_eq!(got.remove(&contested), Some(10), "the last places, each once");
    let mut others: Vec<usize> = got.into_values().collect();
    others.sort_unstable();
    assert_eq!(others, [4, 50], "the others share new batches");
    let rows = db
        .rows(
            "select b.current_quantity, b.target_quantity, b.style_count,
                (select coalesce(sum(c.quantity), 0)::int from public.batch_contributions c where c.batch_id = b.id) as contributed
            from public.production_batches b where b.product_category = $1 order by b.created_at, b.id",
            &[&supplier.category],
        )
        .await?;
    assert!(
        rows.iter().all(|row| row["current_quantity"].as_i64() <= row["target_quantity"].as_i64()),
        "{rows:?}"
    );
    let contributed: i64 = rows.iter().filter_map(|row| row["contributed"].as_i64()).sum();
    assert_eq!(contributed, 64);
    let taken: i64 = rows.iter().filter_map(|row| row.get("current_quantity").and_then(Value::as_i64)).sum();
    assert_eq!(taken, 104);
    Ok(())
}

/// Most find a batch that is full when their turn comes, and go on to the next while others open it: nobody may end up
/// waiting for somebody who waits for them.
#[tokio::test]
async fn many_small_batches_fill_up_one_after_the_other() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 4).await?;
    for _ in 0..3 {
        let sizes: Vec<usize> = all_join(&stack, &supplier).await?.into_values().collect();
        assert_eq!(sizes, [4; 16], "each batch is full before the next is opened");
    }
    Ok(())
}
