//! Tests: whose secret a signature is by, and which are none.

use super::*;

const BODY: &[u8] = br#"{"id":820982911946154508}"#;

fn shared(list: &str) -> SigningSecrets {
    SigningSecrets::new(Some(list), &[])
}

#[test]
fn signs_as_rfc_4231_says() {
    let made = sign("Jefe", b"what do ya want for nothing?");
    let rfc_4231 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(crate::content::hex(&STANDARD.decode(made).unwrap()), rfc_4231);
}

#[test]
fn accepts_its_own_signature() {
    let verified = shared("hush").verify(Some(&sign("hush", BODY)), BODY);
    assert_eq!(verified, Ok(VerifiedBy::Shared));
}

#[test]
fn a_place_among_the_secrets_is_that_of_whoever_signs_with_it() {
    let own = [("bannos".into(), "b1, b2".into()), ("flourlane".into(), "f".into())];
    let secrets = SigningSecrets::new(Some("new,old"), &own);
    let listed: Vec<&str> = secrets.secrets().map(Secret::expose).collect();
    assert_eq!(listed, ["b1", "b2", "f", "new", "old"]);
    for (place, secret) in listed.iter().enumerate() {
        assert_eq!(secrets.verify(Some(&sign(secret, BODY)), BODY).ok(), secrets.whose(place));
    }
    assert_eq!(secrets.whose(listed.len()), None);
}

#[test]
fn signs_as_the_shop_of_a_store() {
    let secrets = SigningSecrets::new(Some("new,old"), &[("bannos".into(), "own".into())]);
    assert_eq!(secrets.sign_as("flourlane", BODY), Some(sign("new", BODY)));
    assert_eq!(secrets.sign_as("bannos", BODY), Some(sign("own", BODY)));
    assert_eq!(SigningSecrets::new(None, &[("a".into(), "own".into())]).sign_as("b", BODY), None);
}

#[test]
fn refuses_every_single_flipped_bit() {
    let secrets = shared("hush");
    let good = STANDARD.decode(sign("hush", BODY)).unwrap();
    for bit in 0..256 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(
            secrets.verify(Some(&STANDARD.encode(&bad)), BODY),
            Err(SignatureError::Mismatch),
            "bit {bit}"
        );
    }
}

#[test]
fn refuses_a_body_that_differs_by_one_bit() {
    let secrets = shared("hush");
    let signature = sign("hush", BODY);
    for bit in 0..BODY.len() * 8 {
        let mut body = BODY.to_vec();
        body[bit / 8] ^= 1 << (bit % 8);
        assert!(secrets.verify(Some(&signature), &body).is_err());
    }
}

