//! The local project's signing keys, in the file and the shape of the Supabase CLI. They open nothing but stacks on one
//! machine. The first is in use, the second stands by, the third is for projects that sign with RSA.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

const FILE: &str = include_str!("../../supabase/signing_keys.json");
/// What of a key anybody may know.
const PUBLIC: [&str; 9] = ["kty", "kid", "use", "alg", "crv", "x", "y", "n", "e"];

/// The key set that a project publishes.
pub fn published() -> Result<Value> {
    Ok(json!({ "keys": public_keys()? }))
}

/// What a project's REST server verifies with: the published keys and, as older tokens need it, the shared secret.
pub fn verifying(secret: &str) -> Result<Value> {
    let mut keys = public_keys()?;
    keys.push(json!({ "kty": "oct", "alg": "HS256", "use": "sig", "k": URL_SAFE_NO_PAD.encode(secret) }));
    Ok(json!({ "keys": keys }))
}

fn public_keys() -> Result<Vec<Value>> {
    let keys: Vec<Map<String, Value>> =
        serde_json::from_str(FILE).context("supabase/signing_keys.json is no list of keys")?;
    Ok(keys.into_iter().map(public).collect())
}

fn public(key: Map<String, Value>) -> Value {
    let mut key: Map<String, Value> =
        key.into_iter().filter(|(name, _)| PUBLIC.contains(&name.as_str())).collect();
    key.insert("key_ops".to_owned(), json!(["verify"]));
    Value::Object(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publishes_three_keys_and_nothing_private() {
        let published = published().unwrap();
        let keys = published["keys"].as_array().unwrap();
        let kinds: Vec<&str> = keys.iter().map(|key| key["alg"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["ES256", "ES256", "RS256"]);
        for key in keys {
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(key.get(private).is_none(), "{private}");
            }
        }
    }

    #[test]
    fn the_rest_server_verifies_with_the_shared_secret_as_well() {
        let keys = verifying("secret").unwrap();
        assert_eq!(keys["keys"][3]["k"], "c2VjcmV0");
        assert_eq!(keys["keys"].as_array().unwrap().len(), 4);
    }
}
