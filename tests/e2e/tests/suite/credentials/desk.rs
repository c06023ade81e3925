//! A store's keys as an Admin handles them, and its shop as the fakes play it.

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Item, Store};
use ordak_e2e::{Failure, Outcome};
use reqwest::Method;
use serde_json::{Value, json};

pub const PATH: &str = "/functions/v1/settings/credentials";

/// Puts keys as the person of this token.
pub async fn put_as(
    stack: &Stack,
    token: &str,
    store: Store,
    provider: &str,
    keys: &Value,
) -> Outcome<Answer> {
    let body = json!({"store": store.key, "provider": provider, "keys": keys});
    Answer::to(stack.request(Method::PUT, PATH).bearer_auth(token).json(&body)).await
}

/// Puts keys as an Admin.
pub async fn put(stack: &Stack, store: Store, provider: &str, keys: &Value) -> Outcome<Answer> {
    put_as(stack, &stack.admin, store, provider, keys).await
}

/// Puts keys that are taken.
pub async fn put_well(stack: &Stack, store: Store, provider: &str, keys: &Value) -> Outcome {
    let answer = put(stack, store, provider, keys).await?;
    if answer.status == 200 { Ok(()) } else { Err(Failure::new(answer.text)) }
}

/// To which providers the store has keys, as an Admin sees it.
pub async fn list(stack: &Stack, store: Store) -> Outcome<Vec<Value>> {
    let request = stack.request(Method::GET, PATH).query(&[("store", store.key)]).bearer_auth(&stack.admin);
    let mut answer = Answer::to(request).await?;
    match answer.json.pointer_mut("/data/credentials").map(Value::take) {
        Some(Value::Array(list)) => Ok(list),
        _ => Err(Failure::new(answer.text)),
    }
}

/// Removes keys as an Admin.
pub async fn remove(stack: &Stack, store: Store, provider: &str) -> Outcome<Answer> {
    let named = [("store", store.key), ("provider", provider)];
    Answer::to(stack.request(Method::DELETE, PATH).query(&named).bearer_auth(&stack.admin)).await
}

/// Sets what opens the shop of a store.
pub async fn shop_takes(stack: &Stack, store: Store, tokens: &[&str], access: Value) -> Outcome {
    let state = json!({"upstream": "shopify", "shop": store.domain(), "tokens": tokens, "access": access});
    let answer = Answer::to(stack.http.post(format!("{}/_state", stack.fakes_url)).json(&state)).await?;
    if answer.at("/ok") == true { Ok(()) } else { Err(Failure::new(answer.text)) }
}

/// Sells one of ten.
pub async fn sell(stack: &Stack, store: Store) -> Outcome<Item> {
    let item = store::stock(stack, store, 10).await?;
    let order = Order::simple()?.with_lines(&[(&item.sku, 1)]);
    Delivery::new(store, "orders/create", order.bytes()).deliver(stack).await?;
    Ok(item)
}

/// Drains until the push of an item has this status.
pub async fn push_becomes(stack: &Stack, store: Store, item: &Item, wanted: &str) -> Outcome<Value> {
    let db = stack.db().await?;
    let query = "select status, retry_count, error_class, last_error from public.work_queue
        where store = $1 and topic = 'inventory_push' and payload ->> 'sku' = $2";
    eventually(&format!("{wanted} work"), async || {
        db.hurry(store.key).await?;
        stack.drain().await?;
        let row = db.maybe_row(query, &[&store.key, &item.sku]).await?.unwrap_or_default();
        let done = row.get("status") == Some(&json!(wanted));
        Ok(if done { Ok(row) } else { Err(row.to_string()) })
    })
    .await
}

/// Sells one and sees its level at Shopify.
pub async fn sell_and_push(stack: &Stack, store: Store) -> Outcome<Item> {
    let item = sell(stack, store).await?;
    push_becomes(stack, store, &item, "done").await?;
    let level = stack.shopify_level(store, &item).await?;
    if level == Some(9) { Ok(item) } else { Err(Failure::new(format!("level {level:?}"))) }
}

/// The tokens with which an item reached Shopify, in order, each with the answer.
pub async fn tokens_used(stack: &Stack, store: Store, item: &Item) -> Outcome<Vec<(String, u64)>> {
    let calls = stack.shopify_calls(store, item).await?;
    let used = calls.iter().map(|call| {
        let token = call.pointer("/headers/x-shopify-access-token").and_then(Value::as_str);
        let status = call.get("status").and_then(Value::as_u64);
        (token.unwrap_or_default().to_owned(), status.unwrap_or_default())
    });
    Ok(used.collect())
}

/// How often the store's shop was asked for a token.
pub async fn grants(stack: &Stack, store: Store) -> Outcome<usize> {
    let query = [("upstream", "shopify"), ("shop", &store.domain()), ("contains", "client_credentials")];
    let answer = Answer::to(stack.http.get(format!("{}/_calls", stack.fakes_url)).query(&query)).await?;
    Ok(answer.at("/calls").as_array().map_or(0, Vec::len))
}
