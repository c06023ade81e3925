//! Cross-origin calls: who may make them, and what the browser is told.
//!
//! An origin is permitted or it is not; one that is not learns nothing.

use ordak_core::{
    envelope::{Code, Failure, Fault, Rejection},
    route::{self, Route},
};
use ordak_edge::request_id;
use worker::{Headers, Response, ResponseBody, ResponseBuilder};

const METHODS: &str = "GET, POST, PUT, DELETE, OPTIONS";
const HEADERS: &str = "authorization, apikey, content-type, x-client-info, x-request-id";
const MAX_AGE_S: &str = "600";

/// Functions that pages of any origin may call: those whose callers prove themselves by a header alone.
const OPEN: [&str; 1] = [crate::BATCH_PROCESSOR];

/// The origin that the browser is to be told; where every origin may call, also for a caller that names none.
#[must_use]
pub fn permitted(path: &str, origin: Option<String>, kiosks: &[String]) -> Option<String> {
    if is_open(path) {
        return Some(origin.unwrap_or_else(|| "*".to_owned()));
    }
    origin.filter(|origin| kiosks.contains(origin))
}

/// Whether what this path leads to is open to every origin.
fn is_open(path: &str) -> bool {
    matches!(route::parse(path), Route::Function { name, .. } if OPEN.contains(&name))
}

/// The answer to `OPTIONS`.
///
/// # Errors
/// A rejection for an origin that may not call.
pub fn preflight(permitted: Option<&str>, id: &str) -> Result<Response, Failure> {
    if permitted.is_none() {
        return Err(Rejection::new(Code::PermissionDenied, "this origin may not call").into());
    }
    let headers = Headers::new();
    let written = [
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", HEADERS),
        ("access-control-max-age", MAX_AGE_S),
        (request_id::HEADER, id),
    ]
    .into_iter()
    .try_for_each(|(name, value)| headers.set(name, value));
    match written {
        Ok(()) => Ok(ResponseBuilder::new().with_status(204).with_headers(headers).body(ResponseBody::Empty)),
        Err(error) => Err(Fault::internal(format!("no preflight: {error}")).into()),
    }
}

/// Lets the browser hand a response to a page of this origin.
///
/// # Errors
/// When the runtime refuses a header.
pub fn permit(response: Response, origin: &str) -> worker::Result<Response> {
    // The headers of a fetched response cannot be changed, a copy can.
    let headers = response.headers().clone();
    headers.set("access-control-allow-origin", origin)?;
    headers.set("access-control-expose-headers", request_id::HEADER)?;
    headers.append("vary", "Origin")?;
    Ok(response.with_headers(headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_functions_are_open() {
        assert!(is_open("/functions/v1/batch-processor"));
        for path in
            ["/functions/v1/stage-actions/scan", "/edge/health", "/functions/v1/batch-processor-2", ""]
        {
            assert!(!is_open(path), "{path}");
        }
    }

    #[test]
    fn elsewhere_only_kiosks_are_permitted() {
        let (page, kiosks) = ("https://planner.example.com", ["https://kiosk.example.com".to_owned()]);
        let ask = |path, origin: Option<&str>| permitted(path, origin.map(str::to_owned), &kiosks);
        assert_eq!(ask("/functions/v1/batch-processor", Some(page)).as_deref(), Some(page));
        assert_eq!(ask("/functions/v1/batch-processor", None).as_deref(), Some("*"));
        assert_eq!(ask("/edge/health", Some(page)), None);
        assert_eq!(ask("/edge/health", None), None);
        assert_eq!(ask("/edge/health", Some(&kiosks[0])).as_deref(), Some("https://kiosk.example.com"));
    }
}
