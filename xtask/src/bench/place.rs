//! Where benchmarks of workers run: the checkout's bench stack, with everything built.

use std::net::SocketAddr;

use anyhow::{Context, Result};

use super::load::Shot;
use super::orders::Order;
use super::workerd::Worker;
use crate::functions::{self, Function};
use crate::interrupt::Interrupt;
use crate::layout::Layout;
use crate::postgres::Place as Database;
use crate::process;
use crate::settings::{self, Backend};
use crate::setup;
use crate::setup::tools::Tools;

/// A place with everything built.
pub struct Place {
    /// Folders and ports.
    pub layout: Layout,
    /// The functions, the gateway first.
    pub functions: Vec<Function>,
    /// The smallest Rust worker.
    pub hello: Function,
    /// What every worker is told.
    pub settings: Vec<(String, String)>,
    tools: Tools,
}

impl Place {
    /// Builds what has to be built. To be called while holding the stack's lock.
    pub async fn prepare(layout: &Layout, interrupt: &Interrupt) -> Result<Self> {
        interrupt.unless(Self::build(layout)).await
    }

    async fn build(layout: &Layout) -> Result<Self> {
        let checkout = &layout.checkout;
        let (tools, _lock) = setup::everything(checkout).await?;
        layout.create()?;
        process::end_leftovers(layout, &Database::of(layout)?.data).await?;
        let functions = functions::all(checkout)?;
        functions::build::all(checkout, &tools, &functions).await?;
        let hello = functions::read(&checkout.path("tests/bench/hello/wrangler.toml"))?;
        if !hello.main.is_file() {
            functions::build::some(checkout, &tools, std::slice::from_ref(&hello)).await?;
        }
        let mut settings = settings::of_functions(layout, &Backend::Local)?;
        settings.retain(|(name, _)| !is_of_a_sink(name));
        Ok(Self { layout: layout.clone(), functions, hello, settings, tools })
    }

    /// A function as a worker; `order-ingest` for the worker `ordak-order-ingest`.
    pub async fn function(&self, name: &str) -> Result<Worker> {
        let full = format!("ordak-{name}");
        let function = self.functions.iter().find(|function| function.name == full);
        let function = function.with_context(|| format!("there is no function `{name}`"))?;
        self.worker(function).await
    }

    /// Any built worker, with the stack's settings.
    pub async fn worker(&self, function: &Function) -> Result<Worker> {
        Ok(Worker::of(&self.layout, &self.tools, function).await?.with_settings(&self.settings))
    }

    /// Where the REST server answers.
    pub fn rest_address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.layout.ports.rest()))
    }

    /// The call that stores an order, made without any function.
    pub fn rpc(&self, order: &Order) -> Result<Shot> {
        let key = self.setting("SUPABASE_SERVICE_ROLE_KEY");
        let bearer = format!("Bearer {key}");
        let headers = [("apikey", key), ("authorization", bearer.as_str())];
        Shot::post("/rest/v1/rpc/ingest_shopify_event", &headers, order.call())
    }

    /// What the workers are told under this name.
    pub fn setting(&self, name: &str) -> &str {
        let setting = self.settings.iter().find(|(known, _)| known == name);
        setting.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// A worker of `tests/bench/peers`, with the same settings.
    pub async fn peer(&self, name: &str) -> Result<Worker> {
        Ok(Worker::peer(&self.layout, &self.tools, name).await?.with_settings(&self.settings))
    }
}

/// Whether a setting says who is told of each use: peers tell nobody, so Ordak does not either.
fn is_of_a_sink(name: &str) -> bool {
    ["SENTRY_", "POSTHOG_"].iter().any(|sink| name.starts_with(sink))
}
