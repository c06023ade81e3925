//! Handing a verified delivery to the database, within the time that Shopify leaves.
//!
//! Decides only between the two RPCs: one that applies, one that keeps what can never be applied.

use crate::{delivery::Delivery, statement};
use ordak_core::{
    envelope::{Code, Envelope, Failure, Fault, Rejection},
    normalize::Normalized,
};
use ordak_edge::{answer::Answer, clock, rest_error::Caller, rpc::Rpc};
use serde_json::json;
use std::time::Duration;

/// All the time the database has for one delivery, so that Shopify's 5 s are kept.
const LIMIT_MS: u64 = 4000;
/// What is left for a dead letter at least, when a refusal came late.
const LAST_MS: u64 = 500;

/// A delivery on its way.
pub struct Intake<'a> {
    /// The database.
    pub rpc: &'a Rpc,
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
    /// Has it applied. What the database cannot read is kept as a dead letter.
    ///
    /// # Errors
    /// When the database does not answer, or refuses for a reason of ours.
    pub async fn take(&self, order: &Normalized) -> Result<Answer, Failure> {
        const RPC: &str = "ingest_shopify_event";
        const REASON: &str = "the database refuses the payload";
        let statement = statement::ingest(self.delivery, order, &self.own_secrets, self.raw)?;
        match self.rpc.call(RPC, statement, self.left()).await {
            Ok(body) => match Answer::passed_through(body)? {
                answer if answer.status() == Code::BadInput.http_status() => self.bury(REASON).await,
                answer => Ok(answer),
            },
            Err(error) if error.is_about_the_data() => self.bury(REASON).await,
            Err(error) => Err(error.into_failure(RPC, Caller::Service)),
        }
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
            .map_err(|error| error.into_failure(RPC, Caller::Service))?;
        let kept = Envelope::read(&body)?.into_data().map_err(|failure| match failure {
            Failure::Rejection(Rejection { code, message }) if code != Code::Unauthenticated => {
                Fault::internal(format!("{RPC}: {message}")).into()
            }
            failure => failure,
        })?;
        let data = json!({
            "event_id": null, "order_id": null, "outcome": "ignored", "dead_letter_id": kept.get("dead_letter_id"),
        });
        Ok(Answer::envelope(&Envelope::done(data), "dead_letter").worth_attention())
    }

    fn left(&self) -> Duration {
        let spent = clock::now_ms().saturating_sub(self.started);
        Duration::from_millis(LIMIT_MS.saturating_sub(spent).max(LAST_MS))
    }
}
