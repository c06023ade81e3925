//! What a refusal of the REST server means: whose doing it is, and what the role may learn.
//!
//! Knows the codes of PostgREST and the SQLSTATE classes of Postgres, and no HTTP client. The texts that come with the
//! codes can carry whole rows: they are never kept.

use ordak_core::envelope::{Code, Failure, Fault, Rejection};
use serde::Deserialize;

/// By whose right a call was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The function itself, with the service key.
    Service,
    /// A signed-in user, with the user's own token.
    User,
}

/// Why a call brought no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RpcError {
    /// Nothing came back: refused connection, broken answer, time-out.
    Silent(&'static str),
    /// The REST server, or Postgres behind it, refused.
    Refused {
        /// HTTP status.
        status: u16,
        /// PostgREST code or SQLSTATE; empty when the answer carried none.
        code: String,
    },
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    code: Option<String>,
}

impl RpcError {
    /// Reads the answer to a failed call.
    #[must_use]
    pub fn read(status: u16, body: &[u8]) -> Self {
        let code = serde_json::from_slice::<Body>(body).ok().and_then(|body| body.code).unwrap_or_default();
        let code = code.chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        Self::Refused { status, code }
    }

    /// Whether Postgres, or the REST server, cannot take the arguments as they are, so that no repetition helps:
    /// a character that `jsonb` refuses, a number out of range, nesting too deep.
    #[must_use]
    pub fn is_about_the_data(&self) -> bool {
        match self {
            Self::Silent(_) => false,
            Self::Refused { status, code } => {
                code == "PGRST102"
                    || *status == 413
                    || (code.len() == 5 && (code.starts_with("22") || code.starts_with("54")))
            }
        }
    }

    /// Whose failure it is.
    #[must_use]
    pub fn into_failure(self, function: &str, role: Role) -> Failure {
        let about_the_data = self.is_about_the_data();
        let (status, code) = match self {
            Self::Silent(why) => return Fault::unavailable(format!("{function}: {why}")).into(),
            Self::Refused { status, code } => (status, code),
        };
        let detail = format!("{function}: status {status}, code {code:?}");
        match (code.as_str(), role) {
            // PostgREST answers 401 to anon and 403 to others for the same 42501; a signed-in user is known.
            ("42501", Role::User) => Rejection::new(Code::PermissionDenied, "you may not do this").into(),
            ("PGRST301" | "PGRST302" | "PGRST303", Role::User) => {
                Rejection::unauthenticated("the token is not valid").into()
            }
            ("PGRST300" | "PGRST301" | "PGRST302" | "PGRST303", Role::Service) => Fault::misconfigured(
                "SUPABASE_SERVICE_ROLE_KEY is not accepted by the server at SUPABASE_URL",
            )
            .into(),
            (_, Role::User) if about_the_data => Rejection::bad_input("a value has the wrong form").into(),
            (code, _) if is_passing(status, code) => Fault::unavailable(detail).into(),
            _ => Fault::internal(detail).into(),
        }
    }
}

/// Whether the same call may well succeed later: no connection, no resources, shutting down, cancelled for taking too
/// long, deadlock; or a 5xx that did not come from Postgres at all.
fn is_passing(status: u16, code: &str) -> bool {
    const CLASSES: [&str; 4] = ["08", "40", "53", "57"];
    const REST_SERVER: [&str; 7] =
        ["PGRST000", "PGRST001", "PGRST002", "PGRST003", "PGRST400", "PGRST401", "PGRST500"];
    if code.len() == 5 {
        return CLASSES.iter().any(|class| code.starts_with(class)) || code == "55P03";
    }
    REST_SERVER.contains(&code) || (code.is_empty() && (status >= 500 || status == 429))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(status: u16, body: &str, role: Role) -> Code {
        match RpcError::read(status, body.as_bytes()).into_failure("f", role) {
            Failure::Rejection(rejection) => rejection.code,
            Failure::Fault(fault) => fault.code(),
        }
    }

    #[test]
    fn a_signed_in_user_without_the_right_is_denied_whatever_the_status() {
        for status in [401, 403] {
            assert_eq!(failure(status, r#"{"code":"42501"}"#, Role::User), Code::PermissionDenied);
        }
        assert_eq!(failure(403, r#"{"code":"42501"}"#, Role::Service), Code::Internal);
    }

    #[test]
    fn a_bad_token_is_the_users_and_a_bad_key_is_ours() {
        for code in ["PGRST301", "PGRST302", "PGRST303"] {
            let body = format!(r#"{{"code":"{code}","message":"JWT expired"}}"#);
            assert_eq!(failure(401, &body, Role::User), Code::Unauthenticated);
            assert_eq!(failure(401, &body, Role::Service), Code::Misconfigured);
        }
    }

    #[test]
    fn what_passes_is_unavailable() {
        for code in
            ["08006", "40P01", "40001", "53300", "57014", "57P01", "57P03", "55P03", "PGRST000", "PGRST003"]
        {
            assert_eq!(
                failure(500, &format!(r#"{{"code":"{code}"}}"#), Role::Service),
                Code::Unavailable,
                "{code}"
            );
        }
        for (status, body) in [(502, "<html>"), (503, ""), (500, "{"), (504, "null"), (429, "")] {
            assert_eq!(failure(status, body, Role::Service), Code::Unavailable);
        }
        let silent = RpcError::Silent("no answer in time").into_failure("f", Role::User);
        assert!(matches!(silent, Failure::Fault(fault) if fault.code() == Code::Unavailable));
    }

    #[test]
    fn what_stays_is_our_fault() {
        for code in ["PGRST202", "42883", "P0001", "XX000", "23505", "PGRST203"] {
            assert_eq!(
                failure(400, &format!(r#"{{"code":"{code}"}}"#), Role::User),
                Code::Internal,
                "{code}"
            );
        }
        assert_eq!(failure(404, "", Role::Service), Code::Internal);
    }

    #[test]
    fn data_that_postgres_refuses_is_told_apart() {
        for code in ["22P02", "22P05", "22003", "54001", "54000", "PGRST102"] {
            let error = RpcError::read(400, format!(r#"{{"code":"{code}"}}"#).as_bytes());
            assert!(error.is_about_the_data(), "{code}");
            assert_eq!(failure(400, &format!(r#"{{"code":"{code}"}}"#), Role::User), Code::BadInput);
        }
        assert!(RpcError::read(413, b"").is_about_the_data());
        assert!(!RpcError::read(400, br#"{"code":"P0001"}"#).is_about_the_data());
        assert!(!RpcError::read(400, br#"{"code":"223"}"#).is_about_the_data());
    }

    #[test]
    fn texts_are_never_kept() {
        let error = RpcError::read(
            409,
            br#"{"code":"23505","details":"Key (email)=(jamie@example.com)","message":"jamie"}"#,
        );
        let failure = error.clone().into_failure("f", Role::Service);
        assert!(!format!("{error:?} {failure:?}").contains("jamie"));
    }
}
