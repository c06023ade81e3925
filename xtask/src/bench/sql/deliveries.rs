//! Calls of the ingest function: real orders, normalised as the edge does it, each with ids of its own. Made before the
//! clock runs.

use anyhow::{Context, Result, ensure};
use ordak_core::normalize::{NormalizeSettings, normalize};
use ordak_core::topic::Topic;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnection;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, Row};

use super::STORE;
use crate::database;
use crate::layout::Checkout;

/// Orders with stock to hold: one line, two and three.
const FIXTURES: [&str; 3] =
    ["aud_simple_delivery", "inr_cod_partial_payment", "aud_multi_line_split_gateways"];
/// SKUs for each of theirs, so that orders meet as rarely as in a shop.
const SKUS: u64 = 500;
const SHOP: &str = "bannos.myshopify.com";

/// The call, as the edge makes it.
const CALL: &str = "select public.ingest_shopify_event(
    p_shop_domain => $1, p_topic => 'orders/create', p_webhook_id => $2, p_triggered_at => now(),
    p_content_hash => $3, p_order => $4, p_payload => $5, p_own_secrets => '{}'
) as answer";

/// A delivery, ready to be sent.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Of its order.
    pub gid: String,
    webhook_id: String,
    hash: String,
    order: String,
    payload: String,
}

/// Makes them.
pub struct Deliveries {
    templates: Vec<Value>,
    next: u64,
    one_sku: Option<&'static str>,
}

impl Deliveries {
    /// From the fixtures; numbers begin after this one.
    pub fn of(checkout: &Checkout, first: u64) -> Result<Self> {
        let read = |name: &&str| {
            let path = checkout.path(format!("tests/fixtures/shopify/shopify_orders_create__{name}.json"));
            let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_slice(&text).context("the fixture is no JSON")
        };
        let templates = FIXTURES.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { templates, next: first, one_sku: None })
    }

    /// From the fixture with one line.
    pub fn of_one_line(checkout: &Checkout, first: u64) -> Result<Self> {
        let mut all = Self::of(checkout, first)?;
        all.templates.truncate(1);
        Ok(all)
    }

    /// The same; every order has this SKU.
    pub fn of_one_sku(checkout: &Checkout, first: u64, sku: &'static str) -> Result<Self> {
        Ok(Self { one_sku: Some(sku), ..Self::of_one_line(checkout, first)? })
    }

    /// So many new ones.
    pub fn make(&mut self, many: usize) -> Result<Vec<Delivery>> {
        (0..many).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> Result<Delivery> {
        self.next += 1;
        let (number, id) = (self.next, self.next + 7_000_000_000_000);
        let template = usize::try_from(number)? % self.templates.len().max(1);
        let mut order = self.templates.get(template).cloned().context("no fixture")?;
        let gid = format!("gid://shopify/Order/{id}");
        if let Value::Object(fields) = &mut order {
            fields.insert("id".to_owned(), json!(id));
            fields.insert("order_number".to_owned(), json!(number));
            fields.insert("name".to_owned(), json!(format!("#{number}")));
            fields.insert("admin_graphql_api_id".to_owned(), json!(gid));
        }
        for line in order.get_mut("line_items").and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(sku) = line.get("sku").and_then(Value::as_str) {
                let own = format!("{sku}-{}", number % SKUS);
                line["sku"] = json!(self.one_sku.unwrap_or(&own));
            }
        }
        let payload = order.to_string();
        let normalized =
            normalize(&Topic::parse("orders/create"), payload.as_bytes(), &NormalizeSettings::default());
        let normalized = normalized.map_err(|error| anyhow::anyhow!("{}", error.as_str()))?;
        let hash = Sha256::digest(payload.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Delivery {
            gid,
            webhook_id: uuid::Uuid::new_v4().to_string(),
            hash,
            order: serde_json::to_string(&normalized)?,
            payload,
        })
    }

    /// Stock for all of it.
    pub async fn stock_up(&self, owner: &mut PgConnection) -> Result<()> {
        let lines = self.templates.iter().filter_map(|order| order.get("line_items")?.as_array()).flatten();
        let skus: Vec<&str> = lines.filter_map(|line| line.get("sku")?.as_str()).collect();
        let script = format!(
            "insert into public.inventory_items (store, sku, opening_ats, ats)
            select '{STORE}', sku, 1000000000, 1000000000
            from (
                select sku || '-' || n as sku from unnest(string_to_array('{}', ',')) sku, generate_series(0, {SKUS} - 1) n
                union select '{}'
            ) skus
            on conflict do nothing",
            skus.join(","),
            self.one_sku.unwrap_or("BENCH"),
        );
        database::run_script(owner, &script).await.context("no stock")
    }
}

impl Delivery {
    /// Has it ingested.
    pub async fn ingest(self, connection: &mut PgConnection) -> Result<()> {
        let row = sqlx::query(CALL)
            .bind(SHOP)
            .bind(self.webhook_id)
            .bind(self.hash)
            .bind(Json(serde_json::value::RawValue::from_string(self.order)?))
            .bind(Json(serde_json::value::RawValue::from_string(self.payload)?))
            .fetch_one(connection)
            .await?;
        let answer: Value = row.try_get("answer")?;
        ensure!(answer.pointer("/data/outcome") == Some(&json!("created")), "answered {answer}");
        Ok(())
    }
}

/// How many orders of ours hold all that they want; who does less than he should ends the run.
pub async fn held(connection: &mut PgConnection, gids: &[String]) -> Result<i64> {
    let query = "select count(*) as held from public.orders o
        where o.shopify_order_gid = any($1) and o.allocation_status = 'allocated'
            and exists (select 1 from public.inventory_txn t where t.store = o.store and t.order_id = o.id)
            and exists (select 1 from public.stage_events e where e.store = o.store and e.order_id = o.id)";
    let row = sqlx::query(AssertSqlSafe(query)).bind(gids).fetch_one(connection).await?;
    Ok(row.try_get("held")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deliveries_differ_and_are_complete() {
        let mut deliveries = Deliveries::of(&Checkout::find().unwrap(), 1).unwrap();
        let made = deliveries.make(3).unwrap();
        assert!(made[0].gid != made[1].gid && made[0].hash != made[1].hash);
        for delivery in &made {
            let order: Value = serde_json::from_str(&delivery.order).unwrap();
            assert_eq!(order["gid"], json!(delivery.gid));
            assert_eq!(order["snapshot"], json!(true));
            assert!(order["lines"][0]["sku"].as_str().unwrap().contains('-'), "{order}");
        }
    }
}
