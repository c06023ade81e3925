//! What people should hear of a store. No text names an order or a person.
//!
//! Grouping is the database's business. An alert that cannot be raised is a line in the log and stops nothing.

use crate::{FUNCTION, Setup, database, report::Figures, shop::Stop};
use ordak_edge::{
    clock,
    log::{Level, Line},
};
use serde_json::{Value, json};

/// A store that has been left alone for as long as this is alerted about, whatever the reason.
const BEHIND_MS: u64 = 6 * 60 * 60 * 1000;

/// Raises what there is to raise.
pub async fn raise(setup: &Setup, id: &str, figures: &Figures, stop: Option<&Stop>) {
    for (kind, text, meta) in alerts(figures, stop, clock::now_ms(), clock::parse(&figures.seen_until)) {
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

fn alerts(
    figures: &Figures,
    stop: Option<&Stop>,
    now: u64,
    seen_until: Option<u64>,
) -> Vec<(&'static str, String, Value)> {
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
    match stop {
        Some(stop @ Stop::Access(_)) => alerts.push((
            "shopify_access",
            format!(
                "Shopify does not let Ordak in: {}. Orders and stock are no longer compared.",
                stop.reason()
            ),
            json!({}),
        )),
        Some(stop @ (Stop::Refused(_) | Stop::TooCostly(_))) => alerts.push((
            "gap_repair_refused",
            format!("Shopify refuses to list orders: {}.", stop.reason()),
            json!({}),
        )),
        Some(stop) if seen_until.is_some_and(|seen| now.saturating_sub(seen) > BEHIND_MS) => alerts.push((
            "gap_repair_behind",
            format!("Orders have not been compared with Shopify for hours: {}.", stop.reason()),
            json!({"seen_until": figures.seen_until}),
        )),
        Some(_) | None => {}
    }
    alerts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Webhooks;

    const HOUR: u64 = 60 * 60 * 1000;

    fn kinds(figures: &Figures, stop: Option<Stop>, hours_behind: u64) -> Vec<&'static str> {
        let now = 1_000 * HOUR;
        alerts(figures, stop.as_ref(), now, Some(now - hours_behind * HOUR))
            .into_iter()
            .map(|(kind, ..)| kind)
            .collect()
    }

    #[test]
    fn a_quiet_run_tells_nobody() {
        assert!(kinds(&Figures::default(), None, 1000).is_empty());
        assert!(kinds(&Figures::default(), Some(Stop::Passing("x".into())), 2).is_empty());
    }

    #[test]
    fn what_was_missing_is_told() {
        let figures = Figures { repaired: 2, failed: 1, ..Figures::default() };
        assert_eq!(kinds(&figures, None, 0), ["webhooks_missed"]);
        let (_, text, meta) = alerts(&figures, None, 0, None).remove(0);
        assert!(text.contains("2 repaired, 1 could not be"), "{text}");
        assert_eq!(meta, json!({"repaired": 2, "failed": 1}));
    }

    #[test]
    fn vanished_subscriptions_are_told() {
        let mut figures = Figures { webhooks: Webhooks::checked(), ..Figures::default() };
        assert!(kinds(&figures, None, 0).is_empty());
        figures.webhooks.registered = vec!["orders/create".into()];
        assert_eq!(kinds(&figures, None, 0), ["webhook_subscriptions"]);
    }

    #[test]
    fn a_store_is_not_left_alone_in_silence() {
        let figures = Figures::default();
        assert_eq!(kinds(&figures, Some(Stop::Access("401".into())), 0), ["shopify_access"]);
        assert_eq!(kinds(&figures, Some(Stop::Refused("x".into())), 0), ["gap_repair_refused"]);
        for stop in [Stop::Passing("x".into()), Stop::OutOfTime("x".into()), Stop::Database("x".into())] {
            assert_eq!(kinds(&figures, Some(stop.clone()), 7), ["gap_repair_behind"]);
            assert!(kinds(&figures, Some(stop), 5).is_empty());
        }
    }
}
