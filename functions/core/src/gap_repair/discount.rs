//! Discounts of an order in the form of the REST API.

use super::order::Rest;
use super::text;
use crate::decimal::Decimal;
use serde_json::{Value, json};

const TYPES: [(&str, &str); 4] = [
    ("DiscountCodeApplication", "discount_code"),
    ("AutomaticDiscountApplication", "automatic"),
    ("ManualDiscountApplication", "manual"),
    ("ScriptDiscountApplication", "script"),
];

/// One application: what kind of discount it is, what it says and what it falls on.
pub(super) fn application(node: &Value) -> Value {
    let kind = node.get("__typename").and_then(Value::as_str).unwrap_or_default();
    let kind = TYPES.iter().find(|(graphql, _)| *graphql == kind).map(|(_, rest)| *rest);
    let mut rest = Rest::of(node);
    rest.set("type", kind);
    rest.set("value", value(node));
    rest.set("value_type", value_type(node));
    let words = [
        ("allocation_method", "allocationMethod"),
        ("target_selection", "targetSelection"),
        ("target_type", "targetType"),
    ];
    for (name, graphql) in words {
        rest.set(name, text(node, graphql).map(|word| word.to_lowercase()));
    }
    for name in ["code", "title", "description"] {
        if let Some(said) = node.get(name) {
            rest.set(name, said.clone());
        }
    }
    rest.finish()
}

/// The codes that the buyer entered and the titles of what was given by hand, each with what it took off: the sum of
/// its shares in the lines. What is taken off shipping is told with no line, so that its amount is left out.
pub(super) fn codes(node: &Value, applications: &[Value], lines: &[Value]) -> Value {
    let codes = node.get("discountCodes").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let told = codes.iter().map(|code| {
        let named = |node: &Value, name: &str| node.get(name).is_some_and(|known| same(known, code));
        let application = applications.iter().find(|node| named(node, "code") || named(node, "title"));
        let on_shipping =
            application.and_then(|node| text(node, "targetType")).as_deref() == Some("SHIPPING_LINE");
        let kind = if on_shipping { Some("shipping") } else { application.and_then(value_type) };
        let amount = application.filter(|_| !on_shipping).and_then(|node| taken_off(node, lines));
        json!({"code": code, "amount": amount, "type": kind})
    });
    told.collect()
}

/// In the shop's currency, as every plain amount.
fn taken_off(application: &Value, lines: &[Value]) -> Option<String> {
    let index = application.get("index")?;
    let shares = lines
        .iter()
        .filter_map(|line| line.get("discount_allocations")?.as_array())
        .flatten()
        .filter(|share| share.get("discount_application_index") == Some(index));
    let mut sum = Decimal::parse("0.00")?;
    for share in shares {
        sum = sum.plus(&Decimal::parse(share.get("amount")?.as_str()?)?)?;
    }
    Some(sum.plain(3))
}

/// Buyers write codes as they like.
fn same(a: &Value, b: &Value) -> bool {
    let lower = |value: &Value| value.as_str().map(str::to_lowercase);
    lower(a).is_some() && lower(a) == lower(b)
}

/// Always a text in the REST form, whether it is an amount or a percentage.
fn value(node: &Value) -> Value {
    let value = node.get("value");
    match value.and_then(|value| value.get("amount").or_else(|| value.get("percentage"))) {
        Some(Value::Number(number)) => Value::String(number.to_string()),
        Some(text @ Value::String(_)) => text.clone(),
        _ => Value::Null,
    }
}

fn value_type(node: &Value) -> Option<&'static str> {
    let value = node.get("value")?;
    match (value.get("percentage"), value.get("amount")) {
        (Some(_), _) => Some("percentage"),
        (None, Some(_)) => Some("fixed_amount"),
        _ => None,
    }
}
