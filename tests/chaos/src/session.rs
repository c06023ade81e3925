//! A connection that does what the edge does: as the service role, one function call a delivery.

use ordak_core::content::sha256_hex;
use ordak_core::normalize::{NormalizeSettings, normalize};
use ordak_core::topic::Topic;
use ordak_e2e::{Failure, Outcome};
use ordak_model::Delivery;
use serde_json::Value;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};

/// A connection as the service role.
pub struct Session {
    client: Client,
    ingest: Statement,
}

impl Session {
    /// Connects as the owner and becomes the service role.
    pub async fn connect(url: &str) -> Outcome<Self> {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        tokio::spawn(connection);
        client
            .batch_execute(
                "set role service_role; set request.jwt.claims = '{\"role\":\"service_role\"}';
                 set application_name = 'ordak-chaos'",
            )
            .await?;
        let ingest = client
            .prepare(
                "select public.ingest_shopify_event($1, $2, $3, now(), $4, $5, $6::text::jsonb, null, null)",
            )
            .await?;
        Ok(Self { client, ingest })
    }

    /// Takes a delivery in, normalised as the edge does it. The answer is the envelope.
    pub async fn ingest(&self, delivery: &Delivery) -> Result<Value, tokio_postgres::Error> {
        let body = delivery.body.as_bytes();
        let read = normalize(&Topic::parse(&delivery.topic), body, &NormalizeSettings::default());
        let order =
            read.ok().and_then(|read| serde_json::to_value(read).ok()).filter(|order| !order.is_null());
        let hash = sha256_hex(body);
        let row = self
            .client
            .query_one(
                &self.ingest,
                &[&delivery.shop, &delivery.topic, &delivery.webhook_id, &hash, &order, &delivery.body],
            )
            .await?;
        row.try_get(0)
    }

    /// The one value of a query that gives JSON.
    pub async fn value(
        &self,
        query: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Value, tokio_postgres::Error> {
        self.client.query_one(query, parameters).await?.try_get(0)
    }

    /// The first column of every row, each JSON.
    pub async fn values(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<Vec<Value>> {
        let rows = self.client.query(query, parameters).await?;
        rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
    }

    /// Begins a transaction.
    pub async fn begin(&self) -> Outcome {
        Ok(self.client.batch_execute("begin").await?)
    }

    /// Commits it.
    pub async fn commit(&self) -> Outcome {
        Ok(self.client.batch_execute("commit").await?)
    }

    /// The data of an envelope that says ok.
    pub async fn data(&self, query: &str, parameters: &[&(dyn ToSql + Sync)]) -> Outcome<Value> {
        let answer = self.value(query, parameters).await?;
        match answer.get("data").filter(|_| answer.get("ok") == Some(&Value::Bool(true))) {
            Some(data) => Ok(data.clone()),
            None => Err(Failure::new(format!("{query}: {answer}"))),
        }
    }
}
