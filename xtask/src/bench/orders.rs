//! Orders for benchmarks: a real one, with ids of its own each time, signed as its shop signs. Made before the clock runs.

use anyhow::{Context, Result};
use ordak_core::content;
use ordak_core::normalize::{NormalizeSettings, normalize};
use ordak_core::topic::Topic;
use serde_json::{Value, json};

use super::load::Shot;
use crate::keys::{LOCAL_WEBHOOK_SECRET, webhook_signature};
use crate::layout::Checkout;

/// A paid order of one line, for delivery.
const FIXTURE: &str = "tests/fixtures/shopify/shopify_orders_create__aud_simple_delivery.json";
/// Where deliveries go.
const PATH: &str = "/functions/v1/order-ingest";
/// The shop that they come from.
const SHOP: &str = "bannos.myshopify.com";

/// SKUs that the data of a benchmark holds stock of.
const SKUS: u64 = 500;

/// What the function makes of a delivery before it calls the database.
#[derive(Clone, Debug)]
pub struct Arguments {
    /// Domain of the shop.
    pub shop: &'static str,
    /// Shopify's id of the delivery.
    pub webhook_id: String,
    /// SHA-256 of the body.
    pub content_hash: String,
    /// The order as it is normalised, JSON.
    pub order: String,
    /// The body.
    pub payload: String,
}

impl Arguments {
    /// As the body of a call over REST.
    pub fn json(&self) -> String {
        format!(
            "{{\"p_shop_domain\":\"{}\",\"p_topic\":\"orders/create\",\"p_webhook_id\":\"{}\",\"p_content_hash\":\"{}\",\
             \"p_own_secrets\":[],\"p_order\":{},\"p_payload\":{}}}",
            self.shop, self.webhook_id, self.content_hash, self.order, self.payload
        )
    }
}

/// Makes orders; no two have an id in common.
#[derive(Clone, Debug)]
pub struct Orders {
    template: Value,
    next: u64,
}

impl Orders {
    /// From the fixture.
    pub fn of(checkout: &Checkout) -> Result<Self> {
        let path = checkout.path(FIXTURE);
        let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let template = serde_json::from_slice(&text).context("the fixture is no JSON")?;
        Ok(Self { template, next: 900_000_000 })
    }

    /// The next order, written as Shopify writes it, without spaces. Lines are repeated until it has so many bytes.
    fn body(&mut self, least_bytes: usize) -> Vec<u8> {
        self.next += 1;
        let (number, id) = (self.next, self.next + 7_000_000_000_000);
        let mut order = self.template.clone();
        let named = [
            ("id", json!(id)),
            ("order_number", json!(number)),
            ("name", json!(format!("#{number}"))),
            ("admin_graphql_api_id", json!(format!("gid://shopify/Order/{id}"))),
        ];
        if let Value::Object(fields) = &mut order {
            fields.extend(named.map(|(name, value)| (name.to_owned(), value)));
        }
        let lines = order.get("line_items").and_then(Value::as_array).cloned().unwrap_or_default();
        let line_bytes = lines.iter().map(|line| line.to_string().len() + 1).sum::<usize>().max(1);
        let missing = least_bytes.saturating_sub(order.to_string().len());
        let copies = 1 + missing.div_ceil(line_bytes);
        let mut repeated: Vec<Value> = Vec::new();
        for line in lines.iter().cycle().take(lines.len() * copies) {
            let mut line = line.clone();
            let line_id = id * 100 + repeated.len() as u64;
            if let Value::Object(fields) = &mut line {
                fields.insert("id".to_owned(), json!(line_id));
                fields.insert("sku".to_owned(), json!(format!("BENCH-{}", line_id / 100 * 7919 % SKUS)));
                fields.insert(
                    "admin_graphql_api_id".to_owned(),
                    json!(format!("gid://shopify/LineItem/{line_id}")),
                );
            }
            repeated.push(line);
        }
        if let Value::Object(fields) = &mut order {
            fields.insert("line_items".to_owned(), Value::Array(repeated));
        }
        order.to_string().into_bytes()
    }

    /// A delivery that is rightly signed.
    pub fn delivery(&mut self) -> Result<Shot> {
        let body = self.body(0);
        let signature = webhook_signature(LOCAL_WEBHOOK_SECRET, &body)?;
        self.shot(body, &signature)
    }

    /// What becomes of the next order on its way to the database.
    pub fn arguments(&mut self) -> Result<Arguments> {
        let body = self.body(0);
        let order = normalize(&Topic::OrdersCreate, &body, &NormalizeSettings::default());
        let order = order.map_err(|error| anyhow::anyhow!("the order cannot be read: {error:?}"))?;
        Ok(Arguments {
            shop: SHOP,
            webhook_id: uuid::Uuid::new_v4().to_string(),
            content_hash: content::sha256_hex(&body),
            order: serde_json::to_string(&order).context("the order cannot be written")?,
            payload: String::from_utf8(body).context("the order is no text")?,
        })
    }

    /// A delivery of exactly so many bytes with the signature of another body. It is cut: nobody reads it.
    pub fn forgery(&mut self, bytes: usize) -> Result<Shot> {
        let mut body = self.body(bytes);
        body.truncate(bytes);
        let signature = webhook_signature(LOCAL_WEBHOOK_SECRET, b"another body")?;
        self.shot(body, &signature)
    }

    fn shot(&self, body: Vec<u8>, signature: &str) -> Result<Shot> {
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_differ_and_are_as_long_as_wanted() {
        let mut orders = Orders::of(&Checkout::find().unwrap()).unwrap();
        let read = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
        let (short, long) = (orders.body(0), orders.body(32 * 1024));
        assert!((32 * 1024..36 * 1024).contains(&long.len()), "{}", long.len());
        let (short, long) = (read(&short), read(&long));
        assert_ne!(short["id"], long["id"]);
        assert_ne!(short["line_items"][0]["id"], long["line_items"][0]["id"]);
        assert_ne!(long["line_items"][0]["id"], long["line_items"][1]["id"]);
        assert_eq!(short["line_items"].as_array().unwrap().len(), 1);
    }
}
