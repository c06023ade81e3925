//! What the headers of a verified delivery say.
//!
//! Shopify signs the body alone: every header is a claim of whoever sent the request. Each is cut, cleaned and checked
//! for its form here; what it may decide is for the database to say. Knows no HTTP library.

use ordak_core::{signature::VerifiedBy, topic::Topic};

const LONGEST_DOMAIN: usize = 253;
const LONGEST_ID: usize = 128;

/// A delivery, without its body.
#[derive(Debug)]
pub struct Delivery {
    /// Domain of the shop, lower-cased; `None` when the header is missing or no domain.
    pub shop_domain: Option<String>,
    /// Topic; `unknown` when the header is missing.
    pub topic: Topic,
    /// Shopify's id of the delivery.
    pub webhook_id: Option<String>,
    /// When Shopify says it happened.
    pub triggered_at: Option<String>,
    /// SHA-256 of the body: its identity whatever the headers say.
    pub content_hash: String,
    /// Whose secret verified the body.
    pub verified: VerifiedBy,
}

impl Delivery {
    /// Reads the headers of a delivery whose body has this hash.
    #[must_use]
    pub fn read<'a>(
        content_hash: String,
        verified: VerifiedBy,
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Self {
        Self {
            shop_domain: header("x-shopify-shop-domain").and_then(shop_domain),
            topic: Topic::parse(header("x-shopify-topic").unwrap_or_default()),
            webhook_id: header("x-shopify-webhook-id").and_then(webhook_id),
            triggered_at: header("x-shopify-triggered-at").and_then(moment),
            content_hash,
            verified,
        }
    }

    /// Under what a dead letter is kept once, however often it is delivered.
    #[must_use]
    pub fn dead_letter_id(&self) -> String {
        let shop = self.shop_domain.as_deref().unwrap_or("unknown");
        let delivery = self.webhook_id.as_deref().unwrap_or(&self.content_hash);
        format!("{shop}/{}/{delivery}", self.topic)
    }
}

fn shop_domain(header: &str) -> Option<String> {
    let domain = header.trim().to_ascii_lowercase();
    let is_domain = domain.len() <= LONGEST_DOMAIN
        && domain.contains('.')
        && domain.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        });
    is_domain.then_some(domain)
}

/// An id that is too long or strange is none: then the content identifies the delivery.
fn webhook_id(header: &str) -> Option<String> {
    let id = header.trim();
    let is_id = !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic());
    is_id.then(|| id.to_owned())
}

/// A moment that Postgres will read for certain: `YYYY-MM-DDTHH:MM:SS[.fraction](Z|±HH:MM)` with every number in range.
fn moment(header: &str) -> Option<String> {
    let text = header.trim();
    let (seconds, rest) = text.split_at_checked(19)?;
    let number = |from: usize, to: usize| -> Option<u32> {
        let digits = seconds.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let separators = [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":")];
    let separated = separators.into_iter().all(|(at, separator)| seconds.get(at..=at) == Some(separator));
    // Days 29 to 31 are let through in months that always have them only: a moment of delivery is no reason to fail.
    let (month, day) = (number(5, 7)?, number(8, 10)?);
    let longest = match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let in_range = number(0, 4)? >= 2000
        && (1..=12).contains(&month)
        && (1..=longest).contains(&day)
        && number(11, 13)? < 24
        && number(14, 16)? < 60
        && number(17, 19)? < 60;
    (separated && in_range && is_end(rest)).then(|| text.to_owned())
}

/// An optional fraction and a zone.
fn is_end(rest: &str) -> bool {
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let digits = fraction.bytes().take_while(u8::is_ascii_digit).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            fraction.get(digits..).unwrap_or_default()
        }
        None => rest,
    };
    let offset = zone.strip_prefix(['+', '-']).and_then(|offset| offset.split_once(':'));
    let two_below = |digits: &str, limit: u32| {
        digits.len() == 2
            && digits.bytes().all(|b| b.is_ascii_digit())
            && digits.parse::<u32>().is_ok_and(|number| number < limit)
    };
    zone == "Z" || offset.is_some_and(|(hours, minutes)| two_below(hours, 15) && two_below(minutes, 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)]) -> Delivery {
        Delivery::read("hash".to_owned(), VerifiedBy::Shared, |name| {
            headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
        })
    }

    #[test]
    fn reads_what_shopify_sends() {
        let delivery = read(&[
            ("x-shopify-shop-domain", "Bannos.MyShopify.com"),
            ("x-shopify-topic", "orders/create"),
            ("x-shopify-webhook-id", "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"),
            ("x-shopify-triggered-at", "2026-11-21T01:02:03.123456789Z"),
        ]);
        assert_eq!(delivery.shop_domain.as_deref(), Some("bannos.myshopify.com"));
        assert_eq!(delivery.topic, Topic::OrdersCreate);
        assert_eq!(delivery.triggered_at.as_deref(), Some("2026-11-21T01:02:03.123456789Z"));
        assert_eq!(
            delivery.dead_letter_id(),
            "bannos.myshopify.com/orders/create/b54557e4-bdd9-4b37-8a5f-bf7d70bcd043"
        );
    }

    #[test]
    fn without_headers_the_content_identifies_a_delivery() {
        let delivery = read(&[]);
        assert_eq!(delivery.dead_letter_id(), "unknown/unknown/hash");
        assert!(delivery.webhook_id.is_none() && delivery.triggered_at.is_none());
    }

    #[test]
    fn a_domain_is_a_domain_or_nothing() {
        for header in [
            "", "bannos", "a..b", ".a.b", "a.b.", "-a.b", "a b.c", "a.b/c", "a.b, c.d", "a.b:80", "é.com",
            "a_b.c",
        ] {
            assert_eq!(shop_domain(header), None, "{header}");
        }
        assert_eq!(shop_domain(&format!("{}.com", "a".repeat(260))), None);
    }

    #[test]
    fn a_strange_id_is_none() {
        for header in ["", " ", "a b", "a\u{0}", "ü", &"x".repeat(129)] {
            assert_eq!(webhook_id(header), None, "{header}");
        }
    }

    #[test]
    fn a_moment_is_one_that_postgres_reads() {
        for header in ["2026-11-21T01:02:03Z", "2026-01-31T23:59:59.1+14:00", "2026-02-28T00:00:00-05:30"] {
            assert_eq!(moment(header).as_deref(), Some(header));
        }
        for header in [
            "",
            "now",
            "infinity",
            "2026-11-21",
            "2026-11-21T01:02:03",
            "2026-11-21 01:02:03Z",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-04-31T00:00:00Z",
            "2026-11-21T24:00:00Z",
            "2026-11-21T01:02:60Z",
            "2026-11-21T01:02:03.Z",
            "2026-11-21T01:02:03+15:00",
            "2026-11-21T01:02:03+5:00",
            "2026-11-21T01:02:03Z; drop",
            "0001-01-01T00:00:00Z",
            "２026-11-21T01:02:03Z",
        ] {
            assert_eq!(moment(header), None, "{header}");
        }
    }
}
