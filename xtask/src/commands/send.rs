//! `send`: a webhook as Shopify sends it, with a real signature over the very bytes of the file.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use chrono::{SecondsFormat, Utc};
use clap::Args;
use reqwest::Response;
use serde_json::Value;

use crate::dotenv::StackEnv;
use crate::keys;
use crate::layout::Checkout;
use crate::say;

/// What to send.
#[derive(Args)]
pub struct Send {
    /// The JSON file, or - for standard input
    file: PathBuf,
    /// The store it is for; decides the shop's domain
    #[arg(long)]
    store: String,
    /// Shopify's topic, such as orders/create
    #[arg(long)]
    topic: String,
    /// Send this shop domain instead of the store's
    #[arg(long)]
    shop: Option<String>,
    /// Send this webhook id instead of a new one; repeat one to see a duplicate
    #[arg(long)]
    webhook_id: Option<String>,
    /// Send this time instead of now
    #[arg(long)]
    triggered_at: Option<String>,
}

/// A webhook ready to be posted.
pub struct Webhook {
    /// The raw body.
    pub body: Vec<u8>,
    /// Shopify's topic.
    pub topic: String,
    /// The shop's domain.
    pub shop: String,
    /// Shopify's id of the delivery.
    pub webhook_id: String,
    /// When it happened.
    pub triggered_at: String,
}

/// Signs, posts and prints the answer; anything but success makes the command fail.
pub async fn run(checkout: &Checkout, send: Send) -> Result<ExitCode> {
    let env = StackEnv::of_running_stack(checkout)?;
    let body = read(&send.file)?;
    let shop = match send.shop {
        Some(shop) => shop,
        None => shop_domain(&env, &send.store).await?,
    };
    let webhook = Webhook {
        body,
        topic: send.topic,
        shop,
        webhook_id: send.webhook_id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        triggered_at: send
            .triggered_at
            .unwrap_or_else(|| Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)),
    };
    let response = post(&env, &send.store, webhook).await?;
    let status = response.status();
    let text = response.text().await.context("the answer broke off")?;
    say::info(status.to_string());
    say::info(match serde_json::from_str::<Value>(&text) {
        Ok(json) => format!("{json:#}"),
        Err(_) => text,
    });
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Signs with the store's own secret if it has one, and posts.
pub async fn post(env: &StackEnv, store: &str, webhook: Webhook) -> Result<Response> {
    let own = format!("SHOPIFY_WEBHOOK_SECRET_{}", store.to_uppercase());
    let secrets = env.get(&own).or_else(|_| env.get("SHOPIFY_WEBHOOK_SECRET"))?;
    let secret = secrets.split(',').map(str::trim).find(|secret| !secret.is_empty()).unwrap_or_default();
    let signature = keys::webhook_signature(secret, &webhook.body)?;
    let url = format!("{}/functions/v1/order-ingest", env.get("GATEWAY_URL")?);
    reqwest::Client::new()
        .post(&url)
        .header("content-type", "application/json")
        .header("x-shopify-hmac-sha256", signature)
        .header("x-shopify-topic", webhook.topic)
        .header("x-shopify-shop-domain", webhook.shop)
        .header("x-shopify-webhook-id", webhook.webhook_id)
        .header("x-shopify-triggered-at", webhook.triggered_at)
        .header("x-shopify-api-version", "2026-10")
        .body(webhook.body)
        .send()
        .await
        .with_context(|| format!("no answer from {url}. Is the stack running? `cargo xtask up`"))
}

fn read(file: &PathBuf) -> Result<Vec<u8>> {
    if file.as_os_str() != "-" {
        return std::fs::read(file).with_context(|| format!("cannot read {}", file.display()));
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    Ok(bytes)
}

/// The domain that the database has for the store.
async fn shop_domain(env: &StackEnv, store: &str) -> Result<String> {
    let rows = rest_rows(env, &format!("stores?key=eq.{store}&select=shop_domain")).await?;
    let domain = rows.first().and_then(|row| row.get("shop_domain")).and_then(Value::as_str);
    match domain {
        Some(domain) => Ok(domain.to_owned()),
        None => {
            bail!("there is no store `{store}`. To send for an unknown shop, give its domain with --shop.")
        }
    }
}

/// Reads rows through the REST interface with the service role's key.
pub async fn rest_rows(env: &StackEnv, path: &str) -> Result<Vec<Value>> {
    let key = env.get("SUPABASE_SERVICE_ROLE_KEY")?;
    let url = format!("{}/rest/v1/{path}", env.get("SUPABASE_URL")?);
    let mut request = reqwest::Client::new().get(&url).header("apikey", key);
    // Only the older keys are tokens; the newer ones are refused here.
    if key.starts_with("eyJ") {
        request = request.bearer_auth(key);
    }
    let response = request.send().await.with_context(|| format!("no answer from {url}"))?;
    let status = response.status();
    let text = response.text().await.context("the answer broke off")?;
    if !status.is_success() {
        bail!("{url} answered {status}: {text}");
    }
    serde_json::from_str(&text).with_context(|| format!("{url} did not answer with rows: {text}"))
}
