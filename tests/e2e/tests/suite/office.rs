//! What is done from a desk: people are taken on and let go, stores are opened, the history of an order is read.

use ordak_e2e::answer::Answer;
use ordak_e2e::delivery::Delivery;
use ordak_e2e::kitchen::{done, hired, ingested, refused, scan_id};
use ordak_e2e::order::Order;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, BANNOS, STOCK};
use ordak_e2e::{Outcome, token, unique};
use reqwest::Method;
use serde_json::{Value, json};

async fn read(stack: &Stack, token: &str, what: &str, query: &[(&str, &str)]) -> Outcome<Answer> {
    let request = stack.request(Method::GET, &format!("/functions/v1/stage-actions/{what}"));
    Answer::to(request.query(query).bearer_auth(token)).await
}

fn told(answer: &Answer, already: bool) {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(
        (answer.at("/ok"), answer.at("/already_done")),
        (&json!(true), &json!(already)),
        "{}",
        answer.text
    );
}

#[tokio::test]
async fn people_are_taken_on_moved_and_let_go() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let order = ingested(&stack, store).await?.order_id(store);
    let person = hired(&stack, "Staff", store).await?;
    let print = json!({"id": order});
    done(&stack.act(&person.token, "handle_print_barcode", &print).await?, "Filling", false);

    let promoted = json!({"user_id": person.id, "name": "Ada Lead", "role": "Supervisor", "stores": [store.key, "bannos"]});
    let answer = stack.act(&stack.admin, "upsert_staff", &promoted).await?;
    told(&answer, false);
    assert_eq!(answer.at("/data/stores"), &json!(["bannos", store.key]));
    told(&stack.act(&stack.admin, "upsert_staff", &promoted).await?, true);
    let assign = json!({"id": order, "staff_id": person.id});
    done(&stack.act(&person.token, "assign_staff", &assign).await?, "Filling", false);
    let staff = read(&stack, &person.token, "staff", &[("store", store.key)]).await?;
    let named =
        |who: &Value| who["user_id"] == person.id && who["name"] == "Ada Lead" && who["active"] == true;
    assert!(staff.at("/data/staff").as_array().unwrap().iter().any(named), "{}", staff.text);

    // Stores that are left out stay as they are.
    let back = json!({"user_id": person.id, "name": "Ada", "role": "Staff"});
    let answer = stack.act(&stack.admin, "upsert_staff", &back).await?;
    assert_eq!(answer.at("/data/stores"), &json!(["bannos", store.key]), "{}", answer.text);
    refused(&stack.act(&person.token, "assign_staff", &assign).await?, 403, "PERMISSION_DENIED");

    let off = json!({"user_id": person.id, "active": false});
    told(&stack.act(&stack.admin, "set_staff_active", &off).await?, false);
    told(&stack.act(&stack.admin, "set_staff_active", &off).await?, true);
    refused(&stack.act(&person.token, "complete_filling", &print).await?, 403, "PERMISSION_DENIED");
    refused(&read(&stack, &person.token, "queue", &[("store", store.key)]).await?, 403, "PERMISSION_DENIED");
    let on = json!({"user_id": person.id, "active": true});
    told(&stack.act(&stack.admin, "set_staff_active", &on).await?, false);
    done(&stack.act(&person.token, "complete_filling", &print).await?, "Covering", false);

    for (body, code, status) in [
        (json!({"user_id": person.id, "name": "Ada", "role": "King"}), "BAD_INPUT", 400),
        (
            json!({"user_id": person.id, "name": "Ada", "role": "Staff", "stores": ["nowhere"]}),
            "BAD_INPUT",
            400,
        ),
        (json!({"user_id": scan_id(), "name": "Ada", "role": "Staff"}), "NOT_FOUND", 404),
    ] {
        refused(&stack.act(&stack.admin, "upsert_staff", &body).await?, status, code);
    }
    for token in [&stack.staff_bannos, &stack.supervisor_bannos] {
        refused(&stack.act(token, "upsert_staff", &promoted).await?, 403, "PERMISSION_DENIED");
        refused(&stack.act(token, "set_staff_active", &off).await?, 403, "PERMISSION_DENIED");
    }
    Ok(())
}

#[tokio::test]
async fn a_store_is_opened_and_its_first_order_comes_in() -> Outcome {
    let stack = Stack::up().await?;
    let key: &'static str = format!("open{}", unique().get(..10).unwrap_or_default()).leak();
    let store = store::Store { key };
    let plan = json!({
        "key": key, "name": "Opened", "shop_domain": store.domain(), "timezone": "Asia/Hong_Kong",
        "origin_country": "HK", "currency": "HKD", "courier_enabled": true, "storage_locations": ["Cold", "Dry"]
    });
    refused(&stack.act(&stack.supervisor_bannos, "create_store", &plan).await?, 403, "PERMISSION_DENIED");
    told(&stack.act(&stack.admin, "create_store", &plan).await?, false);
    let again = stack.act(&stack.admin, "create_store", &plan).await?;
    told(&again, true);
    assert_eq!(again.at("/data/storage_locations"), &json!(["Cold", "Dry"]));
    assert_eq!(
        (again.at("/data/courier_enabled"), again.at("/data/wms_enabled")),
        (&json!(true), &json!(false))
    );
    let mut other = plan.clone();
    other["name"] = json!("Another");
    refused(&stack.act(&stack.admin, "create_store", &other).await?, 409, "CONFLICT");
    other["timezone"] = json!("Mars/Olympus");
    refused(&stack.act(&stack.admin, "create_store", &other).await?, 400, "BAD_INPUT");

    let id = ingested(&stack, store).await?.order_id(store);
    let place = |name: &str| json!({"id": id, "storage": name});
    refused(&stack.act(&stack.admin, "set_storage", &place("Shelf")).await?, 400, "BAD_INPUT");
    let put = stack.act(&stack.admin, "set_storage", &place("cold")).await?;
    done(&put, "Filling", false);
    assert_eq!(put.str("/data/storage"), "Cold", "spelled as in the store's list");
    Ok(())
}

