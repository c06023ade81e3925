//! The one way to a shop's Admin API: with the store's own keys where it has some, else with those of the settings.
//!
//! A token that is refused is looked up, or asked for, again once; then the refusal stands. What a token is worth and
//! when one is asked for is decided in `ordak-core`. A request never waits for the I/O of another one, which the runtime
//! forbids: it looks again until the other has told what came of it. Tokens are not shared among isolates: one lasts a
//! day and an isolate asks for it once, which is not worth a further secret at rest.

use crate::{
    clock,
    isolate::{Variables, getter},
    upstream::{self, Reply},
    vault::Vault,
};
use ordak_core::{
    admin_api::{Kind, Refusal, passing},
    credentials::{
        Client, Provider, ShopifyKeys, grant,
        keys::Keys,
        shelf::KEPT_MS,
        slots::{Look, Slots},
    },
    envelope::Fault,
    secret::Secret,
    settings::{AdminUrl, WorkerSettings, shopify_keys},
    work::WorkFailure,
};
use std::{cell::RefCell, time::Duration};
use worker::Delay;

/// How long a request that waits for another's token sleeps between two looks.
const NAP: Duration = Duration::from_millis(20);
/// Longest wait for a token.
const GRANT_LIMIT: Duration = Duration::from_secs(8);

/// Where a store's shop is.
#[derive(Clone, Copy, Debug)]
pub struct Address<'a> {
    /// The store.
    pub store: &'a str,
    /// The domain of its shop.
    pub domain: &'a str,
}

/// Ways into all shops. It lives as long as the isolate.
pub struct ShopAccess {
    variables: Variables,
    admin_url: AdminUrl,
    vault: Vault,
    slots: RefCell<Slots>,
}

impl ShopAccess {
    /// Access by these settings; `variables` are all there are, as a store's own are known by its name.
    ///
    /// # Errors
    /// When the service key cannot be sent.
    pub fn new(settings: &WorkerSettings, variables: &Variables) -> Result<Self, Fault> {
        Ok(Self {
            variables: variables.clone(),
            admin_url: settings.admin_url.clone(),
            vault: Vault::new(&settings.database, settings.key_ring.clone())?,
            slots: RefCell::default(),
        })
    }

    /// The keys that stores have put into the database.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Posts a GraphQL document to a shop. `limit` says how long an exchange that begins now may take.
    ///
    /// # Errors
    /// When there was no way to ask, or no answer. What an answer means is for others to judge.
    pub async fn post(
        &self,
        shop: Address<'_>,
        body: &str,
        limit: &dyn Fn() -> Duration,
    ) -> Result<Reply, Refusal> {
        let url = self.admin_url.graphql(shop.domain).ok_or_else(no_domain)?;
        let began = clock::now_ms();
        let mut refused: Option<(Secret, Reply)> = None;
        loop {
            // After a refusal somebody may have put other keys, or the token has ended before its time.
            let since = if refused.is_some() { began } else { began.saturating_sub(KEPT_MS) };
            let keys = self.keys(shop.store, since).await?;
            let token = self.token(shop, keys, limit()).await?;
            refused = match refused {
                Some((before, reply)) if before.matches(token.expose()) => return Ok(reply),
                refused => refused,
            };
            let reply = exchange(&url, &token, body, limit()).await?;
            if reply.status != 401 || refused.is_some() {
                return Ok(reply);
            }
            self.slots.borrow_mut().refused(shop.store, &token);
            refused = Some((token, reply));
        }
    }

    async fn keys(&self, store: &str, since: u64) -> Result<ShopifyKeys, Refusal> {
        match self.vault.find_since(store, Provider::Shopify, since).await? {
            Some(Keys::Shopify(keys)) => Ok(keys),
            _ => shopify_keys(&getter(&self.variables), store).map_err(|fault| Refusal {
                kind: Kind::Misconfigured,
                failure: WorkFailure::misconfigured(fault.detail()),
            }),
        }
    }

    async fn token(&self, shop: Address<'_>, keys: ShopifyKeys, limit: Duration) -> Result<Secret, Refusal> {
        let client = match keys {
            ShopifyKeys::Token(token) => return Ok(token),
            ShopifyKeys::Client(client) => client,
        };
        let since = clock::now_ms();
        let give_up = since.saturating_add(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        loop {
            let now = clock::now_ms();
            let look = self.slots.borrow_mut().look(shop.store, &client, since, now);
            match look {
                Look::Use(token) => return Ok(token),
                Look::None(refusal) => return Err(refusal),
                Look::Wait if now >= give_up => return Err(passing("no access token came in time")),
                Look::Wait => Delay::from(NAP).await,
                Look::Ask => self.ask(shop, &client, limit.min(GRANT_LIMIT)).await,
            }
        }
    }

    async fn ask(&self, shop: Address<'_>, client: &Client, limit: Duration) {
        let outcome = ask_for_token(&self.admin_url, shop.domain, client, limit).await;
        let (mut slots, now) = (self.slots.borrow_mut(), clock::now_ms());
        match outcome {
            Ok(granted) => slots.granted(shop.store, client, granted, now),
            Err(refusal) => slots.failed(shop.store, client, refusal, now),
        }
    }
}

/// Asks a shop for a token by the client-credentials grant.
///
/// # Errors
/// Why there is none.
pub async fn ask_for_token(
    admin_url: &AdminUrl,
    domain: &str,
    client: &Client,
    limit: Duration,
) -> Result<grant::Granted, Refusal> {
    let url = admin_url.token(domain).ok_or_else(no_domain)?;
    let reply = upstream::post_json(&url, &[], &grant::request(client), limit)
        .await
        .map_err(|error| passing(format!("Shopify's tokens: {}", error.as_str())))?;
    grant::read(reply.status, reply.retry_after.as_deref(), &reply.body, clock::now_s())
}

/// Posts a document to a GraphQL endpoint with a token.
///
/// # Errors
/// When no whole answer came.
pub async fn exchange(url: &str, token: &Secret, body: &str, limit: Duration) -> Result<Reply, Refusal> {
    // Keys and tokens are waited for as well: there may be no time left to begin anything.
    if limit.is_zero() {
        return Err(passing("no time was left"));
    }
    let headers = [("x-shopify-access-token", token.expose())];
    upstream::post_json(url, &headers, body, limit)
        .await
        .map_err(|error| passing(format!("Shopify: {}", error.as_str())))
}

fn no_domain() -> Refusal {
    let failure = WorkFailure::misconfigured("the store has no usable shop domain");
    Refusal { kind: Kind::Misconfigured, failure }
}
