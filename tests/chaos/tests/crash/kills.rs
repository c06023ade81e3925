//! Kills at random while a shop sells: workers, processes of Postgres, Postgres itself. Whoever runs the stack brings
//! back what was killed.

use ordak_chaos::figures::{announce, percentile, report, times};
use ordak_chaos::ground::Ground;
use ordak_chaos::processes::{self, Signal};
use ordak_chaos::traffic::{Asked, Client, Traffic, missing, uneven};
use ordak_e2e::db::Db;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Item, Store};
use ordak_e2e::{Failure, Outcome};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// Who is killed, and how often.
const VICTIMS: [(Victim, usize); 3] = [(Victim::Backend, 18), (Victim::Workerd, 7), (Victim::Postmaster, 5)];
/// Clients that bring webhooks.
const SELLERS: usize = 6;
/// Longest until webhooks are taken again.
const RECOVERY: Duration = Duration::from_secs(90);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    /// A process of Postgres that serves somebody.
    Backend,
    /// A process in which functions run.
    Workerd,
    /// The process that all of Postgres comes from.
    Postmaster,
}

struct Killed {
    victim: Victim,
    at: Instant,
    took: Duration,
}

/// Kills and kills, and counts what is there in the end.
pub async fn at_random(stack: &Stack) -> Outcome {
    let seed = Ground::open(5).await?.seed;
    let store = store::fresh(stack).await?;
    let mut items = Vec::new();
    for _ in 0..5 {
        items.push(store::stock(stack, store, 1_000_000).await?);
    }
    let known = Order::simple()?;
    let first = Delivery::new(store, "orders/create", known.bytes()).send(stack).await?;
    assert_eq!(first.status, 200, "{}", first.text);

    let (started, mut rng) = (Instant::now(), seed.rng(0));
    let traffic = Traffic::start(stack, store, &items, SELLERS, Some(&known.order_id(store)));
    let mut killed = Vec::new();
    let mut last_kill = String::new();
    for victim in victims(&mut rng) {
        tokio::time::sleep(Duration::from_millis(rng.u64(100..900))).await;
        let db = stack.db().await?;
        let at = Instant::now();
        match victim {
            Victim::Backend => kill_backend(&db, &mut rng).await?,
            Victim::Workerd => {
                kill_workerd(&mut rng).await?;
                last_kill = db.written("select clock_timestamp()::text", &[]).await?;
            }
            Victim::Postmaster => {
                processes::send(processes::postmaster(&db).await?, Signal::Kill)?;
                until_gone(&db).await?;
            }
        }
        let took = traffic.recovers(Instant::now(), RECOVERY).await? + at.elapsed().min(RECOVERY);
        killed.push(Killed { victim, at, took: took.min(at.elapsed()) });
        processes::all_are_up(RECOVERY).await?;
    }
    let asked = traffic.stop().await?;
    let db = stack.db().await?;
    let (released, ticks) = finish(stack, &db, store, &last_kill).await?;

    let mut complaints = uneven(&db, store).await?;
    let (lost, in_queue) = lost(&db, &asked, &killed).await?;
    complaints.extend(lost);
    complaints.extend(unpushed(stack, &db, store, &items).await?);
    let (effects, doubles) = doubles(stack, store).await?;
    complaints.extend(doubles);
    let taken = asked.iter().filter(|one| one.client == Client::Shopify && one.is_stored()).count();
    let mut recoveries: Vec<Duration> = killed.iter().map(|one| one.took).collect();
    recoveries.sort();
    announce(&format!(
        "crash: {} kills ({}), {} requests, {taken} webhooks taken, {in_queue} died in the local queue, {effects} effects, {released} leases of the dead, then {ticks} ticks, recovery median {:.1} s, longest {:.1} s, {} complaints, {seed}, {:.0} s",
        killed.len(),
        counted(&killed),
        asked.len(),
        percentile(&recoveries, 0.5).as_secs_f64(),
        percentile(&recoveries, 1.0).as_secs_f64(),
        complaints.len(),
        started.elapsed().as_secs_f64()
    ));
    assert!(complaints.is_empty(), "{}", report(&complaints, seed));
    assert!(taken > killed.len() * 3, "{taken} webhooks taken: nothing was going on");
    Ok(())
}

/// In random order, but for the last: when workers die last, every lease that is left is a dead one's.
fn victims(rng: &mut fastrand::Rng) -> Vec<Victim> {
    let mut all: Vec<Victim> =
        VICTIMS.iter().flat_map(|(victim, count)| std::iter::repeat_n(*victim, count * times())).collect();
    rng.shuffle(&mut all);
    if let Some(at) = all.iter().rposition(|victim| *victim == Victim::Workerd) {
        let last = all.len() - 1;
        all.swap(at, last);
    }
    all
}

async fn kill_backend(db: &Db, rng: &mut fastrand::Rng) -> Outcome {
    let backends = processes::backends(db).await?;
    let Some(pid) = rng.choice(&backends) else { return Err(Failure::new("nobody is connected")) };
    processes::send(*pid, Signal::Kill)?;
    // Postgres ends all the others too: it cannot know what the dead one has left in the memory that they share.
    until_gone(db).await
}

