//! Named points: the worker is killed with a request or an answer kept back, and another one takes over.

use ordak_chaos::figures::announce;
use ordak_chaos::gate::{Gate, Keep};
use ordak_chaos::processes::{self, Signal};
use ordak_chaos::work::{Kind, Planted, effects, ledger, plant, release, row};
use ordak_e2e::answer::Answer;
use ordak_e2e::db::Db;
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use ordak_e2e::{Failure, Outcome};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Instant;

/// Drains that a killed worker's work may take once its lease is over.
const TICKS: usize = 2;

/// How far the worker gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Point {
    /// The item is leased to it; it does not know yet.
    Claimed,
    /// It has made its request, which has not arrived.
    BeforeCall,
    /// The effect has happened; the answer has not arrived.
    SentNoReply,
    /// It knows the answer; the report has not arrived.
    RepliedNotRecorded,
    /// The report is committed; it does not know yet, and the drain is on no record.
    RecordedNotCompleted,
}

const POINTS: [Point; 5] = [
    Point::Claimed,
    Point::BeforeCall,
    Point::SentNoReply,
    Point::RepliedNotRecorded,
    Point::RecordedNotCompleted,
];

impl Point {
    fn keep(self, work: &Planted) -> Keep {
        let call = || work.kind.call().to_owned();
        match self {
            Self::Claimed => Keep::AnswerWith("claim_work".into(), work.key.clone()),
            Self::BeforeCall => Keep::Request(call()),
            Self::SentNoReply => Keep::AnswerTo(call()),
            Self::RepliedNotRecorded => Keep::Request("report_work".into()),
            Self::RecordedNotCompleted => Keep::AnswerTo("report_work".into()),
        }
    }

    /// Effects when the worker is killed.
    fn effects_before(self) -> usize {
        match self {
            Self::Claimed | Self::BeforeCall => 0,
            _ => 1,
        }
    }

    /// Effects in the end. Slack knows no keys: what it took without our knowing it is told again.
    fn effects_after(self, kind: Kind) -> usize {
        let unknown = matches!(self, Self::SentNoReply | Self::RepliedNotRecorded);
        if unknown && !kind.has_keys() { 2 } else { 1 }
    }
}

/// Kills a worker at every point of every kind of work.
pub async fn every_point_of_every_kind(stack: &Stack) -> Outcome {
    let (db, started) = (stack.db().await?, Instant::now());
    let store = store::fresh(stack).await?;
    let mut gate = Gate::before(stack).await?;
    let url = gate.url.clone();
    all_topics_are_here(stack, &gate).await?;
    let (mut slowest, mut happened) = (0, 0);
    let mut worker = start(stack, &url).await?;
    for kind in Kind::ALL {
        for point in POINTS {
            let work = planted(stack, &db, *kind, store).await?;
            gate.keep(point.keep(&work));
            release(&db, std::slice::from_ref(&work)).await?;
            // The next one starts while this one works.
            let (next, killed) = tokio::join!(start(stack, &url), kill(stack, &mut gate, worker));
            killed.map_err(|failure| Failure::new(format!("{point:?} of {kind:?}: {failure:?}")))?;
            worker = next?;
            let ticks = recover(stack, &db, &worker, point, &work).await?;
            slowest = slowest.max(ticks);
            happened += effects(stack, &db, &work).await?;
        }
    }
    announce(&format!(
        "crash: {} points × {} kinds of work, {happened} effects, none lost, none twice under a key, over after at most lease + {slowest} ticks, {:.0} s",
        POINTS.len(),
        Kind::ALL.len(),
        started.elapsed().as_secs_f64()
    ));
    Ok(())
}

/// Nothing but this work is due, for whoever kills its worker there kills it at another point.
async fn planted(stack: &Stack, db: &Db, kind: Kind, store: Store) -> Outcome<Planted> {
    let work = plant(stack, db, kind, store).await?;
    let others = "update public.work_queue set next_retry_at = now() + interval '1 day'
        where status in ('pending', 'error') and store = $1";
    db.execute(others, &[&store.key]).await?;
    Ok(work)
}

