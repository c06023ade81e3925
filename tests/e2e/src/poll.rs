//! Patience: what happens after the answer is waited for by looking, never by a fixed sleep.

use crate::{Failure, Outcome};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Generous: a busy machine must not fail a test.
const DEADLINE: Duration = Duration::from_secs(90);
const PAUSE: Duration = Duration::from_millis(150);

/// Tries until the attempt gives something. An attempt says what it still sees by `Err` of the inner result;
/// the last of these is told when the deadline passes. A [`Failure`] ends the waiting at once.
pub async fn eventually<T>(
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
            Err(_) => sleep(PAUSE).await,
        }
    }
}
