//! Who may not, and what is wrong: a status, a sentence that names it, and nothing written.

use super::{PATH, Supplier, post, process};
use ordak_e2e::answer::Answer;
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use ordak_e2e::{Outcome, token};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

/// The documented form of an error, and the status.
fn refused(answer: &Answer, status: u16, names: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    let keys: Vec<&String> = answer.json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["error", "timestamp"], "{}", answer.text);
    assert!(answer.str("/error").contains(names), "{names}: {}", answer.text);
    let timestamp = answer.str("/timestamp");
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z') && timestamp.contains('T'), "{timestamp}");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

#[tokio::test]
async fn only_the_service_role_and_admins_get_in() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 10).await?;
    let former = token::hs256(&token::claims(&stack.supabase_url, token::FORMER), &stack.jwt_secret);
    let nobody = token::hs256(&token::claims(&stack.supabase_url, token::NOBODY), &stack.jwt_secret);
    let forged = token::hs256(
        &token::claims(&stack.supabase_url, token::STAFF_BANNOS),
        "another secret of 32 characters at least",
    );
    let bare = Answer::to(stack.request(Method::POST, PATH).json(&json!({"jobType": "orchestrate"}))).await?;
    refused(&bare, 401, "service key or a valid user token");
    let jobs =
        [json!({"jobType": "orchestrate"}), json!({"jobType": "process-order", "data": supplier.order(1)})];
    for job in &jobs {
        for key in ["garbage", &stack.anon_key, &forged] {
            refused(&post(&stack, key, job).await?, 401, "service key or a valid user token");
        }
        for key in [&stack.staff_bannos, &stack.supervisor_bannos, &former, &nobody] {
            refused(&post(&stack, key, job).await?, 403, "Admin");
        }
    }
    let count = "select 1 from public.production_batches where product_category = $1";
    assert_eq!(db.count(count, &[&supplier.category]).await?, 0);
    let answer = post(&stack, &stack.admin, &jobs[1]).await?;
    assert_eq!((answer.status, answer.at("/success")), (200, &json!(true)), "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_is_named_and_nothing_is_written() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let with = |field: &str, value: Value| {
        let mut data = supplier.order(1);
        data[field] = value;
        data
    };
    for (body, names) in [
        (json!({}), "jobType"),
        (json!({"jobType": "fill"}), "jobType"),
        (json!({"jobType": null}), "jobType"),
        (json!([]), "JSON object"),
        (json!({"jobType": "process-order"}), "data"),
        (json!({"jobType": "process-order", "data": 7}), "data"),
    ] {
        refused(&post(&stack, &stack.service_key, &body).await?, 400, names);
    }
    for (data, status, names) in [
        (
            json!({}),
            400,
            "productCategory is missing; productVariantBase is missing; quantity is missing; styleDetails is missing; buyerId is missing",
        ),
        (with("productCategory", json!(7)), 400, "productCategory"),
        (with("productVariantBase", json!("")), 400, "productVariantBase"),
        (with("quantity", json!(0)), 400, "quantity"),
        (with("quantity", json!(-3)), 400, "quantity"),
        (with("quantity", json!(1.5)), 400, "quantity"),
        (with("quantity", json!("12")), 400, "quantity"),
        (with("quantity", json!(101)), 400, "quantity is larger than any batch takes, which is 100"),
        (with("quantity", json!(3_000_000_000_u64)), 400, "quantity"),
        (with("styleDetails", json!("gold")), 400, "styleDetails"),
        (with("styleDetails", json!({"colour": "red"})), 400, "styleDetails"),
        (with("buyerId", json!("somebody")), 400, "buyerId"),
        (with("buyerId", json!("00000000-0000-4000-8000-00000000ffff")), 404, "buyer"),
        (with("store", json!("nowhere")), 404, "store"),
        (with("orderGid", json!("1")), 400, "orderGid"),
        (with("productCategory", json!("nobody makes this")), 409, "no active supplier"),
        (with("colour", json!("red")), 400, "colour"),
    ] {
        refused(&process(&stack, data).await?, status, names);
    }
    let count = "select 1 from public.production_batches where product_category = $1";
    assert_eq!(db.count(count, &[&supplier.category]).await?, 0);
    Ok(())
}

