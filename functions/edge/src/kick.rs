//! Waking the queue worker after a change, so that its effects leave at once and not with the next cron tick.
//!
//! Runs after the answer. Kicks are gathered for a moment, so that a burst of requests makes one drain, not hundreds;
//! a kick that is lost costs a minute at most, since the cron trigger drains anyway.

use crate::{
    clock,
    log::{Level, Line},
    request_id, service,
};
use ordak_core::secret_key::SecretKey;
use std::{cell::Cell, time::Duration};
use worker::{Context, Delay, Env};

/// The function that drains.
pub const QUEUE_WORKER: &str = "queue-worker";

/// How long kicks are gathered.
const GATHER: Duration = Duration::from_millis(100);
/// Longest wait for a function that does its work: some use the half minute that they have, and more of a cron trigger's.
const LIMIT: Duration = Duration::from_secs(900);

thread_local! {
    /// When the gathered kick leaves. A time and not a flag: the request that should send it may die before.
    static LEAVES_AT: Cell<u64> = const { Cell::new(0) };
}

/// Wakes the queue worker once the answer is out.
pub fn kick(function: &'static str, id: &str, env: &Env, context: &Context, key: &SecretKey) {
    let now = clock::now_ms();
    if LEAVES_AT.get() > now {
        return;
    }
    LEAVES_AT.set(now + GATHER.as_millis() as u64);
    let (id, env, key) = (id.to_owned(), env.clone(), key.clone());
    context.wait_until(async move {
        Delay::from(GATHER).await;
        match post(QUEUE_WORKER, None, &env, &key, &id).await {
            Ok(200) => {}
            Ok(status) => complain(function, &id, now, &format!("answered {status}")),
            Err(error) => complain(function, &id, now, error),
        }
    });
}

/// Asks a function, with the service key and this JSON if any, waits for its answer and gives back the status.
///
/// # Errors
/// When the binding is missing or the function cannot be reached.
pub async fn post(
    function: &str,
    json: Option<&str>,
    env: &Env,
    key: &SecretKey,
    id: &str,
) -> Result<u16, &'static str> {
    let key = key.headers();
    let mut headers = vec![(request_id::HEADER, id)];
    headers.extend(key.iter().map(|(name, value)| (*name, value.as_str())));
    Ok(service::post(env, function, &headers, json.unwrap_or_default(), LIMIT).await?.status)
}

fn complain(function: &str, id: &str, started: u64, error: &str) {
    Line::new(function, Level::Error, "kick_failed", started).request(id).error(Some(error)).write();
}
