//! Errors as Sentry takes them: the address in a DSN, the header that names its key, and the envelope of an event.
//!
//! An event names function, store, request and what went wrong, never a person: every text is masked here.

use super::clean;
use crate::secret::Secret;
use serde_json::json;

/// How this client calls itself.
const CLIENT: &str = concat!("ordak/", env!("CARGO_PKG_VERSION"));
/// Longest part of an error that errors are told apart by.
const LONGEST_SHAPE: usize = 120;

/// What `SENTRY_DSN` says: `https://<key>@<host>[/<path>]/<project>`.
#[derive(Clone, Debug)]
pub struct Dsn {
    endpoint: String,
    key: Secret,
}

impl Dsn {
    /// Reads one; `None` when it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once("://")?;
        let (user, place) = rest.split_once('@')?;
        // A secret behind the key is of old times: nothing asks for it any more.
        let key = user.split(':').next()?;
        let (base, project) = place.trim_end_matches('/').rsplit_once('/')?;
        let host = base.split('/').next()?;
        let is_host = !host.is_empty()
            && host
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'[' | b']'));
        let is_path =
            base.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'@' | b'?' | b'#' | b'\\' | b'"'));
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric());
        let is_project = !project.is_empty() && project.bytes().all(|b| b.is_ascii_digit());
        (matches!(scheme, "https" | "http") && is_host && is_path && is_key && is_project).then(|| Self {
            endpoint: format!("{scheme}://{base}/api/{project}/envelope/"),
            key: Secret::new(key),
        })
    }

    /// Where envelopes go.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The value of `X-Sentry-Auth`.
    #[must_use]
    pub fn auth(&self) -> String {
        format!("Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={}", self.key.expose())
    }
}

/// Where this code runs.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Which version.
    pub release: String,
    /// Which deployment, such as `production`.
    pub environment: String,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something needs a person, but nothing broke.
    Warning,
    /// Our fault.
    Error,
}

/// What went wrong.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// How bad it is.
    pub severity: Severity,
    /// In which function.
    pub function: &'a str,
    /// In which request.
    pub request_id: &'a str,
    /// For which store, when that is known.
    pub store: Option<&'a str>,
    /// At which route or topic, when that is known.
    pub route: Option<&'a str>,
    /// In a word, what came of it.
    pub outcome: &'a str,
    /// Which status was answered, if any was.
    pub status: Option<u16>,
    /// What happened.
    pub detail: &'a str,
}

/// The envelope of an event. `id` is random: 32 hexadecimal digits; `now` is RFC 3339.
#[must_use]
pub fn envelope(event: &Event<'_>, surroundings: &Surroundings, id: &str, now: &str) -> String {
    let detail = clean(if event.detail.is_empty() { event.outcome } else { event.detail });
    let level = match event.severity {
        Severity::Warning => "warning",
        Severity::Error => "error",
    };
    let payload = json!({
        "event_id": id,
        "timestamp": now,
        "platform": "other",
        "level": level,
        "logger": event.function,
        "transaction": event.route.map(clean),
        "release": surroundings.release,
        "environment": surroundings.environment,
        "tags": {
            "function": event.function,
            "request_id": clean(event.request_id),
            "store": event.store.map(clean),
            "outcome": clean(event.outcome),
            "status": event.status.map(|status| status.to_string()),
        },
        "fingerprint": [event.function, clean(event.outcome), shape(&detail)],
        "exception": {"values": [{"type": clean(event.outcome), "value": detail}]},
    })
    .to_string();
    let head = json!({"event_id": id, "sent_at": now});
    let item = json!({"type": "event", "length": payload.len(), "content_type": "application/json"});
    format!("{head}\n{item}\n{payload}\n")
}

