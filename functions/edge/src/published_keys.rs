//! The published keys of a project, fetched when [`KeyCache`] says so and shared by the requests of an isolate.
//!
//! A request never waits for the I/O of another one, which the runtime forbids: it looks again until the other has told
//! the cache what came of it. Checks no token.

use crate::{
    clock,
    log::{Level, Line},
    upstream,
    web_crypto::Verifier,
};
use ordak_core::{
    envelope::{Failure, Fault},
    jwks::{
        KeySet, PublicKey,
        cache::{FETCH_MS, KeyCache, Look},
    },
    token::Algorithm,
};
use std::{cell::RefCell, time::Duration};
use worker::Delay;

/// Longest wait for the key set: a person stands at the kiosk.
const LIMIT: Duration = Duration::from_millis(1500);
/// How long a request that waits for another's fetch sleeps between two looks.
const NAP: Duration = Duration::from_millis(20);

/// Keys of one project.
#[derive(Debug)]
pub struct PublishedKeys {
    function: &'static str,
    url: String,
    cache: RefCell<KeyCache>,
    imported: RefCell<Vec<(PublicKey, Verifier)>>,
}

impl PublishedKeys {
    /// The keys at an address; nothing is fetched yet. `function` signs the log lines.
    #[must_use]
    pub fn at(url: String, function: &'static str) -> Self {
        Self { function, url, cache: RefCell::default(), imported: RefCell::default() }
    }

    /// The key of this name, `None` when the project has no such key or the key cannot verify anything.
    ///
    /// # Errors
    /// A fault when there are no keys at all, so that nobody's token can be judged.
    pub async fn find(&self, id: &str, algorithm: Algorithm) -> Result<Option<Verifier>, Failure> {
        let none = || Fault::unavailable("no keys for user tokens could be fetched");
        let give_up = clock::now_ms() + FETCH_MS;
        loop {
            let now = clock::now_ms();
            let look = self.cache.borrow_mut().look(id, algorithm, now);
            match look {
                Look::Found(key) => return Ok(self.import(key).await),
                Look::Unknown => return Ok(None),
                Look::Unavailable => return Err(none().into()),
                Look::Wait if now >= give_up => return Err(none().into()),
                Look::Wait => Delay::from(NAP).await,
                Look::Fetch => self.refresh(now).await,
            }
        }
    }

    async fn refresh(&self, started: u64) {
        match fetch(&self.url).await {
            Ok(keys) => {
                self.cache.borrow_mut().loaded(keys, clock::now_ms());
                self.imported.borrow_mut().clear();
            }
            Err(why) => {
                self.cache.borrow_mut().failed();
                Line::new(self.function, Level::Error, "keys_not_fetched", started).error(Some(&why)).write();
            }
        }
    }

    /// The key in the runtime's hands. One that the runtime does not take verifies nothing, as if it were not there.
    async fn import(&self, key: PublicKey) -> Option<Verifier> {
        let known =
            self.imported.borrow().iter().find(|(known, _)| *known == key).map(|(_, held)| held.clone());
        if known.is_some() {
            return known;
        }
        match Verifier::import(&key).await {
            Ok(verifier) => {
                self.imported.borrow_mut().push((key, verifier.clone()));
                Some(verifier)
            }
            Err(fault) => {
                Line::new(self.function, Level::Error, "key_not_usable", clock::now_ms())
                    .error(Some(fault.detail()))
                    .write();
                None
            }
        }
    }
}

async fn fetch(url: &str) -> Result<KeySet, String> {
    let reply = upstream::get_json(url, LIMIT).await.map_err(|why| format!("key set: {why:?}"))?;
    match reply.status {
        200 => KeySet::parse(&reply.body).map_err(str::to_owned),
        status => Err(format!("key set: status {status}")),
    }
}
