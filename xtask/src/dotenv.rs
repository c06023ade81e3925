//! The dotenv file of a running stack: how scripts, tests and the other commands reach it.
//! Plain `NAME=value` lines; the values used here need no quoting and are refused if they would.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::layout::{Checkout, Layout, StackName};

/// The settings of a stack by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StackEnv(BTreeMap<String, String>);

impl StackEnv {
    /// Adds or replaces a setting.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// A setting that must be there.
    pub fn get(&self, name: &str) -> Result<&str> {
        match self.0.get(name) {
            Some(value) => Ok(value),
            None => bail!("the running stack has no {name}; it was started without it"),
        }
    }

    /// All settings in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Writes the file, readable by its owner only: it holds keys.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = String::from(
            "# How to reach the running stack. Written when it starts, removed when it stops.\n",
        );
        for (name, value) in self.iter() {
            if value.contains(|c: char| c.is_whitespace() || c.is_control() || "\"'\\$`#".contains(c)) {
                bail!("the value of {name} cannot be written to a dotenv file");
            }
            text.push_str(&format!("{name}={value}\n"));
        }
        let partial = path.with_extension("env.partial");
        std::fs::write(&partial, text)
            .and_then(|()| std::fs::set_permissions(&partial, Permissions::from_mode(0o600)))
            .and_then(|()| std::fs::rename(&partial, path))
            .with_context(|| format!("cannot write {}", path.display()))
    }

    /// Reads the file of the development stack, or says that nothing runs.
    pub fn of_running_stack(checkout: &Checkout) -> Result<Self> {
        let path = Layout::new(checkout, StackName::Dev)?.env_file();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self::parse(&text)),
            Err(_) => {
                bail!("no stack is running here. Start one with `cargo xtask up` (or `cargo xtask dev`)")
            }
        }
    }

    fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        Self(
            lines
                .filter_map(|line| line.split_once('='))
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev.env");
        let mut env = StackEnv::default();
        env.set("GATEWAY_URL", "http://127.0.0.1:8780");
        env.set("KEY", "a.b=c==");
        env.write(&path).unwrap();
        assert_eq!(StackEnv::parse(&std::fs::read_to_string(&path).unwrap()), env);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_value_that_a_shell_would_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for bad in ["a b", "a$b", "a\nB=c"] {
            let mut env = StackEnv::default();
            env.set("NAME", bad);
            assert!(env.write(&folder.path().join("dev.env")).is_err(), "{bad:?}");
        }
    }
}
