//! `bench`: the benchmarks of `tests/bench`. They measure and judge nothing: a slow machine makes slow figures. What is
//! measured, and how, is told in `tests/bench/README.md`.

mod batches;
mod bundle;
mod cold;
mod compared;
mod database;
mod edge;
mod figures;
mod ingest;
mod load;
mod measure;
mod orders;
mod place;
mod plan;
mod report;
mod rounds;
mod scan;
mod sessions;
mod sql;
mod summary;
mod workerd;

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::database::Role;
use crate::interrupt::Interrupt;
use crate::layout::{Checkout, Layout, StackName};
use crate::settings::Backend;
use crate::stack::Stack;
use crate::suites::live::take;
use crate::{say, setup};
use place::Place;
use plan::Plan;
use rounds::Comparison;
use summary::Verdict;

/// What a benchmark of workers is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Workers {
    Edge,
    Ingest,
    Scan,
    Bundle,
    Cold,
    Batches,
}

/// The benchmarks that are programs, with what they are about; the others are folders of `tests/bench`.
const OF_WORKERS: [(&str, Workers, &str); 6] = [
    ("edge", Workers::Edge, "refusing a wrong signature, beside a TypeScript worker in the same workerd"),
    ("ingest", Workers::Ingest, "distinct signed orders, beside TypeScript workers and no worker at all"),
    ("scan", Workers::Scan, "scans of distinct orders, beside a TypeScript worker"),
    ("bundle", Workers::Bundle, "how large each function is"),
    ("cold", Workers::Cold, "first requests, beside a hello world in Rust and a TypeScript worker"),
    (
        "batches",
        Workers::Batches,
        "10 000 batches decided in one call, beside one by one through the REST API",
    ),
];

/// Runs every benchmark or one.
pub async fn run(checkout: &Checkout, wanted: Option<&str>) -> Result<ExitCode> {
    if cfg!(debug_assertions) {
        return run_optimised(checkout, wanted).await;
    }
    let plans = plan::all(checkout)?;
    let is_wanted = |name: &str| wanted.is_none_or(|wanted| wanted == name);
    let plans: Vec<&Plan> = plans.iter().filter(|plan| is_wanted(&plan.name)).collect();
    let of_workers: Vec<_> = OF_WORKERS.iter().filter(|(name, ..)| is_wanted(name)).collect();
    let of_sql: Vec<_> = sql::ALL.iter().filter(|(name, ..)| is_wanted(name)).collect();
    if plans.is_empty() && of_workers.is_empty() && of_sql.is_empty() {
        let known = plan::all(checkout)?;
        let known = known.iter().map(|plan| (plan.name.as_str(), plan.about.as_str()));
        let known = known.chain(OF_WORKERS.iter().map(|(name, _, about)| (*name, *about)));
        let known = known.chain(sql::ALL.iter().map(|(name, _, about)| (*name, *about)));
        let known: Vec<String> = known.map(|(name, about)| format!("\n  {name:<10} {about}")).collect();
        bail!("there is no benchmark `{}`; there are:{}", wanted.unwrap_or_default(), known.concat());
    }
    let interrupt = Interrupt::listen()?;
    let layout = Layout::new(checkout, StackName::Bench)?;
    let _lock = take(&layout)?;
    interrupt.unless(setup::packages(checkout)).await?;
    let mut verdicts = Vec::new();
    for plan in plans {
        say::info(format!("\n=== {}: {} ===", plan.name, plan.about));
        let mut stack = Stack::new(layout.clone(), Backend::Local, Vec::new());
        let result = interrupt.unless(one(&mut stack, &layout, plan)).await;
        stack.stop().await?;
        verdicts.extend(result?);
    }
    for (name, bench, about) in of_sql {
        say::info(format!("\n=== {name}: {about} ==="));
        let comparisons = interrupt.unless(sql::run(&layout, *bench)).await?;
        verdicts.extend(tell(checkout, name, about, &comparisons)?);
    }
    if !of_workers.is_empty() {
        let place = Place::prepare(&layout, &interrupt).await?;
        for (name, what, about) in of_workers {
            say::info(format!("\n=== {name}: {about} ==="));
            verdicts.extend(interrupt.unless(workers(&place, name, *what, about)).await?);
        }
    }
    if wanted.is_none() {
        summary::finish(checkout, &verdicts)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The load and the REST server are part of this program: compiled without optimisation they would be what is measured.
async fn run_optimised(checkout: &Checkout, wanted: Option<&str>) -> Result<ExitCode> {
    say::info("• compiling this command with optimisation; the first time takes some minutes");
    let mut cargo = Command::new("cargo");
    cargo.args(["run", "--quiet", "--profile", "fast", "--package", "xtask", "--", "bench"]).args(wanted);
    cargo.current_dir(checkout.root());
    let status = cargo.status().await.context("cannot start cargo")?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn workers(place: &Place, name: &str, what: Workers, about: &str) -> Result<Vec<Verdict>> {
    let checkout = &place.layout.checkout;
    let comparisons = match what {
        Workers::Bundle => {
            let (figures, verdicts) = bundle::run(place).await?;
            let path = compared::write_figures(checkout, name, about, &figures)?;
            say::info(format!("\nWritten to {path}"));
            return Ok(verdicts);
        }
        Workers::Edge => edge::run(place).await?,
        Workers::Ingest => ingest::run(place).await?,
        Workers::Scan => scan::run(place).await?,
        Workers::Cold => cold::run(place).await?,
        Workers::Batches => batches::run(place).await?,
    };
    tell(checkout, name, about, &comparisons)
}

fn tell(checkout: &Checkout, name: &str, about: &str, comparisons: &[Comparison]) -> Result<Vec<Verdict>> {
    comparisons.iter().for_each(compared::print);
    let path = compared::write(checkout, name, about, comparisons)?;
    say::info(format!("\nWritten to {path}"));
    Ok(comparisons.iter().flat_map(summary::of).collect())
}

async fn one(stack: &mut Stack, layout: &Layout, plan: &Plan) -> Result<Vec<Verdict>> {
    stack.start_database_only().await?;
    let step = say::step("making the data");
    let script = plan.ground_script()?;
    let mut owner = crate::database::connect(layout, Role::Owner).await?;
    crate::database::run_script(&mut owner, &script).await.context("ground.sql failed")?;
    crate::database::close(owner).await?;
    // A vacuum of every table is for the superuser; it leaves what a quiet night would leave.
    let mut superuser = crate::database::connect(layout, Role::Superuser).await?;
    crate::database::run_script(&mut superuser, "vacuum analyze").await?;
    crate::database::close(superuser).await?;
    step.done();

    let step = say::step("calling");
    let results = measure::all(layout, plan).await?;
    step.done();
    report::print(plan, &results);
    let path = report::write(layout, plan, &results)?;
    say::info(format!("\nWritten to {path}"));
    Ok(report::verdicts(plan, &results))
}
