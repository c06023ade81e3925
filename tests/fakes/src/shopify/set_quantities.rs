//! The mutation `inventorySetQuantities` with the rules of 2026-10: an idempotency key, an explicit
//! `changeFromQuantity`, all or nothing.

use super::errors::{CONCURRENT, GraphqlError, user_error};
use super::shops::{Level, Shop, UsedKey};
use graphql_parser::Pos;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// At most this many quantities a call.
pub const MAX_QUANTITIES: usize = 250;
/// The largest quantity that Shopify stores.
const MAX_QUANTITY: i64 = 1_000_000_000;
/// Said when a compare-and-swap fails.
pub const STALE: &str = "The changeFromQuantity argument no longer matches the persisted quantity.";
const DUPLICATE_PAIR: &str = "The combination of inventoryItemId and locationId must be unique.";
const REASONS: [&str; 17] = [
    "correction",
    "cycle_count_available",
    "damaged",
    "movement_canceled",
    "movement_created",
    "movement_received",
    "movement_updated",
    "other",
    "promotion",
    "quality_control",
    "received",
    "reservation_created",
    "reservation_deleted",
    "reservation_updated",
    "restock",
    "safety_stock",
    "shrinkage",
];

/// One use of the mutation.
pub struct Call<'c> {
    /// The coerced input.
    pub input: &'c Value,
    /// The key of `@idempotent`, if the directive was there.
    pub key: Option<&'c str>,
    /// Response key of the field, for error paths.
    pub path: &'c str,
    /// Place of the field and of what its input came from.
    pub places: &'c [Pos],
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

struct Quantity<'q> {
    item: &'q str,
    location: &'q str,
    quantity: i64,
    from: Option<i64>,
}

/// Runs the mutation on a shop. An error means that the field is null and nothing changed.
pub fn run(shop: &mut Shop, call: &Call<'_>) -> Result<Outcome, GraphqlError> {
    let list = call.input.get("quantities").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if list.len() > MAX_QUANTITIES {
        let message = format!(
            "The input array size of {} is greater than the maximum allowed of {MAX_QUANTITIES}.",
            list.len()
        );
        let error = GraphqlError::new(message, "MAX_INPUT_SIZE_EXCEEDED");
        return Err(place(error, call, 1).path(&[call.path, "input", "quantities"]));
    }
    let Some(key) = call.key else {
        let message = "The @idempotent directive is required for this mutation but was not provided.";
        return Err(place(GraphqlError::new(message, "BAD_REQUEST"), call, 1).path(&[call.path]));
    };
    if list.iter().any(|entry| entry.get("changeFromQuantity").is_none()) {
        let message = "InventoryQuantityInput must include the following argument: changeFromQuantity.";
        let error = GraphqlError::new(message, "INVALID_FIELD_ARGUMENTS");
        return Err(place(error, call, 2).path(&[call.path]));
    }
    if shop.under_way.contains_key(key) {
        return Ok(refused(vec![user_error(&["input"], CONCURRENT, "IDEMPOTENCY_CONCURRENT_REQUEST")]));
    }
    if let Some(used) = shop.keys.get(key).filter(|_| !shop.forgets_keys) {
        if used.input != *call.input {
            let message = "The same idempotency key cannot be used with different operation parameters.";
            return Ok(refused(vec![user_error(&["input"], message, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH")]));
        }
        if let Some(payload) = &used.payload {
            return Ok(Outcome { payload: payload.clone(), effect: None });
        }
    }
    let outcome = execute(shop, call, &list.iter().map(read).collect::<Vec<_>>());
    let payload = outcome.effect.is_some().then(|| outcome.payload.clone());
    shop.keys.insert(key.to_owned(), UsedKey { input: call.input.clone(), payload });
    Ok(outcome)
}

fn place(error: GraphqlError, call: &Call<'_>, places: usize) -> GraphqlError {
    call.places.iter().take(places).fold(error, |error, position| error.at(*position))
}

fn read(entry: &Value) -> Quantity<'_> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
    Quantity {
        item: text("inventoryItemId"),
        location: text("locationId"),
        quantity: entry.get("quantity").and_then(Value::as_i64).unwrap_or_default(),
        from: entry.get("changeFromQuantity").and_then(Value::as_i64),
    }
}

fn execute(shop: &mut Shop, call: &Call<'_>, quantities: &[Quantity<'_>]) -> Outcome {
    let name = call.input.get("name").and_then(Value::as_str).unwrap_or_default();
    let mut errors = general_errors(call.input, name);
    errors.extend(quantity_errors(shop, quantities, name));
    if !errors.is_empty() {
        return refused(errors);
    }
    let mut changes = Vec::new();
    let mut effects = Vec::new();
    for wanted in quantities {
        let level = shop.levels.entry((wanted.item.to_owned(), wanted.location.to_owned())).or_default();
        let before = if name == "on_hand" { level.on_hand } else { level.available };
        let delta = wanted.quantity - before;
        level.available += delta;
        level.on_hand += delta;
        // A change of what is available shows as a change of what is on hand too, and the other way round.
        let both = if name == "on_hand" { ["on_hand", "available"] } else { ["available", "on_hand"] };
        if delta != 0 {
            changes.extend(both.map(|changed| change(changed, delta, wanted)));
        }
        effects.push(json!({
            "inventory_item_id": wanted.item, "location_id": wanted.location, "from": before, "to": wanted.quantity
        }));
    }
    shop.groups += 1;
    let group = json!({
        "id": format!("gid://shopify/InventoryAdjustmentGroup/{}", shop.groups),
        "createdAt": call.at,
        "reason": call.input.get("reason"),
        "referenceDocumentUri": call.input.get("referenceDocumentUri"),
        "changes": changes,
    });
    let payload = json!({"inventoryAdjustmentGroup": group, "userErrors": []});
    Outcome { payload, effect: Some(json!({"name": name, "quantities": effects})) }
}

fn change(name: &str, delta: i64, wanted: &Quantity<'_>) -> Value {
    json!({
        "name": name,
        "delta": delta,
        "quantityAfterChange": null,
        "ledgerDocumentUri": null,
        "item": {"id": wanted.item},
        "location": {"id": wanted.location, "name": "Shop location", "isActive": true}
    })
}

fn refused(errors: Vec<Value>) -> Outcome {
    Outcome { payload: json!({"inventoryAdjustmentGroup": null, "userErrors": errors}), effect: None }
}

fn general_errors(input: &Value, name: &str) -> Vec<Value> {
    let mut errors = Vec::new();
    if !["available", "on_hand"].contains(&name) {
        let message = "The quantity name must be either 'available' or 'on_hand'.";
        errors.push(user_error(&["input", "name"], message, "INVALID_NAME"));
    }
    let reason = input.get("reason").and_then(Value::as_str).unwrap_or_default();
    if !REASONS.contains(&reason) {
        errors.push(user_error(&["input", "reason"], "The specified reason is invalid.", "INVALID_REASON"));
    }
    let reference = input.get("referenceDocumentUri").and_then(Value::as_str);
    if reference.is_some_and(|uri| !is_uri(uri)) {
        let field = ["input", "referenceDocumentUri"];
        let message = "The specified reference document is invalid.";
        errors.push(user_error(&field, message, "INVALID_REFERENCE_DOCUMENT"));
    }
    errors
}

fn is_uri(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, rest)| {
        let tail = |byte: u8| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte);
        scheme.starts_with(|letter: char| letter.is_ascii_alphabetic())
            && scheme.bytes().all(tail)
            && !rest.is_empty()
            && !text.contains(char::is_whitespace)
    })
}

