//! Compares what must be with what is, field by field.

use crate::state::OrderState;
use serde_json::{Value, json};

impl OrderState {
    /// The state as the suites read it from the database: money in thousandths, time in microseconds, lines by id.
    #[must_use]
    pub fn as_row(&self) -> Value {
        let fields = &self.fields;
        let lines: Vec<Value> = fields
            .lines
            .iter()
            .enumerate()
            .map(|(position, line)| {
                json!({
                    "line_id": line.line_id, "position": position, "sku": line.sku, "title": line.title,
                    "variant_title": line.variant_title, "quantity": line.quantity,
                    "consumed": line.consumed, "price": line.price, "gift_card": line.gift_card,
                })
            })
            .collect();
        json!({
            "store": self.store, "id": self.id, "gid": fields.gid, "shopify_id": fields.shopify_id,
            "number": fields.number, "customer_name": fields.customer_name, "product_title": fields.product_title,
            "flavour": fields.flavour, "size": fields.size, "notes": fields.notes, "due_date": fields.due_date,
            "delivery_method": fields.delivery_method, "missing": self.missing, "currency": fields.currency,
            "total": fields.total, "payment_status": fields.payment_status, "updated_at": fields.updated_at,
            "placeholder": self.placeholder, "cancelled_at": fields.cancelled_at,
            "cancel_reason": fields.cancel_reason, "stage": "Filling", "lines": lines,
        })
    }
}

/// Every place where the two differ, as `path: expected …, found …`.
#[must_use]
pub fn differences(expected: &Value, found: &Value) -> Vec<String> {
    let mut all = Vec::new();
    collect("", expected, found, &mut all);
    all
}

fn collect(path: &str, expected: &Value, found: &Value, all: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(left), Value::Object(right)) => {
            let absent = Value::Null;
            let extra = right.keys().filter(|name| !left.contains_key(*name));
            for name in left.keys().chain(extra) {
                let (one, other) = (left.get(name).unwrap_or(&absent), right.get(name).unwrap_or(&absent));
                collect(&format!("{path}.{name}"), one, other, all);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (one, other)) in left.iter().zip(right).enumerate() {
                collect(&format!("{path}[{index}]"), one, other, all);
            }
        }
        _ if expected == found => {}
        _ => all.push(format!("{path}: expected {expected}, found {found}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_every_place_and_nothing_else() {
        let expected = json!({"a": 1, "b": [1, {"c": null}], "d": 2, "e": [1]});
        let found = json!({"a": 1, "b": [1, {"c": "x"}], "f": 3, "e": []});
        assert_eq!(
            differences(&expected, &found),
            [
                r#".b[1].c: expected null, found "x""#,
                ".d: expected 2, found null",
                ".e: expected [1], found []",
                ".f: expected null, found 3",
            ]
        );
        assert!(differences(&expected, &expected).is_empty());
    }
}
