//! The command line: what may be typed, and which module does it.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::layout::Checkout;
use crate::settings::Backend;
use crate::supervisor::{self, Options};
use crate::{bench, commands, deploy, golden, suites, tidy};

/// The developer command of Ordak.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about, disable_version_flag = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Subcommand)]
pub enum Command {
    /// Set up, build and run everything here; send one sample order through; Ctrl-C ends it
    Dev(Run),
    /// The same in the background, without the sample order; writes .ordak/dev.env
    Up(Run),
    /// End what `up` started
    Down {
        /// Delete the local data as well
        #[arg(long)]
        wipe: bool,
    },
    /// Run every suite, or one
    Test {
        /// Which suite
        suite: Option<String>,
        /// The sizes of the night: ten times those of every day
        #[arg(long)]
        nightly: bool,
    },
    /// Run every benchmark, or one
    Bench {
        /// Which benchmark
        name: Option<String>,
    },
    /// Sign a JSON file as Shopify would and post it
    Send(commands::send::Send),
    /// Print a user's token for a role
    Token(commands::token::Token),
    /// Fire a cron trigger now
    Cron {
        /// Its name; without one the names are listed
        name: Option<String>,
    },
    /// Check the rules of the house
    Tidy,
    /// Write down anew what the migrations make, in supabase/schema.txt
    Schema,
    /// Build and deploy all workers in order
    Deploy(deploy::Deploy),
    /// Run a stack until it is told to end (what `up` starts)
    #[command(hide = true)]
    Supervise,
}

/// How to run.
#[derive(Args)]
pub struct Run {
    /// Use this project instead of a local database and REST server
    #[arg(long, value_name = "URL", requires_all = ["anon_key", "service_role_key"])]
    supabase_url: Option<String>,
    /// The project's anon or publishable key
    #[arg(long, value_name = "KEY", requires = "supabase_url")]
    anon_key: Option<String>,
    /// The project's service role or secret key
    #[arg(long, value_name = "KEY", requires = "supabase_url")]
    service_role_key: Option<String>,
    /// The project's JWT secret, if it signs with one
    #[arg(long, value_name = "SECRET", requires = "supabase_url")]
    jwt_secret: Option<String>,
    /// Delete the local data first
    #[arg(long, conflicts_with = "supabase_url")]
    fresh: bool,
    /// Send no sample order
    #[arg(long)]
    no_sample: bool,
}

impl Run {
    fn options(self) -> Result<Options> {
        let backend = match (&self.supabase_url, &self.anon_key, &self.service_role_key) {
            (Some(url), Some(anon), Some(service)) => {
                Backend::hosted(url, anon, service, self.jwt_secret.as_deref())?
            }
            _ => Backend::Local,
        };
        let sample = !self.no_sample && backend == Backend::Local;
        Ok(Options { backend, fresh: self.fresh, sample })
    }
}

/// Does what was typed.
pub async fn dispatch(command: Command, checkout: &Checkout) -> Result<ExitCode> {
    match command {
        Command::Dev(run) => supervisor::dev(checkout, run.options()?).await?,
        Command::Up(run) => supervisor::up(checkout, run.options()?).await?,
        Command::Down { wipe } => supervisor::down(checkout, wipe).await?,
        Command::Supervise => supervisor::supervise(checkout).await?,
        Command::Test { suite, nightly } => return suites::run(checkout, suite.as_deref(), nightly).await,
        Command::Bench { name } => return bench::run(checkout, name.as_deref()).await,
        Command::Send(send) => return commands::send::run(checkout, send).await,
        Command::Token(token) => commands::token::run(checkout, token).await?,
        Command::Cron { name } => return commands::cron::run(checkout, name.as_deref()).await,
        Command::Tidy => return tidy::run(checkout),
        Command::Schema => golden::rewrite(checkout).await?,
        Command::Deploy(options) => deploy::run(checkout, options).await?,
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_project_needs_both_keys() {
        let parse = |arguments: &[&str]| Cli::try_parse_from([&["xtask", "dev"], arguments].concat());
        assert!(parse(&["--supabase-url", "https://a"]).is_err());
        assert!(
            parse(&["--supabase-url", "https://a", "--anon-key", "a", "--service-role-key", "b"]).is_ok()
        );
        assert!(parse(&["--anon-key", "a"]).is_err());
    }
}
