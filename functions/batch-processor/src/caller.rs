//! Who is calling: the service role, or a signed-in person. Whether that person is an Admin is for the database to say.
//!
//! Knows headers and keys, and nothing of any job.

use ordak_core::{
    envelope::{Failure, Fault, Rejection},
    secret_key::SecretKey,
    settings::{Getter, StageSettings},
    token,
};
use ordak_edge::{clock, serve::Call};

/// In whose name a job is done.
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
    users: StageSettings,
}

impl Door {
    /// Opens to the service key and to tokens of the project's users.
    ///
    /// # Errors
    /// A fault that names what is missing for checking tokens.
    pub fn new(service_key: SecretKey, get: Getter<'_>) -> Result<Self, Fault> {
        Ok(Self { service_key, users: StageSettings::read(get)? })
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
        let refused = || Rejection::unauthenticated("the service key or a valid user token is needed");
        let token = authorization.as_deref().and_then(token::bearer).ok_or_else(refused)?;
        let claims = token::verify(token, &self.users.token_key, &self.users.token_rules, clock::now_s())
            .map_err(|_| refused())?;
        Ok(Caller::User(claims.sub))
    }
}
