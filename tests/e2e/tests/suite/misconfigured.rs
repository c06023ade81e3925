//! A function that lacks a setting says which, and does nothing else. The running stack has all of them, so each
//! function runs here alone, with one variable left out.

use ordak_e2e::stack::Stack;
use ordak_e2e::{Failure, Outcome};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tokio::process::Command;

fn settings(stack: &Stack) -> Value {
    json!({
        "SUPABASE_URL": stack.supabase_url, "SUPABASE_ANON_KEY": stack.anon_key,
        "SUPABASE_SERVICE_ROLE_KEY": stack.service_key, "SUPABASE_JWT_SECRET": stack.jwt_secret,
        "SHOPIFY_WEBHOOK_SECRET": stack.webhook_secret, "SHOPIFY_ADMIN_TOKEN": "token"
    })
}

/// The compatibility date of a function's own configuration.
pub fn compatibility_date(function: &Path) -> Outcome<String> {
    let config = std::fs::read_to_string(function.join("wrangler.toml"))?;
    let line = config.lines().find_map(|line| line.strip_prefix("compatibility_date = "));
    let date = line.map(|value| value.trim_matches('"').to_owned());
    date.ok_or_else(|| Failure::new("wrangler.toml has no compatibility_date"))
}

/// The folder of a function that is built.
pub fn built(function: &str) -> Outcome<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let folder = root.join("functions").join(function);
    let script = folder.join("build/index.js");
    if !script.is_file() {
        return Err(Failure::new(format!("{} is not there: run `cargo xtask test e2e`", script.display())));
    }
    Ok(folder)
}

/// What the function answers to a POST when it runs alone with these settings.
async fn alone(function: &str, path: &str, bindings: &Value) -> Outcome<(u64, Value)> {
    let folder = built(function)?;
    let argument = json!({
        "folder": folder.join("build"), "compatibilityDate": compatibility_date(&folder)?, "bindings": bindings,
        "url": format!("http://localhost/functions/v1/{path}"),
        "init": {"method": "POST", "headers": {"content-type": "application/json"}, "body": "{}"}
    });
    let script = folder.join("../../tests/e2e/tests/suite/lone_worker.mjs");
    let output =
        Command::new("node").arg(script).arg(argument.to_string()).kill_on_drop(true).output().await?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let answer: Value =
        printed.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default();
    let status = answer["status"].as_u64().ok_or_else(|| {
        Failure::new(format!("no answer: {printed}\n{}", String::from_utf8_lossy(&output.stderr)))
    })?;
    Ok((status, serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default()))
}

async fn names_what_is_missing(function: &str, path: &str, variables: &[&str]) -> Outcome {
    let stack = Stack::up().await?;
    for missing in variables {
        let mut bindings = settings(&stack);
        bindings.as_object_mut().unwrap().remove(*missing);
        let (status, body) = alone(function, path, &bindings).await?;
        assert_eq!(
            (status, &body["code"]),
            (500, &json!("MISCONFIGURED")),
            "{function} without {missing}: {body}"
        );
        let text = body.to_string();
        assert!(text.contains(missing), "{function} without {missing}: {body}");
        for value in bindings.as_object().unwrap().values().filter_map(Value::as_str) {
            assert!(!text.contains(value), "{function} tells a setting: {body}");
        }
    }
    let (status, body) = alone(function, path, &settings(&stack)).await?;
    assert_ne!(body["code"], "MISCONFIGURED", "{function}: {status} {body}");
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
