//! Decimal numbers as text: read exactly, written plainly, never through a float.
//!
//! Knows no currencies.

/// Exponents beyond this are read as "huge" or as zero.
const GREATEST_EXPONENT: i64 = 40;
/// Longest text that is read.
const LONGEST: usize = 512;

/// A number taken apart into its digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    /// Without leading zeros; empty for zero.
    integer: String,
    /// As written, zeros included.
    fraction: String,
}

impl Decimal {
    /// Reads `12`, `-12.50`, `.5`, `1.5e3`. Signs other than one minus or plus, separators of thousands and currency
    /// signs are not numbers.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > LONGEST {
            return None;
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, read_exponent(exponent)?),
            None => (text, 0),
        };
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if !digits(integer) || !digits(fraction) || (integer.is_empty() && fraction.is_empty()) {
            return None;
        }
        let (integer, fraction) = shift(integer, fraction, exponent);
        let integer = integer.trim_start_matches('0').to_owned();
        let negative = negative && !(integer.is_empty() && fraction.bytes().all(|b| b == b'0'));
        Some(Self { negative, integer, fraction })
    }

    /// The exact sum of two numbers that are not negative; `None` when one is.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Option<Self> {
        if self.negative || other.negative {
            return None;
        }
        let places = self.fraction.len().max(other.fraction.len());
        let digits = |number: &Self| format!("{}{:0<places$}", number.integer, number.fraction);
        let (a, b) = (digits(self), digits(other));
        let (mut a, mut b) = (a.bytes().rev(), b.bytes().rev());
        let (mut sum, mut carry) = (Vec::new(), 0);
        loop {
            let (left, right) = (a.next(), b.next());
            if left.is_none() && right.is_none() {
                break;
            }
            let digit = |byte: Option<u8>| byte.map_or(0, |byte| byte - b'0');
            let total = digit(left) + digit(right) + carry;
            sum.push(char::from(b'0' + total % 10));
            carry = total / 10;
        }
        if carry > 0 {
            sum.push('1');
        }
        let sum: String = sum.into_iter().rev().collect();
        let (integer, fraction) = sum.split_at(sum.len() - places);
        let integer = integer.trim_start_matches('0').to_owned();
        Some(Self { negative: false, integer, fraction: fraction.to_owned() })
    }

    /// Number of digits before the point, leading zeros not counted.
    #[must_use]
    pub fn integer_digits(&self) -> usize {
        self.integer.len()
    }

    /// The whole part, brought into a range.
    #[must_use]
    pub fn clamped(&self, least: i32, greatest: i32) -> i32 {
        let whole = match self.integer.as_str() {
            "" => 0,
            digits => digits.parse::<i64>().unwrap_or(i64::MAX),
        };
        let whole = if self.negative { -whole } else { whole };
        i32::try_from(whole.clamp(i64::from(least), i64::from(greatest))).unwrap_or(least)
    }

    /// Plain notation with the decimals that were written; zeros beyond `decimals` are dropped, other digits kept.
    #[must_use]
    pub fn plain(&self, decimals: usize) -> String {
        let kept = self.fraction.trim_end_matches('0').len().max(decimals.min(self.fraction.len()));
        let fraction = self.fraction.get(..kept).unwrap_or_default();
        let sign = if self.negative { "-" } else { "" };
        let integer = if self.integer.is_empty() { "0" } else { &self.integer };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{integer}{point}{fraction}")
    }
}

fn read_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX);
    Some(if negative { -value } else { value })
}

