//! Who is calling: the service role, or a signed-in person. Whether that person is an Admin is for the database to say.
//!
//! Knows headers and keys, and nothing of any route.

use crate::{serve::Call, user_token::Gate};
use ordak_core::{
    envelope::{Failure, Fault, Rejection},
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
        let (apikey, authorization) = (call.header("apikey"), call.header("authorization"));
        if self.service_key.is_presented(apikey.as_deref(), authorization.as_deref()) {
            return Ok(Caller::Service);
        }
        match self.gate.user(authorization.as_deref()).await {
            Ok(user) => Ok(Caller::User(user.id)),
            Err(Failure::Rejection(_)) => {
                Err(Rejection::unauthenticated("the service key or a valid user token is needed").into())
            }
            Err(fault) => Err(fault),
        }
    }
}
