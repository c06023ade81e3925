//! Without an address of Slack or a key for e-mails alerts and e-mails are no work at all: they fail nothing, hold up nothing and do not pile up.
//!
//! The worker under test runs alone, beside the stack's own that has such an address. So that neither takes what is the
//! other's, the alerts of this test are not due, and a desk before the database hands them to this worker alone.

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use ordak_e2e::answer::Answer;
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use ordak_e2e::{Failure, Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// More than a claim takes.
const ALERTS: i32 = 250;

/// As `claim_work` claims, but only alerts of one store, due or not.
const CLAIM: &str = "with taken as (
        update public.work_queue w set
            status = 'processing', locked_at = now(), locked_by = $2, lease_until = now() + interval '60 seconds', fence = w.fence + 1
        where w.id in (
            select q.id from public.work_queue q
            where q.store = $1 and q.topic in ('slack_alert', 'email') and q.status in ('pending', 'error') order by q.id limit 100
        )
        returning w.*
    )
    select coalesce(jsonb_agg(jsonb_build_object(
        'id', t.id, 'topic', t.topic, 'store', t.store, 'shop_domain', $1::text || '.myshopify.com', 'payload', t.payload,
        'dedupe_key', t.dedupe_key, 'fence', t.fence, 'attempt', t.retry_count + 1, 'lease_until', t.lease_until,
        'context', null
    )), '[]'::jsonb)::text from taken t";

#[derive(Clone)]
struct Desk {
    stack: Stack,
    shop: Store,
}

async fn serve(State(desk): State<Desk>, request: Request) -> Response {
    desk.answer(request)
        .await
        .unwrap_or_else(|why| (StatusCode::BAD_GATEWAY, format!("{why:?}")).into_response())
}

impl Desk {
    async fn open(stack: &Stack, shop: Store) -> Outcome<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(serve).with_state(Self { stack: stack.clone(), shop });
        tokio::spawn(async move {
            // Ends with the test.
            let _never = axum::serve(listener, app).await;
        });
        Ok(url)
    }

    async fn answer(&self, request: Request) -> Outcome<Response> {
        let path = request.uri().path().to_owned();
        let body = to_bytes(request.into_body(), 16 * 1024 * 1024)
            .await
            .map_err(|error| Failure::new(error.to_string()))?;
        if path.ends_with("/rpc/claim_work") {
            let claim: Value = serde_json::from_slice(&body)?;
            let worker = claim["p_worker"].as_str().unwrap_or_default();
            let items = self.stack.db().await?.written(CLAIM, &[&self.shop.key, &worker]).await?;
            let items: Value = serde_json::from_str(&items)?;
            return Ok(
                Json(json!({"ok": true, "data": {"items": items}, "already_done": false})).into_response()
            );
        }
        let key = &self.stack.service_key;
        let passed = self.stack.http.post(format!("{}{path}", self.stack.supabase_url)).header("apikey", key);
        let answer =
            passed.bearer_auth(key).header("content-type", "application/json").body(body).send().await?;
        let status = answer.status();
        let json = [(header::CONTENT_TYPE, "application/json")];
        Ok((status, json, Body::from(answer.bytes().await?)).into_response())
    }
}

#[tokio::test]
async fn without_settings_alerts_and_emails_are_done_at_once_and_nobody_is_asked() -> Outcome {
    let stack = Stack::up().await?;
    let (db, shop) = (stack.db().await?, store::fresh(&stack).await?);
    let statement = "insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at)
        select case when n % 2 = 0 then 'email' else 'slack_alert' end, $1,
            jsonb_build_object('kind', 'test', 'text', 'the oven is cold', 'to', 'kitchen@example.com'), $1::text || '/' || n,
            now() + interval '1 hour'
        from generate_series(1, $2::int) n";
    db.execute(statement, &[&shop.key, &ALERTS]).await?;
    let desk = Desk::open(&stack, shop).await?;
    // A wrong address is as good as none, and no reason for anything else to fail.
    let bindings = json!({
        "SUPABASE_URL": desk, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key, "SLACK_WEBHOOK_URL": "no address"
    });
    let lone = Lone::start("queue-worker", &bindings).await?;
    let request = lone.request(Method::POST, "queue-worker").header("apikey", &stack.service_key);
    let answer = Answer::to(request.bearer_auth(&stack.service_key)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    for (figure, wanted) in [("claimed", ALERTS), ("done", ALERTS), ("retried", 0), ("dead", 0)] {
        assert_eq!(answer.at(&format!("/data/{figure}")), wanted, "one drain: {}", answer.text);
    }
    let query = "select status, count(*)::int as items, max(retry_count) as tries, max(last_error) as error
        from public.work_queue where store = $1 group by status";
    let rows = db.rows(query, &[&shop.key]).await?;
    assert_eq!(rows, [json!({"status": "done", "items": ALERTS, "tries": 0, "error": null})]);
    assert_eq!(stack.slack_messages(shop).await?.len(), 0, "whom did it tell?");
    Ok(())
}
