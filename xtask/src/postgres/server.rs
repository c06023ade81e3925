//! Creates the data folder and runs the server on one loopback port.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::Command;

use super::Place;
use crate::database::{self, Role};
use crate::keys::LOCAL_DATABASE_PASSWORD;
use crate::layout::Layout;
use crate::process::Managed;
use crate::process_table;
use crate::say;

/// How long the server may take to accept connections; recovery after a crash is part of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Creates the data folder unless there is one. A half-made one is made again.
pub async fn create(layout: &Layout, place: &Place) -> Result<()> {
    if place.data.join("PG_VERSION").is_file() {
        return Ok(());
    }
    let partial = place.data.with_extension("partial");
    remove(&partial)?;
    remove(&place.data)?;
    std::fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    place.owner.give(&partial)?;
    let password = partial.with_extension("password");
    write_private(&password, LOCAL_DATABASE_PASSWORD)?;
    place.owner.give(&password)?;

    let mut initdb = program(place, "initdb");
    initdb
        .args(["--username", Role::Superuser.name(), "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"])
        .args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"])
        .arg("--pwfile")
        .arg(&password)
        .arg("--pgdata")
        .arg(&partial);
    let made =
        say::run("creating a database cluster", initdb, &layout.log("initdb"), "Is the disk full?").await;
    // The password file has served, however initdb ended.
    remove_file(&password)?;
    made?;
    std::fs::rename(&partial, &place.data).with_context(|| format!("cannot create {}", place.data.display()))
}

/// Starts the server and waits until it accepts connections.
pub async fn start(layout: &Layout, place: &Place) -> Result<Managed> {
    forget_dead_postmaster(place)?;
    let mut server = program(place, "postgres");
    server.arg("-D").arg(&place.data).args(["-p", &layout.ports.postgres().to_string()]);
    for setting in [
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        "shared_buffers=128MB",
        "timezone=UTC",
        "log_timezone=UTC",
        "log_line_prefix=%m [%p] %u ",
        "log_checkpoints=off",
    ] {
        server.args(["-c", setting]);
    }
    let mut managed = Managed::start(layout, "Postgres", "postgres", Signal::INT, server)?;
    match wait_until_up(layout, &mut managed).await.and_then(|()| managed.came_up()) {
        Ok(()) => Ok(managed),
        Err(error) => {
            managed.stop().await?;
            Err(error)
        }
    }
}

/// Starts the server after it was killed: what it left in shared memory takes a moment to go.
pub async fn start_patiently(layout: &Layout, place: &Place) -> Result<Managed> {
    let deadline = Instant::now() + Duration::from_secs(15);
    loop {
        match start(layout, place).await {
            Err(_) if Instant::now() < deadline => tokio::time::sleep(Duration::from_millis(300)).await,
            result => return result,
        }
    }
}

/// Removes the data folder; the server must not be running.
pub fn wipe(place: &Place) -> Result<()> {
    remove(&place.data)
}

async fn wait_until_up(layout: &Layout, server: &mut Managed) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = server.has_ended() {
            bail!("Postgres ended at once ({status}).\n{}", say::tail_of_file(&server.log));
        }
        match database::connect(layout, Role::Superuser).await {
            Ok(_) => return Ok(()),
            Err(error) if Instant::now() >= deadline => {
                return Err(error.context(format!("Postgres was not up after {} s", PATIENCE.as_secs())));
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// A command of the server's, run as its user from a folder that the user can enter.
fn program(place: &Place, name: &str) -> Command {
    let mut command = Command::new(place.runtime.join("bin").join(name));
    command.current_dir("/").env_clear().env("LD_LIBRARY_PATH", place.runtime.join("lib")).env("TZ", "UTC");
    place.owner.apply(&mut command);
    command
}

/// A killed server leaves its pid file. Postgres looks after that itself, unless the number has gone to another process
/// of the same user since: then it would refuse to start.
fn forget_dead_postmaster(place: &Place) -> Result<()> {
    let file = place.data.join("postmaster.pid");
    let recorded = std::fs::read_to_string(&file).unwrap_or_default();
    let Some(pid) = recorded.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else {
        return Ok(());
    };
    let folder = place.data.to_string_lossy().into_owned();
    if process_table::exists(pid) && !process_table::process_has_mark(pid, &[folder]) {
        return remove_file(&file);
    }
    Ok(())
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    remove_file(path)?;
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn remove_file(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}
