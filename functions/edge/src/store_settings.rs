//! By which names each store's orders are read: learned from the database when it refuses a delivery that was read by
//! others, and kept as long as the isolate lives.
//!
//! The database compares revisions with every delivery, so nothing here can be out of date for longer than one call.
//! Decides nothing about orders.

use ordak_core::normalize::NormalizeSettings;
use serde::Deserialize;
use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

/// Stores that are kept; only stores that exist and have names of their own get here.
const MOST: usize = 1000;

/// The names of one store.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// Revision, as the database counts; 0 for the built-in names.
    pub rev: i64,
    /// The names.
    pub settings: Rc<NormalizeSettings>,
}

/// The names of every store that has its own, by the domain of its shop.
#[derive(Debug, Default)]
pub struct StoreSettings(RefCell<BTreeMap<String, Names>>);

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    code: String,
    data: Option<Newer>,
}

#[derive(Deserialize)]
struct Newer {
    rev: i64,
    #[serde(default)]
    settings: NormalizeSettings,
}

impl StoreSettings {
    /// The names of a shop as far as they are known here: the built-in ones at first.
    #[must_use]
    pub fn of(&self, shop: Option<&str>) -> Names {
        shop.and_then(|shop| self.0.borrow().get(shop).cloned()).unwrap_or_default()
    }

    /// The names by which a delivery has to be read again, when that is what the database answered.
    #[must_use]
    pub fn learn(&self, shop: Option<&str>, answer: &[u8]) -> Option<Names> {
        // Nearly every answer is a success, and says so at once.
        if answer.starts_with(b"{\"ok\": true") {
            return None;
        }
        let answer: Answer = serde_json::from_slice(answer).ok()?;
        let newer = answer.data.filter(|_| answer.code == "STALE_SETTINGS")?;
        let names = Names { rev: newer.rev, settings: Rc::new(newer.settings) };
        let mut known = self.0.borrow_mut();
        if known.len() >= MOST {
            known.pop_first();
        }
        known.insert(shop?.to_owned(), names.clone());
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: Option<&str> = Some("cakes.myshopify.com");
    const STALE: &[u8] = br#"{"ok": false, "code": "STALE_SETTINGS", "message": "m", "data": {"rev": 3, "settings": {"size_property": "Tier", "later": 1}}}"#;

    #[test]
    fn names_are_learned_and_kept_for_their_shop() {
        let stores = StoreSettings::default();
        assert_eq!(stores.of(SHOP).rev, 0);
        let names = stores.learn(SHOP, STALE).unwrap();
        assert_eq!((names.rev, names.settings.size_property.as_str()), (3, "Tier"));
        assert_eq!(stores.of(SHOP).settings, names.settings);
        assert_eq!(stores.of(SHOP).settings.delivery_tag, NormalizeSettings::default().delivery_tag);
        assert_eq!(stores.of(Some("pies.myshopify.com")).rev, 0);
        assert_eq!(stores.of(None).rev, 0);
    }

    #[test]
    fn other_answers_teach_nothing() {
        let stores = StoreSettings::default();
        for answer in [
            &br#"{"ok": true, "data": {"outcome": "created"}}"#[..],
            br#"{"ok":true,"data":{"rev":1}}"#,
            br#"{"ok": false, "code": "BAD_INPUT", "message": "m"}"#,
            br#"{"ok": false, "code": "STALE_SETTINGS"}"#,
            b"<html>",
            b"",
        ] {
            assert!(stores.learn(SHOP, answer).is_none());
        }
        assert!(stores.learn(None, STALE).is_none());
    }

    #[test]
    fn the_number_of_shops_is_bounded() {
        let stores = StoreSettings::default();
        for shop in 0..MOST + 10 {
            assert!(stores.learn(Some(&format!("{shop}.myshopify.com")), STALE).is_some());
        }
        assert_eq!(stores.0.borrow().len(), MOST);
    }
}
