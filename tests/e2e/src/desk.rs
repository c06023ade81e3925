//! A desk before the database: hands the work of one store to a worker that runs alone, and fails as it is told.
//!
//! So that no other worker takes that work it is never due but within the desk's own claim. Claims and reports are the
//! database's own, made in one transaction with that; everything else is passed on to the REST API.

use crate::stack::Stack;
use crate::store::Store;
use crate::{Failure, Outcome};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// What is handed out at the next claim is due at the end of time, and what was reported a little before.
const REPORTED: &str = "9999-01-01";

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered 503 and not executed.
    Refused,
    /// It is executed, and answered 503 all the same.
    Lost,
}

#[derive(Debug)]
struct Planned {
    rpc: &'static str,
    fault: Fault,
    /// So many are answered well before.
    after: usize,
    count: usize,
}

/// The desk. It is open until the test ends.
#[derive(Clone)]
pub struct Desk {
    /// The database, for the worker.
    pub url: String,
    stack: Stack,
    shop: Store,
    planned: Arc<Mutex<Vec<Planned>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Desk {
    /// Opens one for the work of a store. What it has by now is not handed out before [`Desk::again`].
    pub async fn open(stack: &Stack, shop: Store) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let desk = Self { url, stack: stack.clone(), shop, planned: Arc::default(), asked: Arc::default() };
        let app = Router::new().fallback(serve).with_state(desk.clone());
        tokio::spawn(async move {
            // Ends with the test.
            let _never = axum::serve(listener, app).await;
        });
        Ok(desk)
    }

    /// The next `count` calls of a function fail so, once `after` have been answered.
    pub fn plan(&self, rpc: &'static str, fault: Fault, after: usize, count: usize) -> Outcome {
        self.planned.lock().map_err(broken)?.push(Planned { rpc, fault, after, count });
        Ok(())
    }

    /// Forgets all faults.
    pub fn heal(&self) -> Outcome {
        self.planned.lock().map_err(broken)?.clear();
        Ok(())
    }

    /// How often a function was called.
    pub fn asked(&self, rpc: &str) -> Outcome<usize> {
        Ok(self.asked.lock().map_err(broken)?.iter().filter(|name| *name == rpc).count())
    }

    /// Adds work for the next claim; gives its id.
    pub async fn enqueue(&self, topic: &str, payload: &Value, dedupe_key: &str) -> Outcome<i64> {
        let statement = "insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at)
            values ($1, $2, $3, $4, 'infinity') returning id::text";
        Ok(self
            .stack
            .db()
            .await?
            .written(statement, &[&topic, &self.shop.key, payload, &dedupe_key])
            .await?
            .parse()?)
    }

    /// What was reported and is not finished is handed out again.
    pub async fn again(&self) -> Outcome {
        let statement = "update public.work_queue set next_retry_at = 'infinity'
            where store = $1 and status in ('pending', 'error')";
        self.stack.db().await?.execute(statement, &[&self.shop.key]).await?;
        Ok(())
    }

    /// Leases end, as if their time were over, and what was leased is handed out again.
    pub async fn lapse(&self) -> Outcome<u64> {
        // As `claim_work` would do it, but of this store alone and for nobody else.
        let statement = "update public.work_queue set
                status = 'error', retry_count = retry_count + 1, error_class = 'transient', last_error = 'lapsed',
                locked_at = null, locked_by = null, lease_until = null, next_retry_at = 'infinity'
            where store = $1 and status = 'processing'";
        self.stack.db().await?.execute(statement, &[&self.shop.key]).await
    }

    fn fault(&self, rpc: &str) -> Outcome<Option<Fault>> {
        self.asked.lock().map_err(broken)?.push(rpc.to_owned());
        let mut planned = self.planned.lock().map_err(broken)?;
        let Some(at) = planned.iter().position(|it| it.rpc == rpc && it.count > 0) else { return Ok(None) };
        let Some(plan) = planned.get_mut(at) else { return Ok(None) };
        if plan.after > 0 {
            plan.after -= 1;
            return Ok(None);
        }
        plan.count -= 1;
        Ok(Some(plan.fault))
    }

    async fn answer(&self, request: Request) -> Outcome<Response> {
        let path = request.uri().path().to_owned();
        let rpc = path.rsplit('/').next().unwrap_or_default();
        let body = to_bytes(request.into_body(), 16 * 1024 * 1024)
            .await
            .map_err(|error| Failure::new(error.to_string()))?;
        let fault = self.fault(rpc)?;
        if fault == Some(Fault::Refused) {
            return Ok(StatusCode::SERVICE_UNAVAILABLE.into_response());
        }
        let answer = match rpc {
            "claim_work" => Json(self.claim(&serde_json::from_slice(&body)?).await?).into_response(),
            "report_work" => Json(self.report(&serde_json::from_slice(&body)?).await?).into_response(),
            _ => self.pass_on(&path, body.into()).await?,
        };
        Ok(match fault {
            Some(_) => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            None => answer,
        })
    }

