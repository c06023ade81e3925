//! The life of one order as its shop tells it: the order changes, and deliveries carry its state of the moment.
//!
//! Begins with a real order under a fresh identity. Knows what Shopify writes where, not what Ordak makes of it.

use crate::base::Base;
use crate::delivery::Delivery;
use crate::state::Shop;
use chrono::{DateTime, FixedOffset, SecondsFormat};
use serde_json::{Map, Value, json};

/// Where Shopify's servers claim to be, in minutes east of Greenwich: one instant is written in several ways.
const OFFSETS: [i32; 4] = [0, 11 * 60, -5 * 60, 5 * 60 + 30];

/// When every story begins: 2026-02-09 00:00 UTC, in seconds.
const BEGINNING: i64 = 1_770_595_200;

/// Order numbers are ids moved out of the way of ids.
const NUMBERS_FROM: i64 = 100_000_000_000_000_000;

/// Who an order is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The shop that it belongs to.
    pub shop: Shop,
    /// Its numeric id, never used before.
    pub id: i64,
}

impl Identity {
    /// The GraphQL id.
    #[must_use]
    pub fn gid(&self) -> String {
        format!("gid://shopify/Order/{}", self.id)
    }

    /// The number that people see.
    #[must_use]
    pub fn number(&self) -> i64 {
        NUMBERS_FROM + self.id
    }
}

/// An order that changes and tells of it.
#[derive(Clone, Debug)]
pub struct Story {
    identity: Identity,
    order: Map<String, Value>,
    clock: i64,
    added: i64,
    refunds: i64,
    told: Vec<Delivery>,
}

impl Story {
    /// Begins with a fixture under a new identity: not cancelled, as the fixture has it otherwise.
    #[must_use]
    pub fn new(base: &Base, identity: &Identity) -> Self {
        let mut order = base.order.as_object().cloned().unwrap_or_default();
        for (name, value) in [
            ("id", json!(identity.id)),
            ("admin_graphql_api_id", json!(identity.gid())),
            ("order_number", json!(identity.number())),
            ("name", json!(format!("#{}", identity.number()))),
            ("cancelled_at", Value::Null),
            ("cancel_reason", Value::Null),
        ] {
            order.insert(name.into(), value);
        }
        Self { identity: identity.clone(), order, clock: BEGINNING, added: 0, refunds: 0, told: Vec::new() }
    }

    /// Shopify sends the order as it is now.
    pub fn tell(&mut self, topic: &str) {
        let written = json!(self.written(self.told.len()));
        self.order.insert("updated_at".into(), written);
        self.tell_undated(topic);
    }

    /// As [`tell`](Self::tell), but `updated_at` stays what it was, even absent.
    pub fn tell_undated(&mut self, topic: &str) {
        self.push(topic, Value::Object(self.order.clone()).to_string());
    }

    fn push(&mut self, topic: &str, body: String) {
        self.told.push(Delivery {
            shop: self.identity.shop.domain.clone(),
            topic: topic.into(),
            webhook_id: format!("{}-{}", self.identity.id, self.told.len()),
            body,
        });
    }

    /// Time passes.
    pub fn pass(&mut self, seconds: i64) {
        self.clock += seconds;
    }

    /// A field of the order becomes something else.
    pub fn set(&mut self, name: &str, value: Value) {
        self.order.insert(name.into(), value);
    }

    /// The attribute of the cart becomes something else; `None` takes it away.
    pub fn set_attribute(&mut self, name: &str, value: Option<&str>) {
        let attributes = self.order.entry("note_attributes").or_insert_with(|| json!([]));
        if let Some(list) = attributes.as_array_mut() {
            list.retain(|entry| entry.get("name").and_then(Value::as_str) != Some(name));
            list.extend(value.map(|value| json!({"name": name, "value": value})));
        }
    }

