//! A whole run that dies: its caller leaves, its worker is killed, its session is ended; wherever it was, it has done
//! nothing or everything, and whoever comes next does the rest once.
//!
//! A run is stopped by something that it must wait for: a row or a key that another session holds without committing.

use super::orchestrating::effects;
use super::{Supplier, contributions, orchestrate, turn};
use ordak_e2e::db::Db;
use ordak_e2e::lone::Lone;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::{Failure, Outcome};
use reqwest::Method;
use serde_json::{Value, json};

/// Where a run is stopped; what holds it there is written for the batch `$1` that it cancels and is never committed.
const POINTS: [(&str, &str); 4] = [
    (
        "before the event of a cancelled order",
        "insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload)
        select 'batch', 'batch/order_cancelled', o.store, o.shopify_order_gid,
            concat_ws('/', o.store, 'batch/order_cancelled', o.shopify_order_gid), 'held', '{}'
        from public.batch_contributions c join public.orders o on o.store = c.store and o.id = c.order_id
        where c.batch_id = $1::text::uuid order by o.id desc limit 1",
    ),
    (
        "before an order is cancelled",
        "update public.orders set notes = 'held' where (store, id) in (
            select store, order_id from public.batch_contributions where batch_id = $1::text::uuid order by order_id desc limit 1)",
    ),
    (
        "before a refund",
        "insert into public.work_queue (topic, store, dedupe_key)
        select 'refund', o.store, o.shopify_order_gid || '/batch'
        from public.batch_contributions c join public.orders o on o.store = c.store and o.id = c.order_id
        where c.batch_id = $1::text::uuid order by o.id desc limit 1",
    ),
    (
        "before the event of the batch",
        "insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload)
        select 'batch', 'batch/cancelled', b.store, 'batch:' || b.id, concat_ws('/', b.store, 'batch/cancelled', b.id), 'held', '{}'
        from public.production_batches b where b.id = $1::text::uuid",
    ),
];

/// Batches that are due, and a session that stops whoever decides them.
struct Scene {
    batches: Vec<String>,
    holder: Db,
    holder_pid: i64,
}

impl Scene {
    async fn set(stack: &Stack, db: &Db, stop: &str) -> Outcome<Self> {
        let supplier = Supplier::new(db, 100).await?;
        let mut batches = Vec::new();
        for number in 0..6 {
            let batch = supplier.batch(db, if number % 2 == 0 { 80 } else { 10 }, 100, "-1 hour").await?;
            contributions(db, &batch, 3, "paid", "20").await?;
            batches.push(batch);
        }
        let holder = stack.db().await?;
        let pid = holder.row("select pg_backend_pid() as pid", &[]).await?;
        holder.execute("begin", &[]).await?;
        let held = batches.last().ok_or_else(|| Failure::new("no batch".to_owned()))?;
        assert_eq!(holder.execute(stop, &[held]).await?, 1, "{stop}");
        Ok(Self { batches, holder, holder_pid: pid["pid"].as_i64().unwrap_or_default() })
    }

    /// The session of the run that waits at the point. Others may wait there as well: a store that opens does.
    async fn stopped(&self, db: &Db) -> Outcome<i32> {
        let waiting = "select pid from pg_stat_activity
            where $1::int = any (pg_blocking_pids(pid)) and query like '%orchestrate_batches%' limit 1";
        let holder = i32::try_from(self.holder_pid)?;
        let pid = eventually("a run at the point", async || {
            Ok(db.maybe_row(waiting, &[&holder]).await?.ok_or_else(|| "nobody waits".to_owned()))
        })
        .await?;
        Ok(i32::try_from(pid["pid"].as_i64().unwrap_or_default())?)
    }

    /// Lets go, and has runs decide what is left until all is decided; then again, which must change nothing.
    async fn settled_once(&self, stack: &Stack, db: &Db) -> Outcome {
        self.holder.execute("rollback", &[]).await?;
        let everything = json!({"ordered": 3, "refunds": 9, "cancelled": 9, "events": 6});
        eventually("every batch decided", async || {
            let now = effects(db, &self.batches).await?;
            assert!(now == nothing() || now == everything, "half of it: {now}");
            let answer = orchestrate(stack).await?;
            assert_eq!(answer.status, 200, "{}", answer.text);
            Ok(if now == everything { Ok(()) } else { Err(now.to_string()) })
        })
        .await?;
        assert_eq!(orchestrate(stack).await?.json, json!({"success": true, "processed": 0, "results": []}));
        assert_eq!(effects(db, &self.batches).await?, everything);
        let trails = "select count(*) as trails from public.stage_events s
            join public.batch_contributions c on c.store = s.store and c.order_id = s.order_id
            where s.action = 'order_cancelled' and c.batch_id::text = any($1)";
        assert_eq!(db.row(trails, &[&self.batches]).await?, json!({"trails": 9}));
        Ok(())
    }
}

fn nothing() -> Value {
    json!({"ordered": 0, "refunds": 0, "cancelled": 0, "events": 0})
}

#[tokio::test]
async fn the_session_of_a_run_is_ended() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let _turn = turn(&db).await?;
    for (point, stop) in POINTS {
        let scene = Scene::set(&stack, &db, stop).await?;
        let run = tokio::spawn({
            let stack = stack.clone();
            async move { orchestrate(&stack).await }
        });
        let pid = scene.stopped(&db).await?;
        db.rows("select pg_terminate_backend($1)", &[&pid]).await?;
        let answer = run.await??;
        assert_eq!(answer.status, 503, "{point}: {}", answer.text);
        assert!(answer.str("/timestamp").ends_with('Z'), "{point}: {}", answer.text);
        assert_eq!(effects(&db, &scene.batches).await?, nothing(), "{point}");
        scene.settled_once(&stack, &db).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_caller_of_a_run_leaves() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let _turn = turn(&db).await?;
    for (_, stop) in POINTS {
        let scene = Scene::set(&stack, &db, stop).await?;
        let run = tokio::spawn({
            let stack = stack.clone();
            async move { orchestrate(&stack).await }
        });
        scene.stopped(&db).await?;
        run.abort();
        scene.settled_once(&stack, &db).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_worker_of_a_run_dies() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let _turn = turn(&db).await?;
    for (_, stop) in POINTS {
        let scene = Scene::set(&stack, &db, stop).await?;
        let worker = Lone::start("batch-processor", &super::settings(&stack)).await?;
        let request = worker
            .request(Method::POST, "batch-processor")
            .bearer_auth(&stack.service_key)
            .json(&json!({"jobType": "orchestrate"}));
        let run = tokio::spawn(request.send());
        scene.stopped(&db).await?;
        drop(worker);
        assert!(run.await?.is_err(), "the worker is gone, and nobody answers");
        scene.settled_once(&stack, &db).await?;
    }
    Ok(())
}
