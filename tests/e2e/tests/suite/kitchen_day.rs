//! A full day of a kitchen: every order from the label to Complete, by several kiosks at once, with returns,
//! reassignments, scanners that bounce, kiosks that send again what they have sent. In the evening the audit trail has
//! to explain every row.

use fastrand::Rng;
use futures_util::future::join_all;
use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::kitchen::{Person, hired, ingested, refused, scan_id};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use ordak_e2e::trail::explain;
use ordak_model::Seed;
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

const ORDERS: usize = 200;
const KIOSKS: usize = 4;
/// A scanner that is moved on to the next order does not come back to this one sooner.
const BETWEEN_SCANS: Duration = Duration::from_millis(2100);

/// An order on its way through the kitchen, as the people there know it.
struct Job {
    id: String,
    number: u64,
    stage: String,
    not_before: Instant,
    /// The last scan that counted: action and scan id.
    last_scan: Option<(String, String)>,
    returns: u32,
}

/// What happened beside the plain way.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    scans: usize,
    named: usize,
    bounced: usize,
    replayed: usize,
    refused: usize,
    returned: usize,
    assigned: usize,
    stored: usize,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.scans += other.scans;
        self.named += other.named;
        self.bounced += other.bounced;
        self.replayed += other.replayed;
        self.refused += other.refused;
        self.returned += other.returned;
        self.assigned += other.assigned;
        self.stored += other.stored;
    }
}

/// Everybody who works today.
struct Crew {
    stack: Stack,
    store: Store,
    kiosks: Vec<Person>,
    supervisor: Person,
}

struct Kiosk<'a> {
    crew: &'a Crew,
    me: &'a Person,
    rng: Rng,
    figures: Figures,
}

#[tokio::test]
async fn a_full_day_is_explained_by_its_events() -> Outcome {
    let stack = Stack::up().await?;
    let seed = Seed::from_env(6)?;
    println!("{seed}");
    let store = store::fresh(&stack).await?;
    let mut kiosks = Vec::new();
    for _ in 0..KIOSKS {
        kiosks.push(hired(&stack, "Staff", store).await?);
    }
    let supervisor = hired(&stack, "Supervisor", store).await?;
    let crew = Crew { stack: stack.clone(), store, kiosks, supervisor };

    let jobs = Mutex::new(arrivals(&stack, store).await?);
    let today = crew.kiosks.iter().zip(0..).map(|(me, number)| {
        Kiosk { crew: &crew, me, rng: seed.rng(number), figures: Figures::default() }.work(&jobs)
    });
    let mut figures = Figures::default();
    for kiosk in join_all(today).await {
        figures.add(kiosk?);
    }
    println!("{figures:?}");
    for (what, count) in [
        ("bounces", figures.bounced),
        ("replays", figures.replayed),
        ("refusals", figures.refused),
        ("returns", figures.returned),
        ("assignments", figures.assigned),
        ("places", figures.stored),
    ] {
        assert!(count >= ORDERS / 20, "{count} {what} are too few to prove anything");
    }
    in_the_evening(&crew, figures).await
}

async fn arrivals(stack: &Stack, store: Store) -> Outcome<VecDeque<Job>> {
    let mut jobs = VecDeque::new();
    while jobs.len() < ORDERS {
        for order in join_all((0..8).map(|_| ingested(stack, store))).await {
            let order = order?;
            jobs.push_back(Job {
                id: order.order_id(store),
                number: order.number,
                stage: "Filling".to_owned(),
                not_before: Instant::now(),
                last_scan: None,
                returns: 0,
            });
        }
    }
    Ok(jobs)
}

