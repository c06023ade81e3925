//! When to stop starting something again: not when it ends often, but when it ends as soon as it is started.

use std::time::Duration;

use crate::layout::StackName;

/// What ends so soon after it was started did not live.
const SHORT: Duration = Duration::from_secs(3);
/// So many of these in a row are enough for who works with it.
const ENOUGH: usize = 6;

/// The lives of a stack's processes.
#[derive(Debug)]
pub struct Lives {
    short: usize,
    enough: Option<usize>,
}

impl Lives {
    /// Of a stack that has just been made. The one that suites run against is never given up: they kill it again and
    /// again, on a fast machine within seconds, and if it does not come back they fail by themselves.
    pub fn of(name: StackName) -> Self {
        Self { short: 0, enough: (name != StackName::Test).then_some(ENOUGH) }
    }

    /// Counts the end of something that lived so long since the last start; true when it is not to be started again.
    pub fn ended_after(&mut self, lived: Duration) -> bool {
        self.short = if lived < SHORT { self.short + 1 } else { 0 };
        self.enough.is_some_and(|enough| self.short >= enough)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_often_is_started_again_and_what_cannot_start_is_not() {
        let mut lives = Lives::of(StackName::Dev);
        assert!((0..100).all(|_| !lives.ended_after(Duration::from_secs(4))));
        assert!((1..ENOUGH).all(|_| !lives.ended_after(Duration::from_millis(100))));
        assert!(!lives.ended_after(Duration::from_secs(4)), "it lived once: counted anew");
        assert!((1..ENOUGH).all(|_| !lives.ended_after(Duration::ZERO)));
        assert!(lives.ended_after(Duration::ZERO));
    }

    #[test]
    fn what_suites_kill_is_started_again_each_time() {
        let mut lives = Lives::of(StackName::Test);
        assert!((0..10 * ENOUGH).all(|_| !lives.ended_after(Duration::ZERO)));
    }
}
