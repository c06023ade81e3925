//! Whatever is killed, at whatever point: nothing is lost, nothing happens twice under one key, and it is over within a
//! lease and two ticks of the clock.

#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/points.rs"]
mod points;

use ordak_e2e::Outcome;
use ordak_e2e::stack::Stack;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_killed_takes_anything_along() -> Outcome {
    let stack = Stack::from_env()?;
    // One after the other: the second would be disturbed by what the first does to the database, and is to be exact.
    points::every_point_of_every_kind(&stack).await?;
    kills::at_random(&stack).await
}
