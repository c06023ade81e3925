//! One shop's Admin API, asked within the time of a run.
//!
//! Waits where Shopify says that waiting helps, and not longer than the time that is left; leaves a part of the shop's
//! budget to the app's other work. Knows nothing of what is asked.

use crate::{
    clock,
    shop_access::{Address, ShopAccess},
    upstream::Reply,
};
use ordak_core::{
    admin_api::{Answer, Cost, Kind, Refusal},
    envelope::Fault,
    sanitize::sanitize,
    work::{ErrorClass, WorkFailure},
};
use serde_json::Value;
use std::{cell::Cell, time::Duration};
use worker::Delay;

/// Longest wait for one exchange.
const EXCHANGE_MS: u64 = 15_000;
/// No exchange begins with less time than this.
const LEAST_MS: u64 = 500;
/// How often one question is asked before throttling counts as a refusal.
const TRIES: usize = 6;
/// Wait when Shopify throttles without a hint.
const PATIENCE_MS: u64 = 2_000;

/// Why a store is left alone until the next run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A setting of the store is missing or wrong.
    Misconfigured(String),
    /// Shopify does not let us in.
    Access(String),
    /// Shopify refuses what we ask.
    Refused(String),
    /// The document costs more than any one may.
    TooCostly(String),
    /// Shopify fails, or does not answer.
    Passing(String),
    /// The time of the run is over.
    OutOfTime(String),
    /// Shopify asks to wait, this many milliseconds, and the time of the run is over before.
    Wait(String, u64),
    /// What the shop pays for does not cover it.
    Limit(String),
    /// The database fails.
    Database(String),
}

impl Stop {
    /// In a word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Misconfigured(_) => "misconfigured",
            Self::Access(_) => "access",
            Self::Refused(_) | Self::TooCostly(_) | Self::Limit(_) => "refused",
            Self::Passing(_) => "upstream",
            Self::OutOfTime(_) | Self::Wait(..) => "time",
            Self::Database(_) => "database",
        }
    }

    /// In a sentence without personal data.
    #[must_use]
    pub fn reason(&self) -> String {
        let (Self::Misconfigured(reason)
        | Self::Access(reason)
        | Self::Refused(reason)
        | Self::TooCostly(reason)
        | Self::Passing(reason)
        | Self::OutOfTime(reason)
        | Self::Wait(reason, _)
        | Self::Limit(reason)
        | Self::Database(reason)) = self;
        sanitize(reason).into_owned()
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        let reason = refusal.failure.error;
        match refusal.kind {
            Kind::Access => Self::Access(reason),
            Kind::Misconfigured => Self::Misconfigured(reason),
            Kind::Refused if refusal.failure.class == ErrorClass::Limit => Self::Limit(reason),
            Kind::Refused => Self::Refused(reason),
            Kind::TooCostly => Self::TooCostly(reason),
            Kind::Throttled | Kind::Passing => Self::Passing(reason),
            Kind::Database => Self::Database(reason),
        }
    }
}

impl From<Stop> for WorkFailure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Access(reason) | Stop::Refused(reason) | Stop::TooCostly(reason) => Self::permanent(reason),
            Stop::Wait(reason, ms) => Self::throttled(reason, Some(ms)),
            Stop::Limit(reason) => Self::limit(reason, None),
            Stop::Database(_) => Self::postponed(stop.reason()),
            Stop::Misconfigured(_) => Self::misconfigured(stop.reason()),
            Stop::Passing(_) | Stop::OutOfTime(_) => Self::transient(stop.reason(), None),
        }
    }
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Database(fault.detail().to_owned())
    }
}

/// A shop and the time there is for it.
pub struct Shop<'a> {
    shops: &'a ShopAccess,
    shop: Address<'a>,
    /// When the run leaves this shop, in milliseconds since 1970.
    end: u64,
    /// Not before this is anything asked.
    ready: Cell<u64>,
}

impl<'a> Shop<'a> {
    /// The shop of a store, and when it is left.
    #[must_use]
    pub fn open(shops: &'a ShopAccess, store: &'a str, domain: &'a str, end: u64) -> Self {
        Self { shops, shop: Address { store, domain }, end, ready: Cell::new(0) }
    }

