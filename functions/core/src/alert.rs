//! Alerts for people: what a `slack_alert` item says, and what Slack's answer to it means.
//!
//! An alert names orders, SKUs and figures, never a person; whatever gets into one all the same is masked here. Knows no
//! HTTP client.

use crate::sanitize::sanitize;
use crate::upstream_status;
use crate::work::{WorkFailure, WorkItem};
use serde_json::{Value, json};

/// Topic of these items.
pub const TOPIC: &str = "slack_alert";
/// Longest message, in characters before escaping.
const LONGEST: usize = 1500;
/// Longest text of one detail, in characters.
const LONGEST_DETAIL: usize = 300;
/// Most entries of a list that are shown.
const MOST_ENTRIES: usize = 10;

/// The body of the request to a Slack webhook: `{"text": …}`.
#[must_use]
pub fn body(item: &WorkItem) -> String {
    json!({ "text": escape(&text(item)) }).to_string()
}

/// Judges Slack's answer; `now` is in seconds since 1970.
///
/// # Errors
/// The failure, when it did not take the message.
pub fn judge(status: u16, retry_after: Option<&str>, body: &[u8], now: i64) -> Result<(), WorkFailure> {
    match status {
        // Slack says `ok`; a web page comes from something on the way that has not passed the message on.
        200..=299 if body.trim_ascii_start().starts_with(b"<") => {
            Err(WorkFailure::transient("a web page answered in Slack's place", None))
        }
        200..=299 => Ok(()),
        _ => Err(upstream_status::failure("Slack", status, retry_after, now)),
    }
}

fn text(item: &WorkItem) -> String {
    lines(item).join("\n").chars().take(LONGEST).collect()
}

/// What it says, a line each: the headline, then every detail. An e-mail says the same.
#[must_use]
pub fn lines(item: &WorkItem) -> Vec<String> {
    let said = |name: &str| item.payload.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = said("kind").unwrap_or("alert");
    let headline = match said("text") {
        Some(text) => text.to_owned(),
        None => headline(kind).map_or_else(|| kind.replace('_', " "), str::to_owned),
    };
    let mut lines = vec![format!("{}: {}", item.store, cut(&headline))];
    details(&item.payload, &mut lines);
    lines
}

/// What the kinds mean that this system itself raises; any other is its own headline.
fn headline(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "dead_work" => "work was given up and needs a decision",
        "misconfigured" => {
            "a setting is missing or wrong: work waits for it, and is given up a day after it was made"
        }
        "circuit_open" => "a system outside fails: what is meant for it waits, and is tried again by itself",
        "unknown_topic" => "work waits that nobody here knows how to do",
        "dead_letter" => "a webhook could not be processed and was put aside",
        "missing_fields" => "an order lacks what the kitchen needs",
        "stock_short" => "an order waits for stock",
        "app_uninstalled" => "the shop has uninstalled our app; what is paid for goes on",
        "data_request" => "a customer asks what is held about him: an Admin finds it under get_data_export",
        "batch_in_review" => "batches half full wait for an Admin's decision",
        "orders_stuck" => "orders have been in one stage for over a day",
        "orders_escalated" => {
            "orders have been in one stage for over two days: somebody has to see to them now"
        }
        "worker_stuck" => "work has been due for over 15 minutes and nobody does it",
        "batch_failed" => "batches could not be settled and are tried again",
        "stock_location" => {
            "the shop has several locations or none: an Admin chooses one with update_stock_settings"
        }
        "stock_mapping" => {
            "SKUs that no inventory item of Shopify, or several, could be: map_inventory_item decides"
        }
        "reconcile_failed" => "stock could not be compared with Shopify's this night",
        "stock_drift" => "more stock than usual had drifted apart from Shopify's",
        _ => return None,
    })
}

/// Every member but those of the headline, one a line; members of an inner object as if they were its own.
fn details(object: &Value, lines: &mut Vec<String>) {
    let Value::Object(members) = object else { return };
    for (name, value) in members.iter().filter(|(name, _)| !matches!(name.as_str(), "kind" | "text" | "to")) {
        match value {
            Value::Null => {}
            Value::Object(inner) if inner.values().all(|value| !value.is_object()) => details(value, lines),
            _ => lines.push(format!("{}: {}", cut(&name.replace('_', " ")), cut(&spell(value)))),
        }
    }
}

