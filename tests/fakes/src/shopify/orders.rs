//! Orders of a shop. A test gives them in the form of webhooks, as one knows them; the API tells them in its own.
//!
//! Knows the two forms and how a list of orders is searched, sorted and paged.

use super::errors::GraphqlError;
use super::refunds;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// An order of the REST form in the form of the GraphQL API; `None` without an id.
pub fn from_rest(order: &Value, now: &str) -> Option<Value> {
    let id = number(order.get("id")?)?;
    let at = |name: &str| order.get(name).cloned().unwrap_or_default();
    let time = |name: &str| order.get(name).and_then(Value::as_str).and_then(utc);
    let made = time("created_at").unwrap_or_else(|| now.to_owned());
    let shop = word(order, "currency").or_else(|| word(order, "presentment_currency"));
    let sum = |name: &str| money(order.get(format!("{name}_set")), order.get(name), shop.as_deref());
    let total = sum("total_price");
    let current = Some(sum("current_total_price")).filter(|sum| !sum.is_null());
    let applications = list(order, "discount_applications");
    let indexed = applications.iter().enumerate().map(|(index, application)| discount(index, application));
    let lines = list(order, "line_items");
    Some(json!({
        "__typename": "Order",
        "id": format!("gid://shopify/Order/{id}"),
        "legacyResourceId": id,
        "name": order.get("name").cloned().unwrap_or_else(|| json!(format!("#{}", text(&at("order_number"))))),
        "number": at("order_number"),
        "createdAt": made,
        "updatedAt": time("updated_at").unwrap_or_else(|| now.to_owned()),
        "processedAt": time("processed_at").unwrap_or_else(|| made.clone()),
        "closedAt": time("closed_at"),
        "cancelledAt": time("cancelled_at"),
        "cancelReason": upper(order, "cancel_reason"),
        "displayFinancialStatus": upper(order, "financial_status"),
        "displayFulfillmentStatus": match order.get("fulfillment_status").and_then(Value::as_str) {
            Some("fulfilled") => "FULFILLED",
            Some("partial") => "PARTIALLY_FULFILLED",
            Some("restocked") => "RESTOCKED",
            _ => "UNFULFILLED",
        },
        "currencyCode": shop,
        "presentmentCurrencyCode": word(order, "presentment_currency").or(word(order, "currency")),
        "note": at("note"),
        "tags": at("tags").as_str().unwrap_or_default().split(", ").filter(|tag| !tag.is_empty()).collect::<Vec<_>>(),
        "test": order.get("test").and_then(Value::as_bool).unwrap_or(false),
        "sourceName": at("source_name"),
        "customAttributes": attributes(order, "note_attributes"),
        "customer": person("Customer", order.get("customer")),
        "shippingAddress": person("MailingAddress", order.get("shipping_address")),
        "billingAddress": person("MailingAddress", order.get("billing_address")),
        "currentTotalPriceSet": current.unwrap_or_else(|| total.clone()),
        "transactions": refunds::transactions(order, &id, &total),
        "refunds": list(order, "refunds").iter().map(refund).collect::<Vec<_>>(),
        "totalPriceSet": total,
        "totalDiscountsSet": sum("total_discounts"),
        "discountCodes": list(order, "discount_codes").iter().map(|code| code["code"].clone()).collect::<Vec<_>>(),
        "discountApplications": indexed.collect::<Vec<_>>(),
        "lineItems": lines.iter().enumerate().map(|(at, item)| line(at, item, shop.as_deref())).collect::<Vec<_>>(),
    }))
}

fn line(position: usize, item: &Value, shop: Option<&str>) -> Value {
    let at = |name: &str| item.get(name).cloned().unwrap_or_default();
    // The real API numbers every line; some captured webhooks were cut down by those who published them.
    let id = item.get("id").and_then(number).unwrap_or_else(|| (900_000_000 + position).to_string());
    let quantity = item.get("quantity").cloned().unwrap_or(json!(1));
    let share = |share: &Value| {
        json!({
            "allocatedAmountSet": money(share.get("amount_set"), share.get("amount"), shop),
            "discountApplication": {"index": share["discount_application_index"]}
        })
    };
    json!({
        "id": format!("gid://shopify/LineItem/{id}"),
        "sku": at("sku"),
        "title": at("title"),
        "name": at("name"),
        "variantTitle": at("variant_title"),
        "vendor": at("vendor"),
        "quantity": quantity,
        "currentQuantity": item.get("current_quantity").cloned().unwrap_or(quantity),
        "isGiftCard": item.get("gift_card").and_then(Value::as_bool).unwrap_or(false),
        "requiresShipping": item.get("requires_shipping").and_then(Value::as_bool).unwrap_or(true),
        "taxable": item.get("taxable").and_then(Value::as_bool).unwrap_or(true),
        "customAttributes": attributes(item, "properties"),
        "originalUnitPriceSet": money(item.get("price_set"), item.get("price"), shop),
        "discountAllocations": list(item, "discount_allocations").iter().map(share).collect::<Vec<_>>(),
    })
}

