//! Jobs of the batch processor: what a caller asks for, and the forms of the answers.
//!
//! Every field that is missing or wrong is named at once. Whether a batch, a buyer or a supplier exists is for the
//! database to say. Knows no HTTP and no roles.

use crate::action::is_uuid;
use crate::document;
use crate::envelope::{Code, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

/// Largest body in bytes.
pub const LARGEST_BODY: usize = 64 * 1024;
/// Longest text that any field takes, in characters.
const LONGEST_TEXT: usize = 200;
/// Longest `styleDetails`, written out.
const LONGEST_DETAILS: usize = 16_000;
/// Greatest number that the database counts with; no target is larger.
const GREATEST_QUANTITY: i64 = i32::MAX as i64;

/// What a caller asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Job {
    /// Decide every batch whose window closes.
    Orchestrate,
    /// Put an order into a batch; with the arguments of the RPC.
    ProcessOrder(Map<String, Value>),
}

impl Job {
    /// Its name, as in `jobType`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Orchestrate => "orchestrate",
            Self::ProcessOrder(_) => "process-order",
        }
    }

    /// Reads a request body.
    ///
    /// # Errors
    /// A [`Rejection`] with code `BAD_INPUT` that names everything that is wrong.
    pub fn read(body: &[u8]) -> Result<Self, Rejection> {
        document::check(body).map_err(|error| Rejection::bad_input(format!("the body {error}")))?;
        let Ok(Value::Object(mut body)) = serde_json::from_slice(body) else {
            return Err(Rejection::bad_input("the body must be a JSON object"));
        };
        match body.get("jobType").and_then(Value::as_str) {
            Some("orchestrate") => Ok(Self::Orchestrate),
            Some("process-order") => match body.remove("data") {
                Some(Value::Object(data)) => arguments(data).map(Self::ProcessOrder),
                _ => Err(Rejection::bad_input("data must be an object")),
            },
            _ => Err(Rejection::bad_input("jobType must be orchestrate or process-order")),
        }
    }
}

/// A field of `data`, the parameter that it becomes, whether it must be there, and what it has to be.
struct Field {
    name: &'static str,
    parameter: &'static str,
    required: bool,
    fits: fn(&Value) -> bool,
    expectation: &'static str,
}

const TEXT: &str = "a text of 1 to 200 characters";

const FIELDS: [Field; 7] = [
    Field {
        name: "productCategory",
        parameter: "p_product_category",
        required: true,
        fits: is_text,
        expectation: TEXT,
    },
    Field {
        name: "productVariantBase",
        parameter: "p_product_variant_base",
        required: true,
        fits: is_text,
        expectation: TEXT,
    },
    Field {
        name: "quantity",
        parameter: "p_quantity",
        required: true,
        fits: |value| value.as_i64().is_some_and(|quantity| (1..=GREATEST_QUANTITY).contains(&quantity)),
        expectation: "a whole number above 0",
    },
    Field {
        name: "styleDetails",
        parameter: "p_style_details",
        required: true,
        fits: |value| {
            value.get("variant").is_some_and(is_text) && value.to_string().chars().count() <= LONGEST_DETAILS
        },
        expectation: "an object with variant, a text of 1 to 200 characters",
    },
    Field {
        name: "buyerId",
        parameter: "p_buyer_id",
        required: true,
        fits: |value| value.as_str().is_some_and(is_uuid),
        expectation: "a UUID",
    },
    Field { name: "store", parameter: "p_store", required: false, fits: is_text, expectation: TEXT },
    Field {
        name: "orderGid",
        parameter: "p_order_gid",
        required: false,
        fits: |value| value.as_str().is_some_and(is_order_gid),
        expectation: "Shopify's id of an order, such as gid://shopify/Order/1",
    },
];

fn arguments(mut data: Map<String, Value>) -> Result<Map<String, Value>, Rejection> {
    let (mut arguments, mut problems) = (Map::new(), Vec::new());
    for field in &FIELDS {
        match data.remove(field.name) {
            None | Some(Value::Null) if field.required => problems.push(format!("{} is missing", field.name)),
            None | Some(Value::Null) => {}
            Some(value) if (field.fits)(&value) => {
                arguments.insert(field.parameter.to_owned(), value);
            }
            Some(_) => problems.push(format!("{} must be {}", field.name, field.expectation)),
        }
    }
    for stranger in data.keys() {
        let shown: String = stranger.chars().filter(|c| !c.is_control()).take(40).collect();
        problems.push(format!("\"{shown}\" is not a field"));
    }
    if problems.is_empty() {
        Ok(arguments)
    } else {
        Err(Rejection::bad_input(format!("data: {}", problems.join("; "))))
    }
}

fn is_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| {
        !text.trim().is_empty() && text.chars().take(LONGEST_TEXT + 1).count() <= LONGEST_TEXT
    })
}

/// Whether a text is Shopify's id of an order.
#[must_use]
pub fn is_order_gid(text: &str) -> bool {
    text.strip_prefix("gid://shopify/Order/").is_some_and(|number| {
        (1..=18).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The answer to `orchestrate`. Numbers pass as the database wrote them: `45.0` stays `45.0`.
#[derive(Debug, Deserialize, Serialize)]
pub struct Orchestrated {
    /// Always true; what failed is in its own result.
    #[serde(default = "yes")]
    pub success: bool,
    /// How many batches were evaluated.
    pub processed: u64,
    /// What came of those for which something was to be done.
    pub results: Box<RawValue>,
}

impl Orchestrated {
    /// Whether anything came of it.
    #[must_use]
    pub fn has_results(&self) -> bool {
        self.results.get().trim() != "[]"
    }
}

/// The answer to `process-order`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Processed {
    /// Always true.
    #[serde(default = "yes")]
    pub success: bool,
    /// The order.
    pub order_id: String,
    /// The batch that it joined.
    pub batch_id: String,
    /// Whether the batch was opened for it.
    pub is_new_batch: bool,
    /// `unitPrice`, `totalPrice` and `currency`, exact.
    pub pricing: Box<RawValue>,
    /// How full the batch is now.
    pub batch_fill_percentage: Box<RawValue>,
}

fn yes() -> bool {
    true
}

/// An error as the batch processor tells it; `timestamp` is RFC 3339 in UTC. The form has no place for a code, so a
/// missing setting, which is looked for by its code, begins with it.
#[must_use]
pub fn error(code: &str, message: &str, timestamp: &str) -> Value {
    let misconfigured = Code::Misconfigured.as_str();
    let error =
        if code == misconfigured { format!("{misconfigured}: {message}") } else { message.to_owned() };
    json!({ "error": error, "timestamp": timestamp })
}

#[cfg(test)]
mod tests;
