//! Published keys: which of a project's public keys may verify a token.
//!
//! A key serves one algorithm, that of its own kind, so a public key can never be taken for a shared secret. What the
//! document says beyond the public parts is dropped. When keys are asked for again is decided in [`cache`]. Knows no
//! HTTP; verifying is the runtime's business.

pub mod cache;

use crate::token::Algorithm;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};

/// Longest document that is looked at.
pub const LARGEST: usize = 64 * 1024;
/// So many keys are taken from a document; a project has two or three.
const MOST_KEYS: usize = 32;
/// Shortest and longest RSA modulus in bytes.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// A public key that may verify tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    /// Its `kid`.
    pub id: String,
    /// The only algorithm it verifies.
    pub algorithm: Algorithm,
    parts: [(&'static str, String); 2],
}

/// The keys of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet(Vec<PublicKey>);

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Entry {
    kty: String,
    kid: String,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    purpose: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    x: String,
    #[serde(default)]
    y: String,
    #[serde(default)]
    n: String,
    #[serde(default)]
    e: String,
}

impl KeySet {
    /// Reads a JSON Web Key Set. Keys of other kinds, for other purposes or without a name are passed over: a new kind
    /// of key must not take the others away. A set without any usable key is a set all the same: whatever was there
    /// before has been withdrawn.
    ///
    /// # Errors
    /// A sentence for the log when the document is no key set.
    pub fn parse(document: &[u8]) -> Result<Self, &'static str> {
        if document.len() > LARGEST {
            return Err("the key set is too long");
        }
        let document: Document =
            serde_json::from_slice(document).map_err(|_| "the answer is no JSON Web Key Set")?;
        let entries = document.keys.into_iter().filter_map(|key| serde_json::from_value::<Entry>(key).ok());
        Ok(Self(entries.filter_map(Entry::public_key).take(MOST_KEYS).collect()))
    }

    /// The key of this name for this algorithm.
    #[must_use]
    pub fn find(&self, id: &str, algorithm: Algorithm) -> Option<&PublicKey> {
        self.0.iter().find(|key| key.id == id && key.algorithm == algorithm)
    }
}

impl PublicKey {
    /// The key as the runtime imports it: its public parts and nothing else.
    #[must_use]
    pub fn to_jwk(&self) -> Value {
        let mut jwk = match self.algorithm {
            Algorithm::Es256 => json!({"kty": "EC", "crv": "P-256"}),
            Algorithm::Rs256 | Algorithm::Hs256 => json!({"kty": "RSA"}),
        };
        if let Value::Object(fields) = &mut jwk {
            fields.extend(self.parts.iter().map(|(name, part)| ((*name).to_owned(), part.as_str().into())));
        }
        jwk
    }
}

