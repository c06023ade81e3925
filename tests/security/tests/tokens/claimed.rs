//! Tokens that are genuinely signed and say what they must not. The edge refuses every one, by whatever kind of key.

use crate::forgeries::{AtRest, Forgery, bearer};
use anyhow::Result;
use ordak_security::jwt::{HEADER, hs256};
use ordak_security::people::{Actor, HOUR, now, user_claims};
use ordak_security::stack::Stack;
use serde_json::{Value, json};

const NO_ISSUER: AtRest =
    AtRest::Staff("PostgREST checks no issuer; a project has its own key, so its signature says as much");
const WHOEVER_SIGNS: AtRest =
    AtRest::EdgeOnly("to PostgREST whoever has the project's key and says service_role is the service role");
/// Longer than any user token that Supabase issues, and than what the edge looks at.
const HUGE: usize = 12 * 1024;

/// Everything that an honest token must say, said otherwise; `sign` is how this project signs.
pub fn all(stack: &Stack, by: &str, sign: &dyn Fn(&Value) -> Result<String>) -> Result<Vec<Forgery>> {
    let staff = Actor::Staff.user().unwrap_or_default();
    let with = |name: &str, value: Value| {
        let mut claims = user_claims(stack, staff);
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = user_claims(stack, staff);
        claims.as_object_mut().map(|claims| claims.remove(name));
        claims
    };
    let mut list = Vec::new();
    for (name, claims, at_rest) in [
        ("expired", with("exp", json!(now() - 1)), AtRest::Refused),
        ("expired in 1970", with("exp", json!(0)), AtRest::Refused),
        ("expires as a text", with("exp", json!((now() + HOUR).to_string())), AtRest::Refused),
        ("expires as a list", with("exp", json!([now() + HOUR])), AtRest::Refused),
        ("never expires", without("exp"), AtRest::Stranger),
        ("expiry null", with("exp", Value::Null), AtRest::Stranger),
        (
            "expires after the end of time",
            with("exp", json!(1e300)),
            AtRest::Staff("PostgREST takes any number"),
        ),
        ("not valid yet", with("nbf", json!(now() + HOUR)), AtRest::Refused),
        ("not before as a text", with("nbf", json!("tomorrow")), AtRest::Refused),
        ("no audience", without("aud"), AtRest::Stranger),
        ("audience null", with("aud", Value::Null), AtRest::Stranger),
        ("audience empty", with("aud", json!("")), AtRest::Stranger),
        ("audience another", with("aud", json!("anon")), AtRest::Stranger),
        ("audience with a space", with("aud", json!("authenticated ")), AtRest::Stranger),
        ("audience in capitals", with("aud", json!("AUTHENTICATED")), AtRest::Stranger),
        ("audience in full width", with("aud", json!("ａｕｔｈｅｎｔｉｃａｔｅｄ")), AtRest::Stranger),
        ("audience a list of none", with("aud", json!([])), AtRest::Stranger),
        ("audience a list of others", with("aud", json!(["a", "b"])), AtRest::Stranger),
        ("audience an object", with("aud", json!({"authenticated": true})), AtRest::Refused),
        ("audience a number", with("aud", json!(1)), AtRest::Refused),
        ("no issuer", without("iss"), NO_ISSUER),
        (
            "another project",
            with("iss", json!("https://abcdefghijklmnopqrst.supabase.co/auth/v1")),
            NO_ISSUER,
        ),
        ("issuer with a slash", with("iss", json!(format!("{}/", stack.issuer()))), NO_ISSUER),
        ("issuer with a space", with("iss", json!(format!("{} ", stack.issuer()))), NO_ISSUER),
        ("no user", without("sub"), AtRest::Stranger),
        ("user is empty", with("sub", json!("")), AtRest::Stranger),
        ("user with a space", with("sub", json!(format!(" {staff}"))), AtRest::Stranger),
        (
            "user in braces",
            with("sub", json!(format!("{{{staff}}}"))),
            AtRest::Staff("Postgres reads a UUID so too"),
        ),
        ("user is unknown", with("sub", json!("00000000-0000-4000-8000-0000000000ff")), AtRest::Stranger),
        ("user left", with("sub", json!(Actor::Inactive.user())), AtRest::Stranger),
        ("user is no staff", with("sub", json!(Actor::Stranger.user())), AtRest::Stranger),
        ("role service_role", with("role", json!("service_role")), WHOEVER_SIGNS),
        ("role anon", with("role", json!("anon")), AtRest::Refused),
        ("role postgres", with("role", json!("postgres")), AtRest::Refused),
        ("role supabase_admin", with("role", json!("supabase_admin")), AtRest::Refused),
        ("role authenticator", with("role", json!("authenticator")), AtRest::Refused),
        ("role none", with("role", json!("none")), AtRest::Refused),
        ("role that is SQL", with("role", json!("authenticated; set role postgres")), AtRest::Refused),
        ("role with a space", with("role", json!("authenticated ")), AtRest::Refused),
        ("role with a zero-width space", with("role", json!("authenticated\u{200b}")), AtRest::Refused),
        ("role with a look-alike", with("role", json!("\u{430}uthenticated")), AtRest::Refused),
        ("no role", without("role"), AtRest::Refused),
        ("role a list", with("role", json!(["authenticated"])), AtRest::Refused),
        ("a huge token", with("pad", json!("x".repeat(HUGE))), AtRest::Staff("PostgREST takes any length")),
    ] {
        let mut forgery = bearer(format!("{by}: {name}"), sign(&claims)?, at_rest);
        forgery.known_person = ["user is unknown", "user left", "user is no staff"].contains(&name);
        list.push(forgery);
    }
    Ok(list)
}

/// The same claim twice, an extension, and what is a token of the project without being one of a user.
pub fn by_text(stack: &Stack) -> Vec<Forgery> {
    let key = stack.jwt_secret.as_bytes();
    let text = user_claims(stack, Actor::Staff.user().unwrap_or_default()).to_string();
    let doubled = text.replacen('{', r#"{"role":"anon","#, 1);
    let last_wins =
        AtRest::Staff("of two equal claims PostgREST takes the last, which is the honest one here");
    let crit = r#"{"alg":"HS256","typ":"JWT","crit":["b64"],"b64":false}"#;
    vec![
        bearer("role given twice", hs256(HEADER, &doubled, key), last_wins),
        bearer(
            "an extension that must be understood",
            hs256(crit, &text, key),
            AtRest::Staff("the key is the right one; extensions are not looked at"),
        ),
        bearer("the public key", &stack.anon_key, AtRest::Refused),
    ]
}
