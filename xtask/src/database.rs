//! Connections to a stack's own database. Knows where it listens and as whom to sign in.

use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection};

use crate::keys::LOCAL_DATABASE_PASSWORD;
use crate::layout::Layout;

/// As whom to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Makes a bare server look like a Supabase project.
    Superuser,
    /// Runs migrations and owns what they make, as on a Supabase project; no superuser.
    Owner,
    /// What the REST server signs in as.
    Authenticator,
}

impl Role {
    /// The database's name for the role.
    pub fn name(self) -> &'static str {
        match self {
            Self::Superuser => "supabase_admin",
            Self::Owner => "postgres",
            Self::Authenticator => "authenticator",
        }
    }
}

/// The address of a stack's database for a role.
pub fn url(layout: &Layout, role: Role) -> String {
    let port = layout.ports.postgres();
    format!("postgresql://{}:{LOCAL_DATABASE_PASSWORD}@127.0.0.1:{port}/postgres", role.name())
}

/// Signs in.
pub async fn connect(layout: &Layout, role: Role) -> Result<PgConnection> {
    connect_to(&url(layout, role)).await
}

/// Signs in to a database given by its address.
pub async fn connect_to(url: &str) -> Result<PgConnection> {
    let options: PgConnectOptions = url.parse().context("not a database address")?;
    let options = options.ssl_mode(PgSslMode::Prefer).disable_statement_logging();
    options.connect().await.context("cannot connect to the database")
}

/// Runs a script of several statements.
pub async fn run_script(connection: &mut PgConnection, script: &str) -> Result<()> {
    sqlx::raw_sql(sqlx::AssertSqlSafe(script.to_owned()))
        .execute(connection)
        .await
        .map_err(|e| explain(script, e))?;
    Ok(())
}

/// Closes a connection in order, so that the server does not log a lost client.
pub async fn close(connection: PgConnection) -> Result<()> {
    connection.close().await.context("cannot close the connection")
}

/// A database error with the line of the script that it is about.
pub fn explain(script: &str, error: sqlx::Error) -> anyhow::Error {
    use sqlx::postgres::{PgDatabaseError, PgErrorPosition};
    let Some(database) = error.as_database_error().and_then(|e| e.try_downcast_ref::<PgDatabaseError>())
    else {
        return anyhow::Error::new(error);
    };
    let mut text = format!("{} ({})", database.message(), database.code());
    if let Some(PgErrorPosition::Original(position)) = database.position() {
        text.push_str(&format!("\n    at line {}", line_of(script, position)));
    }
    for (label, part) in
        [("detail", database.detail()), ("hint", database.hint()), ("in", database.r#where())]
    {
        if let Some(part) = part {
            text.push_str(&format!("\n    {label}: {part}"));
        }
    }
    anyhow::Error::msg(text)
}

fn line_of(script: &str, position: usize) -> usize {
    1 + script.chars().take(position.saturating_sub(1)).filter(|c| *c == '\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters_from_one() {
        let script = "é;\nselect 1;\nx";
        assert_eq!(line_of(script, 1), 1);
        assert_eq!(line_of(script, 4), 2);
        assert_eq!(line_of(script, 14), 3);
    }
}
