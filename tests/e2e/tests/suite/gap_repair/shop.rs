//! A shop with orders of its own, a run over it, and what is found afterwards.

use chrono::{SecondsFormat, TimeDelta, Utc};
use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use reqwest::Method;
use serde_json::{Value, json};

pub const PATH: &str = "/functions/v1/gap-repair";

/// A store that nobody else uses, old enough for what its orders say.
pub async fn new_store(stack: &Stack) -> Outcome<Store> {
    let store = store::fresh(stack).await?;
    let statement = "update public.stores set created_at = now() - interval '5 days' where key = $1";
    stack.db().await?.execute(statement, &[&store.key]).await?;
    Ok(store)
}

pub async fn put(stack: &Stack, store: Store, orders: &[&Order]) -> Outcome {
    let orders: Vec<&Value> = orders.iter().map(|order| &order.payload).collect();
    let body = json!({"shop": store.domain(), "orders": orders});
    let answer = Answer::to(stack.http.post(format!("{}/_shop", stack.fakes_url)).json(&body)).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    Ok(())
}

/// The figures of a run for one store.
pub async fn run(stack: &Stack, store: Store) -> Outcome<Value> {
    let request = stack.request(Method::POST, PATH).header("apikey", &stack.service_key);
    let request = request.bearer_auth(&stack.service_key).json(&json!({"stores": [store.key]}));
    let answer = Answer::to(request).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.at("/data/busy"), &json!([]), "{}", answer.text);
    Ok(answer.at("/data/stores/0").clone())
}

pub fn minutes_ago(minutes: i64) -> Value {
    json!((Utc::now() - TimeDelta::minutes(minutes)).to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// An order with these lines that was made an hour ago and changed some minutes ago.
pub fn order(lines: &[(&str, u32)], changed: i64) -> Outcome<Order> {
    let mut order = Order::simple()?.with_lines(lines);
    order.set("created_at", minutes_ago(60)).set("updated_at", minutes_ago(changed));
    Ok(order)
}

pub async fn row(stack: &Stack, store: Store, order: &Order) -> Outcome<Option<Value>> {
    let query = "select id, stage, placeholder, customer_name, product_title, currency, total_amount, payment_status,
        allocation_status, cancelled_at, business_updated_at from public.orders where store = $1 and shopify_order_gid = $2";
    stack.db().await?.maybe_row(query, &[&store.key, &order.gid()]).await
}

pub async fn lines(stack: &Stack, order_id: &str) -> Outcome<Vec<Value>> {
    let query = "select line_id, sku, quantity, held_quantity as held, price from public.order_line_items
        where order_id = $1 order by position";
    stack.db().await?.rows(query, &[&order_id]).await
}

pub async fn events(stack: &Stack, store: Store) -> Outcome<usize> {
    stack.db().await?.count("select id from public.event_store where store = $1", &[&store.key]).await
}

pub async fn alerts(stack: &Stack, store: Store, kind: &str) -> Outcome<Vec<Value>> {
    let query = "select payload from public.work_queue
        where topic = 'slack_alert' and store = $1 and payload ->> 'kind' = $2 order by id";
    let rows = stack.db().await?.rows(query, &[&store.key, &kind]).await?;
    Ok(rows.into_iter().map(|row| row["payload"].clone()).collect())
}
