//! Tokens made by hand, so that every part of one can be wrong.
//!
//! Knows how a token is put together, not which ones are good: that is for the suites to say.

use base64::{
    Engine as _, engine::general_purpose::STANDARD_NO_PAD, engine::general_purpose::URL_SAFE_NO_PAD,
};
use hmac::Hmac;
use serde_json::Value;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// Base64 as tokens use it.
#[must_use]
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes that a text stands for when it is taken for base64; some verifiers take their key so.
#[must_use]
pub fn decoded(text: &str) -> Vec<u8> {
    STANDARD_NO_PAD.decode(text.trim_end_matches('=')).unwrap_or_else(|_| text.bytes().rev().collect())
}

/// Header and claims as they are signed, from any text.
#[must_use]
pub fn signing_input(header: &str, claims: &str) -> String {
    format!("{}.{}", encode(header), encode(claims))
}

/// A token signed with HMAC-SHA256.
#[must_use]
pub fn hs256(header: &str, claims: &str, key: &[u8]) -> String {
    let input = signing_input(header, claims);
    let mac = mac::<Hmac<Sha256>>(key, &input);
    format!("{input}.{}", encode(mac))
}

/// The same with SHA-384, which a verifier set to HS256 must refuse although the key is right.
#[must_use]
pub fn hs384(claims: &str, key: &[u8]) -> String {
    let input = signing_input(r#"{"alg":"HS384","typ":"JWT"}"#, claims);
    let mac = mac::<Hmac<Sha384>>(key, &input);
    format!("{input}.{}", encode(mac))
}

/// The same with SHA-512.
#[must_use]
pub fn hs512(claims: &str, key: &[u8]) -> String {
    let input = signing_input(r#"{"alg":"HS512","typ":"JWT"}"#, claims);
    let mac = mac::<Hmac<Sha512>>(key, &input);
    format!("{input}.{}", encode(mac))
}

/// A "signature" that is only a hash: what a verifier without a key would take.
#[must_use]
pub fn hashed(header: &str, claims: &str) -> String {
    let input = signing_input(header, claims);
    let digest = Sha256::digest(input.as_bytes());
    format!("{input}.{}", encode(digest))
}

/// An honest token of this project.
#[must_use]
pub fn honest(claims: &Value, secret: &str) -> String {
    hs256(HEADER, &claims.to_string(), secret.as_bytes())
}

/// The header of an honest token.
pub const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

fn mac<M: hmac::Mac + hmac::digest::KeyInit>(key: &[u8], input: &str) -> Vec<u8> {
    // HMAC takes keys of every length, so there is always one; an empty answer would only fail the test.
    let Ok(mut mac) = <M as hmac::Mac>::new_from_slice(key) else { return Vec::new() };
    mac.update(input.as_bytes());
    mac.finalize().into_bytes().to_vec()
}
