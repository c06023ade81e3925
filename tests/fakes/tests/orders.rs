//! Orders and webhook subscriptions of a fake shop.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "helpers of tests may fail the test")]

mod support;

use serde_json::{Value, json};
use support::{Fakes, SHOP, fixture, shape};

fn order(id: u64, updated_at: &str) -> Value {
    let mut order = fixture("shopify_orders_create__aud_simple_delivery.json");
    order["id"] = json!(id);
    order["updated_at"] = json!(updated_at);
    order
}

async fn shop_of(orders: &[Value]) -> Fakes {
    let fakes = Fakes::start().await;
    let answer = fakes.post("/_shop", json!({"shop": SHOP, "orders": orders})).await;
    assert_eq!(answer["ok"], true, "{answer}");
    fakes
}

const LIST: &str = "query($first: Int!, $after: String, $query: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { id updatedAt } pageInfo { hasNextPage endCursor } } }";

async fn ids(fakes: &Fakes, variables: Value) -> (Vec<String>, Value) {
    let answer = fakes.graphql(LIST, variables).await;
    let page = &answer["data"]["orders"];
    let id = |node: &Value| node["id"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    (page["nodes"].as_array().unwrap().iter().map(id).collect(), page["pageInfo"].clone())
}

#[tokio::test]
async fn lists_by_time_of_change_in_utc() {
    let fakes = shop_of(&[
        order(3, "2026-11-20T12:00:00+11:00"),
        order(1, "2026-11-20T03:00:00Z"),
        order(2, "2026-11-20T02:00:00Z"),
    ])
    .await;
    let (all, info) = ids(&fakes, json!({"first": 10})).await;
    assert_eq!((all, &info["hasNextPage"]), (["3", "2", "1"].map(String::from).to_vec(), &json!(false)));
    let query = "updated_at:>='2026-11-20T01:00:00Z' AND updated_at:<'2026-11-20T03:00:00Z'";
    assert_eq!(ids(&fakes, json!({"first": 10, "query": query})).await.0, ["3", "2"]);
    assert!(
        ids(&fakes, json!({"first": 10, "query": "updated_at:>'2026-11-20T03:00:00Z'"})).await.0.is_empty()
    );
}

#[tokio::test]
async fn a_page_goes_on_where_the_last_one_ended_whatever_has_moved_meanwhile() {
    let fakes = shop_of(&[
        order(1, "2026-11-20T01:00:00Z"),
        order(2, "2026-11-20T02:00:00Z"),
        order(3, "2026-11-20T02:00:00Z"),
        order(4, "2026-11-20T04:00:00Z"),
    ])
    .await;
    let (first, info) = ids(&fakes, json!({"first": 2})).await;
    assert_eq!((first, &info["hasNextPage"]), (["1", "2"].map(String::from).to_vec(), &json!(true)));
    let moved = json!({"shop": SHOP, "orders": [order(1, "2026-11-20T09:00:00Z")], "without": [4]});
    fakes.post("/_shop", moved).await;
    assert_eq!(ids(&fakes, json!({"first": 9, "after": info["endCursor"]})).await.0, ["3", "1"]);
    let answer = fakes.graphql(LIST, json!({"first": 2, "after": "7"})).await;
    assert_eq!(answer["errors"][0]["message"], "Invalid cursor for current pagination sort.");
}

#[tokio::test]
async fn a_term_that_is_not_understood_is_left_out_with_a_warning() {
    let fakes = shop_of(&[order(1, "2026-11-20T01:00:00Z")]).await;
    let answer =
        fakes.graphql(LIST, json!({"first": 2, "query": "changed_at:>'2026-11-20T03:00:00Z'"})).await;
    assert_eq!(answer["data"]["orders"]["nodes"].as_array().unwrap().len(), 1);
    let captured = fixture("shopify_gql_inventoryItems__by_sku_search_warnings.json");
    let warning = |answer: &Value| shape(&answer["extensions"]["search"][0]["warnings"]);
    assert_eq!(warning(&answer), warning(&captured));
}

#[tokio::test]
async fn tells_a_webhook_in_the_words_of_the_api() {
    let mut rest = order(7, "2026-11-20T12:00:00+11:00");
    rest["cancel_reason"] = json!("fraud");
    rest["tags"] = json!("a, b c");
    rest["note_attributes"] = json!([{"name": "Delivery Method", "value": "Pickup"}]);
    let fakes = shop_of(&[rest]).await;
    let query = "query($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Order { name number updatedAt cancelReason tags
        displayFinancialStatus customAttributes { key value } shippingAddress { name countryCodeV2 }
        totalPriceSet { shopMoney { amount currencyCode } } lineItems(first: 5) { nodes { sku currentQuantity isGiftCard } } } } }";
    let ids = json!({"ids": ["gid://shopify/Order/7", "gid://shopify/Order/8"]});
    let answer = fakes.graphql(query, ids).await;
    assert_eq!(
        answer["data"]["nodes"],
        json!([{
            "__typename": "Order", "name": "#BHQ1956", "number": 1956, "updatedAt": "2026-11-20T01:00:00Z",
            "cancelReason": "FRAUD", "tags": ["a", "b c"], "displayFinancialStatus": "PAID",
            "customAttributes": [{"key": "Delivery Method", "value": "Pickup"}],
            "shippingAddress": {"name": "Jamie Rivera", "countryCodeV2": "AU"},
            "totalPriceSet": {"shopMoney": {"amount": "36.8", "currencyCode": "AUD"}},
            "lineItems": {"nodes": [{"sku": "MSH002B", "currentQuantity": 1, "isGiftCard": false}]}
        }, null])
    );
    let dear = answer["extensions"]["cost"]["requestedQueryCost"].as_u64().unwrap();
    assert!(dear >= 6, "two orders with a set and an address cost {dear}");
}

