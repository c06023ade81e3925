//! Suite `tokens`: forged tokens against every route of the edge, every function and every table.
//!
//! Nothing forged gets through, nothing forged is a 500, and nothing is written. Local rules that differ from hosted
//! PostgREST are said where they are asserted.

#![allow(clippy::indexing_slicing, reason = "a serde_json::Value answers null for what it does not have")]

mod claimed;
mod forgeries;
mod keyed;
mod revocation;

use anyhow::{Result, ensure};
use forgeries::{AtRest, Forgery};
use ordak_security::database::Database;
use ordak_security::fingerprint::{Fingerprint, settle};
use ordak_security::http::{Answer, Request};
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use ordak_security::surface::{self, EdgeRoute, Rpc};
use ordak_security::tally::Tally;

/// How many requests are under way at once.
const CLIENTS: usize = 4;

#[test]
fn nothing_forged_gets_through() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut database = Database::connect(&stack.database)?;
    let forgeries = forgeries::all(&stack)?;
    let edge = surface::edge_routes(&stack);
    let mut rpcs = surface::rpcs(&mut database)?;
    rpcs.retain(|rpc| !rpc.computed);
    let tables = surface::tables(&mut database)?;
    ensure!(forgeries.len() >= 40 && edge.len() >= 12 && !rpcs.is_empty() && !tables.is_empty());

    let mut tally = Tally::new("tokens");
    honest_tokens_are_accepted(&stack, &edge, &mut tally)?;
    settle(&mut database)?;
    let before = Fingerprint::take(&mut database)?;
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let mine: Vec<&Forgery> = forgeries.iter().skip(client).step_by(CLIENTS).collect();
                let (stack, edge, rpcs, tables) = (&stack, &edge, &rpcs, &tables);
                scope.spawn(move || attack(stack, &mine, edge, rpcs, tables))
            })
            .collect();
        for client in clients {
            match client.join() {
                Ok(part) => tally.join(part),
                Err(_) => tally.fail("a client panicked".to_owned()),
            }
        }
    });
    settle(&mut database)?;
    let changed = before.difference(&Fingerprint::take(&mut database)?);
    tally.check("databases unchanged", changed.is_empty(), || format!("changed: {changed:?}"));

    revocation::counts_from_the_next_request(&stack, &mut database, &mut tally)?;
    tally.count("forgeries", forgeries.len());
    tally.finish()
}

/// The control: were everything refused, the suite would prove nothing.
fn honest_tokens_are_accepted(stack: &Stack, edge: &[EdgeRoute], tally: &mut Tally) -> Result<()> {
    // By the shared secret and by the published keys: the stack takes them all.
    let mut tokens = vec![Actor::Staff.token(stack)];
    for key in &keyed::of_project()? {
        tokens.push(keyed::signed(key, &keyed::header_of(key), &Actor::Staff.claims(stack))?);
    }
    for token in &tokens {
        for route in edge.iter().filter(|route| route.name.contains("stage-actions")) {
            let answer = route.request.clone().header("Authorization", format!("Bearer {token}")).send()?;
            tally.check("honest answers", ![401, 500, 502, 503].contains(&answer.status), || {
                describe(&route.name, "honest", &answer)
            });
        }
        let stores = Request::get(stack.rest("stores?select=key"))
            .header("apikey", &stack.anon_key)
            .header("Authorization", format!("Bearer {token}"))
            .send()?;
        tally.check("honest answers", stores.body == br#"[{"key":"bannos"}]"#, || {
            describe("stores", "honest", &stores)
        });
    }
    let lower = Request::get(stack.rest("stores?select=key"))
        .header("apikey", &stack.anon_key)
        .header("authorization", format!("bearer {}", Actor::Staff.token(stack)))
        .send()?;
    tally.check("honest answers", lower.body == br#"[{"key":"bannos"}]"#, || {
        describe("stores", "honest, bearer in lower case", &lower)
    });
    let service = format!("Bearer {}", stack.service_key);
    let drained =
        Request::post(stack.function("queue-worker"), "{}").header("Authorization", &service).send()?;
    tally.check("honest answers", drained.status == 200, || describe("queue-worker", "honest", &drained));
    Ok(())
}

fn attack(
    stack: &Stack,
    forgeries: &[&Forgery],
    edge: &[EdgeRoute],
    rpcs: &[Rpc],
    tables: &[String],
) -> Tally {
    let mut tally = Tally::default();
    for forgery in forgeries {
        for route in edge {
            at_the_edge(forgery, route, &mut tally);
        }
        if matches!(forgery.at_rest, AtRest::EdgeOnly(_)) {
            continue;
        }
        for rpc in rpcs {
            let request = dress(rpc.request(stack), forgery, stack);
            judge(forgery, &format!("rpc/{}", rpc.name), &request, Some(rpc), &mut tally);
        }
        for table in tables {
            let request = dress(Request::get(stack.rest(&format!("{table}?limit=1"))), forgery, stack);
            judge(forgery, table, &request, None, &mut tally);
        }
    }
    tally
}

fn at_the_edge(forgery: &Forgery, route: &EdgeRoute, tally: &mut Tally) {
    let request = forgery
        .headers
        .iter()
        .fold(route.request.clone(), |request, (name, value)| request.header(name, value));
    match request.query(&forgery.query).send() {
        Ok(answer) => {
            // A genuine token of somebody without rights is known and refused by the database: 403.
            let expected = answer.status == 401 || (forgery.known_person && answer.status == 403);
            // The batch processor has a form of its own for errors.
            let body = answer.json();
            let shaped = match route.name.contains("batch-processor") {
                true => body["error"].is_string() && body["timestamp"].is_string(),
                false => body["ok"] == false && body["code"].is_string(),
            };
            tally.check("edge answers", expected && shaped, || describe(&route.name, &forgery.name, &answer));
        }
        Err(error) => tally.fail(format!("{} with {}: {error:#}", route.name, forgery.name)),
    }
}

fn judge(forgery: &Forgery, target: &str, request: &Request, rpc: Option<&Rpc>, tally: &mut Tally) {
    let answer = match request.send() {
        Ok(answer) => answer,
        Err(error) => return tally.fail(format!("{target} with {}: {error:#}", forgery.name)),
    };
    let body = answer.json();
    let denied = matches!(answer.status, 401 | 403) || surface::is_hidden(&answer);
    let expected = match forgery.at_rest {
        AtRest::Refused | AtRest::EdgeOnly(_) => denied,
        AtRest::Stranger => denied || (answer.status == 200 && shows_nothing(&body)),
        // As that member of staff: a service function stays closed, everything else is as in the access matrix.
        AtRest::Staff(_) => denied || (answer.status == 200 && rpc.is_none_or(|rpc| rpc.for_users)),
    };
    let label = match forgery.at_rest {
        AtRest::Staff(_) => "REST answers as PostgREST's rules have it",
        _ => "REST answers",
    };
    tally.check(label, expected, || describe(target, &forgery.name, &answer));
}

/// An empty list, or a refusal in the envelope.
fn shows_nothing(body: &serde_json::Value) -> bool {
    body.as_array().is_some_and(Vec::is_empty) || body["ok"] == false
}

fn dress(request: Request, forgery: &Forgery, stack: &Stack) -> Request {
    // The public key goes with every request to a hosted project, else its front door would answer for PostgREST.
    let own_key = forgery.headers.iter().any(|(name, _)| name == "apikey");
    let request = if own_key { request } else { request.header("apikey", &stack.anon_key) };
    forgery.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

fn describe(target: &str, with: &str, answer: &Answer) -> String {
    format!("{target} with {with}: {} {}", answer.status, answer.excerpt())
}
