//! When published keys are used as they are, and when they are asked for again.
//!
//! One cache lives as long as an isolate and is shared by its requests. Every rule is a function of *now*: fetching is
//! somebody else's business, and what came of it is told here.

use super::{KeySet, PublicKey};
use crate::token::Algorithm;

/// So long keys are used without asking, in milliseconds.
pub const FRESH_MS: u64 = 10 * 60 * 1000;
/// A key set is asked for at most once in this time, however many tokens name keys that it does not have.
pub const PAUSE_MS: u64 = 10 * 1000;
/// The pause while there is no key at all: nobody can do anything, so it is shorter.
pub const PAUSE_WITHOUT_KEYS_MS: u64 = 2 * 1000;
/// While keys cannot be fetched the old ones are kept, but no longer than this: a withdrawn key must end some day.
pub const KEEP_MS: u64 = 24 * 60 * 60 * 1000;
/// A fetch that has said nothing for so long has died with its request.
pub const FETCH_MS: u64 = 3 * 1000;

/// The keys of a project as an isolate knows them.
#[derive(Debug, Default)]
pub struct KeyCache {
    keys: KeySet,
    loaded_at: Option<u64>,
    began_at: Option<u64>,
    under_way: bool,
}

/// What to do for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// Verify with this key.
    Found(PublicKey),
    /// Fetch the keys, say what came of it, and look again.
    Fetch,
    /// Another request is fetching them: look again in a moment.
    Wait,
    /// The project has no such key: refuse.
    Unknown,
    /// There are no keys, and it is too early to ask again: nobody's token can be judged.
    Unavailable,
}

impl KeyCache {
    /// What to do for a token that names this key; `now` is in milliseconds since 1970. On [`Look::Fetch`] the fetch
    /// counts as begun.
    pub fn look(&mut self, id: &str, algorithm: Algorithm, now: u64) -> Look {
        let age = self.loaded_at.map(|at| now.saturating_sub(at)).filter(|age| *age < KEEP_MS);
        let found = age.and_then(|_| self.keys.find(id, algorithm));
        let is_fresh = age.is_some_and(|age| age < FRESH_MS);
        let since = self.began_at.map(|at| now.saturating_sub(at));
        let under_way = self.under_way && since.is_some_and(|since| since < FETCH_MS);
        let pause = if age.is_some() { PAUSE_MS } else { PAUSE_WITHOUT_KEYS_MS };
        let may_fetch = !under_way && since.is_none_or(|since| since >= pause);
        match found {
            Some(key) if is_fresh || !may_fetch => Look::Found(key.clone()),
            None if under_way => Look::Wait,
            _ if may_fetch => {
                self.began_at = Some(now);
                self.under_way = true;
                Look::Fetch
            }
            _ if age.is_some() => Look::Unknown,
            _ => Look::Unavailable,
        }
    }

    /// The keys have come; those from before are gone.
    pub fn loaded(&mut self, keys: KeySet, now: u64) {
        self.keys = keys;
        self.loaded_at = Some(now);
        self.under_way = false;
    }

