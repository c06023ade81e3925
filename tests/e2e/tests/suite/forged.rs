//! Tokens that no project with published keys has issued: keys taken for what they are not, algorithms confused,
//! signatures cut, swapped and bent.

use crate::published_keys::with;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ordak_e2e::Outcome;
use ordak_e2e::delivery::mac;
use ordak_e2e::signing::SigningKey;
use ordak_e2e::stack::Stack;
use ordak_e2e::token::{self, unsigned};
use serde_json::{Value, json};

type Forged = Vec<(String, String)>;

/// All of them, by what is wrong with each. Keys: ES256, another ES256, RS256.
pub fn all(stack: &Stack, keys: [&SigningKey; 3], claims: &Value) -> Outcome<Forged> {
    let mut list = confused(stack, keys, claims)?;
    list.extend(bent(keys, claims)?);
    list.extend(said(keys, claims)?);
    Ok(list)
}

fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "JWT", "kid": kid})
}

fn hmac(header: &Value, claims: &Value, key: &[u8]) -> String {
    let message = unsigned(header, claims);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(mac(message.as_bytes(), key)))
}

/// One key or algorithm in place of another.
fn confused(stack: &Stack, [ours, standby, rsa]: [&SigningKey; 3], claims: &Value) -> Outcome<Forged> {
    let part = |key: &SigningKey, name: &str| {
        URL_SAFE_NO_PAD.decode(key.jwk[name].as_str().unwrap_or_default()).unwrap_or_default()
    };
    let point = [part(ours, "x"), part(ours, "y")].concat();
    let uncompressed = [vec![4], point.clone()].concat();
    let mut list: Forged = Vec::new();
    let mut add = |name: &str, token: String| list.push((name.to_owned(), token));
    for (name, kid, secret) in [
        ("the point", &ours.id, point),
        ("the uncompressed point", &ours.id, uncompressed),
        ("the key as it is published", &ours.id, ours.jwk.to_string().into_bytes()),
        ("the modulus", &rsa.id, part(rsa, "n")),
        ("the modulus as text", &rsa.id, rsa.jwk["n"].as_str().unwrap_or_default().as_bytes().to_vec()),
        ("the name of the key", &ours.id, ours.id.clone().into_bytes()),
        ("nothing", &ours.id, Vec::new()),
    ] {
        for alg in ["HS256", "ES256", "RS256"] {
            add(&format!("{alg}: an HMAC with {name}"), hmac(&header(alg, kid), claims, &secret));
        }
    }
    let secret = stack.jwt_secret.as_bytes();
    add("the shared secret, which is not asked for", hmac(&header("HS256", &ours.id), claims, secret));
    add("the shared secret as it comes", token::hs256(claims, &stack.jwt_secret));
    add("ES256 by name, the shared secret by signature", hmac(&header("ES256", &ours.id), claims, secret));
    for alg in ["none", "None", "NONE", ""] {
        add(&format!("alg {alg:?}"), format!("{}.", unsigned(&header(alg, &ours.id), claims)));
    }
    let stranger = SigningKey::fresh()?;
    add("a key that is not published", stranger.token(claims)?);
    for (name, signer, head) in [
        ("another's signature under a published name", &stranger, header("ES256", &ours.id)),
        ("one published key under another's name", standby, header("ES256", &ours.id)),
        ("RS256 under the name of an ES256 key", rsa, header("RS256", &ours.id)),
        ("ES256 under the name of an RS256 key", ours, header("ES256", &rsa.id)),
        ("ES256 that says RS256", ours, header("RS256", &ours.id)),
        ("RS256 that says ES256", rsa, header("ES256", &rsa.id)),
        ("RS256 that says PS256", rsa, header("PS256", &rsa.id)),
        ("ES256 that says ES384", ours, header("ES384", &ours.id)),
        ("ES256 that says EdDSA", ours, header("EdDSA", &ours.id)),
        ("in small letters", ours, header("es256", &ours.id)),
        ("no name of a key", ours, json!({"alg": "ES256", "typ": "JWT"})),
        ("an empty name", ours, header("ES256", "")),
        ("a name that is a path", ours, header("ES256", "../../../../dev/null")),
        ("a name that is a list", ours, json!({"alg": "ES256", "kid": [ours.id]})),
        ("a list of algorithms", ours, json!({"alg": ["ES256"], "kid": ours.id})),
        ("an extension", ours, json!({"alg": "ES256", "kid": ours.id, "crit": ["b64"], "b64": false})),
        (
            "its own key in the header",
            &stranger,
            json!({"alg": "ES256", "kid": ours.id, "jwk": stranger.jwk}),
        ),
        ("only its own key in the header", &stranger, json!({"alg": "ES256", "jwk": stranger.jwk})),
        (
            "an address of its own for keys",
            &stranger,
            json!({"alg": "ES256", "kid": stranger.id, "jku": "http://127.0.0.1:9/", "x5u": "http://127.0.0.1:9/"}),
        ),
    ] {
        add(name, signer.token_with(&head, claims)?);
    }
    Ok(list)
}

