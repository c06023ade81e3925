//! From single times to figures.

use serde::Serialize;

/// What many calls came to, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// Half of the calls took no longer.
    pub p50_ms: f64,
    /// 95 of 100 took no longer.
    pub p95_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

impl Figures {
    /// By nearest rank; `None` without times.
    pub fn of(times_ms: &[f64]) -> Option<Self> {
        let mut sorted = times_ms.to_vec();
        sorted.sort_by(f64::total_cmp);
        let rank = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).max(1) - 1).copied();
        Some(Self { p50_ms: rank(50)?, p95_ms: rank(95)?, max_ms: *sorted.last()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_those_of_the_textbook() {
        let times: Vec<f64> = (1..=100).rev().map(f64::from).collect();
        assert_eq!(Figures::of(&times), Some(Figures { p50_ms: 50.0, p95_ms: 95.0, max_ms: 100.0 }));
        assert_eq!(Figures::of(&[3.0]), Some(Figures { p50_ms: 3.0, p95_ms: 3.0, max_ms: 3.0 }));
        assert_eq!(Figures::of(&[]), None);
    }
}
