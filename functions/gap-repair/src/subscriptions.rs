//! The webhook subscriptions of a shop: those that have vanished are made again.
//!
//! Which are wanted and what Shopify answers is decided in `ordak-core`.

use crate::report::Webhooks;
use ordak_core::gap_repair::subscription;
use ordak_edge::admin_shop::{Shop, Stop};

/// More pages than this of subscriptions has no app.
const MOST_PAGES: usize = 8;

/// Looks, and subscribes to what is missing. A subscription that Shopify refuses does not stop the others.
///
/// # Errors
/// When Shopify cannot be asked at all.
pub async fn check(shop: &Shop<'_>, callback: &str) -> Result<Webhooks, Stop> {
    let mut existing = Vec::new();
    let mut after = None;
    for _ in 0..MOST_PAGES {
        let body = shop.ask(&subscription::list(after.as_deref())).await?;
        let (page, next) = subscription::read_list(&body)?;
        existing.extend(page);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let mut found = Webhooks::checked();
    for topic in subscription::missing(&existing, callback) {
        let created = shop.ask(&subscription::create(&topic, callback)).await;
        match created.and_then(|body| Ok(subscription::read_created(&body)?)) {
            Ok(()) => found.registered.push(topic.to_string()),
            Err(Stop::Refused(reason)) => {
                found.missing.push(topic.to_string());
                found.error = Some(Stop::Refused(reason).reason());
            }
            Err(stop) => return Err(stop),
        }
    }
    Ok(found)
}
