//! User tokens: JWTs checked against configured rules.
//!
//! Which algorithms are possible comes from configuration and the key must be of the algorithm's own kind: a token
//! never chooses. *Now* is a parameter. PostgREST verifies every token again, but accepts tokens without an audience:
//! audience, issuer and role are therefore checked here, where the token enters. What needs no key is checked before
//! one is looked for. Knows no HTTP and no key server.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::Value;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

/// Longest token that is looked at.
pub const LONGEST: usize = 8 * 1024;
/// How far another clock may run ahead of ours, in seconds. Expiry gets none: a token's end is its end.
const CLOCK_SKEW_S: i64 = 5;

/// How tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with a shared secret: old projects and the local stack.
    Hs256,
    /// ECDSA on P-256, with the project's published keys.
    Es256,
    /// RSA, with the project's published keys.
    Rs256,
}

impl Algorithm {
    /// The name in a token's header.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }

    /// Reads a setting.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Hs256, Self::Es256, Self::Rs256].into_iter().find(|known| known.as_str() == text)
    }
}

/// What a token must say.
#[derive(Clone, Debug)]
pub struct TokenRules {
    /// The only algorithms that are accepted.
    pub algorithms: Vec<Algorithm>,
    /// `iss`, exactly.
    pub issuer: String,
    /// `aud`, exactly, or one of a list.
    pub audience: String,
    /// `role`, exactly.
    pub role: String,
}

impl TokenRules {
    /// The rules for user tokens of a Supabase project.
    #[must_use]
    pub fn for_users_of(supabase_url: &str, algorithms: Vec<Algorithm>) -> Self {
        Self {
            algorithms,
            issuer: format!("{}/auth/v1", supabase_url.trim_end_matches('/')),
            audience: "authenticated".into(),
            role: "authenticated".into(),
        }
    }
}

/// A prepared HS256 key. It may live as long as the isolate.
#[derive(Clone)]
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// Prepares a shared secret; `None` when it is blank.
    #[must_use]
    pub fn new(secret: &str) -> Option<Self> {
        if secret.trim().is_empty() {
            return None;
        }
        Hmac::new_from_slice(secret.as_bytes()).ok().map(Self)
    }

    /// Whether this key made the token's signature. Never for a token of another algorithm. Constant time.
    #[must_use]
    pub fn made(&self, token: &UnverifiedToken<'_>) -> bool {
        let mut mac = self.0.clone();
        mac.update(token.signed.as_bytes());
        let same = bool::from(mac.finalize().into_bytes().ct_eq(&token.signature));
        same && token.algorithm == Algorithm::Hs256
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey([REDACTED])")
    }
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// The user's id, a UUID.
    pub sub: String,
    /// The database role.
    pub role: String,
}

/// Why a token is refused. For counting only: every caller gets the same 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenError {
    /// There is none, or it is too long.
    Missing,
    /// It is not a JWT.
    Malformed,
    /// Its algorithm is not the configured one.
    Algorithm,
    /// Its signature is wrong.
    Signature,
    /// Its time is over, or has not come.
    Time,
    /// It is for someone else, from someone else, or of another role.
    Claims,
}

/// A token taken apart: what it says is acceptable, and its signature is not yet verified.
#[derive(Clone, Debug)]
pub struct UnverifiedToken<'a> {
    /// How it is signed: one of the configured algorithms.
    pub algorithm: Algorithm,
    /// What is signed.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    /// Which key, when the token says so.
    pub key_id: Option<String>,
    claims: Claims,
}

#[derive(Deserialize)]
struct TokenHeader {
    alg: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Payload {
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    aud: Value,
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    role: Option<String>,
    #[serde(default)]
    exp: Option<i64>,
    #[serde(default)]
    nbf: Option<i64>,
}

/// The token of an `Authorization: Bearer …` header.
#[must_use]
pub fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.trim().split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// Checks an HS256 token; `now` is in seconds since 1970.
///
/// # Errors
/// The first reason for which the token is refused.
pub fn verify(token: &str, key: &TokenKey, rules: &TokenRules, now: i64) -> Result<Claims, TokenError> {
    let unverified = take_apart(token, rules, now)?;
    let genuine = key.made(&unverified);
    unverified.accept(genuine)
}

/// Takes a token apart and checks everything about it that needs no key; `now` is in seconds since 1970.
///
/// # Errors
/// The first reason for which the token is refused whoever signed it.
pub fn take_apart<'a>(
    token: &'a str,
    rules: &TokenRules,
    now: i64,
) -> Result<UnverifiedToken<'a>, TokenError> {
    if token.is_empty() || token.len() > LONGEST {
        return Err(TokenError::Missing);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed);
    let header: TokenHeader = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
    let algorithm = rules.algorithms.iter().copied().find(|known| known.as_str() == header.alg);
    let algorithm = algorithm.ok_or(TokenError::Algorithm)?;
    if header.crit.is_some() {
        return Err(TokenError::Malformed);
    }
    let payload: Payload = serde_json::from_slice(&decode(payload)?).map_err(|_| TokenError::Malformed)?;
    let claims = payload.judge(rules, now)?;
    Ok(UnverifiedToken { algorithm, signed, signature: decode(signature)?, key_id: header.kid, claims })
}

impl UnverifiedToken<'_> {
    /// Who is calling, once the signature has been judged.
    ///
    /// # Errors
    /// When it is not genuine.
    pub fn accept(self, signature_is_genuine: bool) -> Result<Claims, TokenError> {
        if signature_is_genuine { Ok(self.claims) } else { Err(TokenError::Signature) }
    }
}

impl Payload {
    fn judge(self, rules: &TokenRules, now: i64) -> Result<Claims, TokenError> {
        if self.exp.is_none_or(|exp| exp <= now)
            || self.nbf.is_some_and(|nbf| nbf > now.saturating_add(CLOCK_SKEW_S))
        {
            return Err(TokenError::Time);
        }
        let for_us = match &self.aud {
            Value::String(audience) => *audience == rules.audience,
            Value::Array(audiences) => audiences.iter().any(|audience| *audience == *rules.audience),
            _ => false,
        };
        let sub = self.sub.filter(|sub| crate::action::is_uuid(sub)).ok_or(TokenError::Claims)?;
        let role = self.role.filter(|role| *role == rules.role).ok_or(TokenError::Claims)?;
        if !for_us || rules.audience.is_empty() || self.iss.as_deref() != Some(rules.issuer.as_str()) {
            return Err(TokenError::Claims);
        }
        Ok(Claims { sub, role })
    }
}

#[cfg(test)]
mod tests;
