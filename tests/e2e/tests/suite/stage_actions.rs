//! The kitchen, as a kiosk and as a person at a screen meet it.

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::kitchen::{CHAIN, counted, done, ingested, refused, scan_id};
use ordak_e2e::order::Order;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{BANNOS, FLOURLANE};
use ordak_e2e::{Outcome, token, unique_number};
use reqwest::Method;
use serde_json::{Value, json};

const PATH: &str = "/functions/v1/stage-actions";

#[tokio::test]
async fn a_kiosk_takes_an_order_through_the_kitchen_by_scanning() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    let scan = format!(" #b{}\r\n", order.number);
    for (stage, stamp) in [
        ("Filling", "filling_start_ts"),
        ("Covering", "filling_complete_ts"),
        ("Decorating", "covering_complete_ts"),
        ("Packing", "decorating_complete_ts"),
        ("Packing", "packing_start_ts"),
        ("Complete", "packing_complete_ts"),
    ] {
        // A scan within 2 s of the last one counts as a bounce: scan until one counts.
        let (id, answer) = eventually(stamp, async || {
            let id = scan_id();
            let answer =
                stack.act(&stack.staff_bannos, "scan", &json!({"scan": scan, "scan_id": id})).await?;
            let bounced = answer.at("/already_done") == true;
            Ok(if bounced { Err(answer.text) } else { Ok((id, answer)) })
        })
        .await?;
        done(&answer, stage, false);
        assert!(answer.at("/data").get(stamp).is_some_and(Value::is_string), "{stamp}: {}", answer.text);
        let again = stack.act(&stack.staff_bannos, "scan", &json!({"scan": scan, "scan_id": id})).await?;
        done(&again, stage, true);
    }
    assert_eq!(counted(&stack.db().await?, &order.order_id(BANNOS)).await?, CHAIN);
    Ok(())
}

#[tokio::test]
async fn a_bounce_of_the_scanner_counts_once() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    let scans = (0..6).map(|_| {
        let (stack, id) = (stack.clone(), order.order_id(BANNOS));
        tokio::spawn(async move {
            stack.act(&stack.staff_bannos, "scan", &json!({"scan": id, "scan_id": scan_id()})).await
        })
    });
    let (mut stages, mut first) = (Vec::new(), 0);
    for answer in scans.collect::<Vec<_>>() {
        let answer = answer.await??;
        assert_eq!(answer.status, 200, "{}", answer.text);
        stages.push(answer.str("/data/stage").to_owned());
        first += usize::from(answer.at("/already_done") == false);
    }
    let counted = counted(&stack.db().await?, &order.order_id(BANNOS)).await?;
    assert_eq!(counted, CHAIN[..first.max(1)], "who is told that he did it, did it");
    // The first that counts leaves the order where it is.
    assert!(counted.len() > 1 || stages == ["Filling"; 6], "{stages:?}");
    Ok(())
}

#[tokio::test]
async fn the_single_actions_go_the_same_way_and_repeats_are_harmless() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    let id = json!({"id": order.order_id(BANNOS)});
    for (action, stage) in [
        ("handle_print_barcode", "Filling"),
        ("complete_filling", "Covering"),
        ("complete_covering", "Decorating"),
        ("complete_decorating", "Packing"),
        ("start_packing", "Packing"),
        ("complete_packing", "Complete"),
    ] {
        done(&stack.act(&stack.staff_bannos, action, &id).await?, stage, false);
        done(&stack.act(&stack.staff_bannos, action, &id).await?, stage, true);
    }
    done(&stack.act(&stack.staff_bannos, "complete_filling", &id).await?, "Complete", true);
    Ok(())
}

#[tokio::test]
async fn a_stage_that_is_still_ahead_is_refused() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    let id = json!({"id": order.order_id(BANNOS)});
    refused(&stack.act(&stack.staff_bannos, "complete_covering", &id).await?, 409, "INVALID_STAGE");
    refused(&stack.act(&stack.staff_bannos, "complete_packing", &id).await?, 409, "INVALID_STAGE");
    Ok(())
}

