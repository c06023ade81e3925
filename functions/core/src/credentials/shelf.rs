//! What an isolate knows of the stores' own keys, and for how long that counts.
//!
//! Reading them is somebody else's business; what was read is put here with the time at which the question was asked.

use super::{
    Provider,
    key_ring::{KeyRing, Sealed, Unopened, Whose},
    keys::Keys,
};
use serde_json::Value;

/// What was read longer ago than this does not count any more: a key that was changed counts within a minute.
pub const KEPT_MS: u64 = 50 * 1000;
/// Who begins something longer reads again what is older than this, so that it lasts to the end.
pub const SOON_MS: u64 = 20 * 1000;
/// Stores that are kept.
const MOST: usize = 1000;

/// A stored row.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose it is.
    pub store: String,
    /// Where it opens something.
    pub provider: String,
    /// The ciphertext.
    pub sealed: Sealed,
}

impl Row {
    /// Reads the rows of an answer; `None` when it has another form.
    #[must_use]
    pub fn list(data: &Value) -> Option<Vec<Self>> {
        data.get("credentials")?.as_array()?.iter().map(Self::of).collect()
    }

    fn of(row: &Value) -> Option<Self> {
        let text = |name: &str| row.get(name)?.as_str().map(str::to_owned);
        let sealed =
            Sealed { key_id: text("key_id")?, nonce: text("nonce")?, ciphertext: text("ciphertext")? };
        Some(Self { store: text("store")?, provider: text("provider")?, sealed })
    }
}

/// Keys that cannot be used, in words that may be reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable(pub String);

/// The keys of every store that was asked for. A few stores are found as quickly in a list, and a map would make every
/// bundle larger.
#[derive(Debug, Default)]
pub struct Shelf(Vec<Shelved>);

#[derive(Debug)]
struct Shelved {
    store: String,
    read_at: u64,
    keys: Vec<(Provider, Result<Keys, Unusable>)>,
}

impl Shelf {
    /// Whether the store's keys were asked for at this time, in milliseconds since 1970, or later.
    #[must_use]
    pub fn has_since(&self, store: &str, time: u64) -> bool {
        self.of(store).is_some_and(|shelved| shelved.read_at >= time)
    }

    /// Puts what was read of these stores, asked for at `read_at`. A store without a row has no keys of its own.
    pub fn put(&mut self, stores: &[String], rows: &[Row], ring: Option<&KeyRing>, read_at: u64) {
        for store in stores {
            let own = rows.iter().filter(|row| row.store == *store);
            let keys = own.filter_map(|row| {
                let provider = Provider::parse(&row.provider)?;
                Some((provider, open(row, provider, ring)))
            });
            let shelved = Shelved { store: store.clone(), read_at, keys: keys.collect() };
            self.0.retain(|known| known.store != *store);
            if self.0.len() >= MOST {
                self.0.remove(0);
            }
            self.0.push(shelved);
        }
    }

    /// The store's own keys to a provider; none when it has none.
    ///
    /// # Errors
    /// When it has some that cannot be used: nothing else may take their place.
    pub fn find(&self, store: &str, provider: Provider) -> Result<Option<Keys>, Unusable> {
        let held = self.of(store).and_then(|held| held.keys.iter().find(|(known, _)| *known == provider));
        match held {
            None => Ok(None),
            Some((_, Ok(keys))) => Ok(Some(keys.clone())),
            Some((_, Err(unusable))) => Err(unusable.clone()),
        }
    }

    fn of(&self, store: &str) -> Option<&Shelved> {
        self.0.iter().find(|shelved| shelved.store == store)
    }
}