fn quantity_errors(shop: &Shop, quantities: &[Quantity<'_>], name: &str) -> Vec<Value> {
    let mut times = BTreeMap::<(&str, &str), usize>::new();
    for wanted in quantities {
        *times.entry((wanted.item, wanted.location)).or_default() += 1;
    }
    let mut errors = Vec::new();
    for (index, wanted) in quantities.iter().enumerate() {
        let index = index.to_string();
        let mut say = |field: &str, message: &str, code: &str| {
            errors.push(user_error(&["input", "quantities", &index, field], message, code));
        };
        if times.get(&(wanted.item, wanted.location)).is_some_and(|count| *count > 1) {
            say("locationId", DUPLICATE_PAIR, "NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR");
            continue;
        }
        if wanted.quantity < 0 {
            say("quantity", "The quantity can't be negative.", "INVALID_QUANTITY_NEGATIVE");
        }
        if wanted.quantity > MAX_QUANTITY {
            say("quantity", "The quantity can't be higher than 1,000,000,000.", "INVALID_QUANTITY_TOO_HIGH");
        }
        if !wanted.item.contains("/InventoryItem/") {
            let message = "The specified inventory item could not be found.";
            say("inventoryItemId", message, "INVALID_INVENTORY_ITEM");
            continue;
        }
        if !wanted.location.contains("/Location/") {
            say("locationId", "The specified location could not be found.", "INVALID_LOCATION");
            continue;
        }
        let level = match shop.levels.get(&(wanted.item.to_owned(), wanted.location.to_owned())) {
            Some(level) => *level,
            None if shop.strict => {
                let message = "The specified inventory item is not stocked at the location.";
                say("locationId", message, "ITEM_NOT_STOCKED_AT_LOCATION");
                continue;
            }
            None => Level::default(),
        };
        let current = if name == "on_hand" { level.on_hand } else { level.available };
        if wanted.from.is_some_and(|from| from != current) {
            say("changeFromQuantity", STALE, "CHANGE_FROM_QUANTITY_STALE");
        }
    }
    errors
}
