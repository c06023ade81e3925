//! Plain workerd: the built workers as they are deployed, wired by a configuration made here, with no development proxy
//! in between. The socket is opened here and handed over, so that the first request can wait at the door.

use std::fmt::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::Signal;
use tokio::process::Command;

use crate::functions::Function;
use crate::layout::{Checkout, Layout};
use crate::process::Managed;
use crate::process_table;
use crate::say;
use crate::setup::tools::Tools;

/// For workers that have no configuration of their own.
const COMPATIBILITY_DATE: &str = "2026-04-01";

/// A worker, bundled.
#[derive(Clone, Debug)]
pub struct Worker {
    name: String,
    folder: PathBuf,
    date: String,
    settings: Vec<(String, String)>,
    services: Vec<(String, String)>,
}

impl Worker {
    /// Bundles a function as wrangler does; the bindings to other workers are those of its configuration.
    pub async fn of(layout: &Layout, tools: &Tools, function: &Function) -> Result<Self> {
        let date = function.config.get("compatibility_date").and_then(|date| date.as_str());
        let services = function.config.get("services").and_then(|services| services.as_array());
        let text = |service: &toml::Value, name: &str| service.get(name)?.as_str().map(str::to_owned);
        let services = services.into_iter().flatten();
        Ok(Self {
            name: function.name.clone(),
            folder: bundle(layout, tools, &function.name, &function.main).await?,
            date: date.unwrap_or(COMPATIBILITY_DATE).to_owned(),
            settings: Vec::new(),
            services: services
                .filter_map(|service| Some((text(service, "binding")?, text(service, "service")?)))
                .collect(),
        })
    }

    /// Bundles a worker of `tests/bench/peers`.
    pub async fn peer(layout: &Layout, tools: &Tools, name: &str) -> Result<Self> {
        let source = layout.checkout.path(format!("tests/bench/peers/{name}.ts"));
        Ok(Self {
            name: name.to_owned(),
            folder: bundle(layout, tools, name, &source).await?,
            date: COMPATIBILITY_DATE.to_owned(),
            settings: Vec::new(),
            services: Vec::new(),
        })
    }

    /// With these settings.
    pub fn with_settings(self, settings: &[(String, String)]) -> Self {
        Self { settings: settings.to_vec(), ..self }
    }

    /// With this other worker behind a binding, whatever was bound there before.
    pub fn bound(mut self, binding: &str, service: &str) -> Self {
        self.services.retain(|(known, _)| known != binding);
        self.services.push((binding.to_owned(), service.to_owned()));
        self
    }

    /// With this other worker behind every binding but one.
    pub fn every_service_but(mut self, kept: &str, service: &str) -> Self {
        for (binding, bound) in &mut self.services {
            if binding != kept {
                service.clone_into(bound);
            }
        }
        self
    }

    /// Its files: the script first, then the module if there is one.
    pub fn files(&self) -> Vec<PathBuf> {
        ["index.js", "index_bg.wasm"]
            .iter()
            .map(|name| self.folder.join(name))
            .filter(|file| file.is_file())
            .collect()
    }
}

async fn bundle(layout: &Layout, tools: &Tools, name: &str, source: &Path) -> Result<PathBuf> {
    let folder = layout.path("workerd").join(name);
    let mut esbuild = Command::new(&tools.esbuild);
    esbuild
        .arg(source)
        .args(["--bundle", "--minify", "--format=esm", "--target=esnext", "--external:cloudflare:*"])
        .args(["--loader:.wasm=copy", "--asset-names=[name]", "--log-level=warning"])
        .arg(format!("--outfile={}", folder.join("index.js").display()));
    say::output(esbuild, "Correct what the output names.").await?;
    Ok(folder)
}

/// A running workerd.
pub struct Workerd {
    /// Where it answers.
    pub address: SocketAddr,
    process: Managed,
}

impl Workerd {
    /// Starts these workers in a process of their own; the first is the one that is asked. `name` names the log.
    pub fn start(layout: &Layout, name: &'static str, workers: &[Worker]) -> Result<Self> {
        let path = layout.path("workerd").join(format!("{name}.capnp"));
        let text = configuration(workers)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let address = listener.local_addr().context("cannot listen")?;
        fcntl_setfd(&listener, FdFlags::empty()).context("cannot hand a socket over")?;
        let mut command = Command::new(program(&layout.checkout)?);
        command.arg("serve").arg(&path).arg(format!("--socket-fd=http={}", listener.as_raw_fd()));
        let process = Managed::start(layout, "workerd", name, Signal::TERM, command)?;
        Ok(Self { address, process })
    }

