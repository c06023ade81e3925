//! When a granted token is used as it is, and when another is asked for.
//!
//! One set of slots lives as long as an isolate and is shared by its requests. Every rule is a function of *now*: asking
//! is somebody else's business, and what came of it is told here.

use super::{Client, grant::Granted};
use crate::admin_api::Refusal;
use crate::secret::Secret;

/// A token is not used for the last part of its life, in milliseconds: clocks differ, and requests take time.
pub const MARGIN_MS: u64 = 5 * 60 * 1000;
/// A request for a token that has said nothing for so long has died with its own request.
pub const ASK_MS: u64 = 12 * 1000;
/// Stores that are kept.
const MOST: usize = 1000;

/// The tokens of an isolate. A few stores are found as quickly in a list, and a map would make every bundle larger.
#[derive(Debug, Default)]
pub struct Slots(Vec<Slot>);

#[derive(Debug)]
struct Slot {
    store: String,
    client: Client,
    token: Option<(Secret, u64)>,
    asked_at: Option<u64>,
    failed: Option<(Refusal, u64)>,
}

/// What to do for a store.
#[derive(Clone, Debug)]
pub enum Look {
    /// Use this token.
    Use(Secret),
    /// Ask for a token, say what came of it, and look again.
    Ask,
    /// Another request is asking: look again in a moment.
    Wait,
    /// The question that was waited for brought none.
    None(Refusal),
}

impl Slots {
    /// What to do for a request that began to look at `since`; times are in milliseconds since 1970. On [`Look::Ask`] the
    /// question counts as asked. A store whose app has changed begins anew. Who waited for a question shares a failure,
    /// and who comes later asks again.
    pub fn look(&mut self, store: &str, client: &Client, since: u64, now: u64) -> Look {
        if self.slot(store, client).is_none() {
            self.0.retain(|slot| slot.store != store);
            if self.0.len() >= MOST {
                self.0.remove(0);
            }
            let (store, client) = (store.to_owned(), client.clone());
            self.0.push(Slot { store, client, token: None, asked_at: None, failed: None });
        }
        let Some(slot) = self.slot(store, client) else { return Look::Ask };
        if let Some((token, until)) = &slot.token
            && now < *until
        {
            return Look::Use(token.clone());
        }
        if slot.asked_at.is_some_and(|at| now.saturating_sub(at) < ASK_MS) {
            return Look::Wait;
        }
        if let Some((refusal, at)) = &slot.failed
            && *at >= since
        {
            return Look::None(refusal.clone());
        }
        slot.asked_at = Some(now);
        Look::Ask
    }

    /// A token was granted; one for an app that has changed meanwhile is forgotten.
    pub fn granted(&mut self, store: &str, client: &Client, granted: Granted, now: u64) {
        if let Some(slot) = self.slot(store, client) {
            let margin = MARGIN_MS.min(granted.life_ms / 10);
            slot.token = Some((granted.token, now.saturating_add(granted.life_ms - margin)));
            (slot.asked_at, slot.failed) = (None, None);
        }
    }

    /// None was granted.
    pub fn failed(&mut self, store: &str, client: &Client, refusal: Refusal, now: u64) {
        if let Some(slot) = self.slot(store, client) {
            (slot.asked_at, slot.failed) = (None, Some((refusal, now)));
        }
    }

    /// A token was refused before its time: it is not used again. Another that is there by now stays.
    pub fn refused(&mut self, store: &str, token: &Secret) {
        if let Some(slot) = self.0.iter_mut().find(|slot| slot.store == store)
            && slot.token.as_ref().is_some_and(|(held, _)| held.matches(token.expose()))
        {
            slot.token = None;
        }
    }