fn open(row: &Row, provider: Provider, ring: Option<&KeyRing>) -> Result<Keys, Unusable> {
    let unusable = |why: String| {
        Unusable(format!("the {} credentials of {} cannot be used: {why}", row.provider, row.store))
    };
    let ring = ring.ok_or_else(|| unusable("CREDENTIALS_KEY is missing".into()))?;
    let whose = Whose { store: &row.store, provider };
    let plain = ring.open(whose, &row.sealed).map_err(|error| {
        unusable(match error {
            Unopened::UnknownKey => format!("CREDENTIALS_KEY has no key {}", row.sealed.key_id),
            Unopened::Broken => "their ciphertext was changed".into(),
        })
    })?;
    Keys::from_plain(provider, &plain).ok_or_else(|| unusable("their content is unknown".into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    fn ring(id: &str, byte: u8) -> KeyRing {
        KeyRing::parse(&format!("{id}:{}", STANDARD.encode([byte; 32]))).unwrap()
    }

    fn row(store: &str, provider: &str, plain: &[u8]) -> Row {
        let whose = Whose { store, provider: Provider::parse(provider).unwrap_or(Provider::Email) };
        let sealed = ring("k1", 1).seal(whose, plain, [0; 12]).unwrap();
        Row { store: store.into(), provider: provider.into(), sealed }
    }

    fn stores(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    fn error(shelf: &Shelf, provider: Provider) -> String {
        shelf.find("a", provider).unwrap_err().0
    }

    #[test]
    fn each_store_has_what_is_its_own() {
        let mut shelf = Shelf::default();
        let rows = [
            row("a", "slack", br#"{"webhook_url":"https://x/y"}"#),
            row("c", "shopify", br#"{"access_token":"not asked for"}"#),
            row("a", "something later", b"{}"),
        ];
        shelf.put(&stores(&["a", "b"]), &rows, Some(&ring("k1", 1)), 100);
        assert!(matches!(shelf.find("a", Provider::Slack), Ok(Some(Keys::Slack(_)))));
        for (store, provider) in [("a", Provider::Shopify), ("b", Provider::Slack), ("c", Provider::Shopify)]
        {
            assert!(matches!(shelf.find(store, provider), Ok(None)), "{store}");
        }
        assert!(shelf.has_since("a", 100) && shelf.has_since("b", 100));
        assert!(!shelf.has_since("a", 101) && !shelf.has_since("c", 0));
        shelf.put(&stores(&["a"]), &[], Some(&ring("k1", 1)), 200);
        assert!(matches!(shelf.find("a", Provider::Slack), Ok(None)), "what was removed is gone");
    }

    #[test]
    fn what_cannot_be_opened_is_not_as_if_it_were_not_there() {
        let mut shelf = Shelf::default();
        let mut rows = [row("a", "slack", b"{}"), row("b", "shopify", b"{}")];
        rows[1].store = "a".into();
        shelf.put(&stores(&["a"]), &rows, Some(&ring("k1", 1)), 0);
        assert!(error(&shelf, Provider::Slack).ends_with("their content is unknown"));
        assert!(error(&shelf, Provider::Shopify).ends_with("their ciphertext was changed"));
        shelf.put(&stores(&["a"]), &rows, Some(&ring("k2", 1)), 0);
        assert!(error(&shelf, Provider::Slack).ends_with("CREDENTIALS_KEY has no key k1"));
        shelf.put(&stores(&["a"]), &rows, None, 0);
        assert_eq!(
            error(&shelf, Provider::Slack),
            "the slack credentials of a cannot be used: CREDENTIALS_KEY is missing"
        );
    }

    #[test]
    fn a_row_is_read_as_the_database_tells_it() {
        let told = json!({"store": "a", "provider": "slack", "key_id": "k", "nonce": "n", "ciphertext": "c", "more": 1});
        let rows = Row::list(&json!({"credentials": [told]})).unwrap();
        assert_eq!((rows[0].sealed.key_id.as_str(), rows[0].sealed.ciphertext.as_str()), ("k", "c"));
        assert!(Row::list(&json!({"credentials": [{"store": "a"}]})).is_none());
        assert!(Row::list(&json!({})).is_none());
    }

    #[test]
    fn the_number_of_stores_is_bounded() {
        let mut shelf = Shelf::default();
        for store in 0..MOST + 10 {
            shelf.put(&[format!("s{store}")], &[], None, 0);
        }
        assert_eq!(shelf.0.len(), MOST);
    }
}
