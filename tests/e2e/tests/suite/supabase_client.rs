//! The real `@supabase/supabase-js` client straight on the REST API: whoever writes a page of their own meets the same
//! rules as through the functions.

use ordak_e2e::kitchen::{ingested, scan_id};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{BANNOS, FLOURLANE};
use ordak_e2e::{Failure, Outcome, token};
use serde_json::{Value, json};
use tokio::process::Command;

async fn run(argument: &Value) -> Outcome<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/supabase_client.mjs");
    let output =
        Command::new("node").arg(script).arg(argument.to_string()).kill_on_drop(true).output().await?;
    serde_json::from_slice(&output.stdout)
        .map_err(|_| Failure::new(format!("no answers: {}", String::from_utf8_lossy(&output.stderr))))
}

/// What of an answer can be said beforehand: `{already_done, stage}` of a success, the code of a refusal.
fn gist(answer: &Value) -> Value {
    match &answer["data"] {
        envelope if envelope["ok"] == true => {
            json!({"stage": envelope["data"]["stage"], "already_done": envelope["already_done"]})
        }
        envelope if envelope["ok"] == false => envelope["code"].clone(),
        _ => answer["code"].clone(),
    }
}

#[tokio::test]
async fn a_page_with_supabase_js_meets_the_same_rules() -> Outcome {
    let stack = Stack::up().await?;
    let (order, theirs) = (ingested(&stack, BANNOS).await?, ingested(&stack, FLOURLANE).await?);
    let (own, other) = (order.order_id(BANNOS), theirs.order_id(FLOURLANE));
    let answers = run(&json!({
        "url": stack.supabase_url, "anonKey": stack.anon_key, "own": own, "other": other,
        "tokens": {"staff": stack.staff_bannos, "supervisor": stack.supervisor_bannos},
        "scanId": scan_id(), "colleague": token::STAFF_BANNOS
    }))
    .await?;

    let moved = |stage: &str, already_done: bool| json!({"stage": stage, "already_done": already_done});
    for (step, expected) in [
        ("scan", moved("Filling", false)),
        ("scanReplayed", moved("Filling", true)),
        ("scanNamed", moved("Covering", false)),
        ("scanAhead", json!("INVALID_STAGE")),
        ("scanOther", json!("NOT_FOUND")),
        ("assign", moved("Covering", false)),
        ("assignByStaff", json!("PERMISSION_DENIED")),
        ("order", moved("Covering", false)),
        ("queueOther", json!("NOT_FOUND")),
        ("insert", json!("42501")),
        ("update", json!("42501")),
        ("remove", json!("42501")),
        ("promote", json!("42501")),
        ("forgeEvent", json!("42501")),
        ("ingest", json!("42501")),
        ("manage", json!("PERMISSION_DENIED")),
        ("scanByNobody", json!("42501")),
        ("readByNobody", json!("42501")),
    ] {
        assert_eq!(gist(&answers[step]), expected, "{step}: {}", answers[step]);
    }
    for (step, status) in [("scan", 200), ("scanAhead", 200), ("scanByNobody", 401)] {
        assert_eq!(answers[step]["status"], status, "{step}: {}", answers[step]);
    }

    let data = |step: &str| &answers[step]["data"];
    let row = json!({"id": own, "stage": "Covering", "assignee_id": token::STAFF_BANNOS, "priority": data("readOwn")["priority"]});
    assert_eq!(data("readOwn"), &row);
    assert!(["High", "Medium", "Low"].contains(&data("readOwn")["priority"].as_str().unwrap()));
    assert_eq!(data("readOther"), &json!([]), "a row of another store is not there");
    assert_eq!(data("readStores"), &json!([{"key": "bannos"}]));
    assert_eq!(data("readPayloads"), &json!([]), "payloads are for Supervisors");
    assert_eq!(data("readPayloadsAsSupervisor").as_array().unwrap().len(), 1);
    let actions: Vec<&str> =
        data("readEvents").as_array().unwrap().iter().filter_map(|event| event["action"].as_str()).collect();
    let kitchen = ["handle_print_barcode", "complete_filling", "refused", "assign_staff", "refused"];
    assert!(actions.ends_with(&kitchen), "{actions:?}");

    let of = |step: &str, field: &str| data(step)["data"][field].clone();
    assert_eq!(of("queue", "orders").as_array().unwrap().len(), 2);
    assert!(of("queue", "next").is_string());
    assert!(of("dashboard", "recent_scans").to_string().contains(&own));
    assert!(of("unassigned", "filling").is_number());
    assert!(of("timeline", "entries").as_array().unwrap().iter().any(|entry| entry["kind"] == "scan"));
    Ok(())
}
