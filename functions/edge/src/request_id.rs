//! The id that follows a request through the gateway, the function and every log line.
//!
//! Knows no headers beyond its own and decides nothing.

use worker::Headers;

/// The header that carries it.
pub const HEADER: &str = "x-request-id";

const SHORTEST: usize = 8;
const LONGEST: usize = 64;
const RANDOM_BYTES: usize = 12;

/// The id that came with the request when it is a sane one, else a new one.
#[must_use]
pub fn of(headers: &Headers) -> String {
    match headers.get(HEADER) {
        Ok(Some(id)) if is_sane(&id) => id,
        _ => fresh(),
    }
}

/// A new id. Should the runtime have no randomness to give, requests share an id: that is no reason to fail them.
#[must_use]
pub fn fresh() -> String {
    let mut bytes = [0; RANDOM_BYTES];
    if getrandom::fill(&mut bytes).is_err() {
        return "no-randomness".into();
    }
    spell(&bytes)
}

/// Letters only: digits could look like a telephone number, which logs would mask.
fn spell(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|nibble| char::from(b'a' + nibble)).collect()
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
