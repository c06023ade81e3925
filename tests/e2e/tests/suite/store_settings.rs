//! Stores that name their attributes as they like: the edge learns the names when it meets them.

use ordak_e2e::Outcome;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use serde_json::{Value, json};

async fn set(stack: &Stack, shop: Store, settings: Value) -> Outcome<i64> {
    let arguments = json!({"p_store": shop.key, "p_settings": settings});
    let answer = stack.rpc(&stack.service_key, "update_store_settings", &arguments).await?;
    assert_eq!(answer.at("/ok"), true, "{}", answer.text);
    Ok(answer.at("/data/rev").as_i64().unwrap_or_default())
}

/// Sends an order that is full of names and says what became of it.
async fn read(stack: &Stack, shop: Store) -> Outcome<Value> {
    let mut order = Order::simple()?.with_lines(&[("CAKE", 1)]);
    order.set(
        "note_attributes",
        json!([
            {"name": "Local Delivery Date and Time", "value": "2026-03-01 between 10 and 12"},
            {"name": "Wanted on", "value": "2026-04-02"},
            {"name": "Delivery Method", "value": "Courier"},
            {"name": "How", "value": "Collect in store"}
        ]),
    );
    order.each_line(|line| {
        line["variant_title"] = Value::Null;
        line["properties"] = json!([
            {"name": "Flavour", "value": "Mint"}, {"name": "Sponge", "value": "Almond"},
            {"name": "Size", "value": "Small"}, {"name": "Tier", "value": "Three"}
        ]);
    });
    let answer = Delivery::new(shop, "orders/create", order.bytes()).send_until_taken(stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "created"), "{}", answer.text);
    let query = "select due_date::text as due_date, delivery_method, flavour, size from public.orders where store = $1 and id = $2";
    stack.db().await?.row(query, &[&shop.key, &order.order_id(shop)]).await
}

#[tokio::test]
async fn the_names_of_a_store_count_from_the_next_delivery() -> Outcome {
    let stack = Stack::up().await?;
    let (shop, other) = (store::fresh(&stack).await?, store::fresh(&stack).await?);
    let built_in =
        json!({"due_date": "2026-03-01", "delivery_method": "delivery", "flavour": "Mint", "size": "Small"});
    assert_eq!(read(&stack, shop).await?, built_in);

    let own = json!({
        "due_date_attribute": "wanted on", "delivery_method_attribute": "How", "pickup_words": ["collect"],
        "flavour_properties": ["sponge"], "size_property": "Tier"
    });
    assert_eq!(set(&stack, shop, own.clone()).await?, 1);
    let named =
        json!({"due_date": "2026-04-02", "delivery_method": "pickup", "flavour": "Almond", "size": "Three"});
    // The first is refused once and read again, the others are read rightly at once: nobody outside can tell.
    for _ in 0..3 {
        assert_eq!(read(&stack, shop).await?, named);
    }
    assert_eq!(read(&stack, other).await?, built_in, "the names of one store are not those of another");

    assert_eq!(set(&stack, shop, own).await?, 1, "the same names are no change");
    assert_eq!(set(&stack, shop, json!({"size_property": "Tier"})).await?, 2);
    let mixed =
        json!({"due_date": "2026-03-01", "delivery_method": "delivery", "flavour": "Mint", "size": "Three"});
    assert_eq!(read(&stack, shop).await?, mixed);
    assert_eq!(set(&stack, shop, json!({})).await?, 3);
    assert_eq!(read(&stack, shop).await?, built_in);
    Ok(())
}
