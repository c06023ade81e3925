//! Real orders go from the form of webhooks into the fake Admin API and come back by our own documents: what is read
//! of them afterwards must be what is read of the webhook.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests may fail the test"
)]

use ordak_core::{
    admin_api::Answer,
    gap_repair::{self, Fetched, MOST_FETCHED, PAGE, subscription},
    normalize::{NormalizeSettings, Normalized, NormalizedOrder, normalize},
    topic::Topic,
};
use serde_json::{Value, json};
use std::path::PathBuf;

const SHOP: &str = "cakes.myshopify.com";

struct Shop {
    fakes: String,
    http: reqwest::Client,
}

impl Shop {
    async fn open() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fakes = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, ordak_fakes::router()).await });
        Self { fakes, http: reqwest::Client::new() }
    }

    async fn put(&self, orders: &[Value]) {
        let url = format!("{}/_shop", self.fakes);
        let body = json!({"shop": SHOP, "orders": orders});
        assert_eq!(self.http.post(url).json(&body).send().await.unwrap().status(), 200);
    }

    async fn ask(&self, body: String) -> Value {
        let url = format!("{}/shopify/{SHOP}/admin/api/2026-10/graphql.json", self.fakes);
        let request = self.http.post(url).header("content-type", "application/json");
        let response = request.header("x-shopify-access-token", "t").body(body).send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        Answer { status, retry_after: None, body: &body }.read(0).unwrap()
    }

    /// The order, and how many pieces of it came after the first.
    async fn fetch(&self, gid: &str) -> (Fetched, usize) {
        let mut order =
            gap_repair::read_fetched(&self.ask(gap_repair::fetch(&[gid])).await).unwrap().remove(0);
        let mut pieces = 0;
        while let Some(body) = order.missing_piece() {
            assert!(order.add_piece(&self.ask(body).await).unwrap());
            pieces += 1;
        }
        (order, pieces)
    }
}

fn cost(body: &Value) -> u64 {
    body["extensions"]["cost"]["requestedQueryCost"].as_u64().unwrap()
}

fn fixtures() -> Vec<(String, Value)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/shopify");
    let mut found: Vec<(String, Value)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), std::fs::read(path).ok()?)))
        .filter(|(name, _)| name.starts_with("shopify_orders_") && !name.contains("edited"))
        .map(|(name, bytes)| (name, serde_json::from_slice(&bytes).unwrap()))
        .collect();
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn read(body: &[u8]) -> NormalizedOrder {
    match normalize(&Topic::OrdersUpdated, body, &NormalizeSettings::default()) {
        Ok(Normalized::Order(order)) => *order,
        other => panic!("{other:?}"),
    }
}

/// Amounts as numbers are compared: `36.80` is `36.8`.
fn plain(amount: &Option<String>) -> Option<String> {
    let amount = amount.as_deref()?;
    Some(
        if amount.contains('.') { amount.trim_end_matches('0').trim_end_matches('.') } else { amount }
            .to_owned(),
    )
}

#[tokio::test]
async fn every_captured_order_is_the_same_by_either_way() {
    let shop = Shop::open().await;
    let mut compared = 0;
    for (name, rest) in fixtures() {
        shop.put(std::slice::from_ref(&rest)).await;
        let mut webhook = read(rest.to_string().as_bytes());
        let (fetched, _) = shop.fetch(&webhook.gid).await;
        let delivery = fetched.into_delivery(Topic::OrdersUpdated);
        let mut repaired = read(delivery.body.as_bytes());

        // Some were cut down for publication: they have no time, no list of refunds, no ids of lines.
        if webhook.refunds.is_none() {
            assert_eq!(repaired.refunds.take(), Some(vec![]), "{name}");
        }
        if webhook.updated_at.is_none() {
            repaired.updated_at = None;
        }
        for (webhook, repaired) in webhook.lines.iter_mut().zip(&mut repaired.lines) {
            if webhook.line_id.starts_with("n:") {
                repaired.line_id.clone_from(&webhook.line_id);
            }
            assert_eq!(plain(&webhook.price), plain(&repaired.price), "{name}");
            repaired.price.clone_from(&webhook.price);
        }
        assert_eq!(plain(&webhook.total_amount), plain(&repaired.total_amount), "{name}");
        repaired.total_amount.clone_from(&webhook.total_amount);
        webhook.lines.sort_by_key(|line| line.position);
        assert_eq!(repaired, webhook, "{name}");

        let repaired: Value = serde_json::from_str(&delivery.body).unwrap();
        for list in ["discount_codes", "discount_applications"] {
            let told = |order: &Value| {
                order[list]
                    .as_array()
                    .cloned()
                    .unwrap_or_default()
                    .iter()
                    .map(told_exactly)
                    .collect::<Vec<_>>()
            };
            assert_eq!(told(&repaired), told(&rest), "{name}");
        }
        compared += 1;
    }
    assert_eq!(compared, 11);
}

