//! A shop that goes on selling whatever happens behind the gateway: webhooks, and, beside them, a kiosk, a monitor and
//! somebody who drains. Each answer is kept with when it was asked for and how long it took.

use ordak_e2e::answer::Answer;
use ordak_e2e::db::Db;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{Item, Store};
use ordak_e2e::{Failure, Outcome};
use reqwest::Method;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Between two requests of one client: the machine is to do something else besides.
const PAUSE: Duration = Duration::from_millis(60);
/// Before each try of a webhook.
const AGAIN_MS: [u64; 4] = [0, 200, 600, 1_500];

/// Who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// Shopify, with a webhook.
    Shopify,
    /// A kiosk, with a scan.
    Kiosk,
    /// A monitor, for health.
    Monitor,
    /// The clock, for a drain.
    Clock,
}

/// A request and its answer.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Who asked.
    pub client: Client,
    /// When.
    pub at: Instant,
    /// How long it took.
    pub took: Duration,
    /// The status; none when the connection broke.
    pub status: Option<u16>,
    /// What became of a webhook.
    pub outcome: String,
    /// The webhook's id.
    pub webhook_id: String,
    /// What is to be read when something is wrong.
    pub text: String,
}

impl Asked {
    /// Whether it is in the database: an answer with 200 that is not about the queue before it.
    #[must_use]
    pub fn is_stored(&self) -> bool {
        self.status == Some(200) && self.outcome != "spilled"
    }
}

/// Traffic that runs until it is stopped.
pub struct Traffic {
    asked: Arc<Mutex<Vec<Asked>>>,
    going: Arc<AtomicBool>,
    tasks: JoinSet<Outcome>,
}

impl Traffic {
    /// Lets so many clients of Shopify sell one of these items each time, and, where a kiosk's order is given, one each of
    /// the others.
    pub fn start(stack: &Stack, store: Store, items: &[Item], sellers: usize, scanned: Option<&str>) -> Self {
        let mut traffic =
            Self { asked: Arc::default(), going: Arc::new(AtomicBool::new(true)), tasks: JoinSet::new() };
        for seller in 0..sellers {
            let (stack, items) = (stack.clone(), items.to_vec());
            traffic.run(move |turn| {
                let (stack, item) = (stack.clone(), items.get((seller + turn) % items.len().max(1)).cloned());
                async move { sell(&stack, store, &item.ok_or_else(|| Failure::new("nothing to sell"))?).await }
            });
        }
        if let Some(scan) = scanned {
            let path = format!("/functions/v1/stage-actions/order?scan={scan}");
            let of = |client: Client| {
                let (stack, path) = (stack.clone(), path.clone());
                move |_| {
                    let request = match client {
                        Client::Clock => stack
                            .request(Method::POST, "/functions/v1/queue-worker")
                            .header("apikey", &stack.service_key)
                            .bearer_auth(&stack.service_key),
                        Client::Monitor => stack.request(Method::GET, "/edge/health"),
                        _ => stack.request(Method::GET, &path).bearer_auth(&stack.admin),
                    };
                    async move { Ok(vec![ask(client, request).await]) }
                }
            };
            for client in [Client::Kiosk, Client::Monitor, Client::Clock] {
                traffic.run(of(client));
            }
        }
        traffic
    }

    fn run<F>(&mut self, once: impl Fn(usize) -> F + Send + 'static)
    where
        F: Future<Output = Outcome<Vec<Asked>>> + Send + 'static,
    {
        let (asked, going) = (Arc::clone(&self.asked), Arc::clone(&self.going));
        self.tasks.spawn(async move {
            let mut turn = 0;
            while going.load(Ordering::Relaxed) {
                let done = once(turn).await?;
                asked.lock().unwrap_or_else(PoisonError::into_inner).extend(done);
                turn += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Ok(())
        });
    }

    /// Everything that was asked so far.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a webhook that was sent after this moment is in the database; gives the time that took.
    pub async fn recovers(&self, since: Instant, patience: Duration) -> Outcome<Duration> {
        loop {
            let good = |one: &&Asked| one.client == Client::Shopify && one.at > since && one.is_stored();
            if let Some(first) = self.asked().iter().filter(good).map(|one| one.at + one.took).min() {
                return Ok(first - since);
            }
            if since.elapsed() > patience {
                return Err(Failure::new(format!("nothing was taken for {patience:?}")));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Ends it and gives everything that was asked.
    pub async fn stop(mut self) -> Outcome<Vec<Asked>> {
        self.going.store(false, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        Ok(self.asked())
    }
}

/// Sells, and brings the webhook again when it was not taken, as Shopify does, only sooner and not for ever.
async fn sell(stack: &Stack, store: Store, item: &Item) -> Outcome<Vec<Asked>> {
    let order = Order::simple()?.with_lines(&[(&item.sku, 1)]);
    let delivery = Delivery::new(store, "orders/create", order.bytes());
    let mut tries = Vec::new();
    for pause in AGAIN_MS {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        let at = Instant::now();
        let mut asked = kept(Client::Shopify, at, delivery.send(stack).await);
        asked.webhook_id.clone_from(&delivery.webhook_id);
        let taken = asked.status == Some(200);
        tries.push(asked);
        if taken {
            break;
        }
    }
    Ok(tries)
}

async fn ask(client: Client, request: reqwest::RequestBuilder) -> Asked {
    let at = Instant::now();
    kept(client, at, Answer::to(request).await)
}

fn kept(client: Client, at: Instant, answer: Outcome<Answer>) -> Asked {
    let took = at.elapsed();
    let (status, outcome, text) = match answer {
        Ok(answer) => (Some(answer.status), answer.str("/data/outcome").to_owned(), answer.text),
        Err(failure) => (None, String::new(), format!("{failure:?}")),
    };
    let text = text.chars().take(300).collect();
    Asked { client, at, took, status, outcome, webhook_id: String::new(), text }
}

/// Webhooks that were acknowledged and are not there.
pub async fn missing(db: &Db, asked: &[Asked]) -> Outcome<Vec<String>> {
    let acknowledged = asked.iter().filter(|one| one.client == Client::Shopify && one.status == Some(200));
    let ids: Vec<String> = acknowledged.map(|one| one.webhook_id.clone()).collect();
    let query = "select d.id from unnest($1::text[]) as d (id)
        where not exists (select 1 from public.event_store e where e.external_id like '%/' || d.id)";
    let text = |row: &Value| row.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(db.rows(query, &[&ids]).await?.iter().map(text).collect())
}

/// Stock of a store that does not add up, and events of it that were never applied.
pub async fn uneven(db: &Db, store: Store) -> Outcome<Vec<String>> {
    let query = "select i.sku, i.ats, i.opening_ats + coalesce(sum(t.delta), 0) as summed
        from public.inventory_items i left join public.inventory_txn t on t.item_id = i.id
        where i.store = $1
        group by i.id having i.ats <> i.opening_ats + coalesce(sum(t.delta), 0)
            or i.opening_ats - i.ats <> (
                select coalesce(sum(l.held_quantity), 0) from public.order_line_items l
                where l.store = i.store and l.sku = i.sku
            )";
    let mut wrong: Vec<String> =
        db.rows(query, &[&store.key]).await?.iter().map(|row| format!("stock: {row}")).collect();
    let query = "select e.id, e.last_error from public.event_store e
        where e.store = $1 and (e.processed_at is null or e.last_error is not null)";
    let waiting: Vec<Value> = db.rows(query, &[&store.key]).await?;
    wrong.extend(waiting.iter().map(|row| format!("not applied: {row}")));
    Ok(wrong)
}