async fn start(stack: &Stack, url: &str) -> Outcome<Lone> {
    let bindings = json!({
        "SUPABASE_URL": url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key,
        "SHOPIFY_ADMIN_TOKEN": "shpat_chaos", "SHOPIFY_ADMIN_URL": format!("{url}/shopify/{{shop}}"),
        "SLACK_WEBHOOK_URL": format!("{url}/slack/alerts"), "EMAIL_API_URL": format!("{url}/email"),
        "EMAIL_API_KEY": "re_chaos", "EMAIL_FROM": "chaos@example.com"
    });
    Lone::start("queue-worker", &bindings).await
}

async fn drain(stack: &Stack, worker: &Lone) -> Outcome<Answer> {
    let request = worker.request(Method::POST, "queue-worker");
    Answer::to(request.header("apikey", &stack.service_key).bearer_auth(&stack.service_key)).await
}

/// Lets it drain up to the point at which the gate keeps something, and kills it there.
async fn kill(stack: &Stack, gate: &mut Gate, worker: Lone) -> Outcome {
    let kept = async {
        gate.has_kept().await?;
        let parent = worker.process().ok_or_else(|| Failure::new("the worker has ended by itself"))?;
        let workerds = processes::workerds_below(parent.into())?;
        if workerds.is_empty() {
            return Err(Failure::new("there is no workerd to kill"));
        }
        workerds.into_iter().try_for_each(|pid| processes::send(pid, Signal::Kill))
    };
    let (killed, drained) = tokio::join!(kept, drain(stack, &worker));
    killed?;
    match drained {
        Err(_) => Ok(()),
        Ok(answer) => Err(Failure::new(format!("it lived to answer {} {}", answer.status, answer.text))),
    }
}

/// What the dead worker left comes back when its lease is over, and not before; the time of that is moved.
async fn recover(stack: &Stack, db: &Db, worker: &Lone, point: Point, work: &Planted) -> Outcome<usize> {
    let name = format!("{point:?} of {:?}", work.kind);
    assert_eq!(effects(stack, db, work).await?, point.effects_before(), "{name}: when it was killed");
    let query =
        "select w.status, extract(epoch from w.lease_until - now())::float8 as left_s, t.lease_seconds
        from public.work_queue w join public.queue_topics t on t.topic = w.topic where w.id = $1";
    let left = db.row(query, &[&work.id]).await?;
    let number = |field: &str| left.get(field).and_then(Value::as_f64).unwrap_or_default();
    if point == Point::RecordedNotCompleted {
        assert_eq!(left.get("status"), Some(&json!("done")), "{name}");
    } else {
        assert_eq!(left.get("status"), Some(&json!("processing")), "{name}: somebody has taken it away");
        assert!(number("left_s") <= number("lease_seconds"), "{name}: {left}");
        // As long as the lease lasts nobody else has it.
        drain(stack, worker).await?;
        assert_eq!(row(db, work).await?.claims, 1, "{name}: claimed under another's lease");
        db.execute("update public.work_queue set lease_until = now() where id = $1", &[&work.id]).await?;
    }
    let mut ticks = 0;
    while row(db, work).await?.status != "done" && ticks < TICKS {
        drain(stack, worker).await?;
        ticks += 1;
    }
    let seen = row(db, work).await?;
    assert_eq!(seen.status, "done", "{name}: {seen:?} after {ticks} ticks");
    assert_eq!(effects(stack, db, work).await?, point.effects_after(work.kind), "{name}: in the end");
    let keys: Vec<Value> =
        ledger(stack, work).await?.iter().filter_map(|effect| effect.get("key").cloned()).collect();
    let different: BTreeSet<String> = keys.iter().map(Value::to_string).collect();
    assert!(!work.kind.has_keys() || different.len() == keys.len(), "{name}: twice under one key: {keys:?}");
    Ok(ticks)
}

/// A topic that the worker carries out and that is not here would never be killed.
async fn all_topics_are_here(stack: &Stack, gate: &Gate) -> Outcome {
    let worker = start(stack, &gate.url).await?;
    drain(stack, &worker).await?;
    let known: BTreeSet<&str> = Kind::ALL.iter().map(|kind| kind.topic()).collect();
    let asked = gate.topics();
    let asked: BTreeSet<&str> = asked.iter().map(String::as_str).collect();
    assert_eq!(asked, known, "topics of the worker, and kinds of work in work.rs");
    Ok(())
}
