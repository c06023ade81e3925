//! Deliveries that come out of the queue: each goes the way of one that comes over HTTP, verification included.
//!
//! A message is done, or it comes back later; what can never be done ends as a dead letter in the database. Nothing is
//! dropped but what would have been refused over HTTP as well.

use crate::{FUNCTION, Setup, announces, arrival::Arrival, statement};
use ordak_core::{
    envelope::{Code, Envelope, Failure, Fault, Rejection},
    telemetry::sentry::{Event, Severity},
};
use ordak_edge::{
    answer::Answer,
    clock, kick,
    log::{Level, Line},
    request_id,
    rest_error::Role,
    telemetry,
};
use std::time::Duration;
use worker::{Context, Env, MessageBatch, MessageExt, QueueRetryOptionsBuilder, RawMessage, js_sys};

/// How the name of the queue ends that takes what another gave up.
const DEAD: &str = "-dead";
/// Longest wait for keeping a message as a dead letter.
const LIMIT: Duration = Duration::from_secs(4);
/// Shortest wait between two tries, in seconds.
const SHORTEST_WAIT_S: u64 = 5;
/// Longest wait: with 100 tries, all that a queue grants, about a day.
const LONGEST_WAIT_S: u64 = 15 * 60;
/// Longest wait at the last stop: longer than a queue keeps anything.
const LAST_WAIT_S: u64 = 60 * 60;

/// What becomes of a message.
#[derive(Debug)]
enum Fate {
    /// It is done.
    Done(Answer),
    /// It is refused, as it would have been over HTTP; nothing is stored.
    Refused(Rejection),
    /// It comes back.
    Later(Fault),
}

/// Takes a batch. A database that is away is asked once a batch, not once a message.
pub async fn consume(batch: &MessageBatch<()>, setup: &Setup, env: &Env, context: &Context) {
    let given_up = batch.queue().ends_with(DEAD);
    let id = request_id::fresh();
    let (mut away, mut changed) = (None, false);
    for message in batch.raw_iter() {
        let started = clock::now_ms();
        let (route, fate) = match away.clone() {
            Some(fault) => (None, Fate::Later(fault)),
            None => Queued { setup, message: &message, given_up }.take().await,
        };
        report(&id, route.as_deref(), &fate, started);
        tell(&id, route.as_deref(), &fate, context);
        match fate {
            Fate::Done(answer) => {
                changed |= announces(&answer);
                message.ack();
            }
            Fate::Refused(_) => message.ack(),
            Fate::Later(fault) => {
                later(&message, started, given_up);
                away = away.or((fault.code() == Code::Unavailable).then_some(fault));
            }
        }
    }
    if changed {
        kick::kick(FUNCTION.name, &id, env, context, &setup.settings.database.service_key);
    }
}

/// Puts a whole batch off, for a reason that no message is to blame for.
pub fn put_off(batch: &MessageBatch<()>, fault: &Fault) {
    let started = clock::now_ms();
    report(&request_id::fresh(), None, &Fate::Later(fault.clone()), started);
    batch.raw_iter().for_each(|message| later(&message, started, batch.queue().ends_with(DEAD)));
}

/// One message.
struct Queued<'a> {
    setup: &'a Setup,
    message: &'a RawMessage,
    /// Whether it is its last stop: what cannot be done here is kept for a person.
    given_up: bool,
}

impl Queued<'_> {
    /// Its topic, when it has one, and what becomes of it.
    async fn take(&self) -> (Option<String>, Fate) {
        let Some(arrival) = self.message.body().as_string().and_then(|text| Arrival::from_message(&text))
        else {
            return (None, self.keep("the message is not a delivery").await);
        };
        let fate = match self.setup.genuine_arrival(&arrival) {
            Ok(genuine) => judge(self.setup.take(&arrival, genuine).await),
            // It was verified before it went into the queue: the secret may come back.
            Err(_) => Fate::Later(Fault::internal("the signature is not verified any more")),
        };
        let fate = match fate {
            Fate::Later(fault) if self.given_up && fault.code() != Code::Unavailable => {
                self.keep(fault.detail()).await
            }
            fate => fate,
        };
        (Some(arrival.topic().to_string()), fate)
    }

    /// Keeps it whole as a dead letter of no shop: what it says of itself is not verified.
    async fn keep(&self, reason: &str) -> Fate {
        const RPC: &str = "record_dead_letter";
        let body = self.message.body();
        let text = body
            .as_string()
            .or_else(|| js_sys::JSON::stringify(&body).ok().and_then(|text| text.as_string()));
        let statement = match statement::given_up(&self.message.id(), reason, &text.unwrap_or_default()) {
            Ok(statement) => statement,
            Err(fault) => return Fate::Later(fault),
        };
        let kept = self.setup.rpc.call(RPC, statement, LIMIT).await;
        let kept = kept.map_err(|error| error.into_failure(RPC, Role::Service));
        match kept.and_then(|body| Envelope::read(&body)?.into_data()) {
            Ok(data) => Fate::Done(Answer::envelope(&Envelope::done(data), "dead_letter").worth_attention()),
            Err(Failure::Fault(fault)) => Fate::Later(fault),
            Err(Failure::Rejection(rejection)) => {
                Fate::Later(Fault::internal(format!("{RPC}: {}", rejection.message)))
            }
        }
    }
}

