//! The Shopify Admin GraphQL API, version 2026-10, for any number of shops.
//!
//! Strict where callers go wrong: token, version, document, variables, `@idempotent`, `changeFromQuantity`,
//! cost. What it does not know it refuses in the words of the real API.

mod access;
mod cost;
mod document;
pub mod errors;
mod execute;
mod orders;
mod refunds;
mod schema;
mod schema_orders;
mod set_quantities;
mod shops;
mod stock;
mod subscriptions;
mod under_way;
mod validate;
mod variables;

pub use shops::{ShopSettings, Shops, Stocking};
pub use under_way::hold;

use crate::World;
use crate::answer::Answer;
use crate::calls::Call;
use crate::lock::lock;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::Instant;

const ENDPOINT: &str = "/admin/api/2026-10/graphql.json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Posted {
    query: String,
    #[serde(default)]
    variables: Option<Map<String, Value>>,
    operation_name: Option<String>,
}

/// Answers a request to one shop.
pub fn answer(world: &World, domain: &str, parts: &Parts, body: &[u8]) -> Answer {
    let path = parts.uri.path().split_once(domain).map_or("", |(_, rest)| rest);
    let mut shops = lock(&world.shops);
    let shop = shops.shop(domain);
    if path == access::ENDPOINT {
        return shop.access.grant(domain, parts, body, Instant::now());
    }
    if path != ENDPOINT || parts.method != Method::POST {
        return Answer::json(StatusCode::NOT_FOUND, &json!({"errors": "Not Found"}));
    }
    let token = parts.headers.get("x-shopify-access-token").and_then(|value| value.to_str().ok());
    if !shop.access.takes(token, Instant::now()) {
        return Answer::json(StatusCode::UNAUTHORIZED, &errors::bad_token());
    }
    let content_type =
        parts.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let posted = match serde_json::from_slice::<Posted>(body) {
        Ok(posted) if content_type.starts_with("application/json") => posted,
        _ => {
            let body = json!({"errors": {"query": "Required parameter missing or invalid"}});
            return Answer::json(StatusCode::BAD_REQUEST, &body);
        }
    };
    let mut key = None;
    let value = match run(world, domain, shop, &posted, &mut key) {
        Ok(value) | Err(value) => value,
    };
    let mut answer = Answer::json(StatusCode::OK, &value);
    answer.key = key;
    answer
}

/// The body of the answer; an error means that nothing was executed.
fn run(
    world: &World,
    domain: &str,
    shop: &mut shops::Shop,
    posted: &Posted,
    key: &mut Option<String>,
) -> Result<Value, Value> {
    let refuse = |error| errors::refused(vec![error]);
    let document = document::parse(&posted.query).map_err(refuse)?;
    let operation = document::select(&document, posted.operation_name.as_deref()).map_err(refuse)?;
    let problems = validate::validate(&operation);
    if !problems.is_empty() {
        return Err(errors::refused(problems));
    }
    let given = posted.variables.clone().unwrap_or_default();
    let variables = variables::coerce(operation.variables, &given).map_err(errors::refused)?;

    let requested = cost::requested(&operation, &variables);
    if requested > cost::MAX_DOCUMENT {
        return Err(errors::max_cost_exceeded(requested, cost::MAX_DOCUMENT));
    }
    let figures = shop.bucket.figures();
    let available = shop
        .bucket
        .pay(requested, Instant::now())
        .map_err(|left| errors::throttled(requested, left, figures.maximum, figures.restore_rate))?;

    let at = Call::now();
    let run = execute::Run { operation: &operation, variables: &variables, domain, at: &at };
    let done = run.execute(shop);
    for (name, detail) in done.effects {
        lock(&world.effects).append("shopify", Some(domain), name, done.key.as_deref(), detail);
    }
    *key = done.key;
    let failed = !done.errors.is_empty();
    let actual = if failed { requested.min(10) } else { requested };
    shop.bucket.give_back(requested - actual);
    let available = available + (requested - actual);
    let mut body = json!({
        "data": done.data,
        "extensions": {
            "cost": cost::status(requested, actual, figures.maximum, available, figures.restore_rate)
        }
    });
    if !done.warnings.is_empty()
        && let Some(Value::Object(extensions)) = body.get_mut("extensions")
    {
        extensions.insert("search".into(), Value::Array(done.warnings));
    }
    if failed
        && let (Value::Object(refused), Some(body)) = (errors::refused(done.errors), body.as_object_mut())
    {
        body.extend(refused);
    }
    Ok(body)
}
