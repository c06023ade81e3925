//! A refund of an order in the form of the REST API: which pieces of which line it took, and whether they went back on
//! the shelf. What was paid back is nobody's business here.

use super::order::{Rest, number};
use super::text;
use serde_json::Value;

/// A refund, as far as it has come.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refund {
    /// Shopify's id.
    pub(super) gid: String,
    node: Value,
    lines: Vec<Value>,
}

impl Refund {
    /// A refund as the order names it.
    pub(super) fn read(node: &Value) -> Option<Self> {
        Some(Self { gid: text(node, "id")?, node: node.clone(), lines: Vec::new() })
    }

    /// Takes some of its lines.
    pub(super) fn add(&mut self, lines: &[Value]) {
        self.lines.extend(lines.iter().map(|node| {
            let mut rest = Rest::of(node);
            rest.same(&[("quantity", "quantity")]);
            rest.set("line_item_id", number(node.pointer("/lineItem/id")));
            rest.set("restock_type", text(node, "restockType").map(|kind| kind.to_lowercase()));
            rest.finish()
        }));
    }

    pub(super) fn into_rest(self) -> Value {
        let mut rest = Rest::of(&self.node);
        rest.same(&[
            ("admin_graphql_api_id", "id"),
            ("created_at", "createdAt"),
            ("processed_at", "processedAt"),
        ]);
        rest.set("id", number(self.node.get("id")));
        rest.set("refund_line_items", self.lines);
        rest.finish()
    }
}
