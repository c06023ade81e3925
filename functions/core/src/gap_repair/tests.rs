//! Tests: what is asked, what is read, and what an order becomes on its way into the form of a webhook.

use super::*;
use crate::admin_api::Kind;
use crate::fixtures;
use crate::normalize::{NormalizeSettings, Normalized, NormalizedOrder, normalize};
use serde_json::{Value, json};

const UPDATED_AT: &str = "2026-11-20T01:02:03Z";

fn money(amount: &str) -> Value {
    json!({
        "shopMoney": {"amount": amount, "currencyCode": "AUD"},
        "presentmentMoney": {"amount": amount, "currencyCode": "AUD"}
    })
}

fn line(number: u64, sku: &str, quantity: u32, current: u32) -> Value {
    json!({
        "id": format!("gid://shopify/LineItem/{number}"), "sku": sku, "title": "Gelato Cake",
        "name": "Gelato Cake - Large / Mango", "variantTitle": "Large / Mango", "vendor": "Bannos",
        "quantity": quantity, "currentQuantity": current, "isGiftCard": false, "requiresShipping": true,
        "taxable": true, "customAttributes": [{"key": "Candles", "value": "7"}],
        "originalUnitPriceSet": money("44.5"), "discountAllocations": []
    })
}

fn lines(nodes: Value, next: Option<&str>) -> Value {
    json!({"nodes": nodes, "pageInfo": {"hasNextPage": next.is_some(), "endCursor": next}})
}

fn order() -> Value {
    json!({
        "id": "gid://shopify/Order/820982911946154508", "name": "#B1001", "number": 1001,
        "createdAt": "2026-11-20T00:00:00Z", "updatedAt": UPDATED_AT,
        "processedAt": "2026-11-20T00:00:00Z", "closedAt": null, "cancelledAt": null, "cancelReason": null,
        "displayFinancialStatus": "PARTIALLY_PAID", "displayFulfillmentStatus": "UNFULFILLED",
        "currencyCode": "AUD", "presentmentCurrencyCode": "AUD", "note": "Happy Birthday", "tags": ["vip", "DEL:2026-12-01"],
        "test": false, "sourceName": "web", "discountCodes": [],
        "customAttributes": [
            {"key": "Delivery Method", "value": "Store Pickup"}, {"key": "Delivery Instructions", "value": "Ring twice"}
        ],
        "customer": {"id": "gid://shopify/Customer/42", "firstName": "Jamie", "lastName": "Rivera"},
        "shippingAddress": {
            "name": "Ada Lovelace", "firstName": "Ada", "lastName": "Lovelace", "provinceCode": "NSW", "countryCodeV2": "AU"
        },
        "billingAddress": null,
        "currentTotalPriceSet": money("89.0"), "totalPriceSet": money("133.5"), "totalDiscountsSet": money("0.0"),
        "discountApplications": {"nodes": []},
        "lineItems": lines(json!([line(1, "CAKE-VAN-M", 3, 2)]), None)
    })
}

fn fetched(node: Value) -> Fetched {
    read_fetched(&json!({"data": {"nodes": [node]}})).unwrap().remove(0)
}

fn rest(node: Value) -> Value {
    serde_json::from_str(&fetched(node).into_delivery(Topic::OrdersCreate).body).unwrap()
}

fn normalized(delivery: &Delivery) -> NormalizedOrder {
    match normalize(&delivery.topic, delivery.body.as_bytes(), &NormalizeSettings::default()) {
        Ok(Normalized::Order(order)) => *order,
        other => panic!("{other:?}"),
    }
}

fn with(changes: Value) -> Value {
    let mut order = order();
    let object = order.as_object_mut().unwrap();
    object.extend(changes.as_object().unwrap().clone());
    order
}

#[test]
fn a_fetched_order_is_what_its_webhook_would_have_been() {
    let delivery = fetched(order()).into_delivery(Topic::OrdersCreate);
    assert_eq!(delivery.webhook_id, "gap/gid://shopify/Order/820982911946154508/2026-11-20T01:02:03Z");
    assert_eq!(delivery.content_hash, crate::content::sha256_hex(delivery.body.as_bytes()));
    assert_eq!(
        serde_json::to_value(normalized(&delivery)).unwrap(),
        json!({
            "gid": "gid://shopify/Order/820982911946154508", "shopify_id": "820982911946154508", "snapshot": true,
            "order_number": "1001", "updated_at": "2026-11-20T01:02:03Z", "topic_rank": 0,
            "customer_name": "Ada Lovelace", "product_title": "Gelato Cake", "flavour": "Mango", "size": "Large",
            "notes": "Happy Birthday • Ring twice", "due_date": "2026-12-01", "delivery_method": "pickup",
            "currency": "AUD", "total_amount": "89.0", "payment_status": "partially_paid", "cancelled_at": null,
            "cancel_reason": null, "customer_id": "42", "missing_fields": [], "refunds": [],
            "lines": [{
                "line_id": "1", "position": 0, "sku": "CAKE-VAN-M", "title": "Gelato Cake",
                "variant_title": "Large / Mango", "quantity": 2, "consumed": 0, "price": "44.5", "gift_card": false,
                "properties": {"Candles": "7"}
            }]
        })
    );
}

