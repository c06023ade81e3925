//! Every real Shopify payload goes through. What is expected was read from the payloads by hand.

use ordak_e2e::Outcome;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::{Order, fixture};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{BANNOS, COMPLIANCE, FLOURLANE, Store};
use ordak_e2e::unique;
use serde_json::{Value, json};

/// What an order becomes.
struct Expected {
    file: &'static str,
    topic: &'static str,
    /// As it stands in the file: some are beyond 2^53.
    shopify_id: &'static str,
    number: &'static str,
    /// Presentment currency, and the current (else the original) total in it.
    currency: &'static str,
    amount: &'static str,
    cancelled: bool,
    /// Anything but a create comes before its create here.
    placeholder: bool,
    lines: usize,
}

const ORDERS: [Expected; 11] = [
    Expected {
        file: "shopify_orders_cancelled__hkd_draft_refunded.json",
        topic: "orders/cancelled",
        shopify_id: "6198821716268",
        number: "1065",
        currency: "HKD",
        amount: "0",
        cancelled: true,
        placeholder: true,
        lines: 1,
    },
    Expected {
        file: "shopify_orders_create__aud_cake_gelato_minimal.json",
        topic: "orders/create",
        shopify_id: "1234567890",
        number: "1001",
        currency: "AUD",
        amount: "89",
        cancelled: false,
        placeholder: false,
        lines: 1,
    },
    Expected {
        file: "shopify_orders_create__aud_multi_line_split_gateways.json",
        topic: "orders/create",
        shopify_id: "6683628404991",
        number: "2542",
        currency: "AUD",
        amount: "755.79",
        cancelled: false,
        placeholder: false,
        lines: 3,
    },
    Expected {
        file: "shopify_orders_create__aud_shop_usd_presentment.json",
        topic: "orders/create",
        shopify_id: "2998548365461",
        number: "1029",
        currency: "USD",
        amount: "45.85",
        cancelled: false,
        placeholder: false,
        lines: 1,
    },
    Expected {
        file: "shopify_orders_create__aud_simple_delivery.json",
        topic: "orders/create",
        shopify_id: "7027490226488",
        number: "1956",
        currency: "AUD",
        amount: "36.8",
        cancelled: false,
        placeholder: false,
        lines: 1,
    },
    Expected {
        file: "shopify_orders_create__hkd_draft_auto_fixed_entitled.json",
        topic: "orders/create",
        shopify_id: "6200354537772",
        number: "1069",
        currency: "HKD",
        amount: "304",
        cancelled: false,
        placeholder: false,
        lines: 3,
    },
    Expected {
        file: "shopify_orders_create__hkd_draft_percentage_across_all.json",
        topic: "orders/create",
        shopify_id: "6200407294252",
        number: "1071",
        currency: "HKD",
        amount: "186.9",
        cancelled: false,
        placeholder: false,
        lines: 2,
    },
    Expected {
        file: "shopify_orders_create__inr_cod_partial_payment.json",
        topic: "orders/create",
        shopify_id: "6718829691190",
        number: "7677",
        currency: "INR",
        amount: "12709",
        cancelled: false,
        placeholder: false,
        lines: 2,
    },
    Expected {
        file: "shopify_orders_create__test_notification_ids_over_2p53.json",
        topic: "orders/create",
        shopify_id: "820982911946154508",
        number: "1234",
        currency: "USD",
        amount: "403",
        cancelled: true,
        placeholder: false,
        lines: 2,
    },
    Expected {
        file: "shopify_orders_fulfilled__inr_gift_card.json",
        topic: "orders/fulfilled",
        shopify_id: "5361240244438",
        number: "1003",
        currency: "INR",
        amount: "10",
        cancelled: false,
        placeholder: true,
        lines: 1,
    },
    Expected {
        file: "shopify_orders_paid__usd_tracking_note_attributes.json",
        topic: "orders/paid",
        shopify_id: "5778367414385",
        number: "1017",
        currency: "USD",
        amount: "600",
        cancelled: false,
        placeholder: true,
        lines: 1,
    },
];

async fn landed(stack: &Stack, store: Store, order_id: &str) -> Outcome<Value> {
    let query = "select o.tableoid::regclass::text as partition, o.store, o.shopify_order_id::text as shopify_id,
            o.shopify_order_gid as gid, o.shopify_order_number as number, o.currency,
            trim_scale(o.total_amount)::text as amount, o.cancelled_at is not null as cancelled, o.placeholder,
            o.stage, (select count(*) from public.order_line_items l where (l.store, l.order_id) = (o.store, o.id)) as lines
        from public.orders o where o.store = $1 and o.id = $2";
    stack.db().await?.row(query, &[&store.key, &order_id]).await
}

