//! Suite `signature`: nothing that is not signed over these very bytes with a secret in force is taken.
//!
//! All of it is 401 and nothing is stored. The shop's domain is not signed: a right signature under an odd domain is
//! kept as a dead letter at most, and never as an order of a store.

#![allow(clippy::indexing_slicing, reason = "a serde_json::Value answers null for what it does not have")]

mod domains;
mod forms;

use anyhow::{Context, Result, ensure};
use forms::Form;
use ordak_security::database::Database;
use ordak_security::delivery::{self, STORE};
use ordak_security::fingerprint::{Fingerprint, settle};
use ordak_security::http::{Answer, Request};
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;

/// The header, in the spelling of Shopify's documentation.
const HEADER: &str = "X-Shopify-Hmac-Sha256";

#[test]
fn nothing_passes_but_the_right_signature() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut database = Database::connect(&stack.database)?;
    delivery::prepare(&mut database)?;
    let mut tally = Tally::new("signature");
    honest_deliveries_pass(&stack, &mut tally)?;
    rotation(&stack, &mut database, &mut tally)?;

    settle(&mut database)?;
    let before = Fingerprint::take(&mut database)?;
    let body = telling_body(&stack)?;
    let secret = stack.webhook_secret()?;
    let right = forms::right(secret, &body);
    ensure!(right.len() == 32);
    let list = stack.webhook_secrets.join(",");
    let wrong: Vec<Form> = [
        forms::flipped_bits(&right),
        forms::lengths(&right),
        forms::spellings(&right),
        forms::constructions(secret, &list, &body, &stack.function("order-ingest")),
    ]
    .concat();
    for (name, form) in &wrong {
        let request = delivery::unsigned(&stack, "orders/create", &body).header(HEADER, form);
        refused("wrong signatures", name, &request, &mut tally)?;
    }
    let signature = delivery::sign(&stack, &body);
    for (name, other) in &forms::other_bodies(&body) {
        let request = delivery::unsigned(&stack, "orders/create", other).header(HEADER, &signature);
        refused("other bodies", name, &request, &mut tally)?;
    }
    placements(&stack, &body, &mut tally)?;
    before_anything_is_parsed(&stack, &mut tally)?;
    settle(&mut database)?;
    let changed = before.difference(&Fingerprint::take(&mut database)?);
    tally.check("databases unchanged", changed.is_empty(), || format!("changed: {changed:?}"));

    domains::are_claims_not_proof(&stack, &mut database, &mut tally)?;
    tally.finish()
}

/// The control: were everything refused, the suite would prove nothing.
fn honest_deliveries_pass(stack: &Stack, tally: &mut Tally) -> Result<()> {
    for header in [HEADER, "x-shopify-hmac-sha256", "X-SHOPIFY-HMAC-SHA256"] {
        let body = delivery::order(delivery::fresh_id()).to_string().into_bytes();
        let request =
            delivery::unsigned(stack, "orders/create", &body).header(header, delivery::sign(stack, &body));
        let answer = request.send()?;
        tally.check("honest deliveries", delivery::outcome(&answer) == "created", || {
            describe(header, &answer)
        });
    }
    Ok(())
}

/// Two secrets hold side by side; the one before them, and those of another store, do not.
fn rotation(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    let (store, secrets) = stack.rotation()?;
    ensure!(secrets.len() >= 2, "the store {store} has one secret, which is no rotation");
    delivery::create_store(database, &store, &format!("{store}.myshopify.com"))?;
    let shared = stack.webhook_secret()?.to_owned();
    let mut attempts: Vec<(String, String, bool)> = Vec::new();
    for secret in &secrets {
        attempts.push((store.clone(), secret.clone(), true));
        attempts.push((STORE.to_owned(), secret.clone(), false));
    }
    attempts.push((store.clone(), shared, false));
    attempts.push((store.clone(), secrets.join(","), false));
    attempts.push((store, "retired".to_owned(), false));
    for (store, secret, passes) in attempts {
        let body = delivery::order(delivery::fresh_id()).to_string().into_bytes();
        let request = delivery::bare(stack, &body)
            .header("X-Shopify-Shop-Domain", format!("{store}.myshopify.com"))
            .header("X-Shopify-Topic", "orders/create")
            .header(HEADER, ordak_core::signature::sign(&secret, &body));
        let answer = request.send()?;
        let expected = if passes { delivery::outcome(&answer) == "created" } else { answer.status == 401 };
        tally.check("rotations", expected, || {
            describe(&format!("{store} with a secret, expected {passes}"), &answer)
        });
    }
    Ok(())
}