fn refund(rest: &Value) -> Value {
    let at = |name: &str| rest.get(name).cloned().unwrap_or_default();
    let took = |item: &Value| {
        json!({
            "quantity": item["quantity"], "restockType": upper(item, "restock_type"),
            "lineItem": {"id": format!("gid://shopify/LineItem/{}", text(&item["line_item_id"]))}
        })
    };
    let time = |name: &str| rest.get(name).and_then(Value::as_str).and_then(utc);
    json!({
        "__typename": "Refund", "id": format!("gid://shopify/Refund/{}", text(&at("id"))), "note": at("note"),
        "createdAt": time("created_at"), "processedAt": time("processed_at"),
        "refundLineItems": list(rest, "refund_line_items").iter().map(took).collect::<Vec<_>>()
    })
}

/// A refund of any of these orders, with its order.
pub fn refund_of<'v>(mut orders: impl Iterator<Item = &'v Value>, id: &str) -> Option<Value> {
    orders.find_map(|order| {
        let mut refund = list(order, "refunds").iter().find(|refund| refund["id"] == id)?.clone();
        refund.as_object_mut()?.insert("order".into(), order.clone());
        Some(refund)
    })
}

fn discount(index: usize, application: &Value) -> Value {
    let (kind, naming) = match application["type"].as_str() {
        Some("discount_code") => ("DiscountCodeApplication", vec!["code"]),
        Some("manual") => ("ManualDiscountApplication", vec!["title", "description"]),
        Some("script") => ("ScriptDiscountApplication", vec!["title"]),
        _ => ("AutomaticDiscountApplication", vec!["title"]),
    };
    let amount = text(&application["value"]);
    let value = if application["value_type"] == "percentage" {
        json!({"__typename": "PricingPercentageValue", "percentage": amount.parse::<f64>().unwrap_or_default()})
    } else {
        json!({"__typename": "MoneyV2", "amount": decimal(&amount)})
    };
    let mut told = json!({
        "__typename": kind, "index": index, "value": value,
        "allocationMethod": upper(application, "allocation_method"),
        "targetSelection": upper(application, "target_selection"),
        "targetType": upper(application, "target_type"),
    });
    if let Some(told) = told.as_object_mut() {
        told.extend(naming.into_iter().map(|name| (name.to_owned(), application[name].clone())));
    }
    told
}

/// Of people and addresses what the API calls differently.
fn person(kind: &str, person: Option<&Value>) -> Value {
    let Some(person) = person.filter(|person| person.is_object()) else { return Value::Null };
    let at = |name: &str| person.get(name).cloned().unwrap_or_default();
    let id = person.get("id").and_then(number).map(|id| format!("gid://shopify/{kind}/{id}"));
    json!({
        "id": id, "name": at("name"), "firstName": at("first_name"), "lastName": at("last_name"),
        "provinceCode": at("province_code"), "countryCodeV2": at("country_code")
    })
}

fn attributes(object: &Value, name: &str) -> Vec<Value> {
    let pair = |pair: &Value| json!({"key": pair["name"], "value": text(&pair["value"])});
    list(object, name).iter().map(pair).collect()
}

/// Both moneys of a set; without a set the shop's is the buyer's.
fn money(set: Option<&Value>, plain: Option<&Value>, shop: Option<&str>) -> Value {
    let told = |money: &Value| json!({"amount": decimal(&text(&money["amount"])), "currencyCode": money["currency_code"]});
    if let Some(set) = set.filter(|set| set.is_object()) {
        return json!({"shopMoney": told(&set["shop_money"]), "presentmentMoney": told(&set["presentment_money"])});
    }
    let Some(plain) = plain.filter(|plain| !plain.is_null()) else { return Value::Null };
    let money = json!({"amount": decimal(&text(plain)), "currencyCode": shop});
    json!({"shopMoney": money, "presentmentMoney": money})
}

