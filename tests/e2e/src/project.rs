//! A project of a test's own: it publishes the keys that it is told to, or fails to, passes calls of the REST API on to
//! the running stack, and counts both.

use crate::stack::Stack;
use crate::{Failure, Outcome};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the key set is answered.
#[derive(Clone, Debug)]
pub enum Keys {
    /// With these keys.
    Published(Vec<Value>),
    /// With this status and text.
    Broken(u16, String),
    /// Not at all.
    Silent,
}

/// The project. It ends with this value.
pub struct Project {
    /// Its address.
    pub url: String,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

struct Shared {
    rest: String,
    http: reqwest::Client,
    keys: Mutex<Keys>,
    fetches: AtomicUsize,
    calls: AtomicUsize,
}

impl Project {
    /// Starts a project in front of the running stack.
    pub async fn start(stack: &Stack, keys: Keys) -> Outcome<Self> {
        let shared = Arc::new(Shared {
            rest: stack.supabase_url.clone(),
            http: stack.http.clone(),
            keys: Mutex::new(keys),
            fetches: AtomicUsize::new(0),
            calls: AtomicUsize::new(0),
        });
        let app = Router::new()
            .route("/auth/v1/.well-known/jwks.json", get(key_set))
            .fallback(pass_on)
            .with_state(Arc::clone(&shared));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            // Ends only with the task.
            let _never = axum::serve(listener, app).await;
        });
        Ok(Self { url, shared, server })
    }

    /// Changes what is answered from now on.
    pub fn answer(&self, keys: Keys) -> Outcome {
        *self.shared.keys.lock().map_err(|_| Failure::new("a request has panicked"))? = keys;
        Ok(())
    }

    /// How often the key set was asked for.
    pub fn fetches(&self) -> usize {
        self.shared.fetches.load(Ordering::SeqCst)
    }

    /// How many calls of the REST API came through.
    pub fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn key_set(State(shared): State<Arc<Shared>>) -> Response {
    shared.fetches.fetch_add(1, Ordering::SeqCst);
    let keys = shared.keys.lock().map_or(Keys::Silent, |keys| keys.clone());
    match keys {
        Keys::Published(keys) => axum::Json(json!({"keys": keys})).into_response(),
        Keys::Broken(status, text) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [(header::LOCATION, "/elsewhere")], text).into_response()
        }
        Keys::Silent => std::future::pending().await,
    }
}

async fn pass_on(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    shared.calls.fetch_add(1, Ordering::SeqCst);
    forward(&shared, request)
        .await
        .unwrap_or_else(|why| (StatusCode::BAD_GATEWAY, format!("{why:?}")).into_response())
}

async fn forward(shared: &Shared, request: Request) -> Outcome<Response> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let mut passed = shared.http.request(parts.method, format!("{}{path}", shared.rest));
    for name in ["apikey", "authorization", "content-type", "accept"] {
        if let Some(value) = parts.headers.get(name) {
            passed = passed.header(name, value);
        }
    }
    let body = to_bytes(body, 1024 * 1024).await.map_err(|error| Failure::new(error.to_string()))?;
    let answer = passed.body(body).send().await?;
    let status = answer.status();
    Ok((status, [(header::CONTENT_TYPE, "application/json")], Body::from(answer.bytes().await?))
        .into_response())
}