#[tokio::test]
async fn the_history_of_an_order_is_one_list() -> Outcome {
    let stack = Stack::up().await?;
    let item = store::stock(&stack, STOCK, 10).await?;
    let mut order = Order::simple()?.with_lines(&[(&item.sku, 2)]);
    Delivery::new(STOCK, "orders/create", order.bytes()).deliver(&stack).await?;
    let id = order.order_id(STOCK);
    let person = hired(&stack, "Staff", STOCK).await?;
    let scan = json!({"scan": id, "scan_id": scan_id()});
    done(&stack.act(&person.token, "scan", &scan).await?, "Filling", false);
    done(&stack.act(&person.token, "complete_filling", &json!({"id": id})).await?, "Covering", false);
    refused(&stack.act(&person.token, "start_packing", &json!({"id": id})).await?, 409, "INVALID_STAGE");
    let at = json!("2030-01-01T00:00:00Z");
    order.set("cancelled_at", at.clone()).set("updated_at", at);
    Delivery::new(STOCK, "orders/cancelled", order.bytes()).deliver(&stack).await?;

    let answer = read(&stack, &person.token, "timeline", &[("id", &id)]).await?;
    told(&answer, false);
    assert_eq!((answer.str("/data/id"), answer.str("/data/store")), (id.as_str(), STOCK.key));
    let entries = answer.at("/data/entries").as_array().unwrap();
    let seen: Vec<(&str, &str)> = entries
        .iter()
        .filter_map(|entry| Some((entry["kind"].as_str()?, entry["action"].as_str()?)))
        .collect();
    let expected = [
        ("webhook", "orders/create"),
        ("stock", "hold"),
        ("scan", "handle_print_barcode"),
        ("action", "complete_filling"),
        ("action", "refused"),
        ("webhook", "orders/cancelled"),
        ("stock", "release"),
    ];
    let mut rest = seen.iter();
    for wanted in expected {
        assert!(rest.any(|entry| *entry == wanted), "{wanted:?} in its place among {seen:?}");
    }
    let times: Vec<&str> = entries.iter().filter_map(|entry| entry["at"].as_str()).collect();
    assert!(times.is_sorted() && times.len() == entries.len(), "{times:?}");
    let scan = entries.iter().find(|entry| entry["kind"] == "scan").unwrap();
    assert_eq!(
        (&scan["by"], &scan["by_name"]),
        (&json!(person.id), &json!(format!("Staff of {}", STOCK.key)))
    );
    // What came in is named, not shown: payloads are for Supervisors.
    let address = order.payload["shipping_address"]["address1"].as_str().unwrap();
    assert!(!answer.text.contains(address), "{}", answer.text);

    // By any form of its label, and by nobody else.
    let short = read(&stack, &person.token, "timeline", &[("id", &format!("#{}", order.number))]).await?;
    assert_eq!(short.at("/data"), answer.at("/data"));
    refused(&read(&stack, &stack.staff_bannos, "timeline", &[("id", &id)]).await?, 404, "NOT_FOUND");
    let nobody = token::hs256(&token::claims(&stack.supabase_url, token::NOBODY), &stack.jwt_secret);
    refused(&read(&stack, &nobody, "timeline", &[("id", &id)]).await?, 403, "PERMISSION_DENIED");
    Ok(())
}

#[tokio::test]
async fn a_page_of_a_kiosk_may_read_act_and_see_refusals() -> Outcome {
    const KIOSK: &str = "http://localhost:5173";
    let stack = Stack::up().await?;
    let id = ingested(&stack, BANNOS).await?.order_id(BANNOS);
    let path = |what: &str| format!("/functions/v1/stage-actions/{what}");
    let ask = async |method: Method, what: &str, origin: &str| {
        let request =
            stack.request(method, &path(what)).header("Origin", origin).bearer_auth(&stack.staff_bannos);
        Answer::to(request.json(&json!({"id": id}))).await
    };
    for (method, what, status) in [
        (Method::POST, "handle_print_barcode", 200),
        (Method::POST, "complete_packing", 409),
        (Method::POST, "explode", 404),
        (Method::GET, "queue?store=bannos", 200),
        (Method::GET, "queue?store=nowhere", 404),
        (Method::GET, "handle_print_barcode", 405),
    ] {
        let answer = ask(method.clone(), what, KIOSK).await?;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (status, KIOSK), "{what}");
        assert!(answer.header("vary").to_lowercase().contains("origin"), "{what}");
        let stranger = ask(method, what, "https://evil.example").await?;
        assert_eq!(stranger.header("access-control-allow-origin"), "", "{what}");
    }
    for what in ["queue", "timeline", "upsert_staff", "scan"] {
        let preflight = stack
            .request(Method::OPTIONS, &path(what))
            .header("Origin", KIOSK)
            .header("Access-Control-Request-Method", "GET")
            .header("Access-Control-Request-Headers", "authorization, content-type");
        let answer = Answer::to(preflight).await?;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, KIOSK), "{what}");
        let methods = answer.header("access-control-allow-methods");
        assert!(methods.contains("GET") && methods.contains("POST"), "{methods}");
    }
    Ok(())
}
