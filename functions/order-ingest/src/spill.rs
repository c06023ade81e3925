//! Putting a verified delivery into a queue while the database is away, so that Shopify need not bring it again.
//!
//! Optional: without the binding the answer stays 503 and Shopify's own retries carry the delivery.

use crate::arrival::Arrival;
use ordak_core::envelope::{Code, Envelope, Failure, Fault};
use ordak_edge::{answer::Answer, deadline::within};
use serde_json::json;
use std::time::Duration;
use worker::{Env, QueueContentType, RawMessageBuilder, wasm_bindgen::JsValue};

/// The queue, as the worker's configuration calls it.
const BINDING: &str = "INGEST_SPILL";
/// What is left of Shopify's 5 s when the database has used up its share.
const LIMIT: Duration = Duration::from_millis(700);

/// What to answer when the database could not be asked: a success once the queue has the delivery, else the failure as
/// it was, with the reason why not added for the log.
///
/// # Errors
/// The failure, when waiting does not cure it, there is no queue, or the queue does not take it.
pub async fn instead_of(failure: Failure, env: &Env, arrival: &Arrival) -> Result<Answer, Failure> {
    let fault = match failure {
        Failure::Fault(fault) if fault.code() == Code::Unavailable => fault,
        failure => return Err(failure),
    };
    let Ok(queue) = env.queue(BINDING) else {
        return Err(fault.into());
    };
    let put = async {
        let message = arrival.to_message().ok_or("it is larger than a message of a queue")?;
        let message = RawMessageBuilder::new(JsValue::from_str(&message));
        let message = message.build_with_content_type(QueueContentType::Text);
        within(LIMIT, queue.send_raw(message))
            .await
            .ok_or("the queue did not answer in time")?
            .map_err(|_| "the queue refused it")
    };
    match put.await {
        Ok(()) => {
            let data = json!({"event_id": null, "order_id": null, "outcome": "spilled"});
            let answer = Answer::envelope(&Envelope::done(data), "spilled");
            Ok(answer.worth_attention().because(fault.detail()))
        }
        Err(why) => Err(Fault::unavailable(format!("{}; not spilled: {why}", fault.detail())).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::LIMIT_MS;

    /// How long Shopify waits for an answer.
    const SHOPIFY: Duration = Duration::from_secs(5);
    /// What the way to us and back may take, and reading the delivery.
    const WAY: Duration = Duration::from_millis(300);

    #[test]
    fn shopify_is_answered_in_time_though_neither_database_nor_queue_answer() {
        assert!(Duration::from_millis(LIMIT_MS) + LIMIT + WAY <= SHOPIFY);
    }
}
