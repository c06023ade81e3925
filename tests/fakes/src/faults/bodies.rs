//! Bodies that break off, and bodies without end.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use std::io::Error;
use std::time::Duration;

/// Long enough for what was written to leave the machine before the connection goes.
pub const FLUSH: Duration = Duration::from_millis(50);

/// Fails at the first read, before the head of the answer is flushed: the caller sees a closed connection and
/// no answer at all.
pub fn closed_at_once() -> Body {
    Body::from_stream(stream::once(async { Err::<Bytes, _>(broken()) }))
}

/// Sends `head`, then, after a silence, closes the connection although more was promised.
pub fn closed_after(head: Bytes, silence: Duration) -> Body {
    Body::from_stream(stream::unfold(Some(head), move |head| async move {
        match head {
            Some(head) => Some((Ok(head), None)),
            None => {
                tokio::time::sleep(silence).await;
                Some((Err(broken()), None))
            }
        }
    }))
}

/// The whole body, byte by byte.
pub fn trickling(body: Bytes, pause: Duration) -> Body {
    Body::from_stream(stream::unfold(body, move |mut left| async move {
        if left.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let byte = left.split_to(1);
        Some((Ok::<_, Error>(byte), left))
    }))
}

/// A JSON string of about `bytes` bytes, made as it is read.
pub fn huge(bytes: u64) -> Body {
    const CHUNK: u64 = 64 * 1024;
    let chunk = Bytes::from(vec![b'x'; 64 * 1024]);
    let quote = || stream::once(async { Ok::<_, Error>(Bytes::from_static(b"\"")) });
    let middle = stream::unfold((bytes / CHUNK, chunk), |(left, chunk)| async move {
        let next = left.checked_sub(1)?;
        Some((Ok::<_, Error>(chunk.clone()), (next, chunk)))
    });
    use futures_util::StreamExt;
    Body::from_stream(quote().chain(middle).chain(quote()))
}

fn broken() -> Error {
    Error::other("planned fault")
}
