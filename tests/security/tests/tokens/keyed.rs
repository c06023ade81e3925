//! Forgeries against published keys: a public key taken for a secret, one key or algorithm for another, keys that the
//! token brings along, signatures that are nearly right.
//!
//! The stack takes both kinds of tokens, as a project does that moves from a shared secret to published keys: that is
//! where algorithms can be confused.

use crate::forgeries::{AtRest, Forgery, bearer};
use anyhow::{Result, anyhow};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ordak_e2e::signing::SigningKey;
use ordak_security::jwt::{self, hs256};
use ordak_security::people::{Actor, user_claims};
use ordak_security::stack::Stack;
use serde_json::{Value, json};

/// The keys of the project: ES256, another ES256, RS256.
pub type Keys = [SigningKey; 3];

const ANY_KEY: AtRest = AtRest::Staff("one of the project's keys has signed it; PostgREST asks no more");

/// The private keys that belong to what the project publishes.
pub fn of_project() -> Result<Keys> {
    SigningKey::of_project().map_err(|error| anyhow!("{error:?}"))
}

/// All of them. Those that nobody with a key has signed claim to be the Admin.
pub fn all(stack: &Stack, keys: &Keys) -> Result<Vec<Forgery>> {
    let mut list = confused(stack, keys);
    list.extend(misnamed(stack, keys)?);
    list.extend(bent(stack, keys)?);
    Ok(list)
}

/// A token by a key, under any header.
pub fn signed(key: &SigningKey, header: &Value, claims: &Value) -> Result<String> {
    key.token_with(header, claims).map_err(|error| anyhow!("{error:?}"))
}

/// The header of an honest token of a key.
pub fn header_of(key: &SigningKey) -> Value {
    header(key.algorithm, &key.id)
}

fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "JWT", "kid": kid})
}

fn part(key: &SigningKey, name: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(key.jwk[name].as_str().unwrap_or_default()).unwrap_or_default()
}

/// HMACs whose secret is what everybody may read of a key.
fn confused(stack: &Stack, [ours, _, rsa]: &Keys) -> Vec<Forgery> {
    let admin = Actor::Admin.claims(stack).to_string();
    let point = [part(ours, "x"), part(ours, "y")].concat();
    let uncompressed = [vec![4], point.clone()].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        ours.jwk["x"].as_str().unwrap_or_default()
    );
    let secrets = [
        ("the point", ours, point),
        ("the uncompressed point", ours, uncompressed),
        ("the key as it is published", ours, ours.jwk.to_string().into_bytes()),
        (
            "the key set as it is published",
            ours,
            json!({"keys": [ours.jwk, rsa.jwk]}).to_string().into_bytes(),
        ),
        ("something like PEM", ours, pem.into_bytes()),
        ("the modulus", rsa, part(rsa, "n")),
        ("the modulus as text", rsa, rsa.jwk["n"].as_str().unwrap_or_default().as_bytes().to_vec()),
        ("the name of the key", ours, ours.id.clone().into_bytes()),
        ("nothing", ours, Vec::new()),
        ("nothing", rsa, Vec::new()),
    ];
    let mut list = Vec::new();
    for (name, key, secret) in &secrets {
        for head in [header("HS256", &key.id), json!({"alg": "HS256"}), header_of(key)] {
            let token = hs256(&head.to_string(), &admin, secret);
            list.push(bearer(format!("{head}: an HMAC with {name}"), token, AtRest::Refused));
        }
    }
    for key in [ours, rsa] {
        let named = header_of(key);
        let secret = stack.jwt_secret.as_bytes();
        list.push(bearer(
            format!("{} by name, the shared secret by signature", key.algorithm),
            hs256(&named.to_string(), &admin, secret),
            AtRest::Refused,
        ));
        for alg in ["none", "NONE", ""] {
            let input = jwt::signing_input(&header(alg, &key.id).to_string(), &admin);
            list.push(bearer(format!("alg {alg:?} under {}", key.id), format!("{input}."), AtRest::Refused));
        }
    }
    list
}

