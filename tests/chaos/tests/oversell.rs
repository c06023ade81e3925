//! Many buyers, few pieces: nothing is sold twice, nothing lies idle, and nobody sees a deadlock.
//!
//! Every client has a connection of its own: what is tried is the database's locks, not a pool.

mod rounds;

use ordak_chaos::figures::{announce, report, times};
use ordak_chaos::ground::Ground;
use ordak_chaos::session::Session;
use ordak_chaos::verdict::{Case, Shelf, judge};
use ordak_e2e::Outcome;
use rounds::{Client, Round, Step};
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use tokio_postgres::error::SqlState;

/// Who want something at the same time.
const CLIENTS: usize = 64;

#[derive(Default)]
struct Count {
    done: usize,
    deadlocks: usize,
    refused: Vec<String>,
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_clients_cannot_oversell_ten_pieces() -> Outcome {
    let ground = Ground::open(3).await?;
    let rounds = 200 * times();
    let mut sessions = ground.sessions(CLIENTS).await?;
    let checker = ground.session().await?;
    let (mut total, mut complaints) = (Count::default(), Vec::new());
    let mut held_in_all = 0;
    let started = Instant::now();
    for number in 0..rounds {
        let mut rng = ground.seed.rng(u64::try_from(number)?);
        let skus = ground.stock(&format!("R{number}"), 3, rounds::PIECES).await?;
        let round = Round::draw(number, &mut rng, &ground, &skus, CLIENTS)?;
        let clients = round.clients.clone();
        let (back, count) = compete(sessions, clients, &ground.home.store).await?;
        sessions = back;

        let name = format!("round {number} ({})", round.name);
        let cases: Vec<Case> = round
            .clients
            .iter()
            .map(|client| Case {
                name: name.clone(),
                shop: ground.home.clone(),
                deliveries: client.deliveries(),
            })
            .collect();
        let shelf = Shelf { store: &ground.home.store, ample: &[], scarce: &skus };
        let wrongs = judge(&checker, &cases, shelf).await?;
        complaints.extend(wrongs.into_iter().map(|wrong| format!("{name}: {wrong}")));
        let held = held(&checker, &ground.home.store, &skus).await?;
        held_in_all += held;
        if let Some(expected) = round.held.filter(|expected| *expected != held) {
            complaints.push(format!("{name}: {held} held, {expected} expected"));
        }
        total.done += count.done;
        total.deadlocks += count.deadlocks;
        total.refused.extend(count.refused.into_iter().map(|wrong| format!("{name}: {wrong}")));
    }
    let operations = total.done + total.refused.len();
    announce(&format!(
        "oversell: {rounds} rounds of {CLIENTS} clients, {operations} operations ({:.0}/s), {held_in_all} pieces held, {} refused, {} deadlocks, {} complaints, {}",
        operations as f64 / started.elapsed().as_secs_f64(),
        total.refused.len(),
        total.deadlocks,
        complaints.len(),
        ground.seed
    ));
    assert_eq!(total.deadlocks, 0, "{}", report(&total.refused, ground.seed));
    assert!(total.done * 100 >= operations * 95, "{}", report(&total.refused, ground.seed));
    assert!(complaints.is_empty(), "{}", report(&complaints, ground.seed));
    Ok(())
}

/// All clients start at once; each takes its steps one after the other.
async fn compete(
    sessions: Vec<Session>,
    clients: Vec<Client>,
    store: &str,
) -> Outcome<(Vec<Session>, Count)> {
    let barrier = Arc::new(Barrier::new(clients.len()));
    let mut tasks = JoinSet::new();
    for (session, client) in sessions.into_iter().zip(clients) {
        let (barrier, store) = (Arc::clone(&barrier), store.to_owned());
        tasks.spawn(async move {
            let mut count = Count::default();
            barrier.wait().await;
            for step in &client.steps {
                match take(&session, step, &store).await {
                    Ok(answer) if answer.get("ok") == Some(&Value::Bool(true)) => count.done += 1,
                    Ok(answer) => count.refused.push(answer.to_string()),
                    Err(error) => {
                        count.deadlocks +=
                            usize::from(error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED));
                        count.refused.push(format!("{:?}", ordak_e2e::Failure::from(error)));
                    }
                }
            }
            (session, count)
        });
    }
    let (mut back, mut all) = (Vec::new(), Count::default());
    while let Some(done) = tasks.join_next().await {
        let (session, count) = done?;
        back.push(session);
        all.done += count.done;
        all.deadlocks += count.deadlocks;
        all.refused.extend(count.refused);
    }
    Ok((back, all))
}

async fn take(session: &Session, step: &Step, store: &str) -> Result<Value, tokio_postgres::Error> {
    match step {
        Step::Deliver(delivery) => session.ingest(delivery).await,
        Step::Restock { sku, delta, key } => {
            let adjust = "select public.adjust_stock($1, $2, $3, 'restock', $4)";
            session.value(adjust, &[&store, sku, delta, key]).await
        }
    }
}

async fn held(session: &Session, store: &str, skus: &[String]) -> Outcome<i64> {
    let query = "select to_jsonb(coalesce(sum(l.held_quantity), 0)) from public.order_line_items l
        where l.store = $1 and l.sku = any($2)";
    Ok(session.value(query, &[&store, &skus]).await?.as_i64().unwrap_or_default())
}
