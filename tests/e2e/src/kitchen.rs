//! What tests of the kitchen share: an order to work on, scans, and what an answer is held against.

use crate::answer::Answer;
use crate::delivery::Delivery;
use crate::order::Order;
use crate::stack::Stack;
use crate::store::Store;
use crate::{Failure, Outcome};
use serde_json::Value;

/// A new order that a store has taken in.
pub async fn ingested(stack: &Stack, store: Store) -> Outcome<Order> {
    let order = Order::from_fixture("shopify_orders_create__aud_cake_gelato_minimal.json")?;
    let answer = Delivery::new(store, "orders/create", order.bytes()).send(stack).await?;
    if answer.status == 200 { Ok(order) } else { Err(Failure::new(answer.text)) }
}

/// The id that a kiosk gives to a scan.
pub fn scan_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Holds an answer against a success.
#[track_caller]
pub fn done(answer: &Answer, stage: &str, already: bool) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    let seen = (answer.at("/ok"), answer.str("/data/stage"), answer.at("/already_done"));
    assert_eq!(seen, (&Value::Bool(true), stage, &Value::Bool(already)), "{}", answer.text);
}

/// Holds an answer against a refusal.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) {
    let seen = (answer.status, answer.at("/ok"), answer.str("/code"));
    assert_eq!(seen, (status, &Value::Bool(false), code), "{}", answer.text);
    assert!(!answer.str("/message").is_empty(), "{}", answer.text);
}
