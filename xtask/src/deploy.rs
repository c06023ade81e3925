//! `deploy`: builds all workers and hands them to wrangler in the order in which they need each other.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::Args;
use tokio::process::Command;

use crate::functions::{self, Function, build, config};
use crate::layout::Checkout;
use crate::{say, setup};

/// The environment that the top of a `wrangler.toml` describes.
const UNNAMED: &str = "production";

/// Where and how.
#[derive(Args)]
pub struct Deploy {
    /// The environment: `production`, or an `[env.<name>]` that every wrangler.toml has
    #[arg(long)]
    env: String,
    /// Build and check, but upload nothing
    #[arg(long)]
    dry_run: bool,
    /// Leave out what needs Cloudflare Queues, for an account that has none
    #[arg(long)]
    without_queues: bool,
}

/// Deploys, or says what it would do.
pub async fn run(checkout: &Checkout, options: Deploy) -> Result<()> {
    let mut functions = in_order(functions::all(checkout)?)?;
    if options.without_queues {
        functions.iter_mut().for_each(remove_queues);
    }
    check_environment(&functions, &options.env)?;
    let (tools, lock) = setup::everything(checkout).await?;
    build::all(checkout, &tools, &functions).await?;
    let files = config::derive(&functions, &checkout.local("deploy"), &[])?;

    if options.dry_run {
        say::info(format!("\nDry run for {}: nothing is uploaded. In this order:\n", options.env));
    }
    for (function, file) in functions.iter().zip(&files) {
        let size = build::size(function)?.div_ceil(1024);
        let name = worker_name(function, &options.env);
        let call = [vec!["wrangler deploy".to_owned()], arguments(&options)].concat().join(" ");
        say::info(format!("• {name}: {size} KB gzip, {call}"));
        for queue in queues(function) {
            say::info(format!(
                "  needs the queue {queue}: `wrangler queues create {queue}` once, or --without-queues"
            ));
        }
        upload(checkout, &name, file, &options).await?;
    }
    drop(lock);
    say::info(if options.dry_run {
        "\nWhat no deployment does: the database's migrations (`supabase db push`, before the workers) and the secrets \
         of each worker (`wrangler secret put <NAME>`; each wrangler.toml lists what its worker needs)."
    } else {
        "\nAll workers are deployed. `/edge/health` of the gateway says how they are."
    });
    Ok(())
}

async fn upload(checkout: &Checkout, name: &str, file: &PathBuf, options: &Deploy) -> Result<()> {
    let mut wrangler = Command::new("node");
    wrangler
        .arg(checkout.path("node_modules/wrangler/bin/wrangler.js"))
        .arg("deploy")
        .arg("-c")
        .arg(file)
        .args(arguments(options))
        .current_dir(checkout.root())
        .envs([
            ("WRANGLER_SEND_METRICS", "false"),
            ("WRANGLER_HIDE_BANNER", "true"),
            ("NO_COLOR", "1"),
            ("FORCE_COLOR", "0"),
        ])
        .env("WRANGLER_LOG_PATH", checkout.local("logs"));
    let what = if options.dry_run { format!("checking {name}") } else { format!("deploying {name}") };
    let remedy = "Is CLOUDFLARE_API_TOKEN set, or `npx wrangler login` done?";
    say::run(&what, wrangler, &checkout.local(format!("logs/deploy-{name}.log")), remedy).await
}

fn arguments(options: &Deploy) -> Vec<String> {
    let mut arguments = Vec::new();
    if options.env != UNNAMED {
        arguments.extend(["--env".to_owned(), options.env.clone()]);
    }
    if options.dry_run {
        arguments.push("--dry-run".to_owned());
    }
    arguments
}

fn worker_name(function: &Function, env: &str) -> String {
    if env == UNNAMED { function.name.clone() } else { format!("{}-{env}", function.name) }
}

/// An environment that only some of the workers know would wire them to those of another one.
fn check_environment(functions: &[Function], env: &str) -> Result<()> {
    if env == UNNAMED {
        return Ok(());
    }
    let knows = |function: &&Function| function.config.get("env").and_then(|all| all.get(env)).is_some();
    let without: Vec<String> = functions
        .iter()
        .filter(|function| !knows(function))
        .map(|function| format!("\n  {}", function.config_path.display()))
        .collect();
    if !without.is_empty() {
        bail!(
            "the environment `{env}` is not described by all workers. Use `--env {UNNAMED}` for the configuration at the \
             top of the files, or add [env.{env}], with its own service bindings, to:{}",
            without.concat()
        );
    }
    Ok(())
}

