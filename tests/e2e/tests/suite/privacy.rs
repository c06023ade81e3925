//! Names and addresses stay where they belong: no log of any part of the stack, no answer and no error repeats them.

use ordak_e2e::delivery::Delivery;
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::BANNOS;
use ordak_e2e::{Failure, Outcome, unique};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The logs of the stack, each with its text.
fn logs(folder: &Path) -> Outcome<Vec<(PathBuf, String)>> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        all.push((path.clone(), String::from_utf8_lossy(&std::fs::read(&path)?).into_owned()));
    }
    Ok(all)
}

#[tokio::test]
async fn who_ordered_is_in_no_log_no_answer_and_no_error() -> Outcome {
    let folder = std::env::var("ORDAK_LOGS")
        .map_err(|_| Failure::new("ORDAK_LOGS is not set: run `cargo xtask test e2e`".to_owned()))?;
    let folder = Path::new(&folder);
    let stack = Stack::up().await?;
    let word = format!("Q{}", unique());
    let mut order = Order::simple()?;
    order.set(
        "customer",
        json!({"first_name": word, "last_name": word, "email": format!("{word}@example.com")}),
    );
    for address in ["shipping_address", "billing_address"] {
        order.set(address, json!({"name": word, "address1": format!("1 {word} Street"), "phone": word}));
    }
    order
        .set("email", json!(format!("{word}@example.com")))
        .set("note", json!(word))
        .set("phone", json!(word));
    let whole = order.bytes();
    let cut = whole[..whole.len() - 1].to_vec();
    let nul = String::from_utf8(whole.clone())?.replacen(&word, &format!("{word}\\u0000"), 1).into_bytes();

    // Taken, repeated, put aside, put aside by the database, of no shop of ours, and refused.
    let deliveries = [
        (200, Delivery::new(BANNOS, "orders/create", whole.clone())),
        (200, Delivery::new(BANNOS, "orders/create", whole.clone())),
        (200, Delivery::new(BANNOS, "orders/updated", cut)),
        (200, Delivery::new(BANNOS, "orders/updated", nul)),
        (200, Delivery::new(BANNOS, "orders/create", whole.clone()).from_shop("nobody.myshopify.com")),
        (401, Delivery::new(BANNOS, "orders/create", whole).unsigned()),
    ];
    let mut ids = Vec::new();
    for (status, delivery) in deliveries {
        let answer = delivery.send(&stack).await?;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(!answer.text.contains(&word), "{}", answer.text);
        ids.push(answer.header("x-request-id").to_owned());
    }
    let scan =
        stack.act(&stack.staff_bannos, "scan", &json!({"scan": format!("{word}@example.com")})).await?;
    assert_eq!(scan.status, 400, "{}", scan.text);
    ids.push(scan.header("x-request-id").to_owned());

    // Every one of these requests is in the logs, and the word in none of them.
    eventually("the log line of every request", async || {
        let text: String = logs(folder)?.into_iter().map(|(_, text)| text).collect();
        let absent: Vec<&String> = ids.iter().filter(|id| !text.contains(id.as_str())).collect();
        Ok(if absent.is_empty() { Ok(()) } else { Err(format!("{absent:?}")) })
    })
    .await?;
    for (path, text) in logs(folder)? {
        let line = text.lines().find(|line| line.contains(&word));
        assert_eq!(line, None, "{}", path.display());
    }
    let errors = "select count(*)::int as hits from (
            select last_error from public.event_store union all select last_error from public.work_queue
            union all select reason from public.dead_letters
        ) t where last_error like '%' || $1 || '%'";
    assert_eq!(stack.db().await?.row(errors, &[&word]).await?["hits"], 0);
    Ok(())
}
