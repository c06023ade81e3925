//! The gate for signed-in users: the token of a request is checked before anything else is looked at.
//!
//! What a token must say is decided in `ordak-core`; here its key is found. Every refusal is the same 401. Knows no
//! route: who may do what is for the database to say.

use crate::{clock, published_keys::PublishedKeys};
use ordak_core::{
    envelope::{Failure, Rejection},
    settings::TokenSettings,
    token::{self, Algorithm, TokenError, TokenKey, TokenRules, UnverifiedToken},
};

/// Checks user tokens. It lives as long as the isolate, and the keys with it.
#[derive(Debug)]
pub struct Gate {
    rules: TokenRules,
    secret: Option<TokenKey>,
    keys: PublishedKeys,
}

/// A signed-in user.
#[derive(Clone)]
pub struct User {
    /// The user's id, a UUID.
    pub id: String,
    /// The token that says so, to be passed on.
    pub token: String,
}

impl Gate {
    /// A gate by these settings. `function` signs the log lines.
    #[must_use]
    pub fn new(function: &'static str, settings: TokenSettings) -> Self {
        let TokenSettings { rules, secret, keys_url } = settings;
        Self { rules, secret, keys: PublishedKeys::at(keys_url, function) }
    }

    /// Who is calling, from the `Authorization` header, when its token is a good one.
    ///
    /// # Errors
    /// A rejection when it is not; a fault when that cannot be known, because there are no keys to judge it by.
    pub async fn user(&self, authorization: Option<&str>) -> Result<User, Failure> {
        let refused = || Rejection::unauthenticated("a valid user token is needed");
        let token = authorization.and_then(token::bearer).ok_or_else(refused)?;
        let unverified =
            token::take_apart(token, &self.rules, clock::now_s()).map_err(|_: TokenError| refused())?;
        let genuine = self.is_genuine(&unverified).await?;
        let claims = unverified.accept(genuine).map_err(|_| refused())?;
        Ok(User { id: claims.sub, token: token.to_owned() })
    }

    async fn is_genuine(&self, token: &UnverifiedToken<'_>) -> Result<bool, Failure> {
        if token.algorithm == Algorithm::Hs256 {
            return Ok(self.secret.as_ref().is_some_and(|secret| secret.made(token)));
        }
        let Some(id) = token.key_id.as_deref() else { return Ok(false) };
        match self.keys.find(id, token.algorithm).await? {
            Some(key) => Ok(key.made(token).await),
            None => Ok(false),
        }
    }
}
