//! An order of the GraphQL API in the form of the REST API, which is the form of webhooks.
//!
//! What Ordak reads of an order is here exactly; of people only names, and of addresses what decides about customs.
//! Amounts stay the texts that they are.

use super::{discount, text};
use serde_json::{Map, Value, json};

/// What has another name there and is the same: the name of webhooks, then that of the API.
const SAME: [(&str, &str); 13] = [
    ("admin_graphql_api_id", "id"),
    ("name", "name"),
    ("order_number", "number"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("processed_at", "processedAt"),
    ("closed_at", "closedAt"),
    ("cancelled_at", "cancelledAt"),
    ("currency", "currencyCode"),
    ("presentment_currency", "presentmentCurrencyCode"),
    ("note", "note"),
    ("test", "test"),
    ("source_name", "sourceName"),
];
/// What is written in capitals there.
const LOWER: [(&str, &str); 2] =
    [("cancel_reason", "cancelReason"), ("financial_status", "displayFinancialStatus")];
const SUMS: [(&str, &str); 3] = [
    ("total_price", "totalPriceSet"),
    ("current_total_price", "currentTotalPriceSet"),
    ("total_discounts", "totalDiscountsSet"),
];
const CUSTOMER: [(&str, &str); 2] = [("first_name", "firstName"), ("last_name", "lastName")];
const ADDRESS: [(&str, &str); 5] = [
    ("name", "name"),
    ("first_name", "firstName"),
    ("last_name", "lastName"),
    ("province_code", "provinceCode"),
    ("country_code", "countryCodeV2"),
];

/// An object that is being written.
pub(super) struct Rest<'a> {
    node: &'a Value,
    members: Map<String, Value>,
}

impl<'a> Rest<'a> {
    pub(super) fn of(node: &'a Value) -> Self {
        Self { node, members: Map::new() }
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.members.insert(name.to_owned(), value.into());
    }

    /// Members that only have another name.
    pub(super) fn same(&mut self, names: &[(&str, &str)]) {
        for (rest, graphql) in names {
            self.set(rest, self.node.get(*graphql).cloned().unwrap_or_default());
        }
    }

    /// Sums, plain and as a set; the plain one is in the shop's currency.
    pub(super) fn sums(&mut self, names: &[(&str, &str)]) {
        for (rest, graphql) in names {
            let set = money(self.node.get(*graphql));
            self.set(rest, set.pointer("/shop_money/amount").cloned().unwrap_or_default());
            self.set(&format!("{rest}_set"), set);
        }
    }

    pub(super) fn finish(self) -> Value {
        Value::Object(self.members)
    }
}

/// The whole order; its lines and refunds are in REST form already.
pub(super) fn to_rest(node: &Value, lines: Vec<Value>, refunds: Vec<Value>) -> Value {
    let applications =
        node.pointer("/discountApplications/nodes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut rest = Rest::of(node);
    rest.same(&SAME);
    rest.sums(&SUMS);
    for (name, graphql) in LOWER {
        rest.set(name, text(node, graphql).map(|word| word.to_lowercase()));
    }
    rest.set("id", number(node.get("id")));
    rest.set("fulfillment_status", fulfillment(node));
    rest.set("tags", tags(node));
    rest.set("note_attributes", pairs(node));
    rest.set("customer", person(node.get("customer"), &CUSTOMER));
    rest.set("shipping_address", person(node.get("shippingAddress"), &ADDRESS));
    rest.set("billing_address", person(node.get("billingAddress"), &ADDRESS));
    rest.set("discount_codes", discount::codes(node, applications, &lines));
    rest.set("discount_applications", applications.iter().map(discount::application).collect::<Vec<_>>());
    rest.set("line_items", lines);
    rest.set("refunds", refunds);
    rest.finish()
}

/// A sum in the shop's currency and in the buyer's.
pub(super) fn money(bag: Option<&Value>) -> Value {
    let one = |name: &str| {
        bag.and_then(|bag| bag.get(name)).filter(|money| !money.is_null()).map(
            |money| json!({"amount": text(money, "amount"), "currency_code": text(money, "currencyCode")}),
        )
    };
    match (one("shopMoney"), one("presentmentMoney")) {
        (None, None) => Value::Null,
        (shop, presentment) => json!({"shop_money": shop, "presentment_money": presentment}),
    }
}

/// Attributes and properties: `key` there, `name` here.
pub(super) fn pairs(node: &Value) -> Value {
    let list = node.get("customAttributes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().map(|pair| json!({"name": pair.get("key"), "value": pair.get("value")})).collect()
}

/// The number in a GraphQL id.
pub(super) fn number(gid: Option<&Value>) -> Value {
    let id = gid.and_then(Value::as_str).and_then(|gid| gid.rsplit('/').next());
    let id = id.and_then(|id| id.split('?').next()).and_then(|id| id.parse::<u64>().ok());
    id.map_or(Value::Null, Value::from)
}

/// REST knows three of the ten, and null for the rest.
fn fulfillment(node: &Value) -> Option<&'static str> {
    match node.get("displayFulfillmentStatus").and_then(Value::as_str) {
        Some("FULFILLED") => Some("fulfilled"),
        Some("PARTIALLY_FULFILLED") => Some("partial"),
        Some("RESTOCKED") => Some("restocked"),
        _ => None,
    }
}

fn tags(node: &Value) -> String {
    let tags = node.get("tags").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    tags.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
}

/// Of a customer the number as well, by which requests about personal data name people.
fn person(node: Option<&Value>, names: &[(&str, &str)]) -> Value {
    let Some(node) = node.filter(|node| node.is_object()) else { return Value::Null };
    let mut rest = Rest::of(node);
    rest.same(names);
    if node.get("id").is_some() {
        rest.set("id", number(node.get("id")));
    }
    rest.finish()
}
