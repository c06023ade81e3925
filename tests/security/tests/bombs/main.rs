//! Suite `bombs`: rightly signed deliveries that try to break what reads them.
//!
//! Every answer is a 4xx, a dead letter or an order; none is a 5xx, and none leaves work behind that fails again and
//! again. A store of its own takes them.

#![allow(clippy::indexing_slicing, reason = "a serde_json::Value answers null for what it does not have")]

mod bodies;
mod envelopes;
mod fields;

use anyhow::{Context, Result, ensure};
use bodies::Bomb;
use ordak_security::database::Database;
use ordak_security::delivery::{self, STORE};
use ordak_security::fingerprint::settle;
use ordak_security::http::{Answer, Request};
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;
use std::time::{Duration, Instant};

/// Shopify hangs up after 5 s; a bomb that takes longer has worked.
const LONGEST: Duration = Duration::from_secs(5);

/// How often Shopify sends again.
const REPEATS: usize = 8;

/// Topics with which each body is sent: one that carries an order, one that need not, one that erases.
const TOPICS: [&str; 3] = ["orders/create", "refunds/create", "customers/redact"];

#[test]
fn nothing_breaks_and_nothing_comes_back_for_ever() -> Result<()> {
    let stack = Stack::from_env()?;
    let mut database = Database::connect(&stack.database)?;
    delivery::prepare(&mut database)?;
    let mut tally = Tally::new("bombs");

    for (group, bombs) in [
        ("shapes", bodies::shapes()),
        ("depths", bodies::depths()),
        ("crowds", bodies::crowds()),
        ("numbers", fields::numbers()),
        ("texts", fields::texts()),
        ("types", fields::types()),
        ("packed", bodies::packed()),
    ] {
        for bomb in &bombs {
            drop_it(&stack, group, bomb, "orders/create", &mut tally)?;
        }
        // What a body is does not depend on the topic that a header claims for it: a sample of each group suffices.
        for bomb in bombs.iter().step_by(7) {
            for topic in TOPICS.iter().skip(1) {
                drop_it(&stack, group, bomb, topic, &mut tally)?;
            }
        }
    }
    envelopes::sizes(&stack, &mut tally)?;
    envelopes::headers(&stack, &mut tally)?;

    nothing_comes_back(&stack, &mut database, &mut tally)?;
    the_store_still_works(&stack, &mut database, &mut tally)?;
    tally.finish()
}

fn drop_it(stack: &Stack, group: &str, bomb: &Bomb, topic: &str, tally: &mut Tally) -> Result<()> {
    let mut request = delivery::honest_of(stack, topic, &bomb.body);
    if let Some(encoding) = bomb.encoding {
        request = request.header("Content-Encoding", encoding);
    }
    survives(group, &format!("{topic}: {}", bomb.name), &request, tally)
}

/// Sends it and looks that the answer is one of ours, in time.
fn survives(group: &str, name: &str, request: &Request, tally: &mut Tally) -> Result<()> {
    let in_time = |answer: &Answer, took| answer.status != 503 && took < LONGEST;
    let (answer, took) = insist(request, in_time, tally).with_context(|| format!("{group}: {name}"))?;
    let outcome = delivery::outcome(&answer);
    let expected = match answer.status {
        200 => !outcome.is_empty() && answer.json()["ok"] == true,
        status => (400..500).contains(&status),
    };
    tally.check(group, expected && took < LONGEST, || {
        format!("{group}: {name}: {} after {} ms: {}", answer.status, took.as_millis(), describe(&answer))
    });
    tally.count(if answer.status == 200 { "taken or buried" } else { "refused" }, 1);
    Ok(())
}

/// Sends it again as Shopify does until this holds: a machine that is busy with other things may be too slow once, and a
/// bomb that works is too slow each time.
fn insist(
    request: &Request,
    enough: impl Fn(&Answer, Duration) -> bool,
    tally: &mut Tally,
) -> Result<(Answer, Duration)> {
    let (mut answer, mut took) = timed(request)?;
    for _ in 0..REPEATS {
        if enough(&answer, took) {
            break;
        }
        tally.count("sent again", 1);
        (answer, took) = timed(request)?;
    }
    Ok((answer, took))
}

