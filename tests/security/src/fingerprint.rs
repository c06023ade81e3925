//! What is in the database, table by table, to prove that a refused request changed nothing.

use crate::database::Database;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long work that earlier requests started may take to settle.
const SETTLING: Duration = Duration::from_secs(60);

/// Rows and a hash over their content, per table of `public` and `private` and for `auth.users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<String, (i64, String)>);

impl Fingerprint {
    /// Takes it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn take(database: &mut Database) -> Result<Self> {
        let tables = database.column(
            "select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where c.relkind = 'r' and (n.nspname in ('public', 'private') or (n.nspname, c.relname) = ('auth', 'users'))
             order by 1",
        )?;
        let mut content = BTreeMap::new();
        for table in tables {
            // The sum of row hashes needs no sort and does not care for the order of rows.
            let sql = format!(
                "select count(*), coalesce(sum(hashtextextended(t::text, 0)::numeric), 0) from {table} t"
            );
            let row = database.rows(&sql)?.into_iter().next().unwrap_or_default();
            let mut columns = row.into_iter().map(Option::unwrap_or_default);
            let count = columns.next().unwrap_or_default().parse()?;
            content.insert(table, (count, columns.next().unwrap_or_default()));
        }
        Ok(Self(content))
    }

    /// Which tables differ, and by how many rows.
    #[must_use]
    pub fn difference(&self, later: &Self) -> Vec<String> {
        let mut names: Vec<&String> = self.0.keys().chain(later.0.keys()).collect();
        names.sort();
        names.dedup();
        let of = |print: &Self, name: &String| print.0.get(name).map_or(0, |(count, _)| *count);
        names
            .into_iter()
            .filter(|name| self.0.get(*name) != later.0.get(*name))
            .map(|name| format!("{name}: {} rows before, {} after", of(self, name), of(later, name)))
            .collect()
    }
}

/// Waits until nothing in the work queue is due or under way, so that no drain of earlier work is taken for an effect.
///
/// # Errors
/// When it does not settle.
pub fn settle(database: &mut Database) -> Result<()> {
    let began = Instant::now();
    let mut last = None;
    while began.elapsed() < SETTLING {
        let busy = database.number("select count(*) from public.work_queue where status = 'processing'")?;
        let runs = database.number("select count(*) from public.worker_runs")?;
        if busy == 0 && last == Some(runs) {
            return Ok(());
        }
        // A drain records its run after it has reported its work: only a later look can tell that it has done so.
        last = (busy == 0).then_some(runs);
        std::thread::sleep(Duration::from_millis(1500));
    }
    bail!("the work queue did not settle within {} s", SETTLING.as_secs())
}
