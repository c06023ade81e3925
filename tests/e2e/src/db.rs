//! A look into the database as its owner, past row-level security, and the few changes that no API offers.

use crate::{Failure, Outcome};
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls};

/// A connection of one test.
pub struct Db(Client);

impl Db {
    /// Connects.
    pub async fn connect(url: &str) -> Outcome<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        Ok(Self(client))
    }

    /// The rows of a query, each as a JSON object.
    pub async fn rows(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<Vec<Value>> {
        let query = format!("select to_jsonb(found) from ({query}) found");
        let rows = self.0.query(&query, parameters).await?;
        rows.iter().map(|row| Ok(row.try_get::<_, Value>(0)?)).collect()
    }

    /// The only row of a query; `None` when there is none.
    pub async fn maybe_row(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<Option<Value>> {
        let mut rows = self.rows(query, parameters).await?;
        if rows.len() > 1 {
            return Err(Failure::new(format!("{} rows where one was expected: {query}", rows.len())));
        }
        Ok(rows.pop())
    }

    /// The only row of a query.
    pub async fn row(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<Value> {
        let found = self.maybe_row(query, parameters).await?;
        found.ok_or_else(|| Failure::new(format!("no row: {query}")))
    }

    /// How many rows a query gives.
    pub async fn count(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<usize> {
        Ok(self.rows(query, parameters).await?.len())
    }

    /// Changes something; gives the number of rows.
    pub async fn execute(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<u64> {
        Ok(self.0.execute(statement, parameters).await?)
    }

    /// The one text that a statement which writes gives back.
    pub async fn written(&self, statement: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<String> {
        Ok(self.0.query_one(statement, parameters).await?.try_get(0)?)
    }

    /// Makes everything of a store that waits for its next try due now, in place of waiting for it: what waits for a
    /// system that failed or asked for patience as well.
    pub async fn hurry(&self, store: &str) -> Outcome<u64> {
        self.execute("delete from public.circuit_breakers where store = $1", &[&store]).await?;
        let statement =
            "update public.work_queue set next_retry_at = now() where store = $1 and status = 'error'";
        self.execute(statement, &[&store]).await
    }
}
