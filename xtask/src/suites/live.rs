//! The suites that run a package's tests against a whole stack: built workers, real Postgres, fakes over HTTP.

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use super::{Counts, cargo};
use crate::functions::{self, Function};
use crate::interrupt::Interrupt;
use crate::layout::{Checkout, Layout, StackName};
use crate::lock::{self, Attempt, Holder, Lock};
use crate::settings::{self, Backend};
use crate::setup;
use crate::stack::Stack;

/// Brings a fresh stack up, runs the tests with its addresses in the environment, and takes it down whatever happens.
pub async fn run(checkout: &Checkout, package: &str, nightly: bool, interrupt: &Interrupt) -> Result<Counts> {
    let layout = Layout::new(checkout, StackName::Test)?;
    let _lock = take(&layout)?;
    let functions = interrupt.unless(build(checkout)).await?;
    let mut stack = Stack::new(layout.clone(), Backend::Local, functions);
    let result = test(&mut stack, &layout, tests(checkout, package, nightly), interrupt).await;
    let stopped = stack.stop().await;
    let removed = std::fs::remove_file(layout.env_file());
    let counts = result?;
    stopped?;
    removed.context("cannot remove the test stack's dotenv file")?;
    Ok(counts)
}

/// The test stack is one for the checkout: two runs at once would disturb each other.
pub fn take(layout: &Layout) -> Result<Lock> {
    let gateway = settings::gateway_url(layout);
    let me = Holder { pid: std::process::id().cast_signed(), background: false, gateway };
    match lock::attempt(&layout.path("lock"), &me)? {
        Attempt::Taken(lock) => Ok(lock),
        Attempt::Held(_) => {
            bail!("another `cargo xtask test` (or `bench`) of this checkout is running. Wait for it to end.")
        }
    }
}

async fn build(checkout: &Checkout) -> Result<Vec<Function>> {
    let (tools, _lock) = setup::everything(checkout).await?;
    let functions = functions::all(checkout)?;
    functions::build::all(checkout, &tools, &functions).await?;
    Ok(functions)
}

/// The tests of the package; a package that multiplies its sizes at night asks for `ORDAK_NIGHTLY`.
fn tests(checkout: &Checkout, package: &str, nightly: bool) -> Command {
    let mut tests = cargo::command(checkout, &["test", "--no-fail-fast", "--package", package]);
    if nightly {
        tests.env("ORDAK_NIGHTLY", "1");
    }
    tests
}

async fn test(
    stack: &mut Stack,
    layout: &Layout,
    mut tests: Command,
    interrupt: &Interrupt,
) -> Result<Counts> {
    let env = interrupt.unless(stack.start()).await?;
    env.write(&layout.env_file())?;
    tests.envs(env.iter()).env("ORDAK_LOGS", layout.path("logs"));
    tokio::select! {
        counts = cargo::test(tests) => counts,
        watched = stack.watch(interrupt) => {
            watched?;
            Err(crate::interrupt::Interrupted.into())
        }
    }
}
