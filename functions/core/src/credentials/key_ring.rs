//! Sealing and opening with AES-256-GCM, under keys that have names.
//!
//! The store, the provider and the name of the key are authenticated with the ciphertext: whoever moves a row to another
//! store, or renames its key, gets nothing out of it. Nonces are a parameter and must be random.

use super::Provider;
use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::fmt;

/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a key.
const KEY_BYTES: usize = 32;
/// Most keys that are known at a time; two are enough for a rotation.
const MOST_KEYS: usize = 8;
/// Names the construction, so that no ciphertext of another purpose is ever opened as one of these.
const PURPOSE: &str = "ordak credentials 1";

/// Whose keys they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whose<'a> {
    /// The store.
    pub store: &'a str,
    /// Where they open something.
    pub provider: Provider,
}

/// Keys as they are stored. The bytes travel as base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// Name of the key that they were sealed with.
    pub key_id: String,
    /// The nonce.
    pub nonce: String,
    /// Ciphertext and tag.
    pub ciphertext: String,
}

/// Why something cannot be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unopened {
    /// No key of this name is known.
    UnknownKey,
    /// It was changed, or was sealed for somebody else.
    Broken,
}

/// The keys of `CREDENTIALS_KEY`: the first seals, all open.
#[derive(Clone)]
pub struct KeyRing(Vec<(String, [u8; KEY_BYTES])>);

impl KeyRing {
    /// Reads `id:base64key`, comma-separated.
    ///
    /// # Errors
    /// What is wrong, without quoting it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let mut keys: Vec<(String, [u8; KEY_BYTES])> = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let (id, key) = entry.split_once(':').ok_or("must list <id>:<key in base64>, comma-separated")?;
            if !is_id(id) {
                return Err("has an id that is not 1 to 32 lower-case letters, digits, - or _");
            }
            let key = STANDARD.decode(key).ok().and_then(|key| <[u8; KEY_BYTES]>::try_from(key).ok());
            let key = key.ok_or("has a key that is not 32 bytes in base64")?;
            if keys.iter().any(|(known, bytes)| known == id || *bytes == key) {
                return Err("has an id or a key twice");
            }
            keys.push((id.to_owned(), key));
        }
        if keys.len() > MOST_KEYS { Err("has more than 8 keys") } else { Ok(Self(keys)) }
    }

    /// The name of the key that seals.
    #[must_use]
    pub fn newest(&self) -> &str {
        self.0.first().map_or("", |(id, _)| id)
    }

    /// Seals with the first key. `None` when that is impossible, which it is not for what fits into a request.
    #[must_use]
    pub fn seal(&self, whose: Whose<'_>, plain: &[u8], nonce: [u8; NONCE_BYTES]) -> Option<Sealed> {
        let (id, key) = self.0.first()?;
        let aad = associated(whose, id);
        let payload = Payload { msg: plain, aad: aad.as_bytes() };
        let ciphertext = Aes256Gcm::new(key.into()).encrypt(&nonce.into(), payload).ok()?;
        Some(Sealed {
            key_id: id.clone(),
            nonce: STANDARD.encode(nonce),
            ciphertext: STANDARD.encode(ciphertext),
        })
    }

    /// Opens with the key that it was sealed with.
    ///
    /// # Errors
    /// Why not.
    pub fn open(&self, whose: Whose<'_>, sealed: &Sealed) -> Result<Vec<u8>, Unopened> {
        let (id, key) = self.0.iter().find(|(id, _)| *id == sealed.key_id).ok_or(Unopened::UnknownKey)?;
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| Unopened::Broken);
        let nonce: [u8; NONCE_BYTES] =
            decode(&sealed.nonce)?.try_into().map_err(|_: Vec<u8>| Unopened::Broken)?;
        let ciphertext = decode(&sealed.ciphertext)?;
        let aad = associated(whose, id);
        let payload = Payload { msg: &ciphertext, aad: aad.as_bytes() };
        Aes256Gcm::new(key.into()).decrypt(&nonce.into(), payload).map_err(|_| Unopened::Broken)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(id, _)| id)).finish()
    }
}

/// No part can hold a line break, so no two different wholes read the same.
fn associated(whose: Whose<'_>, key_id: &str) -> String {
    [PURPOSE, whose.store, whose.provider.as_str(), key_id].join("\n")
}

