//! Orders for benchmarks: real ones, with ids of their own each time, as their shop would deliver them. Made before the
//! clock runs.

use anyhow::{Context, Result, ensure};
use ordak_core::content;
use ordak_core::normalize::{NormalizeSettings, normalize};
use ordak_core::topic::Topic;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::PgConnection;

use super::load::Shot;
use crate::database;
use crate::keys::{LOCAL_WEBHOOK_SECRET, webhook_signature};
use crate::layout::Checkout;

/// Orders with stock to hold: one line, two and three.
const FIXTURES: [&str; 3] =
    ["aud_simple_delivery", "inr_cod_partial_payment", "aud_multi_line_split_gateways"];
/// Where deliveries go.
const PATH: &str = "/functions/v1/order-ingest";
/// The shop that they come from.
const SHOP: &str = "bannos.myshopify.com";

/// Stock that does not run out, over enough SKUs that orders meet at one as rarely as in a shop. An order takes those of
/// its number, one for each line.
const STOCK: &str = "insert into public.inventory_items (store, sku, opening_ats, ats)
    select 'bannos', sku, 1000000000, 1000000000
    from (
        select 'BENCH-' || line || '-' || n as sku from generate_series(0, 2) line, generate_series(0, 499) n
        union all select 'HOT'
    ) skus
    on conflict do nothing";
const SKUS: u64 = 500;
/// The SKU of orders that all want the same.
pub const HOT_SKU: &str = "HOT";

/// The call that stores an order, as the edge makes it.
const INGEST: &str = "select public.ingest_shopify_event(
    p_shop_domain => $1, p_topic => 'orders/create', p_webhook_id => $2, p_triggered_at => now(), p_content_hash => $3,
    p_order => $4::text::jsonb, p_payload => $5::text::jsonb, p_own_secrets => '{}'
) as answer";

/// Makes orders; no two have an id in common.
#[derive(Clone, Debug)]
pub struct Orders {
    templates: Vec<Value>,
    next: u64,
    hot: bool,
}

/// An order on its way to the database, normalised as the edge does it.
#[derive(Clone, Debug)]
pub struct Order {
    /// Its gid.
    pub gid: String,
    webhook_id: String,
    content_hash: String,
    normalized: String,
    payload: String,
}

