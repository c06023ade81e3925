//! Ten scans of one order at once, from two kiosks. What must hold is the rule, however fast the machine is: nothing
//! here is timed.

use futures_util::future::join_all;
use ordak_e2e::answer::Answer;
use ordak_e2e::kitchen::{CHAIN, counted, ingested, scan_id};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::BANNOS;
use ordak_e2e::trail::explain_order;
use ordak_e2e::{Outcome, token};
use serde_json::{Value, json};

const SUPERVISOR: &str = "00000000-0000-4000-8000-000000000002";

/// Sends ten scans, five from each kiosk, all under way at once.
async fn ten(stack: &Stack, scan: impl Fn(usize) -> Value) -> Outcome<Vec<Answer>> {
    let kiosks = [&stack.staff_bannos, &stack.supervisor_bannos];
    let scans: Vec<(&String, Value)> =
        kiosks.iter().cycle().take(10).enumerate().map(|(number, kiosk)| (*kiosk, scan(number))).collect();
    let answers = join_all(scans.iter().map(|(kiosk, scan)| stack.act(kiosk, "scan", scan)));
    let answers = answers.await.into_iter().collect::<Outcome<Vec<_>>>()?;
    for answer in &answers {
        assert_eq!((answer.status, answer.at("/ok")), (200, &Value::Bool(true)), "{}", answer.text);
        let event = answer.at("/data/event");
        assert!([token::STAFF_BANNOS, SUPERVISOR].contains(&event["by"].as_str().unwrap()), "who: {event}");
        assert!(event["at"].is_string() && event["by_name"].is_string(), "when: {event}");
    }
    Ok(answers)
}

fn news(answers: &[Answer]) -> Vec<&str> {
    answers
        .iter()
        .filter(|one| one.at("/already_done") == false)
        .map(|one| one.str("/data/event/action"))
        .collect()
}

#[tokio::test]
async fn ten_automatic_scans_at_once_move_an_order_as_the_rules_say() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let id = ingested(&stack, BANNOS).await?.order_id(BANNOS);
    let answers = ten(&stack, |_| json!({"scan": id, "scan_id": scan_id()})).await?;

    let actions = counted(&db, &id).await?;
    assert_eq!(actions, CHAIN[..actions.len().max(1)]);
    let mut told = news(&answers);
    told.sort_by_key(|action| CHAIN.iter().position(|known| known == action));
    assert_eq!(told, actions, "who is told that he did it, did it");
    let trail = explain_order(&db, BANNOS, &id).await?;
    assert_eq!(trail.count("scan_repeated"), 10 - actions.len(), "the others are kept as repetitions");
    Ok(())
}

#[tokio::test]
async fn ten_scans_that_name_their_action_do_it_once() -> Outcome {
    let stack = Stack::up().await?;
    let id = ingested(&stack, BANNOS).await?.order_id(BANNOS);
    for action in CHAIN {
        let scan = |_| json!({"scan": id, "action": action, "scan_id": scan_id()});
        assert_eq!(news(&ten(&stack, scan).await?), [action]);
    }
    let trail = explain_order(&stack.db().await?, BANNOS, &id).await?;
    assert_eq!((trail.count("scan_repeated"), trail.count("complete_packing")), (9 * CHAIN.len(), 1));
    Ok(())
}

#[tokio::test]
async fn ten_copies_of_one_scan_are_one_scan() -> Outcome {
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let id = ingested(&stack, BANNOS).await?.order_id(BANNOS);
    let scan = json!({"scan": id, "scan_id": scan_id()});
    assert_eq!(news(&ten(&stack, |_| scan.clone()).await?), ["handle_print_barcode"]);
    // Replayed after the order went on, it is still the scan that printed the label.
    for action in &CHAIN[1..3] {
        stack.act(&stack.staff_bannos, action, &json!({"id": id})).await?;
        let replayed = ten(&stack, |_| scan.clone()).await?;
        assert!(news(&replayed).is_empty());
        assert!(replayed.iter().all(|one| one.str("/data/event/action") == "handle_print_barcode"));
    }
    let trail = explain_order(&db, BANNOS, &id).await?;
    assert_eq!((trail.count("handle_print_barcode"), trail.count("scan_repeated")), (1, 0));
    Ok(())
}