#[tokio::test]
async fn supervisors_assign_and_send_back_and_staff_may_not() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    let id = order.order_id(BANNOS);
    let assign = json!({"id": id, "staff_id": token::STAFF_BANNOS, "note": "with care"});
    refused(&stack.act(&stack.staff_bannos, "assign_staff", &assign).await?, 403, "PERMISSION_DENIED");
    let assigned = stack.act(&stack.supervisor_bannos, "assign_staff", &assign).await?;
    done(&assigned, "Filling", false);
    assert_eq!(assigned.str("/data/assignee_id"), token::STAFF_BANNOS);
    done(
        &stack.act(&stack.staff_bannos, "set_storage", &json!({"id": id, "storage": "Fridge 2"})).await?,
        "Filling",
        false,
    );
    for action in ["complete_filling", "complete_covering", "complete_decorating"] {
        stack.act(&stack.staff_bannos, action, &json!({"id": id})).await?;
    }
    let back = json!({"id": id, "reason": "cracked"});
    refused(
        &stack.act(&stack.staff_bannos, "qc_return_to_decorating", &back).await?,
        403,
        "PERMISSION_DENIED",
    );
    let bare = json!({"id": id});
    refused(&stack.act(&stack.supervisor_bannos, "qc_return_to_decorating", &bare).await?, 400, "BAD_INPUT");
    done(&stack.act(&stack.supervisor_bannos, "qc_return_to_decorating", &back).await?, "Decorating", false);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_order_is_a_conflict_for_every_action() -> Outcome {
    let stack = Stack::up().await?;
    let mut order = ingested(&stack, BANNOS).await?;
    order
        .set("cancelled_at", json!("2026-02-08T10:00:00+11:00"))
        .set("updated_at", json!("2026-02-08T10:00:00+11:00"));
    Delivery::new(BANNOS, "orders/cancelled", order.bytes()).deliver(&stack).await?;
    let id = order.order_id(BANNOS);
    refused(&stack.act(&stack.staff_bannos, "scan", &json!({"scan": id})).await?, 409, "CONFLICT");
    for action in ["handle_print_barcode", "complete_filling", "start_packing", "complete_packing"] {
        refused(&stack.act(&stack.staff_bannos, action, &json!({"id": id})).await?, 409, "CONFLICT");
    }
    Ok(())
}

#[tokio::test]
async fn an_order_of_another_store_looks_like_none() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, FLOURLANE).await?;
    let (theirs, none) = (order.order_id(FLOURLANE), format!("flourlane-{}", unique_number(1_000_000_000)));
    for (action, parameter) in [("scan", "scan"), ("complete_filling", "id"), ("handle_print_barcode", "id")]
    {
        let ask = async |id: &str| stack.act(&stack.staff_bannos, action, &json!({parameter: id})).await;
        let (of_theirs, of_none) = (ask(&theirs).await?, ask(&none).await?);
        refused(&of_theirs, 404, "NOT_FOUND");
        assert_eq!(of_theirs.status, of_none.status);
        assert_eq!(of_theirs.text.replace(&theirs, "<id>"), of_none.text.replace(&none, "<id>"), "{action}");
    }
    done(
        &stack.act(&stack.staff_flourlane, "complete_filling", &json!({"id": theirs})).await?,
        "Covering",
        false,
    );
    done(&stack.act(&stack.admin, "complete_covering", &json!({"id": theirs})).await?, "Decorating", false);
    Ok(())
}

#[tokio::test]
async fn without_a_good_token_nothing_is_told() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    let claims = token::claims(&stack.supabase_url, token::STAFF_BANNOS);
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        token::hs256(&claims, &stack.jwt_secret)
    };
    let good = token::hs256(&claims, &stack.jwt_secret);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let none = token::unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims);
    let bad = [
        ("expired", with("exp", json!(token::now() - 60))),
        ("no expiry", with("exp", Value::Null)),
        ("not yet valid", with("nbf", json!(token::now() + 600))),
        ("wrong audience", with("aud", json!("anon"))),
        ("no audience", with("aud", Value::Null)),
        ("wrong issuer", with("iss", json!("https://evil.example/auth/v1"))),
        ("service role", with("role", json!("service_role"))),
        ("nobody", with("sub", Value::Null)),
        ("another secret", token::hs256(&claims, "another secret")),
        ("empty secret", token::hs256(&claims, "")),
        ("no algorithm", format!("{none}.")),
        ("no algorithm, stolen signature", format!("{none}.{signature}")),
        ("no signature", format!("{message}.")),
        ("no third part", message.to_owned()),
        ("garbage", "garbage".to_owned()),
        ("dots", "..".to_owned()),
        ("huge", "x".repeat(9_000)),
        ("anonymous key", stack.anon_key.clone()),
        ("service key", stack.service_key.clone()),
    ];
    let body = json!({"id": order.order_id(BANNOS)});
    for (why, token) in bad {
        let answer = stack.act(&token, "complete_filling", &body).await?;
        assert_eq!((answer.status, answer.at("/ok")), (401, &Value::Bool(false)), "{why}: {}", answer.text);
    }
    let path = format!("{PATH}/complete_filling");
    let request = || stack.request(Method::POST, &path).json(&body);
    for (why, request) in [
        ("no token", request()),
        ("empty", request().header("Authorization", "")),
        ("no scheme", request().header("Authorization", good.clone())),
        ("another scheme", request().basic_auth("user", Some(&good))),
        ("only a key", request().header("apikey", &stack.anon_key)),
    ] {
        let answer = Answer::to(request).await?;
        assert_eq!((answer.status, answer.at("/ok")), (401, &Value::Bool(false)), "{why}: {}", answer.text);
    }
    done(&stack.act(&good, "complete_filling", &body).await?, "Covering", false);
    Ok(())
}

