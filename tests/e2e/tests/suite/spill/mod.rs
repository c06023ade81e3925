//! The database is away: what Shopify brings is refused, or waits in a queue and is taken in when the database is back.

pub mod door;
pub mod standing;

use door::Way;
use ordak_e2e::delivery::{Delivery, sign};
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{BANNOS, ROTATION, Store};
use ordak_e2e::{Outcome, unique};
use serde_json::{Value, json};
use standing::Standing;

/// Events of a delivery.
async fn events(stack: &Stack, delivery: &Delivery) -> Outcome<usize> {
    let query = "select 1 from public.event_store where external_id like '%/' || $1";
    stack.db().await?.count(query, &[&delivery.webhook_id]).await
}

/// Why the consumer puts off what is not signed by the store, whether or not the database is there.
const UNVERIFIED: &str = "the signature is not verified any more";

/// Puts a delivery into the queue. One that the queue took unheard, as may happen when it is slow, is in there twice.
pub async fn spilled(standing: &Standing, delivery: &Delivery) -> Outcome {
    let answer = delivery.send_until_heard(&standing.stack).await?;
    assert_eq!((answer.status, answer.str("/data/outcome")), (200, "spilled"), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn without_a_queue_shopify_has_to_come_again() -> Outcome {
    let stack = Stack::up().await?;
    let standing = Standing::without_queue(&stack).await?;
    let delivery = Delivery::new(BANNOS, "orders/create", Order::simple()?.bytes());
    for way in [Way::Refusing, Way::Silent] {
        standing.door.turn(way);
        // A silent door says nothing ever: an answer is what the worker has not waited for. That its limits are below
        // Shopify's is a test of its own, beside them.
        let answer = delivery.send(&standing.stack).await?;
        assert_eq!((answer.status, answer.str("/code")), (503, "UNAVAILABLE"), "{way:?}: {}", answer.text);
    }
    assert_eq!(events(&stack, &delivery).await?, 0);
    standing.door.turn(Way::Open);
    assert_eq!(delivery.send(&standing.stack).await?.str("/data/outcome"), "created");
    Ok(())
}

#[tokio::test]
async fn a_delivery_waits_until_the_database_is_back() -> Outcome {
    let stack = Stack::up().await?;
    let standing = Standing::with_queue(&stack).await?;
    for (round, way) in [Way::Refusing, Way::Silent].into_iter().enumerate() {
        standing.door.turn(way);
        let order = Order::simple()?;
        let delivery = Delivery::new(BANNOS, "orders/create", order.bytes());
        spilled(&standing, &delivery).await?;
        // Shopify has not seen the answer and comes again.
        spilled(&standing, &delivery).await?;
        assert_eq!(
            events(&stack, &delivery).await?,
            0,
            "{way:?}: nothing is stored while the database is away"
        );

        standing.door.turn(Way::Open);
        standing.says("created", round + 1).await?;
        standing.says("duplicate", round + 1).await?;
        assert_eq!(events(&stack, &delivery).await?, 1, "{way:?}: once, however often it came");
        let query = "select stage, placeholder from public.orders where id = $1";
        let row = stack.db().await?.row(query, &[&order.order_id(BANNOS)]).await?;
        assert_eq!(row, json!({"stage": "Filling", "placeholder": false}));
        assert_eq!(delivery.send(&standing.stack).await?.str("/data/outcome"), "duplicate");
    }
    Ok(())
}

#[tokio::test]
async fn what_was_stored_unheard_is_taken_once() -> Outcome {
    let stack = Stack::up().await?;
    let standing = Standing::with_queue(&stack).await?;
    let delivery = Delivery::new(BANNOS, "orders/create", Order::simple()?.bytes());
    standing.door.turn(Way::Mute);
    spilled(&standing, &delivery).await?;
    assert_eq!(events(&stack, &delivery).await?, 1, "the database had it all along");
    standing.door.turn(Way::Open);
    standing.says("duplicate", 1).await?;
    assert_eq!(events(&stack, &delivery).await?, 1);
    Ok(())
}

#[tokio::test]
async fn the_order_in_which_the_queue_gives_them_back_is_irrelevant() -> Outcome {
    let stack = Stack::up().await?;
    let standing = Standing::with_queue(&stack).await?;
    standing.door.turn(Way::Refusing);
    let mut order = Order::simple()?;
    let create = Delivery::new(BANNOS, "orders/create", order.bytes());
    order.set("updated_at", json!("2027-01-02T10:00:00+11:00")).set("note", json!("ring twice"));
    let update = Delivery::new(BANNOS, "orders/updated", order.bytes());
    order
        .set("updated_at", json!("2027-01-03T10:00:00+11:00"))
        .set("cancelled_at", json!("2027-01-03T10:00:00+11:00"));
    let cancel = Delivery::new(BANNOS, "orders/cancelled", order.bytes());
    for delivery in [&cancel, &create, &update, &create, &cancel] {
        spilled(&standing, delivery).await?;
    }
    standing.door.turn(Way::Open);
    standing.says("duplicate", 2).await?;
    let query =
        "select notes like '%ring twice%' as updated, placeholder, cancelled_at is not null as cancelled
        from public.orders where id = $1";
    let row = eventually("all three", async || {
        let mut stored = 0;
        for delivery in [&create, &update, &cancel] {
            stored += events(&stack, delivery).await?;
        }
        let row = stack.db().await?.maybe_row(query, &[&order.order_id(BANNOS)]).await?.unwrap_or_default();
        Ok(if stored == 3 { Ok(row) } else { Err(format!("{stored} events, {row}")) })
    })
    .await?;
    assert_eq!(row, json!({"updated": true, "placeholder": false, "cancelled": true}));
    for delivery in [create, update, cancel] {
        assert_eq!(events(&stack, &delivery).await?, 1);
    }
    Ok(())
}

#[tokio::test]
async fn only_what_is_verified_and_fits_waits() -> Outcome {
    let stack = Stack::up().await?;
    let standing = Standing::with_queue(&stack).await?;
    standing.door.turn(Way::Refusing);
    let mut order = Order::simple()?;
    let forged = Delivery::new(BANNOS, "orders/create", order.bytes()).signed_by("another secret");
    assert_eq!(forged.send(&standing.stack).await?.status, 401);
    order.set("note", json!("x".repeat(128_000)));
    let long = Delivery::new(BANNOS, "orders/create", order.bytes());
    let answer = long.send(&standing.stack).await?;
    assert_eq!((answer.status, answer.str("/code")), (503, "UNAVAILABLE"), "{}", answer.text);
    // A store with a secret of its own takes nothing that another secret signed; who stands for the store is known to
    // the database alone.
    let misdirected = Delivery::new(ROTATION, "orders/create", Order::simple()?.bytes());
    spilled(&standing, &misdirected).await?;
    // No text, and no JSON either.
    let bytes =
        Delivery::new(BANNOS, "orders/create", unique().bytes().chain([0xff, 0]).collect::<Vec<u8>>());
    spilled(&standing, &bytes).await?;

    standing.door.turn(Way::Open);
    standing.says("UNAUTHENTICATED", 1).await?;
    standing.says("dead_letter", 1).await?;
    for delivery in [&forged, &long, &misdirected, &bytes] {
        assert_eq!(events(&stack, delivery).await?, 0);
    }
    assert_eq!(letters(&stack, &misdirected.webhook_id).await?, Vec::<Value>::new());
    let letters = letters(&stack, &bytes.webhook_id).await?;
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!((&letters[0]["encoding"], &letters[0]["store"]), (&json!("base64"), &json!(BANNOS.key)));
    // What is put off for the database's sake alone is one of the two.
    let mut strange = standing.queued();
    strange.retain(|line| match line["outcome"].as_str() {
        Some("UNAUTHENTICATED" | "dead_letter") => false,
        Some("put_off") => line["error"] == UNVERIFIED,
        _ => true,
    });
    assert_eq!(strange, [] as [Value; 0], "nothing else was in the queue");
    Ok(())
}

/// Dead letters that hold a text or were made of a delivery.
async fn letters(stack: &Stack, text: &str) -> Outcome<Vec<Value>> {
    let query = "select source, store, reason, encoding, body from public.dead_letters
        where external_id like '%' || $1 or body like '%' || $1 || '%' order by id";
    stack.db().await?.rows(query, &[&text]).await
}

/// A message as order-ingest writes it, for a delivery that carries this signature.
pub fn message(store: Store, body: &str, signature: &str) -> String {
    let headers = json!({
        "x-shopify-hmac-sha256": signature, "x-shopify-shop-domain": store.domain(), "x-shopify-topic": "orders/create",
        "x-shopify-webhook-id": unique()
    });
    format!("{}\n{body}", json!({"encoding": "utf8", "headers": headers}))
}

#[tokio::test]
async fn poison_ends_as_a_dead_letter_and_stops_nobody() -> Outcome {
    let stack = Stack::up().await?;
    let mut standing = Standing::with_queue(&stack).await?;
    let (garbage, forged) = (unique(), unique());
    let order = Order::simple()?;
    let body = String::from_utf8(order.bytes())?;
    standing.door.turn(Way::Refusing);
    standing.inject(&garbage).await?;
    standing.inject(&message(BANNOS, &json!({"id": forged}).to_string(), &sign(b"{}", "no secret"))).await?;
    standing.inject(&message(BANNOS, &body, &sign(body.as_bytes(), &stack.webhook_secret))).await?;
    standing.says("put_off", 3).await?;
    standing.door.turn(Way::Open);

    standing.says("created", 1).await?;
    standing.says("dead_letter", 2).await?;
    for (poison, reason) in [(&garbage, "the message is not a delivery"), (&forged, UNVERIFIED)] {
        let letters = letters(&stack, poison).await?;
        assert_eq!(letters.len(), 1, "{letters:?}");
        let letter = &letters[0];
        assert_eq!((&letter["source"], &letter["reason"]), (&json!("spill"), &json!(reason)));
        assert_eq!(letter["store"], Value::Null, "what it says of itself is not verified");
    }
    Ok(())
}
