//! Derives what wrangler runs locally from the configuration files written by hand: the built script at its absolute
//! place, no build step, and the stack's settings in a file that wrangler does not print.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use toml::{Table, Value};

use super::Function;

/// Writes the derived configuration of each function below `folder`, in a folder of its own, and returns the files in
/// the order of the functions.
pub fn derive(functions: &[Function], folder: &Path, settings: &[(String, String)]) -> Result<Vec<PathBuf>> {
    functions.iter().map(|function| derive_one(function, &folder.join(&function.name), settings)).collect()
}

fn derive_one(function: &Function, folder: &Path, settings: &[(String, String)]) -> Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("wrangler.toml");
    let text = toml::to_string(&derived(function)).context("cannot write TOML")?;
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let secrets = folder.join(".dev.vars");
    std::fs::write(&secrets, dev_vars(settings)?)
        .and_then(|()| std::fs::set_permissions(&secrets, Permissions::from_mode(0o600)))
        .with_context(|| format!("cannot write {}", secrets.display()))?;
    Ok(path)
}

/// The configuration without its build step, with an absolute script and no talk to the vendor.
pub fn derived(function: &Function) -> Table {
    let mut config = function.config.clone();
    config.remove("build");
    config.insert("main".to_owned(), Value::String(function.main.to_string_lossy().into_owned()));
    config.insert("send_metrics".to_owned(), Value::Boolean(false));
    config
}

fn dev_vars(settings: &[(String, String)]) -> Result<String> {
    let mut text = String::new();
    for (name, value) in settings {
        if value.contains(['"', '\'', '\n', '\\', '$']) {
            anyhow::bail!("the value of {name} holds a quote, a backslash, a dollar sign or a line break");
        }
        text.push_str(&format!("{name}=\"{value}\"\n"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function() -> Function {
        let config =
            "name = \"a\"\nmain = \"build/index.js\"\n[build]\ncommand = \"x\"\n[vars]\nMODE = \"m\"";
        Function {
            name: "a".into(),
            config_path: "/repo/functions/a/wrangler.toml".into(),
            config: toml::from_str(config).unwrap(),
            crate_folder: "/repo/functions/a".into(),
            main: "/repo/functions/a/build/index.js".into(),
        }
    }

    #[test]
    fn keeps_everything_but_the_build_step_and_the_relative_path() {
        let derived = derived(&function());
        assert!(!derived.contains_key("build"));
        assert_eq!(derived["main"].as_str(), Some("/repo/functions/a/build/index.js"));
        assert_eq!(derived["vars"]["MODE"].as_str(), Some("m"));
    }

    #[test]
    fn settings_go_to_a_file_for_the_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let files = derive(&[function()], folder.path(), &[("KEY".into(), "a=b".into())]).unwrap();
        let secrets = files[0].with_file_name(".dev.vars");
        assert_eq!(std::fs::read_to_string(&secrets).unwrap(), "KEY=\"a=b\"\n");
        assert_eq!(std::fs::metadata(secrets).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!std::fs::read_to_string(&files[0]).unwrap().contains("a=b"));
    }

    #[test]
    fn a_value_that_could_end_its_quotes_is_refused() {
        assert!(dev_vars(&[("KEY".into(), "a\"\nOTHER=\"b".into())]).is_err());
    }
}
