//! How a test reads and steers the fakes. Control routes start with `_`, are not recorded and have no faults.
//!
//! | route | does |
//! | --- | --- |
//! | `GET /_calls?upstream=&shop=&contains=` | requests that arrived, oldest first |
//! | `GET /_effects?upstream=&shop=&key=` | effects that were executed |
//! | `GET /_state?upstream=shopify&shop=` | stock levels and settings of the shops |
//! | `POST /_state {upstream, shop, …}` | sets levels, variants, throttle, strictness of one shop |
//! | `GET /_shop?shop=` | orders and webhook subscriptions of one shop |
//! | `POST /_shop {shop, orders, without, subscriptions}` | puts orders (in the form of webhooks) and subscriptions into one shop |
//! | `GET /_faults`, `POST /_faults {upstream, mode, count \| rate, shop, match, …}` | lists or arms faults |
//! | `GET /_modes` | every way in which a request can be made to go wrong |
//! | `DELETE /_faults?id=` | disarms one |
//! | `POST /_reset {shop?}` | forgets calls, effects, faults and shops; with a shop only its stock, orders, settings and faults |

use crate::World;
use crate::calls::Call;
use crate::calls::CallFilter;
use crate::effects::EffectFilter;
use crate::faults::{FaultRequest, Mode};
use crate::lock::lock;
use crate::shopify::{ShopSettings, Stocking};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The control routes.
pub fn routes() -> Router<World> {
    Router::new()
        .route("/_health", get(async || Json(json!({"ok": true}))))
        .route("/_calls", get(calls))
        .route("/_effects", get(effects))
        .route("/_state", get(state).post(set_state))
        .route("/_shop", get(contents).post(stock))
        .route("/_modes", get(async || Json(json!({"modes": Mode::ALL}))))
        .route("/_faults", get(list_faults).post(arm).delete(disarm))
        .route("/_reset", post(reset))
}

async fn calls(State(world): State<World>, Query(filter): Query<CallFilter>) -> Json<Value> {
    Json(json!({"calls": lock(&world.calls).list(&filter)}))
}

async fn effects(State(world): State<World>, Query(filter): Query<EffectFilter>) -> Json<Value> {
    Json(json!({"effects": lock(&world.effects).list(&filter)}))
}

#[derive(Default, Deserialize)]
struct Scope {
    upstream: Option<String>,
    shop: Option<String>,
}

async fn state(State(world): State<World>, Query(scope): Query<Scope>) -> Response {
    match scope.upstream.as_deref() {
        None | Some("shopify") => Json(lock(&world.shops).describe(scope.shop.as_deref())).into_response(),
        Some(_) => refusal("only the upstream shopify keeps state"),
    }
}

async fn set_state(State(world): State<World>, body: Bytes) -> Response {
    let settings = match parse::<ShopSettings>(&body) {
        Ok(settings) => settings,
        Err(response) => return *response,
    };
    lock(&world.shops).configure(settings);
    Json(json!({"ok": true})).into_response()
}

async fn contents(State(world): State<World>, Query(scope): Query<Scope>) -> Response {
    match scope.shop {
        Some(shop) => Json(lock(&world.shops).contents(&shop)).into_response(),
        None => refusal("which shop?"),
    }
}

async fn stock(State(world): State<World>, body: Bytes) -> Response {
    let stocking = match parse::<Stocking>(&body) {
        Ok(stocking) => stocking,
        Err(response) => return *response,
    };
    let strange = lock(&world.shops).put(stocking, &Call::now());
    if strange.is_empty() {
        Json(json!({"ok": true})).into_response()
    } else {
        refusal(&format!("orders without a number for an id: {}", Value::Array(strange)))
    }
}

async fn list_faults(State(world): State<World>) -> Json<Value> {
    Json(json!({"faults": lock(&world.faults).list()}))
}

async fn arm(State(world): State<World>, body: Bytes) -> Response {
    let request = match parse::<FaultRequest>(&body) {
        Ok(request) => request,
        Err(response) => return *response,
    };
    match lock(&world.faults).arm(request) {
        Ok(id) => Json(json!({"ok": true, "id": id})).into_response(),
        Err(problem) => refusal(problem),
    }
}

#[derive(Deserialize)]
struct Which {
    id: u64,
}

async fn disarm(State(world): State<World>, Query(which): Query<Which>) -> Json<Value> {
    Json(json!({"ok": lock(&world.faults).disarm(which.id)}))
}

async fn reset(State(world): State<World>, body: Bytes) -> Response {
    let scope = if body.is_empty() {
        Scope::default()
    } else {
        match parse::<Scope>(&body) {
            Ok(scope) => scope,
            Err(response) => return *response,
        }
    };
    match &scope.shop {
        Some(shop) => {
            lock(&world.shops).forget(shop);
            lock(&world.faults).disarm_shop(shop);
        }
        None => {
            lock(&world.calls).clear();
            lock(&world.effects).clear();
            lock(&world.faults).clear();
            lock(&world.shops).clear();
            lock(&world.sunk).clear();
        }
    }
    Json(json!({"ok": true})).into_response()
}

fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Box<Response>> {
    serde_json::from_slice(body).map_err(|error| Box::new(refusal(&error.to_string())))
}

fn refusal(problem: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({"ok": false, "message": problem}))).into_response()
}
