//! Giving money back through Shopify: what to ask about an order, what to send, and what the answers mean.
//!
//! Shopify remembers an idempotency key for a day and was seen to forget one. So an order is asked first what was paid
//! and given back, and a refund carries our mark in its note: one that is there is never made again. Knows no HTTP client.

mod amount;

use crate::admin_api::{Answer, passing, quote};
use crate::batch::is_order_gid;
use crate::content;
use crate::work::{WorkFailure, WorkItem};
use amount::Amount;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Topic of the items.
pub const TOPIC: &str = "refund";

/// Wait when another request with the same key is still running.
const CONCURRENT_WAIT_MS: u64 = 2_000;

const QUERY: &str = "query RefundableOrder($id: ID!) { node(id: $id) { ... on Order { id \
    transactions(first: 100) { id kind status gateway amountSet { presentmentMoney { amount currencyCode } } \
    parentTransaction { id } } refunds(first: 100) { id note } } } }";

const MUTATION: &str = "mutation Refund($input: RefundInput!, $key: String!) { \
    refundCreate(input: $input) @idempotent(key: $key) { refund { id } userErrors { field message } } }";

/// A refund that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    order: String,
    shop_domain: String,
    currency: String,
    amount: Amount,
    reason: String,
    mark: String,
}

/// What is to be done once the order is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing: it was given back before.
    Nothing,
    /// Send this body.
    Send(String),
}

/// A payment, as far as it has not been given back.
struct Payment<'a> {
    id: &'a str,
    gateway: &'a str,
    left: Amount,
}

impl Refund {
    /// Reads a claimed item.
    ///
    /// # Errors
    /// A permanent failure when it names no order of Shopify's or no amount.
    pub fn of(item: &WorkItem) -> Result<Self, WorkFailure> {
        let said =
            |name: &str| item.payload.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let lacks = |what: &str| WorkFailure::permanent(format!("the item names no {what}"));
        let order = said("order_gid").ok_or_else(|| lacks("order"))?;
        if !is_order_gid(order) {
            return Err(WorkFailure::permanent("the order is not Shopify's: give its money back by hand"));
        }
        let amount = said("amount").and_then(Amount::parse).filter(|amount| !amount.is_zero());
        let shop_domain = item.shop_domain.clone().ok_or_else(|| lacks("shop"))?;
        let mut name = Sha256::new();
        name.update(format!("refund\n{shop_domain}\n{}\n", item.dedupe_key));
        Ok(Self {
            order: order.to_owned(),
            currency: said("currency").ok_or_else(|| lacks("currency"))?.to_owned(),
            amount: amount.ok_or_else(|| lacks("amount"))?,
            reason: said("batch_id")
                .map_or_else(|| "Cancelled".to_owned(), |batch| format!("Batch {batch} cancelled")),
            mark: format!("ordak:{}", content::uuid(name.finalize().into())),
            shop_domain,
        })
    }

    /// The Shopify domain of the store.
    #[must_use]
    pub fn shop_domain(&self) -> &str {
        &self.shop_domain
    }

    /// The body that asks what was paid and given back.
    #[must_use]
    pub fn question(&self) -> String {
        json!({ "query": QUERY, "variables": { "id": self.order } }).to_string()
    }

    /// Reads the answer to it; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When there was none, or the order was not paid as the item says.
    pub fn next(&self, answer: Answer<'_>, now: i64) -> Result<Step, WorkFailure> {
        let body = answer.read(now)?;
        let order = match body.pointer("/data/node") {
            None => return Err(passing("Shopify's answer has no order").into()),
            Some(order) if order.get("id").is_none() => {
                return Err(WorkFailure::permanent("Shopify does not know the order"));
            }
            Some(order) => order,
        };
        let is_ours = |refund: &&Value| {
            refund.get("note").and_then(Value::as_str).is_some_and(|note| note.contains(&self.mark))
        };
        if list(order, "refunds").iter().any(|refund| is_ours(&refund)) {
            return Ok(Step::Nothing);
        }
        let payments = self.payments(list(order, "transactions"))?;
        if payments.is_empty() {
            return Err(WorkFailure::permanent("Shopify knows of no payment for the order"));
        }
        let transactions = self.spread(&payments);
        Ok(if transactions.is_empty() { Step::Nothing } else { Step::Send(self.request(&transactions)) })
    }

