//! Handing a request to a function over its service binding.
//!
//! Looks into no body and changes nothing but the request id.

use ordak_core::{
    envelope::{Failure, Fault},
    route,
};
use ordak_edge::{border, incoming::Incoming, task::settled};
use worker::{
    Env,
    js_sys::Reflect,
    wasm_bindgen::{JsCast, JsValue},
    web_sys::Response,
};

/// The binding of a function, `None` when there is no such function.
#[must_use]
pub fn find(env: &Env, name: &str) -> Option<JsValue> {
    Reflect::get(env, &route::binding_of(name).into()).ok().filter(JsValue::is_object)
}

/// Lets `function` answer.
///
/// # Errors
/// A fault when it does not.
pub async fn to(function: &JsValue, request: &Incoming, name: &str, id: &str) -> Result<Response, Failure> {
    pass(function, request, id).await.map_err(|error| {
        let error = worker::Error::from(error);
        Fault::unavailable(format!("{name} did not answer: {error}")).into()
    })
}

async fn pass(function: &JsValue, request: &Incoming, id: &str) -> Result<Response, JsValue> {
    settled(&border::forward(function, request.raw(), id)?).await?.dyn_into()
}
