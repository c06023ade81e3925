//! Makes the calls of a benchmark as the REST server makes them and takes their times.

use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Connection, Row};

use super::figures::Figures;
use super::plan::{Call, Plan};
use crate::database::{self, Role};
use crate::layout::Layout;

/// Calls that are made before the times count.
const WARM_UP: u32 = 10;
/// A table with fewer rows may be read whole.
const SMALL_TABLE: i64 = 10_000;

/// What a call came to.
pub struct Measured {
    /// Between two looks at the server's clock.
    pub server: Figures,
    /// The whole transaction, as the client sees it.
    pub with_commit: Figures,
    /// Rows of large tables that were read by sequential scans, per call.
    pub rows_by_whole_scans: i64,
}

/// Everything that was measured.
pub struct Results {
    /// The server's version.
    pub postgres: String,
    /// What the data is.
    pub ground: Value,
    /// In the order of the plan.
    pub calls: Vec<Measured>,
}

/// Makes all calls.
pub async fn all(layout: &Layout, plan: &Plan) -> Result<Results> {
    let mut owner = database::connect(layout, Role::Owner).await?;
    let version = "select to_jsonb(current_setting('server_version')) as answer";
    let postgres = answer(&mut owner, version).await?.as_str().unwrap_or_default().to_owned();
    let ground =
        answer(&mut owner, &format!("select to_jsonb(g) as answer from ({}) as g", plan.ground)).await?;
    database::close(owner).await?;
    let mut calls = Vec::new();
    for call in &plan.calls {
        calls.push(one(layout, plan, call).await.with_context(|| format!("`{}`", call.name))?);
    }
    Ok(Results { postgres, ground, calls })
}

async fn one(layout: &Layout, plan: &Plan, call: &Call) -> Result<Measured> {
    // The role that the REST server signs in as, so that row security and grants are those of a real call.
    let mut session = database::connect(layout, Role::Authenticator).await?;
    let claims = json!({
        "role": "authenticated", "aud": "authenticated", "sub": plan.user(&call.user), "exp": 4_102_444_800_u64
    })
    .to_string();
    let (mut server, mut with_commit) = (Vec::new(), Vec::new());
    for number in 1..=WARM_UP {
        // From the other end: a call that changes its order must find it unchanged when it counts.
        timed(&mut session, &claims, &call.statement(call.times + number)).await?;
    }
    let before = rows_by_whole_scans(layout, &mut session).await?;
    for number in 1..=call.times {
        let (inside, whole) = timed(&mut session, &claims, &call.statement(number)).await?;
        server.push(inside);
        with_commit.push(whole);
    }
    let read = rows_by_whole_scans(layout, &mut session).await? - before;
    database::close(session).await?;
    let figures = |times: &[f64]| Figures::of(times).context("no times");
    Ok(Measured {
        server: figures(&server)?,
        with_commit: figures(&with_commit)?,
        rows_by_whole_scans: read / i64::from(call.times),
    })
}

/// One call in its transaction: milliseconds by the server's clock, and by ours.
async fn timed(session: &mut PgConnection, claims: &str, statement: &str) -> Result<(f64, f64)> {
    let started = Instant::now();
    let mut transaction = session.begin().await.context("cannot begin")?;
    sqlx::query(
        "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
    )
    .bind(claims)
    .execute(&mut *transaction)
    .await
    .context("cannot become the user")?;
    let clock = "select extract(epoch from clock_timestamp())::float8 * 1000 as at";
    let script = format!("{clock}; {statement}; {clock}");
    let rows = sqlx::raw_sql(AssertSqlSafe(script.clone()))
        .fetch_all(&mut *transaction)
        .await
        .map_err(|error| database::explain(&script, error))?;
    transaction.commit().await.context("cannot commit")?;
    let whole = started.elapsed().as_secs_f64() * 1000.0;
    let [begin, answer, end] = rows.as_slice() else { bail!("{} rows instead of three", rows.len()) };
    refuse_refusals(answer)?;
    Ok((milliseconds(end)? - milliseconds(begin)?, whole))
}

/// The time of a call that was refused would say nothing.
fn refuse_refusals(row: &PgRow) -> Result<()> {
    let answer: Option<Value> = row.try_get("answer").context("no answer")?;
    match answer {
        Some(Value::Object(envelope)) if envelope.get("ok") != Some(&Value::Bool(true)) => {
            bail!("refused: {}", Value::Object(envelope))
        }
        Some(_) => Ok(()),
        None => bail!("the answer is empty"),
    }
}

fn milliseconds(row: &PgRow) -> Result<f64> {
    row.try_get("at").context("no time")
}

/// A look at the statistics, with what the session has done so far counted in.
async fn rows_by_whole_scans(layout: &Layout, session: &mut PgConnection) -> Result<i64> {
    answer(session, "select to_jsonb(pg_stat_force_next_flush()::text) as answer").await?;
    let mut owner = database::connect(layout, Role::Owner).await?;
    let query = format!(
        "select to_jsonb(coalesce(sum(s.seq_tup_read), 0)::bigint) as answer
        from pg_stat_user_tables s where s.n_live_tup > {SMALL_TABLE}"
    );
    let rows = answer(&mut owner, &query).await?;
    database::close(owner).await?;
    rows.as_i64().context("no count")
}

async fn answer(session: &mut PgConnection, query: &str) -> Result<Value> {
    let row = sqlx::raw_sql(AssertSqlSafe(query.to_owned()))
        .fetch_one(session)
        .await
        .map_err(|error| database::explain(query, error))?;
    row.try_get("answer").context("no answer")
}
