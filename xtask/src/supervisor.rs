//! `dev`, `up` and `down`: one supervisor a stack, in the foreground or in the background.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::commands::sample;
use crate::dotenv::StackEnv;
use crate::functions::{self, Function};
use crate::interrupt::{Interrupt, Interrupted};
use crate::layout::{Checkout, Layout, StackName};
use crate::lock::{self, Attempt, Holder, Lock};
use crate::postgres::{self, Place};
use crate::process;
use crate::settings::{self, Backend};
use crate::setup;
use crate::stack::{self, Stack};
use crate::{say, schema};

/// How a development stack is wanted.
pub struct Options {
    /// Who plays Supabase.
    pub backend: Backend,
    /// Delete the local data first.
    pub fresh: bool,
    /// Send a sample order through.
    pub sample: bool,
}

/// How `up` hands a project's keys to the supervisor: not on the command line, which everybody can read.
const BACKEND: &str = "ORDAK_BACKEND";
/// How long `up` and `down` wait for the supervisor.
const PATIENCE: Duration = Duration::from_secs(180);

/// Runs a stack in the foreground.
pub async fn dev(checkout: &Checkout, options: Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let layout = Layout::new(checkout, StackName::Dev)?;
    let _lock = take(&layout, false)?;
    let functions = interrupt.unless(prepare(&layout, &options)).await?;
    let mut stack = Stack::new(layout.clone(), options.backend.clone(), functions);
    let result = run_in_foreground(&mut stack, &layout, &options, &interrupt).await;
    finish(stack, &layout, result).await?;
    say::info("\nEverything has ended.");
    Ok(())
}

async fn run_in_foreground(
    stack: &mut Stack,
    layout: &Layout,
    options: &Options,
    interrupt: &Interrupt,
) -> Result<()> {
    let env = interrupt.unless(stack.start()).await?;
    env.write(&layout.env_file())?;
    if options.sample {
        interrupt.unless(sample::show(&env)).await?;
    }
    describe(layout, &options.backend, &env, false);
    stack.watch(interrupt).await
}

/// Starts a supervisor in the background and waits until its stack is up.
pub async fn up(checkout: &Checkout, options: Options) -> Result<()> {
    let interrupt = Interrupt::listen()?;
    let layout = Layout::new(checkout, StackName::Dev)?;
    // Held only while preparing: the supervisor takes it for itself.
    let lock = take(&layout, true)?;
    interrupt.unless(prepare(&layout, &options)).await?;
    layout.create()?;
    drop(lock);

    let log = layout.log("supervisor");
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let copy = file.try_clone().with_context(|| format!("cannot write {}", log.display()))?;
    let backend = serde_json::to_string(&options.backend).context("cannot describe the project")?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut supervisor = std::process::Command::new(program)
        .arg("supervise")
        .current_dir(checkout.root())
        .env("CARGO_MANIFEST_DIR", checkout.path("xtask"))
        .env(BACKEND, backend)
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(copy)
        .spawn()
        .context("cannot start the supervisor")?;
    let step = say::step("starting the stack in the background");
    let waiting = wait_until_up(&layout, &mut supervisor, &log);
    if let Err(error) = interrupt.unless(waiting).await {
        if let Some(pid) = Pid::from_raw(supervisor.id().cast_signed()) {
            // It may be the one that ended by itself.
            let _gone = kill_process(pid, Signal::TERM);
            let _ended = lock::wait_until_free(&layout.path("lock"), PATIENCE).await;
        }
        return Err(error);
    }
    step.done();
    let env = StackEnv::of_running_stack(checkout)?;
    describe(&layout, &options.backend, &env, true);
    Ok(())
}

