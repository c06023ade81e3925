//! Handing a request to a function over its service binding.
//!
//! Looks into no body and changes nothing but the request id.

use ordak_core::{
    envelope::{Failure, Fault},
    route,
};
use ordak_edge::request_id;
use worker::{Env, Fetcher, Request, Response};

/// The binding of a function, `None` when there is no such function.
#[must_use]
pub fn find(env: &Env, name: &str) -> Option<Fetcher> {
    env.service(&route::binding_of(name)).ok()
}

/// Lets `function` answer.
///
/// # Errors
/// A fault when it does not.
pub async fn to(function: &Fetcher, request: Request, name: &str, id: &str) -> Result<Response, Failure> {
    pass(function, request, id)
        .await
        .map_err(|error| Fault::unavailable(format!("{name} did not answer: {error}")).into())
}

async fn pass(function: &Fetcher, request: Request, id: &str) -> worker::Result<Response> {
    let mut request = request.clone_mut()?;
    request.headers_mut()?.set(request_id::HEADER, id)?;
    function.fetch_request(request).await
}
