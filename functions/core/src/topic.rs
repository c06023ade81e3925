//! Shopify's webhook topics, and how snapshots of an order rank by them when two are equally new.
//!
//! Knows nothing of bodies.

use std::fmt;

/// Longest topic that is kept; Shopify's longest is far below.
const LONGEST: usize = 100;

/// What a delivery says has happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// `orders/create`
    OrdersCreate,
    /// `orders/updated`
    OrdersUpdated,
    /// `orders/edited`: carries only what was edited; the `orders/updated` beside it brings the order.
    OrdersEdited,
    /// `orders/paid`
    OrdersPaid,
    /// `orders/partially_fulfilled`
    OrdersPartiallyFulfilled,
    /// `orders/fulfilled`
    OrdersFulfilled,
    /// `orders/cancelled`
    OrdersCancelled,
    /// `refunds/create`: carries only the refund.
    RefundsCreate,
    /// `inventory_levels/update`
    InventoryLevelsUpdate,
    /// `app/uninstalled`
    AppUninstalled,
    /// `customers/data_request`
    CustomersDataRequest,
    /// `customers/redact`
    CustomersRedact,
    /// `shop/redact`
    ShopRedact,
    /// Any other topic: stored under its own name and ignored.
    Other(String),
}

const NAMES: [(&str, Topic); 13] = [
    ("orders/create", Topic::OrdersCreate),
    ("orders/updated", Topic::OrdersUpdated),
    ("orders/edited", Topic::OrdersEdited),
    ("orders/paid", Topic::OrdersPaid),
    ("orders/partially_fulfilled", Topic::OrdersPartiallyFulfilled),
    ("orders/fulfilled", Topic::OrdersFulfilled),
    ("orders/cancelled", Topic::OrdersCancelled),
    ("refunds/create", Topic::RefundsCreate),
    ("inventory_levels/update", Topic::InventoryLevelsUpdate),
    ("app/uninstalled", Topic::AppUninstalled),
    ("customers/data_request", Topic::CustomersDataRequest),
    ("customers/redact", Topic::CustomersRedact),
    ("shop/redact", Topic::ShopRedact),
];

impl Topic {
    /// Reads the `X-Shopify-Topic` header; case and surrounding space do not matter. A missing topic is `unknown`.
    #[must_use]
    pub fn parse(header: &str) -> Self {
        let name: String = header
            .trim()
            .chars()
            .filter(|c| c.is_ascii_graphic())
            .take(LONGEST)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        match NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, topic)) => topic.clone(),
            None if name.is_empty() => Self::Other("unknown".into()),
            None => Self::Other(name),
        }
    }

    /// The name as Shopify writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Other(name) => name,
            known => NAMES.iter().find(|(_, topic)| topic == known).map_or("unknown", |(name, _)| name),
        }
    }

    /// Order among snapshots with the same `updated_at`; the greater wins. `None` when the topic is not about the
    /// state of an order.
    #[must_use]
    pub fn rank(&self) -> Option<u8> {
        match self {
            Self::OrdersCreate => Some(0),
            Self::OrdersUpdated => Some(1),
            Self::OrdersEdited => Some(2),
            Self::OrdersPaid => Some(3),
            Self::OrdersPartiallyFulfilled => Some(4),
            Self::OrdersFulfilled => Some(5),
            Self::OrdersCancelled => Some(6),
            _ => None,
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_reads_back_as_itself() {
        for (name, topic) in NAMES {
            assert_eq!(Topic::parse(name), topic);
            assert_eq!(topic.as_str(), name);
        }
    }

    #[test]
    fn case_and_space_do_not_matter() {
        assert_eq!(Topic::parse("  Orders/CREATE "), Topic::OrdersCreate);
    }

    #[test]
    fn an_unknown_topic_keeps_its_name() {
        let topic = Topic::parse("products/update");
        assert_eq!(topic, Topic::Other("products/update".into()));
        assert_eq!(topic.to_string(), "products/update");
        assert!(topic.rank().is_none());
    }

    #[test]
    fn a_hostile_topic_is_cut_and_cleaned() {
        assert_eq!(Topic::parse("\u{0}\r\n"), Topic::Other("unknown".into()));
        assert_eq!(Topic::parse(&"x".repeat(5000)).as_str().len(), LONGEST);
        assert_eq!(Topic::parse("orders/\u{0}create"), Topic::OrdersCreate);
    }

    #[test]
    fn a_cancellation_outranks_every_other_snapshot() {
        let ranks: Vec<u8> = NAMES.iter().filter_map(|(_, topic)| topic.rank()).collect();
        assert_eq!(ranks, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(Topic::OrdersCancelled.rank(), Some(6));
    }
}
