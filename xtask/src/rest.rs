//! The REST interface of a Supabase project, in-process: a PostgREST-compatible server below `/rest/v1`, behind what the
//! hosted API gateway does with the `apikey` header, and beside it the keys that the project publishes. Holds no rule of
//! the product.

use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use postrust_core::AppConfig;
use postrust_server::Host;
use tracing_subscriber::EnvFilter;

use crate::database::{self, Role};
use crate::keys::{self, LOCAL_JWT_SECRET};
use crate::layout::Layout;
use crate::signing_keys;

/// Where a project publishes the keys that its tokens are signed with. Needs no API key.
const PUBLISHED_KEYS: &str = "/auth/v1/.well-known/jwks.json";
/// Connections to the database; the server allows 200 in all.
const POOL: &str = "40";

/// Connects to the migrated database and builds the service.
pub async fn service(layout: &Layout) -> Result<Router> {
    let database = database::url(layout, Role::Authenticator);
    let verifying = signing_keys::verifying(LOCAL_JWT_SECRET)?.to_string();
    let config = AppConfig::try_from_vars([
        ("PGRST_DB_URI", database.as_str()),
        ("PGRST_DB_SCHEMAS", "public"),
        ("PGRST_DB_EXTRA_SEARCH_PATH", "public,extensions"),
        ("PGRST_DB_ANON_ROLE", "anon"),
        ("PGRST_DB_POOL", POOL),
        ("PGRST_DB_POOL_TIMEOUT", "4"),
        ("PGRST_DB_MAX_ROWS", "1000"),
        ("PGRST_DB_CHANNEL_ENABLED", "true"),
        ("PGRST_JWT_SECRET", verifying.as_str()),
        ("PGRST_COMPAT_MODE", "true"),
        ("PGRST_SERVER_CORS_ORIGINS", "*"),
    ])
    .map_err(|error| anyhow::anyhow!("the REST server's configuration: {error}"))?;
    let app = postrust_server::build(config, Host::SERVER).await.context("the REST server cannot start")?;
    let keys = Arc::new([
        keys::api_key(LOCAL_JWT_SECRET, "anon")?,
        keys::api_key(LOCAL_JWT_SECRET, "service_role")?,
    ]);
    Ok(Router::new()
        .nest_service("/rest/v1", app.router)
        .layer(middleware::from_fn_with_state(keys, api_gateway))
        .merge(published_keys()?))
}

fn published_keys() -> Result<Router> {
    let keys = signing_keys::published()?;
    Ok(Router::new().route(PUBLISHED_KEYS, get(async move || Json(keys.clone()))))
}

/// A project's two API keys.
type Keys = Arc<[String; 2]>;

/// A project answers nobody without one of its API keys; a request with nothing else acts as that key's role.
async fn api_gateway(State(keys): State<Keys>, mut request: Request, next: Next) -> Response {
    if request.method() == Method::OPTIONS {
        return next.run(request).await;
    }
    let Some(key) = request.headers().get("apikey") else {
        return refusal(
            r#"{"message":"No API key found in request","hint":"No `apikey` request header was found."}"#,
        );
    };
    let Some(known) = keys.iter().find(|known| known.as_bytes() == key.as_bytes()) else {
        return refusal(
            r#"{"message":"Invalid API key","hint":"It is neither the anon nor the service_role key."}"#,
        );
    };
    if !request.headers().contains_key(AUTHORIZATION)
        && let Ok(bearer) = HeaderValue::from_str(&format!("Bearer {known}"))
    {
        request.headers_mut().insert(AUTHORIZATION, bearer);
    }
    next.run(request).await
}

fn refusal(body: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Sends the REST server's log lines to a file of the stack. A process has one such log, however many stacks it runs.
pub fn log_to_file(layout: &Layout) -> Result<()> {
    static BEGUN: AtomicBool = AtomicBool::new(false);
    if BEGUN.swap(true, Ordering::SeqCst) {
        return Ok(());
    }
    let path = layout.log("rest");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let log = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_env_filter(EnvFilter::new("warn,postrust=info,postrust_server=info"))
        .with_writer(Mutex::new(file));
    log.try_init().map_err(|error| anyhow::anyhow!("cannot write {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo(request: Request) -> String {
        let bearer = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        bearer.unwrap_or("nobody").to_owned()
    }

    async fn listen(app: Router) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        url
    }

    async fn ask(headers: &[(&'static str, &str)]) -> (u16, String) {
        let keys = Arc::new(["anon".to_owned(), "key".to_owned()]);
        let app =
            Router::new().route("/", get(echo)).layer(middleware::from_fn_with_state(keys, api_gateway));
        let mut request = reqwest::Client::new().get(format!("{}/", listen(app).await));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    #[tokio::test]
    async fn a_request_without_a_key_of_the_project_is_refused() {
        assert_eq!(ask(&[("authorization", "Bearer user")]).await.0, 401);
        assert_eq!(ask(&[("apikey", "user")]).await.0, 401);
        assert_eq!(ask(&[("apikey", "key2"), ("authorization", "Bearer user")]).await.0, 401);
    }

    #[tokio::test]
    async fn the_key_acts_for_a_request_without_a_token_and_not_for_one_with() {
        assert_eq!(ask(&[("apikey", "key")]).await, (200, "Bearer key".to_owned()));
        assert_eq!(ask(&[("apikey", "key"), ("authorization", "Bearer user")]).await.1, "Bearer user");
    }

    #[tokio::test]
    async fn the_published_keys_need_no_key() {
        let url = format!("{}{PUBLISHED_KEYS}", listen(published_keys().unwrap()).await);
        let keys: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(keys["keys"][0]["alg"], "ES256");
    }
}
