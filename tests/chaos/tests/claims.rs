//! Sixteen workers at one queue, some of which die, stammer or come late: nobody gets more than he asked for, no item is
//! in two hands, each is completed once, and rates and bounds hold for all together. The planner is made to choose badly.

use ordak_chaos::figures::{announce, report, times};
use ordak_chaos::queue::{Item, Topic, Worker, column, owner};
use ordak_e2e::db::Db;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::fresh;
use ordak_e2e::{Failure, Outcome};
use ordak_model::Seed;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

const DRAINERS: usize = 16;
/// Items of all topics together.
const ITEMS: i32 = 5_000;
/// Items a second of the topic with a rate.
const RATE: usize = 40;
/// Items at a time of the topic with a bound.
const BOUND: i64 = 7;
const SECOND_US: i64 = 1_000_000;

/// What all workers saw.
#[derive(Default)]
struct Seen {
    /// Who has which item now; whoever is given up for dead is struck out before his lease is.
    hands: BTreeMap<i64, String>,
    /// When items of the topic with a rate were claimed.
    rated_us: Vec<i64>,
    /// Completions that were accepted.
    done: i64,
    claims: usize,
    largest: usize,
    lost: usize,
    complaints: Vec<String>,
}

struct Ground {
    seen: Mutex<Seen>,
    plain: Topic,
    rated: Topic,
    bounded: Topic,
    total: i64,
}