    /// How many lines there are.
    #[must_use]
    pub fn line_count(&self) -> usize {
        self.order.get("line_items").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// A field of a line becomes something else.
    pub fn set_line(&mut self, index: usize, name: &str, value: Value) {
        if let Some(line) = self.lines().and_then(|lines| lines.get_mut(index)).and_then(Value::as_object_mut)
        {
            line.insert(name.into(), value);
        }
    }

    fn take_from_line(&mut self, index: usize, name: &str) {
        if let Some(line) = self.lines().and_then(|lines| lines.get_mut(index)).and_then(Value::as_object_mut)
        {
            line.remove(name);
        }
    }

    /// The line was ordered and still is wanted in this quantity.
    pub fn order_line(&mut self, index: usize, sku: &str, quantity: u32) {
        self.set_line(index, "sku", json!(sku));
        self.set_line(index, "quantity", json!(quantity));
        self.want(index, quantity);
    }

    /// An edit or a refund: the line is wanted in another quantity than was ordered.
    pub fn want(&mut self, index: usize, quantity: u32) {
        self.set_line(index, "current_quantity", json!(quantity));
    }

    /// Pieces of a line are refunded, as many as are left of them; whether they go back on the shelf is for the kind to
    /// say. A line without an id has nothing to refund.
    pub fn refund(&mut self, index: usize, pieces: i64, kind: &str) {
        let Some(line) = self.lines().and_then(|lines| lines.get(index)).cloned() else { return };
        let count = |name: &str| line.get(name).and_then(Value::as_i64);
        let left = count("current_quantity").or_else(|| count("quantity")).unwrap_or(0);
        let (Some(id), pieces) = (line.get("id"), pieces.min(left)) else { return };
        if pieces > 0 {
            self.refunds += 1;
            let refund = json!({
                "id": self.identity.id % 1_000_000_007 * 1000 + self.refunds, "order_id": self.identity.id,
                "created_at": self.written(self.told.len()), "note": null,
                "refund_line_items": [{"line_item_id": id, "quantity": pieces, "restock_type": kind}],
            });
            self.set_line(index, "current_quantity", json!(left - pieces));
            let list = self.order.entry("refunds").or_insert_with(|| json!([]));
            list.as_array_mut().into_iter().for_each(|list| list.push(refund.clone()));
        }
    }

    /// Shopify tells the latest refund by itself; false when there is none.
    pub fn tell_refund(&mut self) -> bool {
        let latest = self.order.get("refunds").and_then(Value::as_array).and_then(|list| list.last());
        let Some(body) = latest.filter(|refund| refund.get("order_id") == Some(&json!(self.identity.id)))
        else {
            return false;
        };
        let body = body.to_string();
        self.push("refunds/create", body);
        true
    }

    /// The body is as old versions of Shopify's API wrote it: what is left of a line has to be counted.
    pub fn tell_in_old_form(&mut self, topic: &str) {
        let lines: Vec<Value> = self.lines().cloned().unwrap_or_default();
        for index in 0..lines.len() {
            self.take_from_line(index, "current_quantity");
        }
        self.tell(topic);
        self.set("line_items", Value::Array(lines));
    }

    /// An edit adds a line.
    pub fn add_line(&mut self, sku: &str, quantity: u32) {
        self.added += 1;
        let line = json!({
            "id": self.identity.id + self.added, "sku": sku, "title": format!("Extra {}", self.added),
            "variant_title": "Large / Hazelnut", "quantity": quantity, "current_quantity": quantity,
            "price": "12.50", "price_set": self.amounts("12.50"), "gift_card": false, "properties": [],
        });
        self.lines().into_iter().for_each(|lines| lines.push(line.clone()));
    }

    /// The line vanishes from the order.
    pub fn drop_line(&mut self, index: usize) {
        if let Some(lines) = self.lines().filter(|lines| index < lines.len()) {
            lines.remove(index);
        }
    }

    /// The order costs something else now, in cents.
    pub fn cost(&mut self, cents: u32) {
        let amount = format!("{}.{:02}", cents / 100, cents % 100);
        let set = self.amounts(&amount);
        self.set("current_total_price", json!(amount));
        self.set("current_total_price_set", set);
    }

    /// The order is cancelled now: nothing is wanted of it any more.
    pub fn cancel(&mut self, reason: &str) {
        let now = json!(self.written(0));
        self.set("cancelled_at", now);
        self.set("cancel_reason", json!(reason));
        (0..self.line_count()).for_each(|index| self.want(index, 0));
    }

    /// What has been told, in the order in which it happened.
    #[must_use]
    pub fn told(&self) -> &[Delivery] {
        &self.told
    }

    /// An amount as Shopify writes it in both currencies.
    fn amounts(&self, amount: &str) -> Value {
        let currency = |name: &str| self.order.get(name).cloned().unwrap_or_else(|| json!("AUD"));
        json!({
            "shop_money": {"amount": amount, "currency_code": currency("currency")},
            "presentment_money": {"amount": amount, "currency_code": currency("presentment_currency")},
        })
    }

    fn lines(&mut self) -> Option<&mut Vec<Value>> {
        self.order.get_mut("line_items")?.as_array_mut()
    }

    fn written(&self, turn: usize) -> String {
        let minutes = OFFSETS.get(turn % OFFSETS.len()).copied().unwrap_or(0);
        let now = DateTime::from_timestamp(self.clock, 0).unwrap_or_default();
        match FixedOffset::east_opt(minutes * 60) {
            Some(offset) if minutes != 0 => {
                now.with_timezone(&offset).to_rfc3339_opts(SecondsFormat::Secs, false)
            }
            _ => now.to_rfc3339_opts(SecondsFormat::Secs, true),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bases, order_state};

    fn identity() -> Identity {
        let shop =
            Shop { store: "bannos".into(), domain: "bannos.myshopify.com".into(), prefix: "bannos".into() };
        Identity { shop, id: 42 }
    }

    #[test]
    fn a_life_is_told_and_read_back() {
        let base = bases().unwrap().into_iter().find(|base| base.name.contains("multi_line")).unwrap();
        let mut story = Story::new(&base, &identity());
        story.order_line(0, "CAKE", 3);
        story.tell("orders/create");
        story.pass(60);
        story.want(0, 1);
        story.drop_line(2);
        story.add_line("CANDLE", 2);
        story.cost(1234);
        story.set("note", json!("ring twice"));
        story.tell("orders/updated");

        let end = order_state(&identity().shop, story.told()).unwrap();
        assert_eq!(end.id, "bannos-100000000000000042");
        assert_eq!(end.fields.gid, "gid://shopify/Order/42");
        assert_eq!((end.fields.total, end.fields.notes.as_deref()), (Some(12_340), Some("ring twice")));
        let lines: Vec<_> =
            end.fields.lines.iter().map(|line| (line.sku.as_deref(), line.quantity)).collect();
        assert_eq!(lines, [(Some("CAKE"), 1), (Some("MWW0044"), 1), (Some("CANDLE"), 2)]);
    }

    #[test]
    fn every_fixture_begins_a_story_that_is_not_cancelled() {
        for base in bases().unwrap() {
            let mut story = Story::new(&base, &identity());
            story.tell("orders/create");
            let end = order_state(&identity().shop, story.told()).unwrap();
            assert!(end.fields.cancelled_at.is_none() && !end.placeholder, "{}", base.name);
        }
    }

    #[test]
    fn the_same_instant_is_written_in_several_ways() {
        let base = bases().unwrap().remove(0);
        let mut story = Story::new(&base, &identity());
        (0..4).for_each(|_| story.tell("orders/updated"));
        let states: Vec<_> = story
            .told()
            .iter()
            .map(|told| order_state(&identity().shop, std::slice::from_ref(told)).unwrap().fields.updated_at)
            .collect();
        assert!(states.windows(2).all(|pair| pair[0] == pair[1]));
        assert_eq!(
            story.told().iter().map(|told| &told.body).collect::<std::collections::BTreeSet<_>>().len(),
            4
        );
    }

    #[test]
    fn cancelling_leaves_nothing_wanted() {
        let base = bases().unwrap().remove(2);
        let mut story = Story::new(&base, &identity());
        story.cancel("customer");
        story.tell("orders/cancelled");
        let end = order_state(&identity().shop, story.told()).unwrap();
        assert!(end.fields.lines.iter().all(|line| line.quantity == 0) && end.fields.cancelled_at.is_some());
    }
}