    async fn claim(&self, asked: &Value) -> Outcome<Value> {
        // What is not the store's own is busy for this claim.
        let claim = "select public.claim_work(
                $2::jsonb ->> 'p_worker',
                array(select jsonb_array_elements_text($2 -> 'p_topics')),
                ($2 ->> 'p_limit')::integer,
                array(
                    select distinct w.topic || '/' || w.store from public.work_queue w
                    where w.finished_at is null and w.store <> $1
                    union
                    select jsonb_array_elements_text($2 -> 'p_busy')
                )
            )::text";
        let due = "update public.work_queue set next_retry_at = now()
            where store = $1 and status in ('pending', 'error') and next_retry_at = 'infinity'";
        // A lease without an end has ended now.
        let lapsed = "update public.work_queue set lease_until = now() - interval '1 second'
            where store = $1 and status = 'processing' and lease_until = 'infinity'";
        // What a bound left, which alone is due now, waits for the next claim.
        let left = "update public.work_queue set next_retry_at = 'infinity'
            where store = $1 and status in ('pending', 'error') and next_retry_at = now()";
        let db = self.stack.db().await?;
        loop {
            db.execute("begin", &[]).await?;
            db.execute(due, &[&self.shop.key]).await?;
            db.execute(lapsed, &[&self.shop.key]).await?;
            let claimed: Value = serde_json::from_str(&db.written(claim, &[&self.shop.key, asked]).await?)?;
            // What others have got work in since the busy ones were listed is theirs all the same.
            let items = claimed.pointer("/data/items").and_then(Value::as_array);
            if items.into_iter().flatten().any(|item| item["store"] != self.shop.key) {
                db.execute("rollback", &[]).await?;
                continue;
            }
            db.execute(left, &[&self.shop.key]).await?;
            db.execute("commit", &[]).await?;
            return Ok(claimed);
        }
    }

    async fn report(&self, asked: &Value) -> Outcome<Value> {
        let report = "select public.report_work($1::jsonb ->> 'p_worker', $1 -> 'p_results')::text";
        let rest = "update public.work_queue set next_retry_at = $2::text::timestamptz
            where store = $1 and status in ('pending', 'error') and next_retry_at <> 'infinity'";
        let db = self.stack.db().await?;
        db.execute("begin", &[]).await?;
        let reported = db.written(report, &[asked]).await?;
        db.execute(rest, &[&self.shop.key, &REPORTED]).await?;
        db.execute("commit", &[]).await?;
        Ok(serde_json::from_str(&reported)?)
    }

    async fn pass_on(&self, path: &str, body: Body) -> Outcome<Response> {
        let key = &self.stack.service_key;
        let bytes = to_bytes(body, usize::MAX).await.map_err(|error| Failure::new(error.to_string()))?;
        let passed = self.stack.http.post(format!("{}{path}", self.stack.supabase_url)).header("apikey", key);
        let answer =
            passed.bearer_auth(key).header("content-type", "application/json").body(bytes).send().await?;
        let status = answer.status();
        let json = [(header::CONTENT_TYPE, "application/json")];
        Ok((status, json, Body::from(answer.bytes().await?)).into_response())
    }

    /// What a queue worker alone needs to work behind this desk.
    #[must_use]
    pub fn bindings(&self) -> Value {
        let fakes = &self.stack.fakes_url;
        json!({
            "SUPABASE_URL": self.url, "SUPABASE_SERVICE_ROLE_KEY": self.stack.service_key,
            "CREDENTIALS_KEY": self.stack.credentials_key, "SHOPIFY_ADMIN_TOKEN": "token",
            "SHOPIFY_ADMIN_URL": format!("{fakes}/shopify/{{shop}}"),
            "SLACK_WEBHOOK_URL": format!("{fakes}/slack/alerts"),
            "EMAIL_API_URL": format!("{fakes}/email"), "EMAIL_API_KEY": "re_lone", "EMAIL_FROM": "o@example.com"
        })
    }
}

async fn serve(State(desk): State<Desk>, request: Request) -> Response {
    desk.answer(request)
        .await
        .unwrap_or_else(|why| (StatusCode::BAD_GATEWAY, format!("{why:?}")).into_response())
}

fn broken<T>(_: std::sync::PoisonError<T>) -> Failure {
    Failure::new("the desk is broken")
}
