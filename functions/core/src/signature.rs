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
}

impl SigningSecrets {
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
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":820982911946154508}"#;

    fn shared(list: &str) -> SigningSecrets {
        SigningSecrets::new(Some(list), &[])
    }

    #[test]
    fn signs_as_rfc_4231_says() {
        let made = sign("Jefe", b"what do ya want for nothing?");
        let rfc_4231 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(crate::content::hex(&STANDARD.decode(made).unwrap()), rfc_4231);
    }

    #[test]
    fn accepts_its_own_signature() {
        let verified = shared("hush").verify(Some(&sign("hush", BODY)), BODY);
        assert_eq!(verified, Ok(VerifiedBy::Shared));
    }

    #[test]
    fn a_place_among_the_secrets_is_that_of_whoever_signs_with_it() {
        let own = [("bannos".into(), "b1, b2".into()), ("flourlane".into(), "f".into())];
        let secrets = SigningSecrets::new(Some("new,old"), &own);
        let listed: Vec<&str> = secrets.secrets().map(Secret::expose).collect();
        assert_eq!(listed, ["b1", "b2", "f", "new", "old"]);
        for (place, secret) in listed.iter().enumerate() {
            assert_eq!(secrets.verify(Some(&sign(secret, BODY)), BODY).ok(), secrets.whose(place));
        }
        assert_eq!(secrets.whose(listed.len()), None);
    }

    #[test]
    fn signs_as_the_shop_of_a_store() {
        let secrets = SigningSecrets::new(Some("new,old"), &[("bannos".into(), "own".into())]);
        assert_eq!(secrets.sign_as("flourlane", BODY), Some(sign("new", BODY)));
        assert_eq!(secrets.sign_as("bannos", BODY), Some(sign("own", BODY)));
        assert_eq!(SigningSecrets::new(None, &[("a".into(), "own".into())]).sign_as("b", BODY), None);
    }

