//! Runs all functions in one workerd by `wrangler dev`, wired by their service bindings, without any account.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use tokio::process::Command;

use crate::layout::Layout;
use crate::process::Managed;
use crate::say;

/// How long the workers may take to answer for the first time.
const PATIENCE: Duration = Duration::from_secs(90);

/// Starts the workers of these configurations; the first is the one that listens.
pub fn start(layout: &Layout, configs: &[PathBuf]) -> Result<Managed> {
    let mut wrangler = Command::new("node");
    wrangler.arg(layout.checkout.path("node_modules/wrangler/bin/wrangler.js")).arg("dev");
    for config in configs {
        wrangler.arg("-c").arg(config);
    }
    wrangler
        .args(["--local", "--test-scheduled", "--show-interactive-dev-session=false", "--ip", "127.0.0.1"])
        .args(["--port", &layout.ports.gateway().to_string()])
        .args(["--inspector-port", &layout.ports.inspector().to_string()])
        .current_dir(layout.path(""))
        .envs([
            ("CI", "1"),
            ("NO_COLOR", "1"),
            ("WRANGLER_SEND_METRICS", "false"),
            ("WRANGLER_HIDE_BANNER", "true"),
            ("CLOUDFLARE_CF_FETCH_ENABLED", "false"),
        ])
        .env("WRANGLER_REGISTRY_PATH", layout.path("wrangler/registry"))
        .env("WRANGLER_LOG_PATH", layout.path("wrangler/logs"))
        .env("XDG_CONFIG_HOME", layout.path("wrangler/config"));
    Managed::start(layout, "the workers (wrangler dev)", "edge", Signal::TERM, wrangler)
}

/// Waits until the gateway says that it is up.
pub async fn wait_until_up(layout: &Layout, workers: &mut Managed) -> Result<()> {
    let url = format!("http://127.0.0.1:{}/edge/health", layout.ports.gateway());
    let client =
        reqwest::Client::builder().timeout(Duration::from_secs(5)).build().context("cannot make a client")?;
    let deadline = Instant::now() + PATIENCE;
    let mut last = String::from("nothing listens yet");
    while Instant::now() < deadline {
        if let Some(status) = workers.has_ended() {
            bail!("the workers ended at once ({status}).\n{}", say::tail_of_file(&workers.log));
        }
        match client.get(&url).send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => {
                let status = response.status();
                last = format!("{status} {}", response.text().await.unwrap_or_default());
            }
            Err(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    bail!(
        "the gateway was not up after {} s: {last}\n{}\n  The whole output: {}",
        PATIENCE.as_secs(),
        say::tail_of_file(&workers.log),
        workers.log.display()
    )
}