#[test]
fn refuses_a_body_that_was_serialised_again() {
    let signature = sign("hush", br#"{"id": 1, "note": "\u00e9"}"#);
    assert!(shared("hush").verify(Some(&signature), "{\"id\":1,\"note\":\"é\"}".as_bytes()).is_err());
}

#[test]
fn refuses_odd_base64() {
    let secrets = shared("hush");
    let good = sign("hush", BODY);
    let trailing_bits = format!("{}{}=", &good[..42], (good.as_bytes()[42] + 1) as char);
    let odd = [
        String::new(),
        " ".into(),
        good.trim_end_matches('=').into(),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        format!("{}\u{e9}", &good[..42]),
        good.replace('=', "\0"),
        trailing_bits,
        STANDARD.encode([0u8; 31]),
        STANDARD.encode([0u8; 33]),
        "=".repeat(44),
        "A".repeat(44),
        "A".repeat(1 << 16),
        format!("sha256={good}"),
        crate::content::hex(&STANDARD.decode(&good).unwrap()),
    ];
    for signature in odd {
        assert!(secrets.verify(Some(&signature), BODY).is_err(), "{signature:?}");
    }
    assert_eq!(secrets.verify(None, BODY), Err(SignatureError::Missing));
}

#[test]
fn refuses_the_url_safe_alphabet() {
    let secrets = shared("hush");
    let (body, good) = (0u32..)
        .map(|n| n.to_string())
        .map(|body| (sign("hush", body.as_bytes()), body))
        .find_map(|(signature, body)| signature.contains('+').then_some((body, signature)))
        .unwrap();
    assert!(secrets.verify(Some(&good), body.as_bytes()).is_ok());
    assert_eq!(
        secrets.verify(Some(&good.replace('+', "-").replace('/', "_")), body.as_bytes()),
        Err(SignatureError::Malformed)
    );
}

#[test]
fn two_secrets_hold_during_a_rotation_and_a_retired_one_does_not() {
    let secrets = shared(" new , ,old,");
    assert!(secrets.verify(Some(&sign("new", BODY)), BODY).is_ok());
    assert!(secrets.verify(Some(&sign("old", BODY)), BODY).is_ok());
    assert!(secrets.verify(Some(&sign("older", BODY)), BODY).is_err());
    assert!(secrets.verify(Some(&sign(" new ", BODY)), BODY).is_err());
}

#[test]
fn blank_secrets_open_nothing() {
    for list in ["", " ", ",", " , ,"] {
        let secrets = shared(list);
        assert!(secrets.is_empty());
        assert!(secrets.verify(Some(&sign("", BODY)), BODY).is_err());
        assert!(secrets.verify(Some(&sign(" ", BODY)), BODY).is_err());
    }
}

#[test]
fn says_whose_secret_it_was() {
    let variables = [
        ("SHOPIFY_WEBHOOK_SECRET".to_owned(), "all".to_owned()),
        ("SHOPIFY_WEBHOOK_SECRET_BANNOS".to_owned(), "b2,b1".to_owned()),
        ("SHOPIFY_WEBHOOK_SECRET_FLOURLANE".to_owned(), " , ".to_owned()),
        ("SHOPIFY_WEBHOOK_SECRETS".to_owned(), "x".to_owned()),
        ("SHOPIFY_WEBHOOK_SECRET_".to_owned(), "y".to_owned()),
    ];
    let secrets = SigningSecrets::from_variables("SHOPIFY_WEBHOOK_SECRET", &variables);
    assert_eq!(secrets.own_stores(), ["BANNOS"]);
    assert_eq!(secrets.verify(Some(&sign("all", BODY)), BODY), Ok(VerifiedBy::Shared));
    for own in ["b1", "b2"] {
        let verified = secrets.verify(Some(&sign(own, BODY)), BODY).unwrap();
        assert_eq!(verified.own_store(), Some("BANNOS"));
    }
    for stranger in ["x", "y", ""] {
        assert!(secrets.verify(Some(&sign(stranger, BODY)), BODY).is_err());
    }
    assert!(secrets.repeated().is_empty());
}

#[test]
fn a_store_may_have_its_own_secret_without_a_shared_one() {
    let secrets = SigningSecrets::new(None, &[("bannos".into(), "own".into())]);
    assert!(!secrets.is_empty());
    assert_eq!(secrets.verify(Some(&sign("own", BODY)), BODY), Ok(VerifiedBy::Own("BANNOS".into())));
}

#[test]
fn notices_a_secret_that_two_lists_share() {
    let own =
        [("A".to_owned(), "x,y".to_owned()), ("B".to_owned(), "z".to_owned()), ("C".into(), "x".into())];
    assert_eq!(SigningSecrets::new(Some("z"), &own).repeated(), ["B", "C"]);
}

#[test]
fn never_prints_a_secret() {
    let secrets = SigningSecrets::new(Some("hush"), &[("bannos".into(), "hush-own".into())]);
    let printed = format!("{secrets:?}");
    assert!(printed.contains("[REDACTED]") && !printed.contains("hush"));
}

#[test]
fn an_empty_body_is_a_body() {
    assert!(shared("hush").verify(Some(&sign("hush", b"")), b"").is_ok());
}