    #[test]
    fn refuses_every_single_flipped_bit() {
        let secrets = shared("hush");
        let good = STANDARD.decode(sign("hush", BODY)).unwrap();
        for bit in 0..256 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                secrets.verify(Some(&STANDARD.encode(&bad)), BODY),
                Err(SignatureError::Mismatch),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn refuses_a_body_that_differs_by_one_bit() {
        let secrets = shared("hush");
        let signature = sign("hush", BODY);
        for bit in 0..BODY.len() * 8 {
            let mut body = BODY.to_vec();
            body[bit / 8] ^= 1 << (bit % 8);
            assert!(secrets.verify(Some(&signature), &body).is_err());
        }
    }

    #[test]
    fn refuses_a_body_that_was_serialised_again() {
        let signature = sign("hush", br#"{"id": 1, "note": "\u00e9"}"#);
        assert!(shared("hush").verify(Some(&signature), "{\"id\":1,\"note\":\"é\"}".as_bytes()).is_err());
    }

    #[test]
    fn refuses_odd_base64() {
        let secrets = shared("hush");
        let good = sign("hush", BODY);
        let trailing_bits = format!("{}{}=", &good[..42], (good.as_bytes()[42] + 1) as char);
        let odd = [
            String::new(),
            " ".into(),
            good.trim_end_matches('=').into(),
            format!("{good}="),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}\n"),
            format!("{}\u{e9}", &good[..42]),
            good.replace('=', "\0"),
            trailing_bits,
            STANDARD.encode([0u8; 31]),
            STANDARD.encode([0u8; 33]),
            "=".repeat(44),
            "A".repeat(44),
            "A".repeat(1 << 16),
            format!("sha256={good}"),
            crate::content::hex(&STANDARD.decode(&good).unwrap()),
        ];
        for signature in odd {
            assert!(secrets.verify(Some(&signature), BODY).is_err(), "{signature:?}");
        }
        assert_eq!(secrets.verify(None, BODY), Err(SignatureError::Missing));
    }

    #[test]
    fn refuses_the_url_safe_alphabet() {
        let secrets = shared("hush");
        let (body, good) = (0u32..)
            .map(|n| n.to_string())
            .map(|body| (sign("hush", body.as_bytes()), body))
            .find_map(|(signature, body)| signature.contains('+').then_some((body, signature)))
            .unwrap();
        assert!(secrets.verify(Some(&good), body.as_bytes()).is_ok());
        assert_eq!(
            secrets.verify(Some(&good.replace('+', "-").replace('/', "_")), body.as_bytes()),
            Err(SignatureError::Malformed)
        );
    }

    #[test]
    fn two_secrets_hold_during_a_rotation_and_a_retired_one_does_not() {
        let secrets = shared(" new , ,old,");
        assert!(secrets.verify(Some(&sign("new", BODY)), BODY).is_ok());
        assert!(secrets.verify(Some(&sign("old", BODY)), BODY).is_ok());
        assert!(secrets.verify(Some(&sign("older", BODY)), BODY).is_err());
        assert!(secrets.verify(Some(&sign(" new ", BODY)), BODY).is_err());
    }

    #[test]
    fn blank_secrets_open_nothing() {
        for list in ["", " ", ",", " , ,"] {
            let secrets = shared(list);
            assert!(secrets.is_empty());
            assert!(secrets.verify(Some(&sign("", BODY)), BODY).is_err());
            assert!(secrets.verify(Some(&sign(" ", BODY)), BODY).is_err());
        }
    }

    #[test]
    fn says_whose_secret_it_was() {
        let variables = [
            ("SHOPIFY_WEBHOOK_SECRET".to_owned(), "all".to_owned()),
            ("SHOPIFY_WEBHOOK_SECRET_BANNOS".to_owned(), "b2,b1".to_owned()),
            ("SHOPIFY_WEBHOOK_SECRET_FLOURLANE".to_owned(), " , ".to_owned()),
            ("SHOPIFY_WEBHOOK_SECRETS".to_owned(), "x".to_owned()),
            ("SHOPIFY_WEBHOOK_SECRET_".to_owned(), "y".to_owned()),
        ];
        let secrets = SigningSecrets::from_variables("SHOPIFY_WEBHOOK_SECRET", &variables);
        assert_eq!(secrets.own_stores(), ["BANNOS"]);
        assert_eq!(secrets.verify(Some(&sign("all", BODY)), BODY), Ok(VerifiedBy::Shared));
        for own in ["b1", "b2"] {
            let verified = secrets.verify(Some(&sign(own, BODY)), BODY).unwrap();
            assert_eq!(verified.own_store(), Some("BANNOS"));
        }
        for stranger in ["x", "y", ""] {
            assert!(secrets.verify(Some(&sign(stranger, BODY)), BODY).is_err());
        }
        assert!(secrets.repeated().is_empty());
    }

    #[test]
    fn a_store_may_have_its_own_secret_without_a_shared_one() {
        let secrets = SigningSecrets::new(None, &[("bannos".into(), "own".into())]);
        assert!(!secrets.is_empty());
        assert_eq!(secrets.verify(Some(&sign("own", BODY)), BODY), Ok(VerifiedBy::Own("BANNOS".into())));
    }

    #[test]
    fn notices_a_secret_that_two_lists_share() {
        let own =
            [("A".to_owned(), "x,y".to_owned()), ("B".to_owned(), "z".to_owned()), ("C".into(), "x".into())];
        assert_eq!(SigningSecrets::new(Some("z"), &own).repeated(), ["B", "C"]);
    }

    #[test]
    fn never_prints_a_secret() {
        let secrets = SigningSecrets::new(Some("hush"), &[("bannos".into(), "hush-own".into())]);
        let printed = format!("{secrets:?}");
        assert!(printed.contains("[REDACTED]") && !printed.contains("hush"));
    }

    #[test]
    fn an_empty_body_is_a_body() {
        assert!(shared("hush").verify(Some(&sign("hush", b"")), b"").is_ok());
    }
}
