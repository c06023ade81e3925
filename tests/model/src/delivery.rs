//! One delivery of a webhook, as bytes and headers.
//!
//! Knows the ranks of the topics and nothing of bodies.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// What Shopify posts once.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Delivery {
    /// `X-Shopify-Shop-Domain`.
    pub shop: String,
    /// `X-Shopify-Topic`.
    pub topic: String,
    /// `X-Shopify-Webhook-Id`.
    pub webhook_id: String,
    /// The raw body.
    pub body: String,
}

impl Delivery {
    /// Lower-case hexadecimal SHA-256 of the body: the last word between snapshots that are equally new.
    #[must_use]
    pub fn content_hash(&self) -> String {
        Sha256::digest(self.body.as_bytes()).iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The same body of the same topic under another webhook id: a replay.
    #[must_use]
    pub fn replayed(&self, webhook_id: impl Into<String>) -> Self {
        Self { webhook_id: webhook_id.into(), ..self.clone() }
    }

    /// The same delivery under the header of another shop.
    #[must_use]
    pub fn misdirected(&self, shop: impl Into<String>) -> Self {
        Self { shop: shop.into(), ..self.clone() }
    }
}

/// Order among snapshots of the same `updated_at`. `None`: the topic brings no snapshot of an order.
#[must_use]
pub fn rank(topic: &str) -> Option<u8> {
    match topic {
        "orders/create" => Some(0),
        "orders/updated" => Some(1),
        "orders/paid" => Some(3),
        "orders/partially_fulfilled" => Some(4),
        "orders/fulfilled" => Some(5),
        "orders/cancelled" => Some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_keeps_its_content_and_a_misdirected_one_its_id() {
        let first = Delivery {
            shop: "a.example".into(),
            topic: "orders/create".into(),
            webhook_id: "1".into(),
            body: "abc".into(),
        };
        let again = first.replayed("2");
        assert_eq!(again.content_hash(), first.content_hash());
        assert_eq!(first.content_hash(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(first.misdirected("b.example").webhook_id, "1");
    }

    #[test]
    fn edits_and_refunds_bring_no_snapshot() {
        assert_eq!(rank("orders/edited"), None);
        assert_eq!(rank("refunds/create"), None);
        assert!(rank("orders/cancelled") > rank("orders/paid"));
    }
}
