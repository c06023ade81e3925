//! Reads the orders whose shape the model knows: the fixtures, and what the generator makes of them.
//!
//! It need not understand what other shops write: due dates are ISO dates, sizes are those of the generator.

use crate::delivery::{Delivery, rank};
use crate::refund::{Gone, listed};
use crate::snapshot::{Line, Snapshot};
use chrono::DateTime;
use serde_json::Value;

/// Sizes that appear in variant titles of the generator.
pub(crate) const SIZES: [&str; 3] = ["Small", "Medium", "Large"];

/// The snapshot that a delivery carries; `None` when its topic carries none or its body is no order.
pub(crate) fn snapshot(delivery: &Delivery) -> Option<Snapshot> {
    rank(&delivery.topic)?;
    let order: Value = serde_json::from_str(&delivery.body).ok()?;
    let shopify_id = text(order.get("id"))?;
    let lines: Vec<&Value> =
        order.get("line_items").and_then(Value::as_array).into_iter().flatten().collect();
    let (refunds, gone) = listed(&order);
    let primary = primary(&lines, &gone);
    let variant = primary.and_then(|line| text(line.get("variant_title")));
    Some(Snapshot {
        gid: text(order.get("admin_graphql_api_id"))
            .unwrap_or_else(|| format!("gid://shopify/Order/{shopify_id}")),
        shopify_id,
        number: text(order.get("order_number")),
        updated_at: time(order.get("updated_at")),
        customer_name: customer(&order),
        product_title: primary.and_then(|line| text(line.get("title"))),
        flavour: primary.and_then(flavour_property).or_else(|| {
            tokens(variant.as_deref()).into_iter().find(|token| !SIZES.contains(&token.as_str()))
        }),
        size: tokens(variant.as_deref()).into_iter().find(|token| SIZES.contains(&token.as_str())),
        notes: notes(&order),
        due_date: attribute(&order, "Local Delivery Date and Time")
            .and_then(|value| Some(value.split("between").next()?.trim().to_owned())),
        delivery_method: attribute(&order, "Delivery Method").map(|value| {
            let lower = value.to_lowercase();
            if lower.contains("pickup") || lower.contains("pick up") { "pickup" } else { "delivery" }
                .to_owned()
        }),
        currency: text(order.get("presentment_currency")).or_else(|| text(order.get("currency"))),
        total: total(&order),
        payment_status: text(order.get("financial_status")),
        cancelled_at: time(order.get("cancelled_at")),
        cancel_reason: text(order.get("cancel_reason")),
        lines: lines.iter().enumerate().map(|(index, line)| read_line(index, line, &gone)).collect(),
        refunds,
    })
}

fn read_line(index: usize, line: &Value, gone: &Gone) -> Line {
    let quantity = quantity(line, gone);
    let (_, lost) = gone_of(line, gone);
    Line {
        line_id: text(line.get("id")).unwrap_or_else(|| format!("n:{index}")),
        sku: text(line.get("sku")),
        title: text(line.get("title")),
        variant_title: text(line.get("variant_title")),
        quantity,
        consumed: lost.min(ordered(line) - quantity).max(0),
        price: presented(line, "price"),
        gift_card: gift_card(line),
    }
}

/// What the kitchen makes: the first line that is still wanted, else the first that ever was.
fn primary<'a>(lines: &[&'a Value], gone: &Gone) -> Option<&'a Value> {
    let mut products = lines.iter().copied().filter(|line| !gift_card(line));
    products.clone().find(|line| quantity(line, gone) > 0).or_else(|| products.find(|line| ordered(line) > 0))
}

fn gift_card(line: &Value) -> bool {
    line.get("gift_card").and_then(Value::as_bool).unwrap_or(false)
}

/// What is wanted now: Shopify says it, or leaves it to be counted.
fn quantity(line: &Value, gone: &Gone) -> i64 {
    let (refunded, _) = gone_of(line, gone);
    let current = line.get("current_quantity").and_then(Value::as_i64);
    current.unwrap_or_else(|| (ordered(line) - refunded).max(0))
}

fn gone_of(line: &Value, gone: &Gone) -> (i64, i64) {
    text(line.get("id")).and_then(|id| gone.get(&id).copied()).unwrap_or_default()
}

fn ordered(line: &Value) -> i64 {
    line.get("quantity").and_then(Value::as_i64).unwrap_or(0)
}

/// Text that is there: neither null nor blank, with single spaces. Numbers read as they are written.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    let found = match value? {
        Value::String(found) => found.split_whitespace().collect::<Vec<_>>().join(" "),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!found.is_empty()).then_some(found)
}