impl Orders {
    /// Of one to three lines; numbers begin after this one.
    pub fn of(checkout: &Checkout, first: u64) -> Result<Self> {
        let read = |name: &&str| {
            let path = checkout.path(format!("tests/fixtures/shopify/shopify_orders_create__{name}.json"));
            let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            serde_json::from_slice(&text).context("the fixture is no JSON")
        };
        let templates = FIXTURES.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { templates, next: first, hot: false })
    }

    /// Of one line.
    pub fn of_one_line(checkout: &Checkout, first: u64) -> Result<Self> {
        let mut all = Self::of(checkout, first)?;
        all.templates.truncate(1);
        Ok(all)
    }

    /// Of one line that wants [`HOT_SKU`].
    pub fn of_one_sku(checkout: &Checkout, first: u64) -> Result<Self> {
        Ok(Self { hot: true, ..Self::of_one_line(checkout, first)? })
    }

    /// Stock for all that any of them wants.
    pub async fn stock_up(connection: &mut PgConnection) -> Result<()> {
        database::run_script(connection, STOCK).await.context("no stock")
    }

    /// So many new ones, on their way to the database.
    pub fn make(&mut self, many: usize) -> Result<Vec<Order>> {
        (0..many).map(|_| self.order()).collect()
    }

    /// The next, on its way to the database.
    pub fn order(&mut self) -> Result<Order> {
        let (gid, body) = self.body(0)?;
        let normalized = normalize(&Topic::OrdersCreate, &body, &NormalizeSettings::default());
        let normalized =
            normalized.map_err(|error| anyhow::anyhow!("the order cannot be read: {error:?}"))?;
        Ok(Order {
            gid,
            webhook_id: uuid::Uuid::new_v4().to_string(),
            content_hash: content::sha256_hex(&body),
            normalized: serde_json::to_string(&normalized).context("the order cannot be written")?,
            payload: String::from_utf8(body).context("the order is no text")?,
        })
    }

    /// The next, as a delivery that is rightly signed.
    pub fn delivery(&mut self) -> Result<Shot> {
        let (_, body) = self.body(0)?;
        let signature = webhook_signature(LOCAL_WEBHOOK_SECRET, &body)?;
        shot(body, &signature)
    }

    /// A delivery of exactly so many bytes with the signature of another body. It is cut: nobody reads it.
    pub fn forgery(&mut self, bytes: usize) -> Result<Shot> {
        let (_, mut body) = self.body(bytes)?;
        body.truncate(bytes);
        let signature = webhook_signature(LOCAL_WEBHOOK_SECRET, b"another body")?;
        shot(body, &signature)
    }

    /// Gid and body of the next, written as Shopify writes it, without spaces. Lines are repeated until it has so many bytes.
    fn body(&mut self, least_bytes: usize) -> Result<(String, Vec<u8>)> {
        self.next += 1;
        let (number, id) = (self.next, self.next + 7_000_000_000_000);
        let template = usize::try_from(number)? % self.templates.len().max(1);
        let mut order = self.templates.get(template).cloned().context("no fixture")?;
        let gid = format!("gid://shopify/Order/{id}");
        let lines = order.get("line_items").and_then(Value::as_array).cloned().unwrap_or_default();
        let line_bytes = lines.iter().map(|line| line.to_string().len() + 1).sum::<usize>().max(1);
        let missing = least_bytes.saturating_sub(order.to_string().len());
        let copies = 1 + missing.div_ceil(line_bytes);
        let repeated = lines.iter().cycle().take(lines.len() * copies).cloned().zip(0..);
        let repeated = repeated.map(|(line, position)| self.line(line, id, position)).collect();
        if let Value::Object(fields) = &mut order {
            fields.extend(
                [
                    ("id", json!(id)),
                    ("order_number", json!(number)),
                    ("name", json!(format!("#{number}"))),
                    ("admin_graphql_api_id", json!(gid)),
                    ("line_items", Value::Array(repeated)),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        Ok((gid, order.to_string().into_bytes()))
    }

    fn line(&self, mut line: Value, order_id: u64, position: u64) -> Value {
        let id = order_id * 100 + position;
        let sku = if self.hot {
            HOT_SKU.to_owned()
        } else {
            format!("BENCH-{}-{}", position % FIXTURES.len() as u64, order_id * 7919 % SKUS)
        };
        if let Value::Object(fields) = &mut line {
            fields.extend(
                [
                    ("id", json!(id)),
                    ("sku", json!(sku)),
                    ("admin_graphql_api_id", json!(format!("gid://shopify/LineItem/{id}"))),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            );
        }
        line
    }
}

impl Order {
    /// As the body of a call over REST.
    pub fn call(&self) -> String {
        format!(
            "{{\"p_shop_domain\":\"{SHOP}\",\"p_topic\":\"orders/create\",\"p_webhook_id\":\"{}\",\"p_content_hash\":\"{}\",\
             \"p_own_secrets\":[],\"p_order\":{},\"p_payload\":{}}}",
            self.webhook_id, self.content_hash, self.normalized, self.payload
        )
    }

    /// Has it stored, over Postgres' protocol.
    pub async fn ingest(&self, connection: &mut PgConnection) -> Result<()> {
        let query = sqlx::query(INGEST).bind(SHOP).bind(&self.webhook_id).bind(&self.content_hash);
        let query = query.bind(&self.normalized).bind(&self.payload);
        let row = query.fetch_one(connection).await.map_err(|error| database::explain(INGEST, error))?;
        let answer: Value = row.try_get("answer")?;
        ensure!(answer.pointer("/data/outcome") == Some(&json!("created")), "answered {answer}");
        Ok(())
    }
}

fn shot(body: Vec<u8>, signature: &str) -> Result<Shot> {
    let id = uuid::Uuid::new_v4().to_string();
    let headers = [
        ("x-shopify-shop-domain", SHOP),
        ("x-shopify-topic", "orders/create"),
        ("x-shopify-webhook-id", id.as_str()),
        ("x-shopify-triggered-at", "2026-11-21T01:02:03.000Z"),
        ("x-shopify-api-version", "2026-10"),
        ("x-shopify-hmac-sha256", signature),
    ];
    Shot::post(PATH, &headers, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_differ_and_are_complete() {
        let mut orders = Orders::of(&Checkout::find().unwrap(), 1).unwrap();
        let made = orders.make(3).unwrap();
        assert!(made[0].gid != made[1].gid && made[0].content_hash != made[1].content_hash);
        let mut lines = Vec::new();
        for order in &made {
            let read: Value = serde_json::from_str(&order.normalized).unwrap();
            assert_eq!(read["gid"], json!(order.gid));
            assert_eq!(read["snapshot"], json!(true));
            assert!(read["lines"][0]["sku"].as_str().unwrap().starts_with("BENCH-0-"), "{read}");
            lines.push(read["lines"].as_array().unwrap().len());
        }
        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 3]);
    }

    #[test]
    fn orders_are_as_long_as_wanted() {
        let mut orders = Orders::of_one_line(&Checkout::find().unwrap(), 1).unwrap();
        let read = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
        let (short, long) = (orders.body(0).unwrap().1, orders.body(32 * 1024).unwrap().1);
        assert!((32 * 1024..36 * 1024).contains(&long.len()), "{}", long.len());
        let (short, long) = (read(&short), read(&long));
        assert_ne!(short["id"], long["id"]);
        assert_ne!(short["line_items"][0]["id"], long["line_items"][0]["id"]);
        assert_ne!(long["line_items"][0]["id"], long["line_items"][1]["id"]);
        assert_eq!(short["line_items"].as_array().unwrap().len(), 1);
    }
}
