//! Patience: what happens after the answer is waited for by looking, never by a fixed sleep.

use crate::{Failure, Outcome};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Generous: a busy machine must not fail a test.
const DEADLINE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(150);
const SHORT_PAUSE: Duration = Duration::from_millis(20);

/// Tries until the attempt gives something. An attempt says what it still sees by `Err` of the inner result;
/// the last of these is told when the deadline passes. A [`Failure`] ends the waiting at once.
pub async fn eventually<T>(
    what: &str,
    attempt: impl AsyncFnMut() -> Outcome<Result<T, String>>,
) -> Outcome<T> {
    every(PAUSE, what, attempt).await
}

/// The same with a short pause, for looking while somebody is held up whose own patience is only seconds long.
pub async fn closely<T>(what: &str, attempt: impl AsyncFnMut() -> Outcome<Result<T, String>>) -> Outcome<T> {
    every(SHORT_PAUSE, what, attempt).await
}

async fn every<T>(
    pause: Duration,
    what: &str,
    mut attempt: impl AsyncFnMut() -> Outcome<Result<T, String>>,
) -> Outcome<T> {
    let start = Instant::now();
    loop {
        match attempt().await? {
            Ok(found) => return Ok(found),
            Err(seen) if start.elapsed() > DEADLINE => {
                return Err(Failure::new(format!(
                    "{what} did not come about within {DEADLINE:?}; last seen: {seen}"
                )));
            }
            Err(_) => sleep(pause).await,
        }
    }
}
