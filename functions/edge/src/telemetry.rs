//! Telling Sentry what went wrong and PostHog what was done, after the answer is out.
//!
//! Nothing here can fail or delay a request: what it gives back is for `wait_until`, ends after two seconds whatever the
//! other side does, and its failures are a line in the log, once a minute at most. Decides nothing: what is told and how
//! much of it is `ordak-core`'s.

use crate::{
    clock,
    isolate::{Variables, getter},
    log::{Level, Line},
    upstream,
};
use ordak_core::{
    calendar::rfc3339,
    content::hex,
    retry_after,
    settings::sinks::{self, SentrySettings},
    telemetry::{
        budget::Budget,
        posthog::{self, Project},
        sentry::{self, Event},
    },
};
use std::{
    cell::{Cell, OnceCell},
    future::Future,
    pin::Pin,
    rc::Rc,
    time::Duration,
};

/// Longest wait for either.
const LIMIT: Duration = Duration::from_secs(2);
/// How many errors one isolate tells in a minute.
const ERRORS_A_MINUTE: u32 = 20;
/// How long Sentry is left alone when it asks for that without saying how long.
const PAUSE_MS: u64 = 60_000;

/// What is left to do after the answer: for `wait_until`.
pub type Telling = Pin<Box<dyn Future<Output = ()>>>;

thread_local! {
    static SENTRY: OnceCell<Option<Rc<SentrySettings>>> = const { OnceCell::new() };
    static ERRORS: Cell<Budget> = const { Cell::new(Budget::a_minute(ERRORS_A_MINUTE)) };
    static COMPLAINTS: Cell<Budget> = const { Cell::new(Budget::a_minute(1)) };
    /// Until when Sentry has asked to be left alone.
    static PAUSED_UNTIL: Cell<u64> = const { Cell::new(0) };
}

/// Reads where Sentry is, once per isolate, and names in the log which sinks are off because a setting is wrong.
pub fn prepare(function: &str, variables: &Variables) {
    SENTRY.with(|cell| {
        cell.get_or_init(|| {
            let get = getter(variables);
            for problem in sinks::problems(&get) {
                Line::new(function, Level::Warn, "sink_off", clock::now_ms()).error(Some(&problem)).write();
            }
            sinks::sentry(&get, env!("CARGO_PKG_VERSION")).ok().flatten().map(Rc::new)
        });
    });
}

/// Tells Sentry, when there is one and not too much has been told.
pub fn error(event: &Event<'_>) -> Option<Telling> {
    let settings = SENTRY.with(|cell| cell.get().cloned().flatten())?;
    let now = clock::now_ms();
    if now < PAUSED_UNTIL.get() || !take(&ERRORS, now) {
        return None;
    }
    let mut id = [0; 16];
    getrandom::fill(&mut id).ok()?;
    let envelope = sentry::envelope(event, &settings.surroundings, &hex(&id), &rfc3339(now));
    let function = event.function.to_owned();
    Some(Box::pin(async move {
        let auth = settings.dsn.auth();
        let headers = [("content-type", "application/x-sentry-envelope"), ("x-sentry-auth", auth.as_str())];
        let reply = upstream::post_json(settings.dsn.endpoint(), &headers, &envelope, LIMIT).await;
        if let Ok(reply) = &reply
            && reply.status == 429
        {
            let wait = retry_after::wait_ms(reply.retry_after.as_deref(), clock::now_s()).unwrap_or(PAUSE_MS);
            PAUSED_UNTIL.set(clock::now_ms().saturating_add(wait));
        }
        judge(&function, "Sentry", reply);
    }))
}

/// Tells PostHog, when this is something that is told.
pub fn use_of(function: &'static str, project: &Project, event: &posthog::Event<'_>) -> Option<Telling> {
    let body = posthog::batch(project, event, &rfc3339(clock::now_ms()))?;
    let endpoint = project.endpoint.clone();
    Some(Box::pin(async move {
        judge(function, "PostHog", upstream::post_json(&endpoint, &[], &body, LIMIT).await);
    }))
}

fn judge(function: &str, sink: &str, reply: Result<upstream::Reply, upstream::NoReply>) {
    let problem = match reply {
        Ok(reply) if (200..300).contains(&reply.status) => return,
        Ok(reply) => format!("{sink} answered {}", reply.status),
        Err(error) => format!("{sink}: {}", error.as_str()),
    };
    let now = clock::now_ms();
    if take(&COMPLAINTS, now) {
        Line::new(function, Level::Warn, "sink_failed", now).error(Some(&problem)).write();
    }
}

fn take(budget: &'static std::thread::LocalKey<Cell<Budget>>, now: u64) -> bool {
    let mut changed = budget.get();
    let left = changed.take(now);
    budget.set(changed);
    left
}