pub(crate) fn time(value: Option<&Value>) -> Option<i64> {
    Some(DateTime::parse_from_rfc3339(value?.as_str()?).ok()?.timestamp_micros())
}

/// An amount in thousandths.
fn money(value: Option<&Value>) -> Option<i64> {
    let written = text(value)?;
    let (whole, fraction) = written.split_once('.').unwrap_or((&written, ""));
    let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    Some(whole.parse::<i64>().ok()? * 1000 + thousandths)
}

/// An amount in the currency of the buyer.
fn presented(of: &Value, name: &str) -> Option<i64> {
    let set = of.get(format!("{name}_set"));
    money(set.and_then(|set| set.pointer("/presentment_money/amount"))).or_else(|| money(of.get(name)))
}

fn total(order: &Value) -> Option<i64> {
    presented(order, "current_total_price").or_else(|| presented(order, "total_price"))
}

fn customer(order: &Value) -> Option<String> {
    let part = |pointer: &str| text(order.pointer(pointer));
    part("/shipping_address/name")
        .or_else(|| {
            let names: Vec<String> = ["/customer/first_name", "/customer/last_name"]
                .iter()
                .filter_map(|pointer| part(pointer))
                .collect();
            (!names.is_empty()).then(|| names.join(" "))
        })
        .or_else(|| part("/billing_address/name"))
}

fn attribute(order: &Value, name: &str) -> Option<String> {
    let attributes = order.get("note_attributes")?.as_array()?;
    text(
        attributes.iter().find(|entry| entry.get("name").and_then(Value::as_str) == Some(name))?.get("value"),
    )
}

fn notes(order: &Value) -> Option<String> {
    let parts: Vec<String> =
        [text(order.get("note")), attribute(order, "Delivery Instructions")].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" • "))
}

fn flavour_property(line: &Value) -> Option<String> {
    let named = line.get("properties")?.as_array()?.iter().find(|property| {
        let name = property.get("name").and_then(Value::as_str).unwrap_or_default();
        !name.starts_with('_') && name.to_lowercase().contains("flavour")
    })?;
    let parts = tokens(text(named.get("value")).as_deref());
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn tokens(value: Option<&str>) -> Vec<String> {
    value
        .unwrap_or_default()
        .split(['\n', ',', '/'])
        .map(|token| token.trim().to_owned())
        .filter(|token| !token.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::bases;

    fn read(name: &str) -> Snapshot {
        let base = bases().unwrap().into_iter().find(|base| base.name.contains(name)).unwrap();
        let delivery = Delivery {
            shop: "bannos.myshopify.com".into(),
            topic: "orders/updated".into(),
            webhook_id: "1".into(),
            body: base.order.to_string(),
        };
        snapshot(&delivery).unwrap()
    }

    #[test]
    fn reads_the_cake_order_whole() {
        let cake = read("gelato");
        assert_eq!(cake.flavour.as_deref(), Some("Vanilla, Pistachio"));
        assert_eq!(cake.notes.as_deref(), Some("Happy Birthday • Leave at door"));
        assert_eq!(cake.due_date.as_deref(), Some("2025-10-02"));
        assert_eq!(cake.delivery_method.as_deref(), Some("delivery"));
        assert_eq!((cake.total, cake.currency.as_deref()), (Some(89_000), Some("AUD")));
        assert_eq!((cake.updated_at, cake.customer_name), (None, None));
        assert_eq!(cake.lines[0].line_id, "n:0");
    }

    #[test]
    fn what_is_wanted_is_the_current_quantity() {
        let cancelled = read("hkd_draft_refunded");
        assert_eq!(cancelled.lines[0].quantity, 0);
        assert_eq!((cancelled.total, cancelled.product_title.is_some()), (Some(0), true));
        assert!(cancelled.cancelled_at.is_some());
    }

    #[test]
    fn gift_cards_are_no_product_and_blank_skus_no_sku() {
        let card = read("gift_card");
        assert!(card.lines[0].gift_card && card.lines[0].sku.is_none() && card.product_title.is_none());
    }

    #[test]
    fn instants_are_equal_whatever_their_offset() {
        let at = |text: &str| time(Some(&Value::from(text)));
        assert_eq!(at("2026-02-09T12:07:34+11:00"), at("2026-02-09T01:07:34Z"));
    }

    #[test]
    fn a_topic_without_snapshot_reads_as_nothing() {
        let delivery = Delivery {
            shop: String::new(),
            topic: "refunds/create".into(),
            webhook_id: String::new(),
            body: r#"{"id":1}"#.into(),
        };
        assert_eq!(snapshot(&delivery), None);
    }
}
