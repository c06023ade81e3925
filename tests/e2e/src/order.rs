//! Orders of a test's own, derived from real ones: same shape, ids that no other test uses.

use crate::store::Store;
use crate::{Failure, Outcome, unique_number};
use serde_json::{Value, json};
use std::path::PathBuf;

/// An order as Shopify would send it.
#[derive(Clone, Debug)]
pub struct Order {
    /// The payload.
    pub payload: Value,
    /// Shopify's numeric id.
    pub id: u64,
    /// The order number.
    pub number: u64,
}

/// The bytes of a fixture, as they are.
pub fn fixture(name: &str) -> Outcome<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fixtures/shopify");
    std::fs::read(folder.join(name)).map_err(|error| Failure::new(format!("{name}: {error}")))
}

impl Order {
    /// A fixture with fresh ids, a fresh number and `updated_at` as it was.
    pub fn from_fixture(name: &str) -> Outcome<Self> {
        let mut payload: Value = serde_json::from_slice(&fixture(name)?)?;
        let (id, number) = (unique_number(10_000_000_000_000), unique_number(1_000_000_000));
        set(&mut payload, "id", json!(id));
        set(&mut payload, "order_number", json!(number));
        set(&mut payload, "name", json!(format!("#{number}")));
        set(&mut payload, "admin_graphql_api_id", json!(gid(id)));
        let mut order = Self { payload, id, number };
        order.each_line(|line| set(line, "id", json!(unique_number(100_000_000_000_000))));
        Ok(order)
    }

    /// A paid order of one line, for delivery.
    pub fn simple() -> Outcome<Self> {
        Self::from_fixture("shopify_orders_create__aud_simple_delivery.json")
    }

    /// The same order with these SKUs and quantities as its lines.
    pub fn with_lines(mut self, wanted: &[(&str, u32)]) -> Self {
        let line = |(sku, quantity): &(&str, u32)| {
            json!({
                "id": unique_number(100_000_000_000_000), "sku": sku, "title": "Cake", "variant_title": "Medium",
                "quantity": quantity, "current_quantity": quantity, "price": "10.00", "gift_card": false,
                "properties": []
            })
        };
        self.set("line_items", wanted.iter().map(line).collect());
        self
    }

    /// Sets a field of the payload.
    pub fn set(&mut self, field: &str, value: Value) -> &mut Self {
        set(&mut self.payload, field, value);
        self
    }

    /// Changes every line.
    pub fn each_line(&mut self, change: impl FnMut(&mut Value)) {
        if let Some(Value::Array(lines)) = self.payload.get_mut("line_items") {
            lines.iter_mut().for_each(change);
        }
    }

    /// The order id in a store.
    pub fn order_id(&self, store: Store) -> String {
        format!("{}-{}", store.key, self.number)
    }

    /// Shopify's GraphQL id.
    pub fn gid(&self) -> String {
        gid(self.id)
    }

    /// The payload as it is sent.
    pub fn bytes(&self) -> Vec<u8> {
        self.payload.to_string().into_bytes()
    }
}

fn gid(id: u64) -> String {
    format!("gid://shopify/Order/{id}")
}

fn set(object: &mut Value, field: &str, value: Value) {
    if let Value::Object(fields) = object {
        fields.insert(field.to_owned(), value);
    }
}
