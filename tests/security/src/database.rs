//! SQL over one connection, as text, for tests that say what they mean in SQL.
//!
//! Blocking, one statement after the other; errors keep the code that Postgres gave.

use anyhow::{Context, Result};
use std::fmt;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

/// A row: every column as text, `None` for null.
pub type Row = Vec<Option<String>>;

/// What Postgres answered instead of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError {
    /// The five characters of the error code; `-----` when the connection failed.
    pub code: String,
    /// The message.
    pub message: String,
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.message)
    }
}

impl std::error::Error for SqlError {}

/// One connection.
pub struct Database {
    runtime: Runtime,
    client: Client,
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn connect(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(url, NoTls)).context("connect to the database")?;
        // It lives on this runtime, and moves whenever a query is waited for.
        runtime.spawn(connection);
        Ok(Self { runtime, client })
    }

    /// Runs statements separated by semicolons and returns the rows of all of them.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn rows(&mut self, sql: &str) -> std::result::Result<Vec<Row>, SqlError> {
        // The simple protocol: several statements at once, every value as text.
        let messages =
            self.runtime.block_on(self.client.simple_query(sql)).map_err(|error| sql_error(&error))?;
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows
            .map(|row| (0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            .collect())
    }

    /// Runs statements for their effect.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn run(&mut self, sql: &str) -> std::result::Result<(), SqlError> {
        self.rows(sql).map(|_| ())
    }

    /// The first column of the first row.
    ///
    /// # Errors
    /// When the statement is refused.
    pub fn value(&mut self, sql: &str) -> std::result::Result<Option<String>, SqlError> {
        Ok(self.rows(sql)?.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
    }

    /// The first column of every row, nulls left out.
    ///
    /// # Errors
    /// When the statement is refused.
    pub fn column(&mut self, sql: &str) -> std::result::Result<Vec<String>, SqlError> {
        Ok(self.rows(sql)?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    /// A number, 0 when there is none.
    ///
    /// # Errors
    /// When the statement is refused or answers no number.
    pub fn number(&mut self, sql: &str) -> Result<i64> {
        let value = self.value(sql)?.unwrap_or_else(|| "0".to_owned());
        value.parse().with_context(|| format!("{value:?} is not a number: {sql}"))
    }
}

/// A text as a literal.
#[must_use]
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn sql_error(error: &tokio_postgres::Error) -> SqlError {
    match error.as_db_error() {
        Some(refusal) => {
            SqlError { code: refusal.code().code().to_owned(), message: refusal.message().to_owned() }
        }
        None => SqlError { code: "-----".to_owned(), message: error.to_string() },
    }
}
