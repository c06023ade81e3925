//! What time it is, asked of the runtime in one place.
//!
//! On Cloudflare the clock stands still between two pieces of I/O: figures made from it are lower bounds.

use worker::js_sys;

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> u64 {
    // Positive and far below 2^53 for as long as anybody will care.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let now = js_sys::Date::now() as u64;
    now
}

/// Whole seconds since 1970, as tokens count time.
#[must_use]
pub fn now_s() -> i64 {
    i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX)
}

/// Reads a time as Postgres or RFC 3339 writes it; `None` when it is neither.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let ms = js_sys::Date::parse(text);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (ms.is_finite() && ms >= 0.0).then_some(ms as u64)
}
