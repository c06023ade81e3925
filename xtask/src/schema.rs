//! Brings a stack's database to what the checkout says: bootstrap, migrations by the Supabase CLI, seed. Migrations go
//! forward only: what has been applied must not have changed since.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use sqlx::Row;
use tokio::process::Command;

use crate::database::{self, Role};
use crate::digest;
use crate::layout::{Checkout, Layout};
use crate::say;

/// What was applied to the stack's database, by name and digest; kept beside the data.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Applied(BTreeMap<String, String>);

const BOOTSTRAP: &str = "bootstrap";
const SEED: &str = "seed";

/// Applies what is missing.
pub async fn bring_up_to_date(layout: &Layout) -> Result<()> {
    let checkout = &layout.checkout;
    let book = layout.path("applied.json");
    let mut applied = Applied::read(&book);
    let wanted = migrations(checkout)?;
    let bootstrap = checkout.path("supabase/bootstrap.sql");
    applied.check(&wanted, &digest::of_content(&bootstrap)?)?;

    if !applied.0.contains_key(BOOTSTRAP) {
        let step = say::step("making the database look like a Supabase project");
        script(layout, Role::Superuser, &bootstrap).await?;
        applied.set(BOOTSTRAP, digest::of_content(&bootstrap)?);
        applied.write(&book)?;
        step.done();
    }
    let missing = wanted.keys().filter(|name| !applied.0.contains_key(*name)).count();
    if missing > 0 {
        let migrated = migrate(layout, missing).await;
        for version in versions(layout).await? {
            if let Some((name, digest)) =
                wanted.iter().find(|(name, _)| name.split('_').next() == Some(&version))
            {
                applied.set(name, digest.clone());
            }
        }
        applied.write(&book)?;
        migrated?;
    }
    let seed = checkout.path("supabase/seed.sql");
    let seed_digest = digest::of_content(&seed)?;
    if missing > 0 || applied.0.get(SEED) != Some(&seed_digest) {
        let step = say::step("seeding stores, staff and stock");
        script(layout, Role::Owner, &seed).await?;
        applied.set(SEED, seed_digest);
        applied.write(&book)?;
        step.done();
    }
    Ok(())
}

/// Forgets what was applied, because the data is gone.
pub fn forget(layout: &Layout) -> Result<()> {
    Applied::default().write(&layout.path("applied.json"))
}

/// The migration files by name, with their digests.
fn migrations(checkout: &Checkout) -> Result<BTreeMap<String, String>> {
    let folder = checkout.path("migrations");
    let mut found = BTreeMap::new();
    for file in digest::files_below(&folder, &[])? {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".sql") {
            found.insert(name, digest::of_content(&file)?);
        }
    }
    Ok(found)
}

async fn script(layout: &Layout, role: Role, path: &PathBuf) -> Result<()> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut connection = database::connect(layout, role).await?;
    database::run_script(&mut connection, &text)
        .await
        .with_context(|| format!("{} failed", path.display()))?;
    database::close(connection).await
}

async fn migrate(layout: &Layout, missing: usize) -> Result<()> {
    let checkout = &layout.checkout;
    let mut command = Command::new("node");
    command
        .arg(checkout.path("node_modules/supabase/dist/supabase.js"))
        .args(["migration", "up", "--include-all", "--yes"])
        .arg(format!("--remote={}", database::url(layout, Role::Owner)))
        .args(["--workdir", &checkout.root().to_string_lossy()])
        .current_dir(checkout.root())
        .envs([("SUPABASE_TELEMETRY_DISABLED", "1"), ("DO_NOT_TRACK", "1"), ("CI", "1"), ("NO_COLOR", "1")])
        // Whatever the CLI keeps for itself stays in the checkout; nobody's log-in is read.
        .env("HOME", checkout.local("supabase-cli"))
        .env_remove("SUPABASE_ACCESS_TOKEN");
    let what = format!("applying {missing} migration{}", if missing == 1 { "" } else { "s" });
    let remedy = "Correct the migration that the output names and try again.";
    say::run(&what, command, &layout.log("migrations"), remedy).await
}

/// The versions that the database says it has.
async fn versions(layout: &Layout) -> Result<Vec<String>> {
    let mut connection = database::connect(layout, Role::Owner).await?;
    let known = sqlx::query("select to_regclass('supabase_migrations.schema_migrations') is not null")
        .fetch_one(&mut connection)
        .await
        .and_then(|row| row.try_get::<bool, _>(0))
        .context("cannot ask the database for its migrations")?;
    let mut versions = Vec::new();
    if known {
        let rows = sqlx::query("select version::text from supabase_migrations.schema_migrations")
            .fetch_all(&mut connection)
            .await
            .context("cannot ask the database for its migrations")?;
        for row in rows {
            versions.push(row.try_get::<String, _>(0).context("cannot ask the database for its migrations")?);
        }
    }
    database::close(connection).await?;
    Ok(versions)
}

impl Applied {
    fn read(path: &PathBuf) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        Self(serde_json::from_slice(&bytes).unwrap_or_default())
    }

    fn write(&self, path: &PathBuf) -> Result<()> {
        let text = serde_json::to_string_pretty(&self.0).context("cannot describe what was applied")?;
        std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
    }

    fn set(&mut self, name: &str, digest: String) {
        self.0.insert(name.to_owned(), digest);
    }

    fn check(&self, wanted: &BTreeMap<String, String>, bootstrap: &str) -> Result<()> {
        let remedy = "Local data has to be made anew: `cargo xtask down --wipe`, then start again.";
        for (name, digest) in &self.0 {
            match name.as_str() {
                SEED => {}
                BOOTSTRAP if digest != bootstrap => {
                    bail!("supabase/bootstrap.sql has changed since this database was made. {remedy}")
                }
                BOOTSTRAP => {}
                _ => match wanted.get(name) {
                    Some(now) if now == digest => {}
                    Some(_) => bail!("migrations/{name} has changed since it was applied here. {remedy}"),
                    None => bail!("migrations/{name} was applied here and is gone. {remedy}"),
                },
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, digest)| (name.to_string(), digest.to_string())).collect()
    }

    #[test]
    fn new_migrations_are_welcome_and_changed_or_vanished_ones_are_not() {
        let applied = Applied(map(&[("bootstrap", "b"), ("1_a.sql", "x"), ("seed", "old")]));
        assert!(applied.check(&map(&[("1_a.sql", "x"), ("2_b.sql", "y")]), "b").is_ok());
        for (wanted, bootstrap, named) in [
            (map(&[("1_a.sql", "z")]), "b", "1_a.sql"),
            (map(&[]), "b", "1_a.sql"),
            (map(&[("1_a.sql", "x")]), "c", "bootstrap"),
        ] {
            let error = applied.check(&wanted, bootstrap).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("down --wipe"), "{error}");
        }
    }
}
