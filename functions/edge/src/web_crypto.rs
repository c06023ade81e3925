//! Verifying signatures with the runtime's own cryptography, so that the bundle carries none.
//!
//! Knows the algorithms of tokens; where keys come from and what is signed is known elsewhere.

use crate::{
    border::{self, code},
    task::{Report, reported, settled},
};
use ordak_core::{
    envelope::Fault,
    jwks::PublicKey,
    secret::Secret,
    token::{Algorithm, UnverifiedToken},
};
use std::cell::RefCell;
use web_sys::{Crypto, CryptoKey, SubtleCrypto};
use worker::{
    js_sys::{Array, JSON, Object, Promise, Reflect, Uint8Array, global},
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
};

/// Keys for webhook signatures as the runtime holds them, prepared by the first request that needs them.
#[derive(Debug, Default)]
pub struct MacKeys(RefCell<Option<Array>>);

/// What came of a signature.
#[derive(Debug)]
pub enum Verdict {
    /// It is genuine.
    Signed(Signed),
    /// None of the secrets made it.
    Unsigned,
    /// There is no body to judge: it is too long.
    TooLong,
    /// There is no body to judge: it did not arrive whole.
    BrokenOff,
}

/// A body whose signature is genuine.
#[derive(Debug)]
pub struct Signed {
    /// The place of the secret that made it.
    pub place: usize,
    /// SHA-256 of the body.
    pub sha256: Vec<u8>,
    /// The body.
    pub body: Vec<u8>,
}

impl MacKeys {
    /// Tries all secrets on a body as soon as it has come; it need not be taken over for that. The secrets must be the same
    /// at every call.
    ///
    /// # Errors
    /// When the runtime has no such cryptography.
    pub async fn signer<'a>(
        &self,
        secrets: impl Iterator<Item = &'a Secret>,
        signature: &[u8],
        coming: &Promise,
    ) -> Result<Verdict, Fault> {
        let fault = |_: JsValue| Fault::internal("the runtime cannot verify signatures");
        let known = self.0.borrow().clone();
        let keys = match known {
            Some(keys) => keys,
            None => self.prepare(secrets).await.map_err(fault)?,
        };
        let Report { code, bytes, digest } =
            reported(|place, number| border::signer(place, number, &keys, signature, coming)).await;
        Ok(match code {
            code::BROKEN_OFF => Verdict::BrokenOff,
            code::TOO_LONG => Verdict::TooLong,
            code::UNSIGNED => Verdict::Unsigned,
            _ => {
                Verdict::Signed(Signed { place: (code - code::WHOLE) as usize, sha256: digest, body: bytes })
            }
        })
    }

    async fn prepare<'a>(&self, secrets: impl Iterator<Item = &'a Secret>) -> Result<Array, JsValue> {
        let secrets: Array =
            secrets.map(|secret| JsValue::from(Uint8Array::from(secret.expose().as_bytes()))).collect();
        let keys: Array = settled(&border::hmac_keys(&secrets)).await?.dyn_into()?;
        self.0.replace(Some(keys.clone()));
        Ok(keys)
    }
}

/// A public key as the runtime holds it.
#[derive(Clone, Debug)]
pub struct Verifier {
    key: CryptoKey,
    algorithm: Algorithm,
}

impl Verifier {
    /// Hands a key to the runtime.
    ///
    /// # Errors
    /// When the runtime has no such cryptography or takes the key for none: a point that is not on the curve.
    pub async fn import(key: &PublicKey) -> Result<Self, Fault> {
        let imported =
            import(key).await.map_err(|_| Fault::internal("a published key cannot be imported"))?;
        Ok(Self { key: imported, algorithm: key.algorithm })
    }

    /// Whether this key made the token's signature. Never for a token of another algorithm.
    pub async fn made(&self, token: &UnverifiedToken<'_>) -> bool {
        let verdict = verify(self, &token.signature, token.signed.as_bytes()).await;
        token.algorithm == self.algorithm && verdict.is_ok_and(|verdict| verdict.as_bool() == Some(true))
    }
}

async fn import(key: &PublicKey) -> Result<CryptoKey, JsValue> {
    let jwk: Object = JSON::parse(&key.to_jwk().to_string())?.dyn_into()?;
    let usages = Array::of1(&"verify".into());
    let imported =
        subtle()?.import_key_with_object("jwk", &jwk, &parameters(key.algorithm)?, false, &usages)?;
    JsFuture::from(imported).await?.dyn_into()
}

async fn verify(verifier: &Verifier, signature: &[u8], signed: &[u8]) -> Result<JsValue, JsValue> {
    let parameters = parameters(verifier.algorithm)?;
    let verdict = subtle()?.verify_with_object_and_u8_array_and_u8_array(
        &parameters,
        &verifier.key,
        signature,
        signed,
    )?;
    JsFuture::from(verdict).await
}

fn subtle() -> Result<SubtleCrypto, JsValue> {
    Ok(Reflect::get(&global(), &"crypto".into())?.dyn_into::<Crypto>()?.subtle())
}

fn parameters(algorithm: Algorithm) -> Result<Object, JsValue> {
    let named: &[(&str, &str)] = match algorithm {
        Algorithm::Es256 => &[("name", "ECDSA"), ("namedCurve", "P-256"), ("hash", "SHA-256")],
        Algorithm::Rs256 => &[("name", "RSASSA-PKCS1-v1_5"), ("hash", "SHA-256")],
        Algorithm::Hs256 => return Err(JsValue::UNDEFINED),
    };
    let parameters = Object::new();
    for (name, value) in named {
        Reflect::set(&parameters, &(*name).into(), &(*value).into())?;
    }
    Ok(parameters)
}
