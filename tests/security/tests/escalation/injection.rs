//! SQL, and what else an interpreter might run, in every text that can be sent: to functions, filters and actions.

use crate::{as_actor, describe};
use anyhow::Result;
use ordak_core::action::{ACTIONS, Kind, READS};
use ordak_security::database::Database;
use ordak_security::http::{Answer, Request};
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use ordak_security::surface;
use ordak_security::tally::Tally;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A statement that sleeps ends as a fault after the 8 s that users' statements may take, and if it may take longer it
/// shows itself by this; no machine is so slow.
const LONGEST: Duration = Duration::from_secs(30);

const TEXTS: [&str; 22] = [
    "'; drop table public.staff; --",
    "' or '1'='1",
    "'||(select pg_sleep(60))||'",
    "1; select pg_sleep(60)",
    "') ; update public.staff set role = 'Admin'; --",
    "$$; select pg_sleep(60); $$",
    "$1",
    "%s%s%n",
    "\\'; select 1; --",
    "\u{2019}; select 1; --",
    "*",
    "%",
    "_",
    "null",
    "bannos-1' union select payload::text from public.event_store --",
    "{\"id\":\"bannos-1\",\"$ne\":1}",
    "${jndi:ldap://127.0.0.1/a}",
    "{{7*7}}",
    "../../../../etc/passwd",
    "<script>alert(1)</script>",
    "a\u{0}b",
    "\u{202e}\u{feff}\u{1f4a3}",
];

/// Every text parameter of every function for users, then filters of tables, then the actions of the edge.
pub fn in_every_text(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    let long = "x".repeat(10_000);
    let texts = || TEXTS.into_iter().chain([long.as_str()]);
    // The Admin gets past every check of who asks, so that the text itself is what is tried.
    for rpc in surface::rpcs(database)?.iter().filter(|rpc| rpc.for_users && !rpc.computed) {
        for (name, kind, _) in
            rpc.parameters.iter().filter(|(_, kind, _)| kind.starts_with("text") || kind == "jsonb")
        {
            for text in texts() {
                let mut arguments = rpc.arguments();
                arguments[name] = match kind.as_str() {
                    "text[]" => json!([text]),
                    "jsonb" => json!({ text: text }),
                    _ => json!(text),
                };
                let request = Request::post(stack.rest(&format!("rpc/{}", rpc.name)), arguments.to_string());
                inert(stack, &format!("{}.{name}", rpc.name), text, request, tally)?;
            }
        }
    }
    // The local REST server hands a zero byte of an address on to Postgres, which breaks off the message: PostgREST
    // refuses it. In a body both refuse it, and that is tried above.
    for text in texts().filter(|text| !text.contains('\0')) {
        let encoded = percent(text);
        for query in [
            format!("orders?id=eq.{encoded}"),
            format!("orders?{encoded}=eq.1"),
            format!("orders?select={encoded}"),
            format!("orders?order={encoded}"),
            format!("orders?limit={encoded}"),
            format!("orders?or=({encoded})"),
            format!("orders?id=in.({encoded})"),
            format!("orders?id=like.{encoded}"),
            encoded.clone(),
            format!("rpc/{encoded}"),
        ] {
            inert(stack, "a filter", text, Request::get(stack.rest(&query)), tally)?;
        }
    }
    for action in ACTIONS.iter().chain(READS) {
        for parameter in action.parameters.iter().filter(|parameter| parameter.kind != Kind::Count) {
            for text in texts() {
                let request = if READS.iter().any(|read| read.name == action.name) {
                    let path = format!("stage-actions/{}?{}={}", action.name, parameter.name, percent(text));
                    Request::get(stack.function(&path))
                } else {
                    let mut body = json!({"id": "bannos-999999999", "scan": "bannos-999999999"});
                    body[parameter.name] = Value::String(text.to_owned());
                    Request::post(stack.function(&format!("stage-actions/{}", action.name)), body.to_string())
                };
                inert(stack, &format!("{}.{}", action.name, parameter.name), text, request, tally)?;
            }
        }
    }
    Ok(())
}

/// Sent by the Admin: no fault, no delay, nothing of the database in the answer. That nothing changed is seen later.
fn inert(stack: &Stack, place: &str, text: &str, request: Request, tally: &mut Tally) -> Result<()> {
    let began = Instant::now();
    let answer = as_actor(request, Actor::Admin, stack).send()?;
    let shown: String = text.chars().take(40).collect();
    let quick = began.elapsed() < LONGEST;
    tally.check("texts that would be code", quick && answer.status < 500 && tells_nothing(&answer), || {
        describe(&format!("{place} is {shown:?} after {} ms", began.elapsed().as_millis()), &answer)
    });
    Ok(())
}

fn tells_nothing(answer: &Answer) -> bool {
    let body = String::from_utf8_lossy(&answer.body);
    // A detail of Postgres may carry a whole row.
    !body.contains("Failing row")
        && !body.contains("root:")
        && !body.contains("syntax error at")
        && !body.contains("\"payload\"")
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(
            |byte| {
                if byte.is_ascii_alphanumeric() {
                    char::from(byte).to_string()
                } else {
                    format!("%{byte:02X}")
                }
            },
        )
        .collect()
}
