//! Keys of stores to other companies' systems: which there are, what they look like, how they are kept.
//!
//! They are stored as ciphertext alone. What is here knows neither where that is stored nor how it gets there; random
//! numbers are parameters. No secret is ever printed or quoted, not even a wrong one.

pub mod grant;
pub mod key_ring;
pub mod keys;
pub mod request;
pub mod shelf;
pub mod slots;

use crate::secret::Secret;

/// A company whose system a store has keys to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// Its shop's Admin API.
    Shopify,
    /// Where its alerts go.
    Slack,
    /// Where its parcels are prepared.
    ShipStation,
    /// Who sends its mail.
    Email,
}

const PROVIDERS: [(Provider, &str); 4] = [
    (Provider::Shopify, "shopify"),
    (Provider::Slack, "slack"),
    (Provider::ShipStation, "shipstation"),
    (Provider::Email, "email"),
];

impl Provider {
    /// The provider of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        PROVIDERS.iter().find(|(_, known)| *known == name).map(|(provider, _)| *provider)
    }

    /// Its name in requests and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        PROVIDERS.iter().find(|(provider, _)| *provider == self).map_or("", |(_, name)| name)
    }
}

/// An app of one's own, which gets tokens that end after a day.
#[derive(Clone, Debug)]
pub struct Client {
    /// Which app.
    pub id: Secret,
    /// What proves it.
    pub secret: Secret,
}

impl Client {
    /// Whether these are the same words.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.id.matches(other.id.expose()) && self.secret.matches(other.secret.expose())
    }
}

/// What opens a shop's Admin API.
#[derive(Clone, Debug)]
pub enum ShopifyKeys {
    /// A token that is good until somebody revokes it.
    Token(Secret),
    /// An app that asks for tokens.
    Client(Client),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_have_one_name_each() {
        for (provider, name) in PROVIDERS {
            assert_eq!((Provider::parse(name), provider.as_str()), (Some(provider), name));
        }
        for name in ["", "Shopify", "shopify ", "wms"] {
            assert_eq!(Provider::parse(name), None);
        }
    }

    #[test]
    fn keys_never_print_themselves() {
        let client = Client { id: Secret::new("who"), secret: Secret::new("proof") };
        let printed =
            format!("{:?} {:?}", ShopifyKeys::Client(client), ShopifyKeys::Token(Secret::new("who")));
        assert!(!printed.contains("who") && !printed.contains("proof"), "{printed}");
    }
}
