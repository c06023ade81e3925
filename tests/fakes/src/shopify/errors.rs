//! The shapes in which the Admin API says no. Modelled on answers captured from live shops; those that no
//! capture covers follow the public documentation.

use graphql_parser::Pos;
use serde_json::{Map, Value, json};

/// Said while another request with the same key is under way.
pub const CONCURRENT: &str = "This request is currently in progress, please try again.";
const RATE_LIMITS: &str = "https://shopify.dev/api/usage/rate-limits";

/// One entry of the top-level `errors`.
#[derive(Clone, Debug)]
pub struct GraphqlError(Map<String, Value>);

impl GraphqlError {
    /// An error with its stable code.
    pub fn new(message: impl Into<String>, code: &str) -> Self {
        let mut entry = Map::new();
        entry.insert("message".into(), Value::String(message.into()));
        entry.insert("extensions".into(), json!({"code": code}));
        Self(entry)
    }

    /// Adds a place in the document.
    pub fn at(mut self, position: Pos) -> Self {
        let place = json!({"line": position.line, "column": position.column});
        match self.0.entry("locations").or_insert_with(|| json!([])) {
            Value::Array(places) => places.push(place),
            other => *other = json!([place]),
        }
        self
    }

    /// Sets the path of response keys.
    pub fn path(mut self, path: &[&str]) -> Self {
        self.0.insert("path".into(), json!(path));
        self
    }

    /// Adds something beside the code.
    pub fn extension(mut self, name: &str, value: Value) -> Self {
        if let Some(Value::Object(extensions)) = self.0.get_mut("extensions") {
            extensions.insert(name.to_owned(), value);
        }
        self
    }

    /// The entry as JSON.
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

/// An answer that consists of errors alone: the document was not executed.
pub fn refused(errors: Vec<GraphqlError>) -> Value {
    let errors: Vec<Value> = errors.into_iter().map(GraphqlError::into_value).collect();
    json!({"errors": errors})
}

/// The body that goes with 401.
pub fn bad_token() -> Value {
    json!({"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"})
}

/// Throttled: status 200, no `data`, and the figures from which to compute the wait.
pub fn throttled(requested: u64, available: u64, maximum: u64, restore_rate: u64) -> Value {
    json!({
        "errors": [{
            "message": "Throttled",
            "extensions": {"code": "THROTTLED", "documentation": RATE_LIMITS}
        }],
        "extensions": {"cost": {
            "requestedQueryCost": requested,
            "actualQueryCost": null,
            "throttleStatus": {
                "maximumAvailable": maximum,
                "currentlyAvailable": available,
                "restoreRate": restore_rate
            }
        }}
    })
}

/// One document costs more than any bucket holds: waiting does not help.
pub fn max_cost_exceeded(cost: u64, maximum: u64) -> Value {
    let message = format!("Query cost is {cost}, which exceeds the single query max cost limit ({maximum}).");
    refused(vec![
        GraphqlError::new(message, "MAX_COST_EXCEEDED")
            .extension("cost", json!(cost))
            .extension("maxCost", json!(maximum))
            .extension("documentation", json!(RATE_LIMITS)),
    ])
}

/// One entry of a payload's `userErrors`.
pub fn user_error(field: &[&str], message: &str, code: &str) -> Value {
    json!({"field": field, "message": message, "code": code})
}

/// Mutations whose payload can carry `userErrors`, with the member that is null then.
const REFUSABLE: [(&str, &str); 3] = [
    ("inventorySetQuantities", "inventoryAdjustmentGroup"),
    ("refundCreate", "refund"),
    ("webhookSubscriptionCreate", "webhookSubscription"),
];

/// The answer of a planned fault: the mutation that the request names ran into `code` and changed nothing. A request
/// that changes nothing is refused as a whole.
pub fn planned_user_error(code: Option<&str>, request: &[u8]) -> Value {
    let request = String::from_utf8_lossy(request);
    let mutation = REFUSABLE.iter().find(|(mutation, _)| request.contains(mutation));
    let internal = if mutation.is_some() { "INTERNAL_ERROR" } else { "INTERNAL_SERVER_ERROR" };
    let code = code.unwrap_or(internal);
    let message = match code {
        "IDEMPOTENCY_CONCURRENT_REQUEST" => CONCURRENT,
        "CHANGE_FROM_QUANTITY_STALE" => super::set_quantities::STALE,
        _ => "Something went wrong.",
    };
    let Some((mutation, result)) = mutation else {
        return refused(vec![GraphqlError::new(message, code)]);
    };
    let error = user_error(&["input"], message, code);
    json!({
        "data": {*mutation: {*result: null, "userErrors": [error]}},
        "extensions": {"cost": super::cost::status(13, 10, 2_000, 1_990, 100)}
    })
}
