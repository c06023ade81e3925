//! The suite `unit`: everything that needs no stack.

use anyhow::Result;

use super::{Counts, cargo};
use crate::functions::{self, build};
use crate::layout::Checkout;
use crate::setup::rust::{self, WASM};
use crate::{say, tidy};

/// Packages whose tests need a running stack; the other suites run them.
pub const LIVE_PACKAGES: [&str; 3] = ["ordak-e2e", "ordak-chaos", "ordak-security"];

/// Checks rules, format and lints, then runs the native tests.
pub async fn run(checkout: &Checkout) -> Result<Counts> {
    rust::component(checkout, "rustfmt", "fmt").await?;
    rust::component(checkout, "clippy", "clippy").await?;
    rust::wasm_target(checkout).await?;

    let mut counts = Counts::one(tidy_passes(checkout)?);
    counts.add(cargo::check(checkout, &["fmt", "--all", "--check"]).await?);
    counts.add(
        cargo::check(
            checkout,
            &["clippy", "--workspace", "--all-targets", "--quiet", "--", "-D", "warnings"],
        )
        .await?,
    );
    let mut wasm = vec!["clippy", "--quiet", "--target", WASM];
    let packages = function_packages(checkout)?;
    for package in &packages {
        wasm.extend(["--package", package]);
    }
    wasm.extend(["--", "-D", "warnings"]);
    counts.add(cargo::check(checkout, &wasm).await?);

    // Apart from the rest: the REST server in this command turns on features of shared crates (numbers of any
    // precision in serde_json) that the workers do not have, and they must be tested as they are.
    let mut workers = vec!["test", "--workspace", "--exclude", "xtask"];
    for package in LIVE_PACKAGES {
        workers.extend(["--exclude", package]);
    }
    counts.add(cargo::test(cargo::command(checkout, &workers)).await?);
    counts.add(cargo::test(cargo::command(checkout, &["test", "--package", "xtask"])).await?);
    Ok(counts)
}

fn tidy_passes(checkout: &Checkout) -> Result<bool> {
    let _step = say::step("cargo xtask tidy");
    tidy::check_and_report(checkout)
}

fn function_packages(checkout: &Checkout) -> Result<Vec<String>> {
    functions::all(checkout)?.iter().map(|function| build::package(&function.crate_folder)).collect()
}