/// Kills one of them; whoever started them replaces them all.
async fn kill_workerd(rng: &mut fastrand::Rng) -> Outcome {
    let before: BTreeSet<i64> = processes::workerds()?.into_iter().collect();
    let all: Vec<i64> = before.iter().copied().collect();
    let Some(pid) = rng.choice(&all) else { return Err(Failure::new("there is no workerd to kill")) };
    processes::send(*pid, Signal::Kill)?;
    let started = Instant::now();
    loop {
        let now: BTreeSet<i64> = processes::workerds()?.into_iter().collect();
        if now.len() >= before.len() && now.is_disjoint(&before) {
            return Ok(());
        }
        if started.elapsed() > RECOVERY {
            return Err(Failure::new(format!("workers were not started again: {before:?}, {now:?}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_gone(db: &Db) -> Outcome {
    let started = Instant::now();
    while db.row("select 1 as one", &[]).await.is_ok() {
        if started.elapsed() > RECOVERY {
            return Err(Failure::new("Postgres goes on although it was killed"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Lets the leases of the dead run out and drains until all work of the store is done; gives how many there were, and
/// how many ticks of the clock it took.
async fn finish(stack: &Stack, db: &Db, store: Store, last_kill: &str) -> Outcome<(u64, usize)> {
    let release = "update public.work_queue set lease_until = now()
        where store = $1 and status = 'processing' and locked_at < $2::text::timestamptz";
    let released = db.execute(release, &[&store.key, &last_kill]).await?;
    let mut ticks = 0;
    eventually("the end of all work", async || {
        db.hurry(store.key).await?;
        stack.drain().await?;
        ticks += 1;
        let query = "select topic, status, error_class, last_error, count(*) from public.work_queue
            where store = $1 and status <> 'done' group by 1, 2, 3, 4";
        let open = db.rows(query, &[&store.key]).await?;
        Ok(if open.is_empty() { Ok(()) } else { Err(format!("{open:?}")) })
    })
    .await?;
    Ok((released, ticks))
}

/// Acknowledged and not there. What waited in the local queue, which is in the memory of workerd, when that was killed is
/// counted apart: the queue that it stands for is a service of its own.
async fn lost(db: &Db, asked: &[Asked], killed: &[Killed]) -> Outcome<(Vec<String>, usize)> {
    let still = eventually("what the queue keeps", async || {
        let missing = missing(db, asked).await?;
        let waits = |id: &&String| !fell_with_its_queue(id, asked, killed);
        let waiting = missing.iter().filter(waits).count();
        Ok(if waiting == 0 { Ok(missing) } else { Err(format!("{waiting} of {missing:?}")) })
    })
    .await;
    Ok(match still {
        Ok(missing) => (Vec::new(), missing.len()),
        Err(failure) => (vec![format!("acknowledged and lost: {failure:?}")], 0),
    })
}

fn fell_with_its_queue(id: &str, asked: &[Asked], killed: &[Killed]) -> bool {
    let told = asked.iter().filter(|one| one.webhook_id == id && one.status == Some(200));
    let spilled = |one: &Asked| {
        one.outcome == "spilled"
            && killed.iter().any(|kill| kill.victim == Victim::Workerd && kill.at + kill.took > one.at)
    };
    told.into_iter().all(spilled)
}

/// Levels at Shopify that are not what is left.
async fn unpushed(stack: &Stack, db: &Db, store: Store, items: &[Item]) -> Outcome<Vec<String>> {
    let mut wrong = Vec::new();
    for item in items {
        let query = "select ats::bigint as ats from public.inventory_items where store = $1 and sku = $2";
        let row = db.row(query, &[&store.key, &item.sku]).await?;
        let level = stack.shopify_level(store, item).await?;
        if level != row.get("ats").and_then(Value::as_i64) {
            wrong.push(format!("{}: Shopify shows {level:?} of {row}", item.sku));
        }
    }
    Ok(wrong)
}

/// How many effects the shop has seen, and keys under which it has seen more than one.
async fn doubles(stack: &Stack, store: Store) -> Outcome<(usize, Vec<String>)> {
    let mut keys = BTreeMap::<String, usize>::new();
    let effects = stack.shopify_ledger(store).await?;
    for effect in &effects {
        *keys.entry(effect.get("key").map(Value::to_string).unwrap_or_default()).or_default() += 1;
    }
    let wrong = keys.into_iter().filter(|(key, times)| *times > 1 || key == "null");
    Ok((effects.len(), wrong.map(|(key, times)| format!("{times} effects under the key {key}")).collect()))
}

fn counted(killed: &[Killed]) -> String {
    let mut counts = BTreeMap::<Victim, usize>::new();
    for one in killed {
        *counts.entry(one.victim).or_default() += 1;
    }
    let told: Vec<String> = counts.iter().map(|(victim, count)| format!("{count} {victim:?}")).collect();
    told.join(", ")
}