/// An error without its figures and ids: the same for each time that it happens.
fn shape(detail: &str) -> String {
    let mut shape = String::new();
    for word in detail.split(' ') {
        if shape.len() > LONGEST_SHAPE {
            break;
        }
        shape.push(' ');
        shape.push_str(if word.bytes().any(|b| b.is_ascii_digit()) { "#" } else { word });
    }
    shape.trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const EVENT: Event<'static> = Event {
        severity: Severity::Error,
        function: "order-ingest",
        request_id: "req-12345678",
        store: Some("bannos"),
        route: Some("orders/create"),
        outcome: "INTERNAL",
        status: Some(500),
        detail: "ingest_shopify_event: refused with 23514",
    };

    fn told(event: &Event<'_>) -> (String, Vec<Value>) {
        let surroundings = Surroundings { release: "ordak@0.1.0".into(), environment: "production".into() };
        let id = "0123456789abcdef0123456789abcdef";
        let envelope = envelope(event, &surroundings, id, "2026-11-21T00:00:00.000Z");
        let lines = envelope.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (envelope, lines)
    }

    #[test]
    fn a_dsn_says_where_and_with_which_key() {
        let dsn = Dsn::parse("https://abc123@o1.ingest.sentry.io/42").unwrap();
        assert_eq!(dsn.endpoint(), "https://o1.ingest.sentry.io/api/42/envelope/");
        assert_eq!(dsn.auth(), format!("Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key=abc123"));
        assert!(!format!("{dsn:?}").contains("abc123"));
        let dsn = Dsn::parse(" http://abc:old@127.0.0.1:8783/sentry/1/ ").unwrap();
        assert_eq!(dsn.endpoint(), "http://127.0.0.1:8783/sentry/api/1/envelope/");
        assert!(dsn.auth().ends_with("sentry_key=abc"));
    }

    #[test]
    fn what_is_no_dsn_is_none() {
        for text in [
            "",
            "https://o1.ingest.sentry.io/42",
            "abc@host/42",
            "https://@host/42",
            "https://abc@host",
            "https://abc@host/x",
            "https://abc@/42",
            "ftp://abc@host/42",
            "https://a b@host/42",
            "https://abc@host/42?x=1",
            "https://abc@ho st/42",
            "https://abc@host/a#b/42",
            "https://abc@evil@host/42",
        ] {
            assert!(Dsn::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn an_envelope_is_a_head_an_item_and_an_event() {
        let (text, lines) = told(&EVENT);
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0]["event_id"], lines[2]["event_id"]);
        assert_eq!(lines[1]["type"], "event");
        assert_eq!(lines[1]["length"], text.lines().last().unwrap().len());
        assert_eq!(lines[2]["level"], "error");
        assert_eq!(lines[2]["tags"]["request_id"], "req-12345678");
        assert_eq!(lines[2]["exception"]["values"][0]["type"], "INTERNAL");
        assert_eq!(lines[2]["release"], "ordak@0.1.0");
    }

    #[test]
    fn a_length_counts_bytes_and_nothing_starts_a_line() {
        let (text, lines) = told(&Event { detail: "grün\n{\"type\":\"event\"}\u{0}", ..EVENT });
        assert_eq!(lines[1]["length"], text.lines().last().unwrap().len());
        assert_eq!(text.lines().count(), 3);
    }

    #[test]
    fn nobody_is_named() {
        let event = Event {
            detail: "jamie.rivera@example.com +61400000001",
            route: Some("x/jamie.rivera@example.com"),
            store: Some("+61400000001"),
            ..EVENT
        };
        let (text, _) = told(&event);
        assert!(!text.contains("jamie.rivera") && !text.contains("61400000001"), "{text}");
    }

    #[test]
    fn the_same_error_has_one_fingerprint_whatever_it_is_about() {
        let of = |detail: &'static str| told(&Event { detail, ..EVENT }).1[2]["fingerprint"].clone();
        assert_eq!(of("order bannos-12 took 31 ms"), of("order bannos-7 took 5000 ms"));
        assert_ne!(of("not reached"), of("no answer in time"));
        let long = of(Box::leak("word ".repeat(400).into_boxed_str()));
        assert!(long[2].as_str().unwrap().len() <= LONGEST_SHAPE + 10);
    }
}
