//! Sentry and PostHog are told what they are to know and nothing else, and whatever becomes of the telling, nobody who
//! asked something of Ordak can see it. Functions run alone: what one isolate tells in a minute has a bound.

use axum::Router;
use axum::extract::State;
use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::sign;
use ordak_e2e::desk::Desk;
use ordak_e2e::kitchen::{hired, ingested, scan_id};
use ordak_e2e::lone::Lone;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, BANNOS};
use ordak_e2e::{Outcome, unique};
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;

/// What one isolate tells Sentry in a minute at most.
const ERRORS_A_MINUTE: usize = 20;

fn settings(stack: &Stack, more: &Value) -> Value {
    let mut all = json!({
        "SUPABASE_URL": stack.supabase_url, "SUPABASE_ANON_KEY": stack.anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": stack.service_key, "SUPABASE_JWT_SECRET": stack.jwt_secret,
        "SUPABASE_JWT_ALGORITHMS": "HS256", "SHOPIFY_WEBHOOK_SECRET": stack.webhook_secret
    });
    if let (Some(all), Some(more)) = (all.as_object_mut(), more.as_object()) {
        all.extend(more.clone());
    }
    all
}

/// A Sentry that is the fakes'.
fn sentry(stack: &Stack) -> Value {
    let dsn = format!("{}/sentry/1", stack.fakes_url.replacen("://", "://public@", 1));
    json!({"SENTRY_DSN": dsn, "SENTRY_ENVIRONMENT": "e2e"})
}

fn fresh_id() -> String {
    format!(
        "telemetry-{}",
        uuid::Uuid::new_v4().simple().to_string().replace(|c: char| c.is_ascii_digit(), "x")
    )
}

/// A webhook that nobody can read: it becomes a dead letter, and Sentry hears of it.
async fn unreadable(lone: &Lone, stack: &Stack, id: &str, text: &str) -> Outcome<Answer> {
    let request = lone.request(Method::POST, "order-ingest").header("x-request-id", id);
    let signed = request
        .header("x-shopify-hmac-sha256", sign(text.as_bytes(), &stack.webhook_secret))
        .header("x-shopify-shop-domain", BANNOS.domain())
        .header("x-shopify-topic", "orders/create")
        .header("x-shopify-webhook-id", unique())
        .body(text.to_owned());
    Answer::to(signed).await
}

/// What is the same in every such answer.
fn essence(answer: &Answer) -> Value {
    json!([answer.status, answer.at("/ok"), answer.at("/data/outcome"), answer.at("/data/event_id")])
}

#[tokio::test]
async fn a_webhook_that_failed_reaches_sentry_and_names_nobody() -> Outcome {
    let stack = Stack::up().await?;
    let lone = Lone::start("order-ingest", &settings(&stack, &sentry(&stack))).await?;
    let (id, person) = (fresh_id(), unique());
    let text = format!("{{ {person} of {person}@example.com, +61400000001");
    assert_eq!(unreadable(&lone, &stack, &id, &text).await?.status, 200);
    let call = eventually("a word to Sentry", async || {
        let calls = stack.calls("sentry", &id).await?;
        Ok(calls.into_iter().find(|call| call["status"] == 200).ok_or_else(|| "no call".to_owned()))
    })
    .await?;
    let lines: Vec<Value> =
        call["body"].as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let event = &lines[2];
    assert_eq!(
        (&event["level"], &event["logger"], &event["environment"], &event["tags"]["outcome"]),
        (&json!("warning"), &json!("order-ingest"), &json!("e2e"), &json!("dead_letter")),
        "{event}"
    );
    assert_eq!(event["exception"]["values"][0]["value"], "the body is not JSON");
    assert!(call["headers"]["x-sentry-auth"].as_str().unwrap().contains("sentry_key=public"));
    let whole = call.to_string();
    for private in [person.as_str(), "61400000001", stack.service_key.as_str(), stack.webhook_secret.as_str()]
    {
        assert!(!whole.contains(private), "{whole}");
    }
    Ok(())
}

