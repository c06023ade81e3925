//! The same cells over HTTP: what the REST server adds must not open what the database keeps closed.

use anyhow::{Context, Result};
use ordak_security::database::Database;
use ordak_security::http::{Answer, Request};
use ordak_security::matrix::{Matrix, Rows, Table};
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use ordak_security::surface;
use ordak_security::tally::Tally;

/// Reads of every table, writes to every table, and calls of every function that an actor may not execute.
pub fn sample(
    stack: &Stack,
    matrix: &Matrix,
    tables: &[Table],
    database: &mut Database,
    tally: &mut Tally,
) -> Result<()> {
    let rpcs = surface::rpcs(database)?;
    for actor in Actor::ALL {
        for table in tables {
            let closed = Rows::ALL
                .iter()
                .filter_map(|rows| matrix.select(table, *rows, actor))
                .all(|(cell, _)| cell == "x");
            let table = &table.name;
            let answer = dress(Request::get(stack.rest(&format!("{table}?limit=1"))), actor, stack).send()?;
            let expected =
                if closed { denied(&answer) } else { answer.status == 200 || surface::is_hidden(&answer) };
            tally.check("cells over REST", expected, || {
                format!("{} GET {table}: {} {}", actor.name(), answer.status, answer.excerpt())
            });
            // Without a filter: nothing but the privilege can refuse these.
            let all = stack.rest(table);
            for request in [
                Request::post(stack.rest(table), "{}"),
                Request::new("PATCH", &all)
                    .header("Content-Type", "application/json")
                    .body("{\"created_at\":null}"),
                Request::new("DELETE", &all),
            ] {
                let answer = dress(request, actor, stack).send()?;
                tally.check("cells over REST", denied(&answer), || {
                    format!("{} writes {table}: {} {}", actor.name(), answer.status, answer.excerpt())
                });
            }
        }
        for rpc in &rpcs {
            let row = matrix.rpcs.get(&rpc.name).context("the lists agree")?;
            let closed =
                Rows::ALL.iter().filter_map(|rows| row.cell(*rows, actor)).all(|(cell, _)| cell == "x");
            if closed && !rpc.computed {
                let answer = dress(rpc.request(stack), actor, stack).send()?;
                tally.check("cells over REST", denied(&answer), || {
                    format!("{} calls {}: {} {}", actor.name(), rpc.name, answer.status, answer.excerpt())
                });
            }
        }
        stores_seen(stack, actor, tally)?;
    }
    Ok(())
}

/// PostgREST says 401 to the public and 403 to everybody else; the local server says 401 to all who lack a privilege.
fn denied(answer: &Answer) -> bool {
    matches!(answer.status, 401 | 403) && answer.json()["code"] == "42501" || surface::is_hidden(answer)
}

/// The one table whose rows are known: each actor sees exactly the stores that are theirs.
fn stores_seen(stack: &Stack, actor: Actor, tally: &mut Tally) -> Result<()> {
    let expected = match actor {
        Actor::Anon => return Ok(()),
        Actor::Stranger | Actor::Inactive => "[]",
        Actor::Staff | Actor::Supervisor => r#"[{"key":"bannos"}]"#,
        Actor::Elsewhere => r#"[{"key":"flourlane"}]"#,
        Actor::Admin | Actor::Service => r#"[{"key":"bannos"},{"key":"flourlane"}]"#,
    };
    let url = stack.rest("stores?select=key&key=in.(bannos,flourlane)&order=key");
    let answer = dress(Request::get(url), actor, stack).send()?;
    tally.check("cells over REST", answer.body == expected.as_bytes(), || {
        format!("{} sees the stores {}", actor.name(), answer.excerpt())
    });
    Ok(())
}

fn dress(request: Request, actor: Actor, stack: &Stack) -> Request {
    let key = if actor == Actor::Service { &stack.service_key } else { &stack.anon_key };
    request.header("apikey", key).header("Authorization", format!("Bearer {}", actor.token(stack)))
}
