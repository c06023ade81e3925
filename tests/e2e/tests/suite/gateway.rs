//! The one door: unknown paths, request ids, other origins, schedules.

use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, CLOCK};
use ordak_e2e::unique;
use reqwest::Method;
use serde_json::{Value, json};

/// One of the origins that the local stack lets in.
const KIOSK: &str = "http://localhost:5173";
const SCAN: &str = "/functions/v1/stage-actions/scan";

#[tokio::test]
async fn unknown_paths_are_not_found_in_json() -> Outcome {
    let stack = Stack::up().await?;
    for path in [
        "/",
        "/nope",
        "/functions/v1",
        "/functions/v1/",
        "/functions/v1/nope",
        "/functions/v1/queue_worker",
        "/functions/v2/order-ingest",
        "/edge",
        "/edge/health/more",
        "/rest/v1/orders",
        "/functions/v1/%2e%2e/order-ingest/%00",
        "//functions/v1/order-ingest",
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = Answer::to(stack.request(method.clone(), path)).await?;
            assert_eq!(
                (answer.status, answer.at("/ok")),
                (404, &Value::Bool(false)),
                "{method} {path}: {}",
                answer.text
            );
            assert!(answer.header("content-type").starts_with("application/json"), "{method} {path}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_request_id_is_echoed_or_made() -> Outcome {
    let stack = Stack::up().await?;
    let ask = |id: Option<&str>| {
        let request = stack.request(Method::GET, "/nope");
        Answer::to(match id {
            Some(id) => request.header("X-Request-Id", id),
            None => request,
        })
    };
    let given = unique();
    assert_eq!(ask(Some(&given)).await?.header("x-request-id"), given);
    let (first, second) = (ask(None).await?, ask(None).await?);
    assert!(!first.header("x-request-id").is_empty());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let long = "x".repeat(5_000);
    for odd in ["<script>", "a b", "a\tb", "\"quoted\"", long.as_str()] {
        let answer = ask(Some(odd)).await?;
        let made = answer.header("x-request-id");
        assert!(!made.is_empty() && made != odd, "{odd:.20} came back as {made:.20}");
    }
    Ok(())
}

#[tokio::test]
async fn every_kind_of_answer_carries_a_request_id() -> Outcome {
    let stack = Stack::up().await?;
    let id = unique();
    for (method, path, status) in [
        (Method::GET, "/edge/health", 200),
        (Method::POST, "/functions/v1/order-ingest", 401),
        (Method::GET, "/functions/v1/order-ingest", 405),
        (Method::POST, SCAN, 401),
        (Method::POST, "/functions/v1/queue-worker", 401),
        (Method::GET, "/nope", 404),
    ] {
        let answer = Answer::to(stack.request(method.clone(), path).header("X-Request-Id", &id)).await?;
        assert_eq!(
            (answer.status, answer.header("x-request-id")),
            (status, id.as_str()),
            "{method} {path}: {}",
            answer.text
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_kiosk_may_call_from_its_origin_and_nobody_else() -> Outcome {
    let stack = Stack::up().await?;
    let preflight = |origin: &str| {
        Answer::to(
            stack
                .request(Method::OPTIONS, SCAN)
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST")
                .header("Access-Control-Request-Headers", "authorization, content-type, apikey"),
        )
    };
    let allowed = preflight(KIOSK).await?;
    assert!([200, 204].contains(&allowed.status), "{}", allowed.status);
    assert_eq!(allowed.header("access-control-allow-origin"), KIOSK);
    assert!(allowed.header("access-control-allow-methods").contains("POST"));
    let headers = allowed.header("access-control-allow-headers").to_lowercase();
    for header in ["authorization", "content-type", "apikey"] {
        assert!(headers.contains(header), "{header}: {headers}");
    }
    assert!(allowed.header("vary").to_lowercase().contains("origin"), "{}", allowed.header("vary"));
    for stranger in
        ["https://evil.example", "http://localhost:5174", "null", "http://localhost:5173.evil.example"]
    {
        let refused = preflight(stranger).await?;
        assert_eq!(refused.header("access-control-allow-origin"), "", "{stranger}");
    }
    let request = stack.request(Method::POST, SCAN).header("Origin", KIOSK).json(&json!({}));
    let answer = Answer::to(request).await?;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (401, KIOSK),
        "errors must be readable too"
    );
    Ok(())
}

#[tokio::test]
async fn the_clock_drains_the_queue() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let item = store::stock(&stack, CLOCK, 42).await?;
    // Written past the functions, so that nothing but the clock wakes the worker for it.
    let payload = json!({"sku": item.sku});
    let statement = "insert into public.work_queue (topic, store, payload, dedupe_key) values ('inventory_push', $1, $2, $3)";
    db.execute(statement, &[&CLOCK.key, &payload, &item.sku]).await?;
    let fired =
        Answer::to(stack.request(Method::GET, "/__scheduled").query(&[("cron", "* * * * *")])).await?;
    assert_eq!(fired.status, 200, "{}", fired.text);
    eventually("the level at Shopify", async || {
        let level = stack.shopify_level(CLOCK, &item).await?;
        Ok(if level == Some(42) { Ok(()) } else { Err(format!("{level:?}")) })
    })
    .await
}
