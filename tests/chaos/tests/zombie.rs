//! A worker is stopped past its lease, another finishes its work, the first wakes: whatever it says then changes no row.

use ordak_chaos::figures::{announce, times};
use ordak_chaos::queue::{Topic, Worker, column, owner};
use ordak_chaos::work::{Kind, Planted, plant, release};
use ordak_e2e::db::Db;
use ordak_e2e::poll::closely;
use ordak_e2e::stack::Stack;
use ordak_e2e::{Failure, Outcome, store};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that a report could change.
const TRACES: &str = "select jsonb_build_object(
        'work', (select jsonb_agg(to_jsonb(w) || jsonb_build_object('xmin', w.xmin::text) order by w.id)
            from public.work_queue w where w.id = any($1)),
        'letters', (select count(*) from public.dead_letters d where d.work_id = any($1)),
        'levels', (select jsonb_agg(jsonb_build_array(i.sku, i.pushed_quantity, i.xmin::text) order by i.id)
            from public.inventory_items i where i.store = any($2)),
        'breakers', (select jsonb_agg(to_jsonb(b) order by b.store) from public.circuit_breakers b where b.store = any($2)),
        'alerts', (select count(*) from public.work_queue w
            where w.store = any($2) and w.topic = 'slack_alert' and not w.id = any($1))
    ) as traces";

/// What the late one may say.
fn words() -> [Value; 8] {
    [
        json!({"outcome": "done"}),
        json!({"outcome": "done", "pushed": 3}),
        json!({"outcome": "stale", "error": "late"}),
        json!({"outcome": "throttled", "error": "late", "retry_after_ms": 9000}),
        json!({"outcome": "released"}),
        json!({"outcome": "failed", "error": "late"}),
        json!({"outcome": "failed", "error_class": "permanent", "error": "late"}),
        json!({"outcome": "failed", "error_class": "limit", "error": "late"}),
    ]
}

