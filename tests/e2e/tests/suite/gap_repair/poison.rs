//! An order that cannot be taken holds up none behind it, and is not brought again every hour.

use super::shop::{new_store, order, put, row, run};
use ordak_e2e::Outcome;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use serde_json::json;

#[tokio::test]
async fn a_text_that_the_database_cannot_hold_does_not_stop_what_is_behind_it() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let (mut poison, lost) = (order(&[("A", 1)], 11)?, order(&[("A", 1)], 10)?);
    poison.set("note", json!("a\u{0}b"));
    put(&stack, store, &[&poison, &lost]).await?;
    for repaired in [1, 0] {
        let figures = run(&stack, store).await?;
        assert_eq!(
            (&figures["complete"], &figures["repaired"], &figures["failed"]),
            (&json!(true), &json!(repaired), &json!(1)),
            "{figures}"
        );
    }
    let query = "select reason from public.dead_letters where store = $1";
    let reason = stack.db().await?.row(query, &[&store.key]).await?["reason"].clone();
    assert_eq!(reason, "the body holds what the database cannot");
    Ok(())
}

#[tokio::test]
async fn an_order_that_cannot_be_applied_waits_and_does_not_come_back_every_hour() -> Outcome {
    let stack = Stack::up().await?;
    let store = new_store(&stack).await?;
    let db = stack.db().await?;
    let (stuck, lost) = (order(&[("A", 1)], 11)?, order(&[("A", 1)], 10)?);
    let partition = store.partition();
    let refuse = format!(
        "alter table public.{partition} add constraint stuck check (shopify_order_gid <> '{}')",
        stuck.gid()
    );
    db.execute(&refuse, &[]).await?;
    put(&stack, store, &[&stuck, &lost]).await?;
    let first = run(&stack, store).await?;
    assert_eq!(
        (&first["complete"], &first["repaired"], &first["failed"]),
        (&json!(true), &json!(1), &json!(1)),
        "{first}"
    );
    let second = run(&stack, store).await?;
    assert_eq!((&second["listed"], &second["missed"]), (&json!(2), &json!(0)), "{second}");

    db.execute(&format!("alter table public.{partition} drop constraint stuck"), &[]).await?;
    eventually("the order that was stuck", async || {
        db.hurry(store.key).await?;
        stack.drain().await?;
        let found = row(&stack, store, &stuck).await?;
        Ok(found.filter(|found| found["placeholder"] == false).ok_or_else(|| "nothing".to_owned()))
    })
    .await?;
    Ok(())
}