fn spell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(entries) => {
            let mut shown: Vec<String> = entries.iter().take(MOST_ENTRIES).map(spell).collect();
            let rest = entries.len().saturating_sub(MOST_ENTRIES);
            if rest > 0 {
                shown.push(format!("and {rest} more"));
            }
            shown.join(", ")
        }
        other => other.to_string(),
    }
}

/// Masked, on one line, and cut.
fn cut(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    sanitize(&line).chars().take(LONGEST_DETAIL).collect()
}

/// The three characters with which Slack marks links and mentions: a product must not be able to call the channel.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::work::ErrorClass;

    fn said(payload: Value) -> String {
        let item = json!({"id": 1, "topic": TOPIC, "store": "bannos", "fence": 1, "payload": payload});
        let body: Value = serde_json::from_str(&body(&serde_json::from_value(item).unwrap())).unwrap();
        assert_eq!(body.as_object().unwrap().len(), 1);
        body["text"].as_str().unwrap().to_owned()
    }

    #[test]
    fn says_what_it_is_about_and_every_detail() {
        let payload = json!({"kind": "dead_work", "items": 3, "topics": ["email", "inventory_push"]});
        assert_eq!(
            said(payload),
            "bannos: work was given up and needs a decision\nitems: 3\ntopics: email, inventory_push"
        );
        let payload = json!({"kind": "webhooks_missing", "text": "2 subscriptions were gone", "meta": {"made_again": true}, "count": 1, "x": null});
        assert_eq!(said(payload), "bannos: 2 subscriptions were gone\ncount: 1\nmade again: true");
        assert_eq!(said(json!({"kind": "some_new_kind"})), "bannos: some new kind");
        for strange in [json!(null), json!([]), json!("x"), json!({"kind": 7})] {
            assert!(said(strange).starts_with("bannos: alert"));
        }
    }

    #[test]
    fn nothing_in_it_can_call_a_channel_or_start_a_line() {
        let text = said(
            json!({"kind": "stock_short", "sku": "<!channel> & <https://x.example|free>\nbannos: all is well"}),
        );
        assert_eq!(
            text,
            "bannos: an order waits for stock\nsku: &lt;!channel&gt; &amp; &lt;https://x.example|free&gt; bannos: all is well"
        );
    }

    #[test]
    fn a_person_is_masked() {
        let text =
            said(json!({"kind": "k", "text": "from jamie.rivera@example.com", "phone": "+61400000001"}));
        assert!(!text.contains("jamie.rivera") && !text.contains("61400000001"), "{text}");
    }

    #[test]
    fn however_much_there_is_it_stays_readable() {
        let many: Vec<String> = (0..500).map(|n| format!("SKU-{n:03}")).collect();
        let text = said(json!({"kind": "stock_short", "skus": many}));
        assert!(text.ends_with("SKU-009, and 490 more"), "{text}");
        let long = said(json!({"kind": "k", "a": "x".repeat(9000), "b": {"c": {"d": "y".repeat(9000)}}}));
        assert!(long.chars().count() <= LONGEST);
    }

    #[test]
    fn slack_is_judged_like_any_other() {
        assert_eq!(judge(200, None, b"ok", 0), Ok(()));
        assert_eq!(judge(200, None, b" <html>", 0).unwrap_err().class, ErrorClass::Transient);
        let class = |status| judge(status, None, b"", 0).unwrap_err().class;
        assert_eq!((class(500), class(429)), (ErrorClass::Transient, ErrorClass::Transient));
        assert_eq!(
            (class(404), class(403), class(302)),
            (ErrorClass::Permanent, ErrorClass::Permanent, ErrorClass::Permanent)
        );
        assert_eq!(judge(429, Some("3"), b"", 0).unwrap_err().retry_after_ms, Some(3000));
    }
}