/// Moves the decimal point.
fn shift(integer: &str, fraction: &str, exponent: i64) -> (String, String) {
    let zero = integer.bytes().chain(fraction.bytes()).all(|b| b == b'0');
    if exponent == 0 || zero {
        return (integer.to_owned(), fraction.to_owned());
    }
    if exponent > GREATEST_EXPONENT {
        let digits = usize::try_from(GREATEST_EXPONENT).unwrap_or(0) + 1;
        return ("9".repeat(digits), String::new());
    }
    if exponent < -GREATEST_EXPONENT {
        return (String::new(), String::new());
    }
    let places = usize::try_from(exponent.unsigned_abs()).unwrap_or(0);
    if exponent > 0 {
        let padded = format!("{fraction:0<places$}");
        let (moved, left) = padded.split_at(places);
        (format!("{integer}{moved}"), left.to_owned())
    } else {
        let padded = format!("{integer:0>places$}");
        let (left, moved) = padded.split_at(padded.len() - places);
        (left.to_owned(), format!("{moved}{fraction}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<String> {
        Decimal::parse(text).map(|decimal| decimal.plain(3))
    }

    #[test]
    fn keeps_what_was_written() {
        for text in ["89.00", "0", "0.00", "600", "0.001", "12345678901234567890.12", "0.30000000000000004"] {
            assert_eq!(plain(text).as_deref(), Some(text));
        }
    }

    #[test]
    fn writes_plainly() {
        let cases = [
            (" 89.00 ", "89.00"),
            ("250.0000", "250.000"),
            ("1.23450", "1.2345"),
            ("007.5", "7.5"),
            (".5", "0.5"),
            ("5.", "5"),
            ("+5", "5"),
            ("-5.10", "-5.10"),
            ("-0.00", "0.00"),
            ("1e2", "100"),
            ("1.5E+3", "1500"),
            ("1.2345e2", "123.45"),
            ("125e-2", "1.25"),
            ("1e-3", "0.001"),
            ("0e400", "0"),
        ];
        for (text, expected) in cases {
            assert_eq!(plain(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_a_number() {
        let endless = "9".repeat(513);
        for text in [
            "", " ", "-", ".", "e5", "1e", "1e+", "--1", "1,000.00", "$5", "INR 250", "5 AUD", "NaN", "١٢",
            "1.2.3", &endless,
        ] {
            assert_eq!(plain(text), None, "{text}");
        }
    }

    #[test]
    fn whole_parts_stay_in_range() {
        let clamped = |text: &str| Decimal::parse(text).map(|decimal| decimal.clamped(0, 1_000_000));
        assert_eq!(clamped("3"), Some(3));
        assert_eq!(clamped("3.9"), Some(3));
        assert_eq!(clamped("-3"), Some(0));
        assert_eq!(clamped("1e400"), Some(1_000_000));
        assert_eq!(clamped("1e-400"), Some(0));
        assert_eq!(clamped("99999999999999999999999"), Some(1_000_000));
        assert_eq!(Decimal::parse("1e400").unwrap().integer_digits(), 41);
    }

    #[test]
    fn sums_are_exact() {
        let sum =
            |a: &str, b: &str| Some(Decimal::parse(a).unwrap().plus(&Decimal::parse(b).unwrap())?.plain(3));
        for (a, b, expected) in [
            ("14.10", "15.00", "29.10"),
            ("0.1", "0.2", "0.3"),
            ("0", "0", "0"),
            ("0.99", "0.01", "1.00"),
            ("999", "1", "1000"),
            ("5", "0.005", "5.005"),
            ("12345678901234567890.12", "0.9", "12345678901234567891.02"),
        ] {
            assert_eq!(sum(a, b).as_deref(), Some(expected), "{a} + {b}");
            assert_eq!(sum(b, a).as_deref(), Some(expected), "{b} + {a}");
        }
        assert_eq!(sum("-1", "2"), None);
        for a in 0..300u32 {
            for b in 0..300u32 {
                let written = |cents: u32| format!("{}.{:02}", cents / 100, cents % 100);
                let (x, y) = (written(a), written(10 * b));
                assert_eq!(sum(&x, &y), Some(written(a + 10 * b)), "{x} + {y}");
            }
        }
    }

    #[test]
    fn moving_the_point_there_and_back_changes_nothing() {
        for digits in 0..1000u32 {
            for places in 0..8 {
                let text = format!("{digits}e-{places}");
                let back = format!("{}e{places}", plain(&text).unwrap());
                assert_eq!(Decimal::parse(&back).unwrap().clamped(0, 1000), i32::try_from(digits).unwrap());
            }
        }
    }
}
