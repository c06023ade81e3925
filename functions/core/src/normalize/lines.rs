//! The lines of an order, and which of them is the primary one.

use super::money::{self, Currency};
use super::refunds::Gone;
use super::{NormalizeError, NormalizedLine, text};
use crate::field::Field;
use std::collections::{BTreeMap, BTreeSet};

/// More lines than this is no order; Shopify's own limit is a tenth of it.
pub(super) const MOST: usize = 5000;
/// Properties of one line that are kept.
const MOST_PROPERTIES: usize = 100;
/// Longest value of a property, in characters.
const LONGEST_VALUE: usize = 2000;
/// Greatest quantity of a line.
const GREATEST_QUANTITY: i32 = 1_000_000;

/// A line and what is needed to choose the primary one.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) line: NormalizedLine,
    /// Quantity as first ordered.
    ordered: i32,
}

/// Reads `line_items`, of which `gone` was refunded. Anything but a list has no lines; elements that are no objects are
/// skipped.
///
/// # Errors
/// When there are more than [`MOST`].
pub(super) fn read(
    items: Option<Field<'_>>,
    currency: &Currency,
    gone: &BTreeMap<String, Gone>,
) -> Result<Vec<Line>, NormalizeError> {
    let mut lines: Vec<Line> = Vec::new();
    let mut ids = BTreeSet::new();
    let mut position = 0;
    let Some(items) = items else { return Ok(lines) };
    items.elements(&mut |item| {
        if item.is_object() {
            let mut line = read_line(item, position, currency, gone);
            if !ids.insert(line.line.line_id.clone()) {
                line.line.line_id = format!("{}:{position}", line.line.line_id);
            }
            lines.push(line);
        }
        position += 1;
        position <= MOST
    });
    if position > MOST { Err(NormalizeError::TooManyLines) } else { Ok(lines) }
}

/// The first line that is not a gift card and has quantity; when nothing is left of the order (cancelled, refunded),
/// the first that had, so that what was ordered can still be read.
pub(super) fn primary(lines: &[Line]) -> Option<&NormalizedLine> {
    let mut products = lines.iter().filter(|line| !line.line.gift_card);
    let wanted = products.clone().find(|line| line.line.quantity > 0);
    wanted.or_else(|| products.find(|line| line.ordered > 0)).map(|line| &line.line)
}

fn read_line(item: Field<'_>, position: usize, currency: &Currency, gone: &BTreeMap<String, Gone>) -> Line {
    let [id, gid, sku, title, name, variant, quantity, current, price, price_set, gift_card, service] = item
        .pick([
            "id",
            "admin_graphql_api_id",
            "sku",
            "title",
            "name",
            "variant_title",
            "quantity",
            "current_quantity",
            "price",
            "price_set",
            "gift_card",
            "fulfillment_service",
        ]);
    let words =
        |field: Option<Field<'_>>| field.and_then(Field::text).and_then(|text| text::line(&text, text::LINE));
    // A line that says nothing about its quantity is still a line: one piece.
    let ordered = quantity.and_then(count).unwrap_or(1);
    let id = gid.and_then(|gid| super::order::id_of_gid(gid, "LineItem")).or_else(|| id.and_then(Field::id));
    let gone = id.as_ref().and_then(|id| gone.get(id)).copied().unwrap_or_default();
    // What Shopify says is wanted now is less its refunds already; older bodies leave the subtraction to us.
    let quantity = current.and_then(count).unwrap_or_else(|| less(ordered, gone.refunded));
    let line = NormalizedLine {
        line_id: id.unwrap_or_else(|| format!("n:{position}")),
        position,
        sku: words(sku),
        title: words(title).or_else(|| words(name)),
        variant_title: words(variant),
        quantity,
        // Never more than are missing from what was ordered.
        consumed: i32::try_from(gone.lost.min(i64::from(ordered - quantity).max(0))).unwrap_or_default(),
        price: money::of_line(price, price_set, currency),
        gift_card: gift_card.is_some_and(Field::is_true) || words(service).as_deref() == Some("gift_card"),
        properties: pairs(item.get("properties")),
    };
    Line { line, ordered }
}

