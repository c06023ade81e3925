//! The client-credentials grant: an app of one's own asks its shop for a token that ends after a day.
//!
//! `POST https://<shop>/admin/oauth/access_token`. Asked for JSON, Shopify refuses in it too. Knows no HTTP client; what
//! is kept of a token, and for how long, is decided in `slots`.

use super::Client;
use crate::admin_api::{Kind, Refusal, passing};
use crate::secret::Secret;
use crate::upstream_status;
use crate::work::{ErrorClass, WorkFailure};
use serde_json::{Value, json};

/// Life of a token that comes without one, or with none, in seconds; real ones live for a day.
const UNSAID_LIFE_S: u64 = 3600;
/// Longest code of a refusal that is quoted.
const LONGEST_CODE: usize = 60;

/// A token that was granted.
#[derive(Clone, Debug)]
pub struct Granted {
    /// The token.
    pub token: Secret,
    /// How long it is good, in milliseconds.
    pub life_ms: u64,
}

/// The body of the request.
#[must_use]
pub fn request(client: &Client) -> String {
    json!({
        "grant_type": "client_credentials",
        "client_id": client.id.expose(),
        "client_secret": client.secret.expose(),
    })
    .to_string()
}

/// Reads the answer; `now` is in seconds since 1970.
///
/// # Errors
/// Why there is no token: for good when Shopify refuses the app, else for now.
pub fn read(status: u16, retry_after: Option<&str>, body: &[u8], now: i64) -> Result<Granted, Refusal> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    match status {
        200..=299 => granted(&body).ok_or_else(|| passing("Shopify's answer holds no token")),
        400..=407 | 409..=424 => Err(refused(status, &body)),
        _ => {
            let failure = upstream_status::failure("Shopify", status, retry_after, now);
            let kind = match (status, failure.class) {
                (429, _) => Kind::Throttled,
                (_, ErrorClass::Transient) => Kind::Passing,
                _ => Kind::Access,
            };
            Err(Refusal { kind, failure })
        }
    }
}

fn granted(body: &Value) -> Option<Granted> {
    let token = body.get("access_token")?.as_str()?;
    let fits = (1..=500).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
    // One that has ended when it comes would be asked for again and again.
    let life_s =
        body.get("expires_in").and_then(Value::as_u64).filter(|life| *life > 0).unwrap_or(UNSAID_LIFE_S);
    fits.then(|| Granted { token: Secret::new(token), life_ms: life_s.saturating_mul(1000) })
}

fn refused(status: u16, body: &Value) -> Refusal {
    let code = body.get("error").and_then(Value::as_str).unwrap_or_default();
    let is_code =
        (1..=LONGEST_CODE).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let code = if is_code { code } else { "no code" };
    let hint = match code {
        "shop_not_permitted" => ": app and store must belong to the same organization",
        "app_not_installed" => ": the app is not installed in the store",
        _ => "",
    };
    let error = format!("Shopify refused the client credentials ({status} {code}){hint}");
    Refusal { kind: Kind::Access, failure: WorkFailure::permanent(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Result<Granted, Refusal> {
        read(status, Some("7"), body.as_bytes(), 0)
    }

    #[test]
    fn a_token_comes_with_its_life() {
        let granted =
            answer(200, r#"{"access_token":"shpat_0","scope":"read_orders","expires_in":86399}"#).unwrap();
        assert_eq!((granted.token.expose(), granted.life_ms), ("shpat_0", 86_399_000));
        for unsaid in [r#"{"access_token":"t"}"#, r#"{"access_token":"t","expires_in":0}"#] {
            assert_eq!(answer(200, unsaid).unwrap().life_ms, 3_600_000);
        }
        let body: Value =
            serde_json::from_str(&request(&Client { id: Secret::new("a"), secret: Secret::new("b") }))
                .unwrap();
        assert_eq!(body, json!({"grant_type": "client_credentials", "client_id": "a", "client_secret": "b"}));
    }

    #[test]
    fn who_is_refused_is_refused_for_good_and_told_why() {
        for (status, code) in [
            (400, "invalid_client"),
            (400, "shop_not_permitted"),
            (400, "app_not_installed"),
            (401, "invalid_client"),
            (403, "access_denied"),
            (404, "application_cannot_be_found"),
        ] {
            let body = json!({"error": code, "error_description": "about jamie@example.com"}).to_string();
            let refusal = answer(status, &body).unwrap_err();
            assert_eq!((refusal.kind, refusal.failure.class), (Kind::Access, ErrorClass::Permanent));
            assert!(refusal.failure.error.contains(code) && !refusal.failure.error.contains("jamie"));
        }
        let page = answer(400, "<html>Oauth error</html>").unwrap_err();
        assert_eq!(page.failure.error, "Shopify refused the client credentials (400 no code)");
        let strange = answer(400, r#"{"error":"for jamie@example.com"}"#).unwrap_err();
        assert!(!strange.failure.error.contains("jamie"));
    }

    #[test]
    fn what_passes_is_no_refusal() {
        for (status, kind) in
            [(429, Kind::Throttled), (408, Kind::Passing), (500, Kind::Passing), (503, Kind::Passing)]
        {
            let refusal = answer(status, "<html>").unwrap_err();
            assert_eq!((refusal.kind, refusal.failure.retry_after_ms), (kind, Some(7000)), "{status}");
        }
        assert_eq!(answer(302, "").unwrap_err().kind, Kind::Access, "a redirect is never followed");
        for body in ["", "null", "{}", r#"{"access_token":7}"#, r#"{"access_token":"a\nb"}"#] {
            assert_eq!(answer(200, body).unwrap_err().kind, Kind::Passing, "{body}");
        }
    }
}
