//! Troubles of one item, store or system that others must not feel, through the whole stack.

use ordak_e2e::db::Db;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Item, Store};
use ordak_e2e::{Outcome, unique};
use serde_json::{Value, json};

async fn push(db: &Db, store: Store, item: &Item) -> Outcome<i64> {
    let statement = "insert into public.work_queue (topic, store, payload, dedupe_key)
        values ('inventory_push', $1, jsonb_build_object('sku', $2::text), $3) returning id::text";
    Ok(db.written(statement, &[&store.key, &item.sku, &unique()]).await?.parse()?)
}

async fn email(db: &Db, store: Store, text: &str) -> Outcome<i64> {
    let statement = "insert into public.work_queue (topic, store, payload, dedupe_key)
        values ('email', $1, jsonb_build_object('kind', 'test', 'text', $2::text, 'to', 'kitchen@example.com'), $3)
        returning id::text";
    Ok(db.written(statement, &[&store.key, &text, &unique()]).await?.parse()?)
}

async fn row(stack: &Stack, id: i64) -> Outcome<Value> {
    let query = "select status, retry_count, error_class, last_error from public.work_queue where id = $1";
    stack.db().await?.row(query, &[&id]).await
}

async fn becomes(stack: &Stack, id: i64, status: &str) -> Outcome<Value> {
    eventually(&format!("{status} work"), async || {
        stack.drain().await?;
        let row = row(stack, id).await?;
        Ok(if row["status"] == status { Ok(row) } else { Err(row.to_string()) })
    })
    .await
}

/// Postgres takes them; no reader of ours does.
#[tokio::test]
async fn a_payload_that_cannot_be_read_is_dead_at_once_and_holds_up_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let store = store::fresh(&stack).await?;
    let deep = format!("{{\"deep\": {}{}}}", "[".repeat(300), "]".repeat(300));
    let mut poison = Vec::new();
    for payload in ["{\"n\": 1e400}", deep.as_str(), "[]", "\"\"", "null"] {
        let statement = "insert into public.work_queue (topic, store, payload, dedupe_key, priority)
            values ('refund', $1, $2::text::jsonb, $3, 0) returning id::text";
        let id: i64 = db.written(statement, &[&store.key, &payload, &unique()]).await?.parse()?;
        poison.push(id);
    }
    let item = store::stock(&stack, store, 7).await?;
    let good = push(&db, store, &item).await?;
    becomes(&stack, good, "done").await?;
    assert_eq!(stack.shopify_level(store, &item).await?, Some(7));
    for id in poison {
        let row = becomes(&stack, id, "dead").await?;
        assert_eq!((&row["error_class"], &row["retry_count"]), (&json!("permanent"), &json!(1)), "{row}");
        let letters = "select 1 from public.dead_letters where work_id = $1 and reason <> ''";
        assert_eq!(db.count(letters, &[&id]).await?, 1);
    }
    Ok(())
}

/// The service for e-mails hangs until the worker gives up, after ten seconds; a push of the same drain is done before.
#[tokio::test]
async fn a_system_that_hangs_holds_up_no_other() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let store = store::fresh(&stack).await?;
    let item = store::stock(&stack, store, 5).await?;
    let text = format!("hanging {}", unique());
    stack.plan_fault(&json!({"upstream": "email", "match": text, "mode": "hang", "count": 1})).await?;
    // At one moment, so that a drain that takes the one has the other: ten seconds are long only from then on.
    db.execute("begin", &[]).await?;
    let (told, level) = (email(&db, store, &text).await?, push(&db, store, &item).await?);
    db.execute("commit", &[]).await?;
    let drain = tokio::spawn({
        let stack = stack.clone();
        async move { stack.drain().await }
    });
    eventually("a push that is done", async || {
        let row = row(&stack, level).await?;
        Ok(if row["status"] == "done" { Ok(()) } else { Err(row.to_string()) })
    })
    .await?;
    assert_eq!(row(&stack, told).await?["status"], "processing", "it is still being waited for");
    drain.await??;
    let row = becomes(&stack, told, "done").await?;
    assert_eq!(row["retry_count"], 1, "the time ran out, and the next attempt was heard: {row}");
    Ok(())
}

/// Items of one store meet a Shopify that is down: a few calls find out, the rest wait and burn nothing, another
/// store's pushes leave, and once it is well again everything does.
#[tokio::test]
async fn a_shop_that_is_down_is_left_alone() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let (down, well) = (store::fresh(&stack).await?, store::fresh(&stack).await?);
    stack.break_shopify(down, "500", 1000).await?;
    // Each in a call of its own: a call is what fails.
    let mut ids = Vec::new();
    for _ in 0..7 {
        let item = store::stock(&stack, down, 3).await?;
        let id = push(&db, down, &item).await?;
        ids.push(id);
        eventually("an attempt or an open breaker", async || {
            stack.drain().await?;
            let row = row(&stack, id).await?;
            let state = state(&stack, down).await?;
            Ok(if row["status"] == "error" || state == "open" {
                Ok(())
            } else {
                Err(format!("{row} {state}"))
            })
        })
        .await?;
    }
    assert_eq!(state(&stack, down).await?, "open");
    // However long this test takes, the half minute is not over before it says so.
    let waits = "update public.circuit_breakers set retry_at = now() + interval '1 day' where store = $1 and state = 'open'";
    assert_eq!(db.execute(waits, &[&down.key]).await?, 1);
    let calls = "select sum(retry_count)::int as failures, count(*) filter (where status = 'pending')::int as untouched
        from public.work_queue where id = any($1)";
    let seen = db.row(calls, &[&ids]).await?;
    let failures = seen["failures"].as_i64().unwrap_or_default();
    assert!((5..=10).contains(&failures) && seen["untouched"].as_i64() >= Some(1), "{seen}");

    let item = store::stock(&stack, well, 4).await?;
    let other = push(&db, well, &item).await?;
    becomes(&stack, other, "done").await?;
    assert_eq!(db.row(calls, &[&ids]).await?, seen, "while it is open nothing is tried");
    let health = db.row("select public.get_health() #> '{data,open_circuits}' as open", &[]).await?;
    assert!(health["open"].as_i64() >= Some(1), "{health}");
    let alerts = "select 1 from public.work_queue where topic = 'slack_alert' and store = $1 and payload ->> 'kind' = 'circuit_open'";
    assert_eq!(db.count(alerts, &[&down.key]).await?, 1, "people are told once");

    stack.heal_shopify(down).await?;
    let statement = "update public.circuit_breakers set retry_at = now() where store = $1 and state = 'open'";
    let due = "update public.work_queue set next_retry_at = now() where id = any($1) and status = 'error'";
    eventually("all of it done", async || {
        db.execute(statement, &[&down.key]).await?;
        db.execute(due, &[&ids]).await?;
        stack.drain().await?;
        let open = db
            .count("select 1 from public.work_queue where id = any($1) and status <> 'done'", &[&ids])
            .await?;
        Ok(if open == 0 { Ok(()) } else { Err(format!("{open} are not done")) })
    })
    .await?;
    assert_eq!(state(&stack, down).await?, "closed");
    Ok(())
}

async fn state(stack: &Stack, store: Store) -> Outcome<String> {
    let query = "select state from public.circuit_breakers where store = $1 and upstream = 'shopify'";
    let row = stack.db().await?.maybe_row(query, &[&store.key]).await?.unwrap_or_default();
    Ok(row["state"].as_str().unwrap_or("none").to_owned())
}
