//! The answer envelope, its codes and their HTTP statuses, and the two kinds of error.
//!
//! A [`Rejection`] is the caller's doing: a stable code and a sentence that is safe to show. A [`Fault`] is ours: the
//! caller learns only its kind, the detail is for one log line. Knows no HTTP library and no database.

mod failure;

pub use failure::{Failure, Fault, Rejection};

use serde::{Deserialize, Serialize, ser::SerializeStruct};
use serde_json::{Value, json};
use std::fmt;

/// Every code an answer can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Code {
    BadInput,
    NotFound,
    PermissionDenied,
    InvalidStage,
    Conflict,
    InsufficientStock,
    LimitReached,
    Upstream,
    Internal,
    Unauthenticated,
    MethodNotAllowed,
    PayloadTooLarge,
    Unavailable,
    Misconfigured,
}

const CODES: [(Code, &str, u16); 14] = [
    (Code::BadInput, "BAD_INPUT", 400),
    (Code::NotFound, "NOT_FOUND", 404),
    (Code::PermissionDenied, "PERMISSION_DENIED", 403),
    (Code::InvalidStage, "INVALID_STAGE", 409),
    (Code::Conflict, "CONFLICT", 409),
    (Code::InsufficientStock, "INSUFFICIENT_STOCK", 409),
    (Code::LimitReached, "LIMIT_REACHED", 429),
    (Code::Upstream, "UPSTREAM", 502),
    (Code::Internal, "INTERNAL", 500),
    (Code::Unauthenticated, "UNAUTHENTICATED", 401),
    (Code::MethodNotAllowed, "METHOD_NOT_ALLOWED", 405),
    (Code::PayloadTooLarge, "PAYLOAD_TOO_LARGE", 413),
    (Code::Unavailable, "UNAVAILABLE", 503),
    (Code::Misconfigured, "MISCONFIGURED", 500),
];

impl Code {
    /// The stable text of the code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        CODES.iter().find(|(code, ..)| *code == self).map_or("INTERNAL", |(_, text, _)| text)
    }

    /// The HTTP status that goes with the code.
    #[must_use]
    pub fn http_status(self) -> u16 {
        CODES.iter().find(|(code, ..)| *code == self).map_or(500, |(.., status)| *status)
    }

    /// Reads a code; anything unknown is `INTERNAL`, because nobody promised it.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        CODES.iter().find(|(_, known, _)| *known == text).map_or(Self::Internal, |(code, ..)| *code)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The answer of every RPC and of every function.
#[derive(Clone, Debug, PartialEq)]
pub enum Envelope {
    /// It happened, or had happened before (`already_done`).
    Done {
        /// What the caller asked for.
        data: Value,
        /// A repeat: nothing changed.
        already_done: bool,
    },
    /// It did not happen.
    Refused {
        /// Why, for programs.
        code: Code,
        /// Why, for people.
        message: String,
    },
}

#[derive(Deserialize)]
struct Wire {
    ok: bool,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    already_done: bool,
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Envelope {
    /// A success.
    #[must_use]
    pub fn done(data: Value) -> Self {
        Self::Done { data, already_done: false }
    }

    /// A refusal.
    #[must_use]
    pub fn refused(code: Code, message: impl Into<String>) -> Self {
        Self::Refused { code, message: message.into() }
    }

    /// Reads an RPC's answer. Anything that is not an envelope is our fault, not the caller's.
    ///
    /// # Errors
    /// A [`Fault`] of kind `INTERNAL` that does not quote the body.
    pub fn read(body: &[u8]) -> Result<Self, Fault> {
        let wire: Wire = serde_json::from_slice(body)
            .map_err(|error| Fault::internal(format!("answer is not an envelope: {:?}", error.classify())))?;
        Ok(if wire.ok {
            Self::Done { data: wire.data, already_done: wire.already_done }
        } else {
            Self::Refused { code: Code::parse(&wire.code), message: wire.message }
        })
    }

    /// The HTTP status of the answer.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self {
            Self::Done { .. } => 200,
            Self::Refused { code, .. } => code.http_status(),
        }
    }

    /// The data of a success, the failure otherwise.
    ///
    /// # Errors
    /// The refusal as a [`Failure`]: a [`Rejection`] for the caller's codes, a [`Fault`] for `INTERNAL` and the like.
    pub fn into_data(self) -> Result<Value, Failure> {
        match self {
            Self::Done { data, .. } => Ok(data),
            Self::Refused { code, message } if code.http_status() < 500 => {
                Err(Rejection { code, message }.into())
            }
            Self::Refused { code, message } => Err(Fault::of_kind(code, message).into()),
        }
    }

    /// The JSON form.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Done { data, already_done } => {
                json!({"ok": true, "data": data, "already_done": already_done})
            }
            Self::Refused { code, message } => {
                json!({"ok": false, "code": code.as_str(), "message": message})
            }
        }
    }
}

