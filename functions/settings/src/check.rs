//! Trying keys once where they are for, before they are kept.
//!
//! One cheap call each. What an answer means is decided in `ordak-core`; a system to which no store's own keys are used
//! yet is not asked.

use crate::Setup;
use ordak_core::{
    admin_api::{Answer, Kind, Refusal},
    alert,
    credentials::{
        ShopifyKeys,
        keys::{Keys, is_below},
    },
    envelope::{Code, Rejection},
    secret::Secret,
    work::{ErrorClass, WorkFailure},
};
use ordak_edge::{
    clock,
    shop_access::{ask_for_token, exchange},
    upstream,
};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for the other side: an Admin waits for the answer.
const LIMIT: Duration = Duration::from_secs(8);
/// Costs one point and needs no scope.
const WHO: &str = r#"{"query":"query Who { shop { myshopifyDomain } }"}"#;

/// Whether the other side took the keys: `false` when nobody could be asked.
///
/// # Errors
/// When it did not take them, or said nothing that would tell.
pub async fn check(setup: &Setup, store: &str, domain: &str, keys: &Keys) -> Result<bool, Rejection> {
    match keys {
        Keys::Shopify(ShopifyKeys::Token(token)) => {
            token_opens(setup, domain, token).await.map_err(judged)?
        }
        Keys::Shopify(ShopifyKeys::Client(client)) => {
            ask_for_token(&setup.settings.admin_url, domain, client, LIMIT).await.map_err(judged)?;
        }
        Keys::Slack(url) => slack_takes(setup, store, url).await?,
        Keys::ShipStation { .. } | Keys::Email(_) => return Ok(false),
    }
    Ok(true)
}

async fn token_opens(setup: &Setup, domain: &str, token: &Secret) -> Result<(), Refusal> {
    let url = setup.settings.admin_url.graphql(domain).ok_or_else(|| Refusal {
        kind: Kind::Misconfigured,
        failure: WorkFailure::permanent("the store has no usable shop domain"),
    })?;
    let reply = exchange(&url, token, WHO, LIMIT).await?;
    let answer =
        Answer { status: reply.status, retry_after: reply.retry_after.as_deref(), body: &reply.body };
    let body = answer.read(clock::now_s())?;
    match body.pointer("/data/shop/myshopifyDomain").and_then(Value::as_str) {
        Some(_) => Ok(()),
        None => Err(Refusal {
            kind: Kind::Passing,
            failure: WorkFailure::transient("Shopify's answer names no shop", None),
        }),
    }
}

/// Says there that alerts will come: a webhook can be tried in no other way, and people see that it works.
async fn slack_takes(setup: &Setup, store: &str, url: &Secret) -> Result<(), Rejection> {
    let base = &setup.settings.slack_hooks;
    if !is_below(base, url.expose()) {
        return Err(Rejection::bad_input(format!("webhook_url must begin with {base}")));
    }
    let body = json!({"text": format!("{store}: alerts of this store come here from now on")}).to_string();
    let reply = upstream::post_json(url.expose(), &[], &body, LIMIT)
        .await
        .map_err(|error| untold(&format!("Slack: {}", error.as_str())))?;
    alert::judge(reply.status, reply.retry_after.as_deref(), &reply.body, clock::now_s()).map_err(of_failure)
}

fn judged(refusal: Refusal) -> Rejection {
    match refusal.kind {
        Kind::Misconfigured => Rejection::new(Code::Conflict, refusal.failure.error),
        Kind::Passing | Kind::Throttled | Kind::Database => untold(&refusal.failure.error),
        Kind::Access | Kind::Refused | Kind::TooCostly => of_failure(refusal.failure),
    }
}

fn of_failure(failure: WorkFailure) -> Rejection {
    match failure.class {
        ErrorClass::Permanent => Rejection::bad_input(format!("{}; nothing was stored", failure.error)),
        ErrorClass::Transient | ErrorClass::Limit | ErrorClass::Misconfigured => untold(&failure.error),
    }
}

fn untold(why: &str) -> Rejection {
    Rejection::new(Code::Upstream, format!("the keys could not be tried, so nothing was stored: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_is_told_so_and_who_is_not_answered_may_come_again() {
        let refusal = |kind, failure| judged(Refusal { kind, failure }).code;
        let (for_good, for_now) = (WorkFailure::permanent("no"), WorkFailure::transient("not now", None));
        assert_eq!(refusal(Kind::Access, for_good.clone()), Code::BadInput);
        assert_eq!(refusal(Kind::Refused, for_good.clone()), Code::BadInput);
        assert_eq!(refusal(Kind::Misconfigured, for_good), Code::Conflict);
        for kind in [Kind::Passing, Kind::Throttled, Kind::Refused] {
            assert_eq!(refusal(kind, for_now.clone()), Code::Upstream);
        }
    }
}
