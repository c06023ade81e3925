//! Rightly signed bodies that nobody means: kept or put aside, never an error of ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ordak_e2e::Outcome;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::BANNOS;
use ordak_e2e::unique_number;
use serde_json::{Value, json};

const LIMIT: usize = 5 * 1024 * 1024;

/// Answered 200, and kept: as an event that was applied, or byte for byte as a dead letter.
async fn kept(stack: &Stack, what: &str, body: Vec<u8>) -> Outcome {
    kept_as(stack, what, Delivery::new(BANNOS, "orders/create", body)).await
}

async fn kept_as(stack: &Stack, what: &str, delivery: Delivery) -> Outcome {
    let answer = delivery.send_until_taken(stack).await?;
    assert_eq!((answer.status, answer.at("/ok")), (200, &Value::Bool(true)), "{what}: {}", answer.text);
    let like = format!("%{}%", delivery.webhook_id);
    let query = "select processed_at is not null as applied, null as body, null as encoding
            from public.event_store where external_id like $1
        union all select null, body, encoding from public.dead_letters where external_id like $1";
    let row = stack.db().await?.row(query, &[&like]).await?;
    let letter = row["body"].as_str().unwrap_or_default();
    let whole = match row["encoding"].as_str() {
        None => row["applied"] == true,
        Some("base64") => STANDARD.decode(letter)? == delivery.body,
        Some("json") => {
            serde_json::from_str::<Value>(letter)? == serde_json::from_slice::<Value>(&delivery.body)?
        }
        Some(_) => letter.as_bytes() == delivery.body,
    };
    assert!(whole, "{what}: kept as {:.300}", row.to_string());
    let again = delivery.send_until_taken(stack).await?;
    assert_eq!(again.status, 200, "{what}, again: {}", again.text);
    Ok(())
}

/// An order with `note` written as the given raw JSON.
fn noted(raw: &[u8]) -> Vec<u8> {
    let mut order = Order::simple().unwrap();
    order.set("note", json!("<note>"));
    let text = order.payload.to_string();
    let (before, after) = text.split_once("\"<note>\"").unwrap();
    [before.as_bytes(), raw, after.as_bytes()].concat()
}

