//! What a benchmark consists of, read from its folder.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::layout::Checkout;

/// A benchmark.
#[derive(Debug, Deserialize)]
pub struct Plan {
    /// Its name: that of its folder.
    #[serde(skip)]
    pub name: String,
    /// In a few words, what is measured.
    pub about: String,
    /// A query whose one row describes the data.
    pub ground: String,
    /// The people who call, by the names that calls use for them.
    pub users: BTreeMap<String, String>,
    /// What is called.
    #[serde(rename = "call")]
    pub calls: Vec<Call>,
    #[serde(skip)]
    folder: PathBuf,
}

/// One thing that is called many times.
#[derive(Debug, Deserialize)]
pub struct Call {
    /// What it is.
    pub name: String,
    /// Who calls, one of the plan's users.
    pub user: String,
    /// How often.
    pub times: u32,
    /// An expression, with `{n}` for the number of the call.
    pub sql: String,
    /// The expression is a query, and its rows are the answer.
    #[serde(default)]
    pub rows: bool,
    /// The goal.
    pub target_p95_ms: Option<f64>,
}

/// All benchmarks, by name.
pub fn all(checkout: &Checkout) -> Result<Vec<Plan>> {
    let folder = checkout.path("tests/bench");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut folders: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("bench.toml").is_file())
        .collect();
    folders.sort();
    folders.into_iter().map(read).collect()
}

fn read(folder: PathBuf) -> Result<Plan> {
    let path = folder.join("bench.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut plan = parse(&text).with_context(|| format!("in {}", path.display()))?;
    plan.name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    plan.folder = folder;
    Ok(plan)
}

fn parse(text: &str) -> Result<Plan> {
    let plan: Plan = toml::from_str(text).context("not a benchmark")?;
    for call in &plan.calls {
        if !plan.users.contains_key(&call.user) || call.times == 0 {
            bail!("the call `{}` needs one of the users and some times", call.name);
        }
    }
    Ok(plan)
}

impl Plan {
    /// The script that makes the data.
    pub fn ground_script(&self) -> Result<String> {
        let path = self.folder.join("ground.sql");
        std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// The id of somebody who calls.
    pub fn user(&self, name: &str) -> &str {
        self.users.get(name).map(String::as_str).unwrap_or_default()
    }
}

impl Call {
    /// The statement of one call; its only column is the answer.
    pub fn statement(&self, number: u32) -> String {
        let sql = self.sql.replace("{n}", &number.to_string());
        match self.rows {
            true => format!("select jsonb_agg(to_jsonb(r)) as answer from ({sql}) as r"),
            false => format!("select {sql} as answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "about = \"a\"\nground = \"select 1\"\n[users]\nstaff = \"u\"\n";

    #[test]
    fn the_benchmarks_of_the_repository_can_be_read() {
        let plans = all(&Checkout::find().unwrap()).unwrap();
        assert!(plans.iter().any(|plan| plan.name == "reads" && plan.ground_script().is_ok()));
    }

    #[test]
    fn a_call_counts_and_may_be_a_query() {
        let text = format!(
            "{HEAD}[[call]]\nname = \"c\"\nuser = \"staff\"\ntimes = 2\nsql = \"f({{n}})\"\n
             [[call]]\nname = \"d\"\nuser = \"staff\"\ntimes = 2\nrows = true\nsql = \"select 1\""
        );
        let plan = parse(&text).unwrap();
        assert_eq!(plan.calls[0].statement(7), "select f(7) as answer");
        assert_eq!(
            plan.calls[1].statement(7),
            "select jsonb_agg(to_jsonb(r)) as answer from (select 1) as r"
        );
    }

    #[test]
    fn a_call_by_nobody_is_refused() {
        let text = format!("{HEAD}[[call]]\nname = \"c\"\nuser = \"boss\"\ntimes = 2\nsql = \"f()\"");
        assert!(parse(&text).is_err());
    }
}
