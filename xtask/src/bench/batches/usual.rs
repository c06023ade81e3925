//! The usual way: a list of candidates, then for each its row is read, judged here, and every effect is written by a
//! request of its own. The rules and the effects are the specification's; trails and events of single orders, which
//! `orchestrate` writes as well, are left out.

use anyhow::{Context, Result, bail};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Method};
use serde_json::{Value, json};

/// How the orders of a cancelled batch are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orders {
    /// All of them by one request a table.
    AtOnce,
    /// Each by requests of its own.
    Alone,
}

/// Somebody who works so.
pub struct Way<'a> {
    client: &'a Client,
    rest: &'a str,
    key: &'a str,
    orders: Orders,
}

impl<'a> Way<'a> {
    /// With the service key, on the REST API at this address.
    pub fn new(client: &'a Client, rest: &'a str, key: &'a str, orders: Orders) -> Self {
        Self { client, rest, key, orders }
    }

    /// Decides every candidate.
    pub async fn decide_all(&self) -> Result<()> {
        let now = Utc::now();
        let until = (now + TimeDelta::hours(24)).format("%Y-%m-%dT%H:%M:%SZ");
        let path = format!(
            "production_batches?select=id&status=eq.filling&window_closes_at=lte.{until}&order=window_closes_at,id"
        );
        for candidate in self.read(&path).await? {
            self.decide(text(&candidate, "id")?, now).await?;
        }
        Ok(())
    }

    async fn decide(&self, id: &str, now: DateTime<Utc>) -> Result<()> {
        let batch = self.one(&format!("production_batches?id=eq.{id}")).await?;
        let number = |name: &str| batch.get(name).and_then(Value::as_i64).context("no number");
        let (current, target) = (number("current_quantity")?, number("target_quantity")?);
        let closes = DateTime::parse_from_rfc3339(text(&batch, "window_closes_at")?).context("no time")?;
        let closed = closes <= now;
        let action = match (current * 100, closed) {
            (fill, _) if fill >= target * 75 => "confirmed",
            (fill, true) if fill >= target * 50 => "needs_review",
            (_, true) => "cancelled",
            (fill, false) if fill >= target * 60 => "nearing_target",
            _ => return Ok(()),
        };
        let store = text(&batch, "store")?;
        match action {
            "confirmed" => {
                self.set_status(
                    id,
                    json!({"status": action, "actual_start_date": now.date_naive().to_string()}),
                )
                .await?;
                let order = json!({"store": store, "batch_id": id, "quantity": target});
                self.write(Method::POST, "supplier_orders", &order).await?;
            }
            "needs_review" => {
                self.set_status(id, json!({"status": action})).await?;
                let alert = json!({
                    "topic": "slack_alert", "store": store, "dedupe_key": format!("batch/{id}"),
                    "payload": {"kind": "batch_in_review", "batch": id}
                });
                self.write(Method::POST, "work_queue", &alert).await?;
            }
            "cancelled" => {
                self.set_status(id, json!({"status": action})).await?;
                self.cancel_orders(id, now).await?;
            }
            _ => {}
        }
        let event = json!({
            "source": "batch", "type": format!("batch/{action}"), "store": store, "ref_id": format!("batch:{id}"),
            "external_id": format!("{store}/batch/{action}/{id}"), "content_hash": id,
            "payload": {"batch_id": id, "quantity": current, "target": target}, "processed_at": now
        });
        self.write(Method::POST, "event_store", &event).await
    }

    async fn set_status(&self, id: &str, change: Value) -> Result<()> {
        self.write(Method::PATCH, &format!("production_batches?id=eq.{id}&status=eq.filling"), &change).await
    }

    async fn cancel_orders(&self, batch: &str, now: DateTime<Utc>) -> Result<()> {
        let path = format!("batch_contributions?select=order_id&batch_id=eq.{batch}&withdrawn_at=is.null");
        let contributions = self.read(&path).await?;
        let ids: Vec<&str> = contributions.iter().map(|row| text(row, "order_id")).collect::<Result<_>>()?;
        let change = json!({"cancelled_at": now, "cancel_reason": "batch cancelled"});
        let columns = "select=store,id,shopify_order_gid,payment_status,total_amount,currency";
        match self.orders {
            Orders::AtOnce => {
                let path = format!("orders?id=in.({})", ids.join(","));
                let orders = self.read(&format!("{path}&{columns}")).await?;
                self.write(Method::PATCH, &path, &change).await?;
                let refunds: Vec<Value> = orders.iter().filter_map(|order| refund(order, batch)).collect();
                if !refunds.is_empty() {
                    self.write(Method::POST, "work_queue", &Value::Array(refunds)).await?;
                }
            }
            Orders::Alone => {
                for id in ids {
                    let path = format!("orders?id=eq.{id}");
                    let order = self.one(&format!("{path}&{columns}")).await?;
                    self.write(Method::PATCH, &path, &change).await?;
                    if let Some(refund) = refund(&order, batch) {
                        self.write(Method::POST, "work_queue", &refund).await?;
                    }
                }
            }
        }
        Ok(())
    }

    async fn one(&self, path: &str) -> Result<Value> {
        self.read(path).await?.pop().with_context(|| format!("nothing at {path}"))
    }

    async fn read(&self, path: &str) -> Result<Vec<Value>> {
        let request = self.client.get(format!("{}/{path}", self.rest));
        let answer = request.header("apikey", self.key).bearer_auth(self.key).send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            bail!("{status} for {path:.100}: {body:.300}");
        }
        serde_json::from_str(&body).with_context(|| format!("no rows at {path:.100}"))
    }

    async fn write(&self, method: Method, path: &str, body: &Value) -> Result<()> {
        let request = self.client.request(method, format!("{}/{path}", self.rest)).json(body);
        let request = request.header("apikey", self.key).header("prefer", "return=minimal");
        let answer = request.bearer_auth(self.key).send().await?;
        let status = answer.status();
        if !status.is_success() {
            bail!("{status} for {path:.100}: {:.300}", answer.text().await?);
        }
        Ok(())
    }
}

fn refund(order: &Value, batch: &str) -> Option<Value> {
    let gid = order.get("shopify_order_gid")?.as_str()?;
    (order.get("payment_status")? == "paid").then(|| {
        json!({
            "topic": "refund", "store": order["store"], "dedupe_key": format!("{gid}/batch"),
            "payload": {
                "order_gid": gid, "order_id": order["id"], "batch_id": batch, "amount": order["total_amount"],
                "currency": order["currency"]
            }
        })
    })
}

fn text<'v>(row: &'v Value, name: &str) -> Result<&'v str> {
    row.get(name).and_then(Value::as_str).with_context(|| format!("a row without {name}"))
}
