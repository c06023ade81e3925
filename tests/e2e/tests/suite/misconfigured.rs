//! A function that lacks a setting says which, and does nothing else. The running stack has all of them, so each
//! function runs here alone, with one variable left out.

use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use reqwest::Method;
use serde_json::{Value, json};

fn settings(stack: &Stack) -> Value {
    json!({
        "SUPABASE_URL": stack.supabase_url, "SUPABASE_ANON_KEY": stack.anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": stack.service_key, "SUPABASE_JWT_SECRET": stack.jwt_secret,
        "SUPABASE_JWT_ALGORITHMS": "HS256", "SHOPIFY_WEBHOOK_SECRET": stack.webhook_secret,
        "SHOPIFY_ADMIN_TOKEN": "token", "CREDENTIALS_KEY": stack.credentials_key
    })
}

/// What the function answers to a POST when it runs alone with these settings.
async fn alone(function: &str, path: &str, bindings: &Value) -> Outcome<Answer> {
    let lone = Lone::start(function, bindings).await?;
    Answer::to(lone.request(Method::POST, path).json(&json!({}))).await
}

async fn names_what_is_missing(function: &str, path: &str, variables: &[&str]) -> Outcome {
    let stack = Stack::up().await?;
    for missing in variables {
        let mut bindings = settings(&stack);
        bindings.as_object_mut().unwrap().remove(*missing);
        let answer = alone(function, path, &bindings).await?;
        let text = &answer.text;
        assert_eq!(
            (answer.status, answer.str("/code")),
            (500, "MISCONFIGURED"),
            "{function} without {missing}: {text}"
        );
        assert!(text.contains(missing), "{function} without {missing}: {text}");
        for value in bindings.as_object().unwrap().values().filter_map(Value::as_str) {
            assert!(value == "HS256" || !text.contains(value), "{function} tells a setting: {text}");
        }
    }
    let answer = alone(function, path, &settings(&stack)).await?;
    assert_ne!(answer.str("/code"), "MISCONFIGURED", "{function}: {} {}", answer.status, answer.text);
    Ok(())
}

#[tokio::test]
async fn order_ingest_names_what_is_missing() -> Outcome {
    let variables = ["SHOPIFY_WEBHOOK_SECRET", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"];
    names_what_is_missing("order-ingest", "order-ingest", &variables).await
}

#[tokio::test]
async fn stage_actions_names_what_is_missing() -> Outcome {
    let variables = ["SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_JWT_SECRET"];
    names_what_is_missing("stage-actions", "stage-actions/scan", &variables).await
}

#[tokio::test]
async fn queue_worker_names_what_is_missing() -> Outcome {
    names_what_is_missing("queue-worker", "queue-worker", &["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"])
        .await
}

#[tokio::test]
async fn settings_names_what_is_missing() -> Outcome {
    let variables = ["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET", "CREDENTIALS_KEY"];
    names_what_is_missing("settings", "settings/credentials", &variables).await
}

#[tokio::test]
async fn a_key_that_is_no_key_is_named_and_not_told() -> Outcome {
    let stack = Stack::up().await?;
    for function in ["settings", "queue-worker", "gap-repair"] {
        let mut bindings = settings(&stack);
        bindings["CREDENTIALS_KEY"] = json!("k1:dG9vIHNob3J0");
        let answer = alone(function, function, &bindings).await?;
        assert_eq!((answer.status, answer.str("/code")), (500, "MISCONFIGURED"), "{function}");
        assert!(answer.text.contains("CREDENTIALS_KEY") && !answer.text.contains("dG9v"), "{}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn gap_repair_names_what_is_missing() -> Outcome {
    let variables = ["SHOPIFY_WEBHOOK_SECRET", "SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"];
    names_what_is_missing("gap-repair", "gap-repair", &variables).await
}

#[tokio::test]
async fn reconcile_names_what_is_missing() -> Outcome {
    names_what_is_missing("reconcile", "reconcile", &["SUPABASE_URL", "SUPABASE_SERVICE_ROLE_KEY"]).await
}
