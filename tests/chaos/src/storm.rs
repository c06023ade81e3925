//! Deliveries over HTTP, many at once, sent again while the stack says 503, as Shopify does.

use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery as Signed;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::Store;
use ordak_model::{Arrival, Kind};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Shopify tries eight times more.
const TRIES: u32 = 9;

/// What became of one arrival.
#[derive(Debug)]
pub struct Sent {
    /// The arrival.
    pub arrival: Arrival,
    /// The last answer.
    pub status: u16,
    /// Its body.
    pub answer: serde_json::Value,
    /// How often it was sent.
    pub tries: u32,
    /// How long each answer took.
    pub took: Vec<Duration>,
}

struct Waiting {
    queue: VecDeque<Arrival>,
    /// Orders of which a delivery was accepted: they belong to their store.
    bound: BTreeSet<usize>,
}

/// Sends everything with so many clients. A misdirected delivery waits until its order belongs to its store: before
/// that nobody can know that it is misdirected.
pub async fn send(stack: &Stack, arrivals: Vec<Arrival>, clients: usize) -> Outcome<Vec<Sent>> {
    let waiting = Arc::new(Mutex::new(Waiting { queue: arrivals.into(), bound: BTreeSet::new() }));
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (stack, waiting) = (stack.clone(), Arc::clone(&waiting));
        tasks.spawn(async move {
            let mut sent = Vec::new();
            while let Some(arrival) = take(&waiting) {
                if arrival.kind == Kind::Misdirected && !is_bound(&waiting, arrival.order) {
                    put_back(&waiting, arrival);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
                let order = arrival.order;
                let done = post(&stack, arrival).await?;
                if done.status == 200 {
                    lock(&waiting).bound.insert(order);
                }
                sent.push(done);
            }
            Outcome::Ok(sent)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.extend(done??);
    }
    Ok(all)
}

async fn post(stack: &Stack, arrival: Arrival) -> Outcome<Sent> {
    // The shop header is set by name: the store of the constructor serves only its default.
    let mut signed =
        Signed::new(Store { key: "chaosone" }, &arrival.delivery.topic, arrival.delivery.body.clone())
            .from_shop(&arrival.delivery.shop);
    signed.webhook_id.clone_from(&arrival.delivery.webhook_id);
    let mut took = Vec::new();
    loop {
        let started = Instant::now();
        let Answer { status, json, .. } = signed.send(stack).await?;
        took.push(started.elapsed());
        let tries = u32::try_from(took.len()).unwrap_or(TRIES);
        if status != 503 || tries == TRIES {
            return Ok(Sent { arrival, status, answer: json, tries, took });
        }
        tokio::time::sleep(Duration::from_millis(50) * tries).await;
    }
}

fn lock(waiting: &Mutex<Waiting>) -> std::sync::MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take(waiting: &Mutex<Waiting>) -> Option<Arrival> {
    lock(waiting).queue.pop_front()
}

fn put_back(waiting: &Mutex<Waiting>, arrival: Arrival) {
    lock(waiting).queue.push_back(arrival);
}

fn is_bound(waiting: &Mutex<Waiting>, order: usize) -> bool {
    lock(waiting).bound.contains(&order)
}