/// Signatures that are nearly right.
fn bent([ours, _, rsa]: [&SigningKey; 3], claims: &Value) -> Outcome<Forged> {
    let mut list: Forged = Vec::new();
    for key in [ours, rsa] {
        let good = key.token(claims)?;
        let (message, signature) = good.rsplit_once('.').unwrap_or_default();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let mut add = |name: &str, bytes: Vec<u8>| {
            let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(bytes));
            list.push((format!("{}: {name}", key.algorithm), token));
        };
        let half = signature.len() / 2;
        let (r, s) = signature.split_at(half);
        add("no signature", Vec::new());
        add("zeros", vec![0; signature.len()]);
        add("ones", [vec![0; half - 1], vec![1], vec![0; half - 1], vec![1]].concat());
        add("a byte less", signature[1..].to_vec());
        add("a byte more", [signature.as_slice(), &[0]].concat());
        add("a byte in front", [&[0], signature.as_slice()].concat());
        add("halves swapped", [s, r].concat());
        add("one half", r.to_vec());
        add("as DER", [&[0x30, 0x44, 0x02, 0x20], r, &[0x02, 0x20], s].concat());
        add("a megabyte", vec![7; 5_000]);
        for bit in (0..signature.len() * 8).step_by(signature.len() / 4) {
            let mut bytes = signature.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            add(&format!("bit {bit} turned"), bytes);
        }
        let admin = with(claims, &json!({"sub": "00000000-0000-4000-8000-000000000003"}));
        let stolen = unsigned(&header(key.algorithm, &key.id), &admin);
        list.push((
            "a signature of other claims".to_owned(),
            format!("{stolen}.{}", URL_SAFE_NO_PAD.encode(&signature)),
        ));
        list.push(("a part more".to_owned(), format!("{good}.x")));
        list.push(("padding".to_owned(), format!("{good}=")));
    }
    Ok(list)
}

/// Genuinely signed, and saying what must not be said.
fn said([ours, ..]: [&SigningKey; 3], claims: &Value) -> Outcome<Forged> {
    let changes = [
        json!({"exp": token::now() - 1}),
        json!({"exp": null}),
        json!({"exp": "2999-01-01"}),
        json!({"nbf": token::now() + 600}),
        json!({"aud": "anon"}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"iss": "https://other.supabase.co/auth/v1"}),
        json!({"iss": null}),
        json!({"role": "service_role"}),
        json!({"role": "anon"}),
        json!({"role": null}),
        json!({"sub": null}),
        json!({"sub": "me"}),
    ];
    let mut list: Forged = Vec::new();
    for change in changes {
        list.push((format!("says {change}"), ours.token(&with(claims, &change))?));
    }
    Ok(list)
}
