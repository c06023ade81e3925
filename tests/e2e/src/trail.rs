//! The audit trail, held against the rows: what an order is in the kitchen follows from its stage events alone.
//!
//! The rules are written down here a second time, from what the kitchen does and not from the functions' tables, so
//! that one cannot be wrong without the other.

use crate::db::Db;
use crate::store::Store;
use crate::{Failure, Outcome};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The columns of an order that the kitchen owns.
const COLUMNS: [&str; 9] = [
    "stage",
    "assignee_id",
    "storage",
    "filling_start_ts",
    "filling_complete_ts",
    "covering_complete_ts",
    "decorating_complete_ts",
    "packing_start_ts",
    "packing_complete_ts",
];

/// What was seen while explaining.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    /// How many orders were explained.
    pub orders: usize,
    /// How many events of each action they have.
    pub actions: BTreeMap<String, usize>,
}

impl Trail {
    /// How many events of an action.
    pub fn count(&self, action: &str) -> usize {
        self.actions.get(action).copied().unwrap_or_default()
    }
}

/// Computes every order of a store from its events and compares it with its row; any difference is a failure.
pub async fn explain(db: &Db, store: Store) -> Outcome<Trail> {
    explain_where(db, store, "true", &[]).await
}

/// The same for one order.
pub async fn explain_order(db: &Db, store: Store, id: &str) -> Outcome<Trail> {
    explain_where(db, store, "o.id = $2", &[&id]).await
}

async fn explain_where(
    db: &Db,
    store: Store,
    which: &str,
    parameters: &[&(dyn tokio_postgres::types::ToSql + Sync)],
) -> Outcome<Trail> {
    let query = format!(
        "select o.id, to_jsonb(o) as row, (
            select coalesce(jsonb_agg(to_jsonb(e) order by e.id), '[]') from public.stage_events e
            where e.store = o.store and e.order_id = o.id
        ) as events
        from public.orders o where o.store = $1 and {which}"
    );
    let mut all: Vec<&(dyn tokio_postgres::types::ToSql + Sync)> = vec![&store.key];
    all.extend(parameters);
    let (mut trail, mut problems) = (Trail::default(), Vec::new());
    for found in db.rows(&query, &all).await? {
        let id = text(&found, "id");
        let row = found.get("row").cloned().unwrap_or_default();
        let events = found.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        let mut order = Order::new();
        for event in &events {
            *trail.actions.entry(text(event, "action")).or_default() += 1;
            if let Err(why) = order.take(event) {
                problems.push(format!("{id}: {why}: {event}"));
            }
        }
        for column in COLUMNS {
            let (is, follows) = (row.get(column), order.columns.get(column));
            if is != follows {
                problems.push(format!("{id}: {column} is {is:?}, its events say {follows:?}"));
            }
        }
        trail.orders += 1;
    }
    match problems.is_empty() {
        true => Ok(trail),
        false => Err(Failure::new(problems.join("\n"))),
    }
}

/// An order as its events have made it so far.
struct Order {
    columns: Map<String, Value>,
    /// The events seen, by id.
    seen: Vec<Value>,
}

impl Order {
    fn new() -> Self {
        let mut columns: Map<String, Value> =
            COLUMNS.iter().map(|column| ((*column).to_owned(), Value::Null)).collect();
        columns.insert("stage".to_owned(), json!("Filling"));
        Self { columns, seen: Vec::new() }
    }

