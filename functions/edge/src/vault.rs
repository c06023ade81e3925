//! The stores' own keys, read from the database and opened when somebody needs them, and kept for less than a minute.
//!
//! All the stores of one piece of work are asked for in one call. What counts for how long is decided in `ordak-core`;
//! what keys open is known elsewhere.

use crate::{clock, rpc::Rpc, service_role};
use ordak_core::{
    admin_api::{Kind, Refusal},
    credentials::{
        Provider,
        key_ring::KeyRing,
        keys::Keys,
        shelf::{KEPT_MS, Row, SOON_MS, Shelf, Unusable},
    },
    envelope::Fault,
    secret::Secret,
    settings::DatabaseSettings,
    work::WorkFailure,
};
use serde_json::{Value, json};
use std::{cell::RefCell, time::Duration};

/// Longest wait for the database.
const LIMIT: Duration = Duration::from_secs(5);
/// So long nobody asks again after a failure, in milliseconds: many jobs would wait for the same answer.
const PAUSE_MS: u64 = 2000;

/// Opens and keeps keys. It lives as long as the isolate.
pub struct Vault {
    rpc: Rpc,
    ring: Option<KeyRing>,
    shelf: RefCell<Shelf>,
    failed: RefCell<Option<(String, u64)>>,
}

impl Vault {
    /// A vault over the database, with the keys that open what is in it; without them, what is there cannot be used.
    ///
    /// # Errors
    /// When the service key cannot be sent.
    pub fn new(database: &DatabaseSettings, ring: Option<KeyRing>) -> Result<Self, Fault> {
        let rpc = Rpc::new(&database.supabase_url, database.service_key.headers())?;
        Ok(Self { rpc, ring, shelf: RefCell::default(), failed: RefCell::default() })
    }

    /// Reads the keys of several stores in one call, unless they were read just now. What goes wrong is told to whoever
    /// needs one of them.
    pub async fn prepare(&self, stores: &[&str]) {
        let _ = self.read(stores, clock::now_ms().saturating_sub(SOON_MS)).await;
    }

    /// The store's own keys to a provider; none when it has none.
    ///
    /// # Errors
    /// When they cannot be read or opened: nothing else may take their place.
    pub async fn find(&self, store: &str, provider: Provider) -> Result<Option<Keys>, Refusal> {
        self.find_since(store, provider, clock::now_ms().saturating_sub(KEPT_MS)).await
    }

    /// The same, read at this time (in milliseconds since 1970) or later: for who knows that something has changed.
    ///
    /// # Errors
    /// As [`Vault::find`].
    pub async fn find_since(
        &self,
        store: &str,
        provider: Provider,
        time: u64,
    ) -> Result<Option<Keys>, Refusal> {
        self.read(&[store], time).await.map_err(|why| {
            let failure = WorkFailure::postponed(format!("credentials cannot be read: {why}"));
            Refusal { kind: Kind::Database, failure }
        })?;
        let found = self.shelf.borrow().find(store, provider);
        found.map_err(|Unusable(why)| Refusal {
            kind: Kind::Misconfigured,
            failure: WorkFailure::misconfigured(why),
        })
    }

    /// Where the store's alerts go, when it has said so itself.
    ///
    /// # Errors
    /// As [`Vault::find`].
    pub async fn slack(&self, store: &str) -> Result<Option<Secret>, Refusal> {
        Ok(match self.find(store, Provider::Slack).await? {
            Some(Keys::Slack(webhook)) => Some(webhook),
            _ => None,
        })
    }

    /// The key that the store's e-mails leave with, when it has brought its own.
    ///
    /// # Errors
    /// As [`Vault::find`].
    pub async fn email(&self, store: &str) -> Result<Option<Secret>, Refusal> {
        Ok(match self.find(store, Provider::Email).await? {
            Some(Keys::Email(key)) => Some(key),
            _ => None,
        })
    }

    async fn read(&self, stores: &[&str], since: u64) -> Result<(), String> {
        let mut missing: Vec<String> = Vec::new();
        for &store in stores {
            if !self.shelf.borrow().has_since(store, since) && !missing.iter().any(|known| known == store) {
                missing.push(store.to_owned());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let now = clock::now_ms();
        if let Some((why, at)) = self.failed.borrow().as_ref()
            && now.saturating_sub(*at) < PAUSE_MS
        {
            return Err(why.clone());
        }
        let outcome = self.ask(&missing).await;
        let failed = match &outcome {
            Ok(rows) => {
                self.shelf.borrow_mut().put(&missing, rows, self.ring.as_ref(), now);
                None
            }
            Err(why) => Some((why.clone(), clock::now_ms())),
        };
        self.failed.replace(failed);
        outcome.map(|_| ())
    }

    async fn ask(&self, stores: &[String]) -> Result<Vec<Row>, String> {
        const RPC: &str = "read_shop_credentials";
        let arguments = json!({ "p_stores": stores });
        let data: Result<Value, Fault> = service_role::data(&self.rpc, RPC, &arguments, LIMIT).await;
        Row::list(&data.map_err(|fault| fault.detail().to_owned())?)
            .ok_or_else(|| format!("{RPC}: strange data"))
    }
}
