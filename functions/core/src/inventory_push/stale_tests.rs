//! Tests: a level that was compared with one that Shopify no longer has.

use super::tests::{call, item, ok, stock};
use crate::work::WorkResult;
use serde_json::{Value, json};

/// Shopify's refusal of a call, with these codes for these quantities.
fn refusal(errors: &[(usize, &str)]) -> Vec<u8> {
    let error = |(index, code): &(usize, &str)| {
        let field = ["input", "quantities", &index.to_string(), "changeFromQuantity"].map(str::to_owned);
        json!({"field": field, "message": "m", "code": code})
    };
    let errors: Vec<Value> = errors.iter().map(error).collect();
    json!({"data": {"inventorySetQuantities": {"userErrors": errors}}}).to_string().into_bytes()
}

#[test]
fn a_comparison_that_fails_is_forgotten_and_the_rest_goes_on() {
    const STALE: &str = "CHANGE_FROM_QUANTITY_STALE";
    let known = |n: i64, from: Value| {
        let mut context = stock(n, 5);
        context["change_from"] = from;
        context
    };
    let call = call(&[
        item(1, "bannos", known(1001, json!(8))),
        item(2, "bannos", known(1002, json!(8))),
        item(3, "bannos", known(1003, json!(null))),
        item(4, "bannos", known(1001, json!(8))),
    ]);
    let verdict = ok(&call, &refusal(&[(0, STALE)]));
    assert_eq!(verdict.results.iter().map(|result| result.id).collect::<Vec<_>>(), [1, 4]);
    assert!(verdict.results.iter().all(WorkResult::is_stale));
    assert_eq!(verdict.again.unwrap().claims().map(|claim| claim.id).collect::<Vec<_>>(), [2, 3]);
    for (errors, stale) in [
        // What compared with nothing cannot be stale: such an answer is a failure like any other.
        ([(2, STALE), (2, STALE)], false),
        ([(0, STALE), (0, "INVALID_LOCATION")], false),
        ([(0, "INVALID_LOCATION"), (0, STALE)], false),
        ([(0, STALE), (0, STALE)], true),
    ] {
        let verdict = ok(&call, &refusal(&errors));
        assert!(verdict.results.iter().all(|result| result.is_stale() == stale && !result.is_done()));
    }
}
