//! Reading a request's body as raw bytes, never more of it than the limit.
//!
//! Knows nothing of what the bytes mean.

use crate::{
    border::{self, code},
    incoming::Incoming,
    task::{Report, reported},
};
use ordak_core::envelope::{Code, Failure, Rejection};
use worker::js_sys::Promise;

/// Largest body that any function takes: 5 MiB.
pub const LIMIT: usize = 5 * 1024 * 1024;

/// How much of a body that is too long is still read, and thrown away, before the answer: who sends it without a break
/// sees no answer before the end, and a connection that is closed on it fails the next request as well.
const PATIENCE: usize = 32 * 1024 * 1024;

/// The whole body. With a length in the headers it is read in one piece, since the runtime holds the sender to that length;
/// without one it is read in chunks, and what has become too long is no longer kept.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE` above the limit; `BAD_INPUT` when the sender goes away or breaks off.
pub async fn read(request: &Incoming, limit: usize) -> Result<Vec<u8>, Failure> {
    let coming = coming(request, limit)?;
    let Report { code, bytes, .. } =
        reported(|place, number| border::take_over(place, number, &coming)).await;
    match code {
        code::BROKEN_OFF => Err(broken_off()),
        code::TOO_LONG => Err(too_large(limit)),
        _ if bytes.len() > limit => Err(too_large(limit)),
        _ => Ok(bytes),
    }
}

/// A promise of the body.
///
/// # Errors
/// When the headers say that it is too large.
pub fn coming(request: &Incoming, limit: usize) -> Result<Promise, Failure> {
    let announced = request.header("content-length").map(|length| length.trim().parse::<u64>());
    match announced {
        Some(Ok(length)) if length > limit as u64 => Err(too_large(limit)),
        Some(Ok(_)) => border::body(request.raw()).map_err(|_| broken_off()),
        Some(Err(_)) => Err(Rejection::bad_input("Content-Length is not a number").into()),
        None => Ok(border::pieces(request.raw(), limit, PATIENCE)),
    }
}

/// What to say to a body above the limit.
#[must_use]
pub fn too_large(limit: usize) -> Failure {
    Rejection::new(Code::PayloadTooLarge, format!("the body is larger than {} KiB", limit / 1024)).into()
}

/// What to say to a body of which only a part came.
#[must_use]
pub fn broken_off() -> Failure {
    Rejection::bad_input("the body did not arrive whole").into()
}
