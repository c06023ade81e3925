//! The developer command, `cargo xtask …`: sets up, builds, runs, tests and deploys Ordak. It knows how the parts are
//! started and wired, never what an order is; the one exception is the sample order that shows a stack at work.

mod bench;
mod cli;
mod commands;
mod database;
mod deploy;
mod digest;
mod dotenv;
mod functions;
mod golden;
mod interrupt;
mod keys;
mod layout;
mod lives;
mod lock;
mod postgres;
mod process;
mod process_table;
mod rest;
mod say;
mod schema;
mod settings;
mod setup;
mod signing_keys;
mod stack;
mod suites;
mod supervisor;
mod tidy;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::interrupt::Interrupted;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => code,
        Err(error) if error.is::<Interrupted>() => ExitCode::from(130),
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<ExitCode> {
    let command = cli::Cli::parse().command;
    let checkout = layout::Checkout::find()?;
    cli::dispatch(command, &checkout).await
}
