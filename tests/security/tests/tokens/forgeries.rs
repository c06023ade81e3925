//! The forgeries: what each sends, and what the REST server may make of it.
//!
//! Every one of them must be a 401 at the edge. PostgREST looks at less: it checks the signature and the times, and
//! takes whoever the claims name. What it lets through is said beside each forgery.

use ordak_security::jwt::{self, HEADER, hs256};
use ordak_security::people::{Actor, HOUR, now, user_claims};
use ordak_security::stack::Stack;
use serde_json::{Value, json};

/// What the REST server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AtRest {
    /// 401: the token is refused, or there is none and the public role may do nothing.
    Refused,
    /// The signature is genuine and the token is no user token: whoever it names, it is answered as a stranger.
    Stranger,
    /// PostgREST has no reason to refuse it: answered as the member of staff that it names, and as nobody else.
    Staff(&'static str),
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
pub fn all(stack: &Stack) -> Vec<Forgery> {
    let mut list = signatures(stack);
    list.extend(garbage(stack));
    list.extend(claims(stack));
    list.extend(placement(stack));
    list
}

fn bearer(name: impl Into<String>, token: impl AsRef<[u8]>, at_rest: AtRest) -> Forgery {
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

/// Tokens that are genuinely signed and say something that they must not. The edge refuses every one.
fn claims(stack: &Stack) -> Vec<Forgery> {
    let staff = Actor::Staff.user().unwrap_or_default();
    let sign = |claims: &Value| jwt::honest(claims, &stack.jwt_secret);
    let with = |name: &str, value: Value| {
        let mut claims = user_claims(stack, staff);
        claims[name] = value;
        claims
    };
    let without = |name: &str| {
        let mut claims = user_claims(stack, staff);
        claims.as_object_mut().map(|claims| claims.remove(name));
        claims
    };
    let other_issuer = json!("https://abcdefghijklmnopqrst.supabase.co/auth/v1");
    let text = user_claims(stack, staff).to_string();
    let doubled = text.replacen('{', r#"{"role":"anon","#, 1);
    let key = stack.jwt_secret.as_bytes();
    let no_issuer =
        AtRest::Staff("PostgREST checks no issuer; a project has its own key, so its signature says as much");
    let list = [
        ("expired", with("exp", json!(now() - 1)), AtRest::Refused),
        ("expired in 1970", with("exp", json!(0)), AtRest::Refused),
        ("expires as a text", with("exp", json!((now() + HOUR).to_string())), AtRest::Refused),
        ("expires as a list", with("exp", json!([now() + HOUR])), AtRest::Refused),
        ("never expires", without("exp"), AtRest::Stranger),
        ("expiry null", with("exp", Value::Null), AtRest::Stranger),
        (
            "expires after the end of time",
            with("exp", json!(1e300)),
            AtRest::Staff("PostgREST takes any number"),
        ),
        ("not valid yet", with("nbf", json!(now() + HOUR)), AtRest::Refused),
        ("not before as a text", with("nbf", json!("tomorrow")), AtRest::Refused),
        ("no audience", without("aud"), AtRest::Stranger),
        ("audience null", with("aud", Value::Null), AtRest::Stranger),
        ("audience empty", with("aud", json!("")), AtRest::Stranger),
        ("audience another", with("aud", json!("anon")), AtRest::Stranger),
        ("audience a list of none", with("aud", json!([])), AtRest::Stranger),
        ("audience a list of others", with("aud", json!(["a", "b"])), AtRest::Stranger),
        ("audience an object", with("aud", json!({"authenticated": true})), AtRest::Refused),
        ("audience a number", with("aud", json!(1)), AtRest::Refused),
        ("no issuer", without("iss"), no_issuer),
        ("another project", with("iss", other_issuer), no_issuer),
        ("issuer with a slash", with("iss", json!(format!("{}/", stack.issuer()))), no_issuer),
        ("no user", without("sub"), AtRest::Stranger),
        ("user is empty", with("sub", json!("")), AtRest::Stranger),
        ("user is unknown", with("sub", json!("00000000-0000-4000-8000-0000000000ff")), AtRest::Stranger),
        ("user left", with("sub", json!(Actor::Inactive.user())), AtRest::Stranger),
        ("user is no staff", with("sub", json!(Actor::Stranger.user())), AtRest::Stranger),
        ("role anon", with("role", json!("anon")), AtRest::Refused),
        ("role postgres", with("role", json!("postgres")), AtRest::Refused),
        ("role supabase_admin", with("role", json!("supabase_admin")), AtRest::Refused),
        ("role authenticator", with("role", json!("authenticator")), AtRest::Refused),
        ("role none", with("role", json!("none")), AtRest::Refused),
        ("role that is SQL", with("role", json!("authenticated; set role postgres")), AtRest::Refused),
        ("no role", without("role"), AtRest::Refused),
        ("role a list", with("role", json!(["authenticated"])), AtRest::Refused),
    ];
    let mut list: Vec<Forgery> =
        list.into_iter().map(|(name, claims, at_rest)| bearer(name, sign(&claims), at_rest)).collect();
    for forgery in &mut list {
        forgery.known_person =
            ["user is unknown", "user left", "user is no staff"].contains(&forgery.name.as_str());
    }
    let last_wins =
        AtRest::Staff("of two equal claims PostgREST takes the last, which is the honest one here");
    list.push(bearer("role given twice", hs256(HEADER, &doubled, key), last_wins));
    let crit = r#"{"alg":"HS256","typ":"JWT","crit":["b64"],"b64":false}"#;
    list.push(bearer(
        "an extension that must be understood",
        hs256(crit, &text, key),
        AtRest::Staff("the key is the right one; extensions are not looked at"),
    ));
    list.push(bearer("the public key", &stack.anon_key, AtRest::Refused));
    list
}

/// Honest tokens of an Admin where no token is looked for.
fn placement(stack: &Stack) -> Vec<Forgery> {
    let token = Actor::Admin.token(stack);
    let value = token.as_bytes();
    let bearer_value = format!("Bearer {token}");
    let with_scheme = |scheme: &str| format!("{scheme}{token}").into_bytes();
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
