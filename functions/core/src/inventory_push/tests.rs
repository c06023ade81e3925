//! Tests: plans, and what each answer means for each item.

use super::*;
use crate::fixtures;
use crate::work::ErrorClass;
use serde_json::{Value, json};

pub(super) const ITEM_1: &str = "gid://shopify/InventoryItem/1001";

pub(super) fn item(id: i64, store: &str, context: Value) -> WorkItem {
    serde_json::from_value(json!({
        "id": id, "topic": "inventory_push", "store": store, "shop_domain": format!("{store}.myshopify.com"),
        "payload": {"sku": "ASKED"}, "dedupe_key": "k", "fence": id * 10, "attempt": 1, "context": context
    }))
    .unwrap()
}

pub(super) fn stock(n: i64, ats: i64) -> Value {
    json!({
        "sku": format!("SKU-{n}"), "ats": ats, "inventory_item_gid": format!("gid://shopify/InventoryItem/{n}"),
        "location_gid": "gid://shopify/Location/1"
    })
}

pub(super) fn call(items: &[WorkItem]) -> Call {
    let mut plan = plan(items);
    assert!(plan.refused.is_empty() && plan.calls.len() == 1);
    plan.calls.remove(0)
}

/// Three items for two SKUs of one store.
pub(super) fn two_levels() -> Call {
    call(&[
        item(1, "bannos", stock(1001, 7)),
        item(2, "bannos", stock(1002, 0)),
        item(3, "bannos", stock(1001, 7)),
    ])
}

fn answered(call: &Call, status: u16, retry_after: Option<&str>, body: &[u8]) -> Verdict {
    call.classify(Answer { status, retry_after, body }, 1_800_000_000)
}

pub(super) fn ok(call: &Call, body: &[u8]) -> Verdict {
    answered(call, 200, None, body)
}

/// The one failure that all items share.
fn failure(verdict: &Verdict) -> (ErrorClass, Option<u64>) {
    assert!(verdict.again.is_none());
    assert_eq!(verdict.results.len(), 3);
    let first = verdict.results[0].clone();
    assert!(
        verdict.results.iter().all(|result| result.error_class == first.error_class && !result.is_done())
    );
    (first.error_class.unwrap(), first.retry_after_ms)
}

#[test]
fn one_group_a_store_and_one_quantity_a_sku() {
    let items = [
        item(5, "flourlane", stock(2001, 4)),
        item(3, "bannos", stock(1001, 7)),
        item(1, "bannos", stock(1001, 7)),
        item(2, "bannos", stock(1002, -3)),
    ];
    let plan = plan(&items);
    let stores: Vec<&str> = plan.calls.iter().map(|call| call.store.as_str()).collect();
    assert_eq!(stores, ["bannos", "flourlane"]);
    let bannos = &plan.calls[0];
    assert_eq!(bannos.shop_domain, "bannos.myshopify.com");
    assert_eq!(bannos.quantities.iter().map(|quantity| quantity.available).collect::<Vec<_>>(), [7, 0]);
    assert_eq!(bannos.quantities[0].claims, [Claim { id: 1, fence: 10 }, Claim { id: 3, fence: 30 }]);
    assert!(plan.refused.is_empty());
}

#[test]
fn a_call_takes_at_most_250_quantities() {
    let items: Vec<WorkItem> = (1..=501).map(|n| item(n, "bannos", stock(n, n))).collect();
    let sizes: Vec<usize> = plan(&items).calls.iter().map(|call| call.quantities.len()).collect();
    assert_eq!(sizes, [250, 250, 1]);
    let same: Vec<WorkItem> = (1..=501).map(|n| item(n, "bannos", stock(1, 9))).collect();
    assert_eq!(plan(&same).calls.len(), 1);
}

#[test]
fn what_cannot_be_pushed_fails_for_good_what_is_not_mapped_is_looked_up_and_the_rest_goes_on() {
    let without = |name: &str| {
        let mut context = stock(1, 1);
        context[name] = Value::Null;
        context
    };
    let mut strange = stock(1, 1);
    strange["inventory_item_gid"] = json!("gid://shopify/Product/1");
    let mut homeless = item(7, "bannos", stock(3, 3));
    homeless.shop_domain = None;
    let mut stranger = item(8, "bannos", stock(3, 3));
    stranger.topic = "email".into();
    let items = [
        item(1, "bannos", Value::Null),
        item(2, "bannos", json!("nonsense")),
        item(3, "bannos", without("ats")),
        item(4, "bannos", without("inventory_item_gid")),
        item(5, "bannos", without("location_gid")),
        item(6, "bannos", strange),
        homeless,
        stranger,
        item(9, "bannos", stock(9, 9)),
    ];
    let plan = plan(&items);
    assert_eq!(plan.refused.iter().map(|result| result.id).collect::<Vec<_>>(), [1, 2, 3, 6, 7, 8]);
    assert!(plan.refused.iter().all(|result| result.error_class == Some(ErrorClass::Permanent)));
    assert_eq!(plan.refused[0].error.as_deref(), Some("SKU ASKED is not in stock keeping"));
    assert_eq!(plan.refused[3].error.as_deref(), Some("SKU SKU-1 is mapped to no Shopify InventoryItem"));
    let unmapped = &plan.unmapped[0];
    assert_eq!((plan.unmapped.len(), &unmapped.skus), (1, &vec!["SKU-1".to_owned()]));
    assert_eq!(unmapped.claims.iter().map(|claim| claim.id).collect::<Vec<_>>(), [4, 5]);
    assert_eq!(plan.calls.len(), 1);
}

