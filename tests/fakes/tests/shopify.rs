//! The fake Admin API against answers captured from live shops, and against what callers get wrong.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::{Value, json};
use support::{Fakes, ITEM, LOCATION, MUTATION, SHOP, fixture, input, quantity, shape};

fn user_errors(answer: &Value) -> Vec<(String, Vec<String>)> {
    let errors = answer["data"]["inventorySetQuantities"]["userErrors"].as_array().unwrap();
    let field = |error: &Value| {
        error["field"].as_array().unwrap().iter().map(|part| part.as_str().unwrap().to_owned()).collect()
    };
    errors.iter().map(|error| (error["code"].as_str().unwrap().to_owned(), field(error))).collect()
}

fn code(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn sets_a_level_and_answers_like_a_live_shop() {
    let fakes = Fakes::start().await;
    let answer = fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    let mut captured = fixture("shopify_gql_inventorySetQuantities__ok_2026_04.json");
    let group = "/data/inventorySetQuantities/inventoryAdjustmentGroup";
    captured.pointer_mut(group).unwrap().as_object_mut().unwrap().remove("createdAt");
    assert_eq!(shape(&answer), shape(&captured));
    assert_eq!(answer.pointer(group).unwrap()["changes"][0]["delta"], 5);
    assert_eq!(answer["extensions"]["cost"]["requestedQueryCost"], 13);
    assert_eq!(fakes.available(ITEM).await, Some(5));
}

#[tokio::test]
async fn refuses_a_mutation_without_the_idempotent_directive() {
    let fakes = Fakes::start().await;
    let query = "mutation Set($input: InventorySetQuantitiesInput!) {\n\n    inventorySetQuantities(input: $input) { userErrors { message } }\n}";
    let answer = fakes.graphql(query, json!({"input": input(json!([quantity(ITEM, 5, json!(0))]))})).await;
    let mut captured = fixture("shopify_gql_inventorySetQuantities__missing_idempotent_2026_04.json");
    captured["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] = json!(1990);
    assert_eq!(answer, captured);
    assert_eq!(fakes.available(ITEM).await, None);
}

#[tokio::test]
async fn refuses_an_empty_idempotency_key() {
    let fakes = Fakes::start().await;
    assert_eq!(code(&fakes.push("", json!([quantity(ITEM, 5, json!(0))])).await), "BAD_REQUEST");
}

#[tokio::test]
async fn refuses_a_quantity_without_change_from_quantity_but_takes_null() {
    let fakes = Fakes::start().await;
    let bare = json!([{"inventoryItemId": ITEM, "locationId": LOCATION, "quantity": 5}]);
    let answer = fakes.push("k1", bare).await;
    assert_eq!(code(&answer), "INVALID_FIELD_ARGUMENTS");
    assert_eq!(
        answer["errors"][0]["message"],
        "InventoryQuantityInput must include the following argument: changeFromQuantity."
    );
    assert_eq!(answer["data"], json!({"inventorySetQuantities": null}));
    assert_eq!(fakes.effects().await, 0);
    let answer = fakes.push("k1", json!([quantity(ITEM, 5, Value::Null)])).await;
    assert_eq!(user_errors(&answer), []);
    assert_eq!(fakes.available(ITEM).await, Some(5));
}

#[tokio::test]
async fn refuses_fields_of_older_versions_in_the_words_of_a_live_shop() {
    let fakes = Fakes::start().await;
    let captured = fixture("shopify_gql_inventorySetQuantities__legacy_compare_rejected_2026_04.json");
    let legacy = captured["errors"][0]["extensions"]["value"].clone();
    let answer = fakes.graphql(MUTATION, json!({"key": "k1", "input": legacy})).await;
    let without_place = |mut answer: Value| {
        answer["errors"][0].as_object_mut().unwrap().remove("locations");
        answer
    };
    assert_eq!(without_place(answer), without_place(captured));
}

#[tokio::test]
async fn a_stale_compare_changes_nothing_at_all() {
    let fakes = Fakes::start().await;
    fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    let other = "gid://shopify/InventoryItem/1002";
    let answer = fakes.push("k2", json!([quantity(other, 9, json!(0)), quantity(ITEM, 3, json!(4))])).await;
    let field = ["input", "quantities", "1", "changeFromQuantity"].map(String::from).to_vec();
    assert_eq!(user_errors(&answer), [("CHANGE_FROM_QUANTITY_STALE".to_owned(), field)]);
    assert_eq!(answer["data"]["inventorySetQuantities"]["inventoryAdjustmentGroup"], Value::Null);
    assert_eq!(fakes.available(ITEM).await, Some(5));
    assert_eq!(fakes.available(other).await, None);
    assert_eq!(fakes.effects().await, 1);
}

#[tokio::test]
async fn names_both_halves_of_a_duplicate_pair_as_a_live_shop_does() {
    let fakes = Fakes::start().await;
    let answer = fakes.push("k1", json!([quantity(ITEM, 5, json!(0)), quantity(ITEM, 6, json!(0))])).await;
    let captured = fixture("shopify_gql_inventorySetQuantities__userErrors_duplicate_pair.json");
    assert_eq!(answer["data"], captured["data"]);
}

#[tokio::test]
async fn takes_250_quantities_and_refuses_251() {
    let fakes = Fakes::start().await;
    let many = |count: i64| -> Value {
        (0..count).map(|n| quantity(&format!("gid://shopify/InventoryItem/{n}"), 1, json!(0))).collect()
    };
    assert_eq!(user_errors(&fakes.push("k1", many(250)).await), []);
    assert_eq!(code(&fakes.push("k2", many(251)).await), "MAX_INPUT_SIZE_EXCEEDED");
}

#[tokio::test]
async fn names_every_wrong_value_of_an_input() {
    let fakes = Fakes::start().await;
    let wrong = json!({"name": "reserved", "reason": "because", "referenceDocumentUri": "no uri", "quantities": [
        quantity(ITEM, -1, json!(0)),
        {"inventoryItemId": "gid://shopify/Product/1", "locationId": LOCATION, "quantity": 1, "changeFromQuantity": 0},
    ]});
    let answer = fakes.graphql(MUTATION, json!({"key": "k1", "input": wrong})).await;
    let codes: Vec<String> = user_errors(&answer).into_iter().map(|(code, _)| code).collect();
    assert_eq!(
        codes,
        [
            "INVALID_NAME",
            "INVALID_REASON",
            "INVALID_REFERENCE_DOCUMENT",
            "INVALID_QUANTITY_NEGATIVE",
            "INVALID_INVENTORY_ITEM"
        ]
    );
    let answer = fakes.push("k2", json!([{"inventoryItemId": "1001", "locationId": LOCATION, "quantity": "5", "changeFromQuantity": 0}])).await;
    assert_eq!(code(&answer), "INVALID_VARIABLE");
    let message = answer["errors"][0]["message"].as_str().unwrap();
    assert!(message.contains("quantities.0.inventoryItemId (Invalid global id '1001')"), "{message}");
    assert!(message.contains("quantities.0.quantity (Could not coerce value \"5\" to Int)"), "{message}");
}

#[tokio::test]
async fn a_repeated_key_answers_the_first_answer_without_a_second_effect() {
    let fakes = Fakes::start().await;
    let first = fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    fakes.push("k2", json!([quantity(ITEM, 3, json!(5))])).await;
    let again = fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    assert_eq!(again["data"], first["data"]);
    assert_eq!(fakes.available(ITEM).await, Some(3));
    assert_eq!(fakes.effects().await, 2);
}

#[tokio::test]
async fn a_repeated_key_with_other_parameters_is_refused() {
    let fakes = Fakes::start().await;
    fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    let answer = fakes.push("k1", json!([quantity(ITEM, 6, json!(5))])).await;
    assert_eq!(user_errors(&answer).first().unwrap().0, "IDEMPOTENCY_KEY_PARAMETER_MISMATCH");
    assert_eq!(fakes.available(ITEM).await, Some(5));
}

#[tokio::test]
async fn a_shop_can_be_made_to_forget_keys() {
    let fakes = Fakes::start().await;
    fakes.post("/_state", json!({"upstream": "shopify", "shop": SHOP, "forgets_keys": true})).await;
    fakes.push("k1", json!([quantity(ITEM, 5, Value::Null)])).await;
    fakes.push("k1", json!([quantity(ITEM, 5, Value::Null)])).await;
    assert_eq!(fakes.effects().await, 2);
}

#[tokio::test]
async fn a_strict_shop_refuses_what_it_does_not_stock() {
    let fakes = Fakes::start().await;
    let level = json!({"inventory_item_id": ITEM, "location_id": LOCATION, "available": 7});
    fakes
        .post("/_state", json!({"upstream": "shopify", "shop": SHOP, "strict": true, "levels": [level]}))
        .await;
    let other = "gid://shopify/InventoryItem/1002";
    let answer = fakes.push("k1", json!([quantity(other, 1, json!(0))])).await;
    assert_eq!(user_errors(&answer).first().unwrap().0, "ITEM_NOT_STOCKED_AT_LOCATION");
    assert_eq!(user_errors(&fakes.push("k2", json!([quantity(ITEM, 6, json!(7))])).await), []);
}

#[tokio::test]
async fn asks_for_a_token_and_for_the_right_version() {
    let fakes = Fakes::start().await;
    let body = json!({"query": "{ shop { name } }"});
    let bare = fakes.client.post(fakes.endpoint()).json(&body).send().await.unwrap();
    assert_eq!(bare.status(), 401);
    let old = fakes.endpoint().replace("2026-10", "2026-07");
    let request = fakes.client.post(old).header("X-Shopify-Access-Token", "t").json(&body);
    assert_eq!(request.send().await.unwrap().status(), 404);
    fakes.post("/_state", json!({"upstream": "shopify", "shop": SHOP, "tokens": ["right"]})).await;
    let ask =
        |token: &str| fakes.client.post(fakes.endpoint()).header("X-Shopify-Access-Token", token).json(&body);
    assert_eq!(ask("wrong").send().await.unwrap().status(), 401);
    assert_eq!(ask("right").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn refuses_documents_that_the_schema_does_not_allow() {
    let fakes = Fakes::start().await;
    for (query, code) in [
        ("mutation { inventorySetQuantities", "PARSE_ERROR"),
        ("{ shop { nmae } }", "undefinedField"),
        ("{ shop }", "selectionMismatch"),
        ("{ shop { name { x } } }", "selectionMismatch"),
        ("{ inventoryItem { id } }", "missingRequiredArguments"),
        ("{ inventoryItem(id: \"gid://shopify/InventoryItem/1\", sku: 1) { id } }", "argumentNotAccepted"),
        ("query Q($x: ID!) { shop { name } }", "INVALID_VARIABLE"),
        ("{ inventoryItem(id: $x) { id } }", "variableNotDefined"),
        ("{ shop { name @unique } }", "undefinedDirective"),
        ("{ ...Loop } fragment Loop on QueryRoot { ...Loop }", "BAD_REQUEST"),
        ("query A { shop { name } } query B { shop { name } }", "BAD_REQUEST"),
    ] {
        let answer = fakes.graphql(query, json!({})).await;
        let codes: Vec<&str> = answer["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["extensions"]["code"].as_str().unwrap())
            .collect();
        assert!(
            codes.contains(&code) || (code == "INVALID_VARIABLE" && codes.contains(&"variableNotUsed")),
            "{query}: {codes:?}"
        );
    }
}

#[tokio::test]
async fn reads_levels_back_by_item_by_nodes_and_by_sku() {
    let fakes = Fakes::start().await;
    fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await;
    let variants = json!([{"sku": "CAKE-1", "inventory_item_id": ITEM}, {"sku": "CAKE-2", "inventory_item_id": "gid://shopify/InventoryItem/2"}]);
    fakes.post("/_state", json!({"upstream": "shopify", "shop": SHOP, "variants": variants})).await;
    let query = "query($id: ID!, $location: ID!) {
        inventoryItem(id: $id) { inventoryLevel(locationId: $location) { ...L } inventoryLevels(first: 1) { nodes { ...L } pageInfo { hasNextPage endCursor } } }
        nodes(ids: [$id, \"gid://shopify/InventoryItem/404\"]) { ... on InventoryItem { id __typename } }
        found: productVariants(first: 5, query: \"sku:'CAKE-1'\") { nodes { sku inventoryItem { id } } }
        all: productVariants(first: 1) { edges { cursor node { sku } } pageInfo { hasNextPage } }
      } fragment L on InventoryLevel { location { id } quantities(names: [\"available\"]) { name quantity } }";
    let answer = fakes.graphql(query, json!({"id": ITEM, "location": LOCATION})).await;
    let level = json!({"location": {"id": LOCATION}, "quantities": [{"name": "available", "quantity": 5}]});
    assert_eq!(
        answer["data"],
        json!({
            "inventoryItem": {
                "inventoryLevel": level,
                "inventoryLevels": {"nodes": [level], "pageInfo": {"hasNextPage": false, "endCursor": "1"}}
            },
            "nodes": [{"id": ITEM, "__typename": "InventoryItem"}, null],
            "found": {"nodes": [{"sku": "CAKE-1", "inventoryItem": {"id": ITEM}}]},
            "all": {"edges": [{"cursor": "1", "node": {"sku": "CAKE-1"}}], "pageInfo": {"hasNextPage": true}}
        })
    );
}

#[tokio::test]
async fn throttles_like_a_live_shop_when_told_to() {
    let fakes = Fakes::start().await;
    let throttle = json!({"maximum": 20, "restore_rate": 1});
    fakes.post("/_state", json!({"upstream": "shopify", "shop": SHOP, "throttle": throttle})).await;
    assert_eq!(user_errors(&fakes.push("k1", json!([quantity(ITEM, 5, json!(0))])).await), []);
    let answer = fakes.push("k2", json!([quantity(ITEM, 6, json!(5))])).await;
    assert_eq!(shape(&answer), shape(&fixture("shopify_gql_error__throttled.json")));
    assert_eq!(fakes.available(ITEM).await, Some(5));
}

#[tokio::test]
async fn refuses_a_document_that_costs_more_than_any_bucket_holds() {
    let fakes = Fakes::start().await;
    let query = "{ inventoryItems(first: 250) { nodes { inventoryLevels(first: 10) { nodes { location { id } } } } } }";
    let answer = fakes.graphql(query, json!({})).await;
    assert_eq!(shape(&answer), shape(&fixture("shopify_gql_error__max_cost_exceeded.json")));
}

#[tokio::test]
async fn a_search_finds_what_begins_alike_and_says_what_it_did_not_understand() {
    let fakes = Fakes::start().await;
    let skus = ["CAKE-1", "cake-1", "CAKE-1 XL", "CAKE-10", "it's", "CAKE-2"];
    let variant = |(n, sku): (usize, &&str)| json!({"sku": sku, "inventory_item_id": format!("gid://shopify/InventoryItem/{n}")});
    let variants: Vec<Value> = skus.iter().enumerate().map(variant).collect();
    fakes.post("/_state", json!({"upstream": "shopify", "shop": SHOP, "variants": variants})).await;
    let query = "query($query: String!) { productVariants(first: 10, query: $query) { nodes { sku } } }";
    let found = async |search: &str| {
        let answer = fakes.graphql(query, json!({"query": search})).await;
        let nodes = answer["data"]["productVariants"]["nodes"].as_array().unwrap().clone();
        let skus: Vec<String> = nodes.iter().map(|node| node["sku"].as_str().unwrap().to_owned()).collect();
        (skus, answer["extensions"]["search"].clone())
    };
    let (skus, warnings) = found(r"sku:'CAKE-1' OR sku:'it\'s'").await;
    assert_eq!(
        (skus, warnings),
        (["CAKE-1", "cake-1", "CAKE-1 XL", "it's"].map(String::from).to_vec(), Value::Null)
    );
    let (skus, warnings) = found("sku:'CAKE-2' tracked:false").await;
    assert_eq!(skus, ["CAKE-2"]);
    assert_eq!(warnings[0]["warnings"][0]["field"], "tracked");
}

#[tokio::test]
async fn locations_tell_their_levels_page_by_page() {
    let fakes = Fakes::start().await;
    let level = |n: u32, place: u32| json!({"inventory_item_id": format!("gid://shopify/InventoryItem/{n}"), "location_id": format!("gid://shopify/Location/{place}"), "available": n});
    let closed = json!({"id": "gid://shopify/Location/9", "name": "Old", "is_active": false});
    let state = json!({
        "upstream": "shopify", "shop": SHOP, "locations": [closed], "levels": [level(1, 1), level(2, 1), level(3, 1), level(4, 2)],
        "variants": [{"sku": "A", "inventory_item_id": "gid://shopify/InventoryItem/1", "tracked": false}]
    });
    fakes.post("/_state", state).await;
    let answer = fakes.graphql("{ locations(first: 5) { nodes { id name isActive } } }", json!({})).await;
    let places: Vec<(&Value, &Value)> = answer["data"]["locations"]["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| (&place["id"], &place["isActive"]))
        .collect();
    let ids = ["gid://shopify/Location/1", "gid://shopify/Location/2", "gid://shopify/Location/9"]
        .map(|id| json!(id));
    assert_eq!(places, [(&ids[0], &json!(true)), (&ids[1], &json!(true)), (&ids[2], &json!(false))]);

    let query = "query($after: String) { location(id: \"gid://shopify/Location/1\") { inventoryLevels(first: 2, after: $after) {
        nodes { item { id sku tracked } quantities(names: [\"available\"]) { quantity } } pageInfo { hasNextPage endCursor } } } }";
    let page = async |after: Value| {
        let answer = fakes.graphql(query, json!({ "after": after })).await;
        answer["data"]["location"]["inventoryLevels"].clone()
    };
    let first = page(Value::Null).await;
    assert_eq!(
        first["nodes"][0],
        json!({"item": {"id": "gid://shopify/InventoryItem/1", "sku": "A", "tracked": false}, "quantities": [{"quantity": 1}]})
    );
    assert_eq!(first["pageInfo"]["hasNextPage"], true);
    let second = page(first["pageInfo"]["endCursor"].clone()).await;
    assert_eq!(
        (second["nodes"].as_array().unwrap().len(), &second["pageInfo"]["hasNextPage"]),
        (1, &json!(false))
    );
    let forgotten = fakes.graphql(query, json!({"after": "forgotten"})).await;
    assert!(forgotten["errors"][0]["message"].as_str().unwrap().contains("Invalid cursor"));
    let none = fakes.graphql("{ location(id: \"gid://shopify/Location/404\") { id } }", json!({})).await;
    assert_eq!(none["data"], json!({"location": null}));
}
