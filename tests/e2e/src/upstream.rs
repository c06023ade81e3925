//! The controls of the fakes: what reached them, what they did, and how they are to fail next.

use crate::answer::Answer;
use crate::stack::Stack;
use crate::store::{Item, Store};
use crate::{Failure, Outcome};
use serde_json::{Value, json};

impl Stack {
    /// Makes the next calls of one shop to Shopify go wrong.
    pub async fn break_shopify(&self, store: Store, mode: &str, count: u32) -> Outcome {
        let fault = json!({"upstream": "shopify", "shop": store.domain(), "mode": mode, "count": count});
        let answer = Answer::to(self.http.post(format!("{}/_faults", self.fakes_url)).json(&fault)).await?;
        if answer.at("/ok") == true { Ok(()) } else { Err(Failure::new(answer.text)) }
    }

    /// Forgets stock, settings and faults of one shop.
    pub async fn heal_shopify(&self, store: Store) -> Outcome {
        let scope = json!({"shop": store.domain()});
        Answer::to(self.http.post(format!("{}/_reset", self.fakes_url)).json(&scope)).await?;
        Ok(())
    }

    /// Calls that reached Shopify for a store and that name an item.
    pub async fn shopify_calls(&self, store: Store, item: &Item) -> Outcome<Vec<Value>> {
        let query = [("upstream", "shopify"), ("shop", &store.domain()), ("contains", &item.gid)];
        let answer = Answer::to(self.http.get(format!("{}/_calls", self.fakes_url)).query(&query)).await?;
        list(answer, "/calls")
    }

    /// What Shopify says is available of an item; `None` when nothing was ever pushed.
    pub async fn shopify_level(&self, store: Store, item: &Item) -> Outcome<Option<i64>> {
        let query = [("upstream", "shopify"), ("shop", &store.domain())];
        let answer = Answer::to(self.http.get(format!("{}/_state", self.fakes_url)).query(&query)).await?;
        let level = list(answer, "/levels")?
            .into_iter()
            .find(|level| level.get("inventory_item_id") == Some(&json!(item.gid)));
        Ok(level.and_then(|level| level.get("available").and_then(Value::as_i64)))
    }

    /// Effects that Shopify executed for a store and that changed an item, oldest first.
    pub async fn shopify_effects(&self, store: Store, item: &Item) -> Outcome<Vec<Value>> {
        let query = [("upstream", "shopify"), ("shop", &store.domain())];
        let answer = Answer::to(self.http.get(format!("{}/_effects", self.fakes_url)).query(&query)).await?;
        let touches = |effect: &Value| {
            effect
                .pointer("/detail/quantities")
                .is_some_and(|list| list.to_string().contains(&format!("\"{}\"", item.gid)))
        };
        Ok(list(answer, "/effects")?.into_iter().filter(touches).collect())
    }
}

fn list(mut answer: Answer, pointer: &str) -> Outcome<Vec<Value>> {
    match answer.json.pointer_mut(pointer).map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(Failure::new(format!("the fakes answered {} {}", answer.status, answer.text))),
    }
}
