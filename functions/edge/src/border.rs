//! The border to the runtime, as `border.js` draws it: what is wanted often crosses in one piece.
//!
//! Declarations only.

use worker::{
    js_sys::{Array, Promise},
    wasm_bindgen::{self, JsValue, closure::Closure, prelude::wasm_bindgen},
    web_sys, worker_sys,
};

/// Answers for a worker that did not, from the request, its id, when it came, its context and what went wrong.
pub type Instead = dyn FnMut(web_sys::Request, String, f64, worker_sys::Context, JsValue) -> Promise;

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
    pub fn listen(listener: &Closure<dyn FnMut(u32, u32, bool, JsValue)>);

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
    #[wasm_bindgen(catch)]
    pub fn respond(
        status: u16,
        id: &str,
        bytes: &[u8],
        allow: Option<&str>,
    ) -> Result<web_sys::Response, JsValue>;

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn conclude(
        ms: f64,
        status: u16,
        text: &str,
        allow: Option<&str>,
    ) -> Result<web_sys::Response, JsValue>;

    /// See `border.js`.
    #[wasm_bindgen(catch)]
    pub fn copy(response: &web_sys::Response) -> Result<web_sys::Response, JsValue>;

    /// See `border.js`.
    pub fn log(ms: f64, line: &str);

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
    pub fn post(place: u32, number: u32, url: &str, headers: &web_sys::Headers, bytes: &[u8], ms: u32);

    /// See `border.js`.
    #[wasm_bindgen(js_name = hmacKeys)]
    pub fn hmac_keys(secrets: &Array) -> Promise;

    /// See `border.js`.
    pub fn signer(place: u32, number: u32, keys: &Array, bytes: &[u8], coming: &Promise);
}