#[tokio::test]
async fn a_discount_is_what_it_is() {
    let mut rest = fixture("shopify_orders_create__hkd_draft_percentage_across_all.json");
    rest["id"] = json!(9);
    let fakes = shop_of(&[rest]).await;
    let query = "{ nodes(ids: [\"gid://shopify/Order/9\"]) { ... on Order { discountCodes discountApplications(first: 5) { nodes {
        __typename index targetType value { ... on MoneyV2 { amount } ... on PricingPercentageValue { percentage } }
        ... on ManualDiscountApplication { title } ... on DiscountCodeApplication { code } } } } } }";
    let answer = fakes.graphql(query, json!({})).await;
    let order = &answer["data"]["nodes"][0];
    assert_eq!(order["discountCodes"], json!(["0124D"]));
    assert_eq!(
        order["discountApplications"]["nodes"],
        json!([
            {"__typename": "ManualDiscountApplication", "index": 0, "targetType": "LINE_ITEM", "value": {"percentage": 15.0}, "title": "0124D"},
            {"__typename": "AutomaticDiscountApplication", "index": 1, "targetType": "LINE_ITEM", "value": {"amount": "5.0"}}
        ])
    );
}

#[tokio::test]
async fn subscribes_once_to_what_can_be_subscribed_to() {
    let fakes = Fakes::start().await;
    let subscribe = async |topic: &str, uri: &str| {
        let query = "mutation($topic: WebhookSubscriptionTopic!, $in: WebhookSubscriptionInput!) {
            webhookSubscriptionCreate(topic: $topic, webhookSubscription: $in) { webhookSubscription { id } userErrors { message } } }";
        fakes.graphql(query, json!({"topic": topic, "in": {"uri": uri, "format": "JSON"}})).await
    };
    let made = subscribe("ORDERS_PAID", "https://a.example/x").await;
    assert_eq!(
        made["data"]["webhookSubscriptionCreate"],
        json!({"webhookSubscription": {"id": "gid://shopify/WebhookSubscription/1"}, "userErrors": []})
    );
    assert_eq!(made["extensions"]["cost"]["requestedQueryCost"], 11);
    for (uri, message) in [
        ("https://a.example/x", "Address for this topic has already been taken"),
        ("http://a.example/x", "Address protocol http:// is not supported"),
        ("", "Address can't be blank"),
    ] {
        let refused = subscribe("ORDERS_PAID", uri).await;
        let payload = &refused["data"]["webhookSubscriptionCreate"];
        assert_eq!(payload, &json!({"webhookSubscription": null, "userErrors": [{"message": message}]}));
    }
    let unknown = subscribe("CUSTOMERS_REDACT", "https://a.example/x").await;
    assert_eq!(unknown["errors"][0]["extensions"]["code"], "INVALID_VARIABLE");
    let listed =
        fakes.graphql("{ webhookSubscriptions(first: 250) { nodes { topic uri format } } }", json!({})).await;
    assert_eq!(
        listed["data"]["webhookSubscriptions"]["nodes"],
        json!([{"topic": "ORDERS_PAID", "uri": "https://a.example/x", "format": "JSON"}])
    );
    let effects = fakes.get("/_effects?upstream=shopify").await;
    assert_eq!(
        effects["effects"][0]["detail"],
        json!({"topic": "ORDERS_PAID", "uri": "https://a.example/x"})
    );

    fakes.post("/_shop", json!({"shop": SHOP, "subscriptions": []})).await;
    assert_eq!(fakes.get(&format!("/_shop?shop={SHOP}")).await["subscriptions"], json!([]));
}

#[tokio::test]
async fn says_what_it_cannot_put_into_a_shop() {
    let fakes = Fakes::start().await;
    for body in
        [json!({"shop": SHOP, "orders": [{"name": "#1"}]}), json!({"shop": SHOP, "order": {}}), json!({})]
    {
        let response = fakes.client.post(format!("{}/_shop", fakes.url)).json(&body).send().await.unwrap();
        assert_eq!(response.status(), 400, "{body}");
    }
}