#[tokio::test]
async fn former_staff_and_strangers_find_nothing() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    for user in [token::FORMER, token::NOBODY] {
        let token = token::hs256(&token::claims(&stack.supabase_url, user), &stack.jwt_secret);
        let answer = stack.act(&token, "complete_filling", &json!({"id": order.order_id(BANNOS)})).await?;
        assert!([403, 404].contains(&answer.status), "{user}: {} {}", answer.status, answer.text);
        assert_eq!(answer.at("/data"), &Value::Null, "{user}");
    }
    Ok(())
}

#[tokio::test]
async fn reads_what_a_kiosk_may_show_and_no_more() -> Outcome {
    let stack = Stack::up().await?;
    let mut order = Order::simple()?;
    order.set("note", json!("for Aunt Mabel"));
    Delivery::new(BANNOS, "orders/create", order.bytes()).deliver(&stack).await?;
    let id = order.order_id(BANNOS);
    let path = format!("{PATH}/order");
    let ask = |scan: &str| {
        stack.request(Method::GET, &path).query(&[("scan", scan)]).bearer_auth(&stack.staff_bannos)
    };
    let answer = Answer::to(ask(&id)).await?;
    assert_eq!(
        (answer.status, answer.str("/data/id"), answer.str("/data/stage")),
        (200, id.as_str(), "Filling"),
        "{}",
        answer.text
    );
    let name = order.payload["shipping_address"]["first_name"].as_str().unwrap().to_owned();
    for secret in [name.as_str(), "Mabel", "36.8", "@"] {
        assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
    }
    refused(&Answer::to(ask("☃")).await?, 400, "BAD_INPUT");
    refused(&Answer::to(ask(&format!("bannos-{}", unique_number(1_000_000_000)))).await?, 404, "NOT_FOUND");
    let bare = Answer::to(stack.request(Method::GET, &path).query(&[("scan", &id)])).await?;
    assert_eq!(bare.status, 401, "{}", bare.text);
    Ok(())
}

#[tokio::test]
async fn odd_requests_are_named_as_such() -> Outcome {
    let stack = Stack::up().await?;
    let order = ingested(&stack, BANNOS).await?;
    let id = order.order_id(BANNOS);
    let unknown = stack.act(&stack.staff_bannos, "explode", &json!({"id": id})).await?;
    assert_eq!((unknown.status, unknown.at("/ok")), (404, &Value::Bool(false)), "{}", unknown.text);
    for (action, body) in [
        ("complete_filling", json!({})),
        ("complete_filling", json!({"id": 7})),
        ("complete_filling", json!({"id": ""})),
        ("complete_filling", json!({"id": "x".repeat(10_000)})),
        ("complete_filling", json!({"id": "bannos-1\u{0}"})),
        ("complete_filling", json!([])),
        ("complete_filling", json!("bannos-1")),
        ("scan", json!({"scan": id, "action": "explode"})),
        ("scan", json!({"scan": id, "scan_id": "not a uuid"})),
        ("scan", json!({"scan": null})),
        ("assign_staff", json!({"id": id, "staff_id": "somebody"})),
    ] {
        let answer = stack.act(&stack.supervisor_bannos, action, &body).await?;
        assert!(
            [400, 404].contains(&answer.status),
            "{action} {:.80}: {} {}",
            body.to_string(),
            answer.status,
            answer.text
        );
        assert_eq!(answer.at("/ok"), false);
    }
    let path = format!("{PATH}/complete_filling");
    let broken = stack.request(Method::POST, &path).bearer_auth(&stack.staff_bannos).body("{\"id\": ");
    refused(&Answer::to(broken).await?, 400, "BAD_INPUT");
    let method = Answer::to(stack.request(Method::DELETE, &path).bearer_auth(&stack.staff_bannos)).await?;
    assert_eq!((method.status, method.header("allow")), (405, "POST"), "{}", method.text);
    // Whoever is signed in stays who they are, whatever the body says.
    let posing = json!({"id": id, "user": "00000000-0000-4000-8000-000000000003"});
    let answer = stack.act(&stack.staff_bannos, "complete_filling", &posing).await?;
    assert!([200, 400].contains(&answer.status), "{}", answer.text);
    let query =
        "select performed_by::text from public.stage_events where order_id = $1 and performed_by is not null";
    let by = stack.db().await?.rows(query, &[&id]).await?;
    assert!(by.iter().all(|row| row["performed_by"] == token::STAFF_BANNOS), "{by:?}");
    Ok(())
}