    fn slot(&mut self, store: &str, client: &Client) -> Option<&mut Slot> {
        self.0.iter_mut().find(|slot| slot.store == store && slot.client.is(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin_api::passing;

    const START: u64 = 1_800_000_000_000;
    const DAY: u64 = 24 * 60 * 60 * 1000;

    fn client(secret: &str) -> Client {
        Client { id: Secret::new("app"), secret: Secret::new(secret) }
    }

    fn granted(token: &str, life_ms: u64) -> Granted {
        Granted { token: Secret::new(token), life_ms }
    }

    /// The token, or a word for what else is to be done.
    fn look(slots: &mut Slots, secret: &str, now: u64) -> String {
        look_since(slots, secret, now, now)
    }

    fn look_since(slots: &mut Slots, secret: &str, since: u64, now: u64) -> String {
        match slots.look("bannos", &client(secret), since, now) {
            Look::Use(token) => token.expose().to_owned(),
            Look::Ask => "ask".into(),
            Look::Wait => "wait".into(),
            Look::None(refusal) => refusal.failure.error,
        }
    }

    fn with_token() -> Slots {
        let mut slots = Slots::default();
        assert_eq!(look(&mut slots, "s", START), "ask");
        slots.granted("bannos", &client("s"), granted("one", DAY), START);
        slots
    }

    #[test]
    fn one_asks_and_the_others_wait() {
        let mut slots = Slots::default();
        assert_eq!(look(&mut slots, "s", START), "ask");
        for ms in 0..100 {
            assert_eq!(look(&mut slots, "s", START + ms), "wait");
        }
        slots.granted("bannos", &client("s"), granted("one", DAY), START + 100);
        assert_eq!(look(&mut slots, "s", START + 100), "one");
        assert!(
            matches!(slots.look("flourlane", &client("s"), START, START), Look::Ask),
            "each store has its own"
        );
    }

    #[test]
    fn a_token_is_used_until_shortly_before_its_end() {
        let mut slots = with_token();
        assert_eq!(look(&mut slots, "s", START + DAY - MARGIN_MS - 1), "one");
        assert_eq!(look(&mut slots, "s", START + DAY - MARGIN_MS), "ask");
        slots.granted("bannos", &client("s"), granted("short", 1000), START + DAY);
        assert_eq!(look(&mut slots, "s", START + DAY + 899), "short");
        assert_eq!(look(&mut slots, "s", START + DAY + 900), "ask");
    }

    #[test]
    fn a_refused_token_is_replaced_once_however_many_were_refused() {
        let mut slots = with_token();
        slots.refused("bannos", &Secret::new("one"));
        assert_eq!(look(&mut slots, "s", START + 1), "ask");
        slots.granted("bannos", &client("s"), granted("two", DAY), START + 2);
        slots.refused("bannos", &Secret::new("one"));
        assert_eq!(look(&mut slots, "s", START + 3), "two");
        slots.refused("nowhere", &Secret::new("one"));
    }

    #[test]
    fn who_waited_shares_a_failure_and_who_comes_later_asks_again() {
        let mut slots = Slots::default();
        assert_eq!(look(&mut slots, "s", START), "ask");
        slots.failed("bannos", &client("s"), passing("no"), START + 10);
        for since in [START, START + 10] {
            assert_eq!(look_since(&mut slots, "s", since, START + 30), "no");
        }
        assert_eq!(look_since(&mut slots, "s", START + 11, START + 30), "ask");
        assert_eq!(look_since(&mut slots, "s", START, START + 31), "wait", "a new question, a new answer");
    }

    #[test]
    fn a_question_that_died_with_its_request_is_asked_again() {
        let mut slots = Slots::default();
        assert_eq!(look(&mut slots, "s", START), "ask");
        assert_eq!(look(&mut slots, "s", START + ASK_MS - 1), "wait");
        assert_eq!(look(&mut slots, "s", START + ASK_MS), "ask");
    }

    #[test]
    fn another_app_begins_anew_and_takes_nothing_over() {
        let mut slots = with_token();
        assert_eq!(look(&mut slots, "changed", START + 1), "ask");
        slots.granted("bannos", &client("s"), granted("late", DAY), START + 2);
        slots.failed("bannos", &client("s"), passing("late"), START + 2);
        assert_eq!(look(&mut slots, "changed", START + 3), "wait");
    }

    #[test]
    fn the_number_of_stores_is_bounded() {
        let mut slots = Slots::default();
        for store in 0..MOST + 10 {
            assert!(matches!(slots.look(&format!("s{store}"), &client("s"), 0, 0), Look::Ask));
        }
        assert_eq!(slots.0.len(), MOST);
    }
}
