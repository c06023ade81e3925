//! Refunds over HTTP: stock comes back once, unless the pieces are gone.

use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, STOCK};
use ordak_e2e::{Outcome, unique_number};
use serde_json::{Value, json};

fn refund(order: &Order, id: u64, pieces: u32, kind: &str) -> Value {
    json!({
        "id": id, "order_id": order.id, "created_at": "2026-02-07T00:00:00Z", "note": null,
        "refund_line_items": [{
            "id": unique_number(1_000_000_000), "line_item_id": order.payload["line_items"][0]["id"],
            "quantity": pieces, "restock_type": kind
        }],
        "transactions": [{"receipt": {"cardholder_name": "Jamie Rivera"}}]
    })
}

async fn send(stack: &Stack, topic: &str, body: &Value) -> Outcome<String> {
    let answer = Delivery::new(STOCK, topic, body.to_string().into_bytes()).send_until_taken(stack).await?;
    assert_eq!(answer.status, 200, "{topic}: {}", answer.text);
    Ok(answer.str("/data/outcome").to_owned())
}

/// What the line wants, lost and holds, and what is left of the SKU.
async fn stand(stack: &Stack, order: &Order) -> Outcome<Value> {
    let query = "select l.quantity, l.consumed, l.held_quantity as held, i.ats
        from public.order_line_items l
        join public.inventory_items i on i.store = l.store and i.sku = l.sku
        where l.store = $1 and l.order_id = $2";
    stack.db().await?.row(query, &[&STOCK.key, &order.order_id(STOCK)]).await
}

#[tokio::test]
async fn each_refund_counts_once_before_and_after_its_order() -> Outcome {
    let stack = Stack::up().await?;
    let item = store::stock(&stack, STOCK, 10).await?;
    let mut order = Order::simple()?.with_lines(&[(&item.sku, 6)]);
    let (first, second) = (unique_number(1_000_000_000_000), unique_number(1_000_000_000_000));

    assert_eq!(send(&stack, "refunds/create", &refund(&order, first, 2, "return")).await?, "ignored");
    assert_eq!(send(&stack, "orders/create", &order.payload).await?, "created");
    assert_eq!(stand(&stack, &order).await?, json!({"quantity": 4, "consumed": 0, "held": 4, "ats": 6}));
    let lost = refund(&order, second, 1, "no_restock");
    assert_eq!(send(&stack, "refunds/create", &lost).await?, "updated");
    assert_eq!(stand(&stack, &order).await?, json!({"quantity": 3, "consumed": 1, "held": 4, "ats": 6}));

    // The order, as it is afterwards: it knows both.
    let all = json!([refund(&order, first, 2, "return"), lost]);
    order.each_line(|line| line["current_quantity"] = json!(3));
    order.set("refunds", all).set("updated_at", json!("2026-02-08T09:00:00+11:00"));
    assert_eq!(send(&stack, "orders/updated", &order.payload).await?, "updated");
    assert_eq!(stand(&stack, &order).await?, json!({"quantity": 3, "consumed": 1, "held": 4, "ats": 6}));
    let mut anew = refund(&order, second, 1, "no_restock");
    anew["note"] = json!("told anew");
    assert_eq!(send(&stack, "refunds/create", &anew).await?, "stale");
    assert_eq!(stand(&stack, &order).await?, json!({"quantity": 3, "consumed": 1, "held": 4, "ats": 6}));

    let cancelled = json!("2026-02-09T09:00:00+11:00");
    order.each_line(|line| line["current_quantity"] = json!(0));
    order.set("cancelled_at", cancelled.clone()).set("updated_at", cancelled);
    assert_eq!(send(&stack, "orders/cancelled", &order.payload).await?, "cancelled");
    assert_eq!(stand(&stack, &order).await?, json!({"quantity": 0, "consumed": 1, "held": 1, "ats": 9}));

    let arguments = json!({"p_store": STOCK.key, "p_order_id": order.order_id(STOCK)});
    let replayed = stack.rpc(&stack.service_key, "replay_order", &arguments).await?;
    assert_eq!(replayed.at("/data/differences"), &json!({}), "{}", replayed.text);
    let query = "select count(*)::int as payers from public.event_store where ref_id = $1 and payload::text like '%Jamie%'
        and type = 'refunds/create'";
    assert_eq!(stack.db().await?.row(query, &[&order.gid()]).await?, json!({"payers": 0}));
    Ok(())
}

#[tokio::test]
async fn an_order_in_the_old_form_leaves_the_counting_to_us() -> Outcome {
    let stack = Stack::up().await?;
    let item = store::stock(&stack, STOCK, 10).await?;
    let mut order = Order::simple()?.with_lines(&[(&item.sku, 5)]);
    order.each_line(|line| {
        line.as_object_mut().unwrap().remove("current_quantity");
    });
    let list = json!([refund(&order, 1, 2, "cancel"), refund(&order, 2, 1, "no_restock")]);
    order.set("refunds", list);
    assert_eq!(send(&stack, "orders/create", &order.payload).await?, "created");
    assert_eq!(stand(&stack, &order).await?, json!({"quantity": 2, "consumed": 1, "held": 3, "ats": 7}));
    Ok(())
}
