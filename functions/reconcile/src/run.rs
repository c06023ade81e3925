//! One run over the stores that are due: some side by side, each with its own share of the time.
//!
//! Overlapping runs are safe: a store belongs to one of them, and a page is compared once.

use crate::{
    Setup,
    database::{self, Left, Task},
    report::{Figures, Report},
    store::Store,
};
use futures_util::stream::{self, StreamExt};
use ordak_core::{envelope::Fault, sorted::Sorted};
use ordak_edge::{admin_shop::Stop, clock, request_id};

/// Stores at a time: each waits for one answer, and a worker has six outgoing connections.
const WIDTH: usize = 4;
/// No store is begun later than this after the start, in milliseconds. With [`STORE_MS`] well below the lease that
/// `start_reconcile` gives.
const BEGIN_MS: u64 = 240_000;
/// The time of one store; the next tick goes on where it stopped.
const STORE_MS: u64 = 90_000;

/// A run under way.
pub struct Run<'a> {
    setup: &'a Setup,
    id: &'a str,
    name: String,
    started: u64,
}

impl<'a> Run<'a> {
    /// Starts one. Its name is new, whatever the request is called: stores are taken in that name.
    #[must_use]
    pub fn new(setup: &'a Setup, id: &'a str) -> Self {
        Self { setup, id, name: format!("reconcile/{}", request_id::fresh()), started: clock::now_ms() }
    }

    /// Compares what is due, or all or these stores now.
    ///
    /// # Errors
    /// When it cannot even begin.
    pub async fn over(&self, stores: Option<&[String]>, now: bool) -> Result<Report, Fault> {
        let taken = database::start(self.setup, &self.name, stores, now).await?;
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
            let stop = Stop::OutOfTime("the run was over before its turn".into());
            let _ = database::stop(self.setup, &self.name, task.run_id, &stop.reason(), Left::There).await;
            return Figures {
                store: task.store,
                run_id: task.run_id,
                stopped: Some(stop.word()),
                reason: Some(stop.reason()),
                ..Figures::default()
            };
        }
        let end = now + STORE_MS;
        Store { setup: self.setup, run: &self.name, id: self.id, task, end }.reconcile().await
    }
}