impl Serialize for Envelope {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Envelope", 3)?;
        match self {
            Self::Done { data, already_done } => {
                object.serialize_field("ok", &true)?;
                object.serialize_field("data", data)?;
                object.serialize_field("already_done", already_done)?;
            }
            Self::Refused { code, message } => {
                object.serialize_field("ok", &false)?;
                object.serialize_field("code", code.as_str())?;
                object.serialize_field("message", message)?;
            }
        }
        object.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_the_status_that_the_contract_gives() {
        let statuses: Vec<u16> = CODES.iter().take(9).map(|(code, ..)| code.http_status()).collect();
        assert_eq!(statuses, [400, 404, 403, 409, 409, 409, 429, 502, 500]);
        assert_eq!(Code::Unauthenticated.http_status(), 401);
        for (code, text, _) in CODES {
            assert_eq!(Code::parse(text), code);
        }
    }

    #[test]
    fn an_unknown_code_is_ours() {
        let envelope = Envelope::read(br#"{"ok":false,"code":"WHATEVER","message":"m"}"#).unwrap();
        assert_eq!(envelope.http_status(), 500);
    }

    #[test]
    fn a_repeat_is_not_an_error() {
        let envelope = Envelope::read(br#"{"ok":true,"data":{"id":"x"},"already_done":true}"#).unwrap();
        assert_eq!(envelope, Envelope::Done { data: json!({"id": "x"}), already_done: true });
        assert_eq!(envelope.http_status(), 200);
        assert_eq!(Envelope::read(envelope.to_json().to_string().as_bytes()).unwrap(), envelope);
    }

    #[test]
    fn what_is_not_an_envelope_is_a_fault_that_quotes_nothing() {
        for body in ["", "null", "[]", "<html>jamie@example.com", r#"{"message":"jamie@example.com"}"#] {
            let fault = Envelope::read(body.as_bytes()).unwrap_err();
            assert_eq!(fault.code(), Code::Internal);
            assert!(!fault.to_string().contains("jamie"));
        }
    }

    #[test]
    fn a_fault_shows_its_kind_and_hides_its_detail() {
        let shown = Fault::internal("row (jamie@example.com) violates …").envelope().to_json().to_string();
        assert!(shown.contains("INTERNAL") && !shown.contains("jamie"));
        let named = Fault::misconfigured("SUPABASE_URL is missing").envelope().to_json();
        assert_eq!(named["message"], "SUPABASE_URL is missing");
        assert_eq!(named["code"], "MISCONFIGURED");
    }

    #[test]
    fn a_refusal_of_the_database_keeps_its_blame() {
        let theirs = Envelope::refused(Code::InvalidStage, "expected Packing").into_data().unwrap_err();
        assert!(matches!(theirs, Failure::Rejection(_)));
        let ours = Envelope::refused(Code::Internal, "secret detail").into_data().unwrap_err();
        assert!(!ours.envelope().to_json().to_string().contains("secret"));
    }
}
