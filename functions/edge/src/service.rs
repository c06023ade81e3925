//! Other functions, called over their service bindings: nothing of it passes outside.
//!
//! Knows how functions are named, and nothing of what any of them does.

use crate::upstream::{self, Reply};
use ordak_core::route;
use std::{cell::RefCell, time::Duration};
use worker::{Env, js_sys::Reflect, wasm_bindgen::JsValue};

thread_local! {
    /// Names of functions that are bound, with those of their bindings as the runtime reads them.
    static BOUND: RefCell<Vec<(String, JsValue)>> = const { RefCell::new(Vec::new()) };
}

/// The binding of a function, `None` when there is no such function.
#[must_use]
pub fn find(env: &Env, function: &str) -> Option<JsValue> {
    let bound = |binding: &JsValue| Reflect::get(env, binding).ok().filter(JsValue::is_object);
    let known = |bindings: &Vec<(String, JsValue)>| {
        bindings.iter().find(|(known, _)| known == function).map(|(_, binding)| binding.clone())
    };
    if let Some(binding) = BOUND.with_borrow(known) {
        return bound(&binding);
    }
    let binding = route::binding_of(function).into();
    let found = bound(&binding)?;
    BOUND.with_borrow_mut(|bindings| bindings.push((function.to_owned(), binding)));
    Some(found)
}

/// Posts JSON, or nothing when it is empty, to a function at its own address and waits for the answer. When the limit is
/// over the function loses its caller, as a server does: what it does without `waitUntil` may end there.
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