impl Ground {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn topics(&self) -> [&str; 3] {
        [&self.plain.name, &self.rated.name, &self.bounded.name]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_claim_counts_once() -> Outcome {
    let stack = Stack::from_env()?;
    // One after the other: the second is exact, and beside sixteen drainers a claim or Slack may be waited for too long,
    // after which what is given back is claimed twice.
    no_item_is_in_two_hands_and_each_is_completed_once(&stack).await?;
    overlapping_crons_tell_each_alert_once(&stack).await
}

async fn no_item_is_in_two_hands_and_each_is_completed_once(stack: &Stack) -> Outcome {
    let seed = Seed::from_env(6)?;
    let db = owner().await?;
    let items = ITEMS * i32::try_from(times())?;
    let ground = Arc::new(lay_out(stack, &db, items).await?);
    let started = Instant::now();
    let mut drainers = JoinSet::new();
    for number in 0..DRAINERS {
        let (ground, rng) = (Arc::clone(&ground), seed.rng(u64::try_from(number)?));
        drainers.spawn(async move {
            let worker = Worker::connect(&format!("drainer {number}")).await?.with_nested_loops().await?;
            drain(&ground, &worker, rng).await
        });
    }
    while let Some(ended) = drainers.join_next().await {
        ended??;
    }
    let took = started.elapsed();

    let mut seen = std::mem::take(&mut *ground.seen());
    let most = most_in_a_second(&mut seen.rated_us);
    if most > RATE {
        seen.complaints.push(format!("{most} items of a topic that allows {RATE} a second"));
    }
    if seen.done != ground.total {
        seen.complaints.push(format!("{} completions of {} items were accepted", seen.done, ground.total));
    }
    seen.complaints.extend(not_done(&db, &ground).await?);
    announce(&format!(
        "claims: {DRAINERS} drainers, {} items, {} claims of at most {}, {} leases lost, {most} of {RATE} in the busiest second, {} complaints, {:.1} s, {seed}",
        ground.total,
        seen.claims,
        seen.largest,
        seen.lost,
        seen.complaints.len(),
        took.as_secs_f64()
    ));
    assert!(seen.complaints.is_empty(), "{}", report(&seen.complaints, seed));
    assert!(seen.lost > 0, "nobody died: the test proves less than it says");
    Ok(())
}

/// A flood in one store, some in another, some behind a rate and some behind a bound.
async fn lay_out(stack: &Stack, db: &Db, items: i32) -> Outcome<Ground> {
    let (home, other) = (fresh(stack).await?, fresh(stack).await?);
    let ground = Ground {
        seen: Mutex::default(),
        plain: Topic::make(db, &[]).await?,
        rated: Topic::make(db, &[("rate_max", i32::try_from(RATE)?)]).await?,
        bounded: Topic::make(db, &[("concurrency", i32::try_from(BOUND)?)]).await?,
        total: i64::from(items),
    };
    let (rated, bounded, few) = (120, 200, 300);
    for priority in [0, 5, 9] {
        let share = (items - rated - bounded - few) / 3;
        let rest = if priority == 9 { (items - rated - bounded - few) % 3 } else { 0 };
        ground.plain.fill(db, home.key, share + rest, priority).await?;
    }
    ground.plain.fill(db, other.key, few, 7).await?;
    for store in [home, other] {
        ground.rated.fill(db, store.key, rated / 2, 5).await?;
        ground.bounded.fill(db, store.key, bounded / 2, 5).await?;
    }
    Ok(ground)
}

async fn drain(ground: &Ground, worker: &Worker, mut rng: fastrand::Rng) -> Outcome {
    let topics = ground.topics();
    while ground.seen().done < ground.total {
        let limit = rng.i32(1..=100);
        let items = worker.claim(&topics, limit).await?;
        take_up(ground, worker, &items, limit)?;
        if items.is_empty() {
            tokio::time::sleep(Duration::from_millis(rng.u64(1..20))).await;
            continue;
        }
        if items.iter().any(|item| item.topic == ground.bounded.name) {
            bound_holds(ground, worker).await?;
        }
        tokio::time::sleep(Duration::from_millis(rng.u64(0..10))).await;
        let results: Vec<_> = items.iter().map(Item::done).collect();
        match rng.u8(0..20) {
            0 => die(ground, worker, &items).await?,
            1 => {
                // Out of hand first: whoever is asked to be stopped may be so late that all is over.
                die(ground, worker, &items).await?;
                settle(ground, worker, &items, &results).await?;
            }
            _ => {
                put_down(ground, &items);
                settle(ground, worker, &items, &results).await?;
                // Says it twice: the second time changes nothing.
                settle(ground, worker, &items, &results).await?;
            }
        }
    }
    Ok(())
}

/// What was claimed is in nobody else's hands and no more than was asked for.
fn take_up(ground: &Ground, worker: &Worker, items: &[Item], limit: i32) -> Outcome {
    let mut seen = ground.seen();
    seen.claims += 1;
    seen.largest = seen.largest.max(items.len());
    if items.len() > usize::try_from(limit)? {
        seen.complaints.push(format!("{} items for {} who asked for {limit}", items.len(), worker.name));
    }
    for item in items {
        if let Some(holder) = seen.hands.insert(item.id, worker.name.clone()) {
            seen.complaints.push(format!("item {} is in the hands of {holder} and {}", item.id, worker.name));
        }
        if item.topic == ground.rated.name {
            seen.rated_us.push(item.claimed_us);
        }
    }
    Ok(())
}

/// Out of hand before the report: once that has committed, another may have them in no time.
fn put_down(ground: &Ground, items: &[Item]) {
    let mut seen = ground.seen();
    for item in items {
        seen.hands.remove(&item.id);
    }
}

async fn settle(ground: &Ground, worker: &Worker, items: &[Item], results: &[serde_json::Value]) -> Outcome {
    let figures = worker.report(results).await?;
    let figure = |name: &str| figures.get(name).and_then(serde_json::Value::as_i64).unwrap_or_default();
    let mut seen = ground.seen();
    seen.done += figure("done");
    if figure("done") + figure("ignored") != i64::try_from(items.len())? {
        seen.complaints.push(format!("{} reported {} items: {figures}", worker.name, items.len()));
    }
    Ok(())
}

/// The worker dies with these in hand, and a minute passes.
async fn die(ground: &Ground, worker: &Worker, items: &[Item]) -> Outcome {
    put_down(ground, items);
    ground.seen().lost += items.len();
    let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
    let expire = "update public.work_queue set lease_until = now() - interval '1 ms'
        where id = any($1) and status = 'processing' and locked_by = $2";
    owner().await?.execute(expire, &[&ids, &worker.name]).await?;
    Ok(())
}

/// Whatever moment it is, no more are in hand than the topic allows.
async fn bound_holds(ground: &Ground, worker: &Worker) -> Outcome {
    let count = "select to_jsonb(count(*)) from public.work_queue where topic = $1 and status = 'processing'";
    let in_hand = worker.session.value(count, &[&ground.bounded.name]).await?.as_i64().unwrap_or(i64::MAX);
    if in_hand > BOUND {
        ground.seen().complaints.push(format!("{in_hand} items of a topic that allows {BOUND} at a time"));
    }
    Ok(())
}

/// The most that were claimed within any second.
fn most_in_a_second(claimed_us: &mut [i64]) -> usize {
    claimed_us.sort_unstable();
    let mut first = 0;
    let mut most = 0;
    for (last, at) in claimed_us.iter().enumerate() {
        while claimed_us.get(first).is_some_and(|begin| at - begin >= SECOND_US) {
            first += 1;
        }
        most = most.max(last + 1 - first);
    }
    most
}

async fn not_done(db: &Db, ground: &Ground) -> Outcome<Vec<String>> {
    let query =
        "select status, count(*)::int as items from public.work_queue where topic = any($1) group by status";
    let topics: Vec<&str> = ground.topics().to_vec();
    let rows = db.rows(query, &[&topics]).await?;
    match rows.as_slice() {
        [row] if column(row, "status") == "done" => Ok(Vec::new()),
        rows => Ok(vec![format!("not all is done: {rows:?}")]),
    }
}

/// Crons that overlap and drains beside them, through the whole stack: each alert is told once.
async fn overlapping_crons_tell_each_alert_once(stack: &Stack) -> Outcome {
    let db = owner().await?;
    let alerts = 40 * i32::try_from(times())?;
    let mut stores = Vec::new();
    for _ in 0..3 {
        let store = fresh(stack).await?;
        let insert = "insert into public.work_queue (topic, store, dedupe_key, payload)
            select 'slack_alert', $1, $1 || '/' || n, jsonb_build_object('kind', 'test', 'text', 'alert ' || n || ' of ' || $1)
            from generate_series(1, $2) n";
        db.execute(insert, &[&store.key, &alerts]).await?;
        stores.push(store);
    }
    let mut calls = JoinSet::new();
    for number in 0..8 {
        let stack = stack.clone();
        calls.spawn(async move {
            if number % 2 == 0 { stack.drain().await.map(|_| ()) } else { stack.tick("* * * * *").await }
        });
    }
    while let Some(called) = calls.join_next().await {
        called??;
    }
    let keys: Vec<&str> = stores.iter().map(|store| store.key).collect();
    let query = "select status, fence::int as fence, count(*)::int as items from public.work_queue
        where topic = 'slack_alert' and store = any($1) group by 1, 2";
    let started = Instant::now();
    let rows = loop {
        let rows = db.rows(query, &[&keys]).await?;
        let open = rows.iter().any(|row| column(row, "status") != "done");
        if !open || started.elapsed() > Duration::from_secs(60) {
            break rows;
        }
        stack.drain().await?;
    };
    let [row] = rows.as_slice() else {
        return Err(Failure::new(format!("not all are done at the first claim: {rows:?}")));
    };
    assert!(column(row, "status") == "done" && column(row, "fence") == 1, "{row}");
    let mut told = 0;
    for store in &stores {
        told += stack.slack_calls(*store).await?.len();
    }
    announce(&format!("claims: 4 crons and 4 drains at once, {told} of {} alerts told", alerts * 3));
    assert_eq!(i32::try_from(told)?, alerts * 3, "each once");
    Ok(())
}
