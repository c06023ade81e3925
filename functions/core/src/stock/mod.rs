//! What Shopify is asked about stock: which inventory item a SKU is ([`mapping`]), which locations a shop has
//! ([`location`]), the levels of some items ([`level`]) and of all ([`page`]).
//!
//! Each is a request body to send and an answer to read. Knows no HTTP client, no clock and no database; what a level
//! means the database says.

pub mod level;
pub mod location;
pub mod mapping;
pub mod page;

use crate::graphql::text;
use serde_json::Value;

/// What may be sold, in the `quantities` of a level; none when Shopify has none.
fn available(level: &Value) -> Option<i64> {
    let quantities = level.get("quantities")?.as_array()?;
    let named = |quantity: &&Value| text(quantity, "name").as_deref() == Some("available");
    quantities.iter().find(named)?.get("quantity")?.as_i64()
}
