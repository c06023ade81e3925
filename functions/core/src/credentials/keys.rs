//! What each provider's keys look like: in a request, and inside the ciphertext.
//!
//! Refusals name a field and never quote its value. Whether keys open anything is for the provider to say.

use super::{Client, Provider, ShopifyKeys};
use crate::envelope::Rejection;
use crate::secret::Secret;
use serde_json::{Map, Value, json};

/// Longest value, in characters.
const LONGEST: usize = 500;

/// The keys of one store to one provider.
#[derive(Clone, Debug)]
pub enum Keys {
    /// A shop's Admin API.
    Shopify(ShopifyKeys),
    /// A webhook: whoever knows it can write there.
    Slack(Secret),
    /// Name and password.
    ShipStation {
        /// Its API key.
        key: Secret,
        /// Its API secret.
        secret: Secret,
    },
    /// A key of the mail service.
    Email(Secret),
}

impl Keys {
    /// Reads them from a request, or from what was sealed.
    ///
    /// # Errors
    /// A rejection that says which fields there should be.
    pub fn read(provider: Provider, fields: &Map<String, Value>) -> Result<Self, Rejection> {
        Ok(match provider {
            Provider::Shopify if fields.contains_key("access_token") => {
                let [token] = texts(fields, ["access_token"], SHOPIFY)?;
                Self::Shopify(ShopifyKeys::Token(token))
            }
            Provider::Shopify => {
                let [id, secret] = texts(fields, ["client_id", "client_secret"], SHOPIFY)?;
                Self::Shopify(ShopifyKeys::Client(Client { id, secret }))
            }
            Provider::Slack => {
                let [url] = texts(fields, ["webhook_url"], "keys must be {webhook_url}")?;
                Self::Slack(url)
            }
            Provider::ShipStation => {
                let [key, secret] =
                    texts(fields, ["api_key", "api_secret"], "keys must be {api_key, api_secret}")?;
                Self::ShipStation { key, secret }
            }
            Provider::Email => {
                let [key] = texts(fields, ["api_key"], "keys must be {api_key}")?;
                Self::Email(key)
            }
        })
    }

    /// Reads what was sealed; `None` when no version of ours has sealed that.
    #[must_use]
    pub fn from_plain(provider: Provider, plain: &[u8]) -> Option<Self> {
        let fields: Map<String, Value> = serde_json::from_slice(plain).ok()?;
        Self::read(provider, &fields).ok()
    }

    /// What is sealed.
    #[must_use]
    pub fn to_plain(&self) -> Vec<u8> {
        let fields = match self {
            Self::Shopify(ShopifyKeys::Token(token)) => json!({"access_token": token.expose()}),
            Self::Shopify(ShopifyKeys::Client(client)) => {
                json!({"client_id": client.id.expose(), "client_secret": client.secret.expose()})
            }
            Self::Slack(url) => json!({"webhook_url": url.expose()}),
            Self::ShipStation { key, secret } => {
                json!({"api_key": key.expose(), "api_secret": secret.expose()})
            }
            Self::Email(key) => json!({"api_key": key.expose()}),
        };
        fields.to_string().into_bytes()
    }
}

const SHOPIFY: &str = "keys must be {access_token} or {client_id, client_secret}";

/// Exactly these fields, each a text that fits into a header. Blanks at the ends come from copying and are cut off.
fn texts<const N: usize>(
    fields: &Map<String, Value>,
    names: [&str; N],
    form: &str,
) -> Result<[Secret; N], Rejection> {
    if fields.len() != N {
        return Err(Rejection::bad_input(form));
    }
    let mut found = Vec::new();
    for name in names {
        let text = fields.get(name).and_then(Value::as_str).ok_or_else(|| Rejection::bad_input(form))?.trim();
        if !(1..=LONGEST).contains(&text.len()) || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Rejection::bad_input(format!(
                "{name} must be 1 to {LONGEST} characters of plain ASCII without blanks"
            )));
        }
        found.push(Secret::new(text));
    }
    found.try_into().map_err(|_| Rejection::bad_input(form))
}

