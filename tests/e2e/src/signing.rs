//! Tokens signed with private keys: those of the local project, which it publishes, and others that it does not.

use crate::{Failure, Outcome, unique};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use ring::{error::Unspecified, rsa};
use serde_json::{Value, json};

/// A private key with its public half as projects publish it.
pub struct SigningKey {
    /// Its `kid`.
    pub id: String,
    /// What it signs with, as a token's header names it.
    pub algorithm: &'static str,
    /// The public half.
    pub jwk: Value,
    pair: Pair,
}

enum Pair {
    Ec(Box<EcdsaKeyPair>),
    Rsa(Box<rsa::KeyPair>),
}

impl SigningKey {
    /// The keys of the local project: ES256 in use, ES256 standing by, RS256.
    pub fn of_project() -> Outcome<[Self; 3]> {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../supabase/signing_keys.json");
        let keys: Vec<Value> = serde_json::from_slice(&std::fs::read(path)?)?;
        let keys = keys.iter().map(Self::read).collect::<Outcome<Vec<_>>>()?;
        keys.try_into().map_err(|_| Failure::new("supabase/signing_keys.json has not three keys"))
    }

    /// An ES256 key that nobody knows yet.
    pub fn fresh() -> Outcome<Self> {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(unspecified)?;
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).map_err(|_| unusable())?;
        let id = unique();
        // An uncompressed point: one byte that says so, then x and y.
        let (x, y) = pair.public_key().as_ref().get(1..).unwrap_or_default().split_at(32);
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "kid": id, "alg": "ES256", "use": "sig", "key_ops": ["verify"],
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)
        });
        Ok(Self { id, algorithm: "ES256", jwk, pair: Pair::Ec(Box::new(pair)) })
    }

    fn read(key: &Value) -> Outcome<Self> {
        let text = |name: &str| key.get(name).and_then(Value::as_str).unwrap_or_default();
        let part = |name: &str| URL_SAFE_NO_PAD.decode(text(name)).unwrap_or_default();
        let pair = if text("kty") == "EC" {
            let point = [vec![4], part("x"), part("y")].concat();
            let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_FIXED_SIGNING);
            let pair = EcdsaKeyPair::from_private_key_and_public_key(algorithm, &part("d"), &point, &random);
            Pair::Ec(Box::new(pair.map_err(|_| unusable())?))
        } else {
            let components = rsa::KeyPairComponents {
                public_key: rsa::PublicKeyComponents { n: part("n"), e: part("e") },
                d: part("d"),
                p: part("p"),
                q: part("q"),
                dP: part("dp"),
                dQ: part("dq"),
                qInv: part("qi"),
            };
            Pair::Rsa(Box::new(rsa::KeyPair::from_components(&components).map_err(|_| unusable())?))
        };
        let public = ["kty", "kid", "use", "alg", "crv", "x", "y", "n", "e"];
        let jwk =
            public.iter().filter_map(|name| Some(((*name).to_owned(), key.get(name)?.clone()))).collect();
        let algorithm = if matches!(pair, Pair::Ec(_)) { "ES256" } else { "RS256" };
        Ok(Self { id: text("kid").to_owned(), algorithm, jwk: Value::Object(jwk), pair })
    }

    /// A token that says which key signed it.
    pub fn token(&self, claims: &Value) -> Outcome<String> {
        self.token_with(&json!({"alg": self.algorithm, "typ": "JWT", "kid": self.id}), claims)
    }

    /// A token with any header.
    pub fn token_with(&self, header: &Value, claims: &Value) -> Outcome<String> {
        let message = crate::token::unsigned(header, claims);
        let signature = self.sign(message.as_bytes()).map_err(unspecified)?;
        Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ec(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

fn unspecified(_: Unspecified) -> Failure {
    Failure::new("nothing could be signed")
}

fn unusable() -> Failure {
    Failure::new("a signing key is unusable")
}
