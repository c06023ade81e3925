//! SQL as any actor, one statement at a time, the way PostgREST runs a request: claims set, role switched.
//!
//! Whatever a statement does is taken back at once, so that the next one meets the same world.

use crate::database::{Database, SqlError};
use crate::people::Actor;
use crate::stack::Stack;
use anyhow::{Context, Result, bail};

/// What came of one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// No privilege.
    Denied,
    /// The first value.
    Text(String),
    /// Any other error.
    Failed(SqlError),
}

impl Outcome {
    /// Whether this is what a cell of the access matrix calls `expected`.
    #[must_use]
    pub fn matches(&self, expected: &str) -> bool {
        let answer = match self {
            Self::Denied => return expected == "x",
            Self::Failed(_) => return false,
            Self::Text(text) => serde_json::from_str::<serde_json::Value>(text).unwrap_or_default(),
        };
        match (answer["ok"].as_bool(), answer["code"].as_str()) {
            // A computed column answers a value, not an envelope.
            (Some(true) | None, _) => expected == "ok",
            (Some(false), Some("NOT_FOUND")) => expected == "404",
            (Some(false), Some("PERMISSION_DENIED")) => expected == "perm",
            (Some(false), code) => code == Some(expected),
        }
    }
}

/// The one connection, on which everybody acts in turn.
pub struct Caller<'a> {
    /// Whose claims.
    pub stack: &'a Stack,
    /// In a transaction.
    pub database: Database,
}

impl Caller<'_> {
    /// Runs a statement as an actor and takes back whatever it did.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn outcome(&mut self, actor: Actor, statement: &str) -> Result<Outcome> {
        self.database.run("savepoint cell")?;
        self.database.run(&actor.enter(self.stack))?;
        let answer = self.database.value(statement);
        self.database.run("rollback to savepoint cell; release savepoint cell")?;
        Ok(match answer {
            Ok(value) => Outcome::Text(value.unwrap_or_default()),
            Err(error) if error.code == "42501" => Outcome::Denied,
            Err(error) if error.code == "-----" => bail!("{statement}: {error}"),
            Err(error) => Outcome::Failed(error),
        })
    }

    /// Asks as the owner of the schema.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn owner(&mut self, question: &str) -> Result<String> {
        self.database.value(question)?.with_context(|| format!("no answer: {question}"))
    }
}
