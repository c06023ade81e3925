//! Races of the queue by name: two sessions of the database, stopped where claims, reports and leases meet.

use ordak_e2e::db::Db;
use ordak_e2e::session::{End, Session};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::CROWDED;
use ordak_e2e::{Outcome, unique_number};
use serde_json::{Value, json};

/// A topic that no worker drains, with its own outside system.
struct Topic {
    name: String,
    upstream: String,
}

impl Topic {
    async fn make(db: &Db, rate_max: Option<i32>) -> Outcome<Self> {
        let number = unique_number(1_000_000_000);
        let letters: String =
            number.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        let topic = Self { name: format!("race_{letters}"), upstream: format!("tap_{letters}") };
        let statement = "insert into public.queue_topics (topic, upstream, rate_max, rate_duration_ms)
            values ($1, $2, $3, case when $3::integer is not null then 60000 end)";
        db.execute(statement, &[&topic.name, &topic.upstream, &rate_max]).await?;
        Ok(topic)
    }

    async fn items(&self, db: &Db, count: i32) -> Outcome {
        let statement = "insert into public.work_queue (topic, store, dedupe_key)
            select $1, $2, n::text from generate_series(1, $3) n";
        db.execute(statement, &[&self.name, &CROWDED.key, &count]).await?;
        Ok(())
    }

    /// Claims, and gives the items.
    async fn claim(&self, db: &Db, worker: &str, limit: i32) -> Outcome<Vec<Value>> {
        let query = "select public.claim_work($1, array[$2], $3) #> '{data,items}' as items";
        let row = db.row(query, &[&worker, &self.name, &limit]).await?;
        Ok(row["items"].as_array().cloned().unwrap_or_default())
    }

    async fn breaker(&self, db: &Db) -> Outcome<Value> {
        let query = "select state, recent from public.circuit_breakers where upstream = $1";
        Ok(db.maybe_row(query, &[&self.upstream]).await?.unwrap_or_default())
    }

    async fn expire(&self, db: &Db) -> Outcome {
        let statement = "update public.work_queue set lease_until = now() - interval '1 s'
            where topic = $1 and status = 'processing'";
        db.execute(statement, &[&self.name]).await?;
        Ok(())
    }

    async fn rows(&self, db: &Db) -> Outcome<Value> {
        let query =
            "select jsonb_agg(jsonb_build_array(status, locked_by, fence, retry_count) order by id) as rows
            from public.work_queue where topic = $1";
        Ok(db.row(query, &[&self.name]).await?["rows"].clone())
    }
}

/// A report of these items, all with the same outcome.
fn report(worker: &str, items: &[Value], outcome: &str) -> String {
    let results: Vec<Value> = items
        .iter()
        .map(|item| json!({"id": item["id"], "fence": item["fence"], "outcome": outcome, "error": "no answer in time"}))
        .collect();
    format!("report_work('{worker}', '{}')", Value::from(results))
}

#[tokio::test]
async fn a_report_that_meets_the_claim_of_its_lost_lease_changes_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let topic = Topic::make(&db, None).await?;
    topic.items(&db, 1).await?;
    let lost = Session::begin(&stack).await?;
    let items = topic.claim(&lost.db, "lost", 1).await?;
    lost.end(End::Commit).await?;
    topic.expire(&db).await?;

    let (next, late) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    assert_eq!(topic.claim(&next.db, "next", 1).await?.len(), 1, "a lost lease is given out again");
    let answer = late.call_after(&next, End::Commit, &report("lost", &items, "done")).await?;
    late.end(End::Commit).await?;
    assert_eq!(answer["data"], json!({"done": 0, "retried": 0, "dead": 0, "ignored": 1}));
    assert_eq!(topic.rows(&db).await?, json!([["processing", "next", 2, 1]]));
    Ok(())
}

#[tokio::test]
async fn a_claim_that_meets_the_late_report_of_an_expired_lease_leaves_it_alone() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let topic = Topic::make(&db, None).await?;
    topic.items(&db, 1).await?;
    let (late, next) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    let claim = Session::begin(&stack).await?;
    let items = topic.claim(&claim.db, "late", 1).await?;
    claim.end(End::Commit).await?;
    topic.expire(&db).await?;

    assert_eq!(late.call(&report("late", &items, "done")).await?["data"]["done"], 1, "nobody had it since");
    let claimed = next.meets(&late, &db, topic.claim(&next.db, "next", 1)).await?;
    next.end(End::Commit).await?;
    assert_eq!(claimed, [] as [Value; 0], "what is being reported is not given out");
    assert_eq!(topic.rows(&db).await?, json!([["done", null, 1, 0]]));
    Ok(())
}

#[tokio::test]
async fn two_reports_of_failures_at_once_are_both_counted() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let topic = Topic::make(&db, None).await?;
    topic.items(&db, 6).await?;
    let claim = Session::begin(&stack).await?;
    let items = topic.claim(&claim.db, "both", 6).await?;
    claim.end(End::Commit).await?;
    let (mine, others) = items.split_at(3);

    let (first, second) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    assert_eq!(first.call(&report("both", mine, "failed")).await?["data"]["retried"], 3);
    second.call_after(&first, End::Commit, &report("both", others, "failed")).await?;
    second.end(End::Commit).await?;
    assert_eq!(topic.breaker(&db).await?["state"], "open", "three and three are more than five in a row");
    Ok(())
}

#[tokio::test]
async fn one_of_two_claims_at_once_tries_a_broken_system() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let topic = Topic::make(&db, None).await?;
    topic.items(&db, 9).await?;
    let statement = "insert into public.circuit_breakers (store, upstream, state, retry_at) values ($1, $2, 'open', now())";
    db.execute(statement, &[&CROWDED.key, &topic.upstream]).await?;

    let (first, second) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    let probe = topic.claim(&first.db, "first", 9).await?;
    assert_eq!(probe.len(), 1, "one item may try");
    let also = second.meets(&first, &db, topic.claim(&second.db, "second", 9)).await?;
    second.end(End::Commit).await?;
    assert_eq!(also, [] as [Value; 0], "and it alone");

    // It fails while another asks; then the other finds the breaker open for a minute.
    let (failing, asking) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    failing.call(&report("first", &probe, "failed")).await?;
    let asked = asking.meets(&failing, &db, topic.claim(&asking.db, "third", 9)).await?;
    asking.end(End::Commit).await?;
    assert_eq!(asked, [] as [Value; 0], "nobody tries on the strength of a probe that failed");
    assert_eq!(topic.breaker(&db).await?["state"], "open");
    Ok(())
}

#[tokio::test]
async fn two_claims_at_once_keep_to_one_rate() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let topic = Topic::make(&db, Some(3)).await?;
    topic.items(&db, 9).await?;
    // The gate is there already, or the second would wait for the first to have made it.
    let statement = "insert into private.work_gates (topic, store) values ($1, '')";
    db.execute(statement, &[&topic.name]).await?;
    let (first, second) = (Session::begin(&stack).await?, Session::begin(&stack).await?);
    assert_eq!(topic.claim(&first.db, "first", 2).await?.len(), 2);
    let also = second.meets(&first, &db, topic.claim(&second.db, "second", 9)).await?;
    second.end(End::Commit).await?;
    assert_eq!(also, [] as [Value; 0], "whoever comes at the same moment goes without");
    let third = Session::begin(&stack).await?;
    assert_eq!(topic.claim(&third.db, "third", 9).await?.len(), 1, "and what is left of the rate is left");
    third.end(End::Commit).await?;
    Ok(())
}
