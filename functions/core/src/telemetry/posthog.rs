//! What staff do, as PostHog takes it: labels printed, orders scanned, orders assigned.
//!
//! Nobody is named: who did it is a pseudonym that cannot be turned back, and an order is not mentioned at all.

use super::clean;
use crate::content::sha256_hex;
use crate::secret::Secret;
use serde_json::json;

/// How much of a hash makes a pseudonym.
const PSEUDONYM: usize = 32;

/// The project that is told.
#[derive(Clone, Debug)]
pub struct Project {
    /// Where events go.
    pub endpoint: String,
    /// The project's key.
    pub key: Secret,
}

/// Something that was done.
#[derive(Clone, Copy, Debug)]
pub struct Event<'a> {
    /// The action of the kitchen.
    pub action: &'a str,
    /// The user's id.
    pub user: &'a str,
    /// For which store, when that is known.
    pub store: Option<&'a str>,
    /// In a word, what came of it.
    pub outcome: &'a str,
    /// Which status was answered.
    pub status: u16,
}

/// What an action is called there; `None` for one that is not told.
#[must_use]
pub fn name(action: &str) -> Option<&'static str> {
    match action {
        "handle_print_barcode" => Some("label printed"),
        "scan" => Some("order scanned"),
        "assign_staff" => Some("order assigned"),
        _ => None,
    }
}

/// The body for `/batch/`; `None` for an action that is not told. `now` is RFC 3339.
#[must_use]
pub fn batch(project: &Project, event: &Event<'_>, now: &str) -> Option<String> {
    let name = name(event.action)?;
    let event = json!({
        "event": name,
        "distinct_id": pseudonym(project, event.user),
        "timestamp": now,
        "properties": {
            "store": event.store.map(clean),
            "outcome": clean(event.outcome),
            "ok": event.status < 400,
            "$process_person_profile": false,
            "$geoip_disable": true,
        },
    });
    Some(json!({"api_key": project.key.expose(), "batch": [event]}).to_string())
}

/// The same for everything a person does in this project, and another in any other.
fn pseudonym(project: &Project, user: &str) -> String {
    let hash = sha256_hex(format!("{}/{user}", project.key.expose()).as_bytes());
    hash.get(..PSEUDONYM).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const USER: &str = "550e8400-e29b-41d4-a716-446655440000";

    fn told(action: &str, key: &str) -> Option<Value> {
        let project = Project { endpoint: "https://x/batch/".into(), key: Secret::new(key) };
        let event = Event { action, user: USER, store: Some("bannos"), outcome: "done", status: 200 };
        batch(&project, &event, "2026-11-21T00:00:00.000Z").map(|body| serde_json::from_str(&body).unwrap())
    }

    #[test]
    fn prints_scans_and_assignments_are_told_and_nothing_else() {
        for action in ["handle_print_barcode", "scan", "assign_staff"] {
            let body = told(action, "phc_a").unwrap();
            assert_eq!(body["api_key"], "phc_a");
            assert_eq!(body["batch"][0]["event"], name(action).unwrap());
            assert_eq!(body["batch"][0]["properties"]["store"], "bannos");
        }
        assert!(told("set_storage", "phc_a").is_none() && told("queue", "phc_a").is_none());
    }

    #[test]
    fn who_it_was_stays_a_secret_and_the_same() {
        let who = |action: &str, key: &str| told(action, key).unwrap()["batch"][0]["distinct_id"].clone();
        assert_eq!(who("scan", "phc_a"), who("assign_staff", "phc_a"));
        assert_ne!(who("scan", "phc_a"), who("scan", "phc_b"));
        assert!(!told("scan", "phc_a").unwrap().to_string().contains("550e8400"));
    }
}
