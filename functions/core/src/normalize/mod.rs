//! What a Shopify order becomes.
//!
//! Raw bytes in, [`Normalized`] out: whatever a real shop sends (numbers as texts, nulls, missing parties, drafts,
//! point of sale, other currencies) either becomes an order with its absent fields absent, or is refused as a dead
//! letter; nothing panics. Knows no store: which prefix an order id gets, whether the store has a kitchen and in which
//! time zone its days are, the database adds.

mod due_date;
mod lines;
mod money;
mod notice;
mod order;
mod product;
mod refunds;
mod settings;
mod text;

pub use settings::NormalizeSettings;

use crate::document::{Document, DocumentError};
use crate::field::Field;
use crate::topic::Topic;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};
use std::fmt;

/// Why a body cannot be read. Each means a dead letter: sending it again cannot help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NormalizeError {
    /// Not JSON, or not UTF-8.
    NotJson,
    /// JSON, but no order.
    NotAnOrder,
    /// JSON, but not what a request to show or forget people must say.
    NotAsPromised,
    /// Nested deeper than [`crate::document::DEEPEST`].
    TooDeep,
    /// JSON that a `jsonb` column refuses: a NUL character, half a surrogate pair, a number out of range.
    Unstorable,
    /// More lines than any order has.
    TooManyLines,
}

impl NormalizeError {
    /// The reason, as the dead letter carries it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "NOT_JSON",
            Self::NotAnOrder => "NOT_AN_ORDER",
            Self::NotAsPromised => "NOT_AS_PROMISED",
            Self::TooDeep => "TOO_DEEP",
            Self::Unstorable => "UNSTORABLE",
            Self::TooManyLines => "TOO_MANY_LINES",
        }
    }
}

impl fmt::Display for NormalizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for NormalizeError {}

impl From<DocumentError> for NormalizeError {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::NotJson => Self::NotJson,
            DocumentError::TooDeep => Self::TooDeep,
            DocumentError::Unstorable => Self::Unstorable,
        }
    }
}

/// What a body says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Normalized {
    /// The whole state of it (`"snapshot": true`).
    Order(Box<NormalizedOrder>),
    /// Which order it is about, and what was refunded of it, but not its state (`"snapshot": false`).
    Reference(OrderReference),
    /// Something about the shop as a whole (`"snapshot": false`).
    Notice {
        /// Always false.
        snapshot: bool,
        /// What it is.
        #[serde(flatten)]
        notice: Notice,
    },
    /// Nothing that anybody acts on. Serializes as `null`.
    Nothing,
}

impl Normalized {
    /// The order that the event is about.
    #[must_use]
    pub fn gid(&self) -> Option<&str> {
        match self {
            Self::Order(order) => Some(&order.gid),
            Self::Reference(reference) => Some(&reference.gid),
            Self::Notice { .. } | Self::Nothing => None,
        }
    }
}

/// Which order an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OrderReference {
    /// `gid://shopify/Order/<id>`
    pub gid: String,
    /// The numeric id as text; it fits a `bigint`.
    pub shopify_id: String,
    /// Always false.
    pub snapshot: bool,
    /// What was refunded, when it is a refund.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund: Option<Refund>,
}

/// A refund of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refund {
    /// Its id as text: told twice it still is one refund.
    pub id: String,
    /// When it was made: RFC 3339 in UTC.
    pub created_at: Option<String>,
    /// What it took away.
    pub lines: Vec<RefundedLine>,
}

/// Pieces of one line that were refunded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundedLine {
    /// Id of the line.
    pub line_id: String,
    /// How many pieces.
    pub quantity: i32,
    /// Whether they can be sold again.
    pub restock: bool,
}

/// What is about the shop as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Notice {
    /// A request to show or to forget people.
    Compliance(Compliance),
    /// The app was uninstalled.
    Uninstalled {
        /// Domain of the shop, when the body says it.
        shop_domain: Option<String>,
    },
    /// A level has changed: what it is now has to be asked.
    Stock {
        /// The inventory item.
        item_gid: String,
        /// Where, when the body says it.
        location_gid: Option<String>,
    },
}

/// A request of Shopify to show or to forget people. Which of the three, the topic says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compliance {
    /// Domain of the shop, from the signed body.
    pub shop_domain: String,
    /// Id of the customer.
    pub customer_id: Option<String>,
    /// Ids of the orders that are named.
    pub order_ids: Vec<String>,
    /// Shopify's id of a data request.
    pub request_id: Option<String>,
    /// E-mail address and telephone number: used once, to find what nobody could read, and stored nowhere.
    pub contacts: Vec<String>,
}

