//! Cross-origin calls: who may make them, and what the browser is told.
//!
//! An origin is permitted or it is not; one that is not learns nothing.

use ordak_core::{
    envelope::{Code, Failure, Fault, Rejection},
    route::{self, Route},
};
use ordak_edge::{border, request_id};
use worker::{
    wasm_bindgen::JsValue,
    web_sys::{Headers, Response, ResponseInit},
};

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
    told(id).map_err(|_| Fault::internal("no preflight").into())
}

fn told(id: &str) -> Result<Response, JsValue> {
    let headers = Headers::new()?;
    for (name, value) in [
        ("access-control-allow-methods", METHODS),
        ("access-control-allow-headers", HEADERS),
        ("access-control-max-age", MAX_AGE_S),
        (request_id::HEADER, id),
    ] {
        headers.set(name, value)?;
    }
    let init = ResponseInit::new();
    init.set_status(204);
    init.set_headers(&headers);
    Response::new_with_opt_str_and_init(None, &init)
}

/// Lets the browser hand a response to a page of this origin.
///
/// # Errors
/// When the runtime refuses a header.
pub fn permit(response: Response, origin: &str) -> worker::Result<Response> {
    // The headers of a fetched response cannot be changed, those of a copy can.
    let response = border::copy(&response)?;
    let headers = response.headers();
    headers.set("access-control-allow-origin", origin)?;
    headers.set("access-control-expose-headers", request_id::HEADER)?;
    headers.append("vary", "Origin")?;
    Ok(response)
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
