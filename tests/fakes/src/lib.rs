//! Fakes of the systems that Ordak calls, served over real HTTP so that the code under test cannot tell.
//! They know nothing of Ordak: only what the other company's interface promises.

use axum::Router;
use axum::routing::get;
use serde_json::json;

/// All fakes and their control routes as one router; the caller decides where it listens.
pub fn router() -> Router {
    Router::new().route("/_health", get(async || axum::Json(json!({"ok": true}))))
}