/// As the API writes decimals: `36.80` is `36.8`, `5` is `5.0`.
fn decimal(amount: &str) -> String {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
    let fraction = fraction.trim_end_matches('0');
    format!("{whole}.{}", if fraction.is_empty() { "0" } else { fraction })
}

fn utc(time: &str) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(time).ok()?.with_timezone(&Utc);
    Some(time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

fn list<'v>(object: &'v Value, name: &str) -> &'v [Value] {
    object.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn number(value: &Value) -> Option<String> {
    Some(text(value)).filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn word(object: &Value, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn upper(object: &Value, name: &str) -> Option<String> {
    word(object, name).map(|word| word.to_uppercase())
}

/// How a list of orders is asked for.
pub struct Search {
    /// `query`.
    pub query: String,
    /// `sortKey`.
    pub sort_key: String,
    /// `reverse`.
    pub reverse: bool,
    /// `after`.
    pub after: Option<String>,
}

/// What a search finds, each with its cursor, and the terms that it did not understand and left out.
pub type Found = (Vec<Value>, Vec<Value>);

impl Search {
    /// Runs the search. A cursor is the sorted value and the id, as in the real API: what changes behind a page moves
    /// no page before it.
    pub fn run<'v>(&self, orders: impl Iterator<Item = &'v Value>) -> Result<Found, GraphqlError> {
        let value = match self.sort_key.as_str() {
            "UPDATED_AT" => "updatedAt",
            "CREATED_AT" => "createdAt",
            _ => "processedAt",
        };
        let (terms, warnings) = self.terms();
        let key = |order: &Value| {
            let id = order["legacyResourceId"].as_str().unwrap_or_default();
            format!("{}|{id:0>20}", order[value].as_str().unwrap_or_default())
        };
        let mut found: Vec<(String, Value)> = orders
            .filter(|order| terms.iter().all(|term| term.admits(order)))
            .map(|order| (key(order), order.clone()))
            .collect();
        found.sort_by(|(a, _), (b, _)| if self.reverse { b.cmp(a) } else { a.cmp(b) });
        if let Some(after) = &self.after {
            if !after.contains('|') {
                let error = GraphqlError::new("Invalid cursor for current pagination sort.", "BAD_REQUEST");
                return Err(error.path(&["orders"]));
            }
            found.retain(|(key, _)| if self.reverse { key < after } else { key > after });
        }
        let with_cursor = |(cursor, mut order): (String, Value)| {
            if let Some(order) = order.as_object_mut() {
                order.insert("__cursor".into(), Value::String(cursor));
            }
            order
        };
        Ok((found.into_iter().map(with_cursor).collect(), warnings))
    }

    fn terms(&self) -> (Vec<Term>, Vec<Value>) {
        let (mut terms, mut unknown) = (Vec::new(), Vec::new());
        for word in self.query.split_whitespace().filter(|word| *word != "AND") {
            match Term::parse(word) {
                Some(term) => terms.push(term),
                None => unknown.push(json!({
                    "field": word.split(':').next(), "message": "Invalid search field for this query.", "code": "invalid_field"
                })),
            }
        }
        let warned =
            json!({"path": ["orders"], "query": self.query, "parsed": Map::new(), "warnings": unknown});
        (terms, if unknown.is_empty() { Vec::new() } else { vec![warned] })
    }
}

struct Term {
    field: &'static str,
    operator: String,
    time: String,
}

impl Term {
    fn parse(word: &str) -> Option<Self> {
        let (name, rest) = word.split_once(':')?;
        let field = match name {
            "updated_at" => "updatedAt",
            "created_at" => "createdAt",
            "processed_at" => "processedAt",
            _ => return None,
        };
        let time = rest.trim_start_matches(['>', '<', '=']);
        let operator = rest.get(..rest.len() - time.len())?.to_owned();
        Some(Self { field, operator, time: utc(time.trim_matches(['\'', '"']))? })
    }

    fn admits(&self, order: &Value) -> bool {
        let time = order[self.field].as_str().unwrap_or_default();
        let wanted = self.time.as_str();
        match self.operator.as_str() {
            ">=" => time >= wanted,
            "<=" => time <= wanted,
            ">" => time > wanted,
            "<" => time < wanted,
            _ => time == wanted,
        }
    }
}
