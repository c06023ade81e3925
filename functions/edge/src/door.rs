//! Who is calling: the service role, or a signed-in person. Whether that person is an Admin is for the database to say.
//!
//! Knows headers and keys, and nothing of any route.

use crate::{answer::Answer, serve::Call, user_token::Gate};
use ordak_core::{
    envelope::{Failure, Fault, Rejection},
    route,
    secret_key::SecretKey,
    settings::{Getter, Reader, TokenSettings},
};

/// In whose name something is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The clock, or another function.
    Service,
    /// This person.
    User(String),
}

/// Tells callers apart.
pub struct Door {
    service_key: SecretKey,
    gate: Gate,
}

impl Door {
    /// Opens to the service key and to tokens of the project's users.
    ///
    /// # Errors
    /// A fault that names what is missing for checking tokens.
    pub fn new(function: &'static str, service_key: SecretKey, get: Getter<'_>) -> Result<Self, Fault> {
        let mut reader = Reader::new(get);
        let supabase_url = reader.url("SUPABASE_URL");
        let tokens = TokenSettings::read(&mut reader, &supabase_url);
        Ok(Self { service_key, gate: Gate::new(function, reader.finish(tokens)?) })
    }

    /// The caller of a request.
    ///
    /// # Errors
    /// A rejection, the same whatever is wrong, when it is neither.
    pub async fn caller(&self, call: &Call) -> Result<Caller, Failure> {
        if is_service(call, &self.service_key) {
            return Ok(Caller::Service);
        }
        match self.gate.user(call.header("authorization").as_deref()).await {
            Ok(user) => Ok(Caller::User(user.id)),
            Err(Failure::Rejection(_)) => {
                Err(Rejection::unauthenticated("the service key or a valid user token is needed").into())
            }
            Err(fault) => Err(fault),
        }
    }
}

/// The door of a function that does one thing, for the service role alone: by POST to its own address. What is answered
/// to whoever comes otherwise; nothing when he may come in.
///
/// # Errors
/// A rejection when it is somebody else.
pub fn for_service_alone(call: &Call, function: &str, key: &SecretKey) -> Result<Option<Answer>, Rejection> {
    if route::rest_of(call.request.path(), function) != Some("") {
        return Ok(Some(Answer::not_found()));
    }
    if call.method() != "POST" {
        return Ok(Some(Answer::method_not_allowed("POST")));
    }
    if !is_service(call, key) {
        return Err(Rejection::unauthenticated("the service key is needed"));
    }
    Ok(None)
}

fn is_service(call: &Call, key: &SecretKey) -> bool {
    let (apikey, authorization) = (call.header("apikey"), call.header("authorization"));
    key.is_presented(apikey.as_deref(), authorization.as_deref())
}
