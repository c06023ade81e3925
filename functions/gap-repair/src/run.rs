//! One run over the stores: some side by side, each with its own share of the time.
//!
//! Overlapping runs are safe: a store belongs to one of them, and what is delivered twice is a duplicate.

use crate::{
    Setup, database,
    database::{Progress, Task},
    report::{Figures, Report},
    store::Store,
};
use futures_util::stream::{self, StreamExt};
use ordak_core::{envelope::Fault, sorted::Sorted};
use ordak_edge::{admin_shop::Stop, clock, request_id};
use worker::Env;

/// Stores at a time: each waits for one answer, and a worker has six outgoing connections.
const WIDTH: usize = 4;
/// No store is begun later than this after the start, in milliseconds. With [`STORE_MS`] well below the lease that
/// `start_sync` gives.
const BEGIN_MS: u64 = 240_000;
/// The time of one store.
const STORE_MS: u64 = 90_000;

/// A run under way.
pub struct Run<'a> {
    setup: &'a Setup,
    env: &'a Env,
    id: &'a str,
    name: String,
    started: u64,
}

impl<'a> Run<'a> {
    /// Starts one. Its name is new, whatever the request is called: stores are taken in that name.
    #[must_use]
    pub fn new(setup: &'a Setup, env: &'a Env, id: &'a str) -> Self {
        Self { setup, env, id, name: format!("gap-repair/{}", request_id::fresh()), started: clock::now_ms() }
    }

    /// Repairs all stores, or these.
    ///
    /// # Errors
    /// When it cannot even begin.
    pub async fn over(&self, stores: Option<&[String]>) -> Result<Report, Fault> {
        let taken = database::start(self.setup, &self.name, stores).await?;
        let names: Vec<&str> = taken.stores.iter().map(|task| task.store.as_str()).collect();
        self.setup.shops.vault().prepare(&names).await;
        let mut looked_at = stream::iter(taken.stores).map(|task| self.store(task)).buffer_unordered(WIDTH);
        let mut stores = Sorted::default();
        while let Some(figures) = looked_at.next().await {
            stores.entry(figures.store.clone(), || figures);
        }
        let ms = clock::now_ms().saturating_sub(self.started);
        Ok(Report { stores: stores.into_values().collect(), busy: taken.busy, ms })
    }

    async fn store(&self, task: Task) -> Figures {
        let now = clock::now_ms();
        if now.saturating_sub(self.started) > BEGIN_MS {
            // It comes first the next time, as the one furthest behind.
            let _ = database::save(self.setup, &self.name, &task.store, &Progress::Stopped, None).await;
            let stop = Stop::OutOfTime("the run was over before its turn".into());
            return Figures {
                store: task.store,
                seen_until: task.seen_until,
                stopped: Some(stop.word()),
                reason: Some(stop.reason()),
                ..Figures::default()
            };
        }
        Store { setup: self.setup, env: self.env, run: &self.name, id: self.id, task, end: now + STORE_MS }
            .repair()
            .await
    }
}
