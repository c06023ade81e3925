//! The local stack's keys and tokens, in the shape that Supabase gives them. They open nothing but a stack that
//! listens on the loopback address of one machine, so they are fixed: what was copied yesterday works today.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Signs every local token.
pub const LOCAL_JWT_SECRET: &str = "ordak-local-jwt-secret-for-development-only";
/// What the local Shopify signs webhooks with.
pub const LOCAL_WEBHOOK_SECRET: &str = "ordak-local-webhook-secret";
/// What the fake Shopify Admin takes as a token.
pub const LOCAL_ADMIN_TOKEN: &str = "ordak-local-admin-token";
/// What the local stack seals stores' credentials with; the second is what it did so with once.
pub const LOCAL_CREDENTIALS_KEY: &str = "local-2:b3JkYWstbG9jYWwtY3JlZGVudGlhbHMta2V5LTAwMDI=,local-1:b3JkYWstbG9jYWwtY3JlZGVudGlhbHMta2V5LTAwMDE=";
/// The password that the bootstrap file gives to the local database roles.
pub const LOCAL_DATABASE_PASSWORD: &str = "postgres";

const DAY: u64 = 24 * 60 * 60;
/// The keys of a project do not change: these were made on 1 January 2026, for ten years.
const API_KEY_MADE: u64 = 1_767_225_600;
const API_KEY_DAYS: u64 = 3652;
const USER_TOKEN_DAYS: u64 = 7;

/// The key of a project's role, `anon` or `service_role`, as Supabase's JWT keys look.
pub fn api_key(secret: &str, role: &str) -> Result<String> {
    let (iat, exp) = (API_KEY_MADE, API_KEY_MADE + API_KEY_DAYS * DAY);
    sign(secret, &json!({ "iss": "supabase", "ref": "local", "role": role, "iat": iat, "exp": exp }))
}

/// A signed-in user's token as Supabase Auth gives it.
pub fn user_token(secret: &str, supabase_url: &str, user: &str) -> Result<String> {
    let now = now()?;
    let claims = json!({
        "iss": format!("{}/auth/v1", supabase_url.trim_end_matches('/')),
        "aud": "authenticated",
        "role": "authenticated",
        "sub": user,
        "iat": now,
        "exp": now + USER_TOKEN_DAYS * DAY,
    });
    sign(secret, &claims)
}

/// Shopify's signature of a webhook body.
pub fn webhook_signature(secret: &str, body: &[u8]) -> Result<String> {
    Ok(STANDARD.encode(hmac(secret, body)?))
}

fn sign(secret: &str, claims: &Value) -> Result<String> {
    let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let signature = URL_SAFE_NO_PAD.encode(hmac(secret, signed.as_bytes())?);
    Ok(format!("{signed}.{signature}"))
}

fn hmac(secret: &str, bytes: &[u8]) -> Result<Vec<u8>> {
    if secret.is_empty() {
        bail!("the signing secret is empty");
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).context("unusable signing secret")?;
    mac.update(bytes);
    Ok(mac.finalize().into_bytes().to_vec())
}

fn now() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_published_example_of_hs256_does() {
        let claims: Value = serde_json::from_str(r#"{"sub":"1234567890"}"#).unwrap();
        let token = sign("secret", &claims).unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        assert_eq!(signed, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0");
        assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap(), hmac("secret", signed.as_bytes()).unwrap());
    }

    #[test]
    fn signs_a_body_as_rfc_4231_test_case_2() {
        let signature = webhook_signature("Jefe", b"what do ya want for nothing?").unwrap();
        assert_eq!(signature, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
    }

    #[test]
    fn a_user_token_names_the_project_the_audience_and_the_user() {
        let token = user_token("secret", "http://127.0.0.1:8781/", "u").unwrap();
        let claims = token.split('.').nth(1).unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
        assert_eq!(claims["iss"], "http://127.0.0.1:8781/auth/v1");
        assert_eq!((claims["aud"].as_str(), claims["sub"].as_str()), (Some("authenticated"), Some("u")));
    }
}
