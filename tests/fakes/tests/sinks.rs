//! What chat, error tracking, analytics and e-mail take and refuse, and what the ledger says of it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::{Value, json};
use support::Fakes;

const ENVELOPE: &str = "/sentry/api/42/envelope/";
const EVENT: &str = "9ec79c33ec9942ab8353589fcb2e04dc";

async fn post(fakes: &Fakes, path: &str, headers: &[(&str, &str)], body: impl Into<String>) -> (u16, Value) {
    let mut request = fakes.client.post(format!("{}{path}", fakes.url)).body(body.into());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let (status, text) = (response.status().as_u16(), response.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

async fn effects(fakes: &Fakes, upstream: &str) -> Vec<Value> {
    let effects = fakes.get(&format!("/_effects?upstream={upstream}")).await;
    effects["effects"].as_array().unwrap().clone()
}

#[tokio::test]
async fn slack_takes_a_text_and_tells_it_as_often_as_it_comes() {
    let fakes = Fakes::start().await;
    let message = json!({"text": "the oven is cold"}).to_string();
    for _ in 0..2 {
        let answer = post(&fakes, "/slack/alerts", &[("idempotency-key", "a")], message.clone()).await;
        assert_eq!(answer, (200, json!("ok")));
    }
    for (body, why) in [("plain", "invalid_payload"), ("[]", "invalid_payload"), ("{}", "no_text")] {
        assert_eq!(post(&fakes, "/slack/alerts", &[], body).await, (400, json!(why)), "{body}");
    }
    let told = effects(&fakes, "slack").await;
    assert_eq!(told.len(), 2);
    assert_eq!((&told[0]["key"], &told[0]["detail"]["text"]), (&json!("a"), &json!("the oven is cold")));
}

#[tokio::test]
async fn an_email_is_sent_once_a_key() {
    let fakes = Fakes::start().await;
    let email =
        json!({"from": "Ordak <o@ordak.example>", "to": "m@shop.example", "subject": "s", "text": "t"});
    let headers = [("authorization", "Bearer re_123"), ("idempotency-key", "k")];
    let first = post(&fakes, "/email/emails", &headers, email.to_string()).await;
    assert_eq!(first.0, 200);
    assert!(first.1["id"].is_string());
    assert_eq!(post(&fakes, "/email/emails", &headers, email.to_string()).await, first);
    let mut other = email.clone();
    other["subject"] = json!("another");
    let (status, body) = post(&fakes, "/email/emails", &headers, other.to_string()).await;
    assert_eq!((status, &body["name"]), (409, &json!("invalid_idempotent_request")));
    assert_eq!(effects(&fakes, "email").await.len(), 1);
    let no_key = [("authorization", "Bearer re_123")];
    post(&fakes, "/email/emails", &no_key, email.to_string()).await;
    assert_eq!(effects(&fakes, "email").await.len(), 2);
}

#[tokio::test]
async fn an_email_that_makes_no_sense_is_refused() {
    let fakes = Fakes::start().await;
    let good =
        json!({"from": "o@ordak.example", "to": ["m@shop.example"], "subject": "s", "html": "<p>t</p>"});
    let bearer = [("authorization", "Bearer re_123")];
    for (field, value, name) in [
        ("from", Value::Null, "missing_required_field"),
        ("to", json!([]), "missing_required_field"),
        ("subject", json!(" "), "missing_required_field"),
        ("html", Value::Null, "missing_required_field"),
        ("to", json!(["nobody"]), "validation_error"),
        ("from", json!("Ordak"), "validation_error"),
        ("to", json!(vec!["m@shop.example"; 51]), "validation_error"),
    ] {
        let mut email = good.clone();
        email[field] = value;
        let (status, body) = post(&fakes, "/email/emails", &bearer, email.to_string()).await;
        assert_eq!((status, &body["name"]), (422, &json!(name)), "{field}: {body}");
    }
    assert_eq!(post(&fakes, "/email/emails", &bearer, "x").await.0, 422);
    assert_eq!(post(&fakes, "/email/emails", &[], good.to_string()).await.0, 401);
    let wrong = [("authorization", "Bearer sk_1")];
    assert_eq!(post(&fakes, "/email/emails", &wrong, good.to_string()).await.0, 403);
    assert_eq!(post(&fakes, "/email/other", &bearer, good.to_string()).await.0, 404);
    let long = "k".repeat(257);
    let headers = [("authorization", "Bearer re_123"), ("idempotency-key", long.as_str())];
    assert_eq!(post(&fakes, "/email/emails", &headers, good.to_string()).await.0, 400);
    assert!(effects(&fakes, "email").await.is_empty());
}

#[tokio::test]
async fn analytics_take_batches_and_single_events_once_a_uuid() {
    let fakes = Fakes::start().await;
    let event = |name: &str| json!({"event": name, "distinct_id": "bannos", "uuid": format!("u-{name}"), "properties": {}});
    let batch = json!({"api_key": "phc_1", "batch": [event("scan"), event("print")]}).to_string();
    for _ in 0..2 {
        assert_eq!(post(&fakes, "/posthog/batch/", &[], batch.clone()).await.0, 200);
    }
    let one = json!({"api_key": "phc_1", "event": "assign", "properties": {"distinct_id": "bannos"}});
    for path in ["/posthog/capture/", "/posthog/i/v0/e/"] {
        assert_eq!(post(&fakes, path, &[], one.to_string()).await.0, 200, "{path}");
    }
    assert_eq!(effects(&fakes, "posthog").await.len(), 4);
    for (body, status) in [
        (json!({"batch": [event("scan")]}), 401),
        (json!({"api_key": "phx_1", "batch": [event("scan")]}), 401),
        (json!({"api_key": "phc_1", "batch": []}), 400),
        (json!({"api_key": "phc_1", "batch": [{"event": "", "distinct_id": "a"}]}), 400),
        (json!({"api_key": "phc_1", "batch": [{"event": "scan"}]}), 400),
        (
            json!({"api_key": "phc_1", "batch": [{"event": "scan", "distinct_id": "a", "timestamp": "now"}]}),
            400,
        ),
    ] {
        assert_eq!(post(&fakes, "/posthog/batch/", &[], body.to_string()).await.0, status, "{body}");
    }
    assert_eq!(post(&fakes, "/posthog/elsewhere/", &[], batch).await.0, 404);
}

fn envelope(header: Value, item: Value, payload: &str) -> String {
    format!("{header}\n{item}\n{payload}\n")
}

#[tokio::test]
async fn an_envelope_is_taken_and_its_event_counts_once() {
    let fakes = Fakes::start().await;
    let event = json!({
        "event_id": EVENT, "level": "error", "platform": "other", "timestamp": "2026-11-21T00:00:00Z",
        "exception": {"values": [{"type": "Fault", "value": "the oven is cold"}]}
    })
    .to_string();
    let auth = [("x-sentry-auth", "Sentry sentry_version=7, sentry_client=ordak/1, sentry_key=abc")];
    let told = json!({"type": "event", "length": event.len()});
    let body = envelope(json!({"event_id": EVENT, "sent_at": "2026-11-21T00:00:00Z"}), told, &event);
    for _ in 0..2 {
        assert_eq!(post(&fakes, ENVELOPE, &auth, body.clone()).await, (200, json!({"id": EVENT})));
    }
    // Without a length, with another way to say who sends, with dashes, with an item that is no event.
    let other = "9ec79c33-ec99-42ab-8353-589fcb2e04dd";
    let event = json!({"message": "the oven is cold"}).to_string();
    let head = json!({"event_id": other, "dsn": "https://abc@sentry.example/42"});
    let body = envelope(head, json!({"type": "event"}), &event) + "{\"type\":\"client_report\"}\n{}\n\n";
    assert_eq!(post(&fakes, ENVELOPE, &[], body).await.0, 200);
    let taken = effects(&fakes, "sentry").await;
    let kinds: Vec<&str> = taken.iter().map(|effect| effect["operation"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["event", "event", "client_report"]);
    assert_eq!(taken[0]["detail"]["exception"][0]["value"], "the oven is cold");
    assert_eq!(taken[1]["key"], "9ec79c33ec9942ab8353589fcb2e04dd");
}

#[tokio::test]
async fn an_envelope_that_is_none_is_refused() {
    let fakes = Fakes::start().await;
    let query = format!("{ENVELOPE}?sentry_key=abc");
    let (head, item) = (json!({"event_id": EVENT}), json!({"type": "event"}));
    let good = json!({"message": "m"}).to_string();
    for body in [
        String::new(),
        "{}".to_owned(),
        "no json\n".to_owned(),
        envelope(json!({}), item.clone(), &good),
        envelope(json!({"event_id": "7"}), item.clone(), &good),
        envelope(json!({"event_id": EVENT, "sent_at": "now"}), item.clone(), &good),
        envelope(head.clone(), json!({}), &good),
        envelope(head.clone(), json!({"type": "event", "length": 3}), &good),
        envelope(head.clone(), json!({"type": "event", "length": 900}), &good),
        envelope(head.clone(), item.clone(), "x"),
        envelope(head.clone(), item.clone(), "{}"),
        envelope(head.clone(), item.clone(), &json!({"message": "m", "level": "loud"}).to_string()),
        envelope(head.clone(), item.clone(), &json!({"message": "m", "timestamp": "now"}).to_string()),
        envelope(head.clone(), item.clone(), &json!({"exception": {"values": "x"}}).to_string()),
        envelope(
            head.clone(),
            item.clone(),
            &json!({"message": "m", "event_id": "0".repeat(32)}).to_string(),
        ),
    ] {
        assert_eq!(post(&fakes, &query, &[], body.clone()).await.0, 400, "{body}");
    }
    let body = envelope(head, item, &good);
    assert_eq!(post(&fakes, ENVELOPE, &[], body.clone()).await.0, 403);
    assert_eq!(post(&fakes, "/sentry/api/42/store/", &[], body.clone()).await.0, 404);
    assert_eq!(post(&fakes, &query, &[], "x".repeat(1024 * 1024 + 1)).await.0, 413);
    assert!(effects(&fakes, "sentry").await.is_empty());
    assert_eq!(post(&fakes, &query, &[], body).await.0, 200);
}

#[tokio::test]
async fn every_sink_can_fail_in_every_way_and_heals() {
    let fakes = Fakes::start().await;
    let email = json!({"from": "o@a.b", "to": "m@a.b", "subject": "s", "text": "t"}).to_string();
    let event = json!({"api_key": "phc_1", "event": "scan", "distinct_id": "a"}).to_string();
    let report =
        envelope(json!({"event_id": EVENT}), json!({"type": "event"}), &json!({"message": "m"}).to_string());
    let query = format!("{ENVELOPE}?sentry_key=abc");
    let modes = fakes.get("/_modes").await["modes"].as_array().unwrap().clone();
    assert!(modes.len() >= 20);
    for (upstream, path, body) in [
        ("slack", "/slack/alerts", json!({"text": "t"}).to_string()),
        ("email", "/email/emails", email),
        ("posthog", "/posthog/capture/", event),
        ("sentry", query.as_str(), report),
    ] {
        for mode in &modes {
            fakes
                .post("/_faults", json!({"upstream": upstream, "mode": mode, "delay_ms": 1, "bytes": 100}))
                .await;
            let request = fakes.client.post(format!("{}{path}", fakes.url)).body(body.clone());
            // Whatever becomes of it: it ends.
            let _broken = request.header("authorization", "Bearer re_1").send().await;
            assert_eq!(post(&fakes, path, &[("authorization", "Bearer re_1")], body.clone()).await.0, 200);
        }
    }
}
