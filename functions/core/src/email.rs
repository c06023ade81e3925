//! E-mails to those who run a store: what an `email` item says, and what the answer of a service in the manner of
//! Resend means.
//!
//! Like an alert it names orders, SKUs and figures, never a customer. Knows no HTTP client.

use crate::alert;
use crate::upstream_status;
use crate::work::{WorkFailure, WorkItem};
use serde::Deserialize;
use serde_json::{Value, json};

/// Topic of these items.
pub const TOPIC: &str = "email";
/// Longest subject.
const LONGEST_SUBJECT: usize = 150;

/// What an error is called.
#[derive(Default, Deserialize)]
struct Named {
    #[serde(default)]
    name: String,
}

/// The body of the request.
///
/// # Errors
/// A failure for ever when the item says not to whom.
pub fn body(item: &WorkItem, from: &str) -> Result<String, WorkFailure> {
    let to = item.payload.get("to").and_then(Value::as_str).filter(|to| !to.is_empty());
    let to = to.ok_or_else(|| WorkFailure::permanent("the e-mail says not to whom"))?;
    let lines = alert::lines(item);
    let subject: String =
        lines.first().map(|line| line.chars().take(LONGEST_SUBJECT).collect()).unwrap_or_default();
    Ok(json!({"from": from, "to": [to], "subject": subject, "text": lines.join("\n")}).to_string())
}

/// Judges the answer; `now` is in seconds since 1970.
///
/// # Errors
/// The failure, when the e-mail was not taken.
pub fn judge(status: u16, retry_after: Option<&str>, body: &[u8], now: i64) -> Result<(), WorkFailure> {
    if (200..300).contains(&status) {
        // A web page comes from something on the way that has not passed the e-mail on.
        let page = body.trim_ascii_start().starts_with(b"<");
        let failure = || WorkFailure::transient("a web page answered in the e-mail service's place", None);
        return if page { Err(failure()) } else { Ok(()) };
    }
    let name = serde_json::from_slice::<Named>(body).unwrap_or_default().name;
    let failure = upstream_status::failure("the e-mail service", status, retry_after, now);
    Err(match (status, name.as_str()) {
        // The same e-mail is being sent at this moment: the next try hears what came of it.
        (409, "concurrent_idempotent_requests") => {
            WorkFailure::transient("the e-mail is under way already (409)", None)
        }
        (429, "daily_quota_exceeded" | "monthly_quota_exceeded") | (402, _) => WorkFailure::limit(
            format!("the quota of the e-mail service is used up ({status})"),
            failure.retry_after_ms,
        ),
        _ => failure,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::ErrorClass::{Limit, Permanent, Transient};

    fn item(payload: Value) -> WorkItem {
        let item = json!({"id": 1, "topic": TOPIC, "store": "bannos", "fence": 1, "payload": payload});
        serde_json::from_value(item).unwrap()
    }

    #[test]
    fn says_the_same_as_an_alert_does() {
        let details = json!({"kind": "orders_escalated", "to": "k@example.com", "orders": 2, "order_ids": ["bannos-1", "bannos-2"]});
        let body: Value =
            serde_json::from_str(&body(&item(details), "Ordak <o@example.com>").unwrap()).unwrap();
        assert_eq!(body["from"], "Ordak <o@example.com>");
        assert_eq!(body["to"], json!(["k@example.com"]));
        let subject = body["subject"].as_str().unwrap();
        assert!(subject.starts_with("bannos: orders have been in one stage for over two days"), "{subject}");
        let text = body["text"].as_str().unwrap();
        assert!(text.ends_with("order ids: bannos-1, bannos-2\norders: 2"), "{text}");
        assert!(!text.contains("k@example.com"), "{text}");
    }

    #[test]
    fn without_an_address_nothing_is_sent() {
        for payload in [json!({"kind": "k"}), json!({"to": ""}), json!({"to": ["a"]}), json!(null)] {
            assert_eq!(body(&item(payload), "o@example.com").unwrap_err().class, Permanent);
        }
    }

    #[test]
    fn nothing_breaks_out_of_its_line() {
        let details = json!({"kind": "k", "to": "k@example.com", "text": "a\r\nBcc: x@example.com", "sku": "x".repeat(900)});
        let body: Value = serde_json::from_str(&body(&item(details), "o@example.com").unwrap()).unwrap();
        let subject = body["subject"].as_str().unwrap();
        assert!(!subject.contains(char::is_control) && subject.chars().count() <= LONGEST_SUBJECT);
    }

    #[test]
    fn an_answer_says_whether_to_come_again() {
        let class =
            |status, body: &str| judge(status, None, body.as_bytes(), 0).map_err(|failure| failure.class);
        assert_eq!(class(200, r#"{"id":"x"}"#), Ok(()));
        assert_eq!(class(200, " <html>"), Err(Transient));
        for (status, name, expected) in [
            (401, "missing_api_key", Permanent),
            (403, "invalid_api_key", Permanent),
            (409, "invalid_idempotent_request", Permanent),
            (409, "concurrent_idempotent_requests", Transient),
            (422, "validation_error", Permanent),
            (429, "rate_limit_exceeded", Transient),
            (429, "daily_quota_exceeded", Limit),
            (402, "", Limit),
            (500, "application_error", Transient),
            (302, "", Permanent),
        ] {
            assert_eq!(class(status, &json!({"name": name}).to_string()), Err(expected), "{status} {name}");
        }
        assert_eq!(judge(429, Some("2"), b"", 0).unwrap_err().retry_after_ms, Some(2000));
    }
}
