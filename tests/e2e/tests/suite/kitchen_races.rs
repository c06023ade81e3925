//! Races of the kitchen by name: two sessions of the database, the second stopped where it waits for the first. What
//! the first does in the end is known to the second, whatever both believed when they began.

use ordak_e2e::db::Db;
use ordak_e2e::kitchen::{hired, ingested, scan_id};
use ordak_e2e::session::{End, Session};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::BANNOS;
use ordak_e2e::{Outcome, token, unique};
use serde_json::{Value, json};

const SUPERVISOR: &str = "00000000-0000-4000-8000-000000000002";
const ADMIN: &str = "00000000-0000-4000-8000-000000000003";

/// A new order of bannos with these actions done to it.
async fn order(stack: &Stack, actions: &[&str]) -> Outcome<String> {
    let id = ingested(stack, BANNOS).await?.order_id(BANNOS);
    for action in actions {
        let answer = stack.act(&stack.staff_bannos, action, &json!({"id": id})).await?;
        assert_eq!((answer.status, answer.at("/ok")), (200, &Value::Bool(true)), "{}", answer.text);
    }
    Ok(id)
}

const TO_PACKING: [&str; 4] =
    ["complete_filling", "complete_covering", "complete_decorating", "start_packing"];

/// Who does it first, and how the second's answer looks.
async fn staff_then(stack: &Stack, second: &str) -> Outcome<(Session, Session)> {
    Ok((Session::begin_as(stack, token::STAFF_BANNOS).await?, Session::begin_as(stack, second).await?))
}

async fn actions(db: &Db, id: &str) -> Outcome<Vec<String>> {
    let query = "select action from public.stage_events where order_id = $1 and action <> 'order_ingested' order by id";
    let rows = db.rows(query, &[&id]).await?;
    Ok(rows.iter().filter_map(|row| row["action"].as_str().map(str::to_owned)).collect())
}

async fn columns(db: &Db, id: &str) -> Outcome<Value> {
    db.row("select stage, storage, assignee_id from public.orders where id = $1", &[&id]).await
}

fn gist(envelope: &Value) -> Value {
    match envelope["ok"] == true {
        true => json!([envelope["data"]["stage"], envelope["already_done"]]),
        false => envelope["code"].clone(),
    }
}

#[tokio::test]
async fn two_kiosks_complete_the_same_stage_and_one_has_done_it() -> Outcome {
    let stack = Stack::up().await?;
    let id = order(&stack, &[]).await?;
    let (first, second) = staff_then(&stack, SUPERVISOR).await?;
    let call = format!("complete_filling('{id}')");
    assert_eq!(gist(&first.call(&call).await?), json!(["Covering", false]));
    let answer = second.call_after(&first, End::Commit, &call).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!(["Covering", true]));
    assert_eq!(answer["data"]["event"]["by"], token::STAFF_BANNOS, "the second hears who did it");
    assert!(answer["data"]["event"]["at"].is_string());
    assert_eq!(actions(&stack.db().await?, &id).await?, ["complete_filling"]);
    Ok(())
}

#[tokio::test]
async fn a_kiosk_that_dies_halfway_leaves_the_stage_to_the_other() -> Outcome {
    let stack = Stack::up().await?;
    let id = order(&stack, &[]).await?;
    let (first, second) = staff_then(&stack, SUPERVISOR).await?;
    let call = format!("complete_filling('{id}')");
    first.call(&call).await?;
    let answer = second.call_after(&first, End::Rollback, &call).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!(["Covering", false]));
    assert_eq!(answer["data"]["event"]["by"], SUPERVISOR);
    assert_eq!(actions(&stack.db().await?, &id).await?, ["complete_filling"]);
    Ok(())
}

