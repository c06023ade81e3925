//! `refundCreate` by the rules of 2026-10: an idempotency key, a payment for each part, never more than was paid.

use super::errors::{CONCURRENT, GraphqlError};
use super::schema::{Field, Of, object, scalar};
use super::shops::{Shop, UsedKey};
use graphql_parser::Pos;
use serde_json::{Value, json};

/// The payments of an order of the REST form: those that it lists, else one of its total when it says that it is paid.
pub fn transactions(order: &Value, id: &str, total: &Value) -> Value {
    let gid = |id: &str| format!("gid://shopify/OrderTransaction/{id}");
    let listed = order.get("transactions").and_then(Value::as_array);
    if let Some(listed) = listed {
        let told = |(at, rest): (usize, &Value)| {
            let text = |name: &str| rest.get(name).and_then(Value::as_str).unwrap_or_default().to_uppercase();
            let parent =
                rest.get("parent").and_then(Value::as_u64).map(|at| json!({"id": gid(&format!("{id}{at}"))}));
            let money = json!({"amount": rest.get("amount"), "currencyCode": text("currency")});
            json!({
                "id": gid(&format!("{id}{at}")), "kind": text("kind"), "status": text("status"), "gateway": "bogus",
                "amountSet": {"shopMoney": money, "presentmentMoney": money}, "parentTransaction": parent
            })
        };
        return listed.iter().enumerate().map(told).collect();
    }
    let paid = order.get("financial_status").and_then(Value::as_str) == Some("paid");
    let sale = json!({
        "id": gid(&format!("{id}0")), "kind": "SALE", "status": "SUCCESS", "gateway": "bogus", "amountSet": total,
        "parentTransaction": null
    });
    if paid { json!([sale]) } else { json!([]) }
}

/// One use of the mutation.
pub struct Call<'c> {
    /// The coerced input.
    pub input: &'c Value,
    /// The key of `@idempotent`, if the directive was there.
    pub key: Option<&'c str>,
    /// Response key of the field, for error paths.
    pub path: &'c str,
    /// Place of the field.
    pub place: Pos,
    /// Time stamp of the answer.
    pub at: &'c str,
}

/// What a call came to.
pub struct Outcome {
    /// The payload object.
    pub payload: Value,
    /// What changed, when something was executed.
    pub effect: Option<Value>,
}

/// Runs the mutation on a shop. An error means that the field is null and nothing changed.
pub fn create(shop: &mut Shop, call: &Call<'_>) -> Result<Outcome, GraphqlError> {
    let Some(key) = call.key else {
        let message = "The @idempotent directive is required for this mutation but was not provided.";
        return Err(GraphqlError::new(message, "BAD_REQUEST").at(call.place).path(&[call.path]));
    };
    if shop.under_way.contains_key(key) {
        return Ok(refused("input", CONCURRENT));
    }
    if let Some(used) = shop.keys.get(key).filter(|_| !shop.forgets_keys) {
        if used.input != *call.input {
            return Ok(refused(
                "input",
                "The same idempotency key cannot be used with different operation parameters.",
            ));
        }
        if let Some(payload) = &used.payload {
            return Ok(Outcome { payload: payload.clone(), effect: None });
        }
    }
    let outcome = execute(shop, call).unwrap_or_else(|(field, message)| refused(field, message));
    let payload = outcome.effect.is_some().then(|| outcome.payload.clone());
    shop.keys.insert(key.to_owned(), UsedKey { input: call.input.clone(), payload });
    Ok(outcome)
}

fn refused(field: &str, message: &str) -> Outcome {
    let errors = json!([{"field": [field], "message": message}]);
    Outcome { payload: json!({"refund": null, "order": null, "userErrors": errors}), effect: None }
}

