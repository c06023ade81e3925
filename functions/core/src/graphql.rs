//! The common forms of GraphQL requests and answers: variables, pages, and searches that were not understood.
//!
//! Knows no query and nothing of what is asked for.

use crate::admin_api::{Kind, Refusal};
use crate::work::WorkFailure;
use serde_json::{Value, json};

/// The JSON of a request.
pub(crate) fn request(query: &str, variables: &Value) -> String {
    json!({"query": query, "variables": variables}).to_string()
}

/// A member that is a text.
pub(crate) fn text(node: &Value, name: &str) -> Option<String> {
    node.get(name).and_then(Value::as_str).map(str::to_owned)
}

/// The nodes of a connection, and where the next page begins when there is one.
pub(crate) fn connection(connection: &Value) -> Option<(&[Value], Option<String>)> {
    let nodes = connection.get("nodes")?.as_array()?;
    let info = connection.get("pageInfo")?;
    let more = info.get("hasNextPage")?.as_bool()?;
    let next = if more { Some(text(info, "endCursor")?) } else { None };
    Some((nodes, next))
}

/// Refuses the answer to a search of which Shopify understood only a part: it drops the rest, and would list everything.
pub(crate) fn understood(body: &Value, what: &str) -> Result<(), Refusal> {
    let warned = |search: &Value| {
        search.get("warnings").is_some_and(|warnings| warnings.as_array().is_none_or(|list| !list.is_empty()))
    };
    let searches = body.pointer("/extensions/search").and_then(Value::as_array);
    if searches.is_some_and(|searches| searches.iter().any(warned)) {
        let failure = WorkFailure::permanent(format!("Shopify did not understand the search for {what}"));
        return Err(Refusal { kind: Kind::Refused, failure });
    }
    Ok(())
}