#[tokio::test]
async fn two_automatic_scans_at_once_move_an_order_one_step() -> Outcome {
    let stack = Stack::up().await?;
    let id = order(&stack, &[]).await?;
    let (first, second) = staff_then(&stack, SUPERVISOR).await?;
    let scan = || format!("scan('{id}', p_scan_id => '{}')", scan_id());
    assert_eq!(gist(&first.call(&scan()).await?), json!(["Filling", false]));
    let answer = second.call_after(&first, End::Commit, &scan()).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!(["Filling", true]));
    assert_eq!(answer["data"]["event"]["action"], "handle_print_barcode");
    assert_eq!(actions(&stack.db().await?, &id).await?, ["handle_print_barcode", "scan_repeated"]);
    Ok(())
}

#[tokio::test]
async fn one_scan_sent_twice_at_once_counts_once() -> Outcome {
    let stack = Stack::up().await?;
    let id = order(&stack, &[]).await?;
    let (first, second) = staff_then(&stack, token::STAFF_BANNOS).await?;
    let call = format!("scan('{id}', 'complete_filling', p_scan_id => '{}')", scan_id());
    assert_eq!(gist(&first.call(&call).await?), json!(["Covering", false]));
    let answer = second.call_after(&first, End::Commit, &call).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!(["Covering", true]));
    assert_eq!(
        actions(&stack.db().await?, &id).await?,
        ["complete_filling"],
        "a replay leaves no second event"
    );
    Ok(())
}

#[tokio::test]
async fn one_scan_id_serves_one_order() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    for (how, outcome, stage) in
        [(End::Commit, json!("CONFLICT"), "Filling"), (End::Rollback, json!(["Covering", false]), "Covering")]
    {
        let (one, two) = (order(&stack, &[]).await?, order(&stack, &[]).await?);
        let (first, second) = staff_then(&stack, token::STAFF_BANNOS).await?;
        let id = scan_id();
        let call = |order: &str| format!("scan('{order}', 'complete_filling', p_scan_id => '{id}')");
        assert_eq!(gist(&first.call(&call(&one)).await?), json!(["Covering", false]));
        let answer = second.call_after(&first, how, &call(&two)).await?;
        second.end(End::Commit).await?;
        assert_eq!(gist(&answer), outcome, "{how:?}: {answer}");
        assert_eq!(columns(&db, &two).await?["stage"], stage, "{how:?}");
        let told = if stage == "Filling" { "refused" } else { "complete_filling" };
        assert_eq!(actions(&db, &two).await?, [told], "{how:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_two_people_do_to_different_columns_both_stays() -> Outcome {
    let stack = Stack::up().await?;
    let id = order(&stack, &[]).await?;
    let (first, second) = staff_then(&stack, SUPERVISOR).await?;
    first.call(&format!("set_storage('{id}', 'Fridge 1')")).await?;
    let answer = second.call_after(&first, End::Commit, &format!("complete_filling('{id}')")).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!(["Covering", false]));
    let row = json!({"stage": "Covering", "storage": "Fridge 1", "assignee_id": null});
    assert_eq!(columns(&stack.db().await?, &id).await?, row);
    Ok(())
}

#[tokio::test]
async fn an_assignment_that_waited_is_for_the_next_stage() -> Outcome {
    let stack = Stack::up().await?;
    let id = order(&stack, &[]).await?;
    let (first, second) = staff_then(&stack, SUPERVISOR).await?;
    first.call(&format!("complete_filling('{id}')")).await?;
    let assign = format!("assign_staff('{id}', '{}')", token::STAFF_BANNOS);
    let answer = second.call_after(&first, End::Commit, &assign).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!(["Covering", false]));
    let row = json!({"stage": "Covering", "storage": null, "assignee_id": token::STAFF_BANNOS});
    assert_eq!(columns(&stack.db().await?, &id).await?, row);
    Ok(())
}

