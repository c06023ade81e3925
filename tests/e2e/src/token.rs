//! Tokens that the stack did not issue, or would no longer.

use crate::delivery::mac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// The Staff member of bannos in the seed.
pub const STAFF_BANNOS: &str = "00000000-0000-4000-8000-000000000001";
/// A former member of staff.
pub const FORMER: &str = "00000000-0000-4000-8000-000000000005";
/// Somebody who can sign in and is no member of staff.
pub const NOBODY: &str = "00000000-0000-4000-8000-000000000006";

/// Seconds since 1970.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The claims of a user token that is good for an hour.
pub fn claims(supabase_url: &str, user: &str) -> Value {
    json!({
        "iss": format!("{supabase_url}/auth/v1"), "aud": "authenticated", "role": "authenticated",
        "sub": user, "iat": now(), "exp": now() + 3600
    })
}

/// A token signed with HS256.
pub fn hs256(claims: &Value, secret: &str) -> String {
    let message = unsigned(&json!({"alg": "HS256", "typ": "JWT"}), claims);
    let signature = URL_SAFE_NO_PAD.encode(mac(message.as_bytes(), secret.as_bytes()));
    format!("{message}.{signature}")
}

/// Header and claims of a token, without a signature.
pub fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(claims))
}
