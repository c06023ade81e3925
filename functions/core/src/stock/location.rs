//! The active locations of a shop.

use crate::admin_api::{Refusal, passing};
use crate::graphql::{connection, request, text};
use serde::Serialize;
use serde_json::{Value, json};

const QUERY: &str = "query Locations($after: String) { locations(first: 50, after: $after) { nodes { id name isActive } pageInfo { hasNextPage endCursor } } }";

/// More pages than this of locations has no shop.
const MOST_PAGES: usize = 20;

/// A place where stock is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    /// Shopify's id.
    pub gid: String,
    /// What it is called.
    pub name: String,
}

/// All active ones, page by page; `ask` sends a request and gives the body of the answer.
///
/// # Errors
/// What `ask` fails with, or when an answer has no page.
pub async fn all<E: From<Refusal>>(
    ask: impl AsyncFn(String) -> Result<Value, E>,
) -> Result<Vec<Location>, E> {
    let (mut all, mut after) = (Vec::new(), None);
    for _ in 0..MOST_PAGES {
        let (page, next) = read(&ask(list(after.as_deref())).await?)?;
        all.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    Ok(all)
}

/// The request for a page of them.
#[must_use]
pub fn list(after: Option<&str>) -> String {
    request(QUERY, &json!({ "after": after }))
}

/// The active ones on a page, and where the next begins.
///
/// # Errors
/// When the body has no page.
pub fn read(body: &Value) -> Result<(Vec<Location>, Option<String>), Refusal> {
    let page = body.pointer("/data/locations").and_then(connection);
    let (nodes, next) = page.ok_or_else(|| passing("Shopify's answer has no page of locations"))?;
    let active = |node: &&Value| node.get("isActive").and_then(Value::as_bool).unwrap_or(true);
    let location = |node: &Value| {
        Some(Location { gid: text(node, "id")?, name: text(node, "name").unwrap_or_default() })
    };
    Ok((nodes.iter().filter(active).filter_map(location).collect(), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_that_is_closed_is_none() {
        let nodes = json!([
            {"id": "gid://shopify/Location/1", "name": "Shop", "isActive": true},
            {"id": "gid://shopify/Location/2", "name": "Old shop", "isActive": false},
            {"id": null}
        ]);
        let page = json!({"data": {"locations": {"nodes": nodes, "pageInfo": {"hasNextPage": true, "endCursor": "c"}}}});
        let (locations, next) = read(&page).unwrap();
        assert_eq!(locations, [Location { gid: "gid://shopify/Location/1".into(), name: "Shop".into() }]);
        assert_eq!(next.as_deref(), Some("c"));
        assert!(read(&json!({"data": {"locations": null}})).is_err());
    }
}
