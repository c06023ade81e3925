//! Health: how long the database takes, how the queue is, and how each function says it is.
//!
//! No authorisation and therefore no personal data and no names of settings. Kept for two seconds per isolate, so that
//! no number of monitors can load the database.

use futures_util::future::{join, join_all};
use ordak_core::{
    envelope::Envelope,
    health::{Figures, Status, status},
    settings::GatewaySettings,
};
use ordak_edge::{answer::Answer, clock, deadline::within, rpc::Rpc, serve};
use serde::Serialize;
use serde_json::{Map, Value};
use std::{cell::RefCell, time::Duration};
use wasm_bindgen::JsCast;
use worker::{Env, Fetcher, js_sys};

const KEPT_MS: u64 = 2000;
const LIMIT: Duration = Duration::from_secs(2);

thread_local! {
    static LAST: RefCell<Option<(u64, Report)>> = const { RefCell::new(None) };
}

/// The answer's body.
#[derive(Clone, Debug, Serialize)]
struct Report {
    status: Status,
    version: String,
    db: Database,
    queue: Option<Value>,
    functions: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Serialize)]
struct Database {
    ok: bool,
    latency_ms: u64,
}

/// What the database said, and how long that took.
struct Probe {
    queue: Option<Value>,
    latency_ms: u64,
}

/// The answer.
pub async fn answer(env: &Env, settings: &GatewaySettings) -> Answer {
    let now = clock::now_ms();
    let kept = LAST.with_borrow(|last| {
        last.as_ref().filter(|(until, _)| now < *until).map(|(_, report)| report.clone())
    });
    let report = match kept {
        Some(report) => report,
        None => {
            let (probe, functions) = join(ask_database(settings), ask_functions(env)).await;
            let report = judge(probe, functions, &settings.version, now);
            LAST.set(Some((clock::now_ms() + KEPT_MS, report.clone())));
            report
        }
    };
    Answer::json(report.status.http_status(), &report, "health")
}

fn judge(probe: Probe, functions: Map<String, Value>, version: &str, now: u64) -> Report {
    let figures = probe.queue.as_ref().map(|queue| figures(queue, now));
    let all_functions_up = functions.values().all(|word| word == "up");
    let status = match status(figures) {
        Status::Up if !all_functions_up => Status::Degraded,
        status => status,
    };
    let db = Database { ok: probe.queue.is_some(), latency_ms: probe.latency_ms };
    Report { status, version: version.to_owned(), db, queue: probe.queue, functions }
}

fn figures(queue: &Value, now: u64) -> Figures {
    let number = |name: &str| queue.get(name).and_then(Value::as_u64);
    let last_run = queue.get("last_run_at").and_then(Value::as_str).and_then(clock::parse);
    Figures {
        pending: number("pending").unwrap_or(0),
        oldest_pending_s: number("oldest_pending_s"),
        last_run_age_s: last_run.map(|at| now.saturating_sub(at) / 1000),
    }
}

async fn ask_database(settings: &GatewaySettings) -> Probe {
    let started = clock::now_ms();
    let queue = ask_queue(settings).await;
    Probe { queue, latency_ms: clock::now_ms().saturating_sub(started) }
}

async fn ask_queue(settings: &GatewaySettings) -> Option<Value> {
    let rpc = Rpc::new(&settings.database.supabase_url, settings.database.service_key.headers()).ok()?;
    let body = rpc.call("get_health", b"{}".to_vec(), LIMIT).await.ok()?;
    Envelope::read(&body).ok()?.into_data().ok()
}

/// Every binding that is a service is a function.
async fn ask_functions(env: &Env) -> Map<String, Value> {
    let names = js_sys::Object::keys(env.unchecked_ref::<js_sys::Object>());
    let functions: Vec<(String, Fetcher)> = names
        .iter()
        .filter_map(|name| {
            let name = name.as_string()?;
            let function = env.service(&name).ok()?;
            Some((name.to_ascii_lowercase().replace('_', "-"), function))
        })
        .collect();
    let asked = functions.into_iter().map(|(name, function)| async move {
        let word = within(LIMIT, ask(&name, &function)).await.unwrap_or("down");
        (name, Value::from(word))
    });
    join_all(asked).await.into_iter().collect()
}

async fn ask(name: &str, function: &Fetcher) -> &'static str {
    match function.fetch(format!("https://{name}{}", serve::HEALTH), None).await {
        Ok(answer) if answer.status_code() == 200 => "up",
        Ok(_) => "misconfigured",
        Err(_) => "down",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(queue: Option<Value>, function: &str) -> Report {
        let functions = [("order-ingest".to_owned(), Value::from(function))].into_iter().collect();
        judge(Probe { queue, latency_ms: 7 }, functions, "1.2.3", 0)
    }

    #[test]
    fn a_silent_database_is_down() {
        let report = serde_json::to_value(report(None, "up")).unwrap();
        assert_eq!(report["status"], "down");
        assert_eq!(report["db"], json!({"ok": false, "latency_ms": 7}));
        assert_eq!(report["queue"], Value::Null);
    }

    #[test]
    fn a_queue_that_nobody_drains_is_degraded() {
        let queue = json!({"pending": 0, "oldest_pending_s": 0, "dead": 0, "last_run_at": null});
        assert_eq!(report(Some(queue), "up").status, Status::Degraded);
    }
}
