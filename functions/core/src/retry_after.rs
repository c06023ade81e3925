//! How long an upstream asks us to wait.
//!
//! Knows both forms of the `Retry-After` header (seconds, or a date) and nothing of who sent it.

use crate::calendar;

/// The wait in milliseconds; `now` is in seconds since 1970. A date that has passed means no wait. Anything unreadable
/// is `None`: the queue's own back-off applies.
#[must_use]
pub fn wait_ms(header: Option<&str>, now: i64) -> Option<u64> {
    let header = header?.trim();
    let (whole, fraction) = header.split_once('.').unwrap_or((header, ""));
    if let Some(seconds) = calendar::number(whole).filter(|_| !whole.is_empty()) {
        // Shopify writes "2.0".
        let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        return Some(u64::from(seconds) * 1000 + millis);
    }
    let at = calendar::http_date(header)?;
    u64::try_from(at.saturating_sub(now).max(0)).ok().map(|seconds| seconds * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_seconds() {
        assert_eq!(wait_ms(Some("120"), 0), Some(120_000));
        assert_eq!(wait_ms(Some(" 2.0 "), 0), Some(2_000));
        assert_eq!(wait_ms(Some("0.25"), 0), Some(250));
        assert_eq!(wait_ms(Some("0"), 0), Some(0));
    }

    #[test]
    fn reads_a_date() {
        let header = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(wait_ms(header, 784_111_777 - 30), Some(30_000));
        assert_eq!(wait_ms(header, 784_111_777 + 30), Some(0));
    }

    #[test]
    fn anything_else_is_no_answer() {
        assert_eq!(wait_ms(None, 0), None);
        for header in ["", "soon", "-1", "1e3", "99999999999", "1.x", "NaN", "é", ".5"] {
            assert_eq!(wait_ms(Some(header), 0), None, "{header}");
        }
    }
}