#[test]
fn ids_stay_exact() {
    let rest = rest(order());
    assert_eq!(rest["id"], json!(820_982_911_946_154_508_u64));
    assert_eq!((&rest["line_items"][0]["id"], &rest["customer"]["id"]), (&json!(1), &json!(42)));
}

#[test]
fn the_same_state_is_the_same_delivery() {
    let again = || fetched(order()).into_delivery(Topic::OrdersUpdated);
    assert_eq!(again(), again());
    let later =
        fetched(with(json!({"updatedAt": "2026-11-20T01:02:04Z"}))).into_delivery(Topic::OrdersUpdated);
    assert_ne!((&later.webhook_id, &later.content_hash), (&again().webhook_id, &again().content_hash));
}

#[test]
fn states_are_spelled_as_webhooks_spell_them() {
    let cancelled = rest(with(json!({
        "cancelledAt": "2026-11-20T01:00:00Z", "cancelReason": "FRAUD", "displayFinancialStatus": "VOIDED"
    })));
    assert_eq!(
        (&cancelled["cancelled_at"], &cancelled["cancel_reason"], &cancelled["financial_status"]),
        (&json!("2026-11-20T01:00:00Z"), &json!("fraud"), &json!("voided"))
    );
    for (graphql, rest_word) in [
        ("FULFILLED", json!("fulfilled")),
        ("PARTIALLY_FULFILLED", json!("partial")),
        ("RESTOCKED", json!("restocked")),
        ("UNFULFILLED", Value::Null),
        ("ON_HOLD", Value::Null),
    ] {
        assert_eq!(
            rest(with(json!({ "displayFulfillmentStatus": graphql })))["fulfillment_status"],
            rest_word
        );
    }
    assert_eq!(rest(with(json!({"displayFinancialStatus": null})))["financial_status"], Value::Null);
}

#[test]
fn an_order_without_people_money_or_tags_is_an_order() {
    let bare = with(json!({
        "customer": null, "shippingAddress": null, "billingAddress": null, "customAttributes": [], "tags": [],
        "note": null, "currentTotalPriceSet": null, "totalPriceSet": null, "totalDiscountsSet": null,
        "lineItems": lines(json!([]), None)
    }));
    let order = normalized(&fetched(bare).into_delivery(Topic::OrdersCreate));
    assert_eq!((order.customer_name, order.total_amount, order.lines.len()), (None, None, 0));
    assert_eq!(order.missing_fields, ["customer", "product", "due_date", "flavour"]);
}

#[test]
fn the_buyers_money_and_the_shops_are_kept_apart() {
    let set = json!({
        "shopMoney": {"amount": "60.33", "currencyCode": "AUD"},
        "presentmentMoney": {"amount": "45.85", "currencyCode": "USD"}
    });
    let mut foreign = with(json!({
        "presentmentCurrencyCode": "USD", "currentTotalPriceSet": set, "totalPriceSet": set
    }));
    foreign["lineItems"]["nodes"][0]["originalUnitPriceSet"] = set;
    let order = normalized(&fetched(foreign.clone()).into_delivery(Topic::OrdersCreate));
    assert_eq!((order.currency.as_deref(), order.total_amount.as_deref()), (Some("USD"), Some("45.85")));
    assert_eq!(order.lines[0].price.as_deref(), Some("45.85"));
    assert_eq!(rest(foreign)["total_price"], "60.33");
}

