//! What an upstream's HTTP status means when it is no success, whoever the upstream is.
//!
//! Statuses with a meaning of their own (a token, a plan) are judged before, where that upstream is known.

use crate::retry_after;
use crate::work::WorkFailure;

/// The failure; `now` is in seconds since 1970.
#[must_use]
pub fn failure(upstream: &str, status: u16, retry_after: Option<&str>, now: i64) -> WorkFailure {
    let wait = retry_after::wait_ms(retry_after, now);
    match status {
        // 430 is Shopify's own: too many suspicious requests.
        429 | 430 => WorkFailure::throttled(format!("{upstream} asked to wait ({status})"), wait),
        408 | 425 => WorkFailure::transient(format!("{upstream} asked to come again ({status})"), wait),
        300..=399 => {
            WorkFailure::permanent(format!("{upstream} redirected, which is never followed ({status})"))
        }
        400..=499 => WorkFailure::permanent(format!("{upstream} refused the request ({status})")),
        _ => WorkFailure::transient(format!("{upstream} failed ({status})"), wait),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::ErrorClass::{Permanent, Transient};

    #[test]
    fn a_status_says_whether_to_come_again() {
        for (status, header, class, wait) in [
            (429, Some("2"), Transient, Some(2_000)),
            (429, None, Transient, None),
            (408, None, Transient, None),
            (500, None, Transient, None),
            (503, Some("7"), Transient, Some(7_000)),
            (302, None, Permanent, None),
            (400, Some("7"), Permanent, None),
            (404, None, Permanent, None),
            (410, None, Permanent, None),
            (0, None, Transient, None),
        ] {
            let failure = failure("Slack", status, header, 0);
            assert_eq!((failure.class, failure.retry_after_ms), (class, wait), "{status}");
            assert_eq!(failure.throttled, status == 429);
            assert!(failure.error.starts_with("Slack ") && failure.error.ends_with(&format!("({status})")));
        }
    }
}
