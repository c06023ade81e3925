//! The work queue as workers meet it, with topics and stores of a suite's own that no drain of the stack touches.
//!
//! Knows the RPCs and where the rows are; decides nothing about what workers do with them.

use crate::ground::variable;
use crate::session::Session;
use ordak_e2e::db::Db;
use ordak_e2e::{Failure, Outcome, unique_number};
use serde_json::{Value, json};
use tokio_postgres::types::ToSql;

/// A claimed item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id.
    pub id: i64,
    /// Its topic.
    pub topic: String,
    /// Its store.
    pub store: String,
    /// Proof of the claim.
    pub fence: i64,
    /// When it was claimed, in microseconds, by the clock of the database.
    pub claimed_us: i64,
}

impl Item {
    fn read(value: &Value, lease_us: i64) -> Outcome<Self> {
        let missing = || Failure::new(format!("no item: {value}"));
        let number = |name: &str| value.get(name).and_then(Value::as_i64).ok_or_else(missing);
        let text =
            |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned).ok_or_else(missing);
        Ok(Self {
            id: number("id")?,
            topic: text("topic")?,
            store: text("store")?,
            fence: number("fence")?,
            claimed_us: number("lease_us")? - lease_us,
        })
    }

    /// A line of a report: done.
    #[must_use]
    pub fn done(&self) -> Value {
        json!({"id": self.id, "fence": self.fence, "outcome": "done"})
    }

    /// A line of a report: failed, and another try may help.
    #[must_use]
    pub fn failed(&self) -> Value {
        json!({"id": self.id, "fence": self.fence, "outcome": "failed", "error": "no answer in time"})
    }
}

/// A topic of a suite's own. All have leases of a minute.
#[derive(Clone, Debug)]
pub struct Topic {
    /// Its name, which is also that of the outside system that it calls.
    pub name: String,
}

impl Topic {
    /// Makes one with other settings than the usual ones: `rate_max = 5, …`, or nothing.
    pub async fn make(db: &Db, settings: &[(&str, i32)]) -> Outcome<Self> {
        let letters = unique_number(1_000_000_000).to_string();
        let letters: String = letters.bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
        let topic = Self { name: format!("chaos_{letters}") };
        let insert = "insert into public.queue_topics (topic, upstream) values ($1, $1)";
        db.execute(insert, &[&topic.name]).await?;
        for (name, value) in settings {
            let both = if *name == "rate_max" { ", rate_duration_ms = 1000" } else { "" };
            let update = format!("update public.queue_topics set {name} = $2{both} where topic = $1");
            db.execute(&update, &[&topic.name, value]).await?;
        }
        Ok(topic)
    }

    /// Puts items into the queue.
    pub async fn fill(&self, db: &Db, store: &str, count: i32, priority: i16) -> Outcome {
        let insert = "insert into public.work_queue (topic, store, dedupe_key, priority, max_retries)
            select $1, $2, $2 || '/' || n || '/' || $4::smallint, $4, 50 from generate_series(1, $3) n";
        db.execute(insert, &[&self.name, &store, &count, &priority]).await?;
        Ok(())
    }
}

/// A column of a row; null when there is none.
#[must_use]
pub fn column<'a>(row: &'a Value, name: &str) -> &'a Value {
    row.get(name).unwrap_or(&Value::Null)
}

/// The database as its owner.
pub async fn owner() -> Outcome<Db> {
    Db::connect(&variable("DATABASE_URL")?).await
}

/// A worker: a connection as the service role, and a name.
pub struct Worker {
    /// Its name.
    pub name: String,
    /// Its connection.
    pub session: Session,
}

impl Worker {
    /// Connects.
    pub async fn connect(name: &str) -> Outcome<Self> {
        let session = Session::connect(&variable("DATABASE_URL")?).await?;
        Ok(Self { name: name.to_owned(), session })
    }

    /// Has the planner choose what is usually the worst: nested loops.
    pub async fn with_nested_loops(self) -> Outcome<Self> {
        for setting in ["enable_hashjoin", "enable_mergejoin", "enable_material", "enable_memoize"] {
            let set = "select to_jsonb(set_config($1, 'off', false))";
            self.session.value(set, &[&setting]).await?;
        }
        Ok(self)
    }

    /// Claims up to `limit` items of these topics.
    pub async fn claim(&self, topics: &[&str], limit: i32) -> Outcome<Vec<Item>> {
        let claim = "select coalesce(jsonb_agg(i || jsonb_build_object(
                'lease_us', (extract(epoch from (i ->> 'lease_until')::timestamptz) * 1000000)::bigint
            )), '[]')
            from jsonb_array_elements(public.claim_work($1, $2, $3) #> '{data,items}') i";
        let parameters: [&(dyn ToSql + Sync); 3] = [&self.name, &topics, &limit];
        let answer = self.session.value(claim, &parameters).await?;
        let items = answer.as_array().cloned().unwrap_or_default();
        items.iter().map(|item| Item::read(item, 60_000_000)).collect()
    }

    /// Reports, and gives the figures.
    pub async fn report(&self, results: &[Value]) -> Outcome<Value> {
        let report = "select public.report_work($1, $2)";
        self.session.data(report, &[&self.name, &Value::from(results)]).await
    }
}
