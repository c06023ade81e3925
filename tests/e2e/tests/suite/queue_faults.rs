//! What becomes of work when the database fails in the middle of a drain: it comes back, and nothing happens twice.

use ordak_e2e::desk::{Desk, Fault};
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Item, Store};
use ordak_e2e::{Outcome, unique};
use serde_json::{Value, json};

struct Scene {
    stack: Stack,
    store: Store,
    item: Item,
    desk: Desk,
    lone: Lone,
    id: i64,
}

/// A push that is to leave.
async fn scene() -> Outcome<Scene> {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let item = store::stock(&stack, store, 5).await?;
    let desk = Desk::open(&stack, store).await?;
    let id = desk.enqueue("inventory_push", &json!({"sku": item.sku}), &unique()).await?;
    let lone = Lone::start("queue-worker", &desk.bindings()).await?;
    Ok(Scene { stack, store, item, desk, lone, id })
}

impl Scene {
    async fn drain(&self) -> Outcome<u16> {
        Ok(self.lone.drain(&self.stack.service_key).await?.status)
    }

    /// Status and attempts of the push, and how often Shopify acted on it.
    async fn now(&self) -> Outcome<(String, i64, usize)> {
        let query = "select status, retry_count from public.work_queue where id = $1";
        let row = self.stack.db().await?.row(query, &[&self.id]).await?;
        let effects = self.stack.shopify_effects(self.store, &self.item).await?.len();
        let status = row["status"].as_str().unwrap_or_default().to_owned();
        Ok((status, row["retry_count"].as_i64().unwrap_or(-1), effects))
    }

    async fn is(&self, status: &str, retry_count: i64, effects: usize) -> Outcome {
        assert_eq!(self.now().await?, (status.to_owned(), retry_count, effects));
        Ok(())
    }
}

#[tokio::test]
async fn a_claim_that_is_refused_takes_nothing() -> Outcome {
    let scene = scene().await?;
    scene.desk.plan("claim_work", Fault::Refused, 0, 1)?;
    assert_eq!(scene.drain().await?, 503, "a drain that could not even begin says so");
    scene.is("pending", 0, 0).await?;
    assert_eq!(scene.drain().await?, 200);
    scene.is("done", 0, 1).await
}

#[tokio::test]
async fn what_a_lost_claim_took_comes_back_with_its_lease() -> Outcome {
    let scene = scene().await?;
    scene.desk.plan("claim_work", Fault::Lost, 0, 1)?;
    assert_eq!(scene.drain().await?, 503);
    scene.is("processing", 0, 0).await?;
    assert_eq!(scene.drain().await?, 200);
    scene.is("processing", 0, 0).await?;
    assert_eq!(scene.desk.lapse().await?, 1);
    assert_eq!(scene.drain().await?, 200);
    scene.is("done", 1, 1).await
}

#[tokio::test]
async fn a_report_whose_answer_is_lost_is_made_again_and_counts_once() -> Outcome {
    let scene = scene().await?;
    scene.desk.plan("report_work", Fault::Lost, 0, 1)?;
    assert_eq!(scene.drain().await?, 200);
    assert_eq!(scene.desk.asked("report_work")?, 2);
    scene.is("done", 0, 1).await?;
    assert_eq!(scene.drain().await?, 200);
    scene.is("done", 0, 1).await
}

/// Shopify has acted, and nobody could write it down: whoever has the lease next asks under the same key.
#[tokio::test]
async fn what_could_not_be_reported_is_asked_again_and_done_once() -> Outcome {
    let scene = scene().await?;
    scene.desk.plan("report_work", Fault::Refused, 0, 2)?;
    assert_eq!(scene.drain().await?, 503);
    scene.is("processing", 0, 1).await?;
    assert_eq!(scene.desk.lapse().await?, 1);
    assert_eq!(scene.drain().await?, 200);
    scene.is("done", 1, 1).await?;
    assert_eq!(scene.stack.shopify_calls(scene.store, &scene.item).await?.len(), 2, "asked twice");
    Ok(())
}

/// Four of six e-mails are under way when the next claim fails: they end and are reported, the others go back untried.
#[tokio::test]
async fn after_a_fault_what_is_under_way_ends_and_what_waits_goes_back() -> Outcome {
    let stack = Stack::up().await?;
    let (db, store) = (stack.db().await?, store::fresh(&stack).await?);
    let desk = Desk::open(&stack, store).await?;
    let mark = unique();
    for number in 0..6 {
        let told = json!({"kind": "test", "text": format!("{mark} {number}"), "to": "kitchen@example.com"});
        desk.enqueue("email", &told, &format!("{mark}/{number}")).await?;
    }
    let fault = json!({"upstream": "email", "match": mark, "mode": "slow", "delay_ms": 6000, "count": 4});
    stack.plan_fault(&fault).await?;
    desk.plan("claim_work", Fault::Refused, 1, 1)?;
    let lone = Lone::start("queue-worker", &desk.bindings()).await?;
    assert_eq!(lone.drain(&stack.service_key).await?.status, 503);
    assert_eq!(desk.asked("claim_work")?, 2, "nothing is claimed after a fault");
    let states = "select status, count(*)::int as items, max(retry_count) as tries
        from public.work_queue where store = $1 group by status order by status";
    let wanted = [
        json!({"status": "pending", "items": 2, "tries": 0}),
        json!({"status": "done", "items": 4, "tries": 0}),
    ];
    assert_eq!(db.rows(states, &[&store.key]).await?, wanted);
    let sent = async || -> Outcome<Vec<Value>> { stack.calls("email", &mark).await };
    assert_eq!(sent().await?.len(), 4);

    desk.again().await?;
    assert_eq!(lone.drain(&stack.service_key).await?.status, 200);
    assert_eq!(db.rows(states, &[&store.key]).await?, [json!({"status": "done", "items": 6, "tries": 0})]);
    assert_eq!(sent().await?.len(), 6, "each was sent once");
    Ok(())
}