/// Nobody reports what has killed its workers: whoever claims next is told, and tells.
#[tokio::test]
async fn work_that_dies_of_its_lease_reaches_sentry() -> Outcome {
    let stack = Stack::up().await?;
    let (db, store) = (stack.db().await?, store::fresh(&stack).await?);
    let desk = Desk::open(&stack, store).await?;
    let work = desk.enqueue("email", &json!({"kind": "test"}), &unique()).await?;
    let leased = "update public.work_queue set status = 'processing', locked_by = 'who is no more',
            retry_count = max_retries - 1, next_retry_at = now(), lease_until = 'infinity' where id = $1";
    db.execute(leased, &[&work]).await?;
    let mut bindings = desk.bindings();
    bindings["SENTRY_DSN"] = sentry(&stack)["SENTRY_DSN"].clone();
    let (lone, id) = (Lone::start("queue-worker", &bindings).await?, fresh_id());
    let request = lone.request(Method::POST, "queue-worker").header("x-request-id", &id);
    let answer =
        Answer::to(request.header("apikey", &stack.service_key).bearer_auth(&stack.service_key)).await?;
    assert_eq!((answer.status, answer.at("/data/dead")), (200, &json!(1)), "{}", answer.text);
    let call = eventually("a word to Sentry", async || {
        let calls = stack.calls("sentry", &id).await?;
        Ok(calls.into_iter().find(|call| call["status"] == 200).ok_or_else(|| "no call".to_owned()))
    })
    .await?;
    let said = call["body"].as_str().unwrap();
    assert!(said.contains("gave_up") && said.contains("email: its lease ran out"), "{said}");
    let letters = "select 1 from public.dead_letters where work_id = $1";
    assert_eq!(db.count(letters, &[&work]).await?, 1);
    Ok(())
}

#[tokio::test]
async fn whatever_sentry_does_the_answer_is_the_same() -> Outcome {
    let stack = Stack::up().await?;
    let off = Lone::start("order-ingest", &settings(&stack, &json!({}))).await?;
    let wrong =
        Lone::start("order-ingest", &settings(&stack, &json!({"SENTRY_DSN": "sentry.example"}))).await?;
    let expected = json!([200, true, "ignored", null]);
    for lone in [&off, &wrong] {
        let answer = unreadable(lone, &stack, &fresh_id(), "{").await?;
        assert_eq!(essence(&answer), expected, "{}", answer.text);
    }
    let on = Lone::start("order-ingest", &settings(&stack, &sentry(&stack))).await?;
    for mode in
        ["hang", "500", "reset_before_body", "reset_mid_body", "html_200", "redirect", "revoked_token", "429"]
    {
        let id = fresh_id();
        stack.plan_fault(&json!({"upstream": "sentry", "match": id, "mode": mode, "count": 1})).await?;
        let answer = unreadable(&on, &stack, &id, "{").await?;
        assert_eq!(essence(&answer), expected, "{mode}: {}", answer.text);
        eventually("the fault", async || {
            let calls = stack.calls("sentry", &id).await?;
            Ok(if calls.iter().any(|call| call["fault"] == mode) {
                Ok(())
            } else {
                Err(format!("{mode}: {calls:?}"))
            })
        })
        .await?;
    }
    let id = fresh_id();
    unreadable(&on, &stack, &id, "{").await?;
    assert!(stack.calls("sentry", &id).await?.is_empty(), "after a 429 it is left alone for a while");
    Ok(())
}

/// How long a call that nobody answers is held at least: only then is it given up.
const HELD_FOR: Duration = Duration::from_secs(2);

/// Takes calls and answers none; knows how many there were.
#[derive(Clone, Default)]
struct Held(Arc<AtomicUsize>);

