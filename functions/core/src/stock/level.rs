//! The levels of some inventory items at one location.

use super::available;
use crate::admin_api::{Refusal, passing};
use crate::graphql::{request, text};
use crate::sorted::Sorted;
use serde::Deserialize;
use serde::Serialize;
use serde_json::{Value, json};

/// Topic of the work that looks at them.
pub const TOPIC: &str = "stock_check";
/// Items of one question.
pub const MOST_ITEMS: usize = 100;

const QUERY: &str = "query Levels($ids: [ID!]!, $location: ID!) { nodes(ids: $ids) { ... on InventoryItem { \
    id inventoryLevel(locationId: $location) { quantities(names: [\"available\"]) { name quantity } } } } }";

/// A check as the database has it looked at.
#[derive(Clone, Debug, Deserialize)]
pub struct Check {
    /// Its id.
    pub check_id: i64,
    /// What is looked at.
    pub inventory_item_gid: Option<String>,
    /// Where.
    pub location_gid: Option<String>,
    /// What the database compares with when the answer is there.
    pub token: Value,
}

/// What Shopify said, as the database takes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Look {
    /// The check.
    pub check_id: i64,
    /// As it came.
    pub token: Value,
    /// The level; none when there is none at the location.
    pub available: Option<i64>,
}

/// Checks of one location, to be asked about together.
#[derive(Clone, Debug)]
pub struct Question {
    location: String,
    checks: Vec<Check>,
}

/// Questions that answer all checks, and looks that need no question: of what is nowhere there is no level.
#[must_use]
pub fn questions(checks: Vec<Check>) -> (Vec<Question>, Vec<Look>) {
    let mut places: Sorted<String, Vec<Check>> = Sorted::default();
    let mut nowhere = Vec::new();
    for check in checks {
        match (&check.inventory_item_gid, &check.location_gid) {
            (Some(_), Some(location)) => places.entry(location.clone(), Vec::new).push(check),
            _ => nowhere.push(Look { check_id: check.check_id, token: check.token, available: None }),
        }
    }
    let chunks = places.into_iter().flat_map(|(location, checks)| {
        let chunk = |checks: &[Check]| Question { location: location.clone(), checks: checks.to_vec() };
        checks.chunks(MOST_ITEMS).map(chunk).collect::<Vec<_>>()
    });
    (chunks.collect(), nowhere)
}

impl Question {
    /// The request.
    #[must_use]
    pub fn body(&self) -> String {
        let ids: Vec<&str> =
            self.checks.iter().filter_map(|check| check.inventory_item_gid.as_deref()).collect();
        request(QUERY, &json!({"ids": ids, "location": self.location}))
    }

    /// What the body of an answer says of each.
    ///
    /// # Errors
    /// When it has none of what was asked for.
    pub fn read(&self, body: &Value) -> Result<Vec<Look>, Refusal> {
        let nodes = body.pointer("/data/nodes").and_then(Value::as_array);
        let nodes = nodes.ok_or_else(|| passing("Shopify's answer has no levels"))?;
        let levels: Vec<(String, Option<i64>)> = nodes
            .iter()
            .filter_map(|node| Some((text(node, "id")?, node.get("inventoryLevel").and_then(available))))
            .collect();
        let look = |check: &Check| {
            let gid = check.inventory_item_gid.as_deref().unwrap_or_default();
            let available = levels.iter().find(|(known, _)| known == gid).and_then(|(_, level)| *level);
            Look { check_id: check.check_id, token: check.token.clone(), available }
        };
        Ok(self.checks.iter().map(look).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(id: i64, item: Option<&str>, location: Option<&str>) -> Check {
        let owned = |gid: Option<&str>| gid.map(str::to_owned);
        Check {
            check_id: id,
            inventory_item_gid: owned(item),
            location_gid: owned(location),
            token: json!({"t": id}),
        }
    }

    #[test]
    fn each_location_is_asked_for_its_own() {
        let (questions, nowhere) = questions(vec![
            check(1, Some("i1"), Some("a")),
            check(2, Some("i2"), Some("b")),
            check(3, Some("i3"), Some("a")),
            check(4, None, Some("a")),
            check(5, Some("i5"), None),
        ]);
        let asked: Vec<Value> = questions
            .iter()
            .map(|question| serde_json::from_str::<Value>(&question.body()).unwrap()["variables"].clone())
            .collect();
        assert_eq!(
            asked,
            [json!({"ids": ["i1", "i3"], "location": "a"}), json!({"ids": ["i2"], "location": "b"})]
        );
        assert_eq!(
            nowhere.iter().map(|look| (look.check_id, look.available)).collect::<Vec<_>>(),
            [(4, None), (5, None)]
        );
        let many = (0..=100).map(|id| check(id, Some("i"), Some("a"))).collect();
        assert_eq!(super::questions(many).0.len(), 2);
    }

    #[test]
    fn a_level_that_is_not_there_is_none() {
        let checks = ["i1", "i2", "i3", "i4", "i5"].iter().zip(1..);
        let checks = checks.map(|(item, id)| check(id, Some(item), Some("a"))).collect();
        let (questions, _) = questions(checks);
        let level = |quantities: Value| json!({ "quantities": quantities });
        let nodes = json!([
            null,
            {"id": "i1", "inventoryLevel": level(json!([{"name": "on_hand", "quantity": 9}, {"name": "available", "quantity": -2}]))},
            {"id": "i2", "inventoryLevel": null},
            {"id": "i3", "inventoryLevel": level(json!([{"name": "available", "quantity": null}]))},
            {"id": "i4", "inventoryLevel": level(json!([]))},
        ]);
        let looks = questions[0].read(&json!({"data": {"nodes": nodes}})).unwrap();
        let levels: Vec<Option<i64>> = looks.iter().map(|look| look.available).collect();
        assert_eq!(levels, [Some(-2), None, None, None, None]);
        assert_eq!(
            serde_json::to_value(&looks[0]).unwrap(),
            json!({"check_id": 1, "token": {"t": 1}, "available": -2})
        );
        assert!(questions[0].read(&json!({"data": {}})).is_err());
    }
}
