//! Money of cancelled batches goes back through Shopify: the amount of the order, once, whatever gets lost on the way.

use super::{Supplier, orchestrate, process, result_of, turn};
use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::POOLED;
use ordak_e2e::{Failure, Outcome};
use serde_json::{Value, json};

/// An order that is paid at Shopify, known here, and part of a batch.
async fn pooled(stack: &Stack, supplier: &Supplier) -> Outcome<Order> {
    join(stack, supplier, Order::simple()?).await
}

/// The same for an order with payments of its own, of which some were given back: kind, amount, and of which payment.
async fn pooled_after(
    stack: &Stack,
    supplier: &Supplier,
    status: &str,
    payments: &[(&str, &str, Option<u8>)],
) -> Outcome<Order> {
    let mut order = Order::simple()?;
    let payments: Vec<Value> = payments
        .iter()
        .map(|(kind, amount, parent)| {
            json!({"kind": kind, "status": "success", "amount": amount, "currency": "AUD", "parent": parent})
        })
        .collect();
    order.set("transactions", Value::Array(payments));
    order.set("financial_status", json!(status));
    join(stack, supplier, order).await
}

async fn join(stack: &Stack, supplier: &Supplier, order: Order) -> Outcome<Order> {
    let shop = json!({"shop": POOLED.domain(), "orders": [order.payload]});
    let put = Answer::to(stack.http.post(format!("{}/_shop", stack.fakes_url)).json(&shop)).await?;
    assert_eq!(put.at("/ok"), &json!(true), "{}", put.text);
    let mut data = supplier.order(1);
    data["orderGid"] = json!(order.gid());
    let joined = process(stack, data).await?;
    assert_eq!(joined.status, 200, "{}", joined.text);
    let answer = Delivery::new(POOLED, "orders/create", order.bytes()).send_until_taken(stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "hydrated"), "{}", answer.text);
    Ok(order)
}

async fn refunds_of(stack: &Stack, order: &Order) -> Outcome<Vec<Value>> {
    let query = [("upstream", "shopify"), ("shop", &POOLED.domain())];
    let mut answer =
        Answer::to(stack.http.get(format!("{}/_effects", stack.fakes_url)).query(&query)).await?;
    let Some(Value::Array(effects)) = answer.json.pointer_mut("/effects").map(Value::take) else {
        return Err(Failure::new(answer.text));
    };
    let ours =
        |effect: &Value| effect["operation"] == "refundCreate" && effect["detail"]["order_id"] == order.gid();
    Ok(effects.into_iter().filter(ours).collect())
}

async fn settled(stack: &Stack, order: &Order, wanted: &str) -> Outcome {
    let query = "select status, error_class, last_error from public.work_queue where topic = 'refund' and payload ->> 'order_gid' = $1";
    let db = stack.db().await?;
    eventually("the refund", async || {
        stack.drain().await?;
        db.hurry(POOLED.key).await?;
        let row = db.row(query, &[&order.gid()]).await?;
        Ok(if row["status"] == wanted { Ok(()) } else { Err(row.to_string()) })
    })
    .await
}

async fn close(stack: &Stack, supplier: &Supplier) -> Outcome {
    let statement = "update public.production_batches
        set window_opens_at = now() - interval '9 days', window_closes_at = now() - interval '1 hour'
        where product_category = $1";
    stack.db().await?.execute(statement, &[&supplier.category]).await?;
    Ok(())
}

#[tokio::test]
async fn each_paid_order_is_given_back_once() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let (one, two) = (pooled(&stack, &supplier).await?, pooled(&stack, &supplier).await?);
    let unpaid = process(&stack, supplier.order(1)).await?;
    let _turn = turn(&db).await?;
    close(&stack, &supplier).await?;
    let answer = orchestrate(&stack).await?;
    let result = result_of(&answer, unpaid.str("/batchId"));
    assert_eq!(
        (&result["action"], &result["ordersCancelled"]),
        (&json!("cancelled"), &json!(3)),
        "{}",
        answer.text
    );
    for order in [&one, &two] {
        settled(&stack, order, "done").await?;
    }
    orchestrate(&stack).await?;
    stack.drain().await?;
    for order in [&one, &two] {
        let refunds = refunds_of(&stack, order).await?;
        assert_eq!(refunds.len(), 1, "{refunds:?}");
        assert_eq!(refunds[0]["detail"]["amount"], "36.800");
        assert_eq!(refunds[0]["detail"]["currency"], "AUD");
        assert!(refunds[0]["key"].is_string());
        let query = "select cancelled_at is not null as cancelled, cancel_reason, payment_status from public.orders where shopify_order_gid = $1";
        let row = db.row(query, &[&order.gid()]).await?;
        assert_eq!(
            row,
            json!({"cancelled": true, "cancel_reason": "batch cancelled", "payment_status": "paid"})
        );
    }
    let query = "select 1 from public.work_queue where topic = 'refund' and payload ->> 'order_id' = $1";
    assert_eq!(db.count(query, &[&unpaid.str("/orderId")]).await?, 0, "nothing was paid, nothing goes back");
    Ok(())
}

