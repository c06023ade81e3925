use super::*;
use serde_json::json;

fn read(body: &Value) -> Result<Job, String> {
    Job::read(body.to_string().as_bytes()).map_err(|rejection| rejection.message)
}

fn data() -> Value {
    json!({
        "productCategory": "tins", "productVariantBase": "tin-round", "quantity": 12,
        "styleDetails": {"variant": "gold", "ribbon": true}, "buyerId": "00000000-0000-4000-8000-000000000006"
    })
}

fn with(field: &str, value: Value) -> Result<Job, String> {
    let mut data = data();
    data[field] = value;
    read(&json!({"jobType": "process-order", "data": data}))
}

#[test]
fn an_order_becomes_the_arguments_of_the_rpc() {
    let Ok(Job::ProcessOrder(arguments)) = read(&json!({"jobType": "process-order", "data": data()})) else {
        panic!("refused");
    };
    assert_eq!(
        Value::Object(arguments),
        json!({
            "p_product_category": "tins", "p_product_variant_base": "tin-round", "p_quantity": 12,
            "p_style_details": {"variant": "gold", "ribbon": true}, "p_buyer_id": "00000000-0000-4000-8000-000000000006"
        })
    );
}

#[test]
fn orchestrate_needs_nothing_else() {
    assert_eq!(read(&json!({"jobType": "orchestrate"})), Ok(Job::Orchestrate));
    assert_eq!(read(&json!({"jobType": "orchestrate", "data": null})), Ok(Job::Orchestrate));
}

#[test]
fn any_other_job_is_refused() {
    for body in [
        json!({}),
        json!({"jobType": null}),
        json!({"jobType": "Orchestrate"}),
        json!({"jobType": ["orchestrate"]}),
        json!({"jobtype": "orchestrate"}),
    ] {
        assert_eq!(read(&body).unwrap_err(), "jobType must be orchestrate or process-order");
    }
    for body in ["", "[]", "7", "null", "{", "\"orchestrate\"", "\u{feff}{}"] {
        assert!(Job::read(body.as_bytes()).is_err(), "{body:?}");
    }
    assert_eq!(read(&json!({"jobType": "process-order"})).unwrap_err(), "data must be an object");
    assert_eq!(read(&json!({"jobType": "process-order", "data": []})).unwrap_err(), "data must be an object");
}

#[test]
fn everything_that_is_missing_is_named_at_once() {
    assert_eq!(
        read(&json!({"jobType": "process-order", "data": {"quantity": 0, "color": 1}})).unwrap_err(),
        "data: productCategory is missing; productVariantBase is missing; quantity must be a whole number above 0; \
         styleDetails is missing; buyerId is missing; \"color\" is not a field"
    );
}

#[test]
fn a_wrong_field_is_named() {
    let long = "x".repeat(201);
    for (field, value) in [
        ("productCategory", json!(7)),
        ("productCategory", json!(" ")),
        ("productVariantBase", json!(long)),
        ("quantity", json!(0)),
        ("quantity", json!(-1)),
        ("quantity", json!(1.5)),
        ("quantity", json!("12")),
        ("quantity", json!(2_147_483_648_u64)),
        ("quantity", json!(1e30)),
        ("quantity", json!(true)),
        ("styleDetails", json!("gold")),
        ("styleDetails", json!({})),
        ("styleDetails", json!({"variant": 7})),
        ("styleDetails", json!({"variant": ""})),
        ("styleDetails", json!({"variant": "gold", "text": "x".repeat(16_000)})),
        ("buyerId", json!("somebody")),
        ("buyerId", json!(6)),
        ("store", json!("")),
        ("orderGid", json!("gid://shopify/Customer/1")),
        ("orderGid", json!("gid://shopify/Order/")),
        ("orderGid", json!("gid://shopify/Order/1234567890123456789")),
    ] {
        let message = with(field, value.clone()).unwrap_err();
        assert!(message.starts_with(&format!("data: {field} must be")), "{field} {value}: {message}");
    }
}

#[test]
fn a_store_and_an_order_of_shopify_may_be_named() {
    let Ok(Job::ProcessOrder(arguments)) = with("orderGid", json!("gid://shopify/Order/1")) else {
        panic!("refused");
    };
    assert_eq!(arguments["p_order_gid"], "gid://shopify/Order/1");
    assert!(matches!(with("store", json!("bannos")), Ok(Job::ProcessOrder(_))));
    assert!(matches!(with("store", Value::Null), Ok(Job::ProcessOrder(_))));
}

#[test]
fn numbers_pass_as_they_were_written() {
    let results = r#"[{"batchId":"b","action":"cancelled","fillPercentage":45.0,"ordersCancelled":12}]"#;
    let data = format!(r#"{{"processed":3,"results":{results}}}"#);
    let answer: Orchestrated = serde_json::from_str(&data).unwrap();
    assert!(answer.has_results());
    assert_eq!(
        serde_json::to_string(&answer).unwrap(),
        format!(r#"{{"success":true,"processed":3,"results":{results}}}"#)
    );
    let none: Orchestrated = serde_json::from_str(r#"{"processed":0,"results":[]}"#).unwrap();
    assert!(!none.has_results());
    let data = r#"{"orderId":"o","batchId":"b","isNewBatch":true,"pricing":{"unitPrice":12.50},"batchFillPercentage":7.0}"#;
    let answer: Processed = serde_json::from_str(data).unwrap();
    assert_eq!(
        serde_json::to_string(&answer).unwrap(),
        data.replace("{\"orderId", "{\"success\":true,\"orderId")
    );
}

#[test]
fn an_error_is_a_sentence_and_a_time() {
    let at = "2024-01-15T10:30:00.000Z";
    assert_eq!(error("CONFLICT", "no supplier", at), json!({"error": "no supplier", "timestamp": at}));
    assert_eq!(error("MISCONFIGURED", "A is missing", at)["error"], "MISCONFIGURED: A is missing");
}
