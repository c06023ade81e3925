//! The controls of the fakes: what reached them, what they did, and how they are to fail next.

use crate::answer::Answer;
use crate::stack::Stack;
use crate::store::{Item, LOCATION, Store};
use crate::{Failure, Outcome};
use serde_json::{Value, json};
use std::collections::HashSet;

impl Stack {
    /// Makes the next calls of one shop to Shopify go wrong.
    pub async fn break_shopify(&self, store: Store, mode: &str, count: u32) -> Outcome {
        self.plan_fault(&json!({"upstream": "shopify", "shop": store.domain(), "mode": mode, "count": count}))
            .await
    }

    /// Makes the next call about one item reach Shopify late.
    pub async fn delay_at_shopify(&self, store: Store, item: &Item, delay_ms: u64) -> Outcome {
        self.plan_fault(&json!({
            "upstream": "shopify", "shop": store.domain(), "match": item.gid, "mode": "slow", "delay_ms": delay_ms
        }))
        .await
    }

    /// Plans a fault of any upstream.
    pub async fn plan_fault(&self, fault: &Value) -> Outcome {
        let answer = Answer::to(self.http.post(format!("{}/_faults", self.fakes_url)).json(fault)).await?;
        if answer.at("/ok") == true { Ok(()) } else { Err(Failure::new(answer.text)) }
    }

    /// Sets a level at Shopify behind our back, as a sale over the counter does.
    pub async fn change_at_shopify(&self, store: Store, item: &Item, available: i64) -> Outcome {
        let level = json!({"inventory_item_id": item.gid, "location_id": LOCATION, "available": available});
        let state = json!({"upstream": "shopify", "shop": store.domain(), "levels": [level]});
        let answer = Answer::to(self.http.post(format!("{}/_state", self.fakes_url)).json(&state)).await?;
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

    /// What Slack was told of a store. An alert that it answered too late is told again: at one address that is one.
    pub async fn slack_messages(&self, store: Store) -> Outcome<Vec<Value>> {
        let mut known = HashSet::new();
        let mut calls = self.slack_calls(store).await?;
        calls.retain(|call| {
            let part = |pointer| call.pointer(pointer).map(Value::to_string);
            known.insert((part("/path"), part("/headers/idempotency-key")))
        });
        Ok(calls)
    }

    /// Every call to Slack of a store.
    pub async fn slack_calls(&self, store: Store) -> Outcome<Vec<Value>> {
        self.calls("slack", store.key).await
    }

    /// Calls that reached an upstream and that contain a text.
    pub async fn calls(&self, upstream: &str, contains: &str) -> Outcome<Vec<Value>> {
        let query = [("upstream", upstream), ("contains", contains)];
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
        let touches = |effect: &Value| {
            effect
                .pointer("/detail/quantities")
                .is_some_and(|list| list.to_string().contains(&format!("\"{}\"", item.gid)))
        };
        Ok(self.shopify_ledger(store).await?.into_iter().filter(touches).collect())
    }

    /// Everything that Shopify executed for a store, oldest first.
    pub async fn shopify_ledger(&self, store: Store) -> Outcome<Vec<Value>> {
        let query = [("upstream", "shopify"), ("shop", &store.domain())];
        let answer = Answer::to(self.http.get(format!("{}/_effects", self.fakes_url)).query(&query)).await?;
        list(answer, "/effects")
    }
}

fn list(mut answer: Answer, pointer: &str) -> Outcome<Vec<Value>> {
    match answer.json.pointer_mut(pointer).map(Value::take) {
        Some(Value::Array(items)) => Ok(items),
        _ => Err(Failure::new(format!("the fakes answered {} {}", answer.status, answer.text))),
    }
}
