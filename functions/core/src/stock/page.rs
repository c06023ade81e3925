//! All levels of a location, page by page.

use super::available;
use crate::admin_api::{Refusal, passing};
use crate::graphql::{connection, request, text};
use serde::Serialize;
use serde_json::{Value, json};

/// Levels of one page, where the shop's budget allows it.
pub const PAGE: usize = 100;

const QUERY: &str = "query StockPage($location: ID!, $first: Int!, $after: String) { location(id: $location) { \
    inventoryLevels(first: $first, after: $after) { nodes { item { id sku tracked } \
    quantities(names: [\"available\"]) { name quantity } } pageInfo { hasNextPage endCursor } } } }";

/// A level as the database compares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Level {
    /// The inventory item.
    pub gid: String,
    /// Its SKU.
    pub sku: Option<String>,
    /// Whether Shopify counts it.
    pub tracked: bool,
    /// What may be sold; none when Shopify has no figure.
    pub available: Option<i64>,
}

/// The request for a page.
#[must_use]
pub fn list(location: &str, first: usize, after: Option<&str>) -> String {
    request(QUERY, &json!({"location": location, "first": first, "after": after}))
}

/// The levels on a page, and where the next begins. A location that is no more has none.
///
/// # Errors
/// When the body has no page.
pub fn read(body: &Value) -> Result<(Vec<Level>, Option<String>), Refusal> {
    let missing = || passing("Shopify's answer has no page of levels");
    let location = body.pointer("/data/location").ok_or_else(missing)?;
    if location.is_null() {
        return Ok((Vec::new(), None));
    }
    let (nodes, next) = location.get("inventoryLevels").and_then(connection).ok_or_else(missing)?;
    let level = |node: &Value| {
        let item = node.get("item")?;
        Some(Level {
            gid: text(item, "id")?,
            sku: text(item, "sku").filter(|sku| !sku.trim().is_empty()),
            tracked: item.get("tracked").and_then(Value::as_bool).unwrap_or(false),
            available: available(node),
        })
    };
    Ok((nodes.iter().filter_map(level).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_page_tells_its_levels() {
        let nodes = json!([
            {"item": {"id": "i/1", "sku": "A", "tracked": true}, "quantities": [{"name": "available", "quantity": 3}]},
            {"item": {"id": "i/2", "sku": " ", "tracked": false}, "quantities": []},
            {"item": {"id": "i/3", "sku": null}}, {"item": null}, {}
        ]);
        let info = json!({"hasNextPage": true, "endCursor": "c1"});
        let body = json!({"data": {"location": {"inventoryLevels": {"nodes": nodes, "pageInfo": info}}}});
        let (levels, next) = read(&body).unwrap();
        assert_eq!(next.as_deref(), Some("c1"));
        assert_eq!(
            serde_json::to_value(&levels).unwrap(),
            json!([
                {"gid": "i/1", "sku": "A", "tracked": true, "available": 3},
                {"gid": "i/2", "sku": null, "tracked": false, "available": null},
                {"gid": "i/3", "sku": null, "tracked": false, "available": null}
            ])
        );
    }

    #[test]
    fn a_location_that_is_no_more_has_no_levels() {
        assert_eq!(read(&json!({"data": {"location": null}})).unwrap(), (Vec::new(), None));
        assert!(read(&json!({"data": {}})).is_err());
        assert!(read(&json!({"data": {"location": {}}})).is_err());
    }

    #[test]
    fn captured_levels_are_understood() {
        let captured = fixtures::read("shopify_gql_inventoryItem__levels_multi_location");
        let captured: Value = serde_json::from_slice(&captured).unwrap();
        let levels = captured["data"]["inventoryItem"]["inventoryLevels"]["nodes"].as_array().unwrap();
        assert_eq!(levels.iter().map(available).collect::<Vec<_>>(), [Some(0), Some(3), Some(0)]);
    }
}
