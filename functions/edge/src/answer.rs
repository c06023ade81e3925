//! The one place where decisions become HTTP responses.
//!
//! Knows statuses and headers; decides nothing about their content.

use crate::{border, log::Line};
use ordak_core::envelope::{Code, Envelope, Failure, Fault, Rejection};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use worker::web_sys;

/// Longest body that crosses as text: of a long one a copy of its bytes costs less.
const SHORT: usize = 2048;

/// What a function answers, before it becomes a response.
#[derive(Debug)]
pub struct Answer {
    status: u16,
    body: Vec<u8>,
    outcome: String,
    store: Option<String>,
    repeat: bool,
    attention: bool,
    fault: Option<String>,
    allow: Option<&'static str>,
}

/// The part of an envelope that decides a status; the rest stays unread.
#[derive(Deserialize)]
struct Head<'a> {
    ok: bool,
    #[serde(default)]
    already_done: bool,
    #[serde(default)]
    code: Option<String>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

/// What the log wants to know of the data.
#[derive(Default, Deserialize)]
struct About {
    #[serde(default)]
    store: Option<String>,
    #[serde(default)]
    outcome: Option<String>,
}

/// What a refusal says to people.
#[derive(Default, Deserialize)]
struct Refusal {
    #[serde(default)]
    message: String,
}