#[tokio::test]
async fn other_methods_paths_and_bodies_are_refused_in_the_same_form() -> Outcome {
    let stack = Stack::up().await?;
    let get = Answer::to(stack.request(Method::GET, PATH).bearer_auth(&stack.service_key)).await?;
    refused(&get, 405, "POST");
    assert_eq!(get.header("allow"), "POST");
    let below = stack.request(Method::POST, &format!("{PATH}/orchestrate")).bearer_auth(&stack.service_key);
    refused(&Answer::to(below).await?, 404, "nothing");
    for body in [
        "",
        "{",
        "{\"jobType\":\"orchestrate\"",
        "\u{0}",
        "{\"jobType\":\"process-order\",\"data\":{\"buyerId\":\"\\u0000\"}}",
    ] {
        let request = stack.request(Method::POST, PATH).bearer_auth(&stack.service_key).body(body);
        refused(&Answer::to(request).await?, 400, "the body");
    }
    let huge = format!("{{\"jobType\":\"orchestrate\",\"x\":\"{}\"}}", "x".repeat(70_000));
    let request = stack.request(Method::POST, PATH).bearer_auth(&stack.service_key).body(huge);
    refused(&Answer::to(request).await?, 413, "64 KiB");
    Ok(())
}

#[tokio::test]
async fn pages_of_any_origin_may_ask() -> Outcome {
    let stack = Stack::up().await?;
    let preflight = stack
        .request(Method::OPTIONS, PATH)
        .header("Origin", "https://planner.example.com")
        .header("Access-Control-Request-Method", "POST");
    let answer = Answer::to(preflight).await?;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (204, "https://planner.example.com")
    );
    let headers = answer.header("access-control-allow-headers").to_lowercase();
    for name in ["authorization", "apikey", "content-type"] {
        assert!(headers.contains(name), "{headers}");
    }
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    let plain = Answer::to(stack.request(Method::OPTIONS, PATH)).await?;
    assert_eq!((plain.status, plain.header("access-control-allow-origin")), (204, "*"));
    let request = stack.request(Method::POST, PATH).header("Origin", "https://planner.example.com");
    let answer = Answer::to(request).await?;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (401, "https://planner.example.com")
    );
    Ok(())
}

/// The function alone, with one setting changed; `null` leaves it out.
async fn alone(stack: &Stack, setting: &str, value: Value) -> Outcome<Answer> {
    let mut bindings = super::settings(stack);
    match value {
        Value::Null => bindings.as_object_mut().unwrap().remove(setting),
        value => bindings.as_object_mut().unwrap().insert(setting.to_owned(), value),
    };
    let lone = Lone::start("batch-processor", &bindings).await?;
    let request = lone.request(Method::POST, "batch-processor").bearer_auth(&stack.service_key);
    Answer::to(request.json(&json!({"jobType": "orchestrate"}))).await
}

#[tokio::test]
async fn a_missing_setting_is_named_in_the_same_form() -> Outcome {
    let stack = Stack::up().await?;
    for setting in ["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET"] {
        let answer = alone(&stack, setting, Value::Null).await?;
        refused(&answer, 500, setting);
        assert!(answer.str("/error").starts_with("MISCONFIGURED: "), "{}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn a_database_that_is_away_is_told_in_the_same_form() -> Outcome {
    let stack = Stack::up().await?;
    // Nobody listens, and nobody else can come to: the port is held until this is over.
    let held = TcpSocket::new_v4()?;
    held.bind(([127, 0, 0, 1], 0).into())?;
    let url = format!("http://{}", held.local_addr()?);
    let answer = alone(&stack, "SUPABASE_URL", json!(url)).await?;
    refused(&answer, 503, "try again");
    Ok(())
}
