//! The arguments of the two RPCs that take a delivery, or what is left of one.
//!
//! The payload is put in as the bytes that came: what is signed is what is stored. What is absent is left out and null
//! by its default: written as null, REST servers disagree what arrives. Knows no client.

use crate::delivery::Delivery;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ordak_core::{
    envelope::Fault,
    normalize::{NormalizeError, Normalized},
};
use serde::Serialize;
use serde_json::json;

#[derive(Serialize)]
struct Ingest<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    p_shop_domain: Option<&'a str>,
    p_topic: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_webhook_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_triggered_at: Option<&'a str>,
    p_content_hash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_secret_of: Option<&'a str>,
    p_own_secrets: &'a [&'a str],
    #[serde(skip_serializing_if = "is_built_in")]
    p_settings_rev: i64,
    #[serde(skip_serializing_if = "says_nothing")]
    p_order: &'a Normalized,
}

fn says_nothing(order: &&Normalized) -> bool {
    **order == Normalized::Nothing
}

fn is_built_in(rev: &i64) -> bool {
    *rev == 0
}

/// Arguments of `ingest_shopify_event`. `raw` must have been accepted by the normaliser: it is JSON; `rev` is the
/// revision of the names by which it was read.
///
/// # Errors
/// A fault when the arguments cannot be written.
pub fn ingest(
    delivery: &Delivery,
    order: &Normalized,
    own_secrets: &[&str],
    rev: i64,
    raw: &[u8],
) -> Result<Vec<u8>, Fault> {
    let arguments = Ingest {
        p_shop_domain: delivery.shop_domain.as_deref(),
        p_topic: delivery.topic.as_str(),
        p_webhook_id: delivery.webhook_id.as_deref(),
        p_triggered_at: delivery.triggered_at.as_deref(),
        p_content_hash: &delivery.content_hash,
        p_secret_of: delivery.verified.own_store(),
        p_own_secrets: own_secrets,
        p_settings_rev: rev,
        p_order: order,
    };
    let mut statement = Vec::with_capacity(raw.len() * 2 + 1024);
    serde_json::to_writer(&mut statement, &arguments).map_err(unwritable)?;
    statement.pop();
    statement.extend_from_slice(b",\"p_payload\":");
    statement.extend_from_slice(raw);
    statement.push(b'}');
    Ok(statement)
}

#[derive(Serialize)]
struct DeadLetter<'a> {
    p_source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_shop_domain: Option<&'a str>,
    p_topic: &'a str,
    p_external_id: &'a str,
    p_reason: &'a str,
    p_body: &'a str,
    p_encoding: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    p_secret_of: Option<&'a str>,
    p_own_secrets: &'a [&'a str],
}

/// Arguments of `record_dead_letter`: the body as text when it is text that Postgres can hold, else as base64.
///
/// # Errors
/// A fault when the arguments cannot be written.
pub fn dead_letter(
    delivery: &Delivery,
    reason: &str,
    own_secrets: &[&str],
    raw: &[u8],
) -> Result<Vec<u8>, Fault> {
    let (body, encoding) = written(raw);
    serde_json::to_vec(&DeadLetter {
        p_source: "shopify",
        p_shop_domain: delivery.shop_domain.as_deref(),
        p_topic: delivery.topic.as_str(),
        p_external_id: &delivery.dead_letter_id(),
        p_reason: reason,
        p_body: &body,
        p_encoding: encoding,
        p_secret_of: delivery.verified.own_store(),
        p_own_secrets: own_secrets,
    })
    .map_err(unwritable)
}

/// Arguments of `record_dead_letter` for a message of the queue that nothing can be done with: whole, of no shop, as
/// nothing that it says is verified.
///
/// # Errors
/// A fault when the arguments cannot be written.
pub fn given_up(message_id: &str, reason: &str, text: &str) -> Result<Vec<u8>, Fault> {
    let (body, encoding) = written(text.as_bytes());
    serde_json::to_vec(&json!({
        "p_source": "spill", "p_external_id": message_id, "p_reason": reason, "p_body": body, "p_encoding": encoding,
    }))
    .map_err(unwritable)
}

