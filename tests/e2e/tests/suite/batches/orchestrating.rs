//! Batches decided: the documented answer, once whatever runs at the same time, dies or fails.

use super::{Supplier, contributions, orchestrate, result_of, status, turn};
use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::db::Db;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::POOLED;
use reqwest::Method;
use serde_json::{Value, json};

/// What was done about batches.
pub async fn effects(db: &Db, batches: &[String]) -> Outcome<Value> {
    let query = "select
        (select count(*) from public.supplier_orders so where so.batch_id::text = any($1)) as ordered,
        (select count(*) from public.work_queue w where w.topic = 'refund' and w.payload ->> 'batch_id' = any($1)) as refunds,
        (select count(*) from public.batch_contributions c join public.orders o on o.store = c.store and o.id = c.order_id
            where c.batch_id::text = any($1) and o.cancelled_at is not null) as cancelled,
        (select count(*) from public.event_store e where e.source = 'batch' and replace(e.ref_id, 'batch:', '') = any($1)) as events";
    db.row(query, &[&batches.to_vec()]).await
}

#[tokio::test]
async fn the_documented_answer_comes_out_exactly() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 1000).await?;
    let _turn = turn(&db).await?;
    let confirmed = supplier.batch(&db, 785, 1000, "-3 hours").await?;
    let review = supplier.batch(&db, 652, 1000, "-2 hours").await?;
    let cancelled = supplier.batch(&db, 450, 1000, "-1 hour").await?;
    contributions(&db, &cancelled, 12, "pending", "20").await?;
    let answer = orchestrate(&stack).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        answer.json,
        json!({"success": true, "processed": 3, "results": [
            {"batchId": confirmed, "action": "confirmed", "fillPercentage": 78.5},
            {"batchId": review, "action": "needs_review", "fillPercentage": 65.2, "message": "Batch 50-75% filled, window closed"},
            {"batchId": cancelled, "action": "cancelled", "fillPercentage": 45.0, "ordersCancelled": 12}
        ]})
    );
    assert!(answer.header("content-type").starts_with("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    let order = db
        .row(
            "select quantity, status, order_number ~ '^BATCH-[0-9a-f]{8}$' as numbered from public.supplier_orders where batch_id::text = $1",
            &[&confirmed],
        )
        .await?;
    assert_eq!(order, json!({"quantity": 1000, "status": "pending", "numbered": true}));
    eventually("a word in Slack", async || {
        stack.drain().await?;
        let messages = stack.slack_messages(POOLED).await?;
        let told = |call: &Value| call["body"]["text"].to_string().contains("wait for an Admin's decision");
        Ok(if messages.iter().any(told) { Ok(()) } else { Err(format!("{messages:?}")) })
    })
    .await?;
    let before = effects(&db, &[confirmed.clone(), review.clone(), cancelled.clone()]).await?;
    assert_eq!(before, json!({"ordered": 1, "refunds": 0, "cancelled": 12, "events": 3}));
    let again = orchestrate(&stack).await?;
    assert_eq!(again.json, json!({"success": true, "processed": 0, "results": []}));
    assert_eq!(effects(&db, &[confirmed, review, cancelled]).await?, before);
    Ok(())
}

#[tokio::test]
async fn nearing_the_target_is_told_and_stored_once() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let _turn = turn(&db).await?;
    let batch = supplier.batch(&db, 70, 100, "3 hours").await?;
    for _ in 0..2 {
        let answer = orchestrate(&stack).await?;
        assert_eq!(
            result_of(&answer, &batch),
            json!({"batchId": batch, "action": "nearing_target", "fillPercentage": 70.0, "message": "Batch nearing target - consider promotion"})
        );
    }
    assert_eq!(status(&db, &batch).await?, "filling");
    assert_eq!(
        effects(&db, &[batch]).await?,
        json!({"ordered": 0, "refunds": 0, "cancelled": 0, "events": 1})
    );
    Ok(())
}

#[tokio::test]
async fn runs_at_the_same_time_decide_each_batch_once() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let _turn = turn(&db).await?;
    let mut batches = Vec::new();
    for number in 0..60 {
        let batch = supplier.batch(&db, if number % 2 == 0 { 90 } else { 10 }, 100, "-1 hour").await?;
        contributions(&db, &batch, 3, "paid", "20").await?;
        batches.push(batch);
    }
    let runs = (0..8).map(|_| {
        let stack = stack.clone();
        tokio::spawn(async move { orchestrate(&stack).await })
    });
    let mut decided = Vec::new();
    for run in runs.collect::<Vec<_>>() {
        let answer = run.await??;
        assert_eq!(answer.status, 200, "{}", answer.text);
        decided.extend(answer.at("/results").as_array().unwrap().iter().map(|it| it["batchId"].to_string()));
    }
    // What a run left because another had it is decided by the next.
    let rest = orchestrate(&stack).await?;
    decided.extend(rest.at("/results").as_array().unwrap().iter().map(|it| it["batchId"].to_string()));
    decided.sort();
    assert_eq!(decided.len(), 60, "each in one answer");
    decided.dedup();
    assert_eq!(decided.len(), 60, "and none in two");
    let expected = json!({"ordered": 30, "refunds": 90, "cancelled": 90, "events": 60});
    assert_eq!(effects(&db, &batches).await?, expected);
    Ok(())
}