#[tokio::test]
async fn a_refund_whose_answer_got_lost_is_not_made_twice() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let order = pooled(&stack, &supplier).await?;
    // A shop that has forgotten the key: what was given back is known from the order itself.
    let forgets = json!({"upstream": "shopify", "shop": POOLED.domain(), "forgets_keys": true});
    Answer::to(stack.http.post(format!("{}/_state", stack.fakes_url)).json(&forgets)).await?;
    let fault = json!({
        "upstream": "shopify", "shop": POOLED.domain(), "mode": "executed_then_reset", "count": 1,
        "match": format!("\"orderId\":\"{}\"", order.gid())
    });
    let fault = Answer::to(stack.http.post(format!("{}/_faults", stack.fakes_url)).json(&fault)).await?;
    assert_eq!(fault.at("/ok"), &json!(true), "{}", fault.text);
    let _turn = turn(&db).await?;
    close(&stack, &supplier).await?;
    orchestrate(&stack).await?;
    settled(&stack, &order, "done").await?;
    assert_eq!(refunds_of(&stack, &order).await?.len(), 1);
    let row = db
        .row("select retry_count from public.work_queue where topic = 'refund' and payload ->> 'order_gid' = $1", &[&order.gid()])
        .await?;
    assert_eq!(row, json!({"retry_count": 1}), "the answer did get lost");
    Ok(())
}

#[tokio::test]
async fn never_more_goes_back_than_is_left() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let in_part = [("sale", "36.80", None), ("refund", "10.00", Some(0))];
    let in_part = pooled_after(&stack, &supplier, "partially_refunded", &in_part).await?;
    let down_payment = [("sale", "15.00", None)];
    let down_payment = pooled_after(&stack, &supplier, "partially_paid", &down_payment).await?;
    // Given back at the shop, and nobody here has heard of it yet.
    let whole = [("sale", "36.80", None), ("refund", "36.80", Some(0))];
    let whole = pooled_after(&stack, &supplier, "paid", &whole).await?;
    let unpaid = pooled_after(&stack, &supplier, "pending", &[]).await?;
    let _turn = turn(&db).await?;
    close(&stack, &supplier).await?;
    orchestrate(&stack).await?;
    for (order, amount) in [(&in_part, "26.800"), (&down_payment, "15.000")] {
        settled(&stack, order, "done").await?;
        let refunds = refunds_of(&stack, order).await?;
        assert_eq!(refunds.len(), 1, "{refunds:?}");
        assert_eq!(refunds[0]["detail"]["amount"], amount);
    }
    settled(&stack, &whole, "done").await?;
    assert_eq!(refunds_of(&stack, &whole).await?, [] as [Value; 0], "nothing is left of it");
    let query = "select 1 from public.work_queue where topic = 'refund' and payload ->> 'order_gid' = $1";
    assert_eq!(db.count(query, &[&unpaid.gid()]).await?, 0, "what nobody paid");
    Ok(())
}

#[tokio::test]
async fn a_shop_that_is_throttled_gives_back_later_and_once() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let order = pooled(&stack, &supplier).await?;
    let fault = json!({
        "upstream": "shopify", "shop": POOLED.domain(), "mode": "throttled", "count": 2, "match": order.gid()
    });
    let fault = Answer::to(stack.http.post(format!("{}/_faults", stack.fakes_url)).json(&fault)).await?;
    assert_eq!(fault.at("/ok"), &json!(true), "{}", fault.text);
    let _turn = turn(&db).await?;
    close(&stack, &supplier).await?;
    orchestrate(&stack).await?;
    settled(&stack, &order, "done").await?;
    assert_eq!(refunds_of(&stack, &order).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_order_that_shopify_does_not_know_is_for_a_person() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let order = pooled(&stack, &supplier).await?;
    let gone = json!({"shop": POOLED.domain(), "without": [order.id]});
    Answer::to(stack.http.post(format!("{}/_shop", stack.fakes_url)).json(&gone)).await?;
    let _turn = turn(&db).await?;
    close(&stack, &supplier).await?;
    orchestrate(&stack).await?;
    settled(&stack, &order, "dead").await?;
    let query = "select 1 from public.dead_letters where topic = 'refund' and body like '%' || $1 || '%'";
    assert_eq!(db.count(query, &[&order.gid()]).await?, 1);
    Ok(())
}
