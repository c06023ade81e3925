//! Where things are: the checkout, the project-local folder `.ordak`, the ports and folders of a stack.
//! Decides names only; starts and creates nothing but folders.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The first port when `ORDAK_PORT_BASE` says nothing.
const DEFAULT_PORT_BASE: u16 = 8780;
/// How far the test stack is from the development stack, so that both can run.
const TEST_PORT_OFFSET: u16 = 50;

/// How far the database of the benchmarks is from it.
const BENCH_PORT_OFFSET: u16 = 60;

/// The checkout that the command works in.
#[derive(Clone, Debug)]
pub struct Checkout {
    root: PathBuf,
}

impl Checkout {
    /// Finds the checkout: cargo tells where the package is, otherwise it is looked for upwards from here.
    pub fn find() -> Result<Self> {
        let told = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let start = match told {
            Some(path) => path,
            None => std::env::current_dir().context("cannot read the current folder")?,
        };
        let root = start.ancestors().find(|folder| folder.join("xtask/Cargo.toml").is_file());
        match root {
            Some(root) => {
                Ok(Self { root: root.canonicalize().context("cannot resolve the checkout's path")? })
            }
            None => bail!("not inside a checkout of Ordak: run `cargo xtask` in its folder"),
        }
    }

    /// A checkout at a known place.
    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// A path inside the checkout.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// The top of the checkout.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the git-ignored folder for everything made locally.
    pub fn local(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(".ordak").join(relative)
    }
}

/// Which of the stacks of a checkout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackName {
    /// The one people work with; its data stays.
    Dev,
    /// The one that suites run against; it starts from nothing each time.
    Test,
    /// The database that benchmarks run against; it starts from nothing each time.
    Bench,
}

impl StackName {
    /// The name as it appears in paths.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Test => "test",
            Self::Bench => "bench",
        }
    }
}

/// The ports of one stack.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    base: u16,
}

impl Ports {
    fn new(name: StackName, setting: Option<&str>) -> Result<Self> {
        let base = match setting {
            None | Some("") => DEFAULT_PORT_BASE,
            Some(text) => match text.parse::<u16>() {
                Ok(base) if (1024..=65_000).contains(&base) => base,
                _ => bail!("ORDAK_PORT_BASE is `{text}`: it must be a port number from 1024 to 65000"),
            },
        };
        let offset = match name {
            StackName::Dev => 0,
            StackName::Test => TEST_PORT_OFFSET,
            StackName::Bench => BENCH_PORT_OFFSET,
        };
        Ok(Self { base: base + offset })
    }

    /// Where the gateway answers.
    pub fn gateway(self) -> u16 {
        self.base
    }

    /// Where the REST server answers.
    pub fn rest(self) -> u16 {
        self.base + 1
    }

    /// Where Postgres answers.
    pub fn postgres(self) -> u16 {
        self.base + 2
    }

    /// Where the fakes answer.
    pub fn fakes(self) -> u16 {
        self.base + 3
    }

    /// Where a debugger can attach to the workers.
    pub fn inspector(self) -> u16 {
        self.base + 4
    }
}

/// Names, ports and folders of one stack.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The checkout it belongs to.
    pub checkout: Checkout,
    /// Which stack.
    pub name: StackName,
    /// Its ports.
    pub ports: Ports,
}

impl Layout {
    /// The layout of a stack of this checkout, with ports from the environment.
    pub fn new(checkout: &Checkout, name: StackName) -> Result<Self> {
        let setting = std::env::var("ORDAK_PORT_BASE").ok();
        let ports = Ports::new(name, setting.as_deref())?;
        Ok(Self { checkout: checkout.clone(), name, ports })
    }

    /// A path in the stack's own folder.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.checkout.local(self.name.as_str()).join(relative)
    }

    /// A log file of the stack.
    pub fn log(&self, what: &str) -> PathBuf {
        self.path("logs").join(format!("{what}.log"))
    }

    /// The dotenv file that tells others how to reach the stack.
    pub fn env_file(&self) -> PathBuf {
        self.checkout.local(format!("{}.env", self.name.as_str()))
    }

    /// Creates the stack's folders.
    pub fn create(&self) -> Result<()> {
        let logs = self.path("logs");
        std::fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_start_at_the_base_and_the_test_stack_keeps_clear_of_it() {
        let dev = Ports::new(StackName::Dev, None).unwrap();
        let test = Ports::new(StackName::Test, Some("9000")).unwrap();
        assert_eq!((dev.gateway(), dev.inspector()), (8780, 8784));
        assert_eq!((test.gateway(), test.rest(), test.postgres(), test.fakes()), (9050, 9051, 9052, 9053));
    }

    #[test]
    fn refuses_a_base_that_is_no_port() {
        for bad in ["80", "eighty", "70000", "-1"] {
            assert!(Ports::new(StackName::Dev, Some(bad)).is_err(), "{bad}");
        }
    }
}
