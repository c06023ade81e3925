//! What people should hear of a store. No text names an order or a person.
//!
//! Grouping is the database's business. An alert that cannot be raised is a line in the log and stops nothing.

use crate::{FUNCTION, Setup, database, report::Figures};
use ordak_edge::{
    admin_shop::Stop,
    clock,
    log::{Level, Line},
};
use serde_json::{Value, json};

/// A store that has been left alone for as long as this is alerted about, whatever the reason.
const BEHIND_MS: u64 = 6 * 60 * 60 * 1000;

/// Its kind, what it says, and the figures with it.
pub type Alert = (&'static str, String, Value);

/// Raises what there is to raise; `trouble` is why the store is left alone, when people are to hear it now.
pub async fn raise(setup: &Setup, id: &str, figures: &Figures, trouble: Option<Alert>) {
    for (kind, text, meta) in found(figures).into_iter().chain(trouble) {
        let started = clock::now_ms();
        if let Err(fault) = database::raise_alert(setup, &figures.store, kind, &text, &meta).await {
            Line::new(FUNCTION.name, Level::Error, "alert_failed", started)
                .request(id)
                .place(Some(&figures.store), Some(kind))
                .error(Some(fault.detail()))
                .write();
        }
    }
}

/// What the run has found.
fn found(figures: &Figures) -> Vec<Alert> {
    let mut alerts = Vec::new();
    if figures.repaired + figures.failed > 0 {
        let text = format!(
            "Orders that no webhook had brought, or not in their last state: {} repaired, {} could not be.",
            figures.repaired, figures.failed
        );
        alerts.push((
            "webhooks_missed",
            text,
            json!({"repaired": figures.repaired, "failed": figures.failed}),
        ));
    }
    let webhooks = &figures.webhooks;
    if !webhooks.registered.is_empty() || !webhooks.missing.is_empty() {
        let mut text =
            format!("Webhook subscriptions had vanished; made again: {}.", webhooks.registered.len());
        if !webhooks.missing.is_empty() {
            text.push_str(&format!(" Shopify refused {}.", webhooks.missing.join(", ")));
        }
        let meta = json!({"registered": webhooks.registered, "missing": webhooks.missing});
        alerts.push(("webhook_subscriptions", text, meta));
    }
    alerts
}

/// What people should hear of a store that is left alone; nothing while it may pass.
pub fn trouble(figures: &Figures, stop: &Stop, now: u64, seen_until: Option<u64>) -> Option<Alert> {
    let reason = stop.reason();
    match stop {
        // Waiting does not cure it, and nothing else tells of it.
        Stop::Misconfigured(_) => Some((
            "gap_repair_misconfigured",
            format!("Orders cannot be compared with Shopify: {reason}."),
            json!({}),
        )),
        Stop::Access(_) => Some((
            "shopify_access",
            format!("Shopify does not let Ordak in: {reason}. Orders and stock are no longer compared."),
            json!({}),
        )),
        Stop::Refused(_) | Stop::TooCostly(_) | Stop::Limit(_) => {
            Some(("gap_repair_refused", format!("Shopify refuses to list orders: {reason}."), json!({})))
        }
        Stop::Passing(_) | Stop::OutOfTime(_) | Stop::Wait(..) | Stop::Database(_) => {
            let behind = now.saturating_sub(seen_until?) > BEHIND_MS;
            behind.then(|| {
                (
                    "gap_repair_behind",
                    format!("Orders have not been compared with Shopify for hours: {reason}."),
                    json!({"seen_until": figures.seen_until}),
                )
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Webhooks;

    const HOUR: u64 = 60 * 60 * 1000;

    fn kinds(figures: &Figures) -> Vec<&'static str> {
        found(figures).into_iter().map(|(kind, ..)| kind).collect()
    }

    fn kind(stop: &Stop, hours_behind: u64) -> Option<&'static str> {
        let now = 1_000 * HOUR;
        let seen_until = Some(now - hours_behind * HOUR);
        trouble(&Figures::default(), stop, now, seen_until).map(|(kind, ..)| kind)
    }

    #[test]
    fn a_quiet_run_tells_nobody() {
        assert!(kinds(&Figures::default()).is_empty());
        assert_eq!(kind(&Stop::Passing("x".into()), 2), None);
    }

    #[test]
    fn what_was_missing_is_told() {
        let figures = Figures { repaired: 2, failed: 1, ..Figures::default() };
        assert_eq!(kinds(&figures), ["webhooks_missed"]);
        let (_, text, meta) = found(&figures).remove(0);
        assert!(text.contains("2 repaired, 1 could not be"), "{text}");
        assert_eq!(meta, json!({"repaired": 2, "failed": 1}));
    }

    #[test]
    fn vanished_subscriptions_are_told() {
        let mut figures = Figures { webhooks: Webhooks::checked(), ..Figures::default() };
        assert!(kinds(&figures).is_empty());
        figures.webhooks.registered = vec!["orders/create".into()];
        assert_eq!(kinds(&figures), ["webhook_subscriptions"]);
    }

    #[test]
    fn a_store_is_not_left_alone_in_silence() {
        assert_eq!(kind(&Stop::Misconfigured("x".into()), 0), Some("gap_repair_misconfigured"));
        assert_eq!(kind(&Stop::Access("401".into()), 0), Some("shopify_access"));
        assert_eq!(kind(&Stop::Refused("x".into()), 0), Some("gap_repair_refused"));
        for stop in [Stop::Passing("x".into()), Stop::OutOfTime("x".into()), Stop::Database("x".into())] {
            assert_eq!(kind(&stop, 7), Some("gap_repair_behind"));
            assert_eq!(kind(&stop, 5), None);
        }
    }
}