    /// Milliseconds of processor time that it has used so far, where the system tells.
    pub fn cpu_ms(&self) -> f64 {
        process_table::cpu_ms(self.process.id()).unwrap_or(f64::NAN)
    }

    /// What it said last.
    pub fn last_words(&self) -> String {
        say::tail(&say::tail_of_file(&self.process.log), 3)
    }

    /// Ends it.
    pub async fn stop(self) -> Result<()> {
        self.process.stop().await
    }
}

/// The program, out of the package that npm has chosen for this machine.
fn program(checkout: &Checkout) -> Result<PathBuf> {
    let folder = checkout.path("node_modules/@cloudflare");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let found = entries.flatten().map(|entry| entry.path()).find_map(|path| {
        let is_it = path.file_name()?.to_str()?.starts_with("workerd-");
        Some(path.join("bin/workerd")).filter(|program| is_it && program.is_file())
    });
    found.with_context(|| format!("there is no workerd in {}", folder.display()))
}

/// The setting with flags for the V8 of everybody, for instance to see what the garbage collector has to do with a figure.
const V8_FLAGS: &str = "ORDAK_BENCH_V8_FLAGS";

fn configuration(workers: &[Worker]) -> Result<String> {
    let flags = std::env::var(V8_FLAGS).unwrap_or_default();
    let flags = flags.split_whitespace().map(quoted).collect::<Result<Vec<_>>>()?;
    let mut text = format!(
        "using Workerd = import \"/workerd/workerd.capnp\";\n\nconst config :Workerd.Config = (\n  v8Flags = [{}],\n  \
         services = [\n",
        flags.join(", ")
    );
    for worker in workers {
        service(&mut text, worker)?;
    }
    let first = workers.first().context("no workers")?;
    // Everything is on this machine, which workers cannot reach by default.
    write!(
        text,
        "    (name = \"outside\", network = (allow = [\"public\", \"private\"])),\n  ],\n  sockets = [(name = \"http\", \
         service = {}, http = ())],\n);\n",
        quoted(&first.name)?
    )
    .context("cannot write the configuration")?;
    Ok(text)
}

fn service(text: &mut String, worker: &Worker) -> Result<()> {
    let mut modules = Vec::new();
    for file in worker.files() {
        let name = file.file_name().and_then(|name| name.to_str()).context("a file without a name")?;
        let kind = if name.ends_with(".wasm") { "wasm" } else { "esModule" };
        let path = format!("{}/{name}", worker.name);
        modules.push(format!("(name = {}, {kind} = embed {})", quoted(name)?, quoted(&path)?));
    }
    let mut bindings = Vec::new();
    for (name, value) in &worker.settings {
        bindings.push(format!("(name = {}, text = {})", quoted(name)?, quoted(value)?));
    }
    for (name, value) in &worker.services {
        bindings.push(format!("(name = {}, service = {})", quoted(name)?, quoted(value)?));
    }
    write!(
        text,
        "    (name = {}, worker = (\n      compatibilityDate = {},\n      globalOutbound = \"outside\",\n      modules = \
         [{}],\n      bindings = [{}],\n    )),\n",
        quoted(&worker.name)?,
        quoted(&worker.date)?,
        modules.join(", "),
        bindings.join(", ")
    )
    .context("cannot write the configuration")
}

fn quoted(text: &str) -> Result<String> {
    if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\') {
        bail!("a setting holds what a configuration cannot");
    }
    Ok(format!("\"{text}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_names_modules_settings_and_services() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("index.js"), "").unwrap();
        let worker = Worker {
            name: "a".into(),
            folder: folder.path().to_owned(),
            date: "2026-04-01".into(),
            settings: vec![("KEY".into(), "value".into())],
            services: vec![("B".into(), "old".into())],
        };
        let text = configuration(&[worker.clone().bound("B", "new")]).unwrap();
        for part in [
            "(name = \"index.js\", esModule = embed \"a/index.js\")",
            "(name = \"KEY\", text = \"value\")",
            "(name = \"B\", service = \"new\")",
            "sockets = [(name = \"http\", service = \"a\"",
        ] {
            assert!(text.contains(part), "{part} is not in {text}");
        }
        assert!(!text.contains("old"));
        assert!(configuration(&[worker.with_settings(&[("KEY".into(), "\"".into())])]).is_err());
    }
}
