//! Wrong signatures: every flipped bit, every other length, every other spelling, every other construction.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use hmac::{Hmac, Mac};
use ordak_core::signature::sign;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A value of the signature header that must not pass, and what it is.
pub type Form = (String, Vec<u8>);

/// The 32 bytes of the right signature.
pub fn right(secret: &str, body: &[u8]) -> Vec<u8> {
    STANDARD.decode(sign(secret, body)).unwrap_or_default()
}

/// Each of the 256 bits turned over.
pub fn flipped_bits(right: &[u8]) -> Vec<Form> {
    (0..right.len() * 8)
        .map(|bit| {
            let mut wrong = right.to_vec();
            if let Some(byte) = wrong.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
            (format!("bit {bit} flipped"), STANDARD.encode(wrong).into_bytes())
        })
        .collect()
}

/// Beginnings, ends and repetitions of the right bytes.
pub fn lengths(right: &[u8]) -> Vec<Form> {
    let mut forms: Vec<Form> = (0..32)
        .map(|length| (format!("{length} bytes"), STANDARD.encode(right.get(..length).unwrap_or_default())))
        .map(|(name, text)| (name, text.into_bytes()))
        .collect();
    for (name, bytes) in [
        ("a zero byte in front", [&[0], right].concat()),
        ("a zero byte behind", [right, &[0]].concat()),
        ("twice", [right, right].concat()),
        ("a megabyte short of sense", right.repeat(200)),
        ("reversed", right.iter().rev().copied().collect()),
        ("zeros", vec![0; 32]),
        ("ones", vec![255; 32]),
    ] {
        forms.push((name.to_owned(), STANDARD.encode(bytes).into_bytes()));
    }
    forms
}

/// The right bytes, written otherwise. One signature has one spelling.
pub fn spellings(right: &[u8]) -> Vec<Form> {
    let good = STANDARD.encode(right);
    let hex: String = right.iter().map(|byte| format!("{byte:02x}")).collect();
    let percent: String = right.iter().map(|byte| format!("%{byte:02X}")).collect();
    let (front, back) = good.split_at(20);
    let stem = good.trim_end_matches('=');
    // The last character carries two bits that mean nothing; three other characters decode to the same bytes.
    let (most, last) = stem.split_at(stem.len().saturating_sub(1));
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let place = alphabet.find(last).unwrap_or_default();
    let slack =
        (1..4).filter_map(|add| alphabet.chars().nth(place + add)).map(|other| format!("{most}{other}="));
    let full_width: String = good
        .chars()
        .map(|c| char::from_u32(c as u32 + 0xfee0).filter(|_| c.is_ascii_graphic()).unwrap_or(c))
        .collect();
    let mut forms: Vec<Form> = [
        ("no padding", STANDARD_NO_PAD.encode(right)),
        ("two signs of padding", format!("{good}=")),
        ("padding in front", format!("={good}")),
        ("padding as %3D", good.replace('=', "%3D")),
        ("url-safe", URL_SAFE.encode(right)),
        ("url-safe without padding", URL_SAFE_NO_PAD.encode(right)),
        ("a space inside", format!("{front} {back}")),
        ("a tab inside", format!("{front}\t{back}")),
        ("a plus as a space", good.replace('+', " ")),
        ("hexadecimal", hex.clone()),
        ("hexadecimal in upper case", hex.to_uppercase()),
        ("base64 of the hexadecimal", STANDARD.encode(&hex)),
        ("base64 of the base64", STANDARD.encode(&good)),
        ("percent encoding", percent),
        ("in lower case", good.to_lowercase()),
        ("in upper case", good.to_uppercase()),
        ("with its algorithm", format!("sha256={good}")),
        ("with a scheme", format!("Bearer {good}")),
        ("in quotes", format!("\"{good}\"")),
        ("in a list", format!("{good},{good}")),
        ("behind a wrong one", format!("AAAA, {good}")),
        ("as MIME writes it", format!("=?utf-8?B?{good}?=")),
        ("full-width", full_width),
        ("empty", String::new()),
        ("only padding", "=".repeat(44)),
        ("null", "null".to_owned()),
        ("true", "true".to_owned()),
        ("undefined", "undefined".to_owned()),
        ("star", "*".to_owned()),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text.into_bytes()))
    .collect();
    forms.extend(slack.map(|text| ("bits that mean nothing set".to_owned(), text.into_bytes())));
    forms.push(("bytes that are no text".to_owned(), right.iter().map(|byte| byte | 0x80).collect()));
    // A spelling that the right bytes do not differ in is the right signature, not an attack.
    forms.retain(|(_, form)| *form != good.as_bytes());
    forms
}

