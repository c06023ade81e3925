//! Numbers of a document: their grammar, and which of them the database can hold.

/// Longest number token; no honest one comes near.
const LONGEST: usize = 400;
/// Number of digits before the decimal point from which a number is no longer a finite double, which some readers
/// between us and the database are built on.
const GREATEST_MAGNITUDE: i64 = 308;
/// Smallest exponent that is let through; Postgres' numeric ends at 16383 decimals.
const SMALLEST_EXPONENT: i64 = -400;

/// How long the number is that begins here, and whether it can be stored; `None` when it is none.
pub(super) fn length(text: &[u8]) -> Option<(usize, bool)> {
    let mut at = usize::from(text.first() == Some(&b'-'));
    let whole = digits(text, at);
    if whole == 0 || (whole > 1 && text.get(at) == Some(&b'0')) {
        return None;
    }
    at += whole;
    if text.get(at) == Some(&b'.') {
        let decimals = digits(text, at + 1);
        if decimals == 0 {
            return None;
        }
        at += 1 + decimals;
    }
    let mut exponent = 0;
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let sign = text.get(at + 1).copied();
        at += 1 + usize::from(matches!(sign, Some(b'-' | b'+')));
        let many = digits(text, at);
        if many == 0 {
            return None;
        }
        let value = text
            .iter()
            .skip(at)
            .take(many)
            .fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
        exponent = if sign == Some(b'-') { -value } else { value };
        at += many;
    }
    let magnitude = (whole as i64).saturating_add(exponent);
    let storable = at <= LONGEST
        && if exponent < 0 { exponent >= SMALLEST_EXPONENT } else { magnitude <= GREATEST_MAGNITUDE };
    Some((at, storable))
}

fn digits(text: &[u8], from: usize) -> usize {
    text.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count()
}