impl Entry {
    fn public_key(self) -> Option<PublicKey> {
        let length = |part: &str| URL_SAFE_NO_PAD.decode(part).map_or(0, |bytes| bytes.len());
        let algorithm = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) if length(&self.x) == 32 && length(&self.y) == 32 => Algorithm::Es256,
            ("RSA", _) if RSA_BYTES.contains(&length(&self.n)) && (1..=8).contains(&length(&self.e)) => {
                Algorithm::Rs256
            }
            _ => return None,
        };
        let verifies = self.purpose.is_none_or(|purpose| purpose == "sig")
            && self.alg.is_none_or(|alg| alg == algorithm.as_str())
            && self.key_ops.is_none_or(|operations| operations.iter().any(|one| one == "verify"));
        let parts = match algorithm {
            Algorithm::Es256 => [("x", self.x), ("y", self.y)],
            Algorithm::Rs256 | Algorithm::Hs256 => [("n", self.n), ("e", self.e)],
        };
        (verifies && !self.kid.is_empty()).then_some(PublicKey { id: self.kid, algorithm, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ec(id: &str) -> Value {
        let part = URL_SAFE_NO_PAD.encode([7; 32]);
        json!({"kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "use": "sig", "x": part, "y": part})
    }

    fn rsa(id: &str, bytes: usize) -> Value {
        json!({"kty": "RSA", "kid": id, "n": URL_SAFE_NO_PAD.encode(vec![255; bytes]), "e": "AQAB"})
    }

    fn set(keys: &[Value]) -> KeySet {
        KeySet::parse(json!({"keys": keys}).to_string().as_bytes()).unwrap()
    }

    fn with(mut key: Value, name: &str, value: Value) -> Value {
        key[name] = value;
        key
    }

    #[test]
    fn a_key_serves_the_algorithm_of_its_kind_alone() {
        let keys = set(&[ec("a"), rsa("b", 256)]);
        assert!(keys.find("a", Algorithm::Es256).is_some() && keys.find("b", Algorithm::Rs256).is_some());
        for (id, algorithm) in [
            ("a", Algorithm::Rs256),
            ("a", Algorithm::Hs256),
            ("b", Algorithm::Es256),
            ("b", Algorithm::Hs256),
            ("c", Algorithm::Es256),
            ("", Algorithm::Es256),
        ] {
            assert!(keys.find(id, algorithm).is_none(), "{id} {algorithm:?}");
        }
    }

    #[test]
    fn a_shared_secret_in_the_document_is_no_key() {
        for alg in ["HS256", "ES256", "RS256"] {
            let oct = json!({"kty": "oct", "kid": "a", "alg": alg, "k": "c2VjcmV0"});
            assert_eq!(set(&[oct]), KeySet::default());
        }
    }

    #[test]
    fn what_cannot_verify_is_passed_over_and_the_rest_is_kept() {
        let unusable = [
            with(ec("a"), "use", json!("enc")),
            with(ec("a"), "alg", json!("RS256")),
            with(ec("a"), "alg", json!("HS256")),
            with(ec("a"), "crv", json!("P-384")),
            with(ec("a"), "crv", json!(null)),
            with(ec("a"), "x", json!("AA")),
            with(ec("a"), "x", json!("no base64!")),
            with(ec("a"), "kid", json!("")),
            with(ec("a"), "kid", json!(7)),
            with(ec("a"), "key_ops", json!(["sign"])),
            with(rsa("a", 256), "e", json!("")),
            rsa("a", 128),
            rsa("a", 2048),
            json!({"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "AA"}),
            json!("a"),
            json!(null),
        ];
        for key in unusable {
            let keys = set(&[key.clone(), ec("b")]);
            assert!(keys.find("a", Algorithm::Es256).is_none(), "{key}");
            assert!(keys.find("a", Algorithm::Rs256).is_none(), "{key}");
            assert!(keys.find("b", Algorithm::Es256).is_some(), "{key}");
        }
        assert!(set(&[with(ec("a"), "key_ops", json!(["verify"]))]).find("a", Algorithm::Es256).is_some());
    }

    #[test]
    fn what_is_no_key_set_is_refused() {
        for document in
            ["", "{}", "[]", "null", "<html>", r#"{"keys":{}}"#, r#"{"keys":null}"#, r#"{"keys":["#]
        {
            assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
        }
        assert!(KeySet::parse(&[b' '; LARGEST + 1]).is_err());
        assert_eq!(KeySet::parse(br#"{"keys":[]}"#), Ok(KeySet::default()));
    }

    #[test]
    fn only_the_public_parts_are_handed_on() {
        let part = URL_SAFE_NO_PAD.encode([7; 32]);
        let keys = set(&[with(ec("a"), "d", json!("private")), with(rsa("b", 256), "d", json!("private"))]);
        assert_eq!(
            keys.find("a", Algorithm::Es256).unwrap().to_jwk(),
            json!({"kty": "EC", "crv": "P-256", "x": part, "y": part})
        );
        let rsa = keys.find("b", Algorithm::Rs256).unwrap().to_jwk();
        assert_eq!((rsa["kty"].as_str(), rsa["e"].as_str()), (Some("RSA"), Some("AQAB")));
        assert!(rsa.get("d").is_none());
    }

    #[test]
    fn a_flood_of_keys_is_cut() {
        let many: Vec<Value> = (0..200).map(|n| ec(&n.to_string())).collect();
        let keys = set(&many);
        assert!(keys.find("31", Algorithm::Es256).is_some() && keys.find("32", Algorithm::Es256).is_none());
    }
}
