//! Tests: good tokens pass, forgeries of every kind do not.

use super::*;
use serde_json::json;

const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";
const NOW: i64 = 1_800_000_000;
const SUB: &str = "00000000-0000-4000-8000-000000000001";

fn rules() -> TokenRules {
    TokenRules::for_users_of("http://127.0.0.1:8781/", vec![Algorithm::Hs256])
}

fn good() -> Value {
    json!({
        "iss": "http://127.0.0.1:8781/auth/v1", "aud": "authenticated", "role": "authenticated",
        "sub": SUB, "iat": NOW - 10, "exp": NOW + 3600
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = good();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn signed(header: &str, payload: &str, secret: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

fn token(claims: &Value) -> String {
    signed(r#"{"alg":"HS256","typ":"JWT"}"#, &claims.to_string(), SECRET)
}

fn check(token: &str) -> Result<Claims, TokenError> {
    verify(token, &TokenKey::new(SECRET).unwrap(), &rules(), NOW)
}

#[test]
fn accepts_a_good_token_and_says_who_it_is() {
    assert_eq!(check(&token(&good())), Ok(Claims { sub: SUB.into(), role: "authenticated".into() }));
    assert!(check(&token(&with("aud", json!(["other", "authenticated"])))).is_ok());
    assert!(check(&token(&with("nbf", json!(NOW)))).is_ok());
}

#[test]
fn refuses_forged_headers() {
    let payload = good().to_string();
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS512"}"#,
        r#"{"alg":"RS256"}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","crit":["exp"]}"#,
        r#"{"typ":"JWT"}"#,
        "{}",
        "[]",
        "null",
        "nonsense",
        "",
    ] {
        assert!(check(&signed(header, &payload, SECRET)).is_err(), "{header}");
    }
}

#[test]
fn refuses_unsigned_and_wrongly_signed_tokens() {
    let good = token(&good());
    let (signed_part, signature) = good.rsplit_once('.').unwrap();
    assert_eq!(check(&format!("{signed_part}.")), Err(TokenError::Signature));
    let short = URL_SAFE_NO_PAD.encode(&URL_SAFE_NO_PAD.decode(signature).unwrap()[..31]);
    assert_eq!(check(&format!("{signed_part}.{short}")), Err(TokenError::Signature));
    assert_eq!(check(&format!("{signed_part}.{}", &signature[..42])), Err(TokenError::Malformed));
    for secret in ["", "another", "a-secret-of-at-least-thirty-two-character"] {
        let forged = signed(r#"{"alg":"HS256"}"#, &self::good().to_string(), secret);
        assert_eq!(check(&forged), Err(TokenError::Signature));
    }
    let stolen = token(&with("sub", json!("00000000-0000-4000-8000-000000000003")));
    let (admin, _) = stolen.rsplit_once('.').unwrap();
    assert_eq!(check(&format!("{admin}.{signature}")), Err(TokenError::Signature));
}

#[test]
fn refuses_every_flipped_bit_of_the_signature() {
    let good = token(&good());
    let (signed_part, signature) = good.rsplit_once('.').unwrap();
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    for bit in 0..256 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        let forged = format!("{signed_part}.{}", URL_SAFE_NO_PAD.encode(bad));
        assert_eq!(check(&forged), Err(TokenError::Signature));
    }
}

#[test]
fn refuses_what_is_not_a_token() {
    let good = token(&good());
    for text in ["", ".", "..", "...", "a.b.c", "a.b", "eyJ", "Bearer x", "é.é.é", "\0"] {
        assert!(check(text).is_err(), "{text}");
    }
    assert!(check(&format!("{good}=")).is_err());
    assert!(check(&format!("{good}.x")).is_err());
    assert!(check(&format!(" {good}")).is_err());
    assert_eq!(check(&"a".repeat(LONGEST + 1)), Err(TokenError::Missing));
    assert!(check(&signed(r#"{"alg":"HS256"}"#, &"[".repeat(4000), SECRET)).is_err());
}

#[test]
fn refuses_tokens_out_of_their_time() {
    for claims in [
        without("exp"),
        with("exp", json!(NOW)),
        with("exp", json!(NOW - 1)),
        with("exp", json!(0)),
        with("exp", json!(-1)),
        with("nbf", json!(NOW + 6)),
    ] {
        assert_eq!(check(&token(&claims)), Err(TokenError::Time), "{claims}");
    }
    for exp in [json!("9999999999"), json!(1e30), json!([NOW + 60])] {
        assert!(check(&token(&with("exp", exp))).is_err());
    }
}

#[test]
fn refuses_tokens_of_or_for_others() {
    for claims in [
        without("aud"),
        with("aud", Value::Null),
        with("aud", json!("")),
        with("aud", json!([])),
        with("aud", json!(["other"])),
        with("aud", json!({"a": "authenticated"})),
        with("aud", json!("authenticated ")),
        with("aud", json!("anon")),
        without("iss"),
        with("iss", json!("https://other.supabase.co/auth/v1")),
        with("iss", json!("supabase")),
        with("iss", json!("http://127.0.0.1:8781/auth/v1/")),
        without("sub"),
        with("sub", json!("")),
        with("sub", json!("me")),
        without("role"),
        with("role", json!("anon")),
        with("role", json!("service_role")),
        with("role", json!("postgres")),
        with("role", json!("")),
    ] {
        assert_eq!(check(&token(&claims)), Err(TokenError::Claims), "{claims}");
    }
    for (name, value) in [("sub", json!(1)), ("role", json!(["authenticated"])), ("iss", json!(1))] {
        assert!(check(&token(&with(name, value))).is_err());
    }
    assert!(
        check(&signed(
            r#"{"alg":"HS256"}"#,
            &good().to_string().replacen('{', r#"{"role":"anon","#, 1),
            SECRET
        ))
        .is_err()
    );
}

#[test]
fn the_service_key_is_not_a_user() {
    let service =
        json!({"iss": "supabase", "ref": "local", "role": "service_role", "iat": NOW, "exp": NOW + 3600});
    assert_eq!(check(&token(&service)), Err(TokenError::Claims));
}

#[test]
fn a_shared_secret_never_serves_a_project_with_public_keys() {
    let mut rules = rules();
    rules.algorithms = vec![Algorithm::Es256, Algorithm::Rs256];
    let key = TokenKey::new(SECRET).unwrap();
    assert_eq!(verify(&token(&good()), &key, &rules, NOW), Err(TokenError::Algorithm));
    for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"RS256"}"#] {
        let confused = signed(header, &good().to_string(), SECRET);
        assert_eq!(verify(&confused, &key, &rules, NOW), Err(TokenError::Signature));
        let apart = take_apart(&confused, &rules, NOW).unwrap();
        assert_eq!(apart.clone().accept(false), Err(TokenError::Signature));
        assert!(apart.accept(true).is_ok());
    }
}

#[test]
fn a_project_may_accept_several_algorithms_and_no_others() {
    let mut rules = rules();
    rules.algorithms = vec![Algorithm::Hs256, Algorithm::Es256];
    let key = TokenKey::new(SECRET).unwrap();
    assert!(verify(&token(&good()), &key, &rules, NOW).is_ok());
    let apart = |header: &str| {
        let text = signed(header, &good().to_string(), SECRET);
        take_apart(&text, &rules, NOW).map(|token| (token.algorithm, token.key_id))
    };
    let named = apart(r#"{"alg":"ES256","kid":"k"}"#);
    assert_eq!(named, Ok((Algorithm::Es256, Some("k".into()))));
    assert_eq!(apart(r#"{"alg":"RS256","kid":"k"}"#), Err(TokenError::Algorithm));
    rules.algorithms.clear();
    assert_eq!(verify(&token(&good()), &key, &rules, NOW), Err(TokenError::Algorithm));
}

#[test]
fn what_a_token_says_is_refused_before_any_key_is_needed() {
    let mut rules = rules();
    rules.algorithms = vec![Algorithm::Es256];
    for claims in [without("exp"), with("aud", json!("anon")), with("iss", json!("x")), without("sub")] {
        let text = signed(r#"{"alg":"ES256","kid":"k"}"#, &claims.to_string(), SECRET);
        assert!(take_apart(&text, &rules, NOW).is_err(), "{claims}");
    }
}

#[test]
fn a_blank_secret_is_no_key_and_no_key_is_printed() {
    assert!(TokenKey::new("").is_none() && TokenKey::new("  ").is_none());
    assert!(!format!("{:?}", TokenKey::new(SECRET)).contains("secret"));
}

#[test]
fn finds_the_bearer_token() {
    assert_eq!(bearer("Bearer abc"), Some("abc"));
    assert_eq!(bearer("bearer   abc "), Some("abc"));
    for header in ["", "Bearer", "Bearer ", "Basic abc", "abc", "Bearerabc"] {
        assert_eq!(bearer(header), None, "{header:?}");
    }
}
