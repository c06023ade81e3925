//! The build tools of the workers, at the versions that Cargo.lock implies, in a folder of this checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::digest::Stamp;
use crate::layout::Checkout;
use crate::say;

/// Where the build tools are.
#[derive(Clone, Debug)]
pub struct Tools {
    /// Compiles a crate to a worker.
    pub worker_build: PathBuf,
    /// Makes the JavaScript side of a WASM module.
    pub wasm_bindgen: PathBuf,
    /// Shrinks a WASM module.
    pub wasm_opt: PathBuf,
    /// Bundles the JavaScript side.
    pub esbuild: PathBuf,
}

/// Installs what is missing. A tool fits the library of the same version, so the lock file decides both.
pub async fn install(checkout: &Checkout) -> Result<Tools> {
    let lock_file = checkout.path("Cargo.lock");
    let text = std::fs::read_to_string(&lock_file)
        .with_context(|| format!("cannot read {}", lock_file.display()))?;
    let root = checkout.local("tools");
    cargo_install(checkout, &root, "worker-build", "worker-build", &locked_version(&text, "worker")?).await?;
    cargo_install(
        checkout,
        &root,
        "wasm-bindgen-cli",
        "wasm-bindgen",
        &locked_version(&text, "wasm-bindgen")?,
    )
    .await?;
    Ok(Tools {
        worker_build: root.join("bin/worker-build"),
        wasm_bindgen: root.join("bin/wasm-bindgen"),
        wasm_opt: checkout.path("node_modules/.bin/wasm-opt"),
        esbuild: checkout.path("node_modules/.bin/esbuild"),
    })
}

async fn cargo_install(
    checkout: &Checkout,
    root: &Path,
    package: &str,
    binary: &str,
    version: &str,
) -> Result<()> {
    let stamp = Stamp::new(root.join(format!("{package}.version")));
    if stamp.is(version) && root.join("bin").join(binary).is_file() {
        return Ok(());
    }
    let log = checkout.local(format!("logs/install-{package}.log"));
    let remedy = "Is the crates.io registry reachable, and is a C compiler installed?";
    let what = format!("compiling {package} {version} (once, a minute or two)");
    let locked = say::run(&what, install_command(root, package, version, true), &log, remedy).await;
    if let Err(error) = locked {
        // A tool's own lock file can name a version that has since left the registry.
        if !error.to_string().contains("failed to select a version") {
            return Err(error);
        }
        let what = format!("{package}'s lock file cannot be satisfied today: compiling {version} without it");
        say::run(&what, install_command(root, package, version, false), &log, remedy).await?;
    }
    stamp.set(version)
}

fn install_command(root: &Path, package: &str, version: &str, locked: bool) -> Command {
    let mut command = Command::new("cargo");
    command.args(["install", package, "--force", "--version"]).arg(format!("={version}"));
    // Only the parts that reach for the network themselves are left out.
    command.args(["--no-default-features", "--root"]).arg(root);
    if locked {
        command.arg("--locked");
    }
    // These tools run for seconds: compiling them quickly matters more than running them quickly.
    // Measured for worker-build: 44 s instead of 134 s with two jobs; a build of the functions is not slower.
    command.envs([
        ("CARGO_PROFILE_RELEASE_LTO", "false"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
        ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ]);
    command.env_remove("CARGO_TARGET_DIR").current_dir(root.parent().unwrap_or(root));
    command
}

#[derive(Deserialize)]
struct LockFile {
    package: Vec<LockedPackage>,
}

#[derive(Deserialize)]
struct LockedPackage {
    name: String,
    version: String,
}

fn locked_version(lock_file: &str, package: &str) -> Result<String> {
    let lock: LockFile = toml::from_str(lock_file).context("cannot read Cargo.lock")?;
    let mut versions = lock.package.into_iter().filter(|p| p.name == package).map(|p| p.version);
    match (versions.next(), versions.next()) {
        (Some(version), None) => Ok(version),
        (None, _) => bail!("Cargo.lock does not name {package}"),
        (Some(one), Some(other)) => {
            bail!("Cargo.lock names {package} twice ({one} and {other}); the build tool can fit only one")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"
        [[package]]
        name = "worker"
        version = "0.8.7"
        [[package]]
        name = "two"
        version = "1.0.0"
        [[package]]
        name = "two"
        version = "2.0.0"
    "#;

    #[test]
    fn the_lock_file_decides_the_version() {
        assert_eq!(locked_version(LOCK, "worker").unwrap(), "0.8.7");
    }

    #[test]
    fn a_missing_or_ambiguous_version_is_an_error() {
        assert!(locked_version(LOCK, "absent").is_err());
        assert!(locked_version(LOCK, "two").is_err());
    }
}
