//! What a Shopify order becomes.

use crate::topic::Topic;
use serde::Serialize;
use std::collections::BTreeMap;

/// Why a body is not an order; each means a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalizeError {
    /// Not JSON, or not UTF-8.
    NotJson,
    /// JSON, but not an order.
    NotAnOrder,
    /// Nested too deep.
    TooDeep,
    /// JSON that a `jsonb` column refuses.
    Unstorable,
    /// More lines than any order has.
    TooManyLines,
}

/// Names of attributes and tags; per store, with defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NormalizeSettings {}

impl Default for NormalizeSettings {
    fn default() -> Self {
        Self {}
    }
}

/// What a body says about an order.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Normalized {
    /// The whole state of it (`"snapshot": true`).
    Order(Box<NormalizedOrder>),
    /// Which one, and nothing else (`"snapshot": false`).
    Reference(OrderReference),
    /// Nothing: the topic is not about an order. Serializes as `null`.
    Nothing,
}

/// Which order an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderReference {
    /// `gid://shopify/Order/<id>`
    pub gid: String,
    /// The numeric id as text.
    pub shopify_id: String,
    /// Always false.
    pub snapshot: bool,
}

/// The state of an order.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NormalizedOrder {
    /// `gid://shopify/Order/<id>`
    pub gid: String,
    /// The numeric id as text.
    pub shopify_id: String,
    /// Always true.
    pub snapshot: bool,
    /// Number on the label.
    pub order_number: Option<String>,
    /// RFC 3339, UTC.
    pub updated_at: Option<String>,
    /// See [`Topic::rank`].
    pub topic_rank: u8,
    /// Who it is for.
    pub customer_name: Option<String>,
    /// What is made.
    pub product_title: Option<String>,
    /// Flavours, joined `, `.
    pub flavour: Option<String>,
    /// Size.
    pub size: Option<String>,
    /// Note and delivery instructions, joined ` • `.
    pub notes: Option<String>,
    /// `YYYY-MM-DD`
    pub due_date: Option<String>,
    /// `pickup` or `delivery`.
    pub delivery_method: Option<&'static str>,
    /// ISO 4217.
    pub currency: Option<String>,
    /// Decimal text, in units of `currency`.
    pub total_amount: Option<String>,
    /// Financial status.
    pub payment_status: Option<String>,
    /// RFC 3339, UTC.
    pub cancelled_at: Option<String>,
    /// Reason.
    pub cancel_reason: Option<String>,
    /// Which of the fields that the kitchen needs are absent.
    pub missing_fields: Vec<&'static str>,
    /// The lines.
    pub lines: Vec<NormalizedLine>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NormalizedLine {
    /// Shopify's id, or `n:<index>`.
    pub line_id: String,
    /// Index in the order, from 0.
    pub position: usize,
    /// SKU.
    pub sku: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Variant.
    pub variant_title: Option<String>,
    /// What the line wants now.
    pub quantity: i32,
    /// Unit price, decimal text.
    pub price: Option<String>,
    /// Whether it is a gift card.
    pub gift_card: bool,
    /// Properties.
    pub properties: BTreeMap<String, String>,
}

/// Reads a delivery.
///
/// # Errors
/// When the body is to become a dead letter.
pub fn normalize(
    topic: &Topic,
    body: &[u8],
    settings: &NormalizeSettings,
) -> Result<Normalized, NormalizeError> {
    let _ = (topic, body, settings);
    Ok(Normalized::Nothing)
}
