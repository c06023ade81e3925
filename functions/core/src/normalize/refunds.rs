//! Refunds: what they took away from the lines of an order, and whether it went back on the shelf.
//!
//! The same in the list of an order and in a delivery of its own. Knows nothing of stock: which pieces stay consumed
//! is said here, what that means the database decides.

use super::{Refund, RefundedLine, lines, order};
use crate::calendar::Timestamp;
use crate::field::Field;
use std::collections::{BTreeMap, BTreeSet};

/// Kinds of refunds after which the pieces can be sold again. `no_restock` and unknown ones are not among them: to
/// sell what is not there is worse than to sell a piece less until stock is compared.
const RESTOCKED: [&str; 3] = ["return", "cancel", "legacy_restock"];

/// Pieces of a line that are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Gone {
    /// All of them.
    pub(super) refunded: i64,
    /// Those that were not put back.
    pub(super) lost: i64,
}

/// What an order says about its refunds.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Their ids; `None` when the order has no list of refunds at all.
    pub(super) ids: Option<Vec<String>>,
    /// What they took, by the id of the line.
    pub(super) gone: BTreeMap<String, Gone>,
}

/// Reads the refunds of an order. One that is listed twice counts once.
pub(super) fn of_order(list: Option<Field<'_>>) -> Told {
    let mut told = Told::default();
    let Some(list) = list.filter(|list| list.is_list()) else { return told };
    let (mut ids, mut seen) = (Vec::new(), BTreeSet::new());
    list.elements(&mut |refund| {
        let id = id_of(refund);
        if id.as_ref().is_none_or(|id| seen.insert(id.clone())) {
            for line in lines_of(refund) {
                let gone = told.gone.entry(line.line_id).or_default();
                gone.refunded += i64::from(line.quantity);
                gone.lost += i64::from(if line.restock { 0 } else { line.quantity });
            }
            ids.extend(id);
        }
        ids.len() <= lines::MOST
    });
    told.ids = Some(ids);
    told
}

/// Reads a delivery that is a refund. `None` without an id: nobody could tell it from the next.
pub(super) fn of_delivery(refund: Field<'_>) -> Option<Refund> {
    let [created, processed] = refund.pick(["created_at", "processed_at"]);
    let instant = |field: Option<Field<'_>>| Timestamp::parse(&field?.text()?).map(|at| at.to_string());
    Some(Refund {
        id: id_of(refund)?,
        created_at: instant(created).or_else(|| instant(processed)),
        lines: lines_of(refund),
    })
}

fn id_of(refund: Field<'_>) -> Option<String> {
    let [gid, id] = refund.pick(["admin_graphql_api_id", "id"]);
    gid.and_then(|gid| order::id_of_gid(gid, "Refund")).or_else(|| id.and_then(Field::id))
}

fn lines_of(refund: Field<'_>) -> Vec<RefundedLine> {
    let [items, all] = refund.pick(["refund_line_items", "restock"]);
    let all_restocked = all.is_some_and(Field::is_true);
    let mut lines = Vec::new();
    let Some(items) = items else { return lines };
    items.elements(&mut |item| {
        let [line_id, line, quantity, kind] =
            item.pick(["line_item_id", "line_item", "quantity", "restock_type"]);
        let line_id = line_id.and_then(Field::id).or_else(|| line?.get("id").and_then(Field::id));
        if let (Some(line_id), Some(quantity)) = (line_id, quantity.and_then(lines::count)) {
            let kind = kind.and_then(Field::text).map(|kind| kind.trim().to_ascii_lowercase());
            let restock = kind.map_or(all_restocked, |kind| RESTOCKED.contains(&kind.as_str()));
            lines.push(RefundedLine { line_id, quantity, restock });
        }
        lines.len() < lines::MOST
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(json: &str) -> Option<Refund> {
        of_delivery(Field::document(json))
    }

    #[test]
    fn pieces_go_back_on_the_shelf_only_when_it_is_said() {
        for (kind, restock) in [
            (r#","restock_type":"return""#, true),
            (r#","restock_type":" Cancel ""#, true),
            (r#","restock_type":"legacy_restock""#, true),
            (r#","restock_type":"no_restock""#, false),
            (r#","restock_type":"something_new""#, false),
            (r#","restock_type":null"#, false),
            ("", false),
        ] {
            let refund = delivery(&format!(
                r#"{{"id":1,"refund_line_items":[{{"line_item_id":7,"quantity":2{kind}}}]}}"#
            ));
            assert_eq!(
                refund.unwrap().lines,
                [RefundedLine { line_id: "7".into(), quantity: 2, restock }],
                "{kind}"
            );
        }
        let old = r#"{"id":1,"restock":true,"refund_line_items":[{"line_item_id":7,"quantity":2}]}"#;
        assert!(delivery(old).unwrap().lines[0].restock);
    }

    #[test]
    fn a_refund_without_an_id_is_none() {
        assert_eq!(delivery(r#"{"refund_line_items":[{"line_item_id":7,"quantity":2}]}"#), None);
        assert_eq!(delivery("[]"), None);
        let named = r#"{"admin_graphql_api_id":"gid://shopify/Refund/9","id":8,"processed_at":"2026-02-09T12:00:00+11:00"}"#;
        let refund = delivery(named).unwrap();
        assert_eq!((refund.id.as_str(), refund.created_at.as_deref()), ("9", Some("2026-02-09T01:00:00Z")));
        assert!(refund.lines.is_empty());
    }

    #[test]
    fn lines_that_say_nothing_are_left_out() {
        let refund = r#"{"id":1,"refund_line_items":[7,{},{"quantity":2},{"line_item_id":7},{"line_item":{"id":8},"quantity":"3"}]}"#;
        let lines = delivery(refund).unwrap().lines;
        assert_eq!(lines, [RefundedLine { line_id: "8".into(), quantity: 3, restock: false }]);
    }

    #[test]
    fn the_list_of_an_order_is_added_up_and_a_refund_counts_once() {
        let refund = |id: u32, quantity: u32, kind: &str| {
            format!(
                r#"{{"id":{id},"refund_line_items":[{{"line_item_id":7,"quantity":{quantity},"restock_type":"{kind}"}}]}}"#
            )
        };
        let list =
            format!("[{},{},{}]", refund(1, 2, "return"), refund(2, 1, "no_restock"), refund(1, 2, "return"));
        let told = of_order(Some(Field::document(&list)));
        assert_eq!(told.ids.unwrap(), ["1", "2"]);
        assert_eq!(told.gone["7"], Gone { refunded: 3, lost: 1 });
    }

    #[test]
    fn no_list_is_not_an_empty_list() {
        assert_eq!(of_order(Some(Field::document("[]"))).ids, Some(Vec::new()));
        for json in ["null", "{}", "7"] {
            assert_eq!(of_order(Some(Field::document(json))).ids, None, "{json}");
        }
        assert_eq!(of_order(None).ids, None);
    }
}
