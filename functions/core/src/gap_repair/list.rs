//! Which orders have changed in a window of time: ids and times only, oldest change first.

use super::{PAGE, connection, request, text};
use crate::admin_api::{Refusal, passing};
use crate::calendar::Timestamp;
use crate::graphql::understood;
use serde::Serialize;
use serde_json::{Value, json};

const QUERY: &str = "query ChangedOrders($first: Int!, $after: String, $query: String!) { \
    orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) { \
    nodes { id updatedAt createdAt } pageInfo { hasNextPage endCursor } } }";

/// An order as the listing tells of it, as the database is asked about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Shopify's id.
    pub gid: String,
    /// Last change.
    pub updated_at: Option<String>,
    /// When it was made.
    pub created_at: Option<String>,
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its orders.
    pub orders: Vec<Listed>,
    /// Where the next one begins; none at the end of the window.
    pub next: Option<String>,
}

/// The request for one page of the window, `None` when its bounds are no times.
#[must_use]
pub fn list(from: &str, until: &str, after: Option<&str>) -> Option<String> {
    let query = format!("updated_at:>='{}' AND updated_at:<='{}'", second(from)?, second(until)?);
    Some(request(QUERY, &json!({"first": PAGE, "after": after, "query": query})))
}

/// The page in the body of an answer.
///
/// # Errors
/// When there is none, or Shopify did not search for what was asked: it drops what it does not understand, and would
/// list every order it has.
pub fn read_list(body: &Value) -> Result<Page, Refusal> {
    understood(body, "changed orders")?;
    let page = body.pointer("/data/orders").and_then(connection);
    let (nodes, next) = page.ok_or_else(|| passing("Shopify's answer has no page of orders"))?;
    let listed = |node: &Value| {
        let time = |name: &str| Some(Timestamp::parse(&text(node, name)?)?.to_string());
        Some(Listed { gid: text(node, "id")?, updated_at: time("updatedAt"), created_at: time("createdAt") })
    };
    Ok(Page { orders: nodes.iter().filter_map(listed).collect(), next })
}

/// Whole seconds, as Shopify writes times.
fn second(time: &str) -> Option<String> {
    let time = Timestamp::parse(time)?.to_string();
    let whole = time.split(['.', 'Z']).next()?;
    Some(format!("{whole}Z"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin_api::Kind;
    use crate::fixtures;

    fn orders(nodes: Value, next: Option<&str>) -> Value {
        let info = json!({"hasNextPage": next.is_some(), "endCursor": next});
        json!({"data": {"orders": {"nodes": nodes, "pageInfo": info}}})
    }

    #[test]
    fn a_window_is_asked_for_in_whole_seconds_of_utc() {
        let body = list("2026-11-20T11:00:00.999999+11:00", "2026-11-20T01:00:00+00:00", Some("c1")).unwrap();
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(
            body["variables"],
            json!({
                "first": PAGE, "after": "c1",
                "query": "updated_at:>='2026-11-20T00:00:00Z' AND updated_at:<='2026-11-20T01:00:00Z'"
            })
        );
        assert_eq!(list("yesterday", "2026-11-20T01:00:00Z", None), None);
        assert_eq!(list("2026-11-20T01:00:00Z", "' OR '", None), None);
    }

    #[test]
    fn a_page_tells_its_orders_and_what_follows() {
        let page = |next: Option<&str>| {
            let nodes = json!([
                {"id": "gid://shopify/Order/1", "updatedAt": "2026-11-20T11:00:00+11:00", "createdAt": "2026-11-19T00:00:00Z"},
                {"id": "gid://shopify/Order/2", "updatedAt": "soon"}, {"id": null}
            ]);
            orders(nodes, next)
        };
        let read = read_list(&page(Some("c2"))).unwrap();
        assert_eq!(read.next.as_deref(), Some("c2"));
        assert_eq!(
            serde_json::to_value(&read.orders).unwrap(),
            json!([
                {"gid": "gid://shopify/Order/1", "updated_at": "2026-11-20T00:00:00Z", "created_at": "2026-11-19T00:00:00Z"},
                {"gid": "gid://shopify/Order/2", "updated_at": null, "created_at": null}
            ])
        );
        assert_eq!(read_list(&page(None)).unwrap().next, None);
        for body in [json!({}), json!({"data": {"orders": null}}), json!({"data": {"orders": {"nodes": []}}})]
        {
            assert_eq!(read_list(&body).unwrap_err().kind, Kind::Passing, "{body}");
        }
    }

    #[test]
    fn a_search_that_was_not_understood_is_refused() {
        let captured: Value =
            serde_json::from_slice(&fixtures::read("shopify_gql_inventoryItems__by_sku_search_warnings"))
                .unwrap();
        let search = &captured["extensions"]["search"];
        assert!(search.is_array());
        let mut page = orders(json!([]), None);
        page["extensions"] = json!({ "search": search });
        assert_eq!(read_list(&page).unwrap_err().kind, Kind::Refused);
        page["extensions"] = json!({"search": [{"warnings": []}]});
        assert!(read_list(&page).is_ok());
    }
}
