//! A session of the database with a transaction open in it: for races that are stopped where two of them meet.

use crate::db::Db;
use crate::poll::closely;
use crate::stack::Stack;
use crate::{Failure, Outcome};
use futures_util::future::{Either, select};
use serde_json::Value;
use std::pin::pin;

/// What ends a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It happened.
    Commit,
    /// It never happened.
    Rollback,
}

/// A session with a transaction open in it.
pub struct Session {
    /// The connection.
    pub db: Db,
    pid: i32,
}

/// Waits until a session waits for a lock. Looks often: whoever waits gives up after seconds.
pub async fn waits(watcher: &Db, pid: i32) -> Outcome {
    let query =
        "select wait_event_type is not distinct from 'Lock' as waits from pg_stat_activity where pid = $1";
    closely("a session that waits", async || {
        let row = watcher.row(query, &[&pid]).await?;
        Ok(if is_waiting(&row) { Ok(()) } else { Err(row.to_string()) })
    })
    .await
}

impl Session {
    /// Begins as the service role.
    pub async fn begin(stack: &Stack) -> Outcome<Self> {
        Self::begin_with(stack, "service_role", r#"{"role":"service_role"}"#.to_owned()).await
    }

    /// Begins as a signed-in user, as the REST server does it.
    pub async fn begin_as(stack: &Stack, user: &str) -> Outcome<Self> {
        let claims = crate::token::claims(&stack.supabase_url, user).to_string();
        Self::begin_with(stack, "authenticated", claims).await
    }

    async fn begin_with(stack: &Stack, role: &str, claims: String) -> Outcome<Self> {
        let db = stack.db().await?;
        let row = db.row("select pg_backend_pid() as pid", &[]).await?;
        db.execute("begin", &[]).await?;
        db.row("select set_config('request.jwt.claims', $1, true) as claims", &[&claims]).await?;
        db.execute(&format!("set local role {role}"), &[]).await?;
        let pid = row.get("pid").and_then(Value::as_i64).unwrap_or_default();
        Ok(Self { db, pid: i32::try_from(pid)? })
    }

    /// The process of the database that serves it.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Ends the transaction.
    pub async fn end(&self, how: End) -> Outcome {
        let statement = match how {
            End::Commit => "commit",
            End::Rollback => "rollback",
        };
        self.db.execute(statement, &[]).await?;
        Ok(())
    }

    /// Calls a function: `complete_filling('bannos-1')`. Gives the envelope.
    pub async fn call(&self, function: &str) -> Outcome<Value> {
        let mut row = self.db.row(&format!("select public.{function} as envelope"), &[]).await?;
        Ok(row.get_mut("envelope").map(Value::take).unwrap_or_default())
    }

    /// Does something that may meet what the other session has not committed: as soon as it waits for anything, or is
    /// done, the other commits.
    pub async fn meets<T>(
        &self,
        other: &Session,
        watcher: &Db,
        doing: impl Future<Output = Outcome<T>>,
    ) -> Outcome<T> {
        self.interrupted(watcher, doing, other.end(End::Commit)).await
    }

    /// Does something; as soon as it waits for anything, or sleeps, or is done, something else happens.
    pub async fn interrupted<T>(
        &self,
        watcher: &Db,
        doing: impl Future<Output = Outcome<T>>,
        happens: impl Future<Output = Outcome>,
    ) -> Outcome<T> {
        let query =
            "select wait_event_type in ('Lock', 'Timeout') as waits from pg_stat_activity where pid = $1";
        let waiting = closely("a session that waits", async || {
            let row = watcher.row(query, &[&self.pid]).await?;
            Ok(if is_waiting(&row) { Ok(()) } else { Err(row.to_string()) })
        });
        match select(pin!(doing), pin!(waiting)).await {
            Either::Left((done, _)) => {
                happens.await?;
                done
            }
            Either::Right((waits, doing)) => {
                waits?;
                happens.await?;
                doing.await
            }
        }
    }

    /// Calls a function that has to wait for the other session, which then ends so. Not to have waited is a failure.
    pub async fn call_after(&self, other: &Session, how: End, function: &str) -> Outcome<Value> {
        self.call_behind(other, function, other.end(how)).await
    }

    /// Calls a function that has to wait for the other session; while it does, something happens that must end that
    /// session. Not to have waited is a failure.
    pub async fn call_behind(
        &self,
        other: &Session,
        function: &str,
        happens: impl Future<Output = Outcome>,
    ) -> Outcome<Value> {
        let query = "select $2 = any (pg_blocking_pids($1)) as waits";
        let waiting = closely("a session that waits for the other", async || {
            let row = other.db.row(query, &[&self.pid, &other.pid]).await?;
            Ok(if is_waiting(&row) { Ok(()) } else { Err(row.to_string()) })
        });
        match select(pin!(self.call(function)), pin!(waiting)).await {
            Either::Left((done, _)) => {
                Err(Failure::new(format!("{function} did not wait for the other session: {}", done?)))
            }
            Either::Right((waits, calling)) => {
                waits?;
                happens.await?;
                calling.await
            }
        }
    }
}

fn is_waiting(row: &Value) -> bool {
    row.get("waits") == Some(&Value::Bool(true))
}
