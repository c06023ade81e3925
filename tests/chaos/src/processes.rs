//! The processes of the stack under test, and how they are made to end. Whoever started the stack starts them again.
//!
//! Knows them from outside: by what Postgres says of itself and by what the stack has written down.

use crate::ground::variable;
use ordak_e2e::db::Db;
use ordak_e2e::{Failure, Outcome};
use serde_json::Value;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A way to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Nobody gets to say a word.
    Kill,
    /// Postgres: whoever is connected is told to go, and what is open is rolled back.
    Int,
    /// Postgres: at once; it recovers when it starts again.
    Quit,
}

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Kill => "KILL",
            Self::Int => "INT",
            Self::Quit => "QUIT",
        }
    }
}

/// Sends a signal. A process that is gone already is no failure.
pub fn send(pid: i64, signal: Signal) -> Outcome {
    if pid <= 1 {
        return Err(Failure::new(format!("{pid} is no process of the stack")));
    }
    let done = Command::new("kill").args(["-s", signal.name(), &pid.to_string()]).output()?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if done.status.success() || said.contains("No such process") { Ok(()) } else { Err(Failure::new(said)) }
}

/// The server process that all others of Postgres come from.
pub async fn postmaster(db: &Db) -> Outcome<i64> {
    let own = number(&db.row("select pg_backend_pid() as pid", &[]).await?, "pid");
    let shown = ps(&["-o", "ppid=", "-p", &own.to_string()])?;
    shown.trim().parse().map_err(|_| Failure::new(format!("whose child is process {own}? {shown}")))
}

/// Processes of Postgres that serve somebody else.
pub async fn backends(db: &Db) -> Outcome<Vec<i64>> {
    let query = "select pid from pg_stat_activity
        where backend_type = 'client backend' and pid <> pg_backend_pid() order by pid";
    Ok(db.rows(query, &[]).await?.iter().map(|row| number(row, "pid")).collect())
}

/// The workerd processes of the stack.
pub fn workerds() -> Outcome<Vec<i64>> {
    let entries = written_down()?;
    let edge = entries.iter().find(|entry| name(entry) == Some("edge"));
    Ok(edge.map(|entry| members(number(entry, "pid"))).transpose()?.unwrap_or_default())
}

/// Waits until whoever started the stack has brought back all of it and watches it again. What is killed sooner than that
/// disturbs a start, which is no concern of the functions.
pub async fn all_are_up(patience: Duration) -> Outcome {
    let started = Instant::now();
    loop {
        let entries = written_down()?;
        let is_up = |wanted: &str| {
            let up = |entry: &Value| entry.get("up") == Some(&Value::Bool(true));
            entries.iter().any(|entry| name(entry) == Some(wanted) && up(entry))
        };
        if ["postgres", "edge"].into_iter().all(is_up) {
            return Ok(());
        }
        if started.elapsed() > patience {
            return Err(Failure::new(format!("not all is up after {patience:?}: {entries:?}")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What the stack has written down of its processes.
fn written_down() -> Outcome<Vec<Value>> {
    let book = Path::new(&variable("ORDAK_LOGS")?).with_file_name("processes.json");
    Ok(serde_json::from_slice(&std::fs::read(&book)?)?)
}

fn name(entry: &Value) -> Option<&str> {
    entry.get("name").and_then(Value::as_str)
}

/// The workerd processes that a process has started.
pub fn workerds_below(parent: i64) -> Outcome<Vec<i64>> {
    Ok(table()?.into_iter().filter(|row| row.parent == parent).map(|row| row.pid).collect())
}

fn members(group: i64) -> Outcome<Vec<i64>> {
    Ok(table()?.into_iter().filter(|row| row.group == group).map(|row| row.pid).collect())
}

struct Row {
    pid: i64,
    parent: i64,
    group: i64,
}

/// Every living workerd of this machine.
fn table() -> Outcome<Vec<Row>> {
    let read = |line: &str| {
        let mut words = line.split_whitespace();
        let mut next = || words.next()?.parse::<i64>().ok();
        let (pid, parent, group) = (next()?, next()?, next()?);
        let (state, name) = (words.next()?, words.next()?);
        (name.contains("workerd") && !state.starts_with('Z')).then_some(Row { pid, parent, group })
    };
    Ok(ps(&["-A", "-o", "pid=,ppid=,pgid=,stat=,comm="])?.lines().filter_map(read).collect())
}

fn ps(arguments: &[&str]) -> Outcome<String> {
    Ok(String::from_utf8_lossy(&Command::new("ps").args(arguments).output()?.stdout).into_owned())
}

fn number(row: &Value, name: &str) -> i64 {
    row.get(name).and_then(Value::as_i64).unwrap_or_default()
}