#[tokio::test]
async fn text_that_postgres_or_json_cannot_hold() -> Outcome {
    let stack = Stack::up().await?;
    kept(&stack, "NUL escape", noted(br#""a\u0000b""#)).await?;
    kept(&stack, "raw NUL", noted(b"\"a\0b\"")).await?;
    kept(&stack, "lone high surrogate", noted(br#""\ud800""#)).await?;
    kept(&stack, "lone low surrogate", noted(br#""\udfff x""#)).await?;
    kept(&stack, "bad UTF-8", noted(b"\"\xff\xfe\xc3\x28\"")).await?;
    kept(&stack, "byte order mark", [b"\xef\xbb\xbf".to_vec(), noted(b"null")].concat()).await?;
    kept(&stack, "raw line break in a text", noted(b"\"a\nb\"")).await?;
    kept(&stack, "NUL in a key", noted(br#"{"a\u0000": 1}"#)).await
}

#[tokio::test]
async fn numbers_that_no_type_can_hold() -> Outcome {
    let stack = Stack::up().await?;
    for number in ["1e400", "-1e400", "1e-400", "99999999999999999999999999999999999999", "-0", "0.1e1"] {
        kept(&stack, number, noted(number.as_bytes())).await?;
    }
    for field in ["id", "order_number", "total_price", "current_total_price"] {
        let odd = [
            "1e400",
            "-1",
            "0",
            "1.5",
            "9223372036854775808",
            "\"many\"",
            "\"\"",
            "[]",
            "{}",
            "true",
            "null",
        ];
        for value in odd {
            let mut order = Order::simple()?;
            order.set(field, json!("<odd>"));
            let text = order.payload.to_string().replace("\"<odd>\"", value);
            kept(&stack, &format!("{field} = {value}"), text.into_bytes()).await?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn lines_that_make_no_sense() -> Outcome {
    let stack = Stack::up().await?;
    let lines = [
        json!(null),
        json!("none"),
        json!({}),
        json!([null, 1, "x", []]),
        json!([{}]),
        json!([{"quantity": -3, "sku": "X"}]),
        json!([{"quantity": 99_999_999_999_u64, "sku": "X"}]),
        json!([{"quantity": 1.5, "sku": 7, "price": {"amount": 1}, "properties": "none"}]),
        json!([{"quantity": "2", "sku": "X", "price": "a lot", "properties": [{"name": null, "value": null}, 3]}]),
        json!([{"id": 1, "quantity": 1}, {"id": 1, "quantity": 2}]),
    ];
    for wanted in lines {
        let mut order = Order::simple()?;
        order.set("line_items", wanted.clone());
        kept(&stack, &wanted.to_string(), order.bytes()).await?;
    }
    let line = json!({"id": 1, "sku": "NOT-TRACKED", "quantity": 1, "price": "1.00", "title": "Cake"});
    let many: Vec<Value> = (0..10_000)
        .map(|n| {
            let mut line = line.clone();
            line["id"] = json!(n + 1);
            line
        })
        .collect();
    let mut order = Order::simple()?;
    order.set("line_items", many.into());
    kept(&stack, "10 000 lines", order.bytes()).await
}

#[tokio::test]
async fn dates_and_parties_that_make_no_sense() -> Outcome {
    let stack = Stack::up().await?;
    for (field, value) in [
        ("updated_at", json!("yesterday")),
        ("updated_at", json!(1_700_000_000)),
        ("updated_at", json!("9999-99-99T99:99:99Z")),
        ("updated_at", json!("+275760-09-13T00:00:00Z")),
        ("cancelled_at", json!("soon")),
        ("customer", json!([])),
        ("customer", json!({"first_name": 7})),
        ("shipping_address", json!("Sydney")),
        ("note_attributes", json!([{"name": "Local Delivery Date and Time", "value": "31 February 2026"}])),
        ("note_attributes", json!({"a": 1})),
        ("tags", json!(["DEL: 2026-13-45"])),
        ("currency", json!("a currency of considerable length")),
        ("presentment_currency", json!(5)),
        ("financial_status", json!({})),
        ("admin_graphql_api_id", json!("gid://shopify/Order/'; drop table orders; --")),
        ("order_number", json!("../../etc/passwd")),
        ("name", json!("x".repeat(100_000))),
    ] {
        let mut order = Order::simple()?;
        order.set(field, value.clone());
        kept(&stack, &format!("{field} = {:.60}", value.to_string()), order.bytes()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn documents_that_are_no_order() -> Outcome {
    let stack = Stack::up().await?;
    for body in
        ["", " ", "null", "true", "42", "\"order\"", "[]", "{}", "{", "{}{}", "{\"id\": 1,}", "\u{1}\u{2}"]
    {
        // The content is the key of what has no id of its own: make it differ from run to run.
        let pad = " ".repeat(usize::try_from(unique_number(1_000))?);
        kept(&stack, body, format!("{body}{pad}").into_bytes()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn depth_without_end_and_keys_without_number() -> Outcome {
    let stack = Stack::up().await?;
    for depth in [127, 128, 100_000] {
        let nested = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        kept(&stack, &format!("depth {depth}"), noted(nested.as_bytes())).await?;
    }
    let keys: Vec<String> = (0..300_000).map(|n| format!("\"{n}\":0")).collect();
    kept(&stack, "300 000 keys", noted(format!("{{{}}}", keys.join(",")).as_bytes())).await?;
    let mut order = Order::simple()?;
    let other = unique_number(10_000_000_000_000);
    order.set("twice", json!("<twice>"));
    let twice = order.payload.to_string().replace("\"twice\":\"<twice>\"", &format!("\"id\":{other}"));
    kept(&stack, "duplicate keys", twice.into_bytes()).await
}

#[tokio::test]
async fn more_than_five_mebibytes_is_too_much_however_it_is_sent() -> Outcome {
    let stack = Stack::up().await?;
    let padded = |size: usize| {
        let mut body = Order::simple().unwrap().bytes();
        body.resize(size, b' ');
        body
    };
    for chunked in [false, true] {
        let shape = |size: usize| {
            let delivery = Delivery::new(BANNOS, "orders/create", padded(size));
            if chunked { delivery.chunked() } else { delivery }
        };
        let delivery = shape(LIMIT + 1);
        let answer = delivery.send(&stack).await?;
        assert_eq!(
            (answer.status, answer.at("/ok")),
            (413, &Value::Bool(false)),
            "chunked: {chunked} {}",
            answer.text
        );
        let like = format!("%{}%", delivery.webhook_id);
        let query = "select external_id from public.event_store where external_id like $1
            union all select external_id from public.dead_letters where external_id like $1";
        assert_eq!(stack.db().await?.count(query, &[&like]).await?, 0);
        let answer = shape(LIMIT).send_until_taken(&stack).await?;
        // A duplicate of itself when the answer to the first came too late.
        let taken = matches!(answer.str("/data/outcome"), "created" | "duplicate");
        assert!(answer.status == 200 && taken, "chunked: {chunked} {:.300}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn headers_that_shopify_never_leaves_out_may_be_missing() -> Outcome {
    let stack = Stack::up().await?;
    let delivery = || Delivery::new(BANNOS, "orders/create", Order::simple().unwrap().bytes());
    kept_as(&stack, "no shop", delivery().from_shop("")).await?;
    kept_as(&stack, "no topic", Delivery { topic: String::new(), ..delivery() }).await?;
    kept_as(&stack, "long shop", delivery().from_shop(&"x".repeat(4_000))).await?;
    kept_as(&stack, "long topic", Delivery { topic: "x".repeat(4_000), ..delivery() }).await
}

#[tokio::test]
async fn a_compressed_body_is_not_unpacked() -> Outcome {
    let stack = Stack::up().await?;
    // An empty gzip stream, and noise that makes it unique.
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let body = [&head[..], ordak_e2e::unique().as_bytes()].concat();
    let delivery = Delivery { encoding: "gzip".to_owned(), ..Delivery::new(BANNOS, "orders/create", body) };
    kept_as(&stack, "gzip", delivery).await
}
