//! What an answer of Shopify's Admin API says, whatever was asked: its data, or why there are none, and what is left of
//! the budget that queries are paid from.
//!
//! Shopify refuses inside a 200: throttling, missing rights and wrong queries come as top-level `errors`. Knows no HTTP
//! client and no query.

use crate::retry_after;
use crate::upstream_status;
use crate::work::{ErrorClass, WorkFailure};
use serde_json::Value;

/// Wait when Shopify throttles without saying for how long.
const THROTTLED_WAIT_MS: u64 = 1_000;
/// Longest quotation of an upstream's message, in characters.
const LONGEST_QUOTE: usize = 200;

/// What came back.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// HTTP status.
    pub status: u16,
    /// The `Retry-After` header.
    pub retry_after: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// What kind of refusal it was, for whoever does more with it than retry or give up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Asked too much of late; `failure` says how long to wait when Shopify does.
    Throttled,
    /// The token is revoked or lacks a right.
    Access,
    /// There is no token to ask with: a setting or the store's credentials are missing or wrong.
    Misconfigured,
    /// Our own database did not say what to ask with.
    Database,
    /// The document costs more than any one may: asking for less helps.
    TooCostly,
    /// Asking again as it is cannot help.
    Refused,
    /// Asking again later may help.
    Passing,
}

/// An answer without the data that were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind it was.
    pub kind: Kind,
    /// Its class for a retry, its text, and the wait that was asked for.
    pub failure: WorkFailure,
}

impl From<Refusal> for WorkFailure {
    fn from(refusal: Refusal) -> Self {
        refusal.failure
    }
}

impl Answer<'_> {
    /// The whole body of an answer that says of no error; `now` is in seconds since 1970.
    ///
    /// # Errors
    /// The refusal, when the status, the body or its `errors` say so.
    pub fn read(self, now: i64) -> Result<Value, Refusal> {
        if !(200..300).contains(&self.status) {
            return Err(self.by_status(now));
        }
        let unreadable = || passing("Shopify's answer is not JSON");
        let body: Value = serde_json::from_slice(self.body).map_err(|_| unreadable())?;
        if !body.is_object() {
            return Err(unreadable());
        }
        by_errors(&body).map_or(Ok(body), Err)
    }

    fn by_status(self, now: i64) -> Refusal {
        let (status, header) = (self.status, self.retry_after);
        let failure = match status {
            401 | 403 => WorkFailure::permanent(format!("Shopify refused the access token ({status})")),
            402 => WorkFailure::limit(
                "Shopify has frozen the shop for its plan (402)",
                retry_after::wait_ms(header, now),
            ),
            _ => upstream_status::failure("Shopify", status, header, now),
        };
        let kind = match (status, failure.class) {
            (401 | 403, _) => Kind::Access,
            (429 | 430, _) => Kind::Throttled,
            (_, ErrorClass::Transient) => Kind::Passing,
            _ => Kind::Refused,
        };
        Refusal { kind, failure }
    }
}

/// Nothing usable came: asking again later may help.
#[must_use]
pub fn passing(error: impl Into<String>) -> Refusal {
    Refusal { kind: Kind::Passing, failure: WorkFailure::transient(error, None) }
}

/// The refusal that top-level `errors` mean, if there are any.
fn by_errors(body: &Value) -> Option<Refusal> {
    let errors = match body.get("errors") {
        None | Some(Value::Null) => return None,
        Some(Value::Array(errors)) if errors.is_empty() => return None,
        Some(Value::Array(errors)) => errors.as_slice(),
        Some(other) => std::slice::from_ref(other),
    };
    let refusals: Vec<Refusal> = errors.iter().map(|error| by_error(error, body)).collect();
    // Throttled as a whole: whatever else is said did not happen either. Otherwise the incurable decides.
    let throttled = refusals.iter().find(|refusal| refusal.kind == Kind::Throttled);
    let permanent = || refusals.iter().find(|refusal| refusal.failure.class == ErrorClass::Permanent);
    throttled.or_else(permanent).or(refusals.first()).cloned()
}

fn by_error(error: &Value, body: &Value) -> Refusal {
    let code = error.pointer("/extensions/code").and_then(Value::as_str);
    let text =
        format!("Shopify: {}", quote(code, error.get("message").or(Some(error)).and_then(Value::as_str)));
    let (kind, failure) = match code {
        Some("THROTTLED") => {
            let wait = throttle_wait_ms(body).unwrap_or(THROTTLED_WAIT_MS);
            (Kind::Throttled, WorkFailure::throttled(text, Some(wait)))
        }
        None | Some("INTERNAL_SERVER_ERROR" | "TIMEOUT" | "SERVICE_UNAVAILABLE") => {
            (Kind::Passing, WorkFailure::transient(text, None))
        }
        Some("ACCESS_DENIED") => (Kind::Access, WorkFailure::permanent(text)),
        Some("MAX_COST_EXCEEDED") => (Kind::TooCostly, WorkFailure::permanent(text)),
        Some(_) => (Kind::Refused, WorkFailure::permanent(text)),
    };
    Refusal { kind, failure }
}

