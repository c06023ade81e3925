//! The edge functions as things to build, run and deploy. Reads their `wrangler.toml` files; knows no function by name.

pub mod build;
pub mod config;
pub mod serve;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use toml::Table;

use crate::layout::Checkout;

/// One worker, as its `wrangler.toml` describes it.
#[derive(Clone, Debug)]
pub struct Function {
    /// The worker's name.
    pub name: String,
    /// The configuration file, as written by hand.
    pub config_path: PathBuf,
    /// What is in it.
    pub config: Table,
    /// The folder of its crate.
    pub crate_folder: PathBuf,
    /// The built script.
    pub main: PathBuf,
}

/// All functions; the gateway, which the top-level file describes, comes first.
pub fn all(checkout: &Checkout) -> Result<Vec<Function>> {
    let top = checkout.path("wrangler.toml");
    if !top.is_file() {
        bail!("{} is missing: it describes the gateway", top.display());
    }
    let mut functions = vec![read(&top)?];
    let folder = checkout.path("functions");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path().join("wrangler.toml"))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    for file in files {
        let function = read(&file)?;
        if !functions.iter().any(|known| known.name == function.name) {
            functions.push(function);
        }
    }
    Ok(functions)
}

/// The worker that this file describes.
pub fn read(path: &Path) -> Result<Function> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(path, &text).with_context(|| format!("in {}", path.display()))
}

fn parse(path: &Path, text: &str) -> Result<Function> {
    let config: Table = toml::from_str(text).context("not valid TOML")?;
    let field = |name: &str| {
        let value = config.get(name).and_then(|value| value.as_str());
        value.map(str::to_owned).with_context(|| format!("`{name}` is missing"))
    };
    let main = path.parent().unwrap_or(Path::new("/")).join(field("main")?);
    // <crate>/build/index.js, where worker-build puts it.
    let crate_folder =
        main.parent().and_then(Path::parent).context("`main` must be <crate>/build/index.js")?;
    Ok(Function {
        name: field("name")?,
        config_path: path.to_owned(),
        crate_folder: crate_folder.to_owned(),
        main,
        config,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_through_its_main() {
        let text = "name = \"gateway\"\nmain = \"functions/gateway/build/index.js\"";
        let function = parse(Path::new("/repo/wrangler.toml"), text).unwrap();
        assert_eq!(function.main, Path::new("/repo/functions/gateway/build/index.js"));
        assert_eq!(function.crate_folder, Path::new("/repo/functions/gateway"));
    }

    #[test]
    fn a_file_without_a_name_or_main_is_refused() {
        assert!(parse(Path::new("/repo/wrangler.toml"), "name = \"a\"").is_err());
        assert!(parse(Path::new("/repo/wrangler.toml"), "main = \"a/build/index.js\"").is_err());
    }
}