#[tokio::test]
async fn every_order_lands_with_its_id_currency_and_amount() -> Outcome {
    let stack = Stack::up().await?;
    for expected in &ORDERS {
        let delivery = Delivery::new(BANNOS, expected.topic, fixture(expected.file)?);
        let answer = delivery.send_until_taken(&stack).await?;
        let order_id = format!("bannos-{}", expected.number);
        assert_eq!(
            (answer.status, answer.str("/data/order_id")),
            (200, order_id.as_str()),
            "{} {}",
            expected.file,
            answer.text
        );
        assert_eq!(
            landed(&stack, BANNOS, &order_id).await?,
            json!({
                "partition": "orders_bannos", "store": "bannos", "shopify_id": expected.shopify_id,
                "gid": format!("gid://shopify/Order/{}", expected.shopify_id), "number": expected.number,
                "currency": expected.currency, "amount": expected.amount, "cancelled": expected.cancelled,
                "placeholder": expected.placeholder, "stage": "Filling", "lines": expected.lines
            }),
            "{}",
            expected.file
        );
    }
    Ok(())
}

#[tokio::test]
async fn the_same_payloads_under_other_ids_land_in_the_other_store() -> Outcome {
    let stack = Stack::up().await?;
    for expected in &ORDERS {
        let order = Order::from_fixture(expected.file)?;
        Delivery::new(FLOURLANE, expected.topic, order.bytes()).deliver(&stack).await?;
        let row = landed(&stack, FLOURLANE, &order.order_id(FLOURLANE)).await?;
        assert_eq!(row["partition"], "orders_flourlane", "{}", expected.file);
        assert_eq!(row["shopify_id"], order.id.to_string(), "{}", expected.file);
        assert_eq!(
            (&row["currency"], &row["amount"]),
            (&json!(expected.currency), &json!(expected.amount)),
            "{}",
            expected.file
        );
    }
    Ok(())
}

#[tokio::test]
async fn what_the_kitchen_reads_comes_out_of_a_cake_order() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::from_fixture("shopify_orders_create__aud_cake_gelato_minimal.json")?;
    Delivery::new(BANNOS, "orders/create", order.bytes()).deliver(&stack).await?;
    let query = "select product_title, flavour, due_date::text as due_date, delivery_method, notes from public.orders where id = $1";
    let row = stack.db().await?.row(query, &[&order.order_id(BANNOS)]).await?;
    assert_eq!(row["product_title"], "Gelato Cake");
    for read in ["flavour", "due_date", "delivery_method", "notes"] {
        assert!(row[read].is_string(), "{read}: {row}");
    }
    Ok(())
}

#[tokio::test]
async fn payloads_that_are_no_snapshot_are_taken_too() -> Outcome {
    let stack = Stack::up().await?;
    for (file, topic) in [
        ("shopify_orders_edited__sample.json", "orders/edited"),
        ("shopify_refunds_create__cad_pos_card_present_return.json", "refunds/create"),
        ("shopify_inventory_levels_update__available_null.json", "inventory_levels/update"),
        ("shopify_customers_data_request__sample.json", "customers/data_request"),
        ("shopify_customers_redact__sample.json", "customers/redact"),
        ("shopify_shop_redact__sample.json", "shop/redact"),
        ("shopify_app_uninstalled__sample.json", "app/uninstalled"),
    ] {
        let delivery = Delivery::new(COMPLIANCE, topic, fixture(file)?);
        let answer = delivery.send_until_taken(&stack).await?;
        assert_eq!((answer.status, answer.at("/ok")), (200, &Value::Bool(true)), "{file} {}", answer.text);
        let again = delivery.send_until_taken(&stack).await?;
        assert_eq!((again.status, again.str("/data/outcome")), (200, "duplicate"), "{file} {}", again.text);
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_topic_is_stored_and_ignored() -> Outcome {
    let stack = Stack::up().await?;
    let delivery =
        Delivery::new(COMPLIANCE, "themes/publish", format!(r#"{{"id": 1, "name": "{}"}}"#, unique()));
    let answer = delivery.send_until_taken(&stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "ignored"), "{}", answer.text);
    let like = format!("%{}%", delivery.webhook_id);
    let stored =
        stack.db().await?.count("select from public.event_store where external_id like $1", &[&like]).await?;
    assert_eq!(stored, 1);
    Ok(())
}
