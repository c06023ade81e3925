//! A limit on how long anything is waited for.
//!
//! Knows nothing of what is awaited. What loses the race is dropped, which aborts the fetch behind it.

use futures_util::future::{Either, select};
use std::{future::Future, pin::pin, time::Duration};
use worker::Delay;

/// The result, or `None` when it did not come in time.
pub async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(Delay::from(limit))).await {
        Either::Left((result, _)) => Some(result),
        Either::Right(_) => None,
    }
}