impl Held {
    async fn open(&self) -> Outcome<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let app = Router::new().fallback(hold).with_state(self.clone());
        tokio::spawn(async move {
            // Ends with the test.
            let _never = axum::serve(listener, app).await;
        });
        Ok(url)
    }

    fn arrived(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

async fn hold(State(held): State<Held>) {
    held.0.fetch_add(1, Ordering::SeqCst);
    std::future::pending::<()>().await;
}

/// Whether an answer is there while the call must still be held. Tried some times: a machine may be slow for so long as
/// well; were the answer to wait for the call, none could come before.
async fn is_held_when_answered(held: &Held, ask: impl AsyncFn() -> Outcome<Answer>) -> Outcome<bool> {
    for _ in 0..8 {
        let (arrived, asked) = (held.arrived(), Instant::now());
        ask().await?;
        let took = asked.elapsed();
        eventually("a call", async || {
            Ok(if held.arrived() > arrived { Ok(()) } else { Err("none".to_owned()) })
        })
        .await?;
        if took < HELD_FOR {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test]
async fn nobody_waits_for_a_sentry_that_hangs() -> Outcome {
    let (stack, held) = (Stack::up().await?, Held::default());
    let dsn = format!("{}/1", held.open().await?.replacen("://", "://public@", 1));
    let lone = Lone::start("order-ingest", &settings(&stack, &json!({"SENTRY_DSN": dsn}))).await?;
    let ask = async || unreadable(&lone, &stack, &fresh_id(), "{").await;
    assert!(is_held_when_answered(&held, ask).await?, "the answer waits for Sentry");
    Ok(())
}

#[tokio::test]
async fn nobody_waits_for_a_posthog_that_hangs() -> Outcome {
    let (stack, held) = (Stack::up().await?, Held::default());
    let more = json!({"POSTHOG_HOST": held.open().await?, "POSTHOG_API_KEY": "phc_e2e"});
    let lone = Lone::start("stage-actions", &settings(&stack, &more)).await?;
    let order = ingested(&stack, BANNOS).await?;
    let ask = async || {
        let scan = json!({"scan": order.order_id(BANNOS), "scan_id": scan_id()});
        let request = lone.request(Method::POST, "stage-actions/scan").bearer_auth(&stack.staff_bannos);
        let answer = Answer::to(request.json(&scan)).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Ok(answer)
    };
    assert!(is_held_when_answered(&held, ask).await?, "the answer waits for PostHog");
    Ok(())
}

#[tokio::test]
async fn what_staff_do_is_told_under_a_pseudonym() -> Outcome {
    let stack = Stack::up().await?;
    let key = format!("phc_{}", unique());
    let more = json!({"POSTHOG_HOST": format!("{}/posthog", stack.fakes_url), "POSTHOG_API_KEY": key});
    let lone = Lone::start("stage-actions", &settings(&stack, &more)).await?;
    let (person, order) = (hired(&stack, "Supervisor", BANNOS).await?, ingested(&stack, BANNOS).await?);
    let act = async |action: &str, body: Value| {
        let request = lone.request(Method::POST, &format!("stage-actions/{action}"));
        Answer::to(request.bearer_auth(&person.token).json(&body)).await
    };
    let id = order.order_id(BANNOS);
    assert_eq!(act("handle_print_barcode", json!({"id": id})).await?.status, 200);
    assert_eq!(act("scan", json!({"scan": id, "scan_id": scan_id()})).await?.status, 200);
    assert_eq!(act("assign_staff", json!({"id": id, "staff_id": person.id})).await?.status, 200);
    assert_eq!(act("set_storage", json!({"id": id, "storage": "A1"})).await?.status, 200);
    assert_eq!(act("scan", json!({"scan": "nothing-1", "scan_id": scan_id()})).await?.status, 404);
    let calls = eventually("four events", async || {
        let calls = stack.calls("posthog", &key).await?;
        let taken = calls.iter().filter(|call| call["status"] == 200).count();
        Ok(if taken == 4 { Ok(calls) } else { Err(format!("{calls:?}")) })
    })
    .await?;
    let mut events: Vec<(String, bool)> = Vec::new();
    for call in &calls {
        let batch = call["body"]["batch"].as_array().unwrap();
        assert_eq!(batch.len(), 1, "{call}");
        assert_eq!(batch[0]["distinct_id"], calls[0]["body"]["batch"][0]["distinct_id"], "one person");
        let ok = batch[0]["properties"]["ok"].as_bool().unwrap();
        events.push((batch[0]["event"].as_str().unwrap().to_owned(), ok));
        let text = call.to_string();
        for private in [person.id.as_str(), person.token.as_str(), id.as_str(), "Supervisor of"] {
            assert!(!text.contains(private), "{text}");
        }
    }
    events.sort();
    let event = |name: &str, ok| (name.to_owned(), ok);
    assert_eq!(
        events,
        [
            event("label printed", true),
            event("order assigned", true),
            event("order scanned", false),
            event("order scanned", true)
        ]
    );
    Ok(())
}

#[tokio::test]
async fn a_storm_of_errors_is_told_a_few_times() -> Outcome {
    const STORM: usize = 200;
    let stack = Stack::up().await?;
    let lone = Lone::start("order-ingest", &settings(&stack, &sentry(&stack))).await?;
    let (id, started) = (fresh_id(), Instant::now());
    for _ in 0..STORM {
        assert_eq!(unreadable(&lone, &stack, &id, "{").await?.status, 200);
    }
    let windows = started.elapsed().as_secs() as usize / 60 + 2;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let told = stack.calls("sentry", &id).await?.len();
    assert!((1..=ERRORS_A_MINUTE * windows).contains(&told), "{told} of {STORM}");
    Ok(())
}

#[tokio::test]
async fn a_thousand_faults_are_one_message_for_each_kind_and_store() -> Outcome {
    const FAULTS: usize = 1000;
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let stores = [store::bare(&db).await?, store::bare(&db).await?];
    let raise = async |number: usize| {
        let kind = if number % 4 < 2 { "storm_a" } else { "storm_b" };
        let arguments = json!({"p_store": stores[number % 2].key, "p_kind": kind, "p_text": "a storm"});
        stack.rpc(&stack.service_key, "raise_alert", &arguments).await.map(|answer| answer.status)
    };
    for chunk in (0..FAULTS).collect::<Vec<_>>().chunks(20) {
        for status in futures_util::future::join_all(chunk.iter().map(|number| raise(*number))).await {
            assert_eq!(status?, 200);
        }
    }
    for store in stores {
        let query = "select 1 from public.work_queue where store = $1 and topic = 'slack_alert'";
        assert_eq!(db.count(query, &[&store.key]).await?, 2, "one of each kind in {}", store.key);
        eventually("two messages", async || {
            stack.drain().await?;
            let messages = stack.slack_messages(store).await?.len();
            Ok(if messages == 2 { Ok(()) } else { Err(format!("{messages} messages")) })
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_email_leaves_once_under_its_key() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let store = store::bare(&db).await?;
    let arguments = json!({"p_store": store.key, "p_email": "kitchen@example.com"});
    let answer = stack.rpc(&stack.service_key, "set_alert_email", &arguments).await?;
    assert_eq!(answer.at("/ok"), true, "{}", answer.text);
    for _ in 0..3 {
        let sql = "select private.enqueue_email($1, 'orders_escalated', '{\"orders\": 2}', 'one')::text";
        db.written(sql, &[&store.key]).await?;
    }
    let calls = eventually("an e-mail", async || {
        stack.drain().await?;
        let calls = stack.calls("email", store.key).await?;
        Ok(if calls.is_empty() { Err("none".to_owned()) } else { Ok(calls) })
    })
    .await?;
    assert_eq!(calls.len(), 1, "{calls:?}");
    let call = &calls[0];
    assert_eq!(call["headers"]["idempotency-key"], format!("orders_escalated/{}/one", store.key));
    assert_eq!(call["body"]["to"], json!(["kitchen@example.com"]));
    assert!(call["body"]["text"].as_str().unwrap().ends_with("orders: 2"), "{call}");
    let query = "select status from public.work_queue where store = $1 and topic = 'email'";
    eventually("done", async || {
        let row = db.row(query, &[&store.key]).await?;
        Ok(if row["status"] == "done" { Ok(()) } else { Err(row.to_string()) })
    })
    .await
}
