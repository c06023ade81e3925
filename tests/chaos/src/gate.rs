//! A gate between a worker and everything that it calls: the REST server and the upstreams. At a chosen request it keeps
//! the request, or the answer to it, for ever: whoever waits for it can be killed at that very point.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use ordak_e2e::stack::Stack;
use ordak_e2e::{Failure, Outcome};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Longer than a worker takes to get anywhere on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than anybody sends.
const LARGEST: usize = 16 * 1024 * 1024;

/// What is kept, once.
#[derive(Clone, Debug)]
pub enum Keep {
    /// The request whose path or body contains this: it never reaches anybody.
    Request(String),
    /// The answer to the request whose path or body contains this.
    AnswerTo(String),
    /// The answer to a request with this in its path, when the answer contains that.
    AnswerWith(String, String),
}

/// The gate. Everything that it keeps goes when the worker does.
pub struct Gate {
    /// Where it stands, for the REST server and the upstreams alike.
    pub url: String,
    shared: Shared,
    kept: UnboundedReceiver<()>,
}

#[derive(Clone)]
struct Shared {
    rest: String,
    upstreams: String,
    http: reqwest::Client,
    keep: Arc<Mutex<Option<Keep>>>,
    claim: Arc<Mutex<Value>>,
    kept: UnboundedSender<()>,
}

impl Gate {
    /// An open gate before everything that the stack's workers call.
    pub async fn before(stack: &Stack) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (sender, kept) = unbounded_channel();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .build()?;
        let shared = Shared {
            rest: stack.supabase_url.clone(),
            upstreams: stack.fakes_url.clone(),
            http,
            keep: Arc::default(),
            claim: Arc::default(),
            kept: sender,
        };
        let app = Router::new().fallback(pass).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, shared, kept })
    }

    /// Keeps the next request or answer of this kind.
    pub fn keep(&self, what: Keep) {
        *self.shared.keep.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
    }

    /// The topics of the last claim that came by.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        let claim = self.shared.claim.lock().unwrap_or_else(PoisonError::into_inner);
        let topics = claim.get("p_topics").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        topics.iter().filter_map(|topic| topic.as_str().map(str::to_owned)).collect()
    }

    /// Waits until it is kept.
    pub async fn has_kept(&mut self) -> Outcome {
        match tokio::time::timeout(PATIENCE, self.kept.recv()).await {
            Ok(Some(())) => Ok(()),
            _ => Err(Failure::new("nothing like it came by")),
        }
    }
}

impl Shared {
    /// Whether this is what is to be kept; it is kept once.
    fn takes(&self, is_it: impl Fn(&Keep) -> bool) -> bool {
        let mut keep = self.keep.lock().unwrap_or_else(PoisonError::into_inner);
        keep.take_if(|keep| is_it(keep)).is_some()
    }

    async fn forever(&self) {
        // Whoever waits for the news may have given up.
        let _gone = self.kept.send(());
        std::future::pending().await
    }
}

async fn pass(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let Ok(body) = to_bytes(body, LARGEST).await else { return bare(StatusCode::PAYLOAD_TOO_LARGE) };
    if path.ends_with("/claim_work") {
        let claim = serde_json::from_slice(&body).unwrap_or_default();
        *shared.claim.lock().unwrap_or_else(PoisonError::into_inner) = claim;
    }
    let asked = format!("{path}\n{}", String::from_utf8_lossy(&body));
    if shared.takes(|keep| matches!(keep, Keep::Request(text) if asked.contains(text))) {
        shared.forever().await;
    }
    let target = if path.starts_with("/rest/") { &shared.rest } else { &shared.upstreams };
    let request = shared.http.request(parts.method, format!("{target}{path}"));
    let answer = request.headers(passed_on(&parts.headers)).body(body).send().await;
    let Ok(answer) = answer else { return bare(StatusCode::BAD_GATEWAY) };
    let (status, headers) = (answer.status(), passed_on(answer.headers()));
    let Ok(body) = answer.bytes().await else { return bare(StatusCode::BAD_GATEWAY) };
    let told = String::from_utf8_lossy(&body);
    let is_it = |keep: &Keep| match keep {
        Keep::Request(_) => false,
        Keep::AnswerTo(text) => asked.contains(text),
        Keep::AnswerWith(to, text) => path.contains(to) && told.contains(text),
    };
    if shared.takes(is_it) {
        shared.forever().await;
    }
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Headers that are about the message and not about the connection.
fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let mut passed = headers.clone();
    for name in [header::HOST, header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        passed.remove(name);
    }
    passed
}

fn bare(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