    /// What of each payment is left.
    fn payments<'a>(&self, transactions: &'a [Value]) -> Result<Vec<Payment<'a>>, WorkFailure> {
        let mut payments = Vec::new();
        for payment in transactions.iter().filter(|it| is(it, "status", "SUCCESS")) {
            if !is(payment, "kind", "SALE") && !is(payment, "kind", "CAPTURE") {
                continue;
            }
            let id = payment.get("id").and_then(Value::as_str).unwrap_or_default();
            let returned = transactions.iter().filter(|it| {
                is(it, "kind", "REFUND")
                    && (is(it, "status", "SUCCESS") || is(it, "status", "PENDING"))
                    && it.pointer("/parentTransaction/id").and_then(Value::as_str) == Some(id)
            });
            let mut left = self.money(payment)?;
            for refund in returned {
                left = left.less(self.money(refund)?);
            }
            let gateway = payment.get("gateway").and_then(Value::as_str).unwrap_or_default();
            payments.push(Payment { id, gateway, left });
        }
        Ok(payments)
    }

    fn money(&self, transaction: &Value) -> Result<Amount, WorkFailure> {
        let money = transaction.pointer("/amountSet/presentmentMoney");
        let text = |name: &str| money.and_then(|money| money.get(name)).and_then(Value::as_str);
        if text("currencyCode") != Some(&self.currency) {
            return Err(WorkFailure::permanent("the order was paid in another currency than it is in"));
        }
        text("amount")
            .and_then(Amount::parse)
            .ok_or_else(|| passing("Shopify's answer has an unreadable amount").into())
    }

    /// The amount, taken from the payments one after the other; less when less is left.
    fn spread(&self, payments: &[Payment<'_>]) -> Vec<Value> {
        let (mut wanted, mut transactions) = (self.amount, Vec::new());
        for payment in payments {
            let part = payment.left.min(wanted);
            if !part.is_zero() {
                wanted = wanted.less(part);
                transactions.push(json!({
                    "orderId": self.order, "parentId": payment.id, "gateway": payment.gateway, "kind": "REFUND",
                    "amount": part.to_string()
                }));
            }
        }
        transactions
    }

    /// The same parts make the same key; other parts make another, because Shopify refuses a key with other variables.
    fn request(&self, transactions: &[Value]) -> String {
        let note = format!("{} [{}]", self.reason, self.mark);
        let input = json!({
            "orderId": self.order, "currency": self.currency, "note": note, "notify": true, "transactions": transactions
        });
        let mut intent = Sha256::new();
        intent.update(format!("{}\n{input}", self.mark));
        let key = content::uuid(intent.finalize().into());
        json!({ "query": MUTATION, "variables": { "input": input, "key": key } }).to_string()
    }

    /// Reads the answer to [`Step::Send`]; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// When the money was not given back, or nobody knows.
    pub fn judge(&self, answer: Answer<'_>, now: i64) -> Result<(), WorkFailure> {
        let body = answer.read(now)?;
        let result = body.pointer("/data/refundCreate");
        let errors = result.map(|result| list(result, "userErrors")).unwrap_or_default();
        if let Some(error) = errors.first() {
            let text = |name: &str| error.get(name).and_then(Value::as_str);
            let said = format!("Shopify: {}", quote(text("code"), text("message")));
            // These errors need not carry a code. The next try asks first what was given back.
            let is_under_way = text("code") == Some("IDEMPOTENCY_CONCURRENT_REQUEST")
                || text("message").is_some_and(|message| message.contains("currently in progress"));
            return Err(if is_under_way {
                WorkFailure::transient(said, Some(CONCURRENT_WAIT_MS))
            } else {
                WorkFailure::permanent(said)
            });
        }
        match result.and_then(|result| result.pointer("/refund/id")) {
            Some(Value::String(_)) => Ok(()),
            _ => Err(passing("Shopify's answer has no refund").into()),
        }
    }
}

fn list<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn is(object: &Value, name: &str, wanted: &str) -> bool {
    object.get(name).and_then(Value::as_str) == Some(wanted)
}

#[cfg(test)]
mod tests;