fn timed(request: &Request) -> Result<(Answer, Duration)> {
    let began = Instant::now();
    let answer = request.send()?;
    Ok((answer, began.elapsed()))
}

/// Drains until nothing is left, then asks for what is stored but not applied, and for what still waits.
fn nothing_comes_back(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    let of_store = format!("store = '{STORE}'");
    for _ in 0..12 {
        settle(database)?;
        // What waits for its next try is due now: a poison row would fail again and be seen below.
        database.run(&format!(
            "update public.work_queue set next_retry_at = now() where status = 'error' and {of_store}"
        ))?;
        let waiting = database.number(&format!(
            "select count(*) from public.work_queue where status in ('pending', 'error', 'processing') and {of_store}"
        ))?;
        if waiting == 0 {
            break;
        }
        let drained = Request::post(stack.function("queue-worker"), "{}")
            .header("apikey", &stack.service_key)
            .header("Authorization", format!("Bearer {}", stack.service_key))
            .send()?;
        ensure!(drained.status == 200, "a drain failed: {}", drained.excerpt());
    }
    for (what, question) in [
        (
            "events stored but never applied",
            format!("select id from public.event_store where processed_at is null and {of_store}"),
        ),
        (
            "work that still waits",
            format!(
                "select topic || ' ' || coalesce(last_error, '') from public.work_queue where status in ('pending', 'error', 'processing') and {of_store}"
            ),
        ),
        (
            "retries of ingest that gave up",
            format!(
                "select coalesce(last_error, topic) from public.work_queue where topic = 'order_ingest_retry' and status = 'dead' and {of_store}"
            ),
        ),
    ] {
        let found = database.column(&question)?;
        let shown: Vec<&String> = found.iter().take(5).collect();
        tally.check("looks for what comes back", found.is_empty(), || {
            format!("{} {what}: {shown:?}", found.len())
        });
    }
    replays_change_nothing(database, tally)
}

/// Every order that a bomb became is what its events say.
fn replays_change_nothing(database: &mut Database, tally: &mut Tally) -> Result<()> {
    let differing = database.rows(&format!(
        "select order_id, answer from (
             select order_id, public.replay_order(store, order_id) as answer from public.order_index where store = '{STORE}'
         ) replayed
         where answer #> '{{data,differences}}' <> '{{}}' or not (answer -> 'ok')::boolean
         limit 5"
    ))?;
    let orders =
        database.number(&format!("select count(*) from public.order_index where store = '{STORE}'"))?;
    tally.count("orders replayed", usize::try_from(orders)?);
    tally.check("looks for what comes back", differing.is_empty(), || {
        format!("replays differ: {differing:?}")
    });
    Ok(())
}

/// After all that an ordinary order is an ordinary order, and people can read the store.
fn the_store_still_works(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    let body = delivery::order(delivery::fresh_id()).to_string();
    let answer = delivery::honest(stack, body.as_bytes()).send()?;
    tally.check("signs of life", delivery::outcome(&answer) == "created", || describe(&answer));
    for call in ["get_queue", "get_unassigned_counts", "get_orders_for_dashboard", "get_stock"] {
        let answer =
            Request::post(stack.rest(&format!("rpc/{call}")), format!("{{\"p_store\":\"{STORE}\"}}"))
                .header("apikey", &stack.service_key)
                .header("Authorization", format!("Bearer {}", stack.service_key))
                .send()?;
        tally
            .check("signs of life", answer.json()["ok"] == true, || format!("{call}: {}", describe(&answer)));
    }
    let negative = database.number("select count(*) from public.inventory_items where ats < 0")?;
    tally.check("signs of life", negative == 0, || format!("{negative} items have negative stock"));
    Ok(())
}

fn describe(answer: &Answer) -> String {
    format!("{} {}", answer.status, answer.excerpt())
}
