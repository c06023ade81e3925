//! Webhook deliveries: what Shopify would send, and everything that it would not.

use crate::database::{Database, quote};
use crate::http::{Answer, Request};
use crate::stack::Stack;
use anyhow::{Result, ensure};
use ordak_core::signature;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The store that takes what these suites send: nothing of it reaches the kitchens of the seed.
pub const STORE: &str = "bombs";
/// Its shop.
pub const SHOP: &str = "bombs.myshopify.com";

/// Makes the store, unless it is there.
///
/// # Errors
/// When the database refuses.
pub fn prepare(database: &mut Database) -> Result<()> {
    create_store(database, STORE, SHOP)
}

/// Makes any store.
///
/// # Errors
/// When the database refuses.
pub fn create_store(database: &mut Database, key: &str, shop: &str) -> Result<()> {
    let sql = format!(
        "begin; select set_config('request.jwt.claims', '{{\"role\":\"service_role\"}}', true);
         select public.create_store({}, 'Security', {}, 'Australia/Sydney', 'AU', 'AUD') ->> 'ok'; commit",
        quote(key),
        quote(shop)
    );
    let rows = database.rows(&sql)?;
    let ok = rows.last().and_then(|row| row.first()).cloned().flatten();
    ensure!(ok.as_deref() == Some("true"), "create_store {key}: {rows:?}");
    Ok(())
}

/// A number that no other run has used, above 2^53 and below 2^62, as some real ids are.
#[must_use]
pub fn fresh_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let base = u64::try_from(since).unwrap_or_default().saturating_mul(1_000);
    base + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A small order as Shopify sends it.
#[must_use]
pub fn order(id: u64) -> Value {
    json!({
        "id": id,
        "admin_graphql_api_id": format!("gid://shopify/Order/{id}"),
        "order_number": id % 1_000_000_000_000,
        "created_at": "2026-11-20T10:00:00+11:00",
        "updated_at": "2026-11-20T10:00:00+11:00",
        "currency": "AUD",
        "total_price": "89.00",
        "financial_status": "paid",
        "note": "plain",
        "customer": {"first_name": "Nora", "last_name": "Nobody"},
        "line_items": [{
            "id": id + 1, "sku": "MSH002B", "title": "Cake", "variant_title": "Medium / Vanilla",
            "quantity": 1, "price": "89.00", "properties": []
        }]
    })
}

/// A delivery that is right in every way.
#[must_use]
pub fn honest(stack: &Stack, body: &[u8]) -> Request {
    unsigned(stack, "orders/create", body).header("X-Shopify-Hmac-Sha256", sign(stack, body))
}

/// The same of any topic.
#[must_use]
pub fn honest_of(stack: &Stack, topic: &str, body: &[u8]) -> Request {
    unsigned(stack, topic, body).header("X-Shopify-Hmac-Sha256", sign(stack, body))
}

/// Everything but the signature.
#[must_use]
pub fn unsigned(stack: &Stack, topic: &str, body: &[u8]) -> Request {
    bare(stack, body).header("X-Shopify-Shop-Domain", SHOP).header("X-Shopify-Topic", topic)
}

/// Everything but signature, shop and topic.
#[must_use]
pub fn bare(stack: &Stack, body: &[u8]) -> Request {
    Request::post(stack.function("order-ingest"), body)
        .header("X-Shopify-Webhook-Id", format!("sec-{}", fresh_id()))
}

/// The signature with the secret in force.
#[must_use]
pub fn sign(stack: &Stack, body: &[u8]) -> String {
    signature::sign(stack.webhook_secret().unwrap_or_default(), body)
}

/// What an ingest answered: `created`, `ignored`, …, `dead letter`, or the code of a refusal.
#[must_use]
pub fn outcome(answer: &Answer) -> String {
    let body = answer.json();
    if body["data"]["dead_letter_id"].is_number() {
        return "dead letter".to_owned();
    }
    let found = body["data"]["outcome"].as_str().or(body["code"].as_str());
    found.unwrap_or_default().to_owned()
}
