use super::*;
use crate::work::ErrorClass::{Permanent, Transient};

fn item(payload: Value) -> WorkItem {
    serde_json::from_value(json!({
        "id": 1, "topic": TOPIC, "store": "bannos", "shop_domain": "bannos.myshopify.com", "fence": 1,
        "dedupe_key": "gid://shopify/Order/7/batch", "payload": payload
    }))
    .unwrap()
}

fn refund() -> Refund {
    Refund::of(&item(json!({
        "order_gid": "gid://shopify/Order/7", "amount": "36.80", "currency": "AUD", "batch_id": "b-1"
    })))
    .unwrap()
}

fn transaction(id: u8, kind: &str, status: &str, amount: &str, parent: Option<u8>) -> Value {
    let gid = |id: u8| format!("gid://shopify/OrderTransaction/{id}");
    json!({
        "id": gid(id), "kind": kind, "status": status, "gateway": "shopify_payments",
        "amountSet": {"presentmentMoney": {"amount": amount, "currencyCode": "AUD"}},
        "parentTransaction": parent.map(|parent| json!({"id": gid(parent)}))
    })
}

fn answer(transactions: &[Value], refunds: &[Value]) -> Vec<u8> {
    let order = json!({"id": "gid://shopify/Order/7", "transactions": transactions, "refunds": refunds});
    json!({"data": {"node": order}}).to_string().into_bytes()
}

fn next(body: &[u8]) -> Result<Step, WorkFailure> {
    refund().next(Answer { status: 200, retry_after: None, body }, 0)
}

fn sent(body: &[u8]) -> Value {
    match next(body).unwrap() {
        Step::Send(body) => serde_json::from_str(&body).unwrap(),
        Step::Nothing => panic!("nothing is sent"),
    }
}

fn judge(body: &Value) -> Result<(), WorkFailure> {
    refund().judge(Answer { status: 200, retry_after: None, body: body.to_string().as_bytes() }, 0)
}

#[test]
fn the_amount_of_the_order_goes_back_to_its_payment() {
    let body = sent(&answer(&[transaction(1, "SALE", "SUCCESS", "36.8", None)], &[]));
    let input = &body["variables"]["input"];
    assert_eq!(
        input["transactions"],
        json!([{
            "orderId": "gid://shopify/Order/7", "parentId": "gid://shopify/OrderTransaction/1",
            "gateway": "shopify_payments", "kind": "REFUND", "amount": "36.80"
        }])
    );
    assert_eq!(
        (input["orderId"].as_str(), input["currency"].as_str()),
        (Some("gid://shopify/Order/7"), Some("AUD"))
    );
    assert!(body["query"].as_str().unwrap().contains("@idempotent(key: $key)"));
    assert!(crate::action::is_uuid(body["variables"]["key"].as_str().unwrap()));
}

#[test]
fn the_same_intent_has_the_same_key_and_another_has_another() {
    let key = |transactions: &[Value]| sent(&answer(transactions, &[]))["variables"]["key"].clone();
    let whole = [transaction(1, "SALE", "SUCCESS", "36.80", None)];
    assert_eq!(key(&whole), key(&whole));
    assert_ne!(key(&whole), key(&[transaction(1, "SALE", "SUCCESS", "30.00", None)]));
}

