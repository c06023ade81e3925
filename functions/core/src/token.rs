//! User tokens: JWTs checked against configured rules.
//!
//! The algorithm comes from configuration and the token must agree with it; a token never chooses. *Now* is a
//! parameter. PostgREST verifies every token again, but accepts tokens without an audience: audience, issuer and role
//! are therefore checked here, where the token enters. Knows no HTTP and no key server.

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
    /// The only algorithm that is accepted.
    pub algorithm: Algorithm,
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
    pub fn for_users_of(supabase_url: &str, algorithm: Algorithm) -> Self {
        Self {
            algorithm,
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

    fn made(&self, signed: &[u8], signature: &[u8]) -> bool {
        let mut mac = self.0.clone();
        mac.update(signed);
        bool::from(mac.finalize().into_bytes().ct_eq(signature))
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

/// A token taken apart, its signature not yet verified: for algorithms whose verification happens elsewhere.
#[derive(Clone, Debug)]
pub struct UnverifiedToken<'a> {
    /// What is signed.
    pub signed: &'a str,
    /// The signature.
    pub signature: Vec<u8>,
    /// Which key, when the token says so.
    pub key_id: Option<String>,
    payload: Vec<u8>,
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
    if rules.algorithm != Algorithm::Hs256 {
        return Err(TokenError::Algorithm);
    }
    let unverified = take_apart(token, rules.algorithm)?;
    let genuine = key.made(unverified.signed.as_bytes(), &unverified.signature);
    unverified.accept(genuine, rules, now)
}

/// Takes a token apart and insists on the configured algorithm.
///
/// # Errors
/// When it is no JWT or names another algorithm.
pub fn take_apart(token: &str, algorithm: Algorithm) -> Result<UnverifiedToken<'_>, TokenError> {
    if token.is_empty() || token.len() > LONGEST {
        return Err(TokenError::Missing);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed);
    let header: TokenHeader = serde_json::from_slice(&decode(header)?).map_err(|_| TokenError::Malformed)?;
    if header.alg != algorithm.as_str() {
        return Err(TokenError::Algorithm);
    }
    if header.crit.is_some() {
        return Err(TokenError::Malformed);
    }
    let (payload, signature) = (decode(payload)?, decode(signature)?);
    Ok(UnverifiedToken { signed, signature, key_id: header.kid, payload })
}

impl UnverifiedToken<'_> {
    /// Checks what the token says once its signature has been judged; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The first reason for which the token is refused.
    pub fn accept(
        self,
        signature_is_genuine: bool,
        rules: &TokenRules,
        now: i64,
    ) -> Result<Claims, TokenError> {
        if !signature_is_genuine {
            return Err(TokenError::Signature);
        }
        let payload: Payload = serde_json::from_slice(&self.payload).map_err(|_| TokenError::Malformed)?;
        if payload.exp.is_none_or(|exp| exp <= now)
            || payload.nbf.is_some_and(|nbf| nbf > now.saturating_add(CLOCK_SKEW_S))
        {
            return Err(TokenError::Time);
        }
        let for_us = match &payload.aud {
            Value::String(audience) => *audience == rules.audience,
            Value::Array(audiences) => audiences.iter().any(|audience| *audience == *rules.audience),
            _ => false,
        };
        let sub = payload.sub.filter(|sub| crate::action::is_uuid(sub)).ok_or(TokenError::Claims)?;
        let role = payload.role.filter(|role| *role == rules.role).ok_or(TokenError::Claims)?;
        if !for_us || rules.audience.is_empty() || payload.iss.as_deref() != Some(rules.issuer.as_str()) {
            return Err(TokenError::Claims);
        }
        Ok(Claims { sub, role })
    }
}

#[cfg(test)]
mod tests;
