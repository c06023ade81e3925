//! Thirty-two workers and one dead system: its breaker opens soon, lets one item a window try, closes when the system is
//! well, and other stores do not notice. Windows are not waited for: their end is moved.

use ordak_chaos::figures::{announce, report, times};
use ordak_chaos::queue::{Item, Topic, Worker, column, owner};
use ordak_e2e::db::Db;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{Store, fresh};
use ordak_e2e::{Failure, Outcome};
use ordak_model::Seed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const WORKERS: usize = 32;
/// Items of each store.
const ITEMS: i32 = 400;
/// Windows of the outage: each probe in them fails. The lengths that they must have, in seconds.
const WINDOWS: [i64; 6] = [30, 60, 120, 240, 480, 600];
/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// What workers saw and what they know of the system.
struct Ground {
    topic: Topic,
    dead: Store,
    well: Store,
    healed: AtomicBool,
    over: AtomicBool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Calls to the dead system, by when their items were claimed.
    calls_us: Vec<i64>,
    /// Failures that were reported up to the one that opened the breaker, that one included.
    failures: usize,
    opened: bool,
    complaints: Vec<String>,
    done: BTreeMap<String, i64>,
}

impl Ground {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_system_is_left_alone_and_found_again() -> Outcome {
    let stack = Stack::from_env()?;
    let seed = Seed::from_env(7)?;
    let db = owner().await?;
    let (dead, well) = (fresh(&stack).await?, fresh(&stack).await?);
    let ground = Arc::new(Ground {
        topic: Topic::make(&db, &[]).await?,
        dead,
        well,
        healed: AtomicBool::new(false),
        over: AtomicBool::new(false),
        seen: Mutex::default(),
    });
    let items = ITEMS * i32::try_from(times())?;
    for store in [dead, well] {
        ground.topic.fill(&db, store.key, items, 5).await?;
    }
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let (ground, rng) = (Arc::clone(&ground), seed.rng(u64::try_from(number)?));
        workers.spawn(async move { work(&ground, &format!("worker {number}"), rng).await });
    }

    let closes = live_through(&db, &ground).await;
    ground.over.store(true, Ordering::Relaxed);
    while let Some(ended) = workers.join_next().await {
        ended??;
    }
    let (probes, closes_s) = closes?;
    let mut seen = std::mem::take(&mut *ground.seen());
    judge(&db, &ground, &mut seen, items).await?;
    announce(&format!(
        "breaker: {WORKERS} workers, {} items of two stores, opened after {} failures, {} calls to the dead system, probes in {} windows: {probes:?}, closed {closes_s} s after healing, {} complaints, {seed}",
        items * 2,
        seen.failures,
        seen.calls_us.len(),
        WINDOWS.len(),
        seen.complaints.len()
    ));
    assert!(seen.failures <= 10, "{} failures", seen.failures);
    assert!(probes.iter().all(|probes| *probes == 1), "{probes:?}");
    assert!(closes_s <= 60, "{closes_s} s");
    assert!(seen.complaints.is_empty(), "{}", report(&seen.complaints, seed));
    Ok(())
}

/// Takes items, calls, reports, until all is over.
async fn work(ground: &Ground, name: &str, mut rng: fastrand::Rng) -> Outcome {
    let worker = Worker::connect(name).await?;
    while !ground.over.load(Ordering::Relaxed) {
        let items = worker.claim(&[&ground.topic.name], rng.i32(1..=2)).await?;
        if items.is_empty() {
            tokio::time::sleep(Duration::from_millis(rng.u64(2..10))).await;
        }
        for item in items {
            tokio::time::sleep(Duration::from_millis(rng.u64(0..5))).await;
            if item.store == ground.well.key || ground.healed.load(Ordering::Relaxed) {
                let figures = worker.report(&[item.done()]).await?;
                *ground.seen().done.entry(item.store.clone()).or_default() +=
                    figures.get("done").and_then(Value::as_i64).unwrap_or_default();
            } else {
                fail(ground, &worker, &item).await?;
            }
        }
    }
    Ok(())
}

/// Reports a failure. Reports about one system commit one after the other: its breaker, looked at before the commit, says
/// whether this was the failure that opened it.
async fn fail(ground: &Ground, worker: &Worker, item: &Item) -> Outcome {
    ground.seen().calls_us.push(item.claimed_us);
    worker.session.begin().await?;
    worker.report(&[item.failed()]).await?;
    let look =
        "select to_jsonb(b.state) from public.circuit_breakers b where b.store = $1 and b.upstream = $2";
    let state = worker.session.value(look, &[&item.store, &ground.topic.name]).await?;
    {
        let mut seen = ground.seen();
        if !seen.opened {
            seen.failures += 1;
            seen.opened = state == "open";
        }
    }
    worker.session.commit().await
}

