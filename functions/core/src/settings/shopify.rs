//! Where a shop's Admin API is, and what opens it where the store has no keys of its own in the database.
//!
//! Knows the names of the variables; asks for no token.

use super::{ADMIN_API_VERSION, Getter, Reader, is_base_url};
use crate::credentials::{Client, ShopifyKeys, key_ring::KeyRing};
use crate::envelope::Fault;
use crate::secret::Secret;

/// Name of the variable with the shared Admin API token; a store's own adds `_<STORE>`.
pub const ADMIN_TOKEN: &str = "SHOPIFY_ADMIN_TOKEN";
/// Name of the variable that says which app asks for tokens; a store's own adds `_<STORE>`.
pub const CLIENT_ID: &str = "SHOPIFY_CLIENT_ID";
/// Name of the variable with that app's secret; a store's own adds `_<STORE>`.
pub const CLIENT_SECRET: &str = "SHOPIFY_CLIENT_SECRET";
/// Name of the variable with the keys that stores' credentials are sealed with.
pub const CREDENTIALS_KEY: &str = "CREDENTIALS_KEY";

/// Where the Admin API is, `{shop}` standing for the shop domain.
#[derive(Clone, Debug)]
pub struct AdminUrl(String);

impl AdminUrl {
    /// Reads `SHOPIFY_ADMIN_URL`; without it, the real shops are meant.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        let url = reader.optional("SHOPIFY_ADMIN_URL").unwrap_or_else(|| "https://{shop}".into());
        if !is_base_url(&url.replace("{shop}", "shop")) {
            reader.problem("SHOPIFY_ADMIN_URL", "is not an http(s) address without user, query or fragment");
        }
        Self(url.trim_end_matches('/').to_owned())
    }

    /// Address of the GraphQL endpoint of a shop; `None` when the domain is not one, so that a broken row can never
    /// send our token elsewhere.
    #[must_use]
    pub fn graphql(&self, shop_domain: &str) -> Option<String> {
        self.below(shop_domain, &format!("api/{ADMIN_API_VERSION}/graphql.json"))
    }

    /// Address at which an app asks a shop for a token; `None` as there.
    #[must_use]
    pub fn token(&self, shop_domain: &str) -> Option<String> {
        self.below(shop_domain, "oauth/access_token")
    }

    fn below(&self, shop_domain: &str, path: &str) -> Option<String> {
        let is_domain = shop_domain.contains('.')
            && shop_domain.len() <= 253
            && !shop_domain.contains("..")
            && shop_domain.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
            && shop_domain.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        is_domain.then(|| format!("{}/admin/{path}", self.0.replace("{shop}", shop_domain)))
    }
}

/// What opens the Admin API of a store: its own token or app, else the shared token or app.
///
/// # Errors
/// A [`Fault`] with code `MISCONFIGURED` that names what is missing.
pub fn shopify_keys(get: Getter<'_>, store: &str) -> Result<ShopifyKeys, Fault> {
    let reader = Reader::new(get);
    let own = format!("_{}", store.to_ascii_uppercase());
    for suffix in [own.as_str(), ""] {
        let named = |name: &str| format!("{name}{suffix}");
        if let Some(token) = reader.optional(&named(ADMIN_TOKEN)) {
            return Ok(ShopifyKeys::Token(Secret::new(token)));
        }
        let missing = match (reader.optional(&named(CLIENT_ID)), reader.optional(&named(CLIENT_SECRET))) {
            (Some(id), Some(secret)) => {
                let client = Client { id: Secret::new(id), secret: Secret::new(secret) };
                return Ok(ShopifyKeys::Client(client));
            }
            (None, None) => continue,
            (Some(_), None) => CLIENT_SECRET,
            (None, Some(_)) => CLIENT_ID,
        };
        return Err(Fault::misconfigured(format!("{} is missing", named(missing))));
    }
    Err(Fault::misconfigured(format!(
        "{ADMIN_TOKEN}{own} and {ADMIN_TOKEN} are missing, and the store has no credentials of its own"
    )))
}

