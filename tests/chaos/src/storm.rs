//! Deliveries over HTTP, many at once, sent again while the stack says 5xx, as Shopify does, or has them wait in its queue:
//! what is asked for is what the database says.

use crate::ground::variable;
use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::{PATH, sign};
use ordak_model::{Arrival, Delivery, Kind};
use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Shopify tries eight times more.
const TRIES: u32 = 9;
/// Shopify waits five seconds; we want to see later answers too.
const PATIENCE: Duration = Duration::from_secs(30);

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

/// Where deliveries go and how they are signed.
#[derive(Clone, Debug)]
pub struct Door {
    url: String,
    secret: String,
    http: reqwest::Client,
}

impl Door {
    /// The gateway of the environment. A missing variable is a failure.
    pub fn from_env() -> Outcome<Self> {
        let secrets = variable("SHOPIFY_WEBHOOK_SECRET")?;
        Ok(Self {
            url: format!("{}{PATH}", variable("GATEWAY_URL")?.trim_end_matches('/')),
            secret: secrets.split(',').next().unwrap_or_default().trim().to_owned(),
            http: reqwest::Client::builder().timeout(PATIENCE).build()?,
        })
    }

    async fn knock(&self, delivery: &Delivery) -> Outcome<Answer> {
        let request = self
            .http
            .post(&self.url)
            .header("Content-Type", "application/json")
            .header("X-Shopify-Shop-Domain", &delivery.shop)
            .header("X-Shopify-Topic", &delivery.topic)
            .header("X-Shopify-Webhook-Id", &delivery.webhook_id)
            .header("X-Shopify-API-Version", "2026-10")
            .header("X-Shopify-Triggered-At", "2026-02-09T01:07:34.123456789Z")
            .header("X-Shopify-Hmac-Sha256", sign(delivery.body.as_bytes(), &self.secret));
        Answer::to(request.body(delivery.body.clone())).await
    }
}

struct Waiting {
    queue: VecDeque<Arrival>,
    /// Orders of which a delivery was answered: they belong to their store, or the suite fails anyway.
    bound: BTreeSet<usize>,
}

/// Sends everything with so many clients. A misdirected delivery waits until its order belongs to its store: before
/// that nobody can know that it is misdirected.
pub async fn send(door: &Door, arrivals: Vec<Arrival>, clients: usize) -> Outcome<Vec<Sent>> {
    let waiting = Arc::new(Mutex::new(Waiting { queue: arrivals.into(), bound: BTreeSet::new() }));
    let mut tasks = JoinSet::new();
    for _ in 0..clients {
        let (door, waiting) = (door.clone(), Arc::clone(&waiting));
        tasks.spawn(async move {
            let mut sent = Vec::new();
            while let Some(arrival) = take(&waiting) {
                if arrival.kind == Kind::Misdirected && !is_bound(&waiting, arrival.order) {
                    put_back(&waiting, arrival);
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    continue;
                }
                // A refund that comes first binds nothing.
                let (order, binds) = (arrival.order, arrival.delivery.topic != "refunds/create");
                let done = post(&door, arrival).await?;
                if binds {
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

async fn post(door: &Door, arrival: Arrival) -> Outcome<Sent> {
    let mut took = Vec::new();
    loop {
        let started = Instant::now();
        let Answer { status, json, .. } = door.knock(&arrival.delivery).await?;
        took.push(started.elapsed());
        let tries = u32::try_from(took.len()).unwrap_or(TRIES);
        let waits = json.pointer("/data/outcome").is_some_and(|outcome| outcome == "spilled");
        if (status < 500 && !waits) || tries == TRIES {
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
