//! Where a personal text could end up, searched whole.

use super::person::Person;
use ordak_e2e::answer::Answer;
use ordak_e2e::stack::Stack;
use ordak_e2e::{Failure, Outcome};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What was searched, and what was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// Pieces of text.
    pub searched: usize,
    /// Where which trait was.
    pub hits: Vec<String>,
}

impl Findings {
    /// Searches one text.
    pub fn search(&mut self, person: &Person, place: &str, text: &str) {
        self.searched += 1;
        let lower = text.to_lowercase();
        for (what, mark) in person.marks() {
            if lower.contains(&mark.to_lowercase()) {
                let shown: String = text.chars().take(300).collect();
                self.hits.push(format!("{what} in {place}: {shown}"));
            }
        }
    }
}

/// The folder with every log of the stack.
pub fn logs() -> Outcome<PathBuf> {
    let missing = |_| Failure::new("ORDAK_LOGS is not set: run `cargo xtask test e2e`");
    std::env::var("ORDAK_LOGS").map(PathBuf::from).map_err(missing)
}

/// Every line of every log.
pub fn lines(folder: &Path) -> Outcome<Vec<(String, String)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
        all.extend(text.lines().map(|line| (path.display().to_string(), line.to_owned())));
    }
    Ok(all)
}

/// Errors, reasons, alerts and audits: what people read who need not know who ordered.
const ERRORS: &str = "
    select 'event_store.last_error' as place, last_error as text from public.event_store where last_error is not null
    union all select 'event_archive.last_error', last_error from public.event_archive where last_error is not null
    union all select 'work_queue.last_error', last_error from public.work_queue where last_error is not null
    union all select 'work_queue.payload', payload::text from public.work_queue
    union all select 'dead_letters.reason', concat_ws(' ', reason, external_id, topic, shop_domain) from public.dead_letters
    union all select 'worker_runs', r::text from public.worker_runs r
    union all select 'sync_cursors', c::text from public.sync_cursors c
    union all select 'compliance_requests', r::text from public.compliance_requests r
    union all select 'stage_events', s::text from public.stage_events s";

/// Searches what the database says of errors.
pub async fn errors(stack: &Stack, person: &Person, findings: &mut Findings) -> Outcome {
    for row in stack.db().await?.rows(ERRORS, &[]).await? {
        findings.search(
            person,
            row["place"].as_str().unwrap_or_default(),
            row["text"].as_str().unwrap_or_default(),
        );
    }
    Ok(())
}

/// Searches everything that reached Slack, Sentry, PostHog, the e-mail service or any other upstream.
pub async fn upstreams(stack: &Stack, person: &Person, findings: &mut Findings) -> Outcome<usize> {
    let mut slack = 0;
    let answer = Answer::to(stack.http.get(format!("{}/_calls", stack.fakes_url))).await?;
    for call in answer.at("/calls").as_array().into_iter().flatten() {
        let upstream = call["upstream"].as_str().unwrap_or_default();
        slack += usize::from(upstream == "slack");
        findings.search(person, upstream, &call.to_string());
    }
    Ok(slack)
}

/// Every column of every table, as a dump would show it, and letters that are encoded decoded. From the catalog, so
/// that no table can be forgotten here. Gives how many columns there were, and where somebody still is.
pub async fn dump(stack: &Stack, person: &Person) -> Outcome<(usize, Vec<String>)> {
    let db = stack.db().await?;
    let columns = db
        .rows(
            "select format('%I.%I', n.nspname, c.relname) as relation, format('%I', a.attname) as column
             from pg_catalog.pg_attribute a
             join pg_catalog.pg_class c on c.oid = a.attrelid
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace
             where c.relkind in ('r', 'm') and a.attnum > 0 and not a.attisdropped
                 and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname not like 'pg\\_%'
             order by 1, 2",
            &[],
        )
        .await?;
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let mut parts: Vec<String> = columns
        .iter()
        .map(|row| {
            let (relation, column) = (text(row, "relation"), text(row, "column"));
            format!("select '{relation}.{column}' as place, {column}::text as content from {relation}")
        })
        .collect();
    parts.push(
        "select 'public.dead_letters.body, decoded', encode(decode(body, 'base64'), 'escape')
         from public.dead_letters where encoding = 'base64'"
            .to_owned(),
    );
    let marks: Vec<String> = person.marks().iter().map(|(_, mark)| format!("%{mark}%")).collect();
    let mut found = Vec::new();
    // Some at a time: one statement over all columns would be longer than anybody plans gladly.
    for some in parts.chunks(40) {
        let query = format!(
            "select t.place, count(*)::int as rows from ({}) t where t.content ilike any ($1) group by t.place order by t.place",
            some.join(" union all ")
        );
        found.extend(db.rows(&query, &[&marks]).await?.iter().map(|row| text(row, "place")));
    }
    Ok((columns.len(), found))
}
