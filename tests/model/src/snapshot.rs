//! What one delivery says about the whole order.
//!
//! Plain data. Money is in thousandths of the unit of its currency, time in microseconds since 1970: both compare
//! exactly, whatever they looked like.

use std::collections::BTreeSet;

/// The state of an order that one delivery carries. Absent values are `None`, never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// `gid://shopify/Order/…`.
    pub gid: String,
    /// The numeric id.
    pub shopify_id: String,
    /// The number that people see.
    pub number: Option<String>,
    /// When the shop last changed the order.
    pub updated_at: Option<i64>,
    /// Who gets it.
    pub customer_name: Option<String>,
    /// Title of the primary line.
    pub product_title: Option<String>,
    /// Flavours, joined with a comma.
    pub flavour: Option<String>,
    /// Size of the primary line.
    pub size: Option<String>,
    /// What people wrote.
    pub notes: Option<String>,
    /// `YYYY-MM-DD`.
    pub due_date: Option<String>,
    /// `pickup` or `delivery`.
    pub delivery_method: Option<String>,
    /// What the buyer paid in.
    pub currency: Option<String>,
    /// What the order costs now, in thousandths.
    pub total: Option<i64>,
    /// Shopify's financial status.
    pub payment_status: Option<String>,
    /// When it was cancelled.
    pub cancelled_at: Option<i64>,
    /// Why.
    pub cancel_reason: Option<String>,
    /// The refunds that the lines know of; `None` when the body has no list of them.
    pub refunds: Option<BTreeSet<String>>,
    /// The lines, in their order.
    pub lines: Vec<Line>,
}

/// One line of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Shopify's id, or `n:<index>`.
    pub line_id: String,
    /// Article number.
    pub sku: Option<String>,
    /// Product.
    pub title: Option<String>,
    /// Variant.
    pub variant_title: Option<String>,
    /// What is wanted now: after edits, removals and refunds.
    pub quantity: i64,
    /// Pieces that were refunded and not put back.
    pub consumed: i64,
    /// Price of a piece, in thousandths.
    pub price: Option<i64>,
    /// A gift card is never held.
    pub gift_card: bool,
}
