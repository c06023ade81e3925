//! Upstreams have a bad day in every way there is: each fault once at each call, through the whole stack. What comes of
//! it is a checked-in table; nothing is lost, nothing is done twice where the other side can tell, no redirect is
//! followed, and what comes behind is not held up.

#[path = "brown_out/cells.rs"]
mod cells;

use cells::{Cell, PATIENCE_S};
use ordak_chaos::figures::{announce, report};
use ordak_chaos::work::{Planted, Row, effects, ledger, plant, release, row};
use ordak_e2e::answer::Answer;
use ordak_e2e::db::Db;
use ordak_e2e::stack::Stack;
use ordak_e2e::{Failure, Outcome, store};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// So many slow cells a drain: it has six places.
const PLACES: usize = 6;
/// Longer than every cell takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

struct Trial {
    cell: Cell,
    work: Planted,
    /// The longest wait before another attempt that was seen, in seconds.
    waited_s: i64,
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_at_each_call_ends_as_the_table_says() -> Outcome {
    let stack = Stack::from_env()?;
    let db = stack.db().await?;
    let started = Instant::now();
    let cells = cells::all()?;
    table_is_whole(&stack, &cells).await?;
    let redirected = redirects(&stack).await?;

    let cells = cells.into_iter().filter(Cell::is_tried);
    let (slow, quick): (Vec<Cell>, Vec<Cell>) = cells.partition(Cell::takes_time);
    let mut trials = Vec::new();
    let mut drains = tokio::task::JoinSet::new();
    for chunk in slow.chunks(PLACES) {
        for cell in chunk {
            trials.push(arrange(&stack, &db, cell.clone()).await?);
        }
        let stack = stack.clone();
        let ours: Vec<i64> = trials.iter().map(|trial| trial.work.id).collect();
        drains.spawn(async move { stack.drain().await.map(|_| ()) });
        until_taken(&db, &ours).await?;
    }
    for cell in quick {
        trials.push(arrange(&stack, &db, cell).await?);
    }
    settle(&stack, &db, &mut trials).await?;
    while let Some(drained) = drains.join_next().await {
        drained??;
    }

    let mut complaints = Vec::new();
    let mut tally = BTreeMap::<&str, usize>::new();
    let mut happened = 0;
    for trial in &trials {
        let seen = outcome(trial, &row(&db, &trial.work).await?);
        let effects = effects(&stack, &db, &trial.work).await?;
        *tally.entry(seen).or_default() += 1;
        happened += effects;
        if seen != trial.cell.outcome() || effects != trial.cell.effects() {
            let last = row(&db, &trial.work).await?;
            complaints.push(format!(
                "{} at {}: {seen} with {effects} effects, expected {}; {last:?}",
                trial.cell.fault, trial.cell.call.name, trial.cell.expected
            ));
        }
        complaints.extend(twice(&stack, trial).await?);
        complaints.extend(lost(&db, trial).await?);
    }
    let followed = redirects(&stack).await? - redirected;
    let behind = what_comes_behind(&stack, &db, &trials, &mut complaints).await?;
    announce(&format!(
        "brown-out: {} cells ({} faults), {tally:?}, {happened} effects, {behind} behind them done at once, {followed} redirects followed, {} complaints, {:.0} s",
        trials.len(),
        trials.len() / cells::CALLS.len(),
        complaints.len(),
        started.elapsed().as_secs_f64()
    ));
    assert_eq!(followed, 0, "a redirect was followed: tokens and orders go elsewhere");
    assert!(complaints.is_empty(), "{}", report(&complaints, "no seed"));
    Ok(())
}

/// Every way to fail that the fakes know has its row, and there are enough of them.
async fn table_is_whole(stack: &Stack, cells: &[Cell]) -> Outcome {
    let answer = Answer::to(stack.http.get(format!("{}/_modes", stack.fakes_url))).await?;
    let modes = answer.at("/modes").as_array().cloned().unwrap_or_default();
    let rows: BTreeSet<&str> = cells.iter().map(|cell| cell.fault).filter(|fault| *fault != "late").collect();
    let known: BTreeSet<&str> = modes.iter().filter_map(Value::as_str).collect();
    assert_eq!(rows, known, "cells.txt and the modes of the fakes");
    assert!(rows.len() >= 20);
    Ok(())
}

/// Plans the fault, then plants the work that meets it, each in a store of its own.
async fn arrange(stack: &Stack, db: &Db, cell: Cell) -> Outcome<Trial> {
    let store = store::bare(db).await?;
    let work = plant(stack, db, cell.call.kind, store).await?;
    stack.plan_fault(&cell.plan(&store.domain(), &work.mark)).await?;
    release(db, std::slice::from_ref(&work)).await?;
    Ok(Trial { cell, work, waited_s: 0 })
}

/// Waits until somebody has taken all of these.
async fn until_taken(db: &Db, ids: &[i64]) -> Outcome {
    let query = "select 1 from public.work_queue where id = any($1) and status = 'pending'";
    let started = Instant::now();
    while db.count(query, &[&ids]).await? > 0 {
        if started.elapsed() > PATIENCE {
            return Err(Failure::new("nobody takes the work"));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Drains until every trial has come to an end. Nobody waits for a retry: its time is moved, unless another request with
/// the same key is still under way, which really takes its time.
async fn settle(stack: &Stack, db: &Db, trials: &mut [Trial]) -> Outcome {
    let ids: Vec<i64> = trials.iter().map(|trial| trial.work.id).collect();
    let started = Instant::now();
    loop {
        stack.drain().await?;
        for (id, waits_s) in hurry(db, &ids).await? {
            for trial in trials.iter_mut().filter(|trial| trial.work.id == id) {
                trial.waited_s = trial.waited_s.max(waits_s);
            }
        }
        let open = "select id from public.work_queue where id = any($1) and status not in ('done', 'dead')";
        let open = db.rows(open, &[&ids]).await?;
        if open.is_empty() {
            return Ok(());
        }
        if started.elapsed() > PATIENCE {
            return Err(Failure::new(format!("not at an end: {open:?}")));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Makes what waits for another attempt due, and has circuit breakers forget it; tells of each item how many seconds it
/// would have waited.
async fn hurry(db: &Db, ids: &[i64]) -> Outcome<Vec<(i64, i64)>> {
    let waiting = "select w.id, extract(epoch from w.next_retry_at - now())::integer as waits_s
        from public.work_queue w
        where w.id = any($1) and w.status = 'error' and w.next_retry_at > now()
            and w.last_error not like '%currently in progress%'";
    let mut waits = Vec::new();
    for row in db.rows(waiting, &[&ids]).await? {
        let number = |name: &str| row.get(name).and_then(Value::as_i64).unwrap_or_default();
        waits.push((number("id"), number("waits_s")));
    }
    let ids: Vec<i64> = waits.iter().map(|(id, _)| *id).collect();
    let statement =
        "update public.work_queue set next_retry_at = now() where id = any($1) and status = 'error'";
    db.execute(statement, &[&ids]).await?;
    let statement = "delete from public.circuit_breakers b using public.work_queue w where w.id = any($1) and b.store = w.store";
    db.execute(statement, &[&ids]).await?;
    Ok(waits)
}

fn outcome(trial: &Trial, row: &Row) -> &'static str {
    let obeyed = trial.waited_s > PATIENCE_S * 2 / 3;
    match (row.status.as_str(), row.claims) {
        ("done", 1) => "done",
        ("done", _) if obeyed => "waited",
        ("done", _) => "retried",
        ("dead", 1) => "dead",
        _ => "neither",
    }
}

/// Effects under one key that happened more than once, where the other side knows keys.
async fn twice(stack: &Stack, trial: &Trial) -> Outcome<Vec<String>> {
    let mut keys = BTreeMap::<String, usize>::new();
    for effect in ledger(stack, &trial.work).await? {
        *keys.entry(effect.get("key").map(Value::to_string).unwrap_or_default()).or_default() += 1;
    }
    let known = trial.work.kind.has_keys();
    let bad = |(key, times): &(String, usize)| known && (key == "null" || key.is_empty() || *times > 1);
    let wrong = keys.into_iter().filter(bad);
    Ok(wrong
        .map(|(key, times)| {
            format!("{} at {}: key {key} {times} times", trial.cell.fault, trial.cell.call.name)
        })
        .collect())
}

/// Given up means kept for a person.
async fn lost(db: &Db, trial: &Trial) -> Outcome<Vec<String>> {
    let letters = db.count("select 1 from public.dead_letters where work_id = $1", &[&trial.work.id]).await?;
    let expected = usize::from(trial.cell.outcome() == "dead");
    let wrong = (letters != expected)
        .then(|| format!("{} at {}: {letters} dead letters", trial.cell.fault, trial.cell.call.name));
    Ok(wrong.into_iter().collect())
}

/// In every store that saw a fault the next item of the same kind is done at the first attempt.
async fn what_comes_behind(
    stack: &Stack,
    db: &Db,
    trials: &[Trial],
    complaints: &mut Vec<String>,
) -> Outcome<usize> {
    let mut next = Vec::new();
    for trial in trials {
        next.push((trial, plant(stack, db, trial.work.kind, trial.work.store).await?));
    }
    let works: Vec<Planted> = next.iter().map(|(_, work)| work.clone()).collect();
    release(db, &works).await?;
    let ids: Vec<i64> = works.iter().map(|work| work.id).collect();
    let started = Instant::now();
    let open = "select 1 from public.work_queue where id = any($1) and status in ('pending', 'processing')";
    while db.count(open, &[&ids]).await? > 0 && started.elapsed() < PATIENCE {
        stack.drain().await?;
    }
    let mut done = 0;
    for (trial, work) in next {
        let row = row(db, &work).await?;
        if row.status == "done" && row.claims == 1 {
            done += 1;
        } else {
            complaints.push(format!("behind {} at {}: {row:?}", trial.cell.fault, trial.cell.call.name));
        }
    }
    Ok(done)
}

async fn redirects(stack: &Stack) -> Outcome<usize> {
    let url = format!("{}/_calls?upstream=redirected", stack.fakes_url);
    let answer = Answer::to(stack.http.get(url)).await?;
    answer.at("/calls").as_array().map(Vec::len).ok_or_else(|| Failure::new("the fakes tell no calls"))
}
