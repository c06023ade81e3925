//! Other functions, called over their service bindings: nothing of it passes outside.
//!
//! Knows how functions are named, and nothing of what any of them does.

use crate::upstream::{self, Reply};
use ordak_core::route;
use std::time::Duration;
use worker::{Env, js_sys::Reflect, wasm_bindgen::JsValue};

/// The binding of a function, `None` when there is no such function.
#[must_use]
pub fn find(env: &Env, function: &str) -> Option<JsValue> {
    Reflect::get(env, &route::binding_of(function).into()).ok().filter(JsValue::is_object)
}

/// Posts JSON, or nothing when it is empty, to a function at its own address and waits for the answer.
///
/// # Errors
/// In words, when the binding is missing or no whole answer came.
pub async fn post(
    env: &Env,
    function: &str,
    headers: &[(&str, &str)],
    json: &str,
    limit: Duration,
) -> Result<Reply, &'static str> {
    let service = find(env, function).ok_or("there is no binding")?;
    let url = format!("https://{function}{}{function}", route::FUNCTIONS);
    upstream::post_to(&service, &url, headers, json, limit).await.map_err(upstream::NoReply::as_str)
}
