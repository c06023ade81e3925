//! Faults of our own, a database that does not answer and settings that are missing or wrong, are no failures of the
//! systems outside: they cost work no attempt, hold up nothing else, and people are told what to set.

use ordak_e2e::answer::Answer;
use ordak_e2e::desk::{Desk, Fault};
use ordak_e2e::lone::Lone;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Store};
use ordak_e2e::{Outcome, unique};
use serde_json::{Value, json};

/// More than the failures that open a breaker.
const TIMES: usize = 6;

async fn row(stack: &Stack, id: i64) -> Outcome<Value> {
    let query = "select status, retry_count, error_class, last_error from public.work_queue where id = $1";
    stack.db().await?.row(query, &[&id]).await
}

/// Drains once more; what was reported before is handed out anew.
async fn drain(stack: &Stack, desk: &Desk, lone: &Lone) -> Outcome<Answer> {
    desk.again().await?;
    lone.drain(&stack.service_key).await
}

async fn becomes_done(stack: &Stack, desk: &Desk, lone: &Lone, id: i64) -> Outcome<Value> {
    eventually("work that is done", async || {
        let answer = drain(stack, desk, lone).await?;
        let row = row(stack, id).await?;
        Ok(if row["status"] == "done" { Ok(row) } else { Err(format!("{row} {}", answer.text)) })
    })
    .await
}

/// That the breakers know nothing of it.
async fn nobody_is_blamed(stack: &Stack, store: Store) -> Outcome {
    let breakers = "select upstream, state, recent from public.circuit_breakers where store = $1";
    assert_eq!(stack.db().await?.rows(breakers, &[&store.key]).await?, [] as [Value; 0]);
    Ok(())
}

/// Keys of the store are read before anything is asked of Shopify, and what is unknown of its stock is looked up.
#[tokio::test]
async fn a_database_that_does_not_answer_is_no_fault_of_shopify() -> Outcome {
    let stack = Stack::up().await?;
    for rpc in ["read_shop_credentials", "begin_mapping"] {
        let store = store::fresh(&stack).await?;
        let item = store::stock(&stack, store, 5).await?;
        let desk = Desk::open(&stack, store).await?;
        if rpc == "begin_mapping" {
            let statement =
                "update public.inventory_items set shopify_inventory_item_gid = null where store = $1";
            stack.db().await?.execute(statement, &[&store.key]).await?;
        }
        let id = desk.enqueue("inventory_push", &json!({"sku": item.sku}), &unique()).await?;
        desk.plan(rpc, Fault::Refused, 0, usize::MAX)?;
        let lone = Lone::start("queue-worker", &desk.bindings()).await?;
        for _ in 0..TIMES {
            let answer = drain(&stack, &desk, &lone).await?;
            assert_eq!(answer.at("/data/by_topic/inventory_push/postponed"), 1, "{rpc}: {}", answer.text);
        }
        let row = row(&stack, id).await?;
        let seen = (&row["status"], &row["retry_count"], &row["error_class"]);
        assert_eq!(seen, (&json!("error"), &json!(0), &json!("transient")), "{rpc}: {row}");
        assert!(row["last_error"].as_str().is_some_and(|error| error.contains(rpc)), "{rpc}: {row}");
        nobody_is_blamed(&stack, store).await?;
        assert!(desk.asked(rpc)? > 0);
        assert_eq!(stack.shopify_ledger(store).await?, [] as [Value; 0]);
        if rpc == "read_shop_credentials" {
            desk.heal()?;
            becomes_done(&stack, &desk, &lone, id).await?;
            assert_eq!(stack.shopify_level(store, &item).await?, Some(5));
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_nobody_has_set_is_waited_for_and_people_are_told() -> Outcome {
    let stack = Stack::up().await?;
    let (db, store) = (stack.db().await?, store::fresh(&stack).await?);
    let item = store::stock(&stack, store, 5).await?;
    let desk = Desk::open(&stack, store).await?;
    let id = desk.enqueue("inventory_push", &json!({"sku": item.sku}), &unique()).await?;
    let mut bindings = desk.bindings();
    bindings.as_object_mut().unwrap().remove("SHOPIFY_ADMIN_TOKEN");
    let lone = Lone::start("queue-worker", &bindings).await?;
    for _ in 0..TIMES {
        drain(&stack, &desk, &lone).await?;
    }
    let waits = row(&stack, id).await?;
    let seen = (&waits["status"], &waits["retry_count"], &waits["error_class"]);
    assert_eq!(seen, (&json!("error"), &json!(0), &json!("misconfigured")), "{waits}");
    let names = |error: &str| error.contains("SHOPIFY_ADMIN_TOKEN");
    assert!(waits["last_error"].as_str().is_some_and(names), "{waits}");
    nobody_is_blamed(&stack, store).await?;
    let alerts = "select payload ->> 'error' as error from public.work_queue
        where store = $1 and topic = 'slack_alert' and payload ->> 'kind' = 'misconfigured'";
    let alert = db.row(alerts, &[&store.key]).await?;
    assert!(alert["error"].as_str().is_some_and(names), "people are told once, and what to set: {alert}");

    let lone = Lone::start("queue-worker", &desk.bindings()).await?;
    becomes_done(&stack, &desk, &lone, id).await?;
    assert_eq!(stack.shopify_level(store, &item).await?, Some(5));
    Ok(())
}

/// A sink that is set wrong is wanted by somebody: what it should have been told is kept, and health tells of it.
#[tokio::test]
async fn a_sink_that_is_set_wrong_loses_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let (db, store) = (stack.db().await?, store::fresh(&stack).await?);
    let desk = Desk::open(&stack, store).await?;
    let told = json!({"kind": "test", "text": "the oven is cold", "to": "kitchen@example.com"});
    let alert = desk.enqueue("slack_alert", &told, &unique()).await?;
    let email = desk.enqueue("email", &told, &unique()).await?;
    let mut bindings = desk.bindings();
    bindings["SLACK_WEBHOOK_URL"] = json!("hooks.slack.example/hush");
    bindings["EMAIL_FROM"] = json!("");
    let lone = Lone::start("queue-worker", &bindings).await?;
    let answer = drain(&stack, &desk, &lone).await?;
    assert_eq!((answer.at("/data/done"), answer.at("/data/dead")), (&json!(0), &json!(0)), "{}", answer.text);
    for (id, variable) in [(alert, "SLACK_WEBHOOK_URL"), (email, "EMAIL_FROM")] {
        let row = row(&stack, id).await?;
        let seen = (&row["status"], &row["retry_count"], &row["error_class"]);
        assert_eq!(seen, (&json!("error"), &json!(0), &json!("misconfigured")), "{row}");
        let error = row["last_error"].as_str().unwrap_or_default();
        assert!(error.starts_with(variable) && !error.contains("hush"), "{row}");
    }
    let health = db.row("select public.get_health() #> '{data,misconfigured}' as waiting", &[]).await?;
    assert!(health["waiting"].as_i64() >= Some(2), "{health}");
    assert_eq!(stack.slack_messages(store).await?.len(), 0);

    let lone = Lone::start("queue-worker", &desk.bindings()).await?;
    for id in [alert, email] {
        becomes_done(&stack, &desk, &lone, id).await?;
    }
    let messages = stack.slack_messages(store).await?;
    let about = messages.iter().filter(|call| call["body"]["text"].to_string().contains("the oven is cold"));
    assert_eq!(about.count(), 1, "told once it is set: {messages:?}");
    Ok(())
}