/// A worker comes after all those that it is bound to, so that a binding never points to nothing.
fn in_order(functions: Vec<Function>) -> Result<Vec<Function>> {
    let known: Vec<String> = functions.iter().map(|function| function.name.clone()).collect();
    let mut waiting = functions;
    let mut done: Vec<Function> = Vec::new();
    while !waiting.is_empty() {
        let ready = |function: &Function| {
            bindings(function)
                .iter()
                .all(|name| !known.contains(name) || done.iter().any(|d| d.name == *name))
        };
        let position = waiting.iter().position(ready);
        let position =
            position.context("the workers' service bindings form a circle: none can be deployed first")?;
        done.push(waiting.remove(position));
    }
    Ok(done)
}

/// Takes the queues out of a configuration and of its environments.
fn remove_queues(function: &mut Function) {
    function.config.remove("queues");
    let environments = function.config.get_mut("env").and_then(|all| all.as_table_mut());
    for (_, environment) in environments.into_iter().flatten() {
        if let Some(environment) = environment.as_table_mut() {
            environment.remove("queues");
        }
    }
}

/// The queues that must exist before a worker can be deployed.
fn queues(function: &Function) -> BTreeSet<String> {
    let all = function.config.get("queues").and_then(|queues| queues.as_table()).into_iter().flatten();
    let entries = all.filter_map(|(_, entries)| entries.as_array()).flatten();
    let named = |entry: &toml::Value| {
        let name = |field| entry.get(field).and_then(|name| name.as_str()).map(str::to_owned);
        [name("queue"), name("dead_letter_queue")]
    };
    entries.flat_map(named).flatten().collect()
}

fn bindings(function: &Function) -> Vec<String> {
    let services = function.config.get("services").and_then(|services| services.as_array());
    let names = services.into_iter().flatten().filter_map(|service| service.get("service")?.as_str());
    names.filter(|name| *name != function.name).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, bound_to: &[&str]) -> Function {
        let services: String =
            bound_to.iter().map(|s| format!("[[services]]\nservice = \"{s}\"\n")).collect();
        Function {
            name: name.into(),
            config_path: format!("/repo/{name}/wrangler.toml").into(),
            config: toml::from_str(&services).unwrap(),
            crate_folder: "/repo".into(),
            main: "/repo/build/index.js".into(),
        }
    }

    #[test]
    fn a_worker_comes_after_those_it_is_bound_to() {
        let functions = vec![
            function("gateway", &["ingest", "queue"]),
            function("ingest", &["queue"]),
            function("queue", &[]),
        ];
        let order: Vec<String> = in_order(functions).unwrap().into_iter().map(|f| f.name).collect();
        assert_eq!(order, ["queue", "ingest", "gateway"]);
    }

    #[test]
    fn a_circle_of_bindings_is_an_error() {
        assert!(in_order(vec![function("a", &["b"]), function("b", &["a"])]).is_err());
    }

    #[test]
    fn an_environment_must_be_known_to_every_worker() {
        let error = check_environment(&[function("a", &[])], "staging").unwrap_err().to_string();
        assert!(error.contains("/repo/a/wrangler.toml"), "{error}");
        assert!(check_environment(&[function("a", &[])], "production").is_ok());
    }

    #[test]
    fn queues_are_named_and_can_be_left_out() {
        let config = "[[queues.producers]]\nqueue = \"a\"\n[[queues.consumers]]\nqueue = \"a\"\n\
            dead_letter_queue = \"a-dead\"\n[[env.staging.queues.producers]]\nqueue = \"b\"\n";
        let mut function = function("ingest", &["queue"]);
        function.config.extend(toml::from_str::<toml::Table>(config).unwrap());
        assert_eq!(queues(&function).into_iter().collect::<Vec<_>>(), ["a", "a-dead"]);
        remove_queues(&mut function);
        assert!(queues(&function).is_empty() && !function.config["env"].to_string().contains("queues"));
        assert_eq!(bindings(&function), ["queue"], "the rest stays");
    }
}
