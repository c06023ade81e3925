//! A line of an order in the form of the REST API.

use super::order::{Rest, number, pairs};
use serde_json::Value;

/// The name of webhooks, then that of the API.
const SAME: [(&str, &str); 11] = [
    ("admin_graphql_api_id", "id"),
    ("sku", "sku"),
    ("title", "title"),
    ("name", "name"),
    ("variant_title", "variantTitle"),
    ("vendor", "vendor"),
    ("quantity", "quantity"),
    ("current_quantity", "currentQuantity"),
    ("gift_card", "isGiftCard"),
    ("requires_shipping", "requiresShipping"),
    ("taxable", "taxable"),
];

/// `price` is what one piece cost before discounts.
pub(super) fn to_rest(node: &Value) -> Value {
    let allocations =
        node.get("discountAllocations").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut rest = Rest::of(node);
    rest.same(&SAME);
    rest.sums(&[("price", "originalUnitPriceSet")]);
    rest.set("id", number(node.get("id")));
    rest.set("properties", pairs(node));
    rest.set("discount_allocations", allocations.iter().map(allocation).collect::<Vec<_>>());
    rest.finish()
}

fn allocation(node: &Value) -> Value {
    let mut rest = Rest::of(node);
    rest.sums(&[("amount", "allocatedAmountSet")]);
    rest.set("discount_application_index", node.pointer("/discountApplication/index").cloned());
    rest.finish()
}
