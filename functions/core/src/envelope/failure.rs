//! The two kinds of error, split by blame.

use super::{Code, Envelope};
use std::fmt;

/// The caller's error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Stable code.
    pub code: Code,
    /// A sentence that is safe to show.
    pub message: String,
}

impl Rejection {
    /// A rejection with any code.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The input cannot be used as it is.
    #[must_use]
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(Code::BadInput, message)
    }

    /// Nobody said, or proved, who is calling.
    #[must_use]
    pub fn unauthenticated(message: impl Into<String>) -> Self {
        Self::new(Code::Unauthenticated, message)
    }

    /// There is no such thing, or the caller may not know of it.
    #[must_use]
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Code::NotFound, message)
    }

    /// The envelope that tells the caller.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        Envelope::refused(self.code, self.message.clone())
    }
}

/// Our error. `Display` and the log show the detail; the caller sees [`Fault::envelope`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    code: Code,
    shown: Option<String>,
    detail: String,
}

impl Fault {
    pub(super) fn of_kind(code: Code, detail: impl Into<String>) -> Self {
        Self { code, shown: None, detail: detail.into() }
    }

    /// Something that cannot happen did.
    #[must_use]
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::of_kind(Code::Internal, detail)
    }

    /// The database or a binding did not answer in time: the caller should come again.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::of_kind(Code::Unavailable, detail)
    }

    /// Someone else's system failed us.
    #[must_use]
    pub fn upstream(detail: impl Into<String>) -> Self {
        Self::of_kind(Code::Upstream, detail)
    }

    /// Settings are missing or wrong. The message names variables, never values, and is shown as it is.
    #[must_use]
    pub fn misconfigured(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { code: Code::Misconfigured, shown: Some(message.clone()), detail: message }
    }

    /// The kind of the fault.
    #[must_use]
    pub fn code(&self) -> Code {
        self.code
    }

    /// What happened, for the log alone.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The envelope that tells the caller no more than the kind.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        let message = match (&self.shown, self.code) {
            (Some(shown), _) => shown.clone(),
            (None, Code::Unavailable) => "temporarily unavailable, try again".into(),
            (None, Code::Upstream) => "another system did not answer as expected".into(),
            (None, _) => "something went wrong on our side".into(),
        };
        Envelope::refused(self.code, message)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for Fault {}

/// Either kind of error; one place turns it into an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The caller's.
    Rejection(Rejection),
    /// Ours.
    Fault(Fault),
}

impl Failure {
    /// The envelope for the caller.
    #[must_use]
    pub fn envelope(&self) -> Envelope {
        match self {
            Self::Rejection(rejection) => rejection.envelope(),
            Self::Fault(fault) => fault.envelope(),
        }
    }
}

impl From<Rejection> for Failure {
    fn from(rejection: Rejection) -> Self {
        Self::Rejection(rejection)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}
