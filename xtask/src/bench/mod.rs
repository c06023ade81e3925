//! `bench`: the benchmarks of `tests/bench`, each on a database of its own. They measure and judge nothing: a slow
//! machine makes slow figures. What is measured, and how, is told in `tests/bench/README.md`.

mod figures;
mod measure;
mod plan;
mod report;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::database::{self, Role};
use crate::interrupt::Interrupt;
use crate::layout::{Checkout, Layout, StackName};
use crate::settings::Backend;
use crate::stack::Stack;
use crate::suites::live::take;
use crate::{say, setup};
use plan::Plan;

/// Runs every benchmark or one.
pub async fn run(checkout: &Checkout, wanted: Option<&str>) -> Result<ExitCode> {
    let plans = plan::all(checkout)?;
    let chosen: Vec<&Plan> =
        plans.iter().filter(|plan| wanted.is_none_or(|name| name == plan.name)).collect();
    if chosen.is_empty() {
        let known: Vec<String> =
            plans.iter().map(|plan| format!("\n  {:<8} {}", plan.name, plan.about)).collect();
        bail!("there is no benchmark `{}`; there are:{}", wanted.unwrap_or_default(), known.concat());
    }
    let interrupt = Interrupt::listen()?;
    let layout = Layout::new(checkout, StackName::Bench)?;
    let _lock = take(&layout)?;
    interrupt.unless(setup::packages(checkout)).await?;
    for plan in chosen {
        say::info(format!("\n=== {}: {} ===", plan.name, plan.about));
        let mut stack = Stack::new(layout.clone(), Backend::Local, Vec::new());
        let result = interrupt.unless(one(&mut stack, &layout, plan)).await;
        stack.stop().await?;
        result?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn one(stack: &mut Stack, layout: &Layout, plan: &Plan) -> Result<()> {
    stack.start_database_only().await?;
    let step = say::step("making the data");
    let script = plan.ground_script()?;
    let mut owner = database::connect(layout, Role::Owner).await?;
    database::run_script(&mut owner, &script).await.context("ground.sql failed")?;
    database::close(owner).await?;
    // A vacuum of every table is for the superuser; it leaves what a quiet night would leave.
    let mut superuser = database::connect(layout, Role::Superuser).await?;
    database::run_script(&mut superuser, "vacuum analyze").await?;
    database::close(superuser).await?;
    step.done();

    let step = say::step("calling");
    let results = measure::all(layout, plan).await?;
    step.done();
    report::print(plan, &results);
    let path = report::write(layout, plan, &results)?;
    say::info(format!("\nWritten to {path}"));
    Ok(())
}