#[test]
fn nothing_claimed_is_nothing_to_do() {
    assert_eq!(plan(&[]), Plan::default());
}

#[test]
fn a_success_settles_every_item() {
    let verdict = ok(&two_levels(), &fixtures::read("shopify_gql_inventorySetQuantities__ok_2026_04"));
    let pushed = WorkResult::pushed;
    assert_eq!(verdict.results, [pushed(1, 10, 7), pushed(3, 30, 7), pushed(2, 20, 0)], "with its level");
    assert!(verdict.again.is_none());
}

#[test]
fn throttling_inside_a_200_waits_as_long_as_it_takes() {
    let verdict = ok(&two_levels(), &fixtures::read("shopify_gql_error__throttled"));
    assert_eq!(failure(&verdict), (ErrorClass::Transient, Some(80)));
    for body in [
        r#"{"errors":[{"extensions":{"code":"THROTTLED"}}]}"#,
        r#"{"errors":[{"extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":9,"throttleStatus":{"currentlyAvailable":1,"restoreRate":0}}}}"#,
        r#"{"errors":[{"extensions":{"code":"OTHER"}},{"extensions":{"code":"THROTTLED"}}]}"#,
    ] {
        assert_eq!(
            failure(&ok(&two_levels(), body.as_bytes())),
            (ErrorClass::Transient, Some(1000)),
            "{body}"
        );
    }
    let absurd = r#"{"errors":[{"extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":1e300,"throttleStatus":{"currentlyAvailable":-1e300,"restoreRate":1e-300}}}}"#;
    assert_eq!(failure(&ok(&two_levels(), absurd.as_bytes())).1, Some(crate::work::LONGEST_WAIT_MS));
}

#[test]
fn what_asking_again_cannot_cure_is_permanent() {
    for fixture in [
        "shopify_gql_error__max_cost_exceeded",
        "shopify_gql_inventorySetQuantities__missing_idempotent_2026_04",
        "shopify_gql_inventorySetQuantities__legacy_compare_rejected_2026_04",
    ] {
        let verdict = ok(&two_levels(), &fixtures::read(fixture));
        assert_eq!(failure(&verdict), (ErrorClass::Permanent, None), "{fixture}");
    }
    for code in ["ACCESS_DENIED", "SHOP_INACTIVE", "undefinedField"] {
        let body = json!({"errors": [{"message": "m"}, {"message": "no", "extensions": {"code": code}}]})
            .to_string();
        assert_eq!(failure(&ok(&two_levels(), body.as_bytes())).0, ErrorClass::Permanent, "{code}");
    }
}

#[test]
fn errors_without_a_reason_may_pass() {
    for body in [
        r#"{"errors":[{"message":"Internal error"}]}"#,
        r#"{"errors":"[API] something"}"#,
        r#"{"errors":{"base":["x"]}}"#,
        r#"{"errors":[{"extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}"#,
        r#"{"data":{"inventorySetQuantities":null}}"#,
        r#"{"data":null,"errors":[]}"#,
        r#"{"data":{"inventorySetQuantities":{"userErrors":"x"}}}"#,
        "{}",
        "[]",
        "null",
        "",
        "<html><body>502 Bad Gateway</body></html>",
        r#"{"data":{"inventorySetQuantities":{"userErr"#,
        "\u{0}",
    ] {
        assert_eq!(failure(&ok(&two_levels(), body.as_bytes())), (ErrorClass::Transient, None), "{body}");
    }
    let deep = format!("{{\"data\":{}", "[".repeat(200_000));
    assert_eq!(failure(&ok(&two_levels(), deep.as_bytes())).0, ErrorClass::Transient);
}

#[test]
fn a_status_says_whether_to_come_again() {
    use ErrorClass::{Limit, Permanent, Transient};
    let cases: [(u16, Option<&str>, ErrorClass, Option<u64>); 16] = [
        (401, None, Permanent, None),
        (403, Some("5"), Permanent, None),
        (400, None, Permanent, None),
        (404, None, Permanent, None),
        (422, None, Permanent, None),
        (402, None, Limit, None),
        (301, None, Permanent, None),
        (307, None, Permanent, None),
        (429, Some("2.0"), Transient, Some(2_000)),
        (429, Some("Fri, 15 Jan 2027 08:00:30 GMT"), Transient, Some(30_000)),
        (429, None, Transient, None),
        (408, None, Transient, None),
        (500, None, Transient, None),
        (502, Some("junk"), Transient, None),
        (503, Some("7"), Transient, Some(7_000)),
        (0, None, Transient, None),
    ];
    for (status, retry_after, class, wait) in cases {
        let verdict = answered(&two_levels(), status, retry_after, b"<html>");
        assert_eq!(failure(&verdict), (class, wait), "{status} {retry_after:?}");
    }
}

