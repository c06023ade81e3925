//! A real PostgreSQL server for one stack: binaries from npm, an ordinary user, one loopback port, nothing installed.

pub mod owner;
pub mod runtime;
pub mod server;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::layout::Layout;
use owner::Owner;

/// Where a stack's server keeps its binaries and data, and whom they belong to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The binaries, shared by the stacks of a checkout.
    pub runtime: PathBuf,
    /// The data of this stack.
    pub data: PathBuf,
    /// The user that the server runs as.
    pub owner: Owner,
}

impl Place {
    /// Finds the place: inside the checkout, unless the server's user cannot reach into it.
    pub fn of(layout: &Layout) -> Result<Self> {
        let owner = owner::choose()?;
        let inside = layout.checkout.local("");
        let folder = if owner.can_reach(&inside) { inside } else { outside(layout.checkout.root()) };
        if !owner.can_reach(&folder) {
            bail!(
                "Postgres refuses to run as root, and the user it runs as instead can enter neither this checkout nor \
                 {}. Set TMPDIR to a folder that everybody can enter, or run as an ordinary user.",
                folder.display()
            );
        }
        let data = folder.join(layout.name.as_str()).join("pgdata");
        Ok(Self { runtime: folder.join("postgres"), data, owner })
    }
}

/// A folder for a checkout that only its owner can enter.
fn outside(root: &Path) -> PathBuf {
    let name: String = crate::digest::Inputs::default().text(&root.to_string_lossy()).finish();
    std::env::temp_dir().join(format!("ordak-{}", name.chars().take(12).collect::<String>()))
}
