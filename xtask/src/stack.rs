//! A whole local stack: what is started in which order, how it is watched, and that all of it ends.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::dotenv::StackEnv;
use crate::functions::{self, Function};
use crate::interrupt::Interrupt;
use crate::layout::{Layout, StackName};
use crate::lives::Lives;
use crate::postgres::{self, Place};
use crate::process::{self, Managed};
use crate::settings::{self, Backend};
use crate::{rest, say, schema};

/// Something that can be running. [`Stack::stop`] has to be called whatever happened.
pub struct Stack {
    layout: Layout,
    backend: Backend,
    functions: Vec<Function>,
    database: Option<(Place, Option<Managed>)>,
    workers: Option<Managed>,
    servers: Vec<JoinHandle<()>>,
    started: Instant,
    lives: Lives,
}

impl Stack {
    /// A stack that is not running yet.
    pub fn new(layout: Layout, backend: Backend, functions: Vec<Function>) -> Self {
        Self {
            lives: Lives::of(layout.name),
            layout,
            backend,
            functions,
            database: None,
            workers: None,
            servers: Vec::new(),
            started: Instant::now(),
        }
    }

    /// Starts everything and returns how to reach it. To be called while holding the stack's lock.
    pub async fn start(&mut self) -> Result<StackEnv> {
        prepare(&self.layout, &self.backend).await?;
        if self.backend == Backend::Local {
            self.start_database().await?;
            self.start_rest().await?;
        }
        let listener = listen(self.layout.ports.fakes()).await?;
        self.servers.push(serve(async move { axum::serve(listener, ordak_fakes::router()).await }));
        self.start_workers().await?;
        settings::env(&self.layout, &self.backend)
    }

    /// Starts a database from nothing and nothing else.
    pub async fn start_database_only(&mut self) -> Result<()> {
        prepare(&self.layout, &self.backend).await?;
        self.start_database().await
    }

    async fn start_database(&mut self) -> Result<()> {
        let place = Place::of(&self.layout)?;
        if self.layout.name != StackName::Dev || !place.data.exists() {
            postgres::server::wipe(&place)?;
            schema::forget(&self.layout)?;
        }
        postgres::server::create(&self.layout, &place).await?;
        let step = say::step("starting Postgres");
        let server = postgres::server::start(&self.layout, &place).await?;
        step.done();
        self.database = Some((place, Some(server)));
        schema::bring_up_to_date(&self.layout).await
    }

    /// Starts the REST server before a database that is running.
    pub async fn start_rest(&mut self) -> Result<()> {
        rest::log_to_file(&self.layout)?;
        let service = rest::service(&self.layout).await?;
        let listener = listen(self.layout.ports.rest()).await?;
        let listener = postrust_server::lenient_uri::LenientListener(listener);
        self.servers.push(serve(async move { axum::serve(listener, service).await }));
        Ok(())
    }

    async fn start_workers(&mut self) -> Result<()> {
        let step = say::step("starting the workers");
        let values = settings::of_functions(&self.layout, &self.backend)?;
        let configs = functions::config::derive(&self.functions, &self.layout.path("wrangler"), &values)?;
        let workers = self.workers.insert(functions::serve::start(&self.layout, &configs)?);
        functions::serve::wait_until_up(&self.layout, workers).await?;
        workers.count_group().await;
        workers.came_up()?;
        step.done();
        Ok(())
    }

    /// Watches until the developer ends it. What ends by itself is started again, as its platform would.
    pub async fn watch(&mut self, interrupt: &Interrupt) -> Result<()> {
        loop {
            let ended = {
                let database = self.database.as_mut().and_then(|(_, server)| server.as_mut());
                tokio::select! {
                    () = interrupt.wait() => return Ok(()),
                    ended = ended(database) => ended?,
                    ended = ended(self.workers.as_mut()) => ended?,
                }
            };
            say::info(format!("• {ended}: starting it again"));
            if self.lives.ended_after(self.started.elapsed()) {
                bail!("{ended}, and again and again right after its start. Its log: {}", self.logs());
            }
            interrupt.unless(self.restart()).await?;
            self.started = Instant::now();
        }
    }

