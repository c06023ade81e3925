//! What every end-to-end test needs: the running stack as its environment describes it, signed deliveries,
//! orders of its own, a look into the database, the controls of the fakes, and patience.
//!
//! It knows the stack only from outside: HTTP, SQL and environment variables, no code of the functions.

pub mod answer;
pub mod db;
pub mod delivery;
pub mod desk;
pub mod kitchen;
pub mod lone;
pub mod order;
pub mod poll;
pub mod project;
pub mod session;
pub mod signing;
pub mod stack;
pub mod store;
pub mod token;
pub mod trail;
pub mod upstream;

/// What a test returns: any failure ends it with its message.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a test could not go on.
pub struct Failure(String);

impl Failure {
    /// A failure in one's own words.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

// A test prints the failure by `Debug`: it reads best as the bare message.
impl std::fmt::Debug for Failure {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            cause = inner.source();
        }
        Self(message)
    }
}

/// A random text of hexadecimal digits, for names that no other test uses.
pub fn unique() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// A random number below `limit`, not below a tenth of it.
pub fn unique_number(limit: u64) -> u64 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    let floor = limit / 10;
    floor + high % (limit - floor).max(1)
}
