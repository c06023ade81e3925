//! Which headers a Supabase key needs.
//!
//! Supabase's new keys (`sb_secret_…`, `sb_publishable_…`) go in `apikey` alone: in `Authorization` they are refused.
//! The older keys are JWTs and go in both. `Authorization` therefore carries JWTs only. Knows no HTTP client.

use crate::secret::Secret;

/// A key of a Supabase project.
#[derive(Clone, Debug)]
pub struct SecretKey(Secret);

/// A header to set: name and value.
pub type Header = (&'static str, String);

impl SecretKey {
    /// Wraps a key as configured.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(Secret::new(key))
    }

    /// The key itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether this is one of the older keys, a JWT.
    #[must_use]
    pub fn is_jwt(&self) -> bool {
        self.expose().starts_with("eyJ")
    }

    /// Headers of a call made with the key's own role.
    #[must_use]
    pub fn headers(&self) -> Vec<Header> {
        let mut headers = vec![("apikey", self.expose().to_owned())];
        if self.is_jwt() {
            headers.push(("Authorization", format!("Bearer {}", self.expose())));
        }
        headers
    }

    /// Headers of a call made for a user: this (public) key says which project, the user's JWT says who.
    #[must_use]
    pub fn headers_for_user(&self, jwt: &str) -> Vec<Header> {
        vec![("apikey", self.expose().to_owned()), ("Authorization", format!("Bearer {jwt}"))]
    }

    /// Whether a caller presented this key, in either header. Constant time.
    #[must_use]
    pub fn is_presented(&self, apikey: Option<&str>, authorization: Option<&str>) -> bool {
        let bearer = authorization.and_then(crate::token::bearer);
        [apikey, bearer]
            .into_iter()
            .flatten()
            .fold(false, |found, presented| found | self.0.matches(presented))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_goes_in_apikey_only() {
        let headers = SecretKey::new("sb_secret_abc").headers();
        assert_eq!(headers, [("apikey", "sb_secret_abc".to_owned())]);
    }

    #[test]
    fn an_old_key_goes_in_both() {
        let headers = SecretKey::new("eyJabc").headers();
        assert_eq!(headers, [("apikey", "eyJabc".into()), ("Authorization", "Bearer eyJabc".into())]);
    }

    #[test]
    fn a_user_call_carries_the_users_token_whatever_the_key() {
        for key in ["sb_publishable_abc", "eyJanon"] {
            let headers = SecretKey::new(key).headers_for_user("eyJuser");
            assert_eq!(headers, [("apikey", key.to_owned()), ("Authorization", "Bearer eyJuser".into())]);
        }
    }

    #[test]
    fn a_caller_may_present_it_in_either_header() {
        let key = SecretKey::new("sb_secret_abc");
        assert!(key.is_presented(Some("sb_secret_abc"), None));
        assert!(key.is_presented(None, Some("Bearer sb_secret_abc")));
        assert!(!key.is_presented(None, Some("sb_secret_abc")));
        assert!(!key.is_presented(Some("sb_secret_abd"), Some("Bearer x")));
        assert!(!key.is_presented(None, None));
        assert!(!SecretKey::new("").is_presented(Some(""), Some("Bearer ")));
    }

    #[test]
    fn never_prints_itself() {
        assert!(!format!("{:?}", SecretKey::new("sb_secret_abc")).contains("abc"));
    }
}