fn is_id(id: &str) -> bool {
    (1..=32).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOSE: Whose<'_> = Whose { store: "bannos", provider: Provider::Shopify };
    const NONCE: [u8; NONCE_BYTES] = *b"twelve bytes";

    fn key(byte: u8) -> String {
        STANDARD.encode([byte; KEY_BYTES])
    }

    fn ring(ids: &[(&str, u8)]) -> KeyRing {
        let entries: Vec<String> = ids.iter().map(|(id, byte)| format!("{id}:{}", key(*byte))).collect();
        KeyRing::parse(&entries.join(", ")).unwrap()
    }

    fn changed(base64: &str, bit: usize) -> String {
        let mut bytes = STANDARD.decode(base64).unwrap();
        bytes[bit / 8] ^= 1 << (bit % 8);
        STANDARD.encode(bytes)
    }

    #[test]
    fn the_cipher_is_the_one_of_the_standard() {
        // Test case 16 of the paper that proposed GCM: 256-bit key, associated data, 60 bytes of text.
        let hex = |text: &str| -> Vec<u8> {
            (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
        };
        let key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
        let text = hex(concat!(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        ));
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let nonce: [u8; 12] = hex("cafebabefacedbaddecaf888").try_into().unwrap();
        let wanted = hex(concat!(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b"
        ));
        let key: [u8; 32] = key.try_into().unwrap();
        let sealed =
            Aes256Gcm::new(&key.into()).encrypt(&nonce.into(), Payload { msg: &text, aad: &aad }).unwrap();
        assert_eq!(sealed, wanted);
    }

    #[test]
    fn what_is_stored_today_can_be_opened_tomorrow() {
        let sealed = Sealed {
            key_id: "k1".into(),
            nonce: "dHdlbHZlIGJ5dGVz".into(),
            ciphertext: ring(&[("k1", 7)]).seal(WHOSE, b"{}", NONCE).unwrap().ciphertext,
        };
        assert_eq!(sealed.ciphertext, "86rMkLIX08BtdvX4++DVQIda");
        assert_eq!(ring(&[("k2", 9), ("k1", 7)]).open(WHOSE, &sealed).unwrap(), b"{}");
    }

    #[test]
    fn the_first_key_seals_and_every_key_opens() {
        let (old, both) = (ring(&[("k1", 1)]), ring(&[("k2", 2), ("k1", 1)]));
        let sealed = old.seal(WHOSE, b"secret", NONCE).unwrap();
        assert_eq!(both.open(WHOSE, &sealed).unwrap(), b"secret");
        let again = both.seal(WHOSE, b"secret", NONCE).unwrap();
        assert_eq!((again.key_id.as_str(), both.newest()), ("k2", "k2"));
        assert_eq!(old.open(WHOSE, &again), Err(Unopened::UnknownKey));
    }

    #[test]
    fn whatever_is_changed_opens_nothing() {
        let ring = ring(&[("k1", 1), ("k2", 2)]);
        let sealed = ring.seal(WHOSE, b"secret", NONCE).unwrap();
        for bit in 0..(b"secret".len() + 16) * 8 {
            let other = Sealed { ciphertext: changed(&sealed.ciphertext, bit), ..sealed.clone() };
            assert_eq!(ring.open(WHOSE, &other), Err(Unopened::Broken), "bit {bit} of the ciphertext");
        }
        for bit in 0..NONCE_BYTES * 8 {
            let other = Sealed { nonce: changed(&sealed.nonce, bit), ..sealed.clone() };
            assert_eq!(ring.open(WHOSE, &other), Err(Unopened::Broken), "bit {bit} of the nonce");
        }
        let renamed = Sealed { key_id: "k2".into(), ..sealed.clone() };
        assert_eq!(ring.open(WHOSE, &renamed), Err(Unopened::Broken));
        for whose in [
            Whose { store: "flourlane", ..WHOSE },
            Whose { provider: Provider::Slack, ..WHOSE },
            Whose { store: "bannos\nshopify", ..WHOSE },
        ] {
            assert_eq!(ring.open(whose, &sealed), Err(Unopened::Broken), "{whose:?}");
        }
        for (nonce, ciphertext) in [("", ""), ("AA==", "AA=="), ("!", "!"), (&*sealed.nonce, "AA==")] {
            let other = Sealed { nonce: nonce.into(), ciphertext: ciphertext.into(), ..sealed.clone() };
            assert_eq!(ring.open(WHOSE, &other), Err(Unopened::Broken));
        }
    }

    #[test]
    fn a_key_of_the_same_bytes_under_another_name_opens_nothing() {
        let sealed = ring(&[("k1", 1)]).seal(WHOSE, b"secret", NONCE).unwrap();
        let renamed = Sealed { key_id: "k9".into(), ..sealed };
        assert_eq!(ring(&[("k9", 1)]).open(WHOSE, &renamed), Err(Unopened::Broken));
    }

    #[test]
    fn a_ring_that_is_not_sound_is_refused_without_being_quoted() {
        let (a, b) = (key(1), key(2));
        let short = STANDARD.encode([1; 31]);
        let nine: Vec<String> = (0..9).map(|n| format!("k{n}:{}", key(n))).collect();
        for text in [
            String::new(),
            a.clone(),
            format!(":{a}"),
            format!("K1:{a}"),
            format!("k 1:{a}"),
            format!("{}:{a}", "k".repeat(33)),
            format!("k1:{short}"),
            format!("k1:{}", a.trim_end_matches('=')),
            "k1:".to_owned(),
            format!("k1:{a},"),
            format!("k1:{a},k1:{b}"),
            format!("k1:{a},k2:{a}"),
            nine.join(","),
        ] {
            let problem = KeyRing::parse(&text).unwrap_err();
            assert!(!problem.contains(&a[..8]), "{text}: {problem}");
        }
        assert_eq!(format!("{:?}", ring(&[("k1", 1), ("k2", 2)])), r#"["k1", "k2"]"#);
    }
}