#[test]
fn a_user_error_hits_the_item_that_it_names() {
    let verdict =
        ok(&two_levels(), &fixtures::read("shopify_gql_inventorySetQuantities__userErrors_duplicate_pair"));
    assert_eq!(failure(&verdict), (ErrorClass::Permanent, None));
    let error = verdict.results[0].error.clone().unwrap();
    assert!(
        error.starts_with("Shopify: NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR The combination"),
        "{error}"
    );
}

#[test]
fn the_innocent_rest_is_sent_again_at_once() {
    let body = |index: Value| {
        json!({"data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": null, "userErrors": [
            {"field": ["input", "quantities", index, "inventoryItemId"], "message": "gone", "code": "INVALID_INVENTORY_ITEM"}
        ]}}})
        .to_string()
    };
    let call = two_levels();
    for index in [json!("1"), json!(1)] {
        let verdict = ok(&call, body(index).as_bytes());
        assert_eq!(verdict.results.iter().map(|result| result.id).collect::<Vec<_>>(), [2]);
        assert_eq!(verdict.results[0].error_class, Some(ErrorClass::Permanent));
        let again = verdict.again.unwrap();
        assert_eq!(again.claims().map(|claim| claim.id).collect::<Vec<_>>(), [1, 3]);
        assert_ne!(again.request().idempotency_key, call.request().idempotency_key);
    }
    for nowhere in [json!("2"), json!("x"), json!(-1), json!(null)] {
        assert_eq!(failure(&ok(&call, body(nowhere).as_bytes())).0, ErrorClass::Permanent);
    }
}

#[test]
fn user_errors_have_classes() {
    let of = |code: Value| {
        let body = json!({"data": {"inventorySetQuantities": {"userErrors": [{"field": null, "message": "m", "code": code}]}}});
        failure(&ok(&two_levels(), body.to_string().as_bytes()))
    };
    assert_eq!(of(json!("CHANGE_FROM_QUANTITY_STALE")), (ErrorClass::Transient, Some(0)));
    assert_eq!(of(json!("IDEMPOTENCY_CONCURRENT_REQUEST")), (ErrorClass::Transient, Some(2_000)));
    assert_eq!(of(json!("IDEMPOTENCY_KEY_PARAMETER_MISMATCH")), (ErrorClass::Permanent, None));
    assert_eq!(of(json!("ITEM_NOT_STOCKED_AT_LOCATION")), (ErrorClass::Permanent, None));
    assert_eq!(of(Value::Null), (ErrorClass::Permanent, None));
}

#[test]
fn of_two_errors_on_one_item_the_incurable_decides() {
    let error = |code: &str| json!({"field": ["input", "quantities", "0"], "message": "m", "code": code});
    for order in [
        ["CHANGE_FROM_QUANTITY_STALE", "INVALID_LOCATION"],
        ["INVALID_LOCATION", "CHANGE_FROM_QUANTITY_STALE"],
    ] {
        let body = json!({"data": {"inventorySetQuantities": {"userErrors": order.map(error)}}}).to_string();
        let verdict = ok(&two_levels(), body.as_bytes());
        assert!(verdict.results.iter().all(|result| result.error_class == Some(ErrorClass::Permanent)));
    }
}

#[test]
fn what_was_not_tried_goes_back_and_costs_no_attempt() {
    let results = two_levels().untried();
    assert_eq!(results.iter().map(|result| result.id).collect::<Vec<_>>(), [1, 3, 2]);
    assert!(results.iter().all(|result| result.is_released() && result.error_class.is_none()));
}

#[test]
fn every_item_is_settled_or_sent_again_whatever_the_answer() {
    let mut seed = 11u64;
    let whole = fixtures::read("shopify_gql_inventorySetQuantities__userErrors_duplicate_pair");
    let call = call(&(1..=5).map(|n| item(n, "bannos", stock(n, n))).collect::<Vec<_>>());
    for _ in 0..5000 {
        let mut body = whole.clone();
        for _ in 0..3 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let at = (seed >> 33) as usize % body.len();
            body[at] = b"01234nul{}[]\",:"[(seed >> 20) as usize % 15];
        }
        let verdict = ok(&call, &body);
        let mut ids: Vec<i64> = verdict.results.iter().map(|result| result.id).collect();
        ids.extend(verdict.again.iter().flat_map(Call::claims).map(|claim| claim.id));
        ids.sort_unstable();
        assert_eq!(ids, [1, 2, 3, 4, 5]);
        assert!(verdict.again.is_none_or(|again| again.quantities.len() < 5));
    }
}