fn execute(shop: &mut Shop, call: &Call<'_>) -> Result<Outcome, (&'static str, &'static str)> {
    let text =
        |object: &Value, name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let order_id = text(call.input, "orderId");
    let order = shop.orders.get_mut(&order_id).ok_or(("orderId", "Order does not exist"))?;
    let known = order.get("transactions").and_then(Value::as_array).cloned().unwrap_or_default();
    let parts = call.input.get("transactions").and_then(Value::as_array).cloned().unwrap_or_default();
    if parts.is_empty() {
        return Err(("transactions", "Refund must have at least one transaction or line item"));
    }
    let (mut all, mut sum) = (known, 0);
    for part in &parts {
        let parent =
            all.iter().find(|it| text(it, "id") == text(part, "parentId") && text(it, "status") == "SUCCESS");
        let parent = parent.filter(|it| ["SALE", "CAPTURE"].contains(&text(it, "kind").as_str()));
        let parent = parent.ok_or(("transactions", "Parent transaction is not refundable"))?.clone();
        let money = parent.pointer("/amountSet/presentmentMoney").cloned().unwrap_or_default();
        let given_back: i64 = all
            .iter()
            .filter(|it| {
                text(it, "kind") == "REFUND" && it.pointer("/parentTransaction/id") == parent.get("id")
            })
            .map(|it| thousandths(it.pointer("/amountSet/presentmentMoney/amount")))
            .sum();
        let amount = thousandths(part.get("amount"));
        if text(part, "orderId") != order_id || text(part, "kind") != "REFUND" {
            return Err(("transactions", "Transaction must be a refund of the order"));
        }
        if Some(&Value::String(text(call.input, "currency"))) != money.get("currencyCode") {
            return Err(("currency", "Currency must be the presentment currency of the order"));
        }
        if amount <= 0 || given_back + amount > thousandths(money.get("amount")) {
            return Err(("transactions", "Refund amount cannot be greater than the refundable amount"));
        }
        sum += amount;
        let money = json!({"amount": part.get("amount"), "currencyCode": money.get("currencyCode")});
        all.push(json!({
            "id": format!("gid://shopify/OrderTransaction/9{}{}", shop.groups, all.len()), "kind": "REFUND",
            "status": "SUCCESS", "gateway": parent.get("gateway"),
            "amountSet": {"shopMoney": money, "presentmentMoney": money}, "parentTransaction": {"id": parent.get("id")}
        }));
    }
    shop.groups += 1;
    let refund = json!({
        "id": format!("gid://shopify/Refund/{}", shop.groups), "note": call.input.get("note"), "createdAt": call.at,
        "processedAt": call.at
    });
    if let Some(fields) = order.as_object_mut() {
        fields.insert("transactions".to_owned(), Value::Array(all));
        if let Value::Array(refunds) = fields.entry("refunds").or_insert_with(|| json!([])) {
            refunds.push(refund.clone());
        }
    }
    let effect = json!({
        "order_id": order_id, "amount": format!("{}.{:03}", sum / 1000, sum % 1000),
        "currency": call.input.get("currency"), "note": call.input.get("note")
    });
    Ok(Outcome {
        payload: json!({"refund": refund, "order": {"id": order_id}, "userErrors": []}),
        effect: Some(effect),
    })
}

/// An amount in thousandths; 0 when it cannot be read.
fn thousandths(amount: Option<&Value>) -> i64 {
    let text = amount.and_then(Value::as_str).unwrap_or_default();
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let fraction: String = fraction.chars().chain("000".chars()).take(3).collect();
    format!("{whole}{fraction}").parse().unwrap_or(0)
}

/// The fields of the types of refunds; none for a type that is not here.
pub fn fields(type_name: &str) -> &'static [Field] {
    match type_name {
        "OrderTransaction" => {
            const {
                &[
                    scalar("id"),
                    scalar("kind"),
                    scalar("status"),
                    scalar("gateway"),
                    object("amountSet", "MoneyBag"),
                    object("parentTransaction", "OrderTransaction"),
                ]
            }
        }
        "Refund" => {
            const {
                &[
                    scalar("id"),
                    scalar("note"),
                    scalar("createdAt"),
                    scalar("processedAt"),
                    object("order", "Order"),
                    Field {
                        name: "refundLineItems",
                        of: Of::Connection("RefundLineItemConnection"),
                        args: &[("first", "Int"), ("after", "String")],
                    },
                ]
            }
        }
        "RefundLineItemConnection" => {
            const {
                &[
                    Field { name: "nodes", of: Of::List("RefundLineItem"), args: &[] },
                    object("pageInfo", "PageInfo"),
                ]
            }
        }
        "RefundLineItem" => {
            const { &[scalar("quantity"), scalar("restockType"), object("lineItem", "LineItem")] }
        }
        "RefundCreatePayload" => {
            const {
                &[
                    object("refund", "Refund"),
                    object("order", "Order"),
                    Field { name: "userErrors", of: Of::List("UserError"), args: &[] },
                ]
            }
        }
        _ => &[],
    }
}

/// The fields of the input types.
pub fn input(type_name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match type_name {
        "RefundInput" => Some(&[
            ("orderId", "ID!"),
            ("currency", "CurrencyCode"),
            ("note", "String"),
            ("notify", "Boolean"),
            ("transactions", "[OrderTransactionInput!]"),
        ]),
        "OrderTransactionInput" => Some(&[
            ("orderId", "ID!"),
            ("parentId", "ID"),
            ("gateway", "String!"),
            ("kind", "OrderTransactionKind!"),
            ("amount", "Money!"),
        ]),
        _ => None,
    }
}