/// `CREDENTIALS_KEY`, where stores' own credentials are used at all.
pub fn key_ring(reader: &mut Reader<'_>) -> Option<KeyRing> {
    match KeyRing::parse(&reader.optional(CREDENTIALS_KEY)?) {
        Ok(ring) => Some(ring),
        Err(problem) => {
            reader.problem(CREDENTIALS_KEY, problem);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(value: &'static str) -> AdminUrl {
        let get = move |name: &str| (name == "SHOPIFY_ADMIN_URL").then(|| value.to_owned());
        AdminUrl::read(&mut Reader::new(&get))
    }

    #[test]
    fn each_shop_is_found() {
        let real = url("");
        let shop = "bannos.myshopify.com";
        assert_eq!(
            real.graphql(shop).as_deref(),
            Some("https://bannos.myshopify.com/admin/api/2026-10/graphql.json")
        );
        assert_eq!(
            real.token(shop).as_deref(),
            Some("https://bannos.myshopify.com/admin/oauth/access_token")
        );
        let local = url("http://127.0.0.1:8783/shopify/{shop}/");
        assert_eq!(
            local.graphql(shop).as_deref(),
            Some("http://127.0.0.1:8783/shopify/bannos.myshopify.com/admin/api/2026-10/graphql.json")
        );
        for domain in
            ["", "bannos", "evil.com/x", "user@evil.com", "evil.com#", "..", "a b.com", "évil.com", "-a.com"]
        {
            assert_eq!((local.graphql(domain), local.token(domain)), (None, None), "{domain}");
        }
    }

    /// What is found with these variables, in short.
    fn keys(variables: &[(&str, &str)], store: &str) -> String {
        let get = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        match shopify_keys(&get, store) {
            Ok(ShopifyKeys::Token(token)) => token.expose().to_owned(),
            Ok(ShopifyKeys::Client(client)) => {
                format!("{} {}", client.id.expose(), client.secret.expose())
            }
            Err(fault) => fault.detail().to_owned(),
        }
    }

    #[test]
    fn a_stores_own_come_first_and_a_token_before_an_app() {
        let mut variables = vec![
            ("SHOPIFY_ADMIN_TOKEN_BANNOS", "own"),
            ("SHOPIFY_CLIENT_ID_BANNOS", "own-id"),
            ("SHOPIFY_CLIENT_SECRET_BANNOS", "own-secret"),
            ("SHOPIFY_ADMIN_TOKEN", "all"),
            ("SHOPIFY_CLIENT_ID", "id"),
            ("SHOPIFY_CLIENT_SECRET", "secret"),
        ];
        assert_eq!(keys(&variables, "flourlane"), "all");
        for found in ["own", "own-id own-secret"] {
            assert_eq!(keys(&variables, "bannos"), found);
            variables.remove(0);
        }
        variables.remove(0);
        assert_eq!(keys(&variables, "bannos"), "all");
        variables.remove(0);
        assert_eq!(keys(&variables, "bannos"), "id secret");
    }

    #[test]
    fn what_is_missing_is_named() {
        for name in ["SHOPIFY_ADMIN_TOKEN_BANNOS", "SHOPIFY_ADMIN_TOKEN are missing"] {
            assert!(keys(&[], "bannos").contains(name));
        }
        assert_eq!(
            keys(&[("SHOPIFY_CLIENT_ID_BANNOS", "x"), ("SHOPIFY_ADMIN_TOKEN", "all")], "bannos"),
            "SHOPIFY_CLIENT_SECRET_BANNOS is missing"
        );
        assert_eq!(keys(&[("SHOPIFY_CLIENT_SECRET", "x")], "bannos"), "SHOPIFY_CLIENT_ID is missing");
    }

    #[test]
    fn a_key_that_is_no_key_is_a_problem_and_none_is_none() {
        let read = |value: &'static str| {
            let get = move |name: &str| (name == CREDENTIALS_KEY).then(|| value.to_owned());
            let mut reader = Reader::new(&get);
            let ring = key_ring(&mut reader);
            reader.finish(ring.is_some()).map_err(|fault| fault.detail().to_owned())
        };
        assert_eq!(read(" "), Ok(false));
        assert_eq!(read("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="), Ok(true));
        assert_eq!(
            read("k1:c2hvcnQ="),
            Err("CREDENTIALS_KEY has a key that is not 32 bytes in base64".into())
        );
    }
}
