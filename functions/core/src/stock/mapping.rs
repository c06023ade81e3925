//! Which inventory items of Shopify have a SKU.
//!
//! Its search ignores case and finds what merely begins alike: only what has the SKU to the letter counts.

use crate::admin_api::{Refusal, passing};
use crate::graphql::{connection, request, text, understood};
use crate::sorted::Sorted;
use serde::Serialize;
use serde_json::{Value, json};

/// SKUs of one search.
pub const MOST_SKUS: usize = 20;
/// More pages than this of variants has no search for so few SKUs.
pub const MOST_PAGES: usize = 20;

const QUERY: &str = "query Variants($query: String!, $after: String) { \
    productVariants(first: 100, after: $after, query: $query) { \
    nodes { sku inventoryItem { id } } pageInfo { hasNextPage endCursor } } }";

/// What was found under a SKU, as the database takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The SKU.
    pub sku: String,
    /// Inventory items that have it.
    pub gids: Vec<String>,
}

/// The request for a page of what some SKUs find.
#[must_use]
pub fn search(skus: &[String], after: Option<&str>) -> String {
    let terms: Vec<String> = skus.iter().map(|sku| format!("sku:'{}'", escape(sku))).collect();
    request(QUERY, &json!({"query": terms.join(" OR "), "after": after}))
}

fn escape(sku: &str) -> String {
    sku.replace('\\', "\\\\").replace('\'', "\\'")
}

/// The hits of some SKUs, page by page.
#[derive(Clone, Debug)]
pub struct Hits(Sorted<String, Vec<String>>);

impl Hits {
    /// None yet.
    #[must_use]
    pub fn new(skus: &[String]) -> Self {
        let mut hits = Sorted::default();
        for sku in skus {
            hits.entry(sku.clone(), Vec::new);
        }
        Self(hits)
    }

    /// Takes a page; gives where the next begins.
    ///
    /// # Errors
    /// When the body has no page, or Shopify did not search for what was asked.
    pub fn add(&mut self, body: &Value) -> Result<Option<String>, Refusal> {
        understood(body, "SKUs")?;
        let page = body.pointer("/data/productVariants").and_then(connection);
        let (nodes, next) = page.ok_or_else(|| passing("Shopify's answer has no page of variants"))?;
        for node in nodes {
            let sku = text(node, "sku").unwrap_or_default();
            let gid = node.get("inventoryItem").and_then(|item| text(item, "id"));
            if let (Some(gids), Some(gid)) = (self.0.get_mut(&sku.trim().to_owned()), gid) {
                gids.push(gid);
            }
        }
        Ok(next)
    }

    /// All that was found.
    #[must_use]
    pub fn into_found(self) -> Vec<Found> {
        self.0.into_iter().map(|(sku, gids)| Found { sku, gids }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin_api::Kind;
    use crate::fixtures;

    fn page(variants: &[(&str, u32)], next: Option<&str>) -> Value {
        let node =
            |(sku, item): &(&str, u32)| json!({"sku": sku, "inventoryItem": {"id": format!("i/{item}")}});
        let nodes: Vec<Value> = variants.iter().map(node).collect();
        let info = json!({"hasNextPage": next.is_some(), "endCursor": next});
        json!({"data": {"productVariants": {"nodes": nodes, "pageInfo": info}}})
    }

    fn found(gids: &[&str], sku: &str) -> Found {
        Found { sku: sku.into(), gids: gids.iter().map(|gid| (*gid).to_owned()).collect() }
    }

    #[test]
    fn only_the_sku_to_the_letter_counts() {
        let mut hits = Hits::new(&["CAKE-1".into(), "TIN".into(), "NONE".into()]);
        let first = page(&[("cake-1", 1), ("CAKE-10", 2), ("CAKE-1", 3), ("TIN", 4)], Some("c1"));
        assert_eq!(hits.add(&first).unwrap().as_deref(), Some("c1"));
        assert_eq!(hits.add(&page(&[(" TIN ", 5)], None)).unwrap(), None);
        assert_eq!(
            hits.into_found(),
            [found(&["i/3"], "CAKE-1"), found(&[], "NONE"), found(&["i/4", "i/5"], "TIN")]
        );
    }

    #[test]
    fn a_sku_cannot_leave_its_quotes() {
        let body: Value =
            serde_json::from_str(&search(&["A' OR sku:'B".into(), r"C\".into()], Some("c1"))).unwrap();
        assert_eq!(body["variables"], json!({"query": r"sku:'A\' OR sku:\'B' OR sku:'C\\'", "after": "c1"}));
    }

    #[test]
    fn a_search_that_was_not_understood_finds_nothing() {
        let captured = fixtures::read("shopify_gql_inventoryItems__by_sku_search_warnings");
        let captured: Value = serde_json::from_slice(&captured).unwrap();
        let mut page = page(&[("A", 1)], None);
        page["extensions"] = captured["extensions"].clone();
        assert_eq!(Hits::new(&["A".into()]).add(&page).unwrap_err().kind, Kind::Refused);
        assert_eq!(Hits::new(&[]).add(&json!({"data": null})).unwrap_err().kind, Kind::Passing);
    }
}
