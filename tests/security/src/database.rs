//! SQL over one connection, as text, for tests that say what they mean in SQL.
//!
//! Blocking, one statement after the other; errors keep the code that Postgres gave.

use anyhow::{Context, Result};
use sqlx::{Connection as _, Executor as _, PgConnection, Row as _, TypeInfo as _, ValueRef as _};
use std::fmt;
use tokio::runtime::Runtime;

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
    connection: PgConnection,
}

impl Database {
    /// Connects.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn connect(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let connection = runtime.block_on(PgConnection::connect(url)).context("connect to the database")?;
        Ok(Self { runtime, connection })
    }

    /// Runs statements separated by semicolons and returns the rows of all of them.
    ///
    /// # Errors
    /// When one of them is refused.
    pub fn rows(&mut self, sql: &str) -> std::result::Result<Vec<Row>, SqlError> {
        let query = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()));
        let rows = self.runtime.block_on(self.connection.fetch_all(query)).map_err(sql_error)?;
        rows.iter()
            .map(|row| {
                (0..row.len()).map(|column| text(row, column)).collect::<std::result::Result<Row, SqlError>>()
            })
            .collect()
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

fn text(row: &sqlx::postgres::PgRow, column: usize) -> std::result::Result<Option<String>, SqlError> {
    let value = row.try_get_raw(column).map_err(sql_error)?;
    if value.is_null() {
        return Ok(None);
    }
    // Statements go out by the simple protocol, which answers in text whatever the type.
    let kind = value.type_info().name().to_owned();
    value.as_str().map(|text| Some(text.to_owned())).map_err(|error| SqlError {
        code: "-----".to_owned(),
        message: format!("column {column} of type {kind}: {error}"),
    })
}

fn sql_error(error: sqlx::Error) -> SqlError {
    let code =
        error.as_database_error().and_then(|e| e.code()).map_or("-----".to_owned(), |code| code.into_owned());
    let message = error.as_database_error().map_or_else(|| error.to_string(), |e| e.message().to_owned());
    SqlError { code, message }
}
