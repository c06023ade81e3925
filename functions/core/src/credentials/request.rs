//! What is asked of the credentials: the bodies and queries of `settings/credentials`.
//!
//! A body can hold secrets in the wrong place: refusals say what there should be and quote nothing of what there is.

use super::{Provider, keys::Keys};
use crate::document;
use crate::envelope::Rejection;
use serde_json::{Map, Value};

/// Largest body in bytes.
pub const LARGEST_BODY: usize = 16 * 1024;
/// Most stores that a rotation names.
const MOST_STORES: usize = 200;

/// Keys to keep for a store.
#[derive(Debug)]
pub struct Put {
    /// The store.
    pub store: String,
    /// Where they open something.
    pub provider: Provider,
    /// The keys.
    pub keys: Keys,
}

impl Put {
    /// Reads `{store, provider, keys}`.
    ///
    /// # Errors
    /// A rejection that says what is missing or wrong.
    pub fn read(body: &[u8]) -> Result<Self, Rejection> {
        const FORM: &str = "the body must be {store, provider, keys}";
        let mut body = object(body, FORM)?;
        let (store, provider, keys) = (body.remove("store"), body.remove("provider"), body.remove("keys"));
        let (Some(Value::String(store)), Some(Value::String(provider)), Some(Value::Object(keys)), true) =
            (store, provider, keys, body.is_empty())
        else {
            return Err(Rejection::bad_input(FORM));
        };
        let provider = provider_of(&provider)?;
        Ok(Self { store: store_of(store)?, provider, keys: Keys::read(provider, &keys)? })
    }
}

/// What a query names: a store, and a provider where one is needed.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    /// The store.
    pub store: String,
    /// The provider.
    pub provider: Option<Provider>,
}

impl Named {
    /// Reads the pairs of a query.
    ///
    /// # Errors
    /// A rejection that says what is missing or wrong.
    pub fn read(pairs: Vec<(String, String)>) -> Result<Self, Rejection> {
        let (mut store, mut provider) = (None, None);
        for (name, value) in pairs {
            let slot = match name.as_str() {
                "store" => &mut store,
                "provider" => &mut provider,
                _ => return Err(Rejection::bad_input("the query takes store and provider")),
            };
            if slot.replace(value).is_some() {
                return Err(Rejection::bad_input("the query names something twice"));
            }
        }
        let store = store_of(store.ok_or_else(|| Rejection::bad_input("the query must name a store"))?)?;
        let provider = provider.as_deref().map(provider_of).transpose()?;
        Ok(Self { store, provider })
    }
}

/// Which stores' credentials are to be sealed anew: these, or all.
///
/// # Errors
/// A rejection that says what the body may be.
pub fn rotation(body: &[u8]) -> Result<Option<Vec<String>>, Rejection> {
    const FORM: &str = r#"the body must be {"stores": ["<store>", …]} or empty"#;
    if body.is_empty() {
        return Ok(None);
    }
    let mut body = object(body, FORM)?;
    match (body.remove("stores"), body.is_empty()) {
        (None, true) => Ok(None),
        (Some(Value::Array(stores)), true) if stores.len() <= MOST_STORES => stores
            .into_iter()
            .map(|store| match store {
                Value::String(store) => store_of(store),
                _ => Err(Rejection::bad_input(FORM)),
            })
            .collect::<Result<Vec<String>, Rejection>>()
            .map(Some),
        _ => Err(Rejection::bad_input(FORM)),
    }
}

fn object(body: &[u8], form: &str) -> Result<Map<String, Value>, Rejection> {
    document::check(body).map_err(|_| Rejection::bad_input(form))?;
    match serde_json::from_slice(body) {
        Ok(Value::Object(body)) => Ok(body),
        _ => Err(Rejection::bad_input(form)),
    }
}

fn store_of(store: String) -> Result<String, Rejection> {
    let is_key = (1..=31).contains(&store.len())
        && store.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
    if is_key { Ok(store) } else { Err(Rejection::bad_input("store must be the key of a store")) }
}

fn provider_of(name: &str) -> Result<Provider, Rejection> {
    Provider::parse(name)
        .ok_or_else(|| Rejection::bad_input("provider must be shopify, slack, shipstation or email"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::ShopifyKeys;

    #[test]
    fn a_put_names_store_provider_and_keys() {
        let body = br#"{"store":"bannos","provider":"shopify","keys":{"access_token":"t"}}"#;
        let put = Put::read(body).unwrap();
        assert_eq!((put.store.as_str(), put.provider), ("bannos", Provider::Shopify));
        assert!(matches!(put.keys, Keys::Shopify(ShopifyKeys::Token(token)) if token.expose() == "t"));
    }

    #[test]
    fn a_put_of_another_form_is_refused_and_not_quoted() {
        for body in [
            "",
            "null",
            "[]",
            "hidden",
            r#"{"store":"bannos","provider":"shopify"}"#,
            r#"{"store":"bannos","provider":"shopify","keys":"hidden"}"#,
            r#"{"store":"bannos","provider":"shopify","keys":{"access_token":"t"},"hidden":1}"#,
            r#"{"store":"bannos","provider":"hidden","keys":{}}"#,
            r#"{"store":"hid-den","provider":"shopify","keys":{"access_token":"t"}}"#,
            r#"{"store":"bannos\n","provider":"shopify","keys":{"access_token":"t"}}"#,
            r#"{"store":7,"provider":"shopify","keys":{"access_token":"t"}}"#,
            r#"{"store":"bannos","provider":"shopify","keys":{"hidden":"t"}}"#,
            r#"{"store":"bannos","store":"hidden","provider":"shopify","keys":{"access_token":"hidden"#,
        ] {
            let message = Put::read(body.as_bytes()).unwrap_err().message;
            assert!(!message.contains("hid"), "{body}: {message}");
        }
    }

    #[test]
    fn a_query_names_a_store_and_perhaps_a_provider() {
        let read = |pairs: &[(&str, &str)]| {
            Named::read(pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect())
        };
        let store = "bannos".to_owned();
        assert_eq!(read(&[("store", "bannos")]), Ok(Named { store: store.clone(), provider: None }));
        assert_eq!(
            read(&[("provider", "slack"), ("store", "bannos")]),
            Ok(Named { store, provider: Some(Provider::Slack) })
        );
        for wrong in [
            &[][..],
            &[("provider", "slack")],
            &[("store", "")],
            &[("store", "a"), ("store", "b")],
            &[("store", "a"), ("key", "b")],
            &[("store", "a"), ("provider", "")],
        ] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_rotation_is_of_all_or_of_these() {
        assert_eq!(rotation(b""), Ok(None));
        assert_eq!(rotation(b"{}"), Ok(None));
        assert_eq!(rotation(br#"{"stores":["a","b"]}"#), Ok(Some(vec!["a".into(), "b".into()])));
        for wrong in
            [r#"{"stores":"a"}"#, r#"{"stores":[7]}"#, r#"{"stores":["A"]}"#, r#"{"store":[]}"#, "[]"]
        {
            assert!(rotation(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }
}