/// The right signature where it is not looked for, or among others.
fn placements(stack: &Stack, body: &[u8], tally: &mut Tally) -> Result<()> {
    let good = delivery::sign(stack, body);
    let bad = ordak_core::signature::sign("guess", body);
    let request = || delivery::unsigned(stack, "orders/create", body);
    for (name, request) in [
        ("no header", request()),
        ("two headers, the wrong one first", request().header(HEADER, &bad).header(HEADER, &good)),
        ("two headers, the right one first", request().header(HEADER, &good).header(HEADER, &bad)),
        ("the right one twice", request().header(HEADER, &good).header(HEADER, &good)),
        ("header of another algorithm", request().header("X-Shopify-Hmac-Sha1", &good)),
        ("header of GitHub", request().header("X-Hub-Signature-256", format!("sha256={good}"))),
        ("header of a courier", request().header("X-Courier-Signature", &good)),
        ("header with an underscore", request().header("X_Shopify_Hmac_Sha256", &good)),
        ("in Authorization", request().header("Authorization", format!("Bearer {good}"))),
        ("in the query", request().query(&format!("hmac={}", good.replace('+', "%2B")))),
        (
            "with the service key instead",
            request().header("Authorization", format!("Bearer {}", stack.service_key)),
        ),
    ] {
        refused("odd places", name, &request, tally)?;
    }
    Ok(())
}

/// A stranger's body is never looked into: it is 401 whatever is in it, and quickly.
fn before_anything_is_parsed(stack: &Stack, tally: &mut Tally) -> Result<()> {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes();
    for (name, body) in [
        ("not JSON", b"not JSON".to_vec()),
        ("100 000 brackets", deep),
        ("bytes that are no text", vec![0xff; 1000]),
        ("a million zeros", vec![b'0'; 1_000_000]),
    ] {
        let request = delivery::unsigned(stack, "orders/create", &body).header(HEADER, "AAAA");
        refused("unparsed bodies", name, &request, tally)?;
    }
    let unknown = delivery::bare(stack, b"{}").header("X-Shopify-Shop-Domain", "nobody.myshopify.com");
    refused("unparsed bodies", "an unknown shop", &unknown.header(HEADER, "AAAA"), tally)
}

fn refused(label: &str, name: &str, request: &Request, tally: &mut Tally) -> Result<()> {
    let answer = request.send().with_context(|| name.to_owned())?;
    let proper = answer.status == 401 && answer.json()["code"] == "UNAUTHENTICATED";
    tally.check(label, proper, || describe(name, &answer));
    Ok(())
}

/// A body whose signature has characters that the url-safe alphabet writes otherwise.
fn telling_body(stack: &Stack) -> Result<Vec<u8>> {
    (0..200)
        .map(|_| {
            let order = delivery::order(delivery::fresh_id());
            // Spaces, line ends and an escape: what a serialiser would write otherwise.
            serde_json::to_string_pretty(&order)
                .unwrap_or_default()
                .replace("plain", "caf\\u00e9")
                .into_bytes()
        })
        .find(|body| {
            let signature = delivery::sign(stack, body);
            signature.contains('+') && signature.contains('/')
        })
        .context("no signature with both + and / in 200 bodies")
}

fn describe(name: &str, answer: &Answer) -> String {
    format!("{name}: {} {}", answer.status, answer.excerpt())
}