/// As text when it is text that Postgres can hold, else as base64.
fn written(raw: &[u8]) -> (String, &'static str) {
    match std::str::from_utf8(raw).ok().filter(|text| !text.contains('\0')) {
        Some(text) => (text.to_owned(), "utf8"),
        None => (STANDARD.encode(raw), "base64"),
    }
}

/// Why a body became a dead letter, for the person who looks at it.
#[must_use]
pub fn reason(error: NormalizeError) -> &'static str {
    match error {
        NormalizeError::NotJson => "the body is not JSON",
        NormalizeError::NotAnOrder => "the body is not an order",
        NormalizeError::NotAsPromised => "the body is not what its topic promises",
        NormalizeError::TooDeep => "the body is nested too deep",
        NormalizeError::Unstorable => "the body holds what the database cannot",
        NormalizeError::TooManyLines => "the order has too many lines",
    }
}

fn unwritable(error: serde_json::Error) -> Fault {
    Fault::internal(format!("arguments cannot be written: {:?}", error.classify()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordak_core::signature::VerifiedBy;
    use serde_json::Value;

    fn delivery(verified: VerifiedBy) -> Delivery {
        Delivery::read("hash".to_owned(), verified, |name| match name {
            "x-shopify-shop-domain" => Some("bannos.myshopify.com"),
            "x-shopify-topic" => Some("shop/redact"),
            _ => None,
        })
    }

    #[test]
    fn the_payload_is_the_bytes_that_came() {
        let raw = br#" { "id" : 820982911946154508, "price":"1.10", "price":1e2 } "#;
        let own = VerifiedBy::Own("BANNOS".into());
        let statement = ingest(&delivery(own), &Normalized::Nothing, &["BANNOS"], 0, raw).unwrap();
        assert!(statement.windows(raw.len()).any(|window| window == raw));
        let read: Value = serde_json::from_slice(&statement).unwrap();
        assert_eq!(read["p_shop_domain"], "bannos.myshopify.com");
        assert_eq!(read["p_secret_of"], "BANNOS");
        assert_eq!(read["p_own_secrets"], json!(["BANNOS"]));
        for absent in ["p_order", "p_webhook_id", "p_triggered_at", "p_settings_rev"] {
            assert!(read.get(absent).is_none(), "{absent}");
        }
    }

    #[test]
    fn a_dead_letter_survives_bytes_that_are_no_text() {
        for raw in [&b"\xff\xfe"[..], b"a\0b"] {
            let letter: Value =
                serde_json::from_slice(&dead_letter(&delivery(VerifiedBy::Shared), "r", &[], raw).unwrap())
                    .unwrap();
            assert_eq!(letter["p_encoding"], "base64");
            assert_eq!(STANDARD.decode(letter["p_body"].as_str().unwrap()).unwrap(), raw);
        }
    }

    #[test]
    fn a_dead_letter_of_text_is_readable() {
        let letter: Value = serde_json::from_slice(
            &dead_letter(&delivery(VerifiedBy::Shared), "r", &[], "{\"ü\u{1}".as_bytes()).unwrap(),
        )
        .unwrap();
        assert_eq!((&letter["p_encoding"], &letter["p_body"]), (&json!("utf8"), &json!("{\"ü\u{1}")));
    }

    #[test]
    fn a_message_that_is_given_up_claims_no_shop() {
        let letter: Value = serde_json::from_slice(&given_up("m1", "r", "x\0").unwrap()).unwrap();
        assert_eq!(letter["p_source"], "spill");
        assert_eq!((&letter["p_external_id"], &letter["p_encoding"]), (&json!("m1"), &json!("base64")));
        assert!(letter.get("p_shop_domain").is_none() && letter.get("p_secret_of").is_none());
    }
}
