//! A store that cannot be compared with its shop: people hear of it once, and what was refused is asked for again.

use super::shop::{alerts, events, new_store, order, put, row, run};
use ordak_e2e::answer::Answer;
use ordak_e2e::lone::Lone;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::Store;
use ordak_e2e::{Outcome, unique};
use reqwest::Method;
use serde_json::{Value, json};

/// An hour goes by for the alerts and the cursor of a store.
async fn later(stack: &Stack, store: Store, hours: i32) -> Outcome {
    let db = stack.db().await?;
    for statement in [
        "update public.work_queue set
             created_at = created_at - make_interval(hours => $2), dedupe_key = dedupe_key || '/earlier'
         where store = $1 and topic = 'slack_alert'",
        "update public.sync_cursors set told_at = told_at - make_interval(hours => $2) where store = $1",
    ] {
        db.execute(statement, &[&store.key, &hours]).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_store_without_a_token_is_told_of_once() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let bindings = json!({
        "SUPABASE_URL": stack.supabase_url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key,
        "SHOPIFY_WEBHOOK_SECRET": stack.webhook_secret
    });
    let lone = Lone::start("gap-repair", &bindings).await?;
    let compare = async || {
        let request = lone.request(Method::POST, "gap-repair").header("apikey", &stack.service_key);
        let request = request.bearer_auth(&stack.service_key).json(&json!({"stores": [store.key]}));
        let answer = Answer::to(request).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Outcome::Ok(answer.at("/data/stores/0").clone())
    };
    for _ in 0..4 {
        let figures = compare().await?;
        assert_eq!(figures["stopped"], "misconfigured", "{figures}");
        assert!(figures["reason"].to_string().contains("SHOPIFY_ADMIN_TOKEN"), "{figures}");
        later(&stack, store, 1).await?;
    }
    let told = alerts(&stack, store, "gap_repair_misconfigured").await?;
    assert_eq!(told.len(), 1, "four hours of it are one message: {told:?}");
    assert!(told[0]["text"].to_string().contains("SHOPIFY_ADMIN_TOKEN"), "{told:?}");
    assert!(!told[0].to_string().contains(&stack.service_key));
    let query = "select trouble from public.sync_cursors where store = $1";
    assert_eq!(stack.db().await?.row(query, &[&store.key]).await?["trouble"], "gap_repair_misconfigured");

    later(&stack, store, 24 * 7).await?;
    compare().await?;
    assert_eq!(alerts(&stack, store, "gap_repair_misconfigured").await?.len(), 2, "a week is long enough");

    // With a token it goes on, and the next trouble is a new one.
    assert_eq!(run(&stack, store).await?["complete"], true);
    assert_eq!(stack.db().await?.row(query, &[&store.key]).await?["trouble"], Value::Null);
    later(&stack, store, 1).await?;
    compare().await?;
    assert_eq!(alerts(&stack, store, "gap_repair_misconfigured").await?.len(), 3);
    Ok(())
}

#[tokio::test]
async fn an_order_that_was_refused_unstored_is_asked_for_again() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let db = stack.db().await?;
    let (refused, lost) = (order(&[("A", 1)], 11)?, order(&[("A", 1)], 10)?);
    put(&stack, store, &[&refused, &lost]).await?;
    // Not even the event can be stored: nothing waits in the database, so only the shop knows of the order.
    let name = format!("refuse_{}", unique());
    db.execute(
        &format!(
            "create function public.{name}() returns trigger language plpgsql as $$
             begin raise exception 'no' using errcode = 'check_violation'; end $$"
        ),
        &[],
    )
    .await?;
    let trigger = format!(
        "create trigger {name} before insert on public.event_store for each row
         when (new.ref_id = '{}') execute function public.{name}()",
        refused.gid()
    );
    db.execute(&trigger, &[]).await?;
    let mut runs = Vec::new();
    for _ in 0..2 {
        runs.push(run(&stack, store).await?);
    }
    db.execute(&format!("drop trigger {name} on public.event_store"), &[]).await?;
    db.execute(&format!("drop function public.{name}()"), &[]).await?;

    for (figures, repaired) in runs.iter().zip([1, 0]) {
        assert_eq!(
            (&figures["stopped"], &figures["repaired"], &figures["failed"], &figures["complete"]),
            (&json!("database"), &json!(repaired), &json!(1), &json!(false)),
            "what is behind it goes on, and the window stays open: {figures}"
        );
    }
    assert_eq!(events(&stack, store).await?, 1, "only the other one");
    assert!(row(&stack, store, &refused).await?.is_none());

    let last = run(&stack, store).await?;
    assert_eq!((&last["repaired"], &last["complete"]), (&json!(1), &json!(true)), "{last}");
    assert_eq!(row(&stack, store, &refused).await?.unwrap()["placeholder"], false);
    assert_eq!(run(&stack, store).await?["missed"], 0);
    Ok(())
}
