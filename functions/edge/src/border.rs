//! The border to the runtime, as `border.js` draws it: what is wanted often crosses in one piece.
//!
//! Declarations and codes only.

use worker::{
    js_sys::{Array, JsString, Promise},
    wasm_bindgen::{self, JsValue, closure::Closure, prelude::wasm_bindgen},
    web_sys, worker_sys,
};

/// Answers for a worker that did not, from the request, its id, when it came, its context and what went wrong.
pub type Instead = dyn FnMut(web_sys::Request, String, f64, worker_sys::Context, JsValue) -> Promise;

/// Codes of reports, as `border.js` has them: the first four are of a request's body, the others of a call.
pub mod code {
    /// A body did not arrive whole.
    pub const BROKEN_OFF: u32 = 0;
    /// A body is longer than the limit.
    pub const TOO_LONG: u32 = 1;
    /// No key has signed a body.
    pub const UNSIGNED: u32 = 2;
    /// A body, or one that the first key has signed; the other keys count on.
    pub const WHOLE: u32 = 3;
    /// Nobody could be called.
    pub const NOT_REACHED: u32 = 0;
    /// An answer did not arrive whole.
    pub const ANSWER_BROKE_OFF: u32 = 1;
    /// No answer came in time. From 100 on a call's code is the status of its answer.
    pub const NO_ANSWER_IN_TIME: u32 = 2;
}

/// Hears of a promise: place and number of who waits, whether it is fulfilled, and with what.
pub type Promised = dyn FnMut(u32, u32, bool, JsValue);

/// Hears of work that `border.js` does: place and number of who waits, a code, a body and its digest.
pub type Reported = dyn FnMut(u32, u32, u32, Vec<u8>, Vec<u8>);

#[wasm_bindgen(module = "/src/border.js")]
extern "C" {
    /// A promise and what settles it.
    pub type Deferred;

    /// The promise.
    #[wasm_bindgen(method, getter)]
    pub fn promise(this: &Deferred) -> Promise;

    /// Fulfils it.
    #[wasm_bindgen(method)]
    pub fn resolve(this: &Deferred, value: &JsValue);

    /// Rejects it.
    #[wasm_bindgen(method)]
    pub fn reject(this: &Deferred, error: &JsValue);

    /// See `border.js`.
    pub fn deferred() -> Deferred;

    /// See `border.js`.
    pub fn listen(promised: &Closure<Promised>, reported: &Closure<Reported>);

    /// See `border.js`.
    pub fn settle(promise: &Promise, place: u32, number: u32);

    /// See `border.js`.
    pub fn look(request: &web_sys::Request, names: &Array) -> String;

    /// See `border.js`.
    pub fn headers(request: &web_sys::Request, names: &Array) -> String;

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn body(request: &web_sys::Request) -> Result<Promise, JsValue>;

    /// See `border.js`.
    pub fn pieces(request: &web_sys::Request, limit: usize, patience: usize) -> Promise;

    /// See `border.js`.
    #[wasm_bindgen(js_name = takeOver)]
    pub fn take_over(place: u32, number: u32, coming: &Promise);

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn respond(
        status: u16,
        id: &str,
        bytes: &[u8],
        allow: Option<&str>,
    ) -> Result<web_sys::Response, JsValue>;

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn conclude(status: u16, text: &str, allow: Option<&str>) -> Result<web_sys::Response, JsValue>;

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn copy(response: &web_sys::Response) -> Result<web_sys::Response, JsValue>;

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn forward(service: &JsValue, request: &web_sys::Request, id: &str) -> Result<Promise, JsValue>;

    /// See `border.js`.
    pub fn pass(
        service: &JsValue,
        request: &web_sys::Request,
        id: &str,
        started: f64,
        context: &worker_sys::Context,
        instead: &Closure<Instead>,
    ) -> Promise;

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn sent(lines: &str) -> Result<web_sys::Headers, JsValue>;

    /// See `border.js`.
    pub fn post(place: u32, number: u32, url: &JsString, headers: &web_sys::Headers, bytes: &[u8], ms: u32);

    /// See `border.js`.
    #[wasm_bindgen(js_name = hmacKeys)]
    pub fn hmac_keys(secrets: &Array) -> Promise;

    /// See `border.js`.
    pub fn signer(place: u32, number: u32, keys: &Array, bytes: &[u8], coming: &Promise);
}

#[wasm_bindgen]
extern "C" {
    /// Writes a line to the log.
    #[wasm_bindgen(js_namespace = console)]
    pub fn log(line: &str);
}
