//! Verifying signatures with the runtime's own cryptography, so that the bundle carries none.
//!
//! Knows the algorithms of tokens; where keys come from and what is signed is known elsewhere.

use ordak_core::{
    envelope::Fault,
    jwks::PublicKey,
    token::{Algorithm, UnverifiedToken},
};
use web_sys::{Crypto, CryptoKey, SubtleCrypto};
use worker::{
    js_sys::{Array, JSON, Object, Reflect, global},
    wasm_bindgen::{JsCast, JsValue},
    wasm_bindgen_futures::JsFuture,
};

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