async fn in_the_evening(crew: &Crew, figures: Figures) -> Outcome {
    let (stack, store) = (&crew.stack, crew.store);
    let db = stack.db().await?;
    let trail = explain(&db, store).await?;
    println!("{trail:?}");
    assert_eq!(trail.orders, ORDERS);
    for (action, least) in
        [("handle_print_barcode", ORDERS), ("complete_filling", ORDERS), ("complete_covering", ORDERS)]
    {
        assert_eq!(trail.count(action), least, "{action}: once for each order");
    }
    let returned = trail.count("qc_return_to_decorating");
    assert_eq!(returned, figures.returned);
    assert_eq!(trail.count("complete_decorating"), ORDERS + returned, "each return is decorated again");
    assert_eq!((trail.count("assign_staff"), trail.count("refused")), (figures.assigned, figures.refused));
    let open = db
        .count("select 1 from public.orders where store = $1 and stage <> 'Complete'", &[&store.key])
        .await?;
    assert_eq!(open, 0);

    // What the screens say is what the trail says. A week, since a test may run over midnight.
    let read = async |path: &str, query: &[(&str, &str)]| {
        let request = stack.request(Method::GET, &format!("/functions/v1/stage-actions/{path}"));
        Answer::to(request.query(query).bearer_auth(&crew.supervisor.token)).await
    };
    let dashboard = read("dashboard", &[("store", store.key), ("period", "week")]).await?;
    assert_eq!(dashboard.at("/data/open"), 0, "{}", dashboard.text);
    assert_eq!(dashboard.at("/data/completed"), trail.count("complete_packing"), "{}", dashboard.text);
    assert_eq!(dashboard.at("/data/durations/covering/visits"), ORDERS, "{}", dashboard.text);
    let busiest = "select order_id as id, count(*)::int as events from public.stage_events where store = $1
        group by 1 order by 2 desc limit 1";
    let busiest = db.row(busiest, &[&store.key]).await?;
    let timeline = read("timeline", &[("id", busiest["id"].as_str().unwrap())]).await?;
    let entries = timeline.at("/data/entries").as_array().unwrap();
    let stage_events =
        entries.iter().filter(|entry| ["scan", "action"].contains(&entry["kind"].as_str().unwrap()));
    assert_eq!(stage_events.count(), busiest["events"], "{}", timeline.text);
    assert!(entries.iter().any(|entry| entry["kind"] == "webhook"));
    Ok(())
}

