//! One number from which a whole run follows.
//!
//! Knows no clock: a run that is not told its seed draws one, and prints it when it fails.

use std::error::Error;
use std::fmt;

/// Bits of an id for the orders of one suite.
const ORDER_BITS: u32 = 21;
/// Suites that share a seed.
const SUITES: u8 = 8;

/// Seed of a run. The ids of its orders follow from it too, so that a repetition ends ties between equal instants
/// (which the content hash decides) as the first run did; it therefore needs a fresh database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed {
    number: u32,
    suite: u8,
}

impl Seed {
    /// `ORDAK_SEED`, else a random one. Each suite (0 to 7) draws from its own part of the seed.
    pub fn from_env(suite: u8) -> Result<Self, SeedError> {
        let number = match std::env::var("ORDAK_SEED") {
            Ok(text) => text.trim().parse().map_err(|_| SeedError(text))?,
            Err(_) => fastrand::u32(1..),
        };
        Ok(Self::new(number, suite))
    }

    /// The seed of this number, for one suite.
    #[must_use]
    pub fn new(number: u32, suite: u8) -> Self {
        Self { number, suite: suite % SUITES }
    }

    /// A generator for one part of the suite: the same part draws the same numbers.
    #[must_use]
    pub fn rng(self, part: u64) -> fastrand::Rng {
        let whole = (u64::from(self.number) << 3) | u64::from(self.suite);
        fastrand::Rng::with_seed(whole.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(part))
    }

    /// The id of an order of the suite; different for every number below two million.
    #[must_use]
    pub fn order_id(self, number: u32) -> i64 {
        (i64::from(self.number) << (ORDER_BITS + 3))
            + (i64::from(self.suite) << ORDER_BITS)
            + i64::from(number % (1 << ORDER_BITS))
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ORDAK_SEED={}", self.number)
    }
}

/// The value of `ORDAK_SEED` is no number below 2^32.
#[derive(Debug)]
pub struct SeedError(String);

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ORDAK_SEED is no number below 2^32: {}", self.0)
    }
}

impl Error for SeedError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() {
        assert_eq!(Seed::new(7, 1).rng(3).u64(..), Seed::new(7, 1).rng(3).u64(..));
        assert_ne!(Seed::new(7, 1).rng(3).u64(..), Seed::new(7, 2).rng(3).u64(..));
        assert_ne!(Seed::new(7, 1).rng(3).u64(..), Seed::new(7, 1).rng(4).u64(..));
    }

    #[test]
    fn ids_of_suites_and_seeds_do_not_meet() {
        let last = (1 << ORDER_BITS) - 1;
        assert!(Seed::new(7, 0).order_id(last) < Seed::new(7, 1).order_id(0));
        assert!(Seed::new(7, 7).order_id(last) < Seed::new(8, 0).order_id(0));
        assert!(Seed::new(u32::MAX, 7).order_id(last) > 0);
    }
}