#[test]
fn attributes_keep_the_shape_of_the_captured_ones() {
    let draft: Value =
        serde_json::from_slice(&fixtures::read("shopify_gql_draftOrder__countryCodeV2_applied_discounts"))
            .unwrap();
    let draft = &draft["data"]["draftOrder"];
    let rest = rest(with(json!({
        "customAttributes": draft["customAttributes"], "tags": draft["tags"], "shippingAddress": draft["shippingAddress"],
        "totalPriceSet": draft["totalPriceSet"], "currentTotalPriceSet": draft["totalPriceSet"]
    })));
    assert_eq!(
        rest["note_attributes"],
        json!([{"name": "source", "value": "phone-order"}, {"name": "purchase-order", "value": "PO-117"}])
    );
    assert_eq!(rest["tags"], "detail, draft-order-family, parity-capture");
    assert_eq!(rest["shipping_address"]["country_code"], "CA");
    assert_eq!(rest["shipping_address"]["first_name"], "Jamie");
    assert_eq!((&rest["total_price"], &rest["currency"]), (&json!("988.2"), &json!("AUD")));
    assert_eq!(rest["total_price_set"]["presentment_money"], Value::Null);
}

#[test]
fn captured_discounts_keep_their_kind_and_value() {
    let orders: Value =
        serde_json::from_slice(&fixtures::read("shopify_gql_orders__discountApplications")).unwrap();
    let mut seen = Vec::new();
    for edge in orders["data"]["orders"]["edges"].as_array().unwrap() {
        let captured = &edge["node"];
        let nodes: Value = captured["discountApplications"]["edges"]
            .as_array()
            .unwrap()
            .iter()
            .map(|edge| edge["node"].clone())
            .collect();
        let rest = rest(with(json!({
            "discountCodes": captured["discountCodes"], "discountApplications": {"nodes": nodes}
        })));
        for code in rest["discount_codes"].as_array().unwrap() {
            seen.push((code["code"].as_str().unwrap().to_owned(), code["type"].clone()));
        }
        for (application, node) in
            rest["discount_applications"].as_array().unwrap().iter().zip(nodes.as_array().unwrap())
        {
            let of_percentage = node["value"].get("percentage").is_some();
            assert_eq!(application["value_type"] == "percentage", of_percentage, "{application}");
            assert_eq!(application["target_type"], "line_item");
            assert!(application["value"].as_str().unwrap().ends_with(".0"), "{application}");
        }
    }
    let kinds: Vec<(&str, &str)> =
        seen.iter().map(|(code, kind)| (code.as_str(), kind.as_str().unwrap())).collect();
    assert_eq!(
        kinds,
        [
            ("WX1SKW3MRNFR", "percentage"),
            ("abc", "fixed_amount"),
            ("def", "fixed_amount"),
            ("EK9ZVEA94VNK", "percentage"),
            ("asd", "fixed_amount"),
            ("YQ4EKMGE6A9V", "percentage"),
        ]
    );
}

#[test]
fn a_code_took_off_what_its_shares_add_up_to() {
    let share = |index: u32, amount: &str| json!({"allocatedAmountSet": money(amount), "discountApplication": {"index": index}});
    let (mut first, mut second) = (line(1, "A", 1, 1), line(2, "B", 1, 1));
    first["discountAllocations"] = json!([share(0, "14.1"), share(1, "5.0")]);
    second["discountAllocations"] = json!([share(0, "15.0")]);
    let application = |kind: &str, index: u32, name: &str, target: &str| {
        json!({
            "__typename": kind, "index": index, "allocationMethod": "ACROSS", "targetSelection": "ALL",
            "targetType": target, "value": {"__typename": "PricingPercentageValue", "percentage": 15.0}, name: "0124D"
        })
    };
    let rest = rest(with(json!({
        "discountCodes": ["0124d", "FREE"],
        "discountApplications": {"nodes": [
            application("DiscountCodeApplication", 0, "code", "LINE_ITEM"),
            application("AutomaticDiscountApplication", 1, "title", "LINE_ITEM"),
        ]},
        "lineItems": lines(json!([first, second]), None)
    })));
    assert_eq!(
        rest["discount_codes"],
        json!([{"code": "0124d", "amount": "29.10", "type": "percentage"}, {"code": "FREE", "amount": null, "type": null}])
    );
    assert_eq!(
        rest["discount_applications"][0],
        json!({
            "type": "discount_code", "value": "15.0", "value_type": "percentage", "allocation_method": "across",
            "target_selection": "all", "target_type": "line_item", "code": "0124D"
        })
    );
    assert_eq!(
        rest["line_items"][0]["discount_allocations"][1],
        json!({
            "amount": "5.0", "discount_application_index": 1,
            "amount_set": {
                "shop_money": {"amount": "5.0", "currency_code": "AUD"},
                "presentment_money": {"amount": "5.0", "currency_code": "AUD"}
            }
        })
    );
    let shipping = with(json!({
        "discountCodes": ["0124D"],
        "discountApplications": {"nodes": [application("DiscountCodeApplication", 0, "code", "SHIPPING_LINE")]}
    }));
    let codes = self::rest(shipping)["discount_codes"].clone();
    assert_eq!(codes, json!([{"code": "0124D", "amount": null, "type": "shipping"}]));
}