/// What is left of a quantity.
fn less(ordered: i32, refunded: i64) -> i32 {
    i32::try_from((i64::from(ordered) - refunded).max(0)).unwrap_or_default()
}

/// A quantity: whole, not negative, not absurd.
pub(super) fn count(field: Field<'_>) -> Option<i32> {
    Some(field.decimal()?.clamped(0, GREATEST_QUANTITY))
}

/// Names and values of properties or attributes, given as a list of `{name, value}` or as an object. Values of the same
/// name are put under each other.
pub(super) fn pairs(field: Option<Field<'_>>) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    let mut add = |name: Option<String>, value: Option<Field<'_>>| {
        let value = value.and_then(Field::text).and_then(|text| text::block(&text, LONGEST_VALUE));
        if let (Some(name), Some(value)) = (name.and_then(|name| text::line(&name, text::LINE)), value) {
            match pairs.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) if known.len() < LONGEST_VALUE => *known = format!("{known}\n{value}"),
                Some(_) => {}
                None => pairs.push((name, value)),
            }
        }
        pairs.len() < MOST_PROPERTIES
    };
    let Some(field) = field else { return pairs };
    field.entries(&mut |name, value| add(Some(name.to_owned()), Some(value)));
    field.elements(&mut |element| {
        let [name, key, value] = element.pick(["name", "key", "value"]);
        add(name.or(key).and_then(Field::text), value)
    });
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(json: &str) -> Vec<Line> {
        read(Some(Field::document(json)), &Currency::default(), &BTreeMap::new()).unwrap()
    }

    fn quantity(line: &str) -> i32 {
        lines(&format!("[{line}]"))[0].line.quantity
    }

    #[test]
    fn a_quantity_is_what_the_line_wants_now() {
        assert_eq!(quantity(r#"{"quantity":3,"current_quantity":1}"#), 1);
        assert_eq!(quantity(r#"{"quantity":3,"current_quantity":0}"#), 0);
        assert_eq!(quantity(r#"{"quantity":"3","current_quantity":null}"#), 3);
        assert_eq!(quantity(r#"{"quantity":-2}"#), 0);
        assert_eq!(quantity(r#"{"quantity":2.9}"#), 2);
        assert_eq!(quantity(r#"{"quantity":99999999999999999999}"#), GREATEST_QUANTITY);
        assert_eq!(quantity(r#"{"quantity":"1e400"}"#), GREATEST_QUANTITY);
        for absent in ["{}", r#"{"quantity":null}"#, r#"{"quantity":"many"}"#, r#"{"quantity":{}}"#] {
            assert_eq!(quantity(absent), 1, "{absent}");
        }
    }

    #[test]
    fn refunds_are_subtracted_where_shopify_has_not_done_so() {
        let line = |line: &str, refunded, lost| {
            let gone = BTreeMap::from([("7".to_owned(), Gone { refunded, lost })]);
            let items = format!("[{line}]");
            let lines = read(Some(Field::document(&items)), &Currency::default(), &gone).unwrap();
            (lines[0].line.quantity, lines[0].line.consumed)
        };
        let old = r#"{"id":7,"quantity":5}"#;
        assert_eq!(line(old, 2, 0), (3, 0));
        assert_eq!(line(old, 3, 1), (2, 1));
        assert_eq!(line(old, 9, 9), (0, 5));
        let new = r#"{"id":7,"quantity":5,"current_quantity":3}"#;
        assert_eq!(line(new, 2, 0), (3, 0));
        assert_eq!(line(new, 2, 2), (3, 2));
        assert_eq!(line(new, 2, 4), (3, 2));
        assert_eq!(line(r#"{"id":8,"quantity":5}"#, 2, 2), (5, 0));
        assert_eq!(line(r#"{"quantity":5}"#, 2, 2), (5, 0));
    }

    #[test]
    fn every_line_has_an_id_of_its_own() {
        let lines = lines(
            r#"[{"id":7},{},5,{"id":"7"},{"id":1e30},{"id":8,"admin_graphql_api_id":"gid://shopify/LineItem/9"}]"#,
        );
        let ids: Vec<&str> = lines.iter().map(|line| line.line.line_id.as_str()).collect();
        assert_eq!(ids, ["7", "n:1", "7:3", "n:4", "9"]);
    }

    #[test]
    fn an_empty_sku_is_none() {
        let lines = lines(r#"[{"sku":""},{"sku":" A\u200b1 "},{"sku":42},{"sku":{"a":1}},{"sku":null}]"#);
        let skus: Vec<Option<&str>> = lines.iter().map(|line| line.line.sku.as_deref()).collect();
        assert_eq!(skus, [None, Some("A1"), Some("42"), None, None]);
    }

    #[test]
    fn what_is_no_list_has_no_lines() {
        for json in ["null", "{}", "\"x\"", "5", "[]", "[null,1,\"x\",[]]", r#"{"0":{"id":1}}"#] {
            assert!(lines(json).is_empty(), "{json}");
        }
        assert!(read(None, &Currency::default(), &BTreeMap::new()).unwrap().is_empty());
    }

    #[test]
    fn the_primary_line_is_the_first_product_that_is_wanted() {
        let title = |json: &str| primary(&lines(json)).and_then(|line| line.title.clone());
        let gift = r#"{"title":"Gift","gift_card":true}"#;
        assert_eq!(
            title(&format!(r#"[{gift},{{"title":"A","quantity":0}},{{"title":"B"}}]"#)).as_deref(),
            Some("B")
        );
        assert_eq!(title(&format!("[{gift}]")), None);
        assert_eq!(title(r#"[{"title":"Gift","gift_card":"true"}]"#), None);
        assert_eq!(title(r#"[{"title":"Gift","fulfillment_service":"gift_card"}]"#), None);
        assert_eq!(title(r#"[{"name":"Named"}]"#).as_deref(), Some("Named"));
    }

    #[test]
    fn of_an_order_that_is_gone_the_product_can_still_be_read() {
        let gone = lines(r#"[{"title":"A","quantity":0},{"title":"B","quantity":2,"current_quantity":0}]"#);
        assert_eq!(primary(&gone).unwrap().title.as_deref(), Some("B"));
    }

    #[test]
    fn properties_come_in_two_shapes() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let expected = vec![pair("Flavour", "A"), pair("Count", "3")];
        for json in [
            r#"[{"name":"Flavour","value":"A"},{"name":"Count","value":3},{"name":"x","value":null},{"value":"y"},7]"#,
            r#"{"Flavour":"A","Count":3,"x":null,"":"y","z":{"a":1}}"#,
            r#"[{"key":"Flavour","value":" A "},{"key":"Count","value":"3"}]"#,
        ] {
            assert_eq!(pairs(Some(Field::document(json))), expected, "{json}");
        }
        let twice = r#"[{"name":"Flavour","value":"A"},{"name":"Flavour","value":"B"}]"#;
        assert_eq!(pairs(Some(Field::document(twice))), [pair("Flavour", "A\nB")]);
        for json in ["null", "\"x\"", "[]", "{}"] {
            assert!(pairs(Some(Field::document(json))).is_empty());
        }
    }

    #[test]
    fn a_bomb_of_lines_is_refused_and_a_bomb_of_properties_is_cut() {
        let bomb = format!("[{}{{}}]", "{},".repeat(1_000_000));
        assert_eq!(
            read(Some(Field::document(&bomb)), &Currency::default(), &BTreeMap::new()).unwrap_err(),
            NormalizeError::TooManyLines
        );
        let most = format!("[{}{{}}]", "{},".repeat(MOST - 1));
        assert_eq!(lines(&most).len(), MOST);
        let properties: Vec<String> = (0..10_000).map(|n| format!("\"{n}\":{n}")).collect();
        let properties = format!("{{{}}}", properties.join(","));
        assert_eq!(pairs(Some(Field::document(&properties))).len(), MOST_PROPERTIES);
    }
}
