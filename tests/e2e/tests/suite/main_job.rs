//! The whole way of one order: Shopify's webhook, the kitchen, and the new stock level back at Shopify.

use ordak_e2e::Outcome;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, BANNOS};
use serde_json::json;

#[tokio::test]
async fn an_order_is_held_made_and_shown_at_shopify() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let cake = store::stock(&stack, BANNOS, 10).await?;
    let order = Order::simple()?.with_lines(&[(&cake.sku, 3)]);
    let id = order.order_id(BANNOS);

    let answer = Delivery::new(BANNOS, "orders/create", order.bytes()).send_until_taken(&stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "created"), "{}", answer.text);

    let query = "select stage, allocation_status, inventory_blocked, trim_scale(total_amount)::text as amount, currency,
            tableoid::regclass::text as partition from public.orders where id = $1";
    assert_eq!(
        db.row(query, &[&id]).await?,
        json!({
            "stage": "Filling", "allocation_status": "allocated", "inventory_blocked": false, "amount": "36.8",
            "currency": "AUD", "partition": "orders_bannos"
        })
    );
    let ats = db.row("select ats from public.inventory_items where sku = $1", &[&cake.sku]).await?;
    assert_eq!(ats, json!({"ats": 7}));

    let actions = [
        "handle_print_barcode",
        "complete_filling",
        "complete_covering",
        "complete_decorating",
        "start_packing",
        "complete_packing",
    ];
    for action in actions {
        let scan = json!({"scan": format!("#B{}", order.number), "action": action});
        let answer = stack.act(&stack.staff_bannos, "scan", &scan).await?;
        assert_eq!(
            (answer.status, answer.at("/already_done")),
            (200, &json!(false)),
            "{action} {}",
            answer.text
        );
    }
    assert_eq!(
        db.row("select stage from public.orders where id = $1", &[&id]).await?,
        json!({"stage": "Complete"})
    );

    eventually("the level at Shopify", async || {
        let level = stack.shopify_level(BANNOS, &cake).await?;
        Ok(if level == Some(7) { Ok(()) } else { Err(format!("{level:?}")) })
    })
    .await
}