/// Real signatures under the wrong name, algorithm or header.
fn misnamed(stack: &Stack, [ours, standby, rsa]: &Keys) -> Result<Vec<Forgery>> {
    let admin = Actor::Admin.claims(stack);
    let staff = user_claims(stack, Actor::Staff.user().unwrap_or_default());
    let stranger = SigningKey::fresh().map_err(|error| anyhow!("{error:?}"))?;
    let brought = |more: Value| {
        let mut head = header("ES256", &ours.id);
        if let (Value::Object(head), Value::Object(more)) = (&mut head, more) {
            head.extend(more);
        }
        head
    };
    let nobodys = [
        ("a key that is not published", header_of(&stranger)),
        ("a stranger's signature under a published name", header("ES256", &ours.id)),
        ("a stranger's signature without a name", json!({"alg": "ES256"})),
        ("a name that is a path", header("ES256", "../../../../dev/null")),
        ("a name that is an address", header("ES256", "http://127.0.0.1:9/key")),
        ("a name that is SQL", header("ES256", "' or true --")),
        ("its own key in the header", brought(json!({"jwk": stranger.jwk}))),
        ("only its own key in the header", json!({"alg": "ES256", "jwk": stranger.jwk})),
        ("an address for keys", brought(json!({"jku": "http://127.0.0.1:9/jwks.json"}))),
        ("an address for certificates", brought(json!({"x5u": "http://127.0.0.1:9/cert.pem"}))),
        ("a certificate", brought(json!({"x5c": ["MIIB"], "x5t": "AAAA"}))),
    ];
    let mut list = Vec::new();
    for (name, head) in nobodys {
        list.push(bearer(name, signed(&stranger, &head, &admin)?, AtRest::Refused));
    }
    let wrong = [
        ("ES256 that says RS256", ours, header("RS256", &ours.id)),
        ("ES256 under the name of the RS256 key", ours, header("RS256", &rsa.id)),
        ("RS256 that says ES256", rsa, header("ES256", &rsa.id)),
        ("RS256 under the name of an ES256 key", rsa, header("ES256", &ours.id)),
        ("RS256 that says PS256", rsa, header("PS256", &rsa.id)),
        ("RS256 that says RS512", rsa, header("RS512", &rsa.id)),
        ("ES256 that says ES384", ours, header("ES384", &ours.id)),
        ("ES256 that says HS256", ours, header("HS256", &ours.id)),
        ("ES256 in small letters", ours, header("es256", &ours.id)),
        ("a list of algorithms", ours, json!({"alg": ["ES256"], "kid": ours.id})),
    ];
    for (name, key, head) in wrong {
        list.push(bearer(name, signed(key, &head, &admin)?, AtRest::Refused));
    }
    // Genuine in a way: the edge wants to know which key it was, PostgREST does not.
    let loose = [
        ("one published key under another's name", standby, header("ES256", &ours.id)),
        ("a published key under an unknown name", ours, header("ES256", "nobody")),
        ("a published key without a name", ours, json!({"alg": "ES256", "typ": "JWT"})),
        ("a published key with an empty name", ours, header("ES256", "")),
        ("a published key with a list of names", ours, json!({"alg": "ES256", "kid": [ours.id]})),
        ("a published key and an extension", ours, brought(json!({"crit": ["b64"], "b64": false}))),
    ];
    for (name, key, head) in loose {
        list.push(bearer(name, signed(key, &head, &staff)?, ANY_KEY));
    }
    Ok(list)
}

/// Signatures that are nearly right.
fn bent(stack: &Stack, [ours, _, rsa]: &Keys) -> Result<Vec<Forgery>> {
    let admin = Actor::Admin.claims(stack);
    let staff = user_claims(stack, Actor::Staff.user().unwrap_or_default());
    let mut list = Vec::new();
    for key in [ours, rsa] {
        let honest = signed(key, &header_of(key), &staff)?;
        let signature = URL_SAFE_NO_PAD.decode(honest.rsplit('.').next().unwrap_or_default())?;
        let stolen = jwt::signing_input(&header_of(key).to_string(), &admin.to_string());
        let (message, _) = honest.rsplit_once('.').unwrap_or_default();
        let (r, s) = signature.split_at(signature.len() / 2);
        let mut flipped = signature.clone();
        if let Some(byte) = flipped.last_mut() {
            *byte ^= 1;
        }
        for (name, message, bytes) in [
            ("of other claims", stolen.as_str(), signature.clone()),
            ("missing", message, Vec::new()),
            ("of zeros", message, vec![0; signature.len()]),
            ("of 0xff", message, vec![255; signature.len()]),
            ("a byte short", message, signature.iter().skip(1).copied().collect()),
            ("a byte long", message, [signature.as_slice(), &[0]].concat()),
            ("in swapped halves", message, [s, r].concat()),
            ("in half", message, r.to_vec()),
            ("as DER", message, [&[0x30, 0x44, 0x02, 0x20], r, &[0x02, 0x20], s].concat()),
            ("with one bit turned", message, flipped),
        ] {
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes));
            list.push(bearer(format!("{}: a signature {name}", key.algorithm), token, AtRest::Refused));
        }
        list.push(bearer(format!("{}: a part more", key.algorithm), format!("{honest}.x"), AtRest::Refused));
    }
    Ok(list)
}
