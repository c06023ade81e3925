//! Webhook signatures: base64 of HMAC-SHA256 over the raw body.
//!
//! Shopify signs with the secret of the app, a courier with the one agreed with it; the construction is the same.
//! The body is bytes and stays bytes: nothing here parses it. Keys are prepared once and may live as long as the
//! isolate. Knows no headers, no settings and no stores beyond the names in their variables.

use crate::secret::Secret;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;

/// A secret and the key that is prepared from it.
#[derive(Clone)]
struct Key {
    secret: Secret,
    mac: Hmac<Sha256>,
}

/// Bytes of a SHA-256 MAC.
const MAC_BYTES: usize = 32;

/// Length of 32 bytes in base64.
const MAC_CHARS: usize = 44;

/// Whose secret verified a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifiedBy {
    /// The secret that all stores without their own share.
    Shared,
    /// The own secret of this store (its key, upper-cased, as in the name of the variable).
    Own(String),
}

impl VerifiedBy {
    /// The store whose own secret it was, `None` for the shared one.
    #[must_use]
    pub fn own_store(&self) -> Option<&str> {
        match self {
            Self::Shared => None,
            Self::Own(store) => Some(store),
        }
    }
}

/// Why a body was not verified. For counting only: every caller gets the same 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// No signature was sent.
    Missing,
    /// It is not base64 of 32 bytes.
    Malformed,
    /// It is not a signature of this body by any of the secrets.
    Mismatch,
}

/// The secrets in force, as prepared keys: the shared list and the own lists of stores.
#[derive(Clone, Default)]
pub struct SigningSecrets {
    shared: Vec<Key>,
    own: Vec<(String, Vec<Key>)>,
    repeated: Vec<String>,
}

impl SigningSecrets {
    /// Prepares the shared list and the own list of each store. A list is comma-separated, so that an old and a new
    /// secret hold side by side during a rotation; blanks are ignored, and a store with nothing but blanks has no
    /// own secret.
    #[must_use]
    pub fn new(shared: Option<&str>, own: &[(String, String)]) -> Self {
        let mut seen: Vec<&str> = Vec::new();
        let mut secrets = Self { shared: keys(shared.unwrap_or_default()), ..Self::default() };
        seen.extend(secrets_in(shared.unwrap_or_default()));
        for (store, list) in own {
            if secrets_in(list).any(|secret| seen.contains(&secret)) {
                secrets.repeated.push(store.to_ascii_uppercase());
            }
            seen.extend(secrets_in(list));
            let prepared = keys(list);
            if !prepared.is_empty() {
                secrets.own.push((store.to_ascii_uppercase(), prepared));
            }
        }
        secrets
    }

    /// Picks the lists out of settings: `<name>` is the shared one, `<name>_<STORE>` a store's own.
    #[must_use]
    pub fn from_variables(name: &str, variables: &[(String, String)]) -> Self {
        let shared = variables.iter().find(|(key, _)| key == name).map(|(_, list)| list.as_str());
        let own: Vec<(String, String)> = variables
            .iter()
            .filter_map(|(key, list)| {
                let store = key.strip_prefix(name)?.strip_prefix('_').filter(|store| !store.is_empty())?;
                Some((store.to_owned(), list.clone()))
            })
            .collect();
        Self::new(shared, &own)
    }

    /// Whether there is no secret at all, so that nothing can ever be verified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_empty() && self.own.is_empty()
    }

    /// Upper-cased keys of the stores that have their own secret: for them the shared one does not count.
    #[must_use]
    pub fn own_stores(&self) -> Vec<&str> {
        self.own.iter().map(|(store, _)| store.as_str()).collect()
    }

    /// Stores whose own list repeats a secret of another list. A signature by such a secret cannot say whose it is.
    #[must_use]
    pub fn repeated(&self) -> &[String] {
        &self.repeated
    }

    /// Verifies a body against every secret, in time that depends on the body and the number of secrets alone.
    ///
    /// # Errors
    /// When there is no signature, it is not one, or none of the secrets made it.
    pub fn verify(&self, signature: Option<&str>, body: &[u8]) -> Result<VerifiedBy, SignatureError> {
        let presented = presented(signature)?;
        let mut verified = None;
        for (store, keys) in &self.own {
            if matches(keys, &presented, body) && verified.is_none() {
                verified = Some(VerifiedBy::Own(store.clone()));
            }
        }
        if matches(&self.shared, &presented, body) && verified.is_none() {
            verified = Some(VerifiedBy::Shared);
        }
        verified.ok_or(SignatureError::Mismatch)
    }

    /// All secrets, for a verifier that does its own arithmetic: those of stores first, then the shared ones.
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.keys().map(|(key, _)| &key.secret)
    }

    /// Whose secret it is that stands at this place among [`SigningSecrets::secrets`].
    #[must_use]
    pub fn whose(&self, place: usize) -> Option<VerifiedBy> {
        let (_, store) = self.keys().nth(place)?;
        Some(store.map_or(VerifiedBy::Shared, |store| VerifiedBy::Own(store.to_owned())))
    }

    fn keys(&self) -> impl Iterator<Item = (&Key, Option<&str>)> {
        let own =
            self.own.iter().flat_map(|(store, keys)| keys.iter().map(|key| (key, Some(store.as_str()))));
        own.chain(self.shared.iter().map(|key| (key, None)))
    }

    /// Signs a body as the shop of this store does: with its own secret when it has one, of several with the newest.
    #[must_use]
    pub fn sign_as(&self, store: &str, body: &[u8]) -> Option<String> {
        let store = store.to_ascii_uppercase();
        let own = self.own.iter().find(|(known, _)| *known == store).map(|(_, keys)| keys);
        let key = own.unwrap_or(&self.shared).first()?;
        Some(STANDARD.encode(mac(key, body)))
    }
}

impl fmt::Debug for SigningSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningSecrets([REDACTED], own: {:?})", self.own_stores())
    }
}

/// The signature of a body, for tools that play the sender.
#[must_use]
pub fn sign(secret: &str, body: &[u8]) -> String {
    key(secret).map(|key| STANDARD.encode(mac(&key, body))).unwrap_or_default()
}

fn secrets_in(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|secret| !secret.is_empty())
}

fn keys(list: &str) -> Vec<Key> {
    secrets_in(list).filter_map(key).collect()
}

fn key(secret: &str) -> Option<Key> {
    let mac = Hmac::new_from_slice(secret.as_bytes()).ok()?;
    Some(Key { secret: Secret::new(secret), mac })
}

fn mac(key: &Key, body: &[u8]) -> [u8; MAC_BYTES] {
    let mut mac = key.mac.clone();
    mac.update(body);
    mac.finalize().into_bytes().into()
}

fn matches(keys: &[Key], presented: &[u8; MAC_BYTES], body: &[u8]) -> bool {
    keys.iter().fold(false, |found, key| found | bool::from(mac(key, body).ct_eq(presented)))
}

/// The signature that a header claims.
///
/// # Errors
/// When there is none, or it is not one.
pub fn presented(signature: Option<&str>) -> Result<[u8; MAC_BYTES], SignatureError> {
    decode(signature.ok_or(SignatureError::Missing)?).ok_or(SignatureError::Malformed)
}

/// Only the standard alphabet, canonical padding and exactly 32 bytes: one signature has one spelling.
fn decode(signature: &str) -> Option<[u8; MAC_BYTES]> {
    if signature.len() != MAC_CHARS {
        return None;
    }
    STANDARD.decode(signature).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