fn told_exactly(discount: &Value) -> Value {
    let mut discount = discount.clone();
    if let Some(amount) = discount.get("amount").and_then(Value::as_str) {
        discount["amount"] = json!(plain(&Some(amount.to_owned())));
    }
    discount
}

#[tokio::test]
async fn an_order_of_many_lines_is_read_whole() {
    let shop = Shop::open().await;
    let (_, mut rest) = fixtures().into_iter().find(|(name, _)| name.contains("simple_delivery")).unwrap();
    let line =
        |n: u64| json!({"id": n, "sku": format!("SKU-{n}"), "title": "Cake", "quantity": n, "price": "1.00"});
    rest["line_items"] = (1..=137).map(line).collect();
    shop.put(std::slice::from_ref(&rest)).await;
    let (order, pieces) = shop.fetch(rest["admin_graphql_api_id"].as_str().unwrap()).await;
    assert_eq!(pieces, 3);
    let lines = |order: NormalizedOrder| -> Vec<(String, usize, i32)> {
        order.lines.into_iter().map(|line| (line.line_id, line.position, line.quantity)).collect()
    };
    let repaired = lines(read(order.into_delivery(Topic::OrdersUpdated).body.as_bytes()));
    assert_eq!((repaired.len(), &repaired), (137, &lines(read(rest.to_string().as_bytes()))));
}

#[tokio::test]
async fn a_window_is_listed_page_by_page_and_costs_little() {
    let shop = Shop::open().await;
    let order = |n: usize| {
        json!({"id": n, "currency": "AUD", "created_at": "2026-11-19T00:00:00Z",
            "updated_at": format!("2026-11-20T{:02}:{:02}:00Z", n / 60, n % 60)})
    };
    let orders: Vec<Value> = (1..=PAGE * 2 + 7).map(order).collect();
    shop.put(&orders).await;
    let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
    loop {
        let window = gap_repair::list("2026-11-20T00:02:00+00:00", "2026-11-20T23:00:00Z", after.as_deref());
        let body = shop.ask(window.unwrap()).await;
        assert!(cost(&body) <= 100, "{}", cost(&body));
        let page = gap_repair::read_list(&body).unwrap();
        seen.extend(page.orders);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (PAGE * 2 + 6, 3));
    assert!(seen.windows(2).all(|pair| pair[0].updated_at < pair[1].updated_at));
    assert_eq!(seen[0].gid, "gid://shopify/Order/2");
}

#[tokio::test]
async fn a_portion_of_orders_costs_no_more_than_any_document_may() {
    let shop = Shop::open().await;
    let gids: Vec<String> = (1..=MOST_FETCHED).map(|n| format!("gid://shopify/Order/{n}")).collect();
    let gids: Vec<&str> = gids.iter().map(String::as_str).collect();
    let body = shop.ask(gap_repair::fetch(&gids)).await;
    assert!((200..=700).contains(&cost(&body)), "{}", cost(&body));
    assert_eq!(gap_repair::read_fetched(&body).unwrap(), []);
}

#[tokio::test]
async fn what_is_subscribed_to_is_not_missing_any_more() {
    const CALLBACK: &str = "https://ordak.example/functions/v1/order-ingest";
    let shop = Shop::open().await;
    let (existing, _) = subscription::read_list(&shop.ask(subscription::list(None)).await).unwrap();
    let missing = subscription::missing(&existing, CALLBACK);
    assert_eq!(missing, subscription::WANTED);
    for topic in &missing {
        subscription::read_created(&shop.ask(subscription::create(topic, CALLBACK)).await).unwrap();
    }
    subscription::read_created(&shop.ask(subscription::create(&missing[0], CALLBACK)).await).unwrap();
    let (existing, next) = subscription::read_list(&shop.ask(subscription::list(None)).await).unwrap();
    assert_eq!((subscription::missing(&existing, CALLBACK), next), (vec![], None));
    let refused = shop.ask(subscription::create(&Topic::OrdersPaid, "http://ordak.example")).await;
    assert!(subscription::read_created(&refused).is_err());
}