    async fn restart(&mut self) -> Result<()> {
        if let Some((place, server)) = self.database.as_mut()
            && server.as_mut().is_some_and(|server| server.has_ended().is_some())
        {
            if let Some(server) = server.take() {
                server.stop().await?;
            }
            *server = Some(postgres::server::start_patiently(&self.layout, place).await?);
        }
        if self.workers.as_mut().is_some_and(|workers| workers.has_ended().is_some()) {
            if let Some(workers) = self.workers.take() {
                workers.stop().await?;
            }
            self.start_workers().await?;
        }
        Ok(())
    }

    /// Ends everything; the first failure is reported after all was tried.
    pub async fn stop(self) -> Result<()> {
        let mut failures = Vec::new();
        if let Some(workers) = self.workers {
            failures.extend(workers.stop().await.err());
        }
        for server in self.servers {
            server.abort();
        }
        if let Some((_, Some(server))) = self.database {
            failures.extend(server.stop().await.err());
        }
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    fn logs(&self) -> String {
        self.layout.path("logs").display().to_string()
    }
}

/// Makes room for a stack: folders, nothing left over from a killed supervisor, free ports, the database's binaries.
pub async fn prepare(layout: &Layout, backend: &Backend) -> Result<()> {
    layout.create()?;
    let place = Place::of(layout)?;
    process::end_leftovers(layout, &place.data).await?;
    process::begin_logs(layout)?;
    let ports = layout.ports;
    let mut needed = vec![
        (ports.gateway(), "the gateway"),
        (ports.fakes(), "the fakes"),
        (ports.inspector(), "the debugger"),
    ];
    if *backend == Backend::Local {
        needed.extend([(ports.rest(), "REST"), (ports.postgres(), "Postgres")]);
    }
    for (port, what) in needed {
        check_free(port, what).await?;
    }
    match backend {
        Backend::Local => postgres::runtime::prepare(&layout.checkout, &place),
        Backend::Hosted(_) => Ok(()),
    }
}

/// Waits for the end of a process that may not be there. One that has lost processes of its own is ended.
async fn ended(process: Option<&mut Managed>) -> Result<String> {
    let Some(process) = process else { return std::future::pending().await };
    let what = process.what;
    let broken = process.broken();
    let status = tokio::select! {
        status = process.ended() => Some(status?),
        () = broken => None,
    };
    if let Some(status) = status {
        return Ok(format!("{what} ended by itself ({status})"));
    }
    process.kill();
    process.ended().await?;
    Ok(format!("{what} lost a process"))
}

fn serve(server: impl Future<Output = std::io::Result<()>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        if let Err(error) = server.await {
            say::info(format!("• a server of the stack ended: {error}"));
        }
    })
}

async fn listen(port: u16) -> Result<TcpListener> {
    TcpListener::bind(("127.0.0.1", port)).await.with_context(|| format!("cannot listen on port {port}"))
}

async fn check_free(port: u16, what: &str) -> Result<()> {
    match TcpListener::bind(("127.0.0.1", port)).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => bail!(
            "port {port}, wanted for {what}, is in use by another program. End that program, or choose other ports: \
             ORDAK_PORT_BASE=9180 cargo xtask …"
        ),
        Err(error) => Err(error).with_context(|| format!("cannot listen on port {port}, wanted for {what}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_busy_port_is_named_with_the_remedy() {
        // Who else runs here may take a port that has just become free: one of several stays free for long enough.
        for _ in 0..50 {
            let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = taken.local_addr().unwrap().port();
            let error = check_free(port, "REST").await.unwrap_err().to_string();
            assert!(error.contains(&port.to_string()) && error.contains("ORDAK_PORT_BASE"), "{error}");
            drop(taken);
            if check_free(port, "REST").await.is_ok() {
                return;
            }
        }
        panic!("no port was free");
    }
}
