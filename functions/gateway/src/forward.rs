//! Handing a request to a function over its service binding.
//!
//! Looks into no body and changes nothing but the request id.

use ordak_core::envelope::{Failure, Fault};
use ordak_edge::{border, incoming::Incoming, task::settled};
use worker::{
    wasm_bindgen::{JsCast, JsValue},
    web_sys::Response,
};

/// Lets `function` answer.
///
/// # Errors
/// A fault when it does not.
pub async fn to(function: &JsValue, request: &Incoming, name: &str, id: &str) -> Result<Response, Failure> {
    pass(function, request, id).await.map_err(|error| unanswered(name, error).into())
}

/// What a function's silence is.
#[must_use]
pub fn unanswered(name: &str, error: JsValue) -> Fault {
    let error = worker::Error::from(error);
    Fault::unavailable(format!("{name} did not answer: {error}"))
}

async fn pass(function: &JsValue, request: &Incoming, id: &str) -> Result<Response, JsValue> {
    settled(&border::forward(function, request.raw(), id)?).await?.dyn_into()
}