impl Answer {
    /// Any JSON with a status. `outcome` is the word for the log.
    #[must_use]
    pub fn json(status: u16, body: &impl Serialize, outcome: impl Into<String>) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self::new(status, body, outcome),
            Err(error) => {
                Self::failure(&Fault::internal(format!("answer cannot be written: {error}")).into())
            }
        }
    }

    fn new(status: u16, body: Vec<u8>, outcome: impl Into<String>) -> Self {
        Self {
            status,
            body,
            outcome: outcome.into(),
            store: None,
            repeat: false,
            attention: false,
            fault: None,
            allow: None,
        }
    }

    /// An envelope of our own.
    #[must_use]
    pub fn envelope(envelope: &Envelope, outcome: impl Into<String>) -> Self {
        Self::json(envelope.http_status(), envelope, outcome)
    }

    /// An envelope exactly as an RPC gave it. `INTERNAL` is hidden like any fault.
    ///
    /// # Errors
    /// A fault when the bytes are no envelope, or one that blames us.
    pub fn passed_through(body: Vec<u8>) -> Result<Self, Fault> {
        let head: Head<'_> = serde_json::from_slice(&body)
            .map_err(|error| Fault::internal(format!("answer is not an envelope: {:?}", error.classify())))?;
        if !head.ok {
            return match head.code.as_deref().map_or(Code::Internal, Code::parse) {
                Code::Internal => Err(Fault::internal("the database refused with INTERNAL")),
                code => Ok(Self::new(code.http_status(), body, code.as_str())),
            };
        }
        let about: About =
            head.data.and_then(|data| serde_json::from_str(data.get()).ok()).unwrap_or_default();
        let repeat = head.already_done;
        let outcome = about.outcome.unwrap_or_else(|| if repeat { "already_done" } else { "done" }.into());
        Ok(Self { store: about.store, repeat, ..Self::new(200, body, outcome) })
    }

    /// Either kind of error.
    #[must_use]
    pub fn failure(failure: &Failure) -> Self {
        let envelope = failure.envelope();
        let (outcome, fault) = match failure {
            Failure::Rejection(rejection) => (rejection.code, None),
            Failure::Fault(fault) => (fault.code(), Some(fault.detail().to_owned())),
        };
        let body = serde_json::to_vec(&envelope).unwrap_or_default();
        Self { fault, ..Self::new(envelope.http_status(), body, outcome.as_str()) }
    }

    /// 405, naming what is allowed.
    #[must_use]
    pub fn method_not_allowed(allow: &'static str) -> Self {
        let rejection = Rejection::new(Code::MethodNotAllowed, format!("only {allow} is possible here"));
        Self { allow: Some(allow), ..Self::failure(&rejection.into()) }
    }

    /// 404 for a path that leads nowhere.
    #[must_use]
    pub fn not_found() -> Self {
        Self::failure(&Rejection::not_found("there is nothing at this path").into())
    }

    /// The same refusal in another form, made from its code, its message and this time.
    #[must_use]
    pub fn told_as(self, form: fn(&str, &str, &str) -> serde_json::Value, timestamp: &str) -> Self {
        let message = serde_json::from_slice::<Refusal>(&self.body).unwrap_or_default().message;
        let body = form(&self.outcome, &message, timestamp).to_string().into_bytes();
        Self { body, ..self }
    }

    /// A success that a person should look at.
    #[must_use]
    pub fn worth_attention(self) -> Self {
        Self { attention: true, ..self }
    }

    /// With a reason for the log that the caller does not see.
    #[must_use]
    pub fn because(self, detail: &str) -> Self {
        Self { fault: Some(detail.to_owned()), ..self }
    }

    /// A success that changed nothing.
    #[must_use]
    pub fn without_news(self) -> Self {
        Self { repeat: true, ..self }
    }

    /// Whether a person should look at it although it is a success.
    #[must_use]
    pub fn needs_attention(&self) -> bool {
        self.attention
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The word for the log.
    #[must_use]
    pub fn outcome(&self) -> &str {
        &self.outcome
    }

    /// The store that the data names.
    #[must_use]
    pub fn store(&self) -> Option<&str> {
        self.store.as_deref()
    }

    /// What the log says of a fault, or of what stood in the way; the caller never sees it.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Whether something was asked for and newly done.
    #[must_use]
    pub fn is_news(&self) -> bool {
        self.status == 200 && !self.repeat
    }

    /// The response.
    ///
    /// # Errors
    /// When the runtime refuses it.
    pub fn into_response(self, id: &str) -> worker::Result<web_sys::Response> {
        self.respond(id)
    }

    fn respond(&self, id: &str) -> worker::Result<web_sys::Response> {
        border::respond(self.status, id, &self.body, self.allow).map_err(worker::Error::from)
    }

    /// Writes a line to the log and gives the response; when it is short, both cross the border at once.
    ///
    /// # Errors
    /// When the runtime refuses the response.
    pub fn conclude(&self, line: &Line<'_>, id: &str) -> worker::Result<web_sys::Response> {
        let body = Some(self.body.as_slice()).filter(|body| body.len() <= SHORT);
        let Some(body) = body.and_then(|body| std::str::from_utf8(body).ok()) else {
            line.write();
            return self.respond(id);
        };
        let text = [id, &line.text(), body].join("\n");
        border::conclude(self.status, &text, self.allow).map_err(worker::Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_envelope_passes_through_untouched() {
        let body = br#"{ "ok" : true, "data": {"a": 1e400, "b": 12345678901234567890123 } }"#.to_vec();
        let answer = Answer::passed_through(body.clone()).unwrap();
        assert_eq!((answer.status(), answer.outcome()), (200, "done"));
        assert_eq!(answer.body, body);
        assert!(answer.is_news());
    }

    #[test]
    fn a_repeat_is_no_news() {
        let answer =
            Answer::passed_through(br#"{"ok":true,"data":{},"already_done":true}"#.to_vec()).unwrap();
        assert_eq!((answer.status(), answer.outcome(), answer.is_news()), (200, "already_done", false));
    }

    #[test]
    fn the_log_learns_store_and_outcome_from_the_data() {
        let read = |data: &str| {
            Answer::passed_through(format!(r#"{{"ok":true,"data":{data}}}"#).into_bytes()).unwrap()
        };
        let answer = read(r#"{"event_id":1,"store":"bannos","outcome":"created"}"#);
        assert_eq!((answer.store(), answer.outcome()), (Some("bannos"), "created"));
        for data in ["[]", "null", "7", r#"{"store":7}"#] {
            assert_eq!((read(data).store(), read(data).outcome()), (None, "done"));
        }
    }

    #[test]
    fn a_refusal_has_the_status_of_its_code() {
        for (code, status) in
            [("INVALID_STAGE", 409), ("NOT_FOUND", 404), ("BAD_INPUT", 400), ("LIMIT_REACHED", 429)]
        {
            let body = json!({"ok": false, "code": code, "message": "m"}).to_string();
            let answer = Answer::passed_through(body.into_bytes()).unwrap();
            assert_eq!((answer.status(), answer.outcome()), (status, code));
            assert!(!answer.is_news());
        }
    }

    #[test]
    fn what_is_our_fault_is_not_passed_on() {
        for body in [
            &b"<html>"[..],
            b"[]",
            br#"{"ok":false,"code":"INTERNAL","message":"row (jamie)"}"#,
            br#"{"ok":false}"#,
        ] {
            let fault = Answer::passed_through(body.to_vec()).unwrap_err();
            assert_eq!(fault.code(), Code::Internal);
            assert!(!fault.detail().contains("jamie"));
        }
    }

    #[test]
    fn a_refusal_may_take_another_form_and_stays_what_it_is() {
        let fault = Answer::failure(&Fault::unavailable("rpc: no answer in time").into());
        let answer = fault.told_as(|code, said, at| json!([code, said, at]), "10:30");
        assert_eq!((answer.status(), answer.outcome()), (503, "UNAVAILABLE"));
        assert_eq!(answer.fault(), Some("rpc: no answer in time"));
        let body = r#"["UNAVAILABLE","temporarily unavailable, try again","10:30"]"#;
        assert_eq!(String::from_utf8(answer.body).unwrap(), body);
    }

    #[test]
    fn a_fault_keeps_its_detail_for_the_log() {
        let answer = Answer::failure(&Fault::unavailable("ingest: no answer in time").into());
        assert_eq!((answer.status(), answer.outcome()), (503, "UNAVAILABLE"));
        assert_eq!(answer.fault(), Some("ingest: no answer in time"));
        assert!(!String::from_utf8(answer.body).unwrap().contains("ingest"));
    }
}
