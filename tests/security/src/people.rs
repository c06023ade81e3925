//! Everybody who may call: the actors of the access matrix and the tokens they carry.
//!
//! The people are those of `supabase/seed.sql`.

use crate::jwt;
use crate::stack::Stack;
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// Who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// Nobody: no token, or the public key.
    Anon,
    /// Signed in, but no member of staff.
    Stranger,
    /// A member of staff of bannos who has left.
    Inactive,
    /// Staff of bannos.
    Staff,
    /// Staff of flourlane.
    Elsewhere,
    /// Supervisor of bannos.
    Supervisor,
    /// Admin, of all stores.
    Admin,
    /// The service role.
    Service,
}

impl Actor {
    /// All of them, in the order of the columns of the matrix.
    pub const ALL: [Self; 8] = [
        Self::Anon,
        Self::Stranger,
        Self::Inactive,
        Self::Staff,
        Self::Elsewhere,
        Self::Supervisor,
        Self::Admin,
        Self::Service,
    ];

    /// The name of its column.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Stranger => "stranger",
            Self::Inactive => "inactive",
            Self::Staff => "staff",
            Self::Elsewhere => "elsewhere",
            Self::Supervisor => "supervisor",
            Self::Admin => "admin",
            Self::Service => "service",
        }
    }

    /// The database role that a request of this actor runs as.
    #[must_use]
    pub fn role(self) -> &'static str {
        match self {
            Self::Anon => "anon",
            Self::Service => "service_role",
            _ => "authenticated",
        }
    }

    /// The user id, for those who are a person.
    #[must_use]
    pub fn user(self) -> Option<&'static str> {
        match self {
            Self::Anon | Self::Service => None,
            Self::Staff => Some("00000000-0000-4000-8000-000000000001"),
            Self::Supervisor => Some("00000000-0000-4000-8000-000000000002"),
            Self::Admin => Some("00000000-0000-4000-8000-000000000003"),
            Self::Elsewhere => Some("00000000-0000-4000-8000-000000000004"),
            Self::Inactive => Some("00000000-0000-4000-8000-000000000005"),
            Self::Stranger => Some("00000000-0000-4000-8000-000000000006"),
        }
    }

    /// The store that this actor calls its own; for those without one, bannos.
    #[must_use]
    pub fn own_store(self) -> &'static str {
        if self == Self::Elsewhere { "flourlane" } else { "bannos" }
    }

    /// The other store.
    #[must_use]
    pub fn other_store(self) -> &'static str {
        if self == Self::Elsewhere { "bannos" } else { "flourlane" }
    }

    /// The claims of an honest token.
    #[must_use]
    pub fn claims(self, stack: &Stack) -> Value {
        match self.user() {
            Some(user) => user_claims(stack, user),
            None => {
                json!({"iss": "supabase", "ref": "local", "role": self.role(), "iat": now(), "exp": now() + HOUR})
            }
        }
    }

    /// What the actor sends as `Authorization: Bearer`.
    #[must_use]
    pub fn token(self, stack: &Stack) -> String {
        match self {
            Self::Anon => stack.anon_key.clone(),
            Self::Service => stack.service_key.clone(),
            _ => jwt::honest(&self.claims(stack), &stack.jwt_secret),
        }
    }

    /// SQL that makes the rest of a transaction run as this actor, as PostgREST does it for a request.
    #[must_use]
    pub fn enter(self, stack: &Stack) -> String {
        format!(
            "select set_config('request.jwt.claims', {}, true); set local role {};",
            crate::database::quote(&self.claims(stack).to_string()),
            self.role()
        )
    }
}

/// One hour in seconds.
pub const HOUR: i64 = 3600;

/// The claims of an honest token of any user.
#[must_use]
pub fn user_claims(stack: &Stack, user: &str) -> Value {
    json!({
        "iss": stack.issuer(),
        "aud": "authenticated",
        "role": "authenticated",
        "sub": user,
        "iat": now(),
        "exp": now() + HOUR,
    })
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}
