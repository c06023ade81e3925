//! Reading a request's body as raw bytes, never more of it than the limit.
//!
//! Knows nothing of what the bytes mean.

use futures_util::StreamExt;
use ordak_core::envelope::{Code, Failure, Fault, Rejection};
use worker::Request;

/// Largest body that any function takes: 5 MiB.
pub const LIMIT: usize = 5 * 1024 * 1024;

/// How much of a body that is too long is still read, and thrown away, before the answer: who sends it without a break
/// sees no answer before the end, and a connection that is closed on it fails the next request as well.
const PATIENCE: usize = 32 * 1024 * 1024;

/// The whole body. With a length in the headers it is read in one piece, since the runtime holds the sender to that
/// length; without one it is read in chunks, and what has become too long is
/// no longer kept.
///
/// # Errors
/// `PAYLOAD_TOO_LARGE` above the limit; `BAD_INPUT` when the sender goes away or breaks off.
pub async fn read(request: &mut Request, limit: usize) -> Result<Vec<u8>, Failure> {
    let announced = request.headers().get("content-length").ok().flatten();
    match announced.as_deref().map(|length| length.trim().parse::<u64>()) {
        Some(Ok(length)) if length > limit as u64 => Err(too_large(limit)),
        Some(Ok(0)) => Ok(Vec::new()),
        Some(Ok(_)) => {
            let body = request.bytes().await.map_err(|_| broken_off())?;
            if body.len() > limit { Err(too_large(limit)) } else { Ok(body) }
        }
        Some(Err(_)) => Err(Rejection::bad_input("Content-Length is not a number").into()),
        None => read_chunks(request, limit).await,
    }
}

async fn read_chunks(request: &mut Request, limit: usize) -> Result<Vec<u8>, Failure> {
    if request.inner().body().is_none() {
        return Ok(Vec::new());
    }
    let mut chunks =
        request.stream().map_err(|error| Fault::internal(format!("body cannot be streamed: {error}")))?;
    let (mut body, mut seen) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| broken_off())?;
        seen += chunk.len();
        if seen > limit + PATIENCE {
            break;
        }
        if seen <= limit {
            body.extend_from_slice(&chunk);
        } else {
            body = Vec::new();
        }
    }
    if seen > limit { Err(too_large(limit)) } else { Ok(body) }
}

fn too_large(limit: usize) -> Failure {
    Rejection::new(Code::PayloadTooLarge, format!("the body is larger than {} KiB", limit / 1024)).into()
}

fn broken_off() -> Failure {
    Rejection::bad_input("the body did not arrive whole").into()
}
