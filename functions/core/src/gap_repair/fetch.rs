//! Missed orders in full: the request, then what did not fit into its answer, piece by piece: more lines of long orders,
//! and which pieces each refund took back.

use super::{Delivery, connection, line, order, refund, request, text};
use crate::admin_api::{Refusal, passing};
use crate::content;
use crate::topic::Topic;
use serde_json::{Value, json};

/// More pieces than this has no order.
const MOST_PIECES: usize = 100;

macro_rules! money_and_lines {
    () => {
        "fragment Money on MoneyBag { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } } \
         fragment Line on LineItem { id sku title name variantTitle vendor quantity currentQuantity isGiftCard \
         requiresShipping taxable customAttributes { key value } originalUnitPriceSet { ...Money } \
         discountAllocations { allocatedAmountSet { ...Money } discountApplication { index } } }"
    };
}

/// Most orders have few lines, and a query is paid for by what it might bring.
const QUERY: &str = concat!(
    "query MissedOrders($ids: [ID!]!) { nodes(ids: $ids) { ... on Order { \
     id name number createdAt updatedAt processedAt closedAt cancelledAt cancelReason displayFinancialStatus \
     displayFulfillmentStatus currencyCode presentmentCurrencyCode note tags test sourceName discountCodes \
     customAttributes { key value } customer { id firstName lastName } \
     shippingAddress { name firstName lastName provinceCode countryCodeV2 } billingAddress { name firstName lastName } \
     currentTotalPriceSet { ...Money } totalPriceSet { ...Money } totalDiscountsSet { ...Money } \
     refunds(first: 50) { id createdAt processedAt } \
     discountApplications(first: 30) { nodes { __typename index allocationMethod targetSelection targetType \
     value { __typename ... on MoneyV2 { amount } ... on PricingPercentageValue { percentage } } \
     ... on DiscountCodeApplication { code } ... on AutomaticDiscountApplication { title } \
     ... on ManualDiscountApplication { title description } ... on ScriptDiscountApplication { title } } } \
     lineItems(first: 10) { nodes { ...Line } pageInfo { hasNextPage endCursor } } } } } ",
    money_and_lines!()
);

const MORE_LINES: &str = concat!(
    "query MoreLines($ids: [ID!]!, $after: String!) { nodes(ids: $ids) { ... on Order { id updatedAt \
     lineItems(first: 50, after: $after) { nodes { ...Line } pageInfo { hasNextPage endCursor } } } } } ",
    money_and_lines!()
);

const REFUND: &str = "query RefundedLines($id: ID!, $after: String) { node(id: $id) { ... on Refund { \
    order { updatedAt } refundLineItems(first: 50, after: $after) { \
    nodes { quantity restockType lineItem { id } } pageInfo { hasNextPage endCursor } } } } }";

/// The request for these orders.
#[must_use]
pub fn fetch(gids: &[&str]) -> String {
    request(QUERY, &json!({ "ids": gids }))
}

/// The orders in the body of an answer. One that is gone by now is not among them.
///
/// # Errors
/// When the body has none of what was asked for.
pub fn read_fetched(body: &Value) -> Result<Vec<Fetched>, Refusal> {
    let nodes = body.pointer("/data/nodes").and_then(Value::as_array);
    let nodes = nodes.ok_or_else(|| passing("Shopify's answer has no orders"))?;
    nodes.iter().filter(|node| node.get("id").is_some()).map(Fetched::read).collect()
}

/// An order, as far as it has come.
#[derive(Clone, Debug, PartialEq)]
pub struct Fetched {
    gid: String,
    updated_at: String,
    node: Value,
    lines: Vec<Value>,
    refunds: Vec<refund::Refund>,
    pieces: usize,
    missing: Vec<Missing>,
}

/// A piece that is still to be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Missing {
    /// Lines behind a place.
    Lines(String),
    /// What a refund took back, behind a place if any.
    Refunded(usize, Option<String>),
}

impl Fetched {
    fn read(node: &Value) -> Result<Self, Refusal> {
        let lines = node.get("lineItems").and_then(connection);
        let whole = || Some((text(node, "id")?, text(node, "updatedAt")?, lines?));
        let (gid, updated_at, (lines, next)) =
            whole().ok_or_else(|| passing("Shopify's answer has half an order"))?;
        let lines = lines.iter().map(line::to_rest).collect();
        let refunds = node.get("refunds").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        let refunds: Vec<refund::Refund> = refunds.iter().filter_map(refund::Refund::read).collect();
        // Taken from the end: lines first, then the refunds in their order.
        let mut missing: Vec<Missing> =
            (0..refunds.len()).rev().map(|at| Missing::Refunded(at, None)).collect();
        missing.extend(next.map(Missing::Lines));
        Ok(Self { gid, updated_at, node: node.clone(), lines, refunds, pieces: 0, missing })
    }

    /// Shopify's id.
    #[must_use]
    pub fn gid(&self) -> &str {
        &self.gid
    }

    /// The request for its next piece, while one is missing.
    #[must_use]
    pub fn missing_piece(&self) -> Option<String> {
        match self.missing.last().filter(|_| self.pieces < MOST_PIECES)? {
            Missing::Lines(after) => Some(request(MORE_LINES, &json!({"ids": [self.gid], "after": after}))),
            Missing::Refunded(at, after) => {
                Some(request(REFUND, &json!({"id": self.refunds.get(*at)?.gid, "after": after})))
            }
        }
    }

    /// Takes the piece in the body of an answer; false when the order has changed in between, so that a part of it
    /// would be of another state. Then it is listed again anyway.
    ///
    /// # Errors
    /// When the body has none.
    pub fn add_piece(&mut self, body: &Value) -> Result<bool, Refusal> {
        let Some(missing) = self.missing.pop() else { return Ok(true) };
        self.pieces += 1;
        let none = || passing("Shopify's answer lacks a part of an order");
        let (node, time, list) = match missing {
            Missing::Lines(_) => ("/data/nodes/0", "/updatedAt", "lineItems"),
            Missing::Refunded(..) => ("/data/node", "/order/updatedAt", "refundLineItems"),
        };
        let node = body.pointer(node).ok_or_else(none)?;
        let (nodes, next) = node.get(list).and_then(connection).ok_or_else(none)?;
        if node.pointer(time).and_then(Value::as_str) != Some(&self.updated_at) {
            return Ok(false);
        }
        match missing {
            Missing::Lines(_) => {
                self.lines.extend(nodes.iter().map(line::to_rest));
                self.missing.extend(next.map(Missing::Lines));
            }
            Missing::Refunded(at, _) => {
                if let Some(refund) = self.refunds.get_mut(at) {
                    refund.add(nodes);
                }
                self.missing.extend(next.map(|after| Missing::Refunded(at, Some(after))));
            }
        }
        Ok(true)
    }

    /// The webhook that would have brought it.
    #[must_use]
    pub fn into_delivery(self, topic: Topic) -> Delivery {
        let refunds = self.refunds.into_iter().map(refund::Refund::into_rest).collect();
        let body = order::to_rest(&self.node, self.lines, refunds).to_string();
        Delivery {
            topic,
            webhook_id: format!("gap/{}/{}", self.gid, self.updated_at),
            content_hash: content::sha256_hex(body.as_bytes()),
            body,
        }
    }
}
