//! Who may deliver: nobody without the right signature over these very bytes.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE};
use ordak_e2e::Outcome;
use ordak_e2e::delivery::{Delivery, mac, sign};
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{BANNOS, ROTATION};

/// Answered 401 in our own words, and nothing of it was kept.
async fn refused(stack: &Stack, delivery: &Delivery, why: &str) -> Outcome {
    let answer = delivery.send(stack).await?;
    assert_eq!((answer.status, answer.str("/code")), (401, "UNAUTHENTICATED"), "{why}: {}", answer.text);
    assert!(!answer.header("x-request-id").is_empty(), "{why}");
    let like = format!("%{}%", delivery.webhook_id);
    let query = "select external_id from public.event_store where external_id like $1
        union all select external_id from public.dead_letters where external_id like $1";
    assert_eq!(stack.db().await?.count(query, &[&like]).await?, 0, "{why}: stored");
    Ok(())
}

#[tokio::test]
async fn refuses_a_wrong_signature_and_keeps_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let delivery = || Delivery::new(BANNOS, "orders/create", order.bytes());
    refused(&stack, &delivery().signed_by("another secret"), "another secret").await?;
    refused(&stack, &delivery().signed_by(""), "empty secret").await?;
    refused(&stack, &delivery().unsigned(), "no signature").await?;
    let found = stack
        .db()
        .await?
        .count("select from public.orders where shopify_order_gid = $1", &[&order.gid()])
        .await?;
    assert_eq!(found, 0);
    Ok(())
}

#[tokio::test]
async fn refuses_odd_forms_of_the_right_signature() -> Outcome {
    let stack = Stack::up().await?;
    // A body whose signature has characters in which the alphabets differ.
    let (order, right) = (0..)
        .map(|n| {
            let mut order = Order::simple().unwrap();
            order.set("note", n.into());
            let right = sign(&order.bytes(), &stack.webhook_secret);
            (order, right)
        })
        .find(|(_, right)| right.contains('+') || right.contains('/'))
        .unwrap();
    let raw = mac(&order.bytes(), stack.webhook_secret.as_bytes());
    let hex: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
    let odd: [(&str, Vec<u8>); 11] = [
        ("empty", Vec::new()),
        ("hexadecimal", hex.into_bytes()),
        ("url-safe alphabet", URL_SAFE.encode(&raw).into_bytes()),
        ("without padding", STANDARD_NO_PAD.encode(&raw).into_bytes()),
        ("one byte short", STANDARD.encode(&raw[..31]).into_bytes()),
        ("one byte long", STANDARD.encode([&raw[..], &[0]].concat()).into_bytes()),
        ("twice", format!("{right}{right}").into_bytes()),
        ("in a list", format!("{right}, {right}").into_bytes()),
        ("with its algorithm", format!("sha256={right}").into_bytes()),
        ("in upper case", right.to_uppercase().into_bytes()),
        ("not ASCII", [right.as_bytes(), &[0xff, 0xfe]].concat()),
    ];
    for (why, header) in odd {
        let delivery = Delivery::new(BANNOS, "orders/create", order.bytes()).with_signature(header);
        refused(&stack, &delivery, why).await?;
    }
    Ok(())
}

#[tokio::test]
async fn refuses_a_signature_of_other_bytes() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let pretty = serde_json::to_vec_pretty(&order.payload)?;
    let compact = sign(&order.bytes(), &stack.webhook_secret);
    let delivery = Delivery::new(BANNOS, "orders/create", pretty).with_signature(compact.clone());
    refused(&stack, &delivery, "the same JSON, written otherwise").await?;
    let longer = [order.bytes(), b" ".to_vec()].concat();
    let delivery = Delivery::new(BANNOS, "orders/create", longer).with_signature(compact);
    refused(&stack, &delivery, "one more space").await
}

#[tokio::test]
async fn a_signature_is_checked_before_anything_else_is_looked_at() -> Outcome {
    let stack = Stack::up().await?;
    let delivery = Delivery::new(BANNOS, "orders/create", "not JSON").signed_by("another secret");
    refused(&stack, &delivery, "not JSON").await?;
    let delivery =
        Delivery::new(BANNOS, "orders/create", "{}").from_shop("nobody.myshopify.com").signed_by("x");
    refused(&stack, &delivery, "unknown shop").await?;
    let delivery = Delivery::new(BANNOS, "orders/create", Vec::new()).unsigned();
    refused(&stack, &delivery, "nothing at all").await
}

#[tokio::test]
async fn every_secret_of_a_rotation_is_accepted() -> Outcome {
    let stack = Stack::up().await?;
    assert_eq!(
        stack.rotation_secrets.len(),
        2,
        "the test stack gives this store a new secret and an old one"
    );
    for secret in &stack.rotation_secrets {
        let order = Order::simple()?;
        let answer =
            Delivery::new(ROTATION, "orders/create", order.bytes()).signed_by(secret).send(&stack).await?;
        assert_eq!((answer.status, answer.str("/data/outcome")), (200, "created"), "{}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_secret_of_ones_own_replaces_the_shared_one_and_opens_no_other_store() -> Outcome {
    let stack = Stack::up().await?;
    let order = Order::simple()?;
    let shared = Delivery::new(ROTATION, "orders/create", order.bytes());
    refused(&stack, &shared, "the shared secret at a store with its own").await?;
    for secret in &stack.rotation_secrets {
        let elsewhere = Delivery::new(BANNOS, "orders/create", order.bytes()).signed_by(secret);
        refused(&stack, &elsewhere, "the own secret of another store").await?;
    }
    Ok(())
}
