//! Races about one order, by name: whoever comes second sees what the first has stored, whichever it is.

use ordak_e2e::db::Db;
use ordak_e2e::session::{End, Session};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::COMPLIANCE;
use ordak_e2e::{Outcome, unique, unique_number};
use serde_json::{Value, json};

/// One delivery about one order, as the edge hands it over.
struct Told {
    topic: &'static str,
    order: Value,
    payload: Value,
}

fn snapshot(number: u64, topic: &'static str, word: &str) -> Told {
    let order = json!({
        "snapshot": true, "gid": format!("gid://shopify/Order/{number}"), "shopify_id": number.to_string(),
        "order_number": number.to_string(), "updated_at": format!("2026-11-01T10:00:0{}Z", topic.len() % 10),
        "topic_rank": 1, "customer_name": word, "notes": format!("for {word}"), "refunds": [],
        "lines": [{"line_id": "1", "position": 0, "quantity": 5, "properties": {"Lettering": word}}]
    });
    Told { topic, order, payload: json!({"id": number, "note": word}) }
}

fn refund(number: u64) -> Told {
    let refund = json!({"id": "1", "lines": [{"line_id": "1", "quantity": 2, "restock": true}]});
    let order = json!({"snapshot": false, "gid": format!("gid://shopify/Order/{number}"), "refund": refund});
    Told { topic: "refunds/create", order, payload: json!({"id": 1}) }
}

fn forget(number: u64) -> Told {
    let compliance = json!({"shop_domain": COMPLIANCE.domain(), "order_ids": [number.to_string()]});
    let order = json!({"snapshot": false, "compliance": compliance});
    Told { topic: "customers/redact", order, payload: json!({"shop_domain": COMPLIANCE.domain()}) }
}

async fn ingest(db: &Db, told: &Told) -> Outcome<String> {
    let query = "select public.ingest_shopify_event(
            p_shop_domain => $1, p_topic => $2, p_webhook_id => $3, p_content_hash => $3, p_order => $4, p_payload => $5
        ) #>> '{data,outcome}' as outcome";
    let row =
        db.row(query, &[&COMPLIANCE.domain(), &told.topic, &unique(), &told.order, &told.payload]).await?;
    Ok(row["outcome"].as_str().unwrap_or_default().to_owned())
}

/// The first is told and not committed; the second has to wait for it.
async fn meet(stack: &Stack, first: &Told, second: &Told) -> Outcome<(String, String)> {
    let watcher = stack.db().await?;
    let (one, other) = (Session::begin(stack).await?, Session::begin(stack).await?);
    let outcome = ingest(&one.db, first).await?;
    let answer = other.meets(&one, &watcher, ingest(&other.db, second)).await?;
    other.end(End::Commit).await?;
    Ok((outcome, answer))
}

async fn traces(stack: &Stack, number: u64, word: &str) -> Outcome<Value> {
    let query = "select
            (select count(*)::int from public.event_store e where e.ref_id = $1 and e::text like '%' || $2 || '%') as events,
            (select count(*)::int from public.orders o where o.shopify_order_gid = $1 and o::text like '%' || $2 || '%') as orders,
            (select count(*)::int from public.order_line_items l join public.order_index x
                on x.store = l.store and x.order_id = l.order_id
             where x.shopify_order_gid = $1 and l::text like '%' || $2 || '%') as lines";
    let gid = format!("gid://shopify/Order/{number}");
    stack.db().await?.row(query, &[&gid, &word]).await
}

#[tokio::test]
async fn a_delivery_that_meets_a_request_to_forget_leaves_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let nothing = json!({"events": 0, "orders": 0, "lines": 0});
    for known in [true, false] {
        for late in [true, false] {
            let (number, word) = (unique_number(10_000_000_000_000), unique());
            if known {
                let begin = Session::begin(&stack).await?;
                ingest(&begin.db, &snapshot(number, "orders/create", &word)).await?;
                begin.end(End::Commit).await?;
            }
            let topic = if known { "orders/updated" } else { "orders/create" };
            let (told, forget) = (snapshot(number, topic, &word), forget(number));
            if late {
                meet(&stack, &forget, &told).await?;
            } else {
                meet(&stack, &told, &forget).await?;
            }
            assert_eq!(traces(&stack, number, &word).await?, nothing, "known: {known}, late: {late}");
            let query = "select (select count(*)::int from public.event_store where ref_id = $1) as events,
                (select quantity from public.order_line_items where store = $2 and order_id = $2 || '-' || $3) as quantity";
            let gid = format!("gid://shopify/Order/{number}");
            let row = stack.db().await?.row(query, &[&gid, &COMPLIANCE.key, &number.to_string()]).await?;
            assert_eq!(
                row,
                json!({"events": if known { 2 } else { 1 }, "quantity": 5}),
                "the order itself stays"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_refund_that_meets_its_order_is_subtracted() -> Outcome {
    let stack = Stack::up().await?;
    for refund_first in [true, false] {
        let number = unique_number(10_000_000_000_000);
        let (create, refund) = (snapshot(number, "orders/create", "Ana"), refund(number));
        let outcomes = if refund_first {
            meet(&stack, &refund, &create).await?
        } else {
            meet(&stack, &create, &refund).await?
        };
        let expected = if refund_first { ("ignored", "created") } else { ("created", "updated") };
        assert_eq!((outcomes.0.as_str(), outcomes.1.as_str()), expected);
        let query =
            "select quantity from public.order_line_items where store = $1 and order_id = $1 || '-' || $2";
        let row = stack.db().await?.row(query, &[&COMPLIANCE.key, &number.to_string()]).await?;
        assert_eq!(row, json!({"quantity": 3}), "refund first: {refund_first}");
    }
    Ok(())
}