#[test]
fn a_long_order_comes_page_by_page() {
    let mut order = fetched(with(json!({"lineItems": lines(json!([line(1, "A", 1, 1)]), Some("c1"))})));
    let asked: Value = serde_json::from_str(&order.missing_piece().unwrap()).unwrap();
    assert_eq!(asked["variables"], json!({"ids": [order.gid()], "after": "c1"}));
    let page = |updated_at: &str, number: u64, next: Option<&str>| {
        let node = json!({
            "id": "gid://shopify/Order/820982911946154508", "updatedAt": updated_at,
            "lineItems": lines(json!([line(number, "B", 1, 1)]), next)
        });
        json!({"data": {"nodes": [node]}})
    };
    assert_eq!(order.clone().add_piece(&page("2026-11-20T01:02:09Z", 2, None)), Ok(false));
    assert!(order.clone().add_piece(&json!({"data": {"nodes": [null]}})).is_err());
    assert_eq!(order.add_piece(&page(UPDATED_AT, 2, Some("c2"))), Ok(true));
    assert!(order.missing_piece().unwrap().contains("c2"));
    assert_eq!(order.add_piece(&page(UPDATED_AT, 3, None)), Ok(true));
    assert_eq!(order.missing_piece(), None);
    let ids: Vec<String> = normalized(&order.into_delivery(Topic::OrdersUpdated))
        .lines
        .into_iter()
        .map(|line| line.line_id)
        .collect();
    assert_eq!(ids, ["1", "2", "3"]);
}

#[test]
fn what_refunds_took_back_is_asked_for_one_by_one() {
    let refund = |n: u32| json!({"id": format!("gid://shopify/Refund/{n}"), "createdAt": "2026-11-20T01:00:00Z", "processedAt": null});
    let mut order = fetched(with(json!({
        "lineItems": lines(json!([line(1, "A", 9, 4)]), None), "refunds": [refund(7), refund(8)]
    })));
    let answer = |updated_at: &str, quantity: u32, restock: &str, next: Option<&str>| {
        let took = json!({"quantity": quantity, "restockType": restock, "lineItem": {"id": "gid://shopify/LineItem/1"}});
        json!({"data": {"node": {"order": {"updatedAt": updated_at}, "refundLineItems": lines(json!([took]), next)}}})
    };
    assert!(order.missing_piece().unwrap().contains("Refund/7"));
    assert_eq!(order.clone().add_piece(&answer("2026-11-20T01:02:09Z", 1, "RETURN", None)), Ok(false));
    assert_eq!(order.add_piece(&answer(UPDATED_AT, 1, "RETURN", Some("c1"))), Ok(true));
    assert!(order.missing_piece().unwrap().contains("c1"));
    assert_eq!(order.add_piece(&answer(UPDATED_AT, 3, "NO_RESTOCK", None)), Ok(true));
    assert!(order.missing_piece().unwrap().contains("Refund/8"));
    assert_eq!(order.add_piece(&answer(UPDATED_AT, 1, "CANCEL", None)), Ok(true));
    assert_eq!(order.missing_piece(), None);
    let order = normalized(&order.into_delivery(Topic::OrdersUpdated));
    assert_eq!(order.refunds, Some(vec!["7".to_owned(), "8".to_owned()]));
    assert_eq!((order.lines[0].quantity, order.lines[0].consumed), (4, 3));
}

#[test]
fn pieces_without_end_come_to_one() {
    let mut order = fetched(with(json!({"lineItems": lines(json!([]), Some("c"))})));
    let node = json!({"updatedAt": UPDATED_AT, "lineItems": lines(json!([]), Some("c"))});
    let mut pieces = 0;
    while order.missing_piece().is_some() {
        assert_eq!(order.add_piece(&json!({"data": {"nodes": [node]}})), Ok(true));
        pieces += 1;
        assert!(pieces < 1000);
    }
}

#[test]
fn an_order_that_is_gone_is_left_out_and_half_an_order_is_none() {
    let body = json!({"data": {"nodes": [null, {}, order()]}});
    assert_eq!(read_fetched(&body).unwrap().len(), 1);
    for node in [with(json!({"updatedAt": null})), with(json!({"lineItems": null}))] {
        assert_eq!(read_fetched(&json!({"data": {"nodes": [node]}})).unwrap_err().kind, Kind::Passing);
    }
    assert!(read_fetched(&json!({"data": null})).is_err());
}
