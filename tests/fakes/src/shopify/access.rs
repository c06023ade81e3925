//! Access to a shop: the tokens that it takes, and the endpoint at which an app of one's own gets some.
//!
//! `POST /admin/oauth/access_token` with the client-credentials grant, as JSON or as a form. Asked for JSON it refuses in
//! JSON, else with a page, as the real one does. An earlier token stays good when another is granted.

use crate::answer::Answer;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// The path of the endpoint.
pub const ENDPOINT: &str = "/admin/oauth/access_token";

/// Life of a token: a day, less the second in which it is granted.
const LIFE: Duration = Duration::from_secs(86_399);

/// An app that is installed in the shop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct App {
    client_id: String,
    client_secret: String,
}

/// What opens a shop. One that names neither tokens nor apps takes any token.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Tokens that are good until they are taken away.
    pub tokens: Vec<String>,
    apps: Option<Vec<App>>,
    granted: Vec<(String, Instant)>,
    life: Option<Duration>,
    refusal: Option<String>,
    count: u64,
}

/// What a test may set of it; absent fields change nothing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessSettings {
    /// Apps that may ask for tokens.
    apps: Option<Vec<App>>,
    /// Life of the tokens that are granted from now on.
    token_life_ms: Option<u64>,
    /// Ends every token that was granted.
    #[serde(default)]
    revoke_granted: bool,
    /// Code with which every app is refused; empty: none is.
    refuse_grants: Option<String>,
}

impl Access {
    /// Applies settings.
    pub fn configure(&mut self, settings: AccessSettings) {
        if let Some(apps) = settings.apps {
            self.apps = Some(apps);
        }
        if let Some(ms) = settings.token_life_ms {
            self.life = Some(Duration::from_millis(ms));
        }
        if settings.revoke_granted {
            self.granted.clear();
        }
        if let Some(code) = settings.refuse_grants {
            self.refusal = Some(code).filter(|code| !code.is_empty());
        }
    }

    /// Whether a token opens the shop.
    pub fn takes(&self, token: Option<&str>, now: Instant) -> bool {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return false };
        (self.tokens.is_empty() && self.apps.is_none())
            || self.tokens.iter().any(|good| good == token)
            || self.granted.iter().any(|(good, until)| good == token && now < *until)
    }

    /// Answers a request for a token.
    pub fn grant(&mut self, domain: &str, parts: &Parts, body: &[u8], now: Instant) -> Answer {
        if parts.method != Method::POST {
            return Answer::json(StatusCode::NOT_FOUND, &json!({"errors": "Not Found"}));
        }
        let asked = read(body);
        let said = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
        let refusal = match (said("grant_type"), &self.refusal) {
            ("client_credentials", Some(code)) => Some(code.as_str()),
            ("client_credentials", None) => {
                let apps = self.apps.as_deref().unwrap_or_default();
                match apps.iter().find(|app| app.client_id == said("client_id")) {
                    None => Some("application_cannot_be_found"),
                    Some(app) if app.client_secret != said("client_secret") => Some("invalid_client"),
                    Some(_) => None,
                }
            }
            _ => Some("invalid_request"),
        };
        if let Some(code) = refusal {
            return refused(parts, code);
        }
        let life = self.life.unwrap_or(LIFE);
        self.count += 1;
        let token = format!("shpat_{}_{}", domain.replace('.', "-"), self.count);
        self.granted.push((token.clone(), now + life));
        let told = json!({
            "access_token": token, "scope": "read_orders,write_inventory", "expires_in": life.as_secs()
        });
        Answer::json(StatusCode::OK, &told)
    }
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| {
        let text = String::from_utf8_lossy(body);
        text.split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, json!(value)))
            .collect()
    })
}

fn refused(parts: &Parts, code: &str) -> Answer {
    let accepts = parts.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepts.contains("json") {
        let told = json!({"error": code, "error_description": "Something about the app."});
        return Answer::json(StatusCode::BAD_REQUEST, &told);
    }
    let page = format!("<html><body>Oauth error {code}: Something about the app.</body></html>");
    Answer::new(StatusCode::BAD_REQUEST, "text/html", page)
}
