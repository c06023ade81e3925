//! People are told what needs them: once, without a word about customers, and never at the cost of the work itself.

mod unset;

use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, ALARMED, Store, UNHEARD};
use ordak_e2e::{Outcome, unique};
use serde_json::{Value, json};

/// Waits until every alert of a store has this status.
async fn alerts_become(stack: &Stack, store: Store, status: &str) -> Outcome<Vec<Value>> {
    let query = "select status, retry_count, error_class from public.work_queue
        where store = $1 and topic = 'slack_alert' order by id";
    let db = stack.db().await?;
    eventually(&format!("{status} alerts"), async || {
        db.hurry(store.key).await?;
        stack.drain().await?;
        let rows = db.rows(query, &[&store.key]).await?;
        let all = !rows.is_empty() && rows.iter().all(|row| row["status"] == status);
        Ok(if all { Ok(rows) } else { Err(format!("{rows:?}")) })
    })
    .await
}

/// Forgets the alerts of an earlier run.
async fn forget(stack: &Stack, store: Store) -> Outcome {
    let statement = "delete from public.work_queue where store = $1 and topic = 'slack_alert'";
    stack.db().await?.execute(statement, &[&store.key]).await?;
    Ok(())
}

#[tokio::test]
async fn work_that_is_given_up_is_told_once_and_names_nobody() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    forget(&stack, ALARMED).await?;
    let before = stack.slack_calls(ALARMED).await?.len();
    let name = unique();
    for _ in 0..3 {
        let item = store::stock(&stack, ALARMED, 10).await?;
        stack.break_shopify(ALARMED, "revoked_token", 1).await?;
        let mut order = Order::simple()?.with_lines(&[(&item.sku, 1)]);
        order.set("shipping_address", json!({"name": name, "first_name": name, "phone": "+61400000001"}));
        order.set("note", json!(name));
        Delivery::new(ALARMED, "orders/create", order.bytes()).deliver(&stack).await?;
        eventually("dead work", async || {
            stack.drain().await?;
            let query = "select status from public.work_queue where store = $1 and payload ->> 'sku' = $2";
            let row = db.row(query, &[&ALARMED.key, &item.sku]).await?;
            Ok(if row["status"] == "dead" { Ok(()) } else { Err(row.to_string()) })
        })
        .await?;
    }
    alerts_become(&stack, ALARMED, "done").await?;
    let messages = stack.slack_calls(ALARMED).await?;
    let mut about_work: Vec<&Value> = messages
        .iter()
        .skip(before)
        .rev()
        .filter(|call| call["body"]["text"].to_string().contains("given up"))
        .collect();
    // One that Slack answered too late is told again; the last counts.
    about_work.dedup_by_key(|call| &call["headers"]["idempotency-key"]);
    assert_eq!(about_work.len(), 1, "three failures within five minutes: {messages:?}");
    let call = about_work[0];
    assert_eq!((&call["method"], &call["status"]), (&json!("POST"), &json!(200)));
    assert_eq!(call["body"].as_object().unwrap().len(), 1, "{call}");
    let text = call["body"]["text"].as_str().unwrap();
    assert!(text.starts_with("testfourteen: ") && text.contains("inventory_push"), "{text}");
    assert!(!json!(messages).to_string().contains(&name), "{messages:?}");
    Ok(())
}

#[tokio::test]
async fn a_slack_that_fails_is_asked_again_and_one_that_refuses_is_not() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    forget(&stack, UNHEARD).await?;
    let before = stack.slack_calls(UNHEARD).await?.len();
    let raise = async |text: &str| {
        let statement = "insert into public.work_queue (topic, store, payload, dedupe_key)
            values ('slack_alert', $1, jsonb_build_object('kind', 'test', 'text', $2::text), $3)";
        db.execute(statement, &[&UNHEARD.key, &text, &unique()]).await
    };
    for mode in ["500", "429_seconds", "reset_before_body", "502_html"] {
        let fault = json!({"upstream": "slack", "match": format!("oven {mode}"), "mode": mode, "count": 1});
        stack.plan_fault(&fault).await?;
        raise(&format!("oven {mode}")).await?;
    }
    let rows = alerts_become(&stack, UNHEARD, "done").await?;
    let calls = stack.slack_calls(UNHEARD).await?.split_off(before);
    let planned = calls.iter().filter(|call| call["fault"].is_string()).count();
    assert_eq!(planned, 4, "each is asked once in vain: {calls:?}");
    // Each is heard once; what is left over is a call that was answered too late.
    let late = calls.len().checked_sub(planned + 4).expect("each is asked again");
    let burnt: usize = rows.iter().filter_map(|row| usize::try_from(row["retry_count"].as_u64()?).ok()).sum();
    assert_eq!(burnt, 3 + late, "one attempt for each, but none for being asked to wait: {rows:?}");

    forget(&stack, UNHEARD).await?;
    stack.plan_fault(&json!({"upstream": "slack", "match": "gone", "mode": "forbidden", "count": 1})).await?;
    raise("gone").await?;
    let rows = alerts_become(&stack, UNHEARD, "dead").await?;
    assert_eq!(rows, [json!({"status": "dead", "retry_count": 1, "error_class": "permanent"})]);
    Ok(())
}
