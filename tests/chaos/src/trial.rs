//! Deliveries straight into the database, each order's one after the other, many orders at once.

use crate::session::Session;
use crate::verdict::Case;
use ordak_e2e::{Failure, Outcome};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::JoinSet;

/// What came of the deliveries.
#[derive(Debug, Default)]
pub struct Ran {
    /// How many were made.
    pub calls: usize,
    /// Those that were not taken.
    pub refused: Vec<String>,
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
                    ran.calls += 1;
                    match session.ingest(delivery).await {
                        Ok(answer) if answer.get("ok") == Some(&Value::Bool(true)) => {}
                        Ok(answer) => ran.refused.push(format!("{}: {answer}", case.name)),
                        Err(error) => {
                            ran.refused.push(format!("{}: {:?}", case.name, Failure::from(error)));
                        }
                    }
                }
            }
            (session, ran)
        });
    }
    let (mut back, mut all) = (Vec::new(), Ran::default());
    while let Some(done) = tasks.join_next().await {
        let (session, ran) = done?;
        back.push(session);
        all.calls += ran.calls;
        all.refused.extend(ran.refused);
    }
    Ok((back, all))
}