fn judge(result: Result<Answer, Failure>) -> Fate {
    match result {
        Ok(answer) if answer.status() == 200 => Fate::Done(answer),
        Ok(answer) if answer.status() == Code::Unauthenticated.http_status() => {
            Fate::Refused(Rejection::unauthenticated("the signature is not of this shop"))
        }
        Ok(answer) => Fate::Later(Fault::internal(format!("answered {}", answer.outcome()))),
        Err(Failure::Rejection(rejection)) => Fate::Refused(rejection),
        Err(Failure::Fault(fault)) => Fate::Later(fault),
    }
}

fn later(message: &RawMessage, now: u64, given_up: bool) {
    let age_ms = now.saturating_sub(message.timestamp().as_millis());
    let longest = if given_up { LAST_WAIT_S } else { LONGEST_WAIT_S };
    let delay = QueueRetryOptionsBuilder::new().with_delay_seconds(wait_s(age_ms, longest)).build();
    message.retry_with_options(&delay);
}

/// As long again as it has waited already, which doubles with each try.
fn wait_s(age_ms: u64, longest: u64) -> u32 {
    u32::try_from((age_ms / 1000).clamp(SHORTEST_WAIT_S, longest)).unwrap_or(u32::MAX)
}

/// What becomes of a message is heard of nowhere else.
fn tell(id: &str, route: Option<&str>, fate: &Fate, context: &Context) {
    let (severity, outcome, store, detail) = match fate {
        Fate::Done(answer) if answer.needs_attention() => {
            (Severity::Warning, answer.outcome(), answer.store(), answer.fault().unwrap_or_default())
        }
        Fate::Later(fault) if fault.code() != Code::Unavailable => {
            (Severity::Error, fault.code().as_str(), None, fault.detail())
        }
        _ => return,
    };
    let event = Event {
        severity,
        function: FUNCTION.name,
        request_id: id,
        store,
        route,
        outcome,
        status: None,
        detail,
    };
    if let Some(telling) = telemetry::error(&event) {
        context.wait_until(telling);
    }
}

fn report(id: &str, route: Option<&str>, fate: &Fate, started: u64) {
    let (level, outcome, store, error) = match fate {
        Fate::Done(answer) if answer.needs_attention() => {
            (Level::Warn, answer.outcome(), answer.store(), None)
        }
        Fate::Done(answer) => (Level::Success, answer.outcome(), answer.store(), None),
        Fate::Refused(rejection) => {
            (Level::Warn, rejection.code.as_str(), None, Some(rejection.message.as_ref()))
        }
        Fate::Later(fault) => (Level::Warn, "put_off", None, Some(fault.detail())),
    };
    let route = format!("queue {}", route.unwrap_or("message"));
    Line::new(FUNCTION.name, level, outcome, started)
        .request(id)
        .place(store, Some(&route))
        .error(error)
        .write();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let ages = [0, 4_999, 5_000, 10_000, 20_500, 899_000, 901_000, u64::MAX];
        assert_eq!(ages.map(|age| wait_s(age, LONGEST_WAIT_S)), [5, 5, 5, 10, 20, 899, 900, 900]);
        assert_eq!(wait_s(u64::MAX, LAST_WAIT_S), 3600);
    }

    #[test]
    fn only_what_http_would_refuse_is_dropped() {
        let rejection = || Failure::from(Rejection::unauthenticated("not of this shop"));
        assert!(matches!(judge(Err(rejection())), Fate::Refused(_)));
        assert!(matches!(judge(Ok(Answer::failure(&rejection()))), Fate::Refused(_)));
        for failure in [Fault::unavailable("x"), Fault::internal("x"), Fault::misconfigured("x")] {
            assert!(matches!(judge(Err(failure.into())), Fate::Later(_)));
        }
        let odd = Answer::failure(&Rejection::bad_input("x").into());
        assert!(matches!(judge(Ok(odd)), Fate::Later(_)));
        let done = Answer::envelope(&Envelope::done(serde_json::Value::Null), "duplicate");
        assert!(matches!(judge(Ok(done)), Fate::Done(_)));
    }
}
