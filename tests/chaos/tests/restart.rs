//! The database is stopped in each way there is while a shop goes on selling: what was acknowledged is there, what could
//! not be taken was told so by 503 and nothing else, and it is over within 35 s.

use ordak_chaos::figures::{announce, percentile, report, times};
use ordak_chaos::processes::{self, Signal};
use ordak_chaos::traffic::{Asked, Client, Traffic, missing, uneven};
use ordak_e2e::db::Db;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store;
use ordak_e2e::{Failure, Outcome};
use std::time::{Duration, Instant};

/// The ways that leave something to recover from come twice.
const WAYS: [(&str, Signal); 5] = [
    ("fast", Signal::Int),
    ("immediate", Signal::Quit),
    ("kill", Signal::Kill),
    ("immediate", Signal::Quit),
    ("kill", Signal::Kill),
];
/// Clients that bring webhooks.
const SELLERS: usize = 8;
/// Longest recovery.
const RECOVERY: Duration = Duration::from_secs(35);
/// Longest answer: well above what any function waits for its database, on a busy machine.
const HANG: Duration = Duration::from_secs(20);
/// How long traffic runs undisturbed before each stop.
const CALM: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_stopped_loses_nothing_and_nobody_sees_more_than_503() -> Outcome {
    let stack = Stack::from_env()?;
    let store = store::fresh(&stack).await?;
    let mut items = Vec::new();
    for _ in 0..4 {
        items.push(store::stock(&stack, store, 1_000_000).await?);
    }
    let known = Order::simple()?;
    let first = Delivery::new(store, "orders/create", known.bytes()).send(&stack).await?;
    assert_eq!(first.status, 200, "{}", first.text);

    let started = Instant::now();
    let traffic = Traffic::start(&stack, store, &items, SELLERS, Some(&known.order_id(store)));
    let mut away = Vec::new();
    for (name, signal) in WAYS.iter().cycle().take(WAYS.len() * times()) {
        tokio::time::sleep(CALM).await;
        let db = stack.db().await?;
        let stopped = Instant::now();
        processes::send(processes::postmaster(&db).await?, *signal)?;
        // Until the server is really gone an answer says nothing of its coming back.
        until_gone(&db).await?;
        let gone = Instant::now();
        let took = traffic.recovers(gone, RECOVERY).await? + (gone - stopped);
        away.push((*name, stopped, took));
        processes::all_are_up(RECOVERY).await?;
    }
    tokio::time::sleep(CALM).await;
    let asked = traffic.stop().await?;

    let mut complaints: Vec<String> = asked.iter().filter_map(wrong).collect();
    complaints.extend(unstored(&stack, &asked).await?);
    let db = stack.db().await?;
    complaints.extend(uneven(&db, store).await?);
    let calm: Vec<&Asked> = asked.iter().filter(|one| !within(one, &away)).collect();
    let good = calm.iter().filter(|one| one.status == Some(200) && one.outcome != "spilled").count();
    let mut recoveries: Vec<Duration> = away.iter().map(|(_, _, took)| *took).collect();
    recoveries.sort();
    let count = |wanted: &dyn Fn(&&Asked) -> bool| asked.iter().filter(wanted).count();
    announce(&format!(
        "restart: {} stops ({}), {} requests, {} taken, {} spilled, {} times 503, recovery median {:.1} s, longest {:.1} s, {} of {} good in calm, {} complaints, {:.0} s",
        away.len(),
        away.iter()
            .map(|(name, _, took)| format!("{name} {:.1} s", took.as_secs_f64()))
            .collect::<Vec<_>>()
            .join(", "),
        asked.len(),
        count(&|one| one.client == Client::Shopify && one.is_stored()),
        count(&|one| one.outcome == "spilled"),
        count(&|one| one.status == Some(503)),
        percentile(&recoveries, 0.5).as_secs_f64(),
        percentile(&recoveries, 1.0).as_secs_f64(),
        good,
        calm.len(),
        complaints.len(),
        started.elapsed().as_secs_f64()
    ));
    assert!(complaints.is_empty(), "{}", report(&complaints, "no seed"));
    assert!(recoveries.iter().all(|took| *took <= RECOVERY), "{away:?}");
    assert!(good * 100 >= calm.len() * 95 && calm.len() > 100, "{good} of {} good in calm", calm.len());
    Ok(())
}

/// Waits until the connection is lost.
async fn until_gone(db: &Db) -> Outcome {
    let started = Instant::now();
    while db.row("select 1 as one", &[]).await.is_ok() {
        if started.elapsed() > RECOVERY {
            return Err(Failure::new("Postgres goes on although it was stopped"));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Anything but success and 503, and anything that comes too late.
fn wrong(one: &Asked) -> Option<String> {
    let fine = matches!(one.status, Some(200 | 503)) && one.took < HANG;
    (!fine).then(|| {
        format!("{:?}: {:?} after {:.1} s: {}", one.client, one.status, one.took.as_secs_f64(), one.text)
    })
}

/// Acknowledged and not there, also not once the queue has been given the time to bring it.
async fn unstored(stack: &Stack, asked: &[Asked]) -> Outcome<Vec<String>> {
    let db = stack.db().await?;
    let all = eventually("everything that was acknowledged", async || {
        let missing = missing(&db, asked).await?;
        Ok(if missing.is_empty() { Ok(()) } else { Err(format!("{} missing: {missing:?}", missing.len())) })
    })
    .await;
    Ok(all.err().map(|failure| format!("{failure:?}")).into_iter().collect())
}

/// Whether it was asked, or still under way, between a stop and the recovery from it. Health is told from memory for 2 s.
fn within(one: &Asked, away: &[(&str, Instant, Duration)]) -> bool {
    let after = Duration::from_secs(if one.client == Client::Monitor { 4 } else { 1 });
    away.iter().any(|(_, stopped, took)| one.at + one.took >= *stopped && one.at <= *stopped + *took + after)
}