/// What has become of the item meanwhile: how the next worker reported it, if he has.
fn meanwhile() -> [Option<Value>; 4] {
    [
        None,
        Some(json!({"outcome": "done"})),
        Some(json!({"outcome": "failed", "error": "in time"})),
        Some(json!({"outcome": "failed", "error_class": "permanent", "error": "in time"})),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_late_worker_says_changes_no_row() -> Outcome {
    let db = owner().await?;
    let (late, next) = (Worker::connect("late").await?, Worker::connect("next").await?);
    let mut tried = 0;
    for _ in 0..times() {
        for meanwhile in meanwhile() {
            for word in words() {
                let store = store::bare(&db).await?;
                let topic = Topic::make(&db, &[]).await?;
                topic.fill(&db, store.key, 1, 5).await?;
                let lost = late.claim(&[&topic.name], 1).await?;
                let [item] = lost.as_slice() else { return Err(Failure::new("nothing to claim")) };
                expire(&db, &[item.id]).await?;
                let taken = next.claim(&[&topic.name], 1).await?;
                let [again] = taken.as_slice() else { return Err(Failure::new("the lease was not lost")) };
                if let Some(result) = &meanwhile {
                    next.report(&[said(again.id, again.fence, result)]).await?;
                }
                let before = traces(&db, &[item.id], &[store.key]).await?;
                let figures = late.report(&[said(item.id, item.fence, &word)]).await?;
                assert_eq!(figures, json!({"done": 0, "retried": 0, "dead": 0, "ignored": 1}), "{word}");
                let after = traces(&db, &[item.id], &[store.key]).await?;
                assert_eq!(before, after, "{word} after {meanwhile:?}");
                tried += 1;
            }
        }
    }
    announce(&format!("zombie: {tried} late reports changed 0 rows"));
    Ok(())
}

fn said(id: i64, fence: i64, result: &Value) -> Value {
    let mut result = result.clone();
    if let Some(members) = result.as_object_mut() {
        members.extend([("id".to_owned(), json!(id)), ("fence".to_owned(), json!(fence))]);
    }
    result
}

async fn expire(db: &Db, ids: &[i64]) -> Outcome {
    let statement = "update public.work_queue set lease_until = now() - interval '1 ms' where id = any($1)";
    db.execute(statement, &[&ids]).await?;
    Ok(())
}

async fn traces(db: &Db, ids: &[i64], stores: &[&str]) -> Outcome<Value> {
    Ok(column(&db.row(TRACES, &[&ids, &stores]).await?, "traces").clone())
}

/// The same through the whole stack: the worker hangs in the answer of an upstream.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_hangs_past_its_lease_is_not_heard() -> Outcome {
    let stack = Stack::from_env()?;
    let db = owner().await?;
    // Two drains, as one has six places. Slack last: it is waited for 2 s, the others for 10.
    let halves = [
        [Kind::Push, Kind::Push, Kind::Push, Kind::Push, Kind::Refund],
        [Kind::Refund, Kind::Alert, Kind::Alert, Kind::Alert, Kind::Alert],
    ];
    let mut works = Vec::new();
    for kind in halves.concat() {
        works.push(hang(&stack, &db, kind).await?);
    }
    let mut drains = tokio::task::JoinSet::new();
    for half in works.chunks(5) {
        release(&db, half).await?;
        drains.spawn({
            let stack = stack.clone();
            async move { stack.drain().await }
        });
        hanging(&stack, half).await?;
    }
    let (ids, stores) = (ids(&works), works.iter().map(|work| work.store.key).collect::<Vec<_>>());
    expire(&db, &ids).await?;
    stack.drain().await?;
    until(&db, &ids, "done").await?;
    let before = traces(&db, &ids, &stores).await?;
    while let Some(drained) = drains.join_next().await {
        drained??;
    }
    let after = traces(&db, &ids, &stores).await?;
    announce(&format!(
        "zombie: {} calls hung past their leases, what was said of them changed 0 rows",
        works.len()
    ));
    assert_eq!(before, after, "a late report changed something");
    let twice =
        db.count("select 1 from public.work_queue where id = any($1) and fence <> 2", &[&ids]).await?;
    assert_eq!(twice, 0, "each was claimed once more");
    Ok(())
}

/// Work whose first call is not answered for as long as a worker waits.
async fn hang(stack: &Stack, db: &Db, kind: Kind) -> Outcome<Planted> {
    let work = plant(stack, db, kind, store::bare(db).await?).await?;
    // While a write that has not happened hangs, Shopify refuses another with its key.
    let mode = if kind == Kind::Push { "executed_then_hang" } else { "hang" };
    stack
        .plan_fault(&json!({"upstream": upstream(kind), "mode": mode, "count": 1, "match": work.mark}))
        .await?;
    Ok(work)
}

fn upstream(kind: Kind) -> &'static str {
    if kind == Kind::Alert { "slack" } else { "shopify" }
}

/// Waits until the first call of each hangs: the next one will be answered.
async fn hanging(stack: &Stack, works: &[Planted]) -> Outcome {
    closely("calls that hang", async || {
        for work in works {
            let calls = stack.calls(upstream(work.kind), &work.mark).await?;
            if !calls.iter().any(|call| column(call, "fault").is_string()) {
                return Ok(Err(format!("{work:?}: {calls:?}")));
            }
        }
        Ok(Ok(()))
    })
    .await
}

fn ids(works: &[Planted]) -> Vec<i64> {
    works.iter().map(|work| work.id).collect()
}

async fn until(db: &Db, ids: &[i64], status: &str) -> Outcome {
    let query = "select 1 from public.work_queue where id = any($1) and status::text = $2";
    let started = Instant::now();
    while db.count(query, &[&ids, &status]).await? < ids.len() {
        if started.elapsed() > PATIENCE {
            return Err(Failure::new(format!("not all are {status}")));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
