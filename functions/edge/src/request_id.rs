//! The id that follows a request through the gateway, the function and every log line.
//!
//! Knows no headers beyond its own and decides nothing.

use crate::incoming::Incoming;
use std::cell::RefCell;

/// The header that carries it.
pub const HEADER: &str = "x-request-id";

const SHORTEST: usize = 8;
const LONGEST: usize = 64;
const RANDOM_BYTES: usize = 12;
/// Randomness is asked for so many ids at a time.
const SUPPLY: usize = 64;

thread_local! {
    /// Randomness that no id is made of yet.
    static UNUSED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The id that came with the request when it is a sane one, else a new one.
#[must_use]
pub fn of(request: &Incoming) -> String {
    match request.header(HEADER) {
        Some(id) if is_sane(&id) => id,
        _ => fresh(),
    }
}

/// A new id. Should the runtime have no randomness to give, requests share an id: that is no reason to fail them.
#[must_use]
pub fn fresh() -> String {
    UNUSED.with_borrow_mut(|unused| {
        if unused.len() < RANDOM_BYTES {
            let mut bytes = vec![0; RANDOM_BYTES * SUPPLY];
            if getrandom::fill(&mut bytes).is_err() {
                return "no-randomness".into();
            }
            *unused = bytes;
        }
        let left = unused.len() - RANDOM_BYTES;
        let id = spell(unused.get(left..).unwrap_or_default());
        unused.truncate(left);
        id
    })
}

/// Letters only: digits could look like a telephone number, which logs would mask.
fn spell(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for nibble in bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        text.push(char::from(b'a' + nibble));
    }
    text
}

fn is_sane(id: &str) -> bool {
    (SHORTEST..=LONGEST).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_over_a_sane_id_only() {
        for id in ["abcdefgh", "01J-req_5.x", &"x".repeat(64)] {
            assert!(is_sane(id), "{id}");
        }
        for id in ["", "short", &"x".repeat(65), "with space", "new\nline1", "\"quoted\"", "ümlaut-id"] {
            assert!(!is_sane(id), "{id}");
        }
    }

    #[test]
    fn spells_every_byte_in_letters() {
        assert_eq!(spell(&[0x00, 0xff, 0x1e]), "aappbo");
        assert!(is_sane(&spell(&[7; RANDOM_BYTES])));
    }
}
