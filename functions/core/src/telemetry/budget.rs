//! So many a minute and no more: what fails in a loop is told a few times, not thousands.
//!
//! Knows nothing of what is counted.

/// How long a window is.
const WINDOW_MS: u64 = 60_000;

/// How often something may still be done in this minute.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    most: u32,
    used: u32,
    began: u64,
}

impl Budget {
    /// So many a minute.
    #[must_use]
    pub const fn a_minute(most: u32) -> Self {
        Self { most, used: 0, began: 0 }
    }

    /// Takes one, if there is one left at this time.
    pub fn take(&mut self, now_ms: u64) -> bool {
        // A clock that was set back begins a window as well.
        if now_ms.abs_diff(self.began) >= WINDOW_MS {
            (self.began, self.used) = (now_ms, 0);
        }
        let left = self.used < self.most;
        self.used += u32::from(left);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_so_many_a_minute() {
        let mut budget = Budget::a_minute(3);
        let now = 1_700_000_000_000;
        assert_eq!((0..1000).filter(|ms| budget.take(now + ms)).count(), 3);
        assert!(!budget.take(now + WINDOW_MS - 1));
        assert_eq!((0..1000).filter(|ms| budget.take(now + WINDOW_MS + ms)).count(), 3);
        assert!(budget.take(now - WINDOW_MS), "a clock that was set back blocks nothing");
    }
}
