//! The forgeries: what each sends, and what the REST server may make of it.
//!
//! Every one of them must be a 401 at the edge. PostgREST looks at less: it checks the signature and the times, and
//! takes whoever the claims name. What it lets through is said beside each forgery.

use crate::{claimed, keyed};
use anyhow::Result;
use ordak_security::jwt::{self, HEADER, hs256};
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use serde_json::json;

/// What the REST server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRest {
    /// 401: the token is refused, or there is none and the public role may do nothing.
    Refused,
    /// The signature is genuine and the token is no user token: whoever it names, it is answered as a stranger.
    Stranger,
    /// PostgREST has no reason to refuse it: answered as the member of staff that it names, and as nobody else.
    Staff(&'static str),
    /// It is not asked: this is no forgery there, or an honest token in a form that servers read differently.
    EdgeOnly(&'static str),
}

/// One attempt.
pub struct Forgery {
    /// What is wrong with it.
    pub name: String,
    /// The headers that it sends.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Appended to the address, at the edge alone: a REST server takes a parameter that it does not know for a filter.
    pub query: String,
    /// What the REST server does with it.
    pub at_rest: AtRest,
    /// The token itself is honest: of a person who has no rights. The edge may answer 403.
    pub known_person: bool,
}

/// All of them.
pub fn all(stack: &Stack) -> Result<Vec<Forgery>> {
    let keys = keyed::of_project()?;
    let mut list = signatures(stack);
    list.extend(garbage(stack));
    list.extend(keyed::all(stack, &keys)?);
    let [ours, ..] = &keys;
    list.extend(claimed::all(stack, "HS256", &|claims| Ok(jwt::honest(claims, &stack.jwt_secret)))?);
    list.extend(claimed::all(stack, "ES256", &|claims| {
        keyed::signed(ours, &keyed::header_of(ours), claims)
    })?);
    list.extend(claimed::by_text(stack));
    list.extend(placement(stack));
    Ok(list)
}

/// A token where it belongs.
pub fn bearer(name: impl Into<String>, token: impl AsRef<[u8]>, at_rest: AtRest) -> Forgery {
    let value = [b"Bearer ".as_slice(), token.as_ref()].concat();
    headers(name, &[("Authorization", &value)], at_rest)
}

fn headers(name: impl Into<String>, headers: &[(&str, &[u8])], at_rest: AtRest) -> Forgery {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
    Forgery { name: name.into(), headers, query: String::new(), at_rest, known_person: false }
}

/// Tokens that nobody with the key has signed. All of them claim to be the Admin or the service role.
fn signatures(stack: &Stack) -> Vec<Forgery> {
    let admin = Actor::Admin.claims(stack).to_string();
    let service = Actor::Service.claims(stack).to_string();
    let honest = Actor::Admin.token(stack);
    let (input, signature) = honest.rsplit_once('.').unwrap_or_default();
    let secret = stack.jwt_secret.as_bytes();
    let refused = |name: &str, token: String| bearer(name, token, AtRest::Refused);
    let unsigned = |header: &str| format!("{}.", jwt::signing_input(header, &admin));

    let mut list: Vec<Forgery> = ["none", "None", "NONE", "nOnE", "none ", ""]
        .iter()
        .map(|alg| {
            refused(
                &format!("alg {alg:?}, unsigned"),
                unsigned(&json!({"alg": alg, "typ": "JWT"}).to_string()),
            )
        })
        .collect();
    for header in
        [r#"{"alg":null}"#, r#"{"alg":["HS256"]}"#, r#"{"alg":0}"#, r#"{"typ":"JWT"}"#, "{}", "null", "[]"]
    {
        list.push(refused(&format!("header {header}, unsigned"), unsigned(header)));
    }
    for alg in ["RS256", "ES256", "PS256", "EdDSA", "HS256 ", "hs256"] {
        let header = json!({"alg": alg, "typ": "JWT"}).to_string();
        list.push(refused(
            &format!("alg {alg:?} over an HMAC by the right key"),
            hs256(&header, &admin, secret),
        ));
    }
    let key_in_header = json!({"alg": "HS256", "jwk": {"kty": "oct", "k": jwt::encode("mine")}, "jku": "http://127.0.0.1:9/"});
    let by_kid = |kid: &str| json!({"alg": "HS256", "typ": "JWT", "kid": kid}).to_string();
    list.extend([
        refused("HS384 with the right key", jwt::hs384(&admin, secret)),
        refused("HS512 with the right key", jwt::hs512(&admin, secret)),
        refused("no signature", unsigned(HEADER)),
        refused("no signature and no dot", jwt::signing_input(HEADER, &admin)),
        refused("signature of zeros", format!("{input}.{}", jwt::encode([0u8; 32]))),
        refused("signature cut to 31 bytes", format!("{input}.{}", signature.get(..42).unwrap_or_default())),
        refused("signature with a byte more", format!("{input}.{signature}AA")),
        refused(
            "signature of another token",
            format!("{}.{signature}", jwt::signing_input(HEADER, &service)),
        ),
        refused("a hash for a signature", jwt::hashed(HEADER, &admin)),
        refused("signed with an empty key", hs256(HEADER, &admin, b"")),
        refused("signed with a guess", hs256(HEADER, &admin, b"secret")),
        refused(
            "signed with the public key of the project",
            hs256(HEADER, &admin, stack.anon_key.as_bytes()),
        ),
        refused("signed with the issuer's address", hs256(HEADER, &admin, stack.issuer().as_bytes())),
        refused(
            "signed with the key decoded from base64",
            hs256(HEADER, &admin, &jwt::decoded(&stack.jwt_secret)),
        ),
        refused("service role, signed with a guess", hs256(HEADER, &service, b"super-secret-jwt-token")),
        refused("its own key in the header", hs256(&key_in_header.to_string(), &admin, b"mine")),
        refused("kid names an empty file", hs256(&by_kid("../../../../dev/null"), &admin, b"")),
        refused("kid is SQL", hs256(&by_kid("' union select 'mine' --"), &admin, b"mine")),
        refused("kid is a command", hs256(&by_kid("|echo mine"), &admin, b"mine")),
    ]);
    list
}

/// Things that are not tokens.
fn garbage(stack: &Stack) -> Vec<Forgery> {
    let honest = Actor::Admin.token(stack);
    let claims = Actor::Admin.claims(stack).to_string();
    let parts: Vec<&str> = honest.split('.').collect();
    let [head, body, signature] = parts.as_slice() else { return Vec::new() };
    let key = stack.jwt_secret.as_bytes();
    let long =
        json!({"sub": Actor::Admin.user(), "role": "authenticated", "pad": "x".repeat(6_000)}).to_string();
    let mut list: Vec<Forgery> = [
        ("empty", String::new()),
        ("one dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("a thousand dots", ".".repeat(1000)),
        ("words", "let me in".to_owned()),
        ("only the claims", (*body).to_owned()),
        ("four parts", format!("{honest}.{signature}")),
        ("parts swapped", format!("{body}.{head}.{signature}")),
        ("standard base64 with padding", format!("{honest}=")),
        ("a quote", format!("{honest}'")),
        ("claims that are a list", hs256(HEADER, "[]", key)),
        ("claims that are null", hs256(HEADER, "null", key)),
        ("claims that are no JSON", hs256(HEADER, "{\"role\":", key)),
        ("claims that nest 100 000 deep", hs256(HEADER, &"[".repeat(5_000), key)),
        ("six kilobytes, signed with a guess", hs256(HEADER, &long, b"guess")),
        ("a header that is no JSON", hs256("alg=HS256", &claims, key)),
        ("an older key of a hosted project", "sb_secret_0000000000000000000000000000000_00000000".to_owned()),
    ]
    .into_iter()
    .map(|(name, token)| bearer(format!("garbage: {name}"), token, AtRest::Refused))
    .collect();
    list.push(bearer("garbage: unicode", "Ａdmin.ＪＷＴ.✓".as_bytes(), AtRest::Refused));
    list.push(bearer(
        "garbage: bytes that are no UTF-8",
        [0xff, 0xfe, b'.', 0x80, b'.', 0xc3],
        AtRest::Refused,
    ));
    list
}

/// Honest tokens of an Admin where no token is looked for.
fn placement(stack: &Stack) -> Vec<Forgery> {
    let token = Actor::Admin.token(stack);
    let value = token.as_bytes();
    let bearer_value = format!("Bearer {token}");
    let with_scheme = |scheme: &str| format!("{scheme}{token}").into_bytes();
    let encoded = format!("Bearer {}", token.replace('.', "%2E"));
    let spaced = format!("Bearer {}", token.replacen('.', ". ", 1));
    let read_differently = AtRest::EdgeOnly("an honest token; servers differ in what they take for a space");
    let mut list = vec![
        headers("nothing at all", &[], AtRest::Refused),
        headers("token in apikey", &[("apikey", value)], AtRest::Refused),
        headers("token in X-Authorization", &[("X-Authorization", bearer_value.as_bytes())], AtRest::Refused),
        headers(
            "token in Proxy-Authorization",
            &[("Proxy-Authorization", bearer_value.as_bytes())],
            AtRest::Refused,
        ),
        headers("token in a cookie", &[("Cookie", &with_scheme("sb-access-token="))], AtRest::Refused),
        headers("token without a scheme", &[("Authorization", value)], AtRest::Refused),
        headers("scheme Basic", &[("Authorization", &with_scheme("Basic "))], AtRest::Refused),
        headers("scheme Token", &[("Authorization", &with_scheme("Token "))], AtRest::Refused),
        headers("no space after the scheme", &[("Authorization", &with_scheme("Bearer"))], AtRest::Refused),
        headers("the scheme twice", &[("Authorization", &with_scheme("Bearer Bearer "))], AtRest::Refused),
        headers("a scheme without a token", &[("Authorization", b"Bearer ")], AtRest::Refused),
        headers(
            "the token in quotes",
            &[("Authorization", format!("Bearer \"{token}\"").as_bytes())],
            AtRest::Refused,
        ),
        headers("dots written as %2E", &[("Authorization", encoded.as_bytes())], AtRest::Refused),
        headers(
            "a zero-width space before it",
            &[("Authorization", &with_scheme("Bearer \u{200b}"))],
            AtRest::Refused,
        ),
        headers("a space within", &[("Authorization", spaced.as_bytes())], AtRest::Refused),
        headers("a tab for the space", &[("Authorization", &with_scheme("Bearer\t"))], read_differently),
        headers(
            "a no-break space for the space",
            &[("Authorization", &with_scheme("Bearer\u{a0}"))],
            read_differently,
        ),
        headers(
            "two tokens",
            &[("Authorization", format!("Bearer {token}, Bearer {token}").as_bytes())],
            AtRest::Refused,
        ),
        headers(
            "identity headers of a proxy",
            &[("X-User-Id", Actor::Admin.user().unwrap_or_default().as_bytes()), ("X-Role", b"service_role")],
            AtRest::Refused,
        ),
    ];
    let mut query = headers("token in the query", &[], AtRest::Refused);
    query.query = format!("access_token={token}");
    list.push(query);
    list
}
