//! Node and the npm packages: Postgres' binaries, wrangler, the Supabase CLI. Nothing of them is part of the product.

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::digest::{Inputs, Stamp};
use crate::layout::Checkout;
use crate::say;

const OLDEST: u32 = 20;

/// Checks Node and installs exactly the packages of the lock file, unless they are installed.
pub async fn packages(checkout: &Checkout) -> Result<()> {
    let remedy = format!("Install Node {OLDEST} or newer, with npm.");
    let mut ask = Command::new("node");
    ask.arg("--version");
    let version = say::output(ask, &remedy).await?;
    let major =
        major(&version).with_context(|| format!("cannot read Node's version `{}`", version.trim()))?;
    if major < OLDEST {
        bail!("Node {} is too old. {remedy}", version.trim());
    }
    let digest = Inputs::default()
        .text(&version)
        .file(&checkout.path("package.json"))?
        .file(&checkout.path("package-lock.json"))?
        .finish();
    // The stamp lies inside, so that it goes when the folder goes.
    let stamp = Stamp::new(checkout.path("node_modules/.ordak-stamp"));
    if stamp.is(&digest) {
        return Ok(());
    }
    // No package's own script is needed, and none is run.
    let mut install = Command::new("npm");
    install
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"])
        .current_dir(checkout.root());
    let remedy = "Is the npm registry reachable? Proxies and mirrors are set in ~/.npmrc.";
    say::run("installing npm packages (npm ci)", install, &checkout.local("logs/npm.log"), remedy).await?;
    stamp.set(&digest)
}

fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("20"), None);
        assert_eq!(major("vnext"), None);
    }
}