/// Ends one window after the other. Gives the probes in each, and how many seconds after the healing the breaker closed.
async fn live_through(db: &Db, ground: &Ground) -> Outcome<(Vec<usize>, i64)> {
    let mut ends_us = Vec::new();
    for (number, seconds) in WINDOWS.iter().enumerate() {
        let open = until(db, ground, "open").await?;
        let length = column(&open, "length").as_i64().unwrap_or_default();
        if length != *seconds {
            ground.seen().complaints.push(format!("window {number} is open for {length} s, not {seconds} s"));
        }
        if number == 0 {
            // What was on its way when it opened comes to its end; nothing else leaves.
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        ends_us.push(end_window(db, ground).await?);
    }
    until(db, ground, "open").await?;
    let last_us = now_us(db).await?;
    let calls_us = ground.seen().calls_us.clone();
    let ends_us = ends_us.iter().copied().chain([last_us]);
    let probes = ends_us
        .clone()
        .zip(ends_us.skip(1))
        .map(|(begin, end)| calls_us.iter().filter(|at| (begin..end).contains(*at)).count())
        .collect();
    Ok((probes, heal(db, ground).await?))
}

/// A new outage, at whose first window's beginning the system is well again: nobody moves time but to that window's end.
async fn heal(db: &Db, ground: &Ground) -> Outcome<i64> {
    // As after any success: the next outage begins with half a minute.
    let close =
        "update public.circuit_breakers set state = 'closed', retry_at = null, probe_id = null, recent = ''
        where store = $1 and upstream = $2";
    db.execute(close, &[&ground.dead.key, &ground.topic.name]).await?;
    let due = "update public.work_queue set next_retry_at = now() where store = $1 and topic = $2 and status = 'error'";
    db.execute(due, &[&ground.dead.key, &ground.topic.name]).await?;
    let open = until(db, ground, "open").await?;
    ground.healed.store(true, Ordering::Relaxed);
    let waited = column(&open, "length").as_i64().unwrap_or(i64::MAX);
    let really = Instant::now();
    end_window(db, ground).await?;
    until(db, ground, "closed").await?;
    db.execute(due, &[&ground.dead.key, &ground.topic.name]).await?;
    let closed = waited.saturating_add(i64::try_from(really.elapsed().as_secs())?);
    let open = "select 1 from public.work_queue where topic = $1 and status <> 'done' limit 1";
    let started = Instant::now();
    while db.count(open, &[&ground.topic.name]).await? > 0 {
        if started.elapsed() > PATIENCE {
            return Err(Failure::new("not all is done although the system is well"));
        }
        db.execute(due, &[&ground.dead.key, &ground.topic.name]).await?;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(closed)
}

/// Waits for the breaker to be in this state; gives how long its window is, in whole seconds.
async fn until(db: &Db, ground: &Ground, state: &str) -> Outcome<Value> {
    // Open and due is the window before: nobody has tried yet.
    let query = "select state, round(extract(epoch from retry_at - updated_at))::int as length
        from public.circuit_breakers
        where store = $1 and upstream = $2 and (state = 'closed' or retry_at > clock_timestamp())";
    let started = Instant::now();
    loop {
        let row = db.maybe_row(query, &[&ground.dead.key, &ground.topic.name]).await?.unwrap_or_default();
        if column(&row, "state") == state {
            return Ok(row);
        }
        if started.elapsed() > PATIENCE {
            return Err(Failure::new(format!("the breaker is {row}, not {state}")));
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The window is over; gives the moment before.
async fn end_window(db: &Db, ground: &Ground) -> Outcome<i64> {
    let at = now_us(db).await?;
    let update = "update public.circuit_breakers set retry_at = clock_timestamp()
        where store = $1 and upstream = $2 and state = 'open'";
    if db.execute(update, &[&ground.dead.key, &ground.topic.name]).await? == 1 {
        Ok(at)
    } else {
        Err(Failure::new("the window ended by itself"))
    }
}

async fn now_us(db: &Db) -> Outcome<i64> {
    let now = db.row("select (extract(epoch from clock_timestamp()) * 1000000)::bigint as now", &[]).await?;
    column(&now, "now").as_i64().ok_or_else(|| Failure::new("no time"))
}

async fn judge(db: &Db, ground: &Ground, seen: &mut Seen, items: i32) -> Outcome {
    for store in [ground.dead, ground.well] {
        let done = seen.done.get(store.key).copied().unwrap_or_default();
        if done != i64::from(items) {
            seen.complaints
                .push(format!("{done} completions of {items} items of {} were accepted", store.key));
        }
    }
    let other = "select 1 from public.work_queue where store = $1 and topic = $2 and (status <> 'done' or fence <> 1)";
    let touched = db.count(other, &[&ground.well.key, &ground.topic.name]).await?;
    if touched > 0 {
        seen.complaints
            .push(format!("{touched} items of the other store were not done at the first attempt"));
    }
    let burnt = "select coalesce(sum(retry_count), 0)::int as attempts from public.work_queue where store = $1 and topic = $2";
    let burnt = db.row(burnt, &[&ground.dead.key, &ground.topic.name]).await?;
    let calls = i64::try_from(seen.calls_us.len())?;
    let most = calls - i64::try_from(WINDOWS.len())?;
    if column(&burnt, "attempts").as_i64().is_none_or(|burnt| burnt > most) {
        seen.complaints.push(format!("{burnt} of {calls} calls burnt attempts, those that tried again too"));
    }
    Ok(())
}
