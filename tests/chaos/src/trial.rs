//! Deliveries straight into the database: many orders at once, or all deliveries of an order at once.

use crate::session::Session;
use crate::verdict::Case;
use ordak_e2e::{Failure, Outcome};
use ordak_model::Delivery;
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

/// What came of the deliveries.
#[derive(Debug, Default)]
pub struct Ran {
    /// How many were made.
    pub calls: usize,
    /// Those that were not taken.
    pub refused: Vec<String>,
}

impl Ran {
    async fn send(&mut self, session: &Session, case: &Case, delivery: &Delivery) {
        self.calls += 1;
        match session.ingest(delivery).await {
            Ok(answer) if answer.get("ok") == Some(&Value::Bool(true)) => {}
            Ok(answer) => self.refused.push(format!("{}: {answer}", case.name)),
            Err(error) => self.refused.push(format!("{}: {:?}", case.name, Failure::from(error))),
        }
    }
}

/// Sends the deliveries of every case in their order; cases are shared out among the sessions, which come back.
pub async fn run(sessions: Vec<Session>, cases: &Arc<Vec<Case>>) -> Outcome<(Vec<Session>, Ran)> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for session in sessions {
        let (cases, next) = (Arc::clone(cases), Arc::clone(&next));
        tasks.spawn(async move {
            let mut ran = Ran::default();
            while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                for delivery in &case.deliveries {
                    ran.send(&session, case, delivery).await;
                }
            }
            (session, ran)
        });
    }
    gather(tasks).await
}

/// Sends the deliveries of one case after the other, all of a case at once: the first over the first session, and so
/// on. The sessions come back.
pub async fn race(sessions: Vec<Session>, cases: &Arc<Vec<Case>>) -> Outcome<(Vec<Session>, Ran)> {
    let start = Arc::new(Barrier::new(sessions.len()));
    let mut tasks = JoinSet::new();
    for (lane, session) in sessions.into_iter().enumerate() {
        let (cases, start) = (Arc::clone(cases), Arc::clone(&start));
        tasks.spawn(async move {
            let mut ran = Ran::default();
            for case in cases.iter() {
                start.wait().await;
                if let Some(delivery) = case.deliveries.get(lane) {
                    ran.send(&session, case, delivery).await;
                }
            }
            (session, ran)
        });
    }
    gather(tasks).await
}

async fn gather(mut tasks: JoinSet<(Session, Ran)>) -> Outcome<(Vec<Session>, Ran)> {
    let (mut back, mut all) = (Vec::new(), Ran::default());
    while let Some(done) = tasks.join_next().await {
        let (session, ran) = done?;
        back.push(session);
        all.calls += ran.calls;
        all.refused.extend(ran.refused);
    }
    Ok((back, all))
}
