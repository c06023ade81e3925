//! The parts of the Rust toolchain that may be missing: the WASM target, rustfmt and clippy.

use std::path::Path;

use anyhow::Result;
use tokio::process::Command;

use crate::layout::Checkout;
use crate::say;

/// What the workers are compiled for.
pub const WASM: &str = "wasm32-unknown-unknown";

/// Adds the WASM target unless the toolchain has it.
pub async fn wasm_target(checkout: &Checkout) -> Result<()> {
    let mut ask = Command::new("rustc");
    ask.args(["--print", "target-libdir", "--target", WASM]).current_dir(checkout.root());
    let folder = say::output(ask, "Install Rust with rustup.").await?;
    if Path::new(folder.trim()).is_dir() {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["target", "add", WASM]).current_dir(checkout.root());
    let remedy = "The toolchain needs this target: `rustup target add wasm32-unknown-unknown`, or your system's package for it.";
    say::run("adding the Rust target for WASM", add, &checkout.local("logs/rustup.log"), remedy).await
}

/// Adds a component such as `clippy` unless `cargo <command>` works.
pub async fn component(checkout: &Checkout, component: &str, command: &str) -> Result<()> {
    let mut ask = Command::new("cargo");
    ask.args([command, "--version"]).current_dir(checkout.root());
    if say::output(ask, "").await.is_ok() {
        return Ok(());
    }
    let mut add = Command::new("rustup");
    add.args(["component", "add", component]).current_dir(checkout.root());
    let remedy =
        format!("The suite needs it: `rustup component add {component}`, or your system's package for it.");
    say::run(&format!("adding {component}"), add, &checkout.local("logs/rustup.log"), &remedy).await
}
