//! A database with its REST server for benchmarks of workers: made anew, durable, with the data that a benchmark needs.

use anyhow::{Context, Result, bail};
use sqlx::{Executor, Row};

use super::place::Place;
use crate::database::{self, Role};
use crate::layout::Layout;
use crate::say;
use crate::settings::Backend;
use crate::stack::Stack;

/// Starts a database, runs `tests/bench/<name>/ground.sql`, starts the REST server, does the work and ends both.
pub async fn with<T>(place: &Place, name: &str, work: impl AsyncFnOnce() -> Result<T>) -> Result<T> {
    let mut stack = Stack::new(place.layout.clone(), Backend::Local, Vec::new());
    let result = async {
        stack.start_database_only().await?;
        prepare(&place.layout, name).await?;
        stack.start_rest().await?;
        work().await
    }
    .await;
    stack.stop().await?;
    result
}

async fn prepare(layout: &Layout, name: &str) -> Result<()> {
    let path = layout.checkout.path(format!("tests/bench/{name}/ground.sql"));
    let script = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let step = say::step("making the data");
    let mut owner = database::connect(layout, Role::Owner).await?;
    database::run_script(&mut owner, &script).await.context("ground.sql failed")?;
    database::close(owner).await?;
    let mut superuser = database::connect(layout, Role::Superuser).await?;
    database::run_script(&mut superuser, "vacuum analyze").await?;
    let query = "select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit";
    let row = superuser.fetch_one(query).await.context("cannot ask for the settings")?;
    let durable: [String; 2] = [row.try_get("fsync")?, row.try_get("commit")?];
    if durable != ["on", "on"] {
        bail!("fsync and synchronous_commit are {durable:?}: figures without durability mean nothing");
    }
    database::close(superuser).await?;
    step.done();
    Ok(())
}

/// Tables as a quiet hour leaves them: plans that were made while they were empty are plans for nobody.
pub async fn settle(layout: &Layout) -> Result<()> {
    let mut superuser = database::connect(layout, Role::Superuser).await?;
    database::run_script(&mut superuser, "vacuum analyze").await?;
    database::run_script(&mut superuser, "checkpoint").await?;
    database::close(superuser).await
}