/// Stops whoever settles a batch of this category before its last steps, for as long as somebody holds the lock.
async fn stop_halfway(db: &Db, category: &str) -> Outcome {
    let function =
        "create or replace function private.test_stop() returns trigger language plpgsql set search_path = ''
        as $$ begin perform pg_advisory_xact_lock(60606); return null; end; $$";
    db.execute(function, &[]).await?;
    let trigger = format!(
        "create trigger test_stop after insert on public.supplier_orders for each row
        when (new.quantity = 7777) execute function private.test_stop() -- {category}"
    );
    db.execute("drop trigger if exists test_stop on public.supplier_orders", &[]).await?;
    db.execute(&trigger, &[]).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_that_is_killed_halfway_has_done_nothing_and_the_next_does_it_once() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let _turn = turn(&db).await?;
    let mut batches = vec![supplier.batch(&db, 7777, 7777, "-1 hour").await?];
    for _ in 0..5 {
        let batch = supplier.batch(&db, 10, 100, "-2 hours").await?;
        contributions(&db, &batch, 4, "paid", "20").await?;
        batches.push(batch);
    }
    stop_halfway(&db, &supplier.category).await?;
    let holder = stack.db().await?;
    holder.rows("select pg_advisory_lock(60606)", &[]).await?;
    let victim = stack.db().await?;
    let run = tokio::spawn(async move { victim.rows("select public.orchestrate_batches()", &[]).await });
    let waiting = "select pid from pg_locks where locktype = 'advisory' and objid = 60606 and not granted";
    let pid = eventually("the run halfway", async || {
        Ok(db.maybe_row(waiting, &[]).await?.ok_or_else(|| "nobody waits".to_owned()))
    })
    .await?;
    let meanwhile = orchestrate(&stack).await?;
    assert_eq!(
        meanwhile.json,
        json!({"success": true, "processed": 0, "results": []}),
        "nobody waits for it"
    );
    db.rows("select pg_terminate_backend($1::int)", &[&i32::try_from(pid["pid"].as_i64().unwrap()).unwrap()])
        .await?;
    assert!(run.await?.is_err());
    holder.rows("select pg_advisory_unlock(60606)", &[]).await?;
    assert_eq!(
        effects(&db, &batches).await?,
        json!({"ordered": 0, "refunds": 0, "cancelled": 0, "events": 0})
    );
    let answer = orchestrate(&stack).await?;
    assert_eq!((answer.status, answer.at("/processed")), (200, &json!(6)), "{}", answer.text);
    orchestrate(&stack).await?;
    assert_eq!(
        effects(&db, &batches).await?,
        json!({"ordered": 1, "refunds": 20, "cancelled": 20, "events": 6})
    );
    db.execute("drop trigger test_stop on public.supplier_orders", &[]).await?;
    db.execute("drop function private.test_stop()", &[]).await?;
    Ok(())
}

#[tokio::test]
async fn one_bad_batch_is_reported_and_stops_no_other() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let _turn = turn(&db).await?;
    let mut good = Vec::new();
    for _ in 0..10 {
        good.push(supplier.batch(&db, 10, 100, "-1 hour").await?);
    }
    let bad = supplier.batch(&db, 20, 100, "-1 hour").await?;
    contributions(&db, &bad, 2, "paid", "20").await?;
    contributions(&db, &bad, 1, "paid", "").await?;
    let answer = orchestrate(&stack).await?;
    assert_eq!(
        (answer.status, answer.at("/success"), answer.at("/processed")),
        (200, &json!(true), &json!(11))
    );
    let result = result_of(&answer, &bad);
    assert_eq!((result["action"].as_str(), result["fillPercentage"].as_f64()), (Some("failed"), Some(20.0)));
    assert!(result["message"].as_str().unwrap().contains("its amount is not known"), "{result}");
    assert_eq!(status(&db, &bad).await?, "filling");
    orchestrate(&stack).await?;
    let told_once = json!({"ordered": 0, "refunds": 0, "cancelled": 0, "events": 1});
    assert_eq!(effects(&db, &[bad]).await?, told_once);
    for batch in &good {
        assert_eq!(status(&db, batch).await?, "cancelled");
    }
    Ok(())
}

#[tokio::test]
async fn the_clock_decides_batches() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let supplier = Supplier::new(&db, 100).await?;
    let _turn = turn(&db).await?;
    let batch = supplier.batch(&db, 80, 100, "1 hour").await?;
    let fired =
        Answer::to(stack.request(Method::GET, "/__scheduled").query(&[("cron", "*/15 * * * *")])).await?;
    assert_eq!(fired.status, 200, "{}", fired.text);
    assert_eq!(status(&db, &batch).await?, "confirmed");
    Ok(())
}
