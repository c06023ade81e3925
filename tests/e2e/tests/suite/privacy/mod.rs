//! Who ordered stays where it belongs: in no log, no answer, no error, no alert; and after a request to forget him in
//! no column of no table, whatever comes late.
//!
//! One customer goes every way into the system that there is, and everything goes wrong that can.

mod paths;
mod person;
mod sinks;

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use ordak_e2e::{Outcome, unique_number};
use person::Person;
use serde_json::json;
use sinks::Findings;
use std::io::Write as _;

/// A customer under way: his store, what he has ordered, what was answered.
struct Journey {
    stack: Stack,
    shop: Store,
    other: Store,
    person: Person,
    sku: String,
    orders: Vec<Order>,
    answers: Vec<(String, String)>,
    ids: Vec<String>,
}

impl Journey {
    async fn begin() -> Outcome<Self> {
        let stack = Stack::up().await?;
        let (shop, other) = (store::fresh(&stack).await?, store::fresh(&stack).await?);
        let statement = "update public.stores set created_at = now() - interval '5 days' where key = $1";
        stack.db().await?.execute(statement, &[&shop.key]).await?;
        let sku = store::stock(&stack, shop, 3).await?.sku;
        let (orders, answers, ids) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { stack, shop, other, person: Person::new(), sku, orders, answers, ids })
    }

    /// A new order of his.
    fn order(&mut self) -> Outcome<Order> {
        let order = self.person.order(&[&self.sku])?;
        self.orders.push(order.clone());
        Ok(order)
    }

    /// Keeps an answer of the stack, to be searched.
    fn heard(&mut self, place: &str, answer: &Answer) {
        self.answers.push((place.to_owned(), format!("{:?} {}", answer.headers, answer.text)));
        let id = answer.header("x-request-id");
        if !id.is_empty() {
            self.ids.push(id.to_owned());
        }
    }

    /// Sends something over HTTP and expects this status.
    async fn send(&mut self, status: u16, delivery: Delivery) -> Outcome<Answer> {
        let answer = delivery.send_until_taken(&self.stack).await?;
        assert_eq!(answer.status, status, "{} {}", delivery.topic, answer.text);
        self.heard(&delivery.topic, &answer);
        Ok(answer)
    }

    /// A delivery to his store.
    fn delivery(&self, topic: &str, body: Vec<u8>) -> Delivery {
        Delivery::new(self.shop, topic, body)
    }

    async fn drain(&mut self) -> Outcome {
        let answer = self.stack.drain().await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.answers.push(("queue-worker".to_owned(), answer.text));
        Ok(())
    }

    /// Shopify asks for him to be forgotten.
    async fn forget(&mut self) -> Outcome {
        let named: Vec<u64> = self.orders.iter().take(2).map(|order| order.id).collect();
        let body = self.person.request(&self.shop.domain(), &json!({"orders_to_redact": named}));
        let answer = self.send(200, self.delivery("customers/redact", body)).await?;
        assert_eq!(answer.str("/data/outcome"), "updated", "{}", answer.text);
        Ok(())
    }

    /// Searches logs, answers, errors and upstreams.
    async fn sinks(&self, worker: &[String]) -> Outcome<String> {
        let folder = sinks::logs()?;
        eventually("the log line of every request", async || {
            let text: String = sinks::lines(&folder)?.into_iter().map(|(_, line)| line + "\n").collect();
            let absent: Vec<&String> = self.ids.iter().filter(|id| !text.contains(id.as_str())).collect();
            Ok(if absent.is_empty() { Ok(()) } else { Err(format!("{absent:?}")) })
        })
        .await?;
        let mut findings = Findings::default();
        let lines = sinks::lines(&folder)?;
        for (place, text) in lines.iter().chain(&self.answers) {
            findings.search(&self.person, place, text);
        }
        for line in worker {
            findings.search(&self.person, "the worker before the queue", line);
        }
        sinks::errors(&self.stack, &self.person, &mut findings).await?;
        let slack = sinks::upstreams(&self.stack, &self.person, &mut findings).await?;
        assert!(findings.hits.is_empty(), "{} hits:\n{}", findings.hits.len(), findings.hits.join("\n"));
        Ok(format!(
            "{} answers, {} log lines, {slack} messages to Slack, {} texts searched, 0 hits",
            self.answers.len(),
            lines.len() + worker.len(),
            findings.searched
        ))
    }

    async fn traces(&self) -> Outcome<(usize, Vec<String>)> {
        sinks::dump(&self.stack, &self.person).await
    }
}

#[tokio::test]
async fn who_ordered_is_in_no_sink_and_once_forgotten_nowhere() -> Outcome {
    let mut journey = Journey::begin().await?;
    journey.topics().await?;
    journey.refusals().await?;
    journey.applying_fails().await?;
    journey.storing_fails().await?;
    journey.gap_repair().await?;
    journey.replays().await?;
    journey.settings().await?;
    journey.shown().await?;
    let mut away = journey.database_away().await?;
    journey.alerts().await?;

    let (columns, before) = journey.traces().await?;
    for place in
        ["orders_", "event_store.payload", "dead_letters.body", "order_line_items.properties", "data_exports"]
    {
        assert!(
            before.iter().any(|found| found.contains(place)),
            "not even before is he in {place}: {before:?}"
        );
    }
    let waiting = journey.wait_in_queue(&mut away).await?;
    journey.forget().await?;
    assert_eq!(journey.traces().await?.1, Vec::<String>::new(), "forgotten");
    journey.late(&away, waiting).await?;
    assert_eq!(journey.traces().await?.1, Vec::<String>::new(), "whatever comes late");

    let searched = journey.sinks(&away.said()).await?;
    let query = "select order_id from public.order_index where store = $1";
    let known = journey.stack.db().await?.rows(query, &[&journey.shop.key]).await?;
    for order in &known {
        let arguments = json!({"p_store": journey.shop.key, "p_order_id": order["order_id"]});
        let replay = journey.stack.rpc(&journey.stack.service_key, "replay_order", &arguments).await?;
        assert_eq!(replay.at("/data/differences"), &json!({}), "{}", replay.text);
    }
    let figures = format!(
        "privacy: {} orders, {searched}; in {columns} columns {} held him before, 0 after and 0 after what came late, {} replays without a difference",
        journey.orders.len(),
        before.len(),
        known.len()
    );
    // Past the capture of the test harness: the line is for whoever runs the suite.
    writeln!(std::io::stderr().lock(), "{figures}")?;
    Ok(())
}

/// A request id of a data request.
fn request_number() -> u64 {
    unique_number(1_000_000_000)
}