    fn stage(&self) -> String {
        self.columns.get("stage").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn set(&mut self, column: &str, value: Value) {
        self.columns.insert(column.to_owned(), value);
    }

    fn is_null(&self, column: &str) -> bool {
        self.columns.get(column) == Some(&Value::Null)
    }

    /// Takes the next event in, or says why it cannot have happened.
    fn take(&mut self, event: &Value) -> Result<(), &'static str> {
        let meta = event.get("meta").cloned().unwrap_or_default();
        let at = event.get("at").cloned().unwrap_or_default();
        let (action, from, to) = (text(event, "action"), text(event, "stage_from"), text(event, "stage_to"));
        let in_kitchen = MOVES.iter().find(|(name, ..)| *name == action);
        let (leads_from, leads_to) = in_kitchen.map_or((None, None), |(_, from, to)| (*from, *to));
        if in_kitchen.is_some() || ["refused", "scan_repeated"].contains(&action.as_str()) {
            if from != self.stage() {
                return Err("it begins in a stage in which the order is not");
            }
            if to != leads_to.unwrap_or(&from) {
                return Err("it ends in a stage to which its action does not lead");
            }
            if event.get("performed_by").is_none_or(Value::is_null) {
                return Err("nobody did it");
            }
        }
        // An Admin returns an order from Complete as well.
        let returned = action == "qc_return_to_decorating" && from == "Complete";
        if leads_from.is_some_and(|due| due != from) && !returned {
            return Err("it is done in a stage in which it is not due");
        }
        match action.as_str() {
            "handle_print_barcode" => self.stamp("filling_start_ts", at)?,
            "complete_filling" => self.complete("filling_complete_ts", at, &to)?,
            "complete_covering" => self.complete("covering_complete_ts", at, &to)?,
            "complete_decorating" => self.complete("decorating_complete_ts", at, &to)?,
            "start_packing" => self.stamp("packing_start_ts", at)?,
            "complete_packing" => self.complete("packing_complete_ts", at, &to)?,
            "qc_return_to_decorating" => {
                if text(&meta, "reason").is_empty() {
                    return Err("a return has a reason");
                }
                for column in
                    ["decorating_complete_ts", "packing_start_ts", "packing_complete_ts", "assignee_id"]
                {
                    self.set(column, Value::Null);
                }
                self.set("stage", json!(to));
            }
            "assign_staff" => self.set("assignee_id", meta.get("assignee_to").cloned().unwrap_or_default()),
            "set_storage" => self.set("storage", meta.get("storage_to").cloned().unwrap_or_default()),
            "refused" if text(&meta, "code").is_empty() || text(&meta, "message").is_empty() => {
                return Err("a refusal says why");
            }
            "scan_repeated" => {
                let original = meta.get("event_id");
                if original.is_some() && !self.seen.iter().any(|event| event.get("id") == original) {
                    return Err("it repeats nothing that was done to this order before");
                }
            }
            _ => {}
        }
        self.seen.push(event.clone());
        Ok(())
    }

    /// Only the first time counts, until a return takes it back.
    fn stamp(&mut self, column: &str, at: Value) -> Result<(), &'static str> {
        if !self.is_null(column) {
            return Err("it was done before");
        }
        self.set(column, at);
        Ok(())
    }

    fn complete(&mut self, column: &str, at: Value, to: &str) -> Result<(), &'static str> {
        self.stamp(column, at)?;
        self.set("stage", json!(to));
        self.set("assignee_id", Value::Null);
        Ok(())
    }
}

type Move = (&'static str, Option<&'static str>, Option<&'static str>);

/// In which stage each action is due, and to which it leads.
const MOVES: [Move; 9] = [
    ("handle_print_barcode", None, None),
    ("complete_filling", Some("Filling"), Some("Covering")),
    ("complete_covering", Some("Covering"), Some("Decorating")),
    ("complete_decorating", Some("Decorating"), Some("Packing")),
    ("start_packing", Some("Packing"), None),
    ("complete_packing", Some("Packing"), Some("Complete")),
    ("qc_return_to_decorating", Some("Packing"), Some("Decorating")),
    ("assign_staff", None, None),
    ("set_storage", None, None),
];

fn text(value: &Value, field: &str) -> String {
    value.get(field).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: u32, action: &str, from: &str, to: &str) -> Value {
        json!({"id": id, "action": action, "stage_from": from, "stage_to": to, "performed_by": "x", "at": id, "meta": {}})
    }

    #[test]
    fn follows_an_order() {
        let mut order = Order::new();
        order.take(&event(1, "handle_print_barcode", "Filling", "Filling")).unwrap();
        order.take(&event(2, "complete_filling", "Filling", "Covering")).unwrap();
        assert_eq!((order.stage().as_str(), &order.columns["filling_complete_ts"]), ("Covering", &json!(2)));
    }

    #[test]
    fn finds_what_cannot_have_happened() {
        for wrong in [
            event(1, "complete_filling", "Covering", "Decorating"),
            event(1, "complete_covering", "Filling", "Decorating"),
            event(1, "complete_filling", "Filling", "Packing"),
            event(1, "handle_print_barcode", "Filling", "Covering"),
            event(1, "qc_return_to_decorating", "Filling", "Decorating"),
            json!({"id": 1, "action": "start_packing", "stage_from": "Filling", "stage_to": "Filling", "performed_by": null}),
            json!({"id": 1, "action": "scan_repeated", "stage_from": "Filling", "stage_to": "Filling", "performed_by": "x",
                "meta": {"event_id": 7}}),
        ] {
            assert!(Order::new().take(&wrong).is_err(), "{wrong}");
        }
        let mut order = Order::new();
        order.take(&event(1, "handle_print_barcode", "Filling", "Filling")).unwrap();
        assert!(order.take(&event(2, "handle_print_barcode", "Filling", "Filling")).is_err());
    }
}