/// Whether an address lies below `base`, which ends with a slash: nobody makes us call anything else by writing it into
/// a webhook's address.
#[must_use]
pub fn is_below(base: &str, url: &str) -> bool {
    url.strip_prefix(base).is_some_and(|rest| {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        rest.split('/').all(|part| !part.is_empty() && part.bytes().all(is_plain))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(provider: Provider, fields: Value) -> Result<Keys, Rejection> {
        Keys::read(provider, fields.as_object().unwrap())
    }

    #[test]
    fn every_form_survives_being_sealed() {
        for (provider, fields) in [
            (Provider::Shopify, json!({"access_token": "shpat_0"})),
            (Provider::Shopify, json!({"client_id": "a", "client_secret": "b"})),
            (Provider::Slack, json!({"webhook_url": "https://hooks.slack.com/services/T/B/x"})),
            (Provider::ShipStation, json!({"api_key": "a", "api_secret": "b"})),
            (Provider::Email, json!({"api_key": "re_0"})),
        ] {
            let plain = read(provider, fields.clone()).unwrap().to_plain();
            assert_eq!(serde_json::from_slice::<Value>(&plain).unwrap(), fields);
            assert_eq!(Keys::from_plain(provider, &plain).unwrap().to_plain(), plain);
        }
        assert!(Keys::from_plain(Provider::Slack, br#"{"access_token": "shpat_0"}"#).is_none());
        assert!(Keys::from_plain(Provider::Slack, b"\xff").is_none());
    }

    #[test]
    fn blanks_of_copying_are_cut_off() {
        let keys = read(Provider::Shopify, json!({"access_token": " shpat_0\n"})).unwrap();
        assert_eq!(keys.to_plain(), br#"{"access_token":"shpat_0"}"#);
    }

    #[test]
    fn other_forms_are_refused_and_never_quoted() {
        for (provider, fields) in [
            (Provider::Shopify, json!({})),
            (Provider::Shopify, json!({"access_token": "hidden", "client_id": "hidden"})),
            (Provider::Shopify, json!({"client_id": "hidden"})),
            (Provider::Shopify, json!({"access_token": ""})),
            (Provider::Shopify, json!({"access_token": "hid den"})),
            (Provider::Shopify, json!({"access_token": "hidden\r\nX: y"})),
            (Provider::Shopify, json!({"access_token": "hidden-é"})),
            (Provider::Shopify, json!({"access_token": "x".repeat(LONGEST + 1)})),
            (Provider::Shopify, json!({"access_token": ["hidden"]})),
            (Provider::Shopify, json!({"access_token": null})),
            (Provider::Slack, json!({"hidden": "hidden"})),
            (Provider::ShipStation, json!({"api_key": "hidden"})),
            (Provider::Email, json!({"api_key": 7})),
        ] {
            let rejection = read(provider, fields.clone()).unwrap_err();
            assert!(!rejection.message.contains("hidden"), "{fields}: {}", rejection.message);
        }
    }

    #[test]
    fn an_address_stays_below_its_base() {
        let base = "https://hooks.slack.com/";
        assert!(is_below(base, "https://hooks.slack.com/services/T0/B0/x-y_z"));
        for url in [
            "https://hooks.slack.com/",
            "https://hooks.slack.com",
            "http://hooks.slack.com/services/T",
            "https://hooks.slack.com.evil.example/services",
            "https://hooks.slack.com@evil.example/services",
            "https://hooks.slack.com/../x",
            "https://hooks.slack.com//x",
            "https://hooks.slack.com/x?y",
            "https://hooks.slack.com/x#y",
            "https://hooks.slack.com/x%2fy",
            "https://hooks.slack.com/x\\y",
            "https://hooks.slack.com/x/",
        ] {
            assert!(!is_below(base, url), "{url}");
        }
    }
}
