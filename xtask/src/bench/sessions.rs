//! The SQL function over Postgres' own protocol, as the role that the REST server takes on: the least that storing an order
//! can cost. As many sessions as there are connections elsewhere, one statement under way in each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Result;
use futures_util::future::try_join_all;
use sqlx::postgres::PgConnection;
use tokio::sync::Mutex;

use super::load::Outcome;
use super::orders::Order;
use crate::database::{self, Role};
use crate::layout::Layout;

/// Open sessions.
pub struct Sessions(Vec<Mutex<PgConnection>>);

impl Sessions {
    /// Opens so many.
    pub async fn open(layout: &Layout, many: usize) -> Result<Self> {
        let become_it = "set role service_role; select set_config('request.jwt.claims', '{\"role\":\"service_role\"}', false)";
        let mut sessions = Vec::new();
        for _ in 0..many {
            let mut session = database::connect(layout, Role::Authenticator).await?;
            database::run_script(&mut session, become_it).await?;
            sessions.push(Mutex::new(session));
        }
        Ok(Self(sessions))
    }

    /// Has every order stored, each by a statement of its own.
    pub async fn ingest(&self, orders: &[Order]) -> Result<Outcome> {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        let work = self.0.iter().map(async |session| {
            let mut session = session.lock().await;
            let mut times = Vec::new();
            while let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) {
                let begun = Instant::now();
                order.ingest(&mut session).await?;
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
            anyhow::Ok(times)
        });
        let times = try_join_all(work).await?;
        let took = started.elapsed();
        let mut times_ms: Vec<f64> = times.into_iter().flatten().collect();
        times_ms.sort_by(f64::total_cmp);
        Ok(Outcome { took, times_ms })
    }

    /// Closes all.
    pub async fn close(self) -> Result<()> {
        for session in self.0 {
            database::close(session.into_inner()).await?;
        }
        Ok(())
    }
}
