//! The SQL function over Postgres' own protocol, as the role that the REST server takes on: the least that storing an order
//! can cost. As many sessions as there are connections elsewhere, one statement under way in each.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgConnection;
use tokio::sync::Mutex;

use super::load::Outcome;
use super::orders::Arguments;
use crate::database::{self, Role};
use crate::layout::Layout;

const INGEST: &str = "select public.ingest_shopify_event(
    p_shop_domain => $1, p_topic => 'orders/create', p_webhook_id => $2, p_triggered_at => now(), p_content_hash => $3,
    p_order => $4::text::jsonb, p_payload => $5::text::jsonb, p_own_secrets => '{}'
) as answer";

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
    pub async fn ingest(&self, orders: &[Arguments]) -> Result<Outcome> {
        let next = AtomicUsize::new(0);
        let started = Instant::now();
        let work = self.0.iter().map(async |session| {
            let mut session = session.lock().await;
            let mut times = Vec::new();
            while let Some(order) = orders.get(next.fetch_add(1, Ordering::Relaxed)) {
                let begun = Instant::now();
                one(&mut session, order).await?;
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

async fn one(session: &mut PgConnection, order: &Arguments) -> Result<()> {
    let row = sqlx::query(INGEST)
        .bind(order.shop)
        .bind(&order.webhook_id)
        .bind(&order.content_hash)
        .bind(&order.order)
        .bind(&order.payload)
        .fetch_one(session)
        .await
        .map_err(|error| database::explain(INGEST, error))?;
    let answer: Value = row.try_get("answer").context("no answer")?;
    match answer.pointer("/data/outcome").and_then(Value::as_str) {
        Some("created") => Ok(()),
        _ => bail!("answered {answer}"),
    }
}
