//! Handing a verified delivery to the database, within the time that Shopify leaves.
//!
//! Decides only between the two RPCs: one that applies, one that keeps what can never be applied. One call suffices,
//! save when the names by which the store's orders are read have changed since this isolate learned them.

use crate::{delivery::Delivery, statement};
use ordak_core::{
    envelope::{Code, Envelope, Failure, Fault, Rejection},
    normalize::normalize,
};
use ordak_edge::{answer::Answer, clock, rest_error::Role, rpc::Rpc, store_settings::StoreSettings};
use serde_json::json;
use std::time::Duration;

/// All the time the database has for one delivery, so that Shopify's 5 s are kept.
pub const LIMIT_MS: u64 = 4000;
/// What is left for a dead letter at least, when a refusal came late.
const LAST_MS: u64 = 500;
/// How often a delivery is read again because the names have changed.
const READINGS: u32 = 3;

/// A delivery on its way.
pub struct Intake<'a> {
    /// The database.
    pub rpc: &'a Rpc,
    /// By which names the orders of each store are read.
    pub stores: &'a StoreSettings,
    /// What the headers say.
    pub delivery: &'a Delivery,
    /// Stores that have their own secret.
    pub own_secrets: Vec<&'a str>,
    /// The body.
    pub raw: &'a [u8],
    /// When the database's time began.
    pub started: u64,
}

impl Intake<'_> {
    /// Reads it and has it applied. What cannot be read, here or in the database, is kept as a dead letter.
    ///
    /// # Errors
    /// When the database does not answer, or refuses for a reason of ours.
    pub async fn take(&self) -> Result<Answer, Failure> {
        const RPC: &str = "ingest_shopify_event";
        const REASON: &str = "the database refuses the payload";
        let shop = self.delivery.shop_domain.as_deref();
        let mut names = self.stores.of(shop);
        for _ in 0..READINGS {
            let order = match normalize(&self.delivery.topic, self.raw, &names.settings) {
                Ok(order) => order,
                Err(error) => return self.bury(statement::reason(error)).await,
            };
            let statement = statement::ingest(self.delivery, &order, &self.own_secrets, names.rev, self.raw)?;
            let body = match self.rpc.call(RPC, statement, self.left()).await {
                Ok(body) => body,
                Err(error) if error.is_about_the_data() => return self.bury(REASON).await,
                Err(error) => return Err(error.into_failure(RPC, Role::Service)),
            };
            let Some(newer) = self.stores.learn(shop, &body) else {
                let answer = Answer::passed_through(body)?;
                let unreadable = answer.status() == Code::BadInput.http_status();
                return if unreadable { self.bury(REASON).await } else { Ok(answer) };
            };
            names = newer;
        }
        Err(Fault::unavailable(format!("{RPC}: the settings of the store change faster than they are read"))
            .into())
    }

    /// Keeps it for a person to look at. Asking Shopify to send it again would not help, and after some failures
    /// Shopify drops the subscription: the answer is a success.
    ///
    /// # Errors
    /// As [`Intake::take`]; `UNAUTHENTICATED` when the secret that signed it is not that of the shop.
    pub async fn bury(&self, reason: &str) -> Result<Answer, Failure> {
        const RPC: &str = "record_dead_letter";
        let statement = statement::dead_letter(self.delivery, reason, &self.own_secrets, self.raw)?;
        let body = self
            .rpc
            .call(RPC, statement, self.left())
            .await
            .map_err(|error| error.into_failure(RPC, Role::Service))?;
        let kept = Envelope::read(&body)?.into_data().map_err(|failure| match failure {
            Failure::Rejection(Rejection { code, message }) if code != Code::Unauthenticated => {
                Fault::internal(format!("{RPC}: {message}")).into()
            }
            failure => failure,
        })?;
        let data = json!({
            "event_id": null, "order_id": null, "outcome": "ignored", "dead_letter_id": kept.get("dead_letter_id"),
        });
        Ok(Answer::envelope(&Envelope::done(data), "dead_letter").worth_attention().because(reason))
    }

    fn left(&self) -> Duration {
        let spent = clock::now_ms().saturating_sub(self.started);
        Duration::from_millis(LIMIT_MS.saturating_sub(spent).max(LAST_MS))
    }
}