/// (needed − available) / restore rate, rounded up.
fn throttle_wait_ms(body: &Value) -> Option<u64> {
    let cost = Cost::of(body)?;
    Some(cost.wait_ms(cost.requested?))
}

/// What a query cost and what is left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    requested: Option<f64>,
    available: f64,
    maximum: Option<f64>,
    restored_a_second: f64,
}

impl Cost {
    /// What the `extensions` of an answer say.
    #[must_use]
    pub fn of(body: &Value) -> Option<Self> {
        let cost = body.pointer("/extensions/cost")?;
        let figure = |path: &str| cost.pointer(path).and_then(Value::as_f64);
        Some(Self {
            requested: figure("/requestedQueryCost"),
            available: figure("/throttleStatus/currentlyAvailable")?,
            maximum: figure("/throttleStatus/maximumAvailable"),
            restored_a_second: figure("/throttleStatus/restoreRate").filter(|rate| *rate > 0.0)?,
        })
    }

    /// How long to wait until the same query can be asked again and a quarter of the budget, which the app's other
    /// work is paid from as well, is still left.
    #[must_use]
    pub fn pause_ms(&self) -> u64 {
        let maximum = self.maximum.unwrap_or(self.available);
        let wanted = (self.requested.unwrap_or(0.0) + maximum / 4.0).min(maximum);
        self.wait_ms(wanted)
    }

    fn wait_ms(&self, needed: f64) -> u64 {
        let wait = ((needed - self.available).max(0.0) / self.restored_a_second * 1000.0).ceil();
        // Saturates: whoever waits has a limit of his own.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let wait = wait as u64;
        wait
    }
}

/// A message of Shopify's with its code, cut and without control characters.
pub(crate) fn quote(code: Option<&str>, message: Option<&str>) -> String {
    let message: String =
        message.unwrap_or_default().chars().filter(|c| !c.is_control()).take(LONGEST_QUOTE).collect();
    format!("{} {}", code.unwrap_or("(no code)"), message.trim()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use serde_json::json;

    fn read(status: u16, body: &[u8]) -> Result<Value, Kind> {
        Answer { status, retry_after: None, body }.read(0).map_err(|refusal| refusal.kind)
    }

    fn with_code(code: &str) -> Result<Value, Kind> {
        let body = json!({"data": {"a": 1}, "errors": [{"message": "m", "extensions": {"code": code}}]});
        read(200, body.to_string().as_bytes())
    }

    #[test]
    fn data_are_data_only_without_errors() {
        assert_eq!(read(200, br#"{"data":{"a":1},"errors":[]}"#).unwrap()["data"]["a"], 1);
        for (code, kind) in [
            ("THROTTLED", Kind::Throttled),
            ("ACCESS_DENIED", Kind::Access),
            ("MAX_COST_EXCEEDED", Kind::TooCostly),
            ("undefinedField", Kind::Refused),
            ("INTERNAL_SERVER_ERROR", Kind::Passing),
        ] {
            assert_eq!(with_code(code), Err(kind), "{code}");
        }
        for body in [&b""[..], b"<html>", b"[]", b"null"] {
            assert_eq!(read(200, body), Err(Kind::Passing));
        }
    }

    #[test]
    fn a_status_has_its_kind() {
        for (status, kind) in [
            (401, Kind::Access),
            (403, Kind::Access),
            (402, Kind::Refused),
            (404, Kind::Refused),
            (302, Kind::Refused),
            (429, Kind::Throttled),
            (408, Kind::Passing),
            (500, Kind::Passing),
            (503, Kind::Passing),
        ] {
            assert_eq!(read(status, b"{}"), Err(kind), "{status}");
        }
    }

    #[test]
    fn the_captured_refusals_are_understood() {
        let throttled = fixtures::read("shopify_gql_error__throttled");
        let refusal = Answer { status: 200, retry_after: None, body: &throttled }.read(0).unwrap_err();
        assert_eq!((refusal.kind, refusal.failure.retry_after_ms), (Kind::Throttled, Some(80)));
        assert_eq!(read(200, &fixtures::read("shopify_gql_error__max_cost_exceeded")), Err(Kind::TooCostly));
    }

    #[test]
    fn a_pause_leaves_room_for_others() {
        let pause = |requested: u64, available: u64| {
            let status =
                json!({"maximumAvailable": 2000, "currentlyAvailable": available, "restoreRate": 100});
            let body =
                json!({"extensions": {"cost": {"requestedQueryCost": requested, "throttleStatus": status}}});
            Cost::of(&body).unwrap().pause_ms()
        };
        assert_eq!(pause(100, 1900), 0);
        assert_eq!(pause(100, 600), 0);
        assert_eq!(pause(100, 590), 100);
        assert_eq!(pause(900, 0), 14_000);
        assert_eq!(pause(5000, 0), 20_000);
        assert_eq!(Cost::of(&json!({"data": {}})), None);
        let still =
            json!({"extensions": {"cost": {"throttleStatus": {"currentlyAvailable": 1, "restoreRate": 0}}}});
        assert_eq!(Cost::of(&still), None);
    }
}