impl Kiosk<'_> {
    async fn work(mut self, jobs: &Mutex<VecDeque<Job>>) -> Outcome<Figures> {
        loop {
            let Some(mut job) = jobs.lock().await.pop_front() else { return Ok(self.figures) };
            sleep_until(job.not_before).await;
            self.visit(&mut job).await?;
            if job.stage != "Complete" || self.comes_back(&mut job).await? {
                jobs.lock().await.push_back(job);
            }
        }
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(..100) < percent
    }

    /// One visit to an order: what a person may do in passing, and then the next step.
    async fn visit(&mut self, job: &mut Job) -> Outcome {
        if self.chance(12) {
            self.assign(job).await?;
        }
        if self.chance(10) {
            self.store(job).await?;
        }
        if self.chance(8) {
            self.replay(job).await?;
        }
        if self.chance(6) {
            self.jump(job).await?;
        }
        if job.stage == "Packing" && job.returns < 2 && self.chance(15) {
            return self.give_back(job, &self.crew.supervisor.token).await;
        }
        if self.chance(25) && job.last_scan.is_some() { self.name(job).await } else { self.scan(job).await }
    }

    async fn act(&self, action: &str, body: &Value) -> Outcome<Answer> {
        self.crew.stack.act(&self.me.token, action, body).await
    }

    /// An automatic scan of the label in one of its forms, and now and then a scanner that bounces.
    async fn scan(&mut self, job: &mut Job) -> Outcome {
        let scan = self.label(job);
        let id = scan_id();
        let answer = self.act("scan", &json!({"scan": scan, "scan_id": id})).await?;
        self.moved(job, &answer, &id);
        self.figures.scans += 1;
        if self.chance(20) {
            let who = self.rng.usize(..KIOSKS);
            let body = json!({"scan": job.id, "scan_id": scan_id()});
            let bounce = self.crew.stack.act(&self.crew.kiosks[who].token, "scan", &body).await?;
            // A machine so slow that 2 s have passed has made it a scan of its own.
            if bounce.at("/already_done") == true {
                assert_eq!(bounce.str("/data/event/by"), self.me.id, "{}", bounce.text);
                self.figures.bounced += 1;
            } else {
                self.moved(job, &bounce, "");
            }
        }
        Ok(())
    }

    fn label(&mut self, job: &Job) -> String {
        let Job { id, number, .. } = job;
        match self.rng.u32(..6) {
            0 => format!("\t{}\r\n", id.to_uppercase()),
            1 => format!("#{number}"),
            2 => number.to_string(),
            3 => format!("https://labels.example/o/{id}?from=kiosk"),
            4 => json!({"order_id": id, "printed": 1}).to_string(),
            _ => id.clone(),
        }
    }

    /// The step that is due, by its name: it is never a bounce.
    async fn name(&mut self, job: &mut Job) -> Outcome {
        let card = self.card(job).await?;
        let action = card.str("/data/next_action").to_owned();
        let answer = self.act(&action, &json!({"id": job.id})).await?;
        self.moved(job, &answer, "");
        self.figures.named += 1;
        let again = self.act(&action, &json!({"id": job.id})).await?;
        assert_eq!(again.at("/already_done"), true, "{action} again: {}", again.text);
        Ok(())
    }

    async fn card(&self, job: &Job) -> Outcome<Answer> {
        let request = self.crew.stack.request(Method::GET, "/functions/v1/stage-actions/order");
        Answer::to(request.query(&[("scan", &job.id)]).bearer_auth(&self.me.token)).await
    }

    /// A kiosk that was away sends its last scan again.
    async fn replay(&mut self, job: &Job) -> Outcome {
        let Some((action, id)) = &job.last_scan else { return Ok(()) };
        let answer = self.act("scan", &json!({"scan": job.id, "scan_id": id})).await?;
        assert_eq!(answer.at("/already_done"), true, "{}", answer.text);
        assert_eq!(
            (answer.str("/data/event/action"), answer.str("/data/stage")),
            (action.as_str(), job.stage.as_str())
        );
        self.figures.replayed += 1;
        Ok(())
    }

    /// A step that is not due yet.
    async fn jump(&mut self, job: &Job) -> Outcome {
        if job.stage == "Packing" {
            return Ok(());
        }
        refused(&self.act("complete_packing", &json!({"id": job.id})).await?, 409, "INVALID_STAGE");
        self.figures.refused += 1;
        Ok(())
    }

    async fn assign(&mut self, job: &Job) -> Outcome {
        let anybody = self.rng.usize(..=KIOSKS);
        let staff_id = self.crew.kiosks.get(anybody).map(|person| person.id.clone());
        let body = json!({"id": job.id, "staff_id": staff_id, "note": "today"});
        let answer = self.crew.stack.act(&self.crew.supervisor.token, "assign_staff", &body).await?;
        assert_eq!(
            (answer.status, answer.at("/data/assignee_id")),
            (200, &json!(staff_id)),
            "{}",
            answer.text
        );
        self.figures.assigned += usize::from(answer.at("/already_done") == false);
        Ok(())
    }

    async fn store(&mut self, job: &Job) -> Outcome {
        let place = (!self.chance(20)).then(|| format!("Shelf {}", self.rng.u32(1..9)));
        let answer = self.act("set_storage", &json!({"id": job.id, "storage": place})).await?;
        assert_eq!((answer.status, answer.at("/data/storage")), (200, &json!(place)), "{}", answer.text);
        self.figures.stored += usize::from(answer.at("/already_done") == false);
        Ok(())
    }

    async fn give_back(&mut self, job: &mut Job, token: &str) -> Outcome {
        let body = json!({"id": job.id, "reason": "the letters have run"});
        let answer = self.crew.stack.act(token, "qc_return_to_decorating", &body).await?;
        assert_eq!((answer.status, answer.str("/data/stage")), (200, "Decorating"), "{}", answer.text);
        job.stage = "Decorating".to_owned();
        job.returns += 1;
        self.figures.returned += 1;
        Ok(())
    }

    /// Whether an order comes back from the counter: an Admin may return what was complete.
    async fn comes_back(&mut self, job: &mut Job) -> Outcome<bool> {
        if job.returns > 0 || !self.chance(4) {
            return Ok(false);
        }
        self.give_back(job, &self.crew.stack.admin).await?;
        Ok(true)
    }

    fn moved(&self, job: &mut Job, answer: &Answer, id: &str) {
        assert_eq!(
            (answer.status, answer.at("/already_done")),
            (200, &Value::Bool(false)),
            "{}",
            answer.text
        );
        assert_eq!(answer.str("/data/event/stage_from"), job.stage, "{}", answer.text);
        answer.str("/data/stage").clone_into(&mut job.stage);
        job.not_before = Instant::now() + BETWEEN_SCANS;
        if !id.is_empty() {
            job.last_scan = Some((answer.str("/data/event/action").to_owned(), id.to_owned()));
        }
    }
}
