//! An amount of money in thousandths, exactly. No currency has more decimals.

use crate::decimal::Decimal;
use std::fmt;

const DECIMALS: usize = 3;

/// Never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(u64);

impl Amount {
    /// Reads `12.50`; nothing that is negative, finer than thousandths or beyond all money.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = Decimal::parse(text)?.plain(0);
        let (whole, fraction) = plain.split_once('.').unwrap_or((&plain, ""));
        if fraction.len() > DECIMALS {
            return None;
        }
        let whole = whole.parse::<u64>().ok()?;
        let fraction = format!("{fraction:0<DECIMALS$}").parse::<u64>().ok()?;
        whole.checked_mul(1000)?.checked_add(fraction).map(Self)
    }

    /// What is left of it.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / 1000, self.0 % 1000);
        if fraction % 10 == 0 {
            write!(f, "{whole}.{:02}", fraction / 10)
        } else {
            write!(f, "{whole}.{fraction:03}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_exactly() {
        for (text, shown) in [
            ("36.80", "36.80"),
            ("36.8", "36.80"),
            ("1200", "1200.00"),
            ("0.005", "0.005"),
            ("12345678901234.567", "12345678901234.567"),
            ("1e2", "100.00"),
        ] {
            assert_eq!(Amount::parse(text).unwrap().to_string(), shown);
        }
        for text in ["", "-1", "1.2345", "x", "1e30", "NaN"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn subtracting_ends_at_nothing() {
        let amount = |text: &str| Amount::parse(text).unwrap();
        assert_eq!(amount("0.30").less(amount("0.10")), amount("0.20"));
        assert!(amount("1").less(amount("2")).is_zero());
    }
}
