//! Suite `escalation`: honest people who try to be more than they are.
//!
//! Direct writes, functions of the service, other schemas, shadowed names, borrowed identities, SQL in every text:
//! every attempt counts, none may succeed, and after all of them the database is as it was.

#![allow(clippy::indexing_slicing, reason = "a serde_json::Value answers null for what it does not have")]

mod edge;
mod injection;
mod over_rest;
mod reach;
mod shadows;
mod spoofing;

use anyhow::{Context, Result};
use ordak_security::caller::Caller;
use ordak_security::database::Database;
use ordak_security::delivery;
use ordak_security::fingerprint::{Fingerprint, settle};
use ordak_security::http::{Answer, Request};
use ordak_security::matrix::WORLD;
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;

/// Everybody who is not trusted with everything.
const PEOPLE: [Actor; 6] =
    [Actor::Anon, Actor::Stranger, Actor::Inactive, Actor::Staff, Actor::Elsewhere, Actor::Supervisor];

/// One after the other: the first holds the world in a transaction for which requests would wait.
#[test]
fn nobody_becomes_more() -> Result<()> {
    let by_sql = nobody_becomes_more_with_sql();
    nobody_becomes_more_over_http()?;
    by_sql
}

/// In SQL, with the roles of the API on a direct connection: worse than anything that PostgREST lets through.
fn nobody_becomes_more_with_sql() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut database = Database::connect(&stack.database)?;
    let mut tally = Tally::new("escalation by SQL");
    database.run("begin")?;
    database.run(WORLD).context("the world")?;
    let mut caller = Caller { stack: &stack, database };
    reach::beyond_the_schema(&mut caller, &mut tally)?;
    reach::other_roles(&mut caller, &mut tally)?;
    shadows::are_not_made(&mut caller, &mut tally)?;
    shadows::are_not_looked_at(&mut caller, &mut tally)?;
    spoofing::names_nobody_else(&mut caller, &mut tally)?;
    spoofing::of_staff(&mut caller, &mut tally)?;
    caller.database.run("rollback")?;
    tally.finish()
}

/// Over HTTP, with honest tokens.
fn nobody_becomes_more_over_http() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut database = Database::connect(&stack.database)?;
    let mut tally = Tally::new("escalation over HTTP");
    let secret = something_to_find(&stack)?;
    settle(&mut database)?;
    let before = Fingerprint::take(&mut database)?;

    over_rest::writes(&stack, &mut database, &mut tally)?;
    over_rest::service_functions(&stack, &mut database, &mut tally)?;
    over_rest::other_schemas(&stack, &mut tally)?;
    over_rest::side_doors(&stack, &secret, &mut tally)?;
    over_rest::claims_of_ones_own(&stack, &mut database, &mut tally)?;
    edge::bodies_and_paths(&stack, &mut tally)?;
    edge::origins(&stack, &mut tally)?;
    injection::in_every_text(&stack, &mut database, &mut tally)?;

    settle(&mut database)?;
    let changed = before.difference(&Fingerprint::take(&mut database)?);
    tally.check("databases unchanged", changed.is_empty(), || format!("changed: {changed:?}"));
    tally.finish()
}

/// An order in each store and a dead letter of none, whose text nobody below a Supervisor may ever see.
fn something_to_find(stack: &Stack) -> Result<String> {
    let secret = format!("secret{}", delivery::fresh_id());
    for shop in ["bannos.myshopify.com", "flourlane.myshopify.com", "nobody.myshopify.com"] {
        let mut order = delivery::order(delivery::fresh_id());
        order["email"] = secret.clone().into();
        let body = order.to_string();
        delivery::bare(stack, body.as_bytes())
            .header("X-Shopify-Shop-Domain", shop)
            .header("X-Shopify-Topic", "orders/create")
            .header("X-Shopify-Hmac-Sha256", delivery::sign(stack, body.as_bytes()))
            .send()?;
    }
    Ok(secret)
}

/// The request with an actor's credentials.
fn as_actor(request: Request, actor: Actor, stack: &Stack) -> Request {
    request
        .header("apikey", &stack.anon_key)
        .header("Authorization", format!("Bearer {}", actor.token(stack)))
}

fn describe(what: &str, answer: &Answer) -> String {
    format!("{what}: {} {}", answer.status, answer.excerpt())
}
