//! What tests of the kitchen share: an order to work on, scans, and what an answer is held against.

use crate::answer::Answer;
use crate::db::Db;
use crate::delivery::Delivery;
use crate::order::Order;
use crate::stack::Stack;
use crate::store::Store;
use crate::{Failure, Outcome, token};
use serde_json::{Value, json};

/// A new order that a store has taken in.
pub async fn ingested(stack: &Stack, store: Store) -> Outcome<Order> {
    let order = Order::from_fixture("shopify_orders_create__aud_cake_gelato_minimal.json")?;
    Delivery::new(store, "orders/create", order.bytes()).deliver(stack).await?;
    Ok(order)
}

/// Somebody who works in a kitchen.
#[derive(Clone, Debug)]
pub struct Person {
    /// The user's id.
    pub id: String,
    /// A token that says so.
    pub token: String,
}

/// A new member of staff of a store, whom no other test knows; taken on by an Admin.
pub async fn hired(stack: &Stack, role: &str, store: Store) -> Outcome<Person> {
    let id = uuid::Uuid::new_v4().to_string();
    let signs_up = "insert into auth.users (id) values ($1::text::uuid)";
    stack.db().await?.execute(signs_up, &[&id]).await?;
    let person = json!({"user_id": id, "name": format!("{role} of {}", store.key), "role": role, "stores": [store.key]});
    let answer = stack.act(&stack.admin, "upsert_staff", &person).await?;
    if answer.at("/ok") != true {
        return Err(Failure::new(answer.text));
    }
    let token = token::hs256(&token::claims(&stack.supabase_url, &id), &stack.jwt_secret);
    Ok(Person { id, token })
}

/// The id that a kiosk gives to a scan.
pub fn scan_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// What scans do that do not say what they mean, one after the other.
pub const CHAIN: [&str; 6] = [
    "handle_print_barcode",
    "complete_filling",
    "complete_covering",
    "complete_decorating",
    "start_packing",
    "complete_packing",
];

/// What the scans of an order did that did not say what they mean, oldest first. One counts when none counted in the 2 s
/// before it: however many came at once, on any machine that is honest about time it is one.
pub async fn counted(db: &Db, order: &str) -> Outcome<Vec<String>> {
    let query = "select action, coalesce(at - lag(at) over (order by id) < interval '2 s', false) as bounced
        from public.stage_events where order_id = $1 and meta @> '{\"auto\": true}' order by id";
    let counted = db.rows(query, &[&order]).await?;
    if counted.iter().any(|event| event.get("bounced") != Some(&json!(false))) {
        return Err(Failure::new(format!("two scans counted within 2 s: {counted:?}")));
    }
    let actions = counted.iter().filter_map(|event| event.get("action")?.as_str().map(str::to_owned));
    Ok(actions.collect())
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
