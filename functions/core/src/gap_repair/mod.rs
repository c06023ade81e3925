//! Finding and delivering what no webhook has brought.
//!
//! Three questions to Shopify's Admin API, as request bodies to send and answers to read: which orders have changed in
//! a window of time ([`list`], cheap, in pages), what the missed ones are like ([`fetch`], in full), and which webhooks
//! are subscribed to ([`subscription`]). A fetched order becomes a [`Delivery`]: the JSON that a webhook would have
//! carried, so that it takes the way that every webhook takes. Knows no HTTP client, no clock and no database; what is
//! missed the database says.

mod discount;
mod fetch;
mod line;
mod list;
mod order;
mod refund;
pub mod subscription;

pub use fetch::{Fetched, fetch, read_fetched};
pub use list::{Listed, Page, list, read_list};

use crate::graphql::{connection, request, text};
use crate::topic::Topic;

/// Orders of one page of a listing.
pub const PAGE: usize = 50;
/// Orders that are fetched in full at a time, at most; each costs about as much as the whole listing.
pub const MOST_FETCHED: usize = 5;

/// A missed order in the form of the webhook that would have brought it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What it is delivered as.
    pub topic: Topic,
    /// Its id: the same state of the same order has the same, so that a repeat is a duplicate.
    pub webhook_id: String,
    /// The JSON of the order.
    pub body: String,
    /// SHA-256 of the body.
    pub content_hash: String,
}

#[cfg(test)]
mod tests;
