//! The sample order that `dev` sends through: signed webhook, row, held stock, scans to Complete, the new level at the
//! (fake) Shopify. It goes the way of every order; nothing here reaches around the front door.

use anyhow::{Context, Result, bail};
use chrono::{Days, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::send::{self, Webhook, rest_rows};
use crate::dotenv::StackEnv;
use crate::say;

const STORE: &str = "bannos";
const SHOP: &str = "bannos.myshopify.com";
const SKU: &str = "CAKE-VAN-M";
/// Scans name their action, so that they need not wait for the pause between two automatic ones.
const ACTIONS: [&str; 6] = [
    "handle_print_barcode",
    "complete_filling",
    "complete_covering",
    "complete_decorating",
    "start_packing",
    "complete_packing",
];

/// Sends one order through and shows what became of it.
pub async fn show(env: &StackEnv) -> Result<()> {
    say::info("\nOne sample order, from webhook to shelf:\n");
    let before = stock(env).await?;
    let order_id = ingest(env).await?;
    let row = order(env, &order_id).await?;
    say::info(format!(
        "  webhook     signed, verified, stored: order {order_id}, {}, {} {}, stage {}",
        text(&row, "product_title"),
        text(&row, "total_amount"),
        text(&row, "currency"),
        text(&row, "stage"),
    ));
    say::info(format!("  stock       {SKU}: {before} before, {} now", stock(env).await?));
    let mut stages = vec![text(&row, "stage")];
    for action in ACTIONS {
        scan(env, &order_id, action).await?;
        let stage = text(&order(env, &order_id).await?, "stage");
        if stages.last() != Some(&stage) {
            stages.push(stage);
        }
    }
    say::info(format!("  kitchen     {} scans: {}", ACTIONS.len(), stages.join(" → ")));
    if stages.last().map(String::as_str) != Some("Complete") {
        bail!("the sample order {order_id} did not reach Complete");
    }
    let report = drain(env).await?;
    say::info(format!("  queue       {report}"));
    say::info(format!("  Shopify     (fake) has {SKU} at {}", level_at_shopify(env).await?));
    Ok(())
}

async fn ingest(env: &StackEnv) -> Result<String> {
    let now = Utc::now();
    let number = now.timestamp_millis() / 100 % 100_000_000;
    let due = now.date_naive().checked_add_days(Days::new(2)).context("the calendar ends")?;
    let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
    let order = json!({
        "id": now.timestamp_millis(),
        "admin_graphql_api_id": format!("gid://shopify/Order/{}", now.timestamp_millis()),
        "order_number": number,
        "created_at": time,
        "updated_at": time,
        "currency": "AUD",
        "current_total_price": "89.00",
        "financial_status": "paid",
        "customer": { "first_name": "Sample", "last_name": "Customer" },
        "note": "Happy birthday",
        "note_attributes": [
            { "name": "Local Delivery Date and Time", "value": format!("{due} between 9:00 AM and 1:00 PM") },
            { "name": "Delivery Method", "value": "Pickup" },
        ],
        "line_items": [{
            "id": now.timestamp_millis() + 1,
            "sku": SKU,
            "title": "Gelato Cake",
            "variant_title": "Medium",
            "quantity": 1,
            "price": "89.00",
            "properties": [{ "name": "Gelato Flavours", "value": "Vanilla, Pistachio" }],
        }],
    });
    let webhook = Webhook {
        body: order.to_string().into_bytes(),
        topic: "orders/create".to_owned(),
        shop: SHOP.to_owned(),
        webhook_id: uuid::Uuid::new_v4().to_string(),
        triggered_at: time,
    };
    let answer = envelope(send::post(env, STORE, webhook).await?, "the sample order's webhook").await?;
    let id = answer.get("order_id").and_then(Value::as_str);
    id.map(str::to_owned).with_context(|| format!("the sample order got no id: {answer}"))
}

async fn scan(env: &StackEnv, order_id: &str, action: &str) -> Result<()> {
    let url = format!("{}/functions/v1/stage-actions/scan", env.get("GATEWAY_URL")?);
    let body = json!({ "scan": order_id, "action": action, "scan_id": uuid::Uuid::new_v4() });
    let request = reqwest::Client::new().post(url).bearer_auth(env.get("TOKEN_STAFF_BANNOS")?).json(&body);
    let response = request.send().await.with_context(|| format!("no answer to the scan {action}"))?;
    envelope(response, &format!("the scan {action}")).await?;
    Ok(())
}

async fn drain(env: &StackEnv) -> Result<String> {
    let url = format!("{}/functions/v1/queue-worker", env.get("GATEWAY_URL")?);
    let key = env.get("SUPABASE_SERVICE_ROLE_KEY")?;
    let request = reqwest::Client::new().post(url).bearer_auth(key).header("apikey", key).json(&json!({}));
    let response = request.send().await.context("no answer from the queue worker")?;
    let report = envelope(response, "draining the queue").await?;
    let count = |name: &str| report.get(name).and_then(Value::as_i64).unwrap_or_default();
    Ok(match (count("done"), count("retried"), count("dead")) {
        (0, 0, 0) => "empty already: the order itself woke the worker".to_owned(),
        (done, retried, dead) => format!("{done} sent, {retried} to retry, {dead} given up"),
    })
}

/// The data of an envelope, or its refusal as an error.
async fn envelope(response: reqwest::Response, what: &str) -> Result<Value> {
    let status = response.status();
    let text = response.text().await.context("the answer broke off")?;
    let json: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if !status.is_success() || json.get("ok") != Some(&Value::Bool(true)) {
        bail!("{what} was answered with {status}: {text}");
    }
    Ok(json.get("data").cloned().unwrap_or_default())
}

async fn order(env: &StackEnv, id: &str) -> Result<Value> {
    let select = "select=product_title,total_amount::text,currency,stage";
    let rows = rest_rows(env, &format!("orders?store=eq.{STORE}&id=eq.{id}&{select}")).await?;
    rows.into_iter().next().with_context(|| format!("order {id} is not in the database"))
}

async fn stock(env: &StackEnv) -> Result<i64> {
    let rows = rest_rows(env, &format!("inventory_items?store=eq.{STORE}&sku=eq.{SKU}&select=ats")).await?;
    let ats = rows.first().and_then(|row| row.get("ats")).and_then(Value::as_i64);
    ats.with_context(|| format!("{SKU} has no stock in the database"))
}

/// What the fake Shopify holds for the SKU's inventory item.
async fn level_at_shopify(env: &StackEnv) -> Result<String> {
    let select = "select=shopify_inventory_item_gid";
    let rows = rest_rows(env, &format!("inventory_items?store=eq.{STORE}&sku=eq.{SKU}&{select}")).await?;
    let item = rows.first().map(|row| text(row, "shopify_inventory_item_gid")).unwrap_or_default();
    let url = format!("{}/_state?upstream=shopify", env.get("FAKES_URL")?);
    let response = reqwest::get(&url).await.with_context(|| format!("no answer from {url}"))?;
    let state: Value = response.json().await.context("the fakes' state is no JSON")?;
    match find_level(&state, &item) {
        Some(level) => Ok(level.to_string()),
        None => bail!("the new level has not reached the fake Shopify; see .ordak/dev/logs/edge.log"),
    }
}

fn find_level(state: &Value, item: &str) -> Option<i64> {
    let levels = state.get("levels").and_then(Value::as_array)?;
    let ours = |level: &&Value| text(level, "shop") == SHOP && text(level, "inventory_item_id") == item;
    levels.iter().find(ours).and_then(|level| level.get("available")).and_then(Value::as_i64)
}

fn text(row: &Value, field: &str) -> String {
    match row.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "–".to_owned(),
        Some(other) => other.to_string(),
    }
}
