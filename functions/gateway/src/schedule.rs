//! Every schedule of Ordak: which cron expression starts which job.
//!
//! The expressions are those of the top-level `wrangler.toml`; a test keeps both in step.

use crate::BATCH_PROCESSOR;
use ordak_core::{
    envelope::{Envelope, Failure, Fault},
    settings::GatewaySettings,
};
use ordak_edge::{clock, kick, rest_error::Role, rpc::Rpc};
use std::time::Duration;
use worker::Env;

/// What can be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Job {
    /// Let the queue worker drain until nothing is due.
    Drain,
    /// Decide the batches whose window closes.
    Orchestrate,
    /// Say what stands still; delete, archive and forget what is due.
    Housekeeping,
    /// Look for orders that no webhook has brought.
    RepairGaps,
    /// Compare stock where the quiet hour has come.
    Reconcile,
}

const SCHEDULES: &[(&str, Job)] = &[
    ("* * * * *", Job::Drain),
    ("*/15 * * * *", Job::Orchestrate),
    ("0 * * * *", Job::Housekeeping),
    ("17 * * * *", Job::RepairGaps),
    ("5,20,35,50 * * * *", Job::Reconcile),
];

/// The clock has time: its drains stay for what a rate or a breaker holds back.
const DRAIN: &str = r#"{"patient":true}"#;

/// What the function that decides batches is asked for.
const ORCHESTRATE: &str = r#"{"jobType":"orchestrate"}"#;

/// The function that looks for orders that no webhook has brought.
const GAP_REPAIR: &str = "gap-repair";
/// The function that compares stock.
const RECONCILE: &str = "reconcile";

/// Functions that each do a portion of their work a call and say `already_done` when nothing is left.
const CHORES: [&str; 5] =
    ["check_queue", "check_orders", "purge_work", "continue_compliance", "archive_events"];

/// Longest time for one portion.
const RPC_LIMIT: Duration = Duration::from_secs(30);

/// How long a chore goes on; the next hour goes on where it stopped.
const CHORE_LIMIT_MS: u64 = 60_000;

/// Runs the job of a cron expression.
///
/// # Errors
/// A fault when there is none or it failed; nobody else will hear of it.
pub async fn run(cron: &str, env: &Env, settings: &GatewaySettings, id: &str) -> Result<(), Fault> {
    match job_of(cron) {
        Some(Job::Drain) => start(kick::QUEUE_WORKER, Some(DRAIN), env, settings, id).await,
        Some(Job::Orchestrate) => start(BATCH_PROCESSOR, Some(ORCHESTRATE), env, settings, id).await,
        Some(Job::Housekeeping) => housekeeping(settings).await,
        Some(Job::RepairGaps) => start(GAP_REPAIR, None, env, settings, id).await,
        Some(Job::Reconcile) => start(RECONCILE, None, env, settings, id).await,
        None => Err(Fault::internal(format!("no job for the schedule {cron:?}"))),
    }
}

fn job_of(cron: &str) -> Option<Job> {
    SCHEDULES.iter().find(|(known, _)| *known == cron).map(|(_, job)| *job)
}

/// Has a function do its work, with this JSON if any, and waits until it has.
async fn start(
    function: &str,
    json: Option<&str>,
    env: &Env,
    settings: &GatewaySettings,
    id: &str,
) -> Result<(), Fault> {
    match kick::post(function, json, env, &settings.database.service_key, id).await {
        Ok(200) => Ok(()),
        Ok(status) => Err(Fault::internal(format!("{function} answered {status}"))),
        Err(error) => Err(Fault::unavailable(format!("{function}: {error}"))),
    }
}

async fn housekeeping(settings: &GatewaySettings) -> Result<(), Fault> {
    let rpc = Rpc::new(&settings.database.supabase_url, settings.database.service_key.headers())?;
    let mut outcome = Ok(());
    // A chore that fails holds up no other; the last failure is told.
    for chore in CHORES {
        if let Err(fault) = finish(&rpc, chore).await {
            outcome = Err(fault);
        }
    }
    outcome
}

async fn finish(rpc: &Rpc, chore: &str) -> Result<(), Fault> {
    let started = clock::now_ms();
    while clock::now_ms().saturating_sub(started) < CHORE_LIMIT_MS {
        let body = rpc
            .call(chore, b"{}".to_vec(), RPC_LIMIT)
            .await
            .map_err(|error| ours(error.into_failure(chore, Role::Service)))?;
        let answer = Envelope::read(&body)?;
        let nothing_left = matches!(answer, Envelope::Done { already_done: true, .. });
        answer.into_data().map_err(ours)?;
        if nothing_left {
            break;
        }
    }
    Ok(())
}

/// A job has no caller to blame.
fn ours(failure: Failure) -> Fault {
    match failure {
        Failure::Fault(fault) => fault,
        Failure::Rejection(rejection) => Fault::internal(format!("refused: {}", rejection.message)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trigger_has_a_job_and_every_job_a_trigger() {
        let configuration = include_str!("../../../wrangler.toml");
        let (_, triggers) = configuration.split_once("crons = [").unwrap();
        let (triggers, _) = triggers.split_once(']').unwrap();
        let configured: Vec<&str> = triggers.split('"').skip(1).step_by(2).collect();
        let known: Vec<&str> = SCHEDULES.iter().map(|(cron, _)| *cron).collect();
        assert_eq!(configured, known);
    }

    #[test]
    fn an_unknown_schedule_has_no_job() {
        assert_eq!(job_of("* * * * *"), Some(Job::Drain));
        assert_eq!(job_of("*/7 * * * *"), None);
    }
}