/// The state of an order. What is absent is `null`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NormalizedOrder {
    /// `gid://shopify/Order/<id>`
    pub gid: String,
    /// The numeric id as text; it fits a `bigint`.
    pub shopify_id: String,
    /// Always true.
    pub snapshot: bool,
    /// The number that people see; letters, digits, `-` and `_` only.
    pub order_number: Option<String>,
    /// When this state was reached: RFC 3339 in UTC.
    pub updated_at: Option<String>,
    /// Rank of the topic among equally new snapshots, see [`Topic::rank`].
    pub topic_rank: u8,
    /// Who it is for.
    pub customer_name: Option<String>,
    /// What is made: title of the primary line.
    pub product_title: Option<String>,
    /// Flavours of the primary line, joined `, `.
    pub flavour: Option<String>,
    /// Size of the primary line.
    pub size: Option<String>,
    /// Order note and delivery instructions, joined ` • `.
    pub notes: Option<String>,
    /// `YYYY-MM-DD`, a day of the store.
    pub due_date: Option<String>,
    /// `pickup` or `delivery`.
    pub delivery_method: Option<&'static str>,
    /// ISO 4217 code of `total_amount`.
    pub currency: Option<String>,
    /// Exact decimal text.
    pub total_amount: Option<String>,
    /// Shopify's financial status.
    pub payment_status: Option<String>,
    /// RFC 3339 in UTC. From the body alone: the topic is a header and headers are not signed.
    pub cancelled_at: Option<String>,
    /// Why it was cancelled.
    pub cancel_reason: Option<String>,
    /// Id of the customer as text: by it a request to forget finds the order.
    pub customer_id: Option<String>,
    /// Which of `customer`, `product`, `due_date`, `flavour` could not be found.
    pub missing_fields: Vec<&'static str>,
    /// Ids of the refunds that the lines know of; `None` when the body has no list of them.
    pub refunds: Option<Vec<String>>,
    /// Every line, gift cards and removed ones included.
    pub lines: Vec<NormalizedLine>,
}

/// One line of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NormalizedLine {
    /// Shopify's id, `n:<position>` when it gave none, `<id>:<position>` when it gave the same twice.
    pub line_id: String,
    /// Index in the order, from 0.
    pub position: usize,
    /// SKU; never empty.
    pub sku: Option<String>,
    /// Title of the product.
    pub title: Option<String>,
    /// Title of the variant.
    pub variant_title: Option<String>,
    /// What the line wants now: after edits, removals and refunds.
    pub quantity: i32,
    /// Pieces that were refunded and not put back: nobody makes them, but their stock is gone.
    pub consumed: i32,
    /// Unit price, exact decimal text, in the currency of the order.
    pub price: Option<String>,
    /// Whether it is a gift card.
    pub gift_card: bool,
    /// Properties in the order in which they came. Serializes as an object.
    #[serde(serialize_with = "as_object")]
    pub properties: Vec<(String, String)>,
}

fn as_object<S: Serializer>(properties: &[(String, String)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(Some(properties.len()))?;
    for (name, value) in properties {
        object.serialize_entry(name, value)?;
    }
    object.end()
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
    let document = Document::read(body)?;
    let root = Field::whole(&document);
    if !root.is_object() {
        return Err(NormalizeError::NotAnOrder);
    }
    let reference = match topic {
        Topic::RefundsCreate => root.get("order_id"),
        Topic::OrdersEdited => root.get("order_edit").and_then(|edit| edit.get("order_id")),
        _ => None,
    };
    if let Some(id) = reference.and_then(Field::id) {
        let refund = if *topic == Topic::RefundsCreate { refunds::of_delivery(root) } else { None };
        let gid = order::gid(&id);
        return Ok(Normalized::Reference(OrderReference { gid, shopify_id: id, snapshot: false, refund }));
    }
    match topic.rank() {
        Some(rank) => order::read(rank, root, settings).map(|order| Normalized::Order(Box::new(order))),
        None if *topic == Topic::RefundsCreate => Err(NormalizeError::NotAnOrder),
        None => Ok(notice::read(topic, root)?
            .map_or(Normalized::Nothing, |notice| Normalized::Notice { snapshot: false, notice })),
    }
}

#[cfg(test)]
mod field_rules;
#[cfg(test)]
mod robustness;
#[cfg(test)]
mod tests;