    /// The keys could not be fetched; those from before are kept.
    pub fn failed(&mut self) {
        self.under_way = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const START: u64 = 1_800_000_000_000;

    fn set(ids: &[&str]) -> KeySet {
        let part = "A".repeat(43);
        let key =
            |id: &&str| json!({"kty": "EC", "crv": "P-256", "kid": id, "x": part, "y": part, "alg": "ES256"});
        let document = json!({"keys": ids.iter().map(key).collect::<Vec<_>>()});
        KeySet::parse(document.to_string().as_bytes()).unwrap()
    }

    fn loaded(ids: &[&str]) -> KeyCache {
        let mut cache = KeyCache::default();
        assert_eq!(look(&mut cache, "a", START), Look::Fetch);
        cache.loaded(set(ids), START);
        cache
    }

    fn look(cache: &mut KeyCache, id: &str, now: u64) -> Look {
        cache.look(id, Algorithm::Es256, now)
    }

    fn is_found(look: &Look, id: &str) -> bool {
        matches!(look, Look::Found(key) if key.id == id)
    }

    #[test]
    fn the_first_request_fetches_and_the_others_wait_for_it() {
        let mut cache = KeyCache::default();
        assert_eq!(look(&mut cache, "a", START), Look::Fetch);
        for _ in 0..100 {
            assert_eq!(look(&mut cache, "a", START + 10), Look::Wait);
        }
        cache.loaded(set(&["a"]), START + 20);
        assert!(is_found(&look(&mut cache, "a", START + 30), "a"));
    }

    #[test]
    fn keys_are_used_for_ten_minutes_and_then_asked_for_once() {
        let mut cache = loaded(&["a"]);
        assert!(is_found(&look(&mut cache, "a", START + FRESH_MS - 1), "a"));
        assert_eq!(look(&mut cache, "a", START + FRESH_MS), Look::Fetch);
        assert!(is_found(&look(&mut cache, "a", START + FRESH_MS + 1), "a"), "nobody waits for a refresh");
        cache.loaded(set(&["b"]), START + FRESH_MS + 2);
        assert_eq!(look(&mut cache, "a", START + FRESH_MS + 3), Look::Unknown, "a key that is gone is gone");
        assert!(is_found(&look(&mut cache, "b", START + FRESH_MS + 3), "b"));
    }

    #[test]
    fn a_flood_of_unknown_keys_makes_one_fetch_in_a_pause() {
        let mut cache = loaded(&["a"]);
        let mut fetches = 0;
        for ms in 0..60_000 {
            match look(&mut cache, &format!("unknown {ms}"), START + ms) {
                Look::Fetch => {
                    fetches += 1;
                    cache.loaded(set(&["a"]), START + ms);
                }
                seen => assert_eq!(seen, Look::Unknown),
            }
            assert!(is_found(&look(&mut cache, "a", START + ms), "a"));
        }
        assert_eq!(fetches, 5);
    }

    #[test]
    fn a_new_key_is_found_by_asking_again() {
        let mut cache = loaded(&["a"]);
        assert_eq!(look(&mut cache, "b", START + PAUSE_MS), Look::Fetch);
        assert_eq!(look(&mut cache, "b", START + PAUSE_MS + 1), Look::Wait);
        cache.loaded(set(&["a", "b"]), START + PAUSE_MS + 2);
        assert!(is_found(&look(&mut cache, "b", START + PAUSE_MS + 3), "b"));
        assert!(is_found(&look(&mut cache, "a", START + PAUSE_MS + 3), "a"));
    }

    #[test]
    fn old_keys_are_kept_while_the_fetch_fails_but_not_for_ever() {
        let mut cache = loaded(&["a"]);
        let (mut now, mut fetches) = (START + FRESH_MS, 0);
        while now < START + KEEP_MS {
            if look(&mut cache, "a", now) == Look::Fetch {
                fetches += 1;
                cache.failed();
            }
            assert!(is_found(&look(&mut cache, "a", now), "a"));
            assert_eq!(look(&mut cache, "b", now), Look::Unknown);
            now += PAUSE_MS / 2;
        }
        assert!(fetches as u64 <= KEEP_MS / PAUSE_MS);
        assert_eq!(look(&mut cache, "a", START + KEEP_MS), Look::Fetch);
        cache.failed();
        assert_eq!(look(&mut cache, "a", START + KEEP_MS), Look::Unavailable);
    }

    #[test]
    fn without_any_key_nobody_is_judged_and_the_next_try_comes_soon() {
        let mut cache = KeyCache::default();
        assert_eq!(look(&mut cache, "a", START), Look::Fetch);
        cache.failed();
        assert_eq!(look(&mut cache, "a", START + PAUSE_WITHOUT_KEYS_MS - 1), Look::Unavailable);
        assert_eq!(look(&mut cache, "a", START + PAUSE_WITHOUT_KEYS_MS), Look::Fetch);
    }

    #[test]
    fn a_fetch_that_died_with_its_request_is_made_again() {
        let mut cache = KeyCache::default();
        assert_eq!(look(&mut cache, "a", START), Look::Fetch);
        assert_eq!(look(&mut cache, "a", START + FETCH_MS - 1), Look::Wait);
        assert_eq!(look(&mut cache, "a", START + FETCH_MS), Look::Fetch);
    }

    #[test]
    fn a_project_that_publishes_no_key_knows_nobody() {
        let mut cache = loaded(&[]);
        assert_eq!(look(&mut cache, "a", START + 1), Look::Unknown);
    }

    #[test]
    fn a_clock_that_steps_back_changes_nothing() {
        let mut cache = loaded(&["a"]);
        assert!(is_found(&look(&mut cache, "a", START - 5000), "a"));
        assert_eq!(look(&mut cache, "b", START - 5000), Look::Unknown);
    }
}