    /// Whether there is time to begin something more.
    ///
    /// # Errors
    /// When there is not.
    pub fn has_time(&self) -> Result<(), Stop> {
        if self.left() < LEAST_MS {
            Err(Stop::OutOfTime("the time of the run is over".into()))
        } else {
            Ok(())
        }
    }

    /// Asks, and gives the body of the answer.
    ///
    /// # Errors
    /// When Shopify refuses, does not answer, or answers too late.
    pub async fn ask(&self, body: &str) -> Result<Value, Stop> {
        let mut throttled = String::new();
        for _ in 0..TRIES {
            self.wait_until_ready(&throttled).await?;
            let reply = self.exchange(body).await?;
            let answer =
                Answer { status: reply.status, retry_after: reply.retry_after.as_deref(), body: &reply.body };
            match answer.read(clock::now_s()) {
                Ok(body) => {
                    self.rest(Cost::of(&body).map_or(0, |cost| cost.pause_ms()));
                    return Ok(body);
                }
                Err(refusal) if refusal.kind == Kind::Throttled => {
                    self.rest(refusal.failure.retry_after_ms.unwrap_or(PATIENCE_MS));
                    throttled = refusal.failure.error;
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
        Err(Stop::Passing(format!("{throttled}, again and again")))
    }

    async fn exchange(&self, body: &str) -> Result<Reply, Stop> {
        self.has_time()?;
        let limit = || Duration::from_millis(self.left().min(EXCHANGE_MS));
        Ok(self.shops.post(self.shop, body, &limit).await?)
    }

    fn rest(&self, ms: u64) {
        self.ready.set(clock::now_ms().saturating_add(ms));
    }

    async fn wait_until_ready(&self, why: &str) -> Result<(), Stop> {
        let wait = self.ready.get().saturating_sub(clock::now_ms());
        if wait >= self.left() {
            let why = if why.is_empty() { "the shop's budget is used up" } else { why };
            let reason = format!("{why}, and the time of the run is over before it is restored");
            return Err(Stop::Wait(reason, wait));
        }
        if wait > 0 {
            Delay::from(Duration::from_millis(wait)).await;
        }
        Ok(())
    }

    fn left(&self) -> u64 {
        self.end.saturating_sub(clock::now_ms())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_for_how_long_the_store_is_left_alone() {
        let stop = |kind| Stop::from(Refusal { kind, failure: WorkFailure::permanent("x") }).word();
        for (kind, word) in [
            (Kind::Access, "access"),
            (Kind::Misconfigured, "misconfigured"),
            (Kind::Refused, "refused"),
            (Kind::TooCostly, "refused"),
            (Kind::Throttled, "upstream"),
            (Kind::Passing, "upstream"),
            (Kind::Database, "database"),
        ] {
            assert_eq!(stop(kind), word);
        }
    }

    #[test]
    fn work_waits_as_long_as_shopify_asks() {
        let failure = WorkFailure::from(Stop::Wait("x".into(), 90_000));
        assert_eq!((failure.throttled, failure.retry_after_ms), (true, Some(90_000)));
        let frozen = WorkFailure::limit("x", None);
        let stop = Stop::from(Refusal { kind: Kind::Refused, failure: frozen.clone() });
        assert_eq!((stop.word(), WorkFailure::from(stop)), ("refused", frozen));
    }

    #[test]
    fn our_own_faults_are_not_shopifys() {
        let failure = |stop| WorkFailure::from(stop);
        assert!(failure(Stop::Database("x".into())).postponed);
        assert_eq!(failure(Stop::Misconfigured("x".into())).class, ErrorClass::Misconfigured);
        assert!(
            !failure(Stop::Passing("x".into())).postponed && !failure(Stop::OutOfTime("x".into())).postponed
        );
    }

    #[test]
    fn a_reason_names_nobody() {
        assert_eq!(Stop::Refused("for jamie.rivera@example.com".into()).reason(), "for jam***@example.com");
    }
}