/// Signatures that somebody without the secret, or with an older idea of it, would make.
pub fn constructions(secret: &str, list: &str, body: &[u8], url: &str) -> Vec<Form> {
    let key = secret.as_bytes();
    let encode = |bytes: Vec<u8>| STANDARD.encode(bytes).into_bytes();
    let by = |key: &str| sign(key, body).into_bytes();
    let over = |bytes: Vec<u8>| sign(secret, &bytes).into_bytes();
    let text = String::from_utf8_lossy(body).into_owned();
    [
        ("SHA-256 without a key", encode(Sha256::digest(body).to_vec())),
        ("SHA-256 of secret and body", encode(Sha256::digest([key, body].concat()).to_vec())),
        ("SHA-256 of body and secret", encode(Sha256::digest([body, key].concat()).to_vec())),
        ("HMAC-SHA-384", encode(mac::<Hmac<Sha384>>(key, body))),
        ("HMAC-SHA-512", encode(mac::<Hmac<Sha512>>(key, body))),
        (
            "HMAC-SHA-512 cut to 32 bytes",
            encode(mac::<Hmac<Sha512>>(key, body).into_iter().take(32).collect()),
        ),
        ("key and body exchanged", encode(mac::<Hmac<Sha256>>(body, key))),
        ("by no secret", by("")),
        ("by a blank", by(" ")),
        ("by a comma", by(",")),
        ("by the whole list of secrets", by(&format!("{list},"))),
        ("by the secret and a line end", by(&format!("{secret}\n"))),
        ("by the secret and a space", by(&format!(" {secret}"))),
        ("by the secret in upper case", by(&secret.to_uppercase())),
        ("by the secret cut by one", by(secret.get(..secret.len().saturating_sub(1)).unwrap_or_default())),
        ("by the name of the setting", by("SHOPIFY_WEBHOOK_SECRET")),
        ("by a retired secret", by("ordak-retired-webhook-secret")),
        ("of an empty body", over(Vec::new())),
        ("of the body and a line end", over([body, b"\n"].concat())),
        ("of the address and the body", over([url.as_bytes(), body].concat())),
        ("of the body in base64", over(STANDARD.encode(body).into_bytes())),
        ("of the body twice", over([body, body].concat())),
        ("of the body without spaces", over(text.replace(' ', "").into_bytes())),
        ("of a timestamp and the body", over([b"1700000000.", body].concat())),
    ]
    .into_iter()
    .map(|(name, form)| (name.to_owned(), form))
    .collect()
}

/// Bodies that are not the one that was signed, by a little.
pub fn other_bodies(body: &[u8]) -> Vec<Form> {
    let text = String::from_utf8_lossy(body).into_owned();
    let value: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let mut bodies: Vec<Form> = [
        ("written again", value.to_string().into_bytes()),
        ("written again, prettily", serde_json::to_vec_pretty(&value).unwrap_or_default()),
        ("escapes resolved", text.replace("\\u00e9", "é").into_bytes()),
        ("a space behind", [body, b" "].concat()),
        ("a space in front", [b" ", body].concat()),
        ("a line end behind", [body, b"\n"].concat()),
        ("a zero byte behind", [body, b"\0"].concat()),
        ("a byte order mark", [b"\xef\xbb\xbf", body].concat()),
        ("line ends of Windows", text.replace('\n', "\r\n").into_bytes()),
        ("the last byte missing", body.get(..body.len().saturating_sub(1)).unwrap_or_default().to_vec()),
        ("nothing", Vec::new()),
        ("twice", [body, body].concat()),
        ("a price changed", text.replace("89.00", "09.00").into_bytes()),
    ]
    .into_iter()
    .map(|(name, body)| (name.to_owned(), body))
    .collect();
    // Bits at places that are spread over the body.
    for place in 0..64 {
        let mut other = body.to_vec();
        let index = place * body.len() / 64;
        if let Some(byte) = other.get_mut(index) {
            *byte ^= 1 << (place % 8);
        }
        bodies.push((format!("a bit of byte {index} flipped"), other));
    }
    bodies.retain(|(_, other)| other != body);
    bodies
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let Ok(mut mac) = <M as Mac>::new_from_slice(key) else { return Vec::new() };
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}