#[test]
fn several_payments_are_given_back_in_parts() {
    let transactions = [
        transaction(1, "AUTHORIZATION", "SUCCESS", "36.80", None),
        transaction(2, "CAPTURE", "SUCCESS", "20.00", Some(1)),
        transaction(3, "SALE", "FAILURE", "50.00", None),
        transaction(4, "SALE", "SUCCESS", "50.00", None),
        transaction(5, "REFUND", "SUCCESS", "5.00", Some(2)),
        transaction(6, "REFUND", "PENDING", "1.00", Some(2)),
        transaction(7, "REFUND", "FAILURE", "9.00", Some(2)),
    ];
    let body = sent(&answer(&transactions, &[]));
    let parts: Vec<&str> = body["variables"]["input"]["transactions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["amount"].as_str().unwrap())
        .collect();
    assert_eq!(parts, ["14.00", "22.80"]);
}

#[test]
fn never_more_than_what_is_left() {
    let transactions = [
        transaction(1, "SALE", "SUCCESS", "36.80", None),
        transaction(2, "REFUND", "SUCCESS", "30.00", Some(1)),
    ];
    let body = sent(&answer(&transactions, &[]));
    assert_eq!(body["variables"]["input"]["transactions"][0]["amount"], "6.80");
    let transactions = [
        transaction(1, "SALE", "SUCCESS", "36.80", None),
        transaction(2, "REFUND", "SUCCESS", "36.80", Some(1)),
    ];
    assert_eq!(next(&answer(&transactions, &[])), Ok(Step::Nothing));
}

#[test]
fn a_refund_with_our_mark_is_not_made_again() {
    let paid = [transaction(1, "SALE", "SUCCESS", "36.80", None)];
    let note = sent(&answer(&paid, &[]))["variables"]["input"]["note"].clone();
    assert!(note.as_str().unwrap().starts_with("Batch b-1 cancelled ["));
    let ours = json!({"id": "gid://shopify/Refund/1", "note": note});
    let another = json!({"id": "gid://shopify/Refund/2", "note": null});
    assert_eq!(next(&answer(&paid, &[another.clone(), ours])), Ok(Step::Nothing));
    assert!(matches!(next(&answer(&paid, &[another])), Ok(Step::Send(_))));
}

#[test]
fn what_cannot_be_given_back_is_for_a_person() {
    let mut foreign = transaction(1, "SALE", "SUCCESS", "36.80", None);
    foreign["amountSet"]["presentmentMoney"]["currencyCode"] = json!("USD");
    for body in [answer(&[], &[]), answer(&[foreign], &[]), br#"{"data":{"node":null}}"#.to_vec()] {
        assert_eq!(next(&body).unwrap_err().class, Permanent);
    }
    for body in [&b"{}"[..], b"<html>", br#"{"data":null}"#] {
        assert_eq!(next(body).unwrap_err().class, Transient);
    }
    for payload in [
        json!({}),
        json!({"order_gid": "gid://ordak/Order/1", "amount": "1", "currency": "AUD"}),
        json!({"order_gid": "gid://shopify/Order/1", "amount": "0", "currency": "AUD"}),
        json!({"order_gid": "gid://shopify/Order/1", "amount": "-1", "currency": "AUD"}),
        json!({"order_gid": "gid://shopify/Order/1", "amount": 1, "currency": "AUD"}),
        json!({"order_gid": "gid://shopify/Order/1", "amount": "1"}),
    ] {
        assert_eq!(Refund::of(&item(payload.clone())).unwrap_err().class, Permanent, "{payload}");
    }
}

#[test]
fn the_answer_says_whether_it_was_given_back() {
    let with = |errors: Value| json!({"data": {"refundCreate": {"refund": null, "userErrors": errors}}});
    assert_eq!(
        judge(
            &json!({"data": {"refundCreate": {"refund": {"id": "gid://shopify/Refund/1"}, "userErrors": []}}})
        ),
        Ok(())
    );
    assert_eq!(judge(&with(json!([]))).unwrap_err().class, Transient);
    assert_eq!(judge(&with(json!([{"field": null, "message": "too much"}]))).unwrap_err().class, Permanent);
    for busy in [
        json!([{"code": "IDEMPOTENCY_CONCURRENT_REQUEST", "message": "m"}]),
        json!([{"field": ["input"], "message": "This request is currently in progress, please try again."}]),
    ] {
        let busy = judge(&with(busy)).unwrap_err();
        assert_eq!((busy.class, busy.retry_after_ms), (Transient, Some(CONCURRENT_WAIT_MS)));
    }
    assert_eq!(judge(&json!({"data": {"refundCreate": null}})).unwrap_err().class, Transient);
}