async fn wait_until_up(layout: &Layout, supervisor: &mut std::process::Child, log: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = supervisor.try_wait().context("cannot watch the supervisor")? {
            bail!("the stack did not start ({status}).\n{}", say::tail_of_file(log));
        }
        if layout.env_file().is_file() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            bail!("the stack was not up after {} s. Its log: {}", PATIENCE.as_secs(), log.display());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The supervisor in the background: a session of its own, so that the terminal may go.
pub async fn supervise(checkout: &Checkout) -> Result<()> {
    rustix::process::setsid()
        .context("cannot leave the terminal's session; `supervise` is for `up` to start")?;
    let interrupt = Interrupt::listen()?;
    let layout = Layout::new(checkout, StackName::Dev)?;
    let backend = std::env::var(BACKEND).context("`supervise` is for `up` to start")?;
    let backend: Backend = serde_json::from_str(&backend).context("cannot read the project's description")?;
    let _lock = take(&layout, true)?;
    let functions = functions::all(checkout)?;
    let mut stack = Stack::new(layout.clone(), backend, functions);
    let result = async {
        let env = interrupt.unless(stack.start()).await?;
        env.write(&layout.env_file())?;
        say::info("• everything is up");
        stack.watch(&interrupt).await
    }
    .await;
    finish(stack, &layout, result).await
}

/// Ends the background stack of this checkout, if there is one.
pub async fn down(checkout: &Checkout, wipe: bool) -> Result<()> {
    let layout = Layout::new(checkout, StackName::Dev)?;
    let mut ended = 0;
    match lock::holder(&layout.path("lock"))? {
        None => {}
        Some(None) => bail!("a stack is just starting or ending here. Try again in a moment."),
        Some(Some(holder)) if !holder.background => bail!(
            "the stack of this checkout runs in the foreground of another terminal (process {}). End it there with Ctrl-C.",
            holder.pid
        ),
        Some(Some(holder)) => {
            let pid = Pid::from_raw(holder.pid).context("the supervisor's process number is unreadable")?;
            let step = say::step("ending the stack");
            kill_process(pid, Signal::TERM).context("cannot reach the supervisor")?;
            lock::wait_until_free(&layout.path("lock"), PATIENCE).await?;
            step.done();
            ended += 1;
        }
    }
    let _lock = take(&layout, true)?;
    layout.create()?;
    ended += process::end_leftovers(&layout, &Place::of(&layout)?.data).await?;
    remove_env_file(&layout)?;
    if ended == 0 && !wipe {
        say::info("Nothing is running here.");
    }
    if wipe {
        delete_data(&layout)?;
        say::info("The local data is deleted.");
    }
    Ok(())
}

fn delete_data(layout: &Layout) -> Result<()> {
    layout.create()?;
    postgres::server::wipe(&Place::of(layout)?)?;
    schema::forget(layout)
}

/// Sets up, builds and makes room; nothing runs yet.
async fn prepare(layout: &Layout, options: &Options) -> Result<Vec<Function>> {
    // A supervisor that was killed could not remove it.
    remove_env_file(layout)?;
    let (tools, _lock) = setup::everything(&layout.checkout).await?;
    let functions = functions::all(&layout.checkout)?;
    functions::build::all(&layout.checkout, &tools, &functions).await?;
    stack::prepare(layout, &options.backend).await?;
    if options.fresh {
        delete_data(layout)?;
    }
    Ok(functions)
}

/// Ends the stack after whatever happened, and lets the first error through.
async fn finish(stack: Stack, layout: &Layout, result: Result<()>) -> Result<()> {
    let removed = remove_env_file(layout);
    let stopped = stack.stop().await;
    match result {
        Err(error) if error.is::<Interrupted>() => removed.and(stopped),
        Err(error) => Err(error),
        Ok(()) => removed.and(stopped),
    }
}

fn remove_env_file(layout: &Layout) -> Result<()> {
    let path = layout.env_file();
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn take(layout: &Layout, background: bool) -> Result<Lock> {
    let gateway = settings::gateway_url(layout);
    let me = Holder { pid: std::process::id().cast_signed(), background, gateway };
    match lock::attempt(&layout.path("lock"), &me)? {
        Attempt::Taken(lock) => Ok(lock),
        Attempt::Held(None) => bail!("a stack is just starting or ending here. Try again in a moment."),
        Attempt::Held(Some(holder)) => {
            let end = if holder.background { "`cargo xtask down`" } else { "Ctrl-C in its terminal" };
            bail!(
                "a stack of this checkout is running already: process {}, gateway {}. End it with {end}.",
                holder.pid,
                holder.gateway
            )
        }
    }
}

fn describe(layout: &Layout, backend: &Backend, env: &StackEnv, background: bool) {
    say::info("\nOrdak is running.\n");
    let mut rows = vec![("gateway", format!("{}   (try /edge/health)", settings::gateway_url(layout)))];
    match backend {
        Backend::Local => {
            rows.push(("REST", format!("{}/rest/v1", env.get("SUPABASE_URL").unwrap_or_default())));
            rows.push(("Postgres", env.get("DATABASE_URL").unwrap_or_default().to_owned()));
        }
        Backend::Hosted(project) => rows.push(("project", project.url.clone())),
    }
    rows.push(("fakes", format!("{}/_calls?upstream=shopify", settings::fakes_url(layout))));
    rows.push(("settings", ".ordak/dev.env".to_owned()));
    rows.push(("logs", ".ordak/dev/logs/".to_owned()));
    for (name, value) in rows {
        say::info(format!("  {name:<9} {value}"));
    }
    if let Backend::Hosted(project) = backend {
        say::info("\nThe project's database is used as it is: nothing was migrated, seeded or sent.");
        say::info(
            "Shopify is still the fake one, unless SHOPIFY_ADMIN_URL and SHOPIFY_ADMIN_TOKEN say otherwise.",
        );
        if project.jwt_secret.is_none() {
            say::info("Without --jwt-secret stage-actions cannot check tokens and answers MISCONFIGURED.");
        }
    }
    say::info("\nTry next, in another terminal:\n");
    let sample = "tests/fixtures/shopify/shopify_orders_create__aud_multi_line_split_gateways.json";
    say::info(format!("  cargo xtask send {sample} --store flourlane --topic orders/create"));
    say::info("  cargo xtask token --role Supervisor --store bannos");
    say::info("  cargo xtask cron drain");
    say::info(if background { "\n`cargo xtask down` ends it." } else { "\nCtrl-C ends everything." });
}
