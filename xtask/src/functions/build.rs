//! Compiles the functions to WASM workers, when their sources have changed since the last time.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::future::try_join_all;
use tokio::process::Command;

use super::Function;
use crate::digest::{Inputs, Stamp};
use crate::layout::Checkout;
use crate::say;
use crate::setup::rust::WASM;
use crate::setup::tools::Tools;

/// Builds all functions unless they are up to date. To be called under the set-up lock.
pub async fn all(checkout: &Checkout, tools: &Tools, functions: &[Function]) -> Result<()> {
    let digest = digest(checkout).await?;
    let stamp = Stamp::new(checkout.local("functions.digest"));
    if stamp.is(&digest) && functions.iter().all(|function| function.main.is_file()) {
        return Ok(());
    }
    some(checkout, tools, functions).await?;
    for function in functions {
        say::info(format!("  {} is {} KB gzip", function.name, size(function)?.div_ceil(1024)));
    }
    stamp.set(&digest)
}

/// Builds these, whether they are up to date or not. To be called under the set-up lock.
pub async fn some(checkout: &Checkout, tools: &Tools, functions: &[Function]) -> Result<()> {
    compile(checkout, functions).await?;
    let step = say::step("bundling the workers");
    // Shrinking a module keeps one core busy for some seconds.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    for portion in functions.chunks(cores) {
        try_join_all(
            portion.iter().enumerate().map(|(place, function)| bundle(checkout, tools, function, place == 0)),
        )
        .await?;
    }
    step.done();
    Ok(())
}

async fn digest(checkout: &Checkout) -> Result<String> {
    let mut ask = Command::new("rustc");
    ask.arg("--version").current_dir(checkout.root());
    let compiler = say::output(ask, "Install Rust with rustup.").await?;
    let mut inputs = Inputs::default();
    inputs.text(&compiler).folder(&checkout.path("functions"), &["build", "tests", ".wrangler"])?;
    for file in ["Cargo.toml", "Cargo.lock", "wrangler.toml", "package-lock.json"] {
        inputs.file(&checkout.path(file))?;
    }
    Ok(inputs.finish())
}

/// One cargo run for all, so that their dependencies are compiled once and they themselves side by side. The flags
/// and the variable are those that worker-build uses: what is compiled here is found fresh there.
async fn compile(checkout: &Checkout, functions: &[Function]) -> Result<()> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--lib", "--target", WASM]).env("WASM_BINDGEN_USE_JS_SYS", "1");
    for function in functions {
        cargo.args(["--package", &package(&function.crate_folder)?]);
    }
    cargo.current_dir(checkout.root());
    let remedy = "Correct the sources that the compiler names.";
    say::run("compiling the functions to WASM", cargo, &checkout.local("logs/functions.log"), remedy).await
}

async fn bundle(checkout: &Checkout, tools: &Tools, function: &Function, shows_life: bool) -> Result<()> {
    let mut build = Command::new(&tools.worker_build);
    build
        .arg("--release")
        .arg(&function.crate_folder)
        .env("WASM_BINDGEN_BIN", &tools.wasm_bindgen)
        .env("WASM_OPT_BIN", &tools.wasm_opt)
        .env("ESBUILD_BIN", &tools.esbuild)
        .current_dir(checkout.root());
    let log = checkout.local(format!("logs/bundle-{}.log", function.name));
    let what = format!("bundling {}", function.name);
    say::run_unannounced(&what, build, &log, "Correct what the output names.", shows_life).await?;
    plain(checkout, tools, function).await?;
    strip(tools, function).await
}

/// Puts the script into the plain form of a worker, see `functions/edge/entry.js`.
async fn plain(checkout: &Checkout, tools: &Tools, function: &Function) -> Result<()> {
    let mut esbuild = Command::new(&tools.esbuild);
    esbuild
        .arg(checkout.path("functions/edge/entry.js"))
        .args([
            "--bundle",
            "--minify",
            "--format=esm",
            "--external:cloudflare:*",
            "--external:./index_bg.wasm",
        ])
        .arg(format!("--alias:ordak:worker={}", function.main.display()))
        .arg(format!("--outfile={}", function.main.display()))
        .args(["--allow-overwrite", "--log-level=warning"]);
    say::output(esbuild, "Correct what the output names.").await.map(drop)
}

/// Takes the names of functions out of the module: only debuggers read them, and they are an eighth of what is uploaded.
/// worker-build insists on keeping them.
async fn strip(tools: &Tools, function: &Function) -> Result<()> {
    let module = function.main.with_file_name("index_bg.wasm");
    let mut wasm_opt = Command::new(&tools.wasm_opt);
    wasm_opt.arg(&module).args(["--strip-debug", "--output"]).arg(&module);
    say::output(wasm_opt, "Correct what the output names.").await.map(drop)
}

/// The name of the package in a folder.
pub fn package(crate_folder: &Path) -> Result<String> {
    let manifest = crate_folder.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    let table: toml::Table =
        toml::from_str(&text).with_context(|| format!("cannot read {}", manifest.display()))?;
    let name = table.get("package").and_then(|package| package.get("name")).and_then(|name| name.as_str());
    name.map(str::to_owned).with_context(|| format!("{} names no package", manifest.display()))
}

/// The compressed size of a built function.
pub fn size(function: &Function) -> Result<usize> {
    compressed_size(&[function.main.clone(), function.main.with_file_name("index_bg.wasm")])
}

/// The size of some files that counts against the platform's limit: compressed.
pub fn compressed_size(files: &[PathBuf]) -> Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for file in files {
        let content = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        encoder.write_all(&content).context("cannot compress")?;
    }
    Ok(encoder.finish().context("cannot compress")?.len())
}