#[tokio::test]
async fn a_return_and_a_completion_do_not_both_happen() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let id = order(&stack, &TO_PACKING).await?;
    let give_back = |id: &str| format!("qc_return_to_decorating('{id}', p_reason => 'cracked')");
    let (staff, supervisor) = staff_then(&stack, SUPERVISOR).await?;
    assert_eq!(gist(&supervisor.call(&give_back(&id)).await?), json!(["Decorating", false]));
    let answer = staff.call_after(&supervisor, End::Commit, &format!("complete_packing('{id}')")).await?;
    staff.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!("INVALID_STAGE"), "{answer}");
    assert_eq!(columns(&db, &id).await?["stage"], "Decorating");
    assert!(actions(&db, &id).await?.ends_with(&["qc_return_to_decorating".into(), "refused".into()]));

    let id = order(&stack, &TO_PACKING).await?;
    let (staff, supervisor) = staff_then(&stack, SUPERVISOR).await?;
    assert_eq!(gist(&staff.call(&format!("complete_packing('{id}')")).await?), json!(["Complete", false]));
    let answer = supervisor.call_after(&staff, End::Commit, &give_back(&id)).await?;
    supervisor.end(End::Commit).await?;
    assert_eq!(
        gist(&answer),
        json!("PERMISSION_DENIED"),
        "a complete order is for an Admin to return: {answer}"
    );
    assert_eq!(columns(&db, &id).await?["stage"], "Complete");
    Ok(())
}

#[tokio::test]
async fn a_cancellation_that_came_first_stops_the_kitchen() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let id = order(&stack, &[]).await?;
    let gid = db.row("select shopify_order_gid as gid from public.orders where id = $1", &[&id]).await?;
    let snapshot = json!({
        "snapshot": true, "gid": gid["gid"], "updated_at": "2030-01-01T00:00:00Z", "topic_rank": 6,
        "cancelled_at": "2030-01-01T00:00:00Z", "lines": []
    });
    let cancel = format!(
        "ingest_shopify_event(p_shop_domain => '{}', p_topic => 'orders/cancelled', p_webhook_id => '{webhook}',
            p_content_hash => '{webhook}', p_order => '{snapshot}', p_payload => '{{}}')",
        BANNOS.domain(),
        webhook = unique()
    );
    let shop = Session::begin(&stack).await?;
    assert_eq!(shop.call(&cancel).await?["data"]["outcome"], "cancelled");
    let staff = Session::begin_as(&stack, token::STAFF_BANNOS).await?;
    let answer = staff.call_after(&shop, End::Commit, &format!("complete_filling('{id}')")).await?;
    staff.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!("CONFLICT"), "{answer}");
    assert_eq!(columns(&db, &id).await?["stage"], "Filling");
    assert_eq!(actions(&db, &id).await?.last().map(String::as_str), Some("refused"));
    Ok(())
}

#[tokio::test]
async fn who_is_switched_off_while_waiting_does_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let id = order(&stack, &[]).await?;
    let leaver = hired(&stack, "Staff", BANNOS).await?.id;
    let (first, second) = staff_then(&stack, &leaver).await?;
    first.call(&format!("set_storage('{id}', 'Fridge 2')")).await?;
    // The waiting call has already seen that the leaver works here; the order's lock is still to come.
    let office = Session::begin(&stack).await?;
    let call = format!("complete_filling('{id}')");
    let leaving = format!("set_staff_active('{leaver}', false)");
    office.call(&leaving).await?;
    let happens = async {
        office.end(End::Commit).await?;
        first.end(End::Commit).await
    };
    let answer = second.call_behind(&first, &call, happens).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!("PERMISSION_DENIED"), "{answer}");
    assert_eq!(columns(&stack.db().await?, &id).await?["stage"], "Filling");
    Ok(())
}

#[tokio::test]
async fn two_admins_cannot_switch_each_other_off() -> Outcome {
    let stack = Stack::up().await?;
    let other = hired(&stack, "Admin", BANNOS).await?.id;
    let (first, second) = (Session::begin_as(&stack, ADMIN).await?, Session::begin_as(&stack, &other).await?);
    assert_eq!(first.call(&format!("set_staff_active('{other}', false)")).await?["ok"], true);
    let answer =
        second.call_after(&first, End::Commit, &format!("set_staff_active('{ADMIN}', false)")).await?;
    second.end(End::Commit).await?;
    assert_eq!(gist(&answer), json!("CONFLICT"), "the last Admin stays: {answer}");
    Ok(())
}
