//! The types of orders and webhook subscriptions in the schema.

use super::schema::{Field, Of, object, scalar};

const fn list(name: &'static str, of: &'static str) -> Field {
    Field { name, of: Of::List(of), args: &[] }
}

const fn connection(name: &'static str, of: &'static str) -> Field {
    Field { name, of: Of::Connection(of), args: PAGE }
}

const PAGE: &[(&str, &str)] =
    &[("first", "Int"), ("last", "Int"), ("after", "String"), ("before", "String"), ("reverse", "Boolean")];

/// Arguments of a list of orders.
pub const ORDERS_ARGS: &[(&str, &str)] = &[
    ("first", "Int"),
    ("last", "Int"),
    ("after", "String"),
    ("before", "String"),
    ("reverse", "Boolean"),
    ("query", "String"),
    ("sortKey", "OrderSortKeys"),
];

/// Arguments of a list of subscriptions.
pub const SUBSCRIPTIONS_ARGS: &[(&str, &str)] = &[
    ("first", "Int"),
    ("last", "Int"),
    ("after", "String"),
    ("before", "String"),
    ("reverse", "Boolean"),
    ("query", "String"),
    ("uri", "String"),
    ("topics", "[WebhookSubscriptionTopic!]"),
];

const ORDER: &[Field] = &[
    scalar("id"),
    scalar("legacyResourceId"),
    scalar("name"),
    scalar("number"),
    scalar("createdAt"),
    scalar("updatedAt"),
    scalar("processedAt"),
    scalar("closedAt"),
    scalar("cancelledAt"),
    scalar("cancelReason"),
    scalar("displayFinancialStatus"),
    scalar("displayFulfillmentStatus"),
    scalar("currencyCode"),
    scalar("presentmentCurrencyCode"),
    scalar("note"),
    scalar("tags"),
    scalar("test"),
    scalar("sourceName"),
    scalar("discountCodes"),
    list("customAttributes", "Attribute"),
    object("customer", "Customer"),
    object("shippingAddress", "MailingAddress"),
    object("billingAddress", "MailingAddress"),
    object("currentTotalPriceSet", "MoneyBag"),
    object("totalPriceSet", "MoneyBag"),
    object("totalDiscountsSet", "MoneyBag"),
    connection("discountApplications", "DiscountApplicationConnection"),
    connection("lineItems", "LineItemConnection"),
    Field { name: "transactions", of: Of::List("OrderTransaction"), args: &[("first", "Int")] },
    Field { name: "refunds", of: Of::List("Refund"), args: &[("first", "Int")] },
];
const LINE: &[Field] = &[
    scalar("id"),
    scalar("sku"),
    scalar("title"),
    scalar("name"),
    scalar("variantTitle"),
    scalar("vendor"),
    scalar("quantity"),
    scalar("currentQuantity"),
    scalar("isGiftCard"),
    scalar("requiresShipping"),
    scalar("taxable"),
    list("customAttributes", "Attribute"),
    object("originalUnitPriceSet", "MoneyBag"),
    list("discountAllocations", "DiscountAllocation"),
];
const ADDRESS: &[Field] = &[
    scalar("id"),
    scalar("name"),
    scalar("firstName"),
    scalar("lastName"),
    scalar("provinceCode"),
    scalar("countryCodeV2"),
];

/// What every kind of discount has.
const DISCOUNT: &[Field] = &[
    scalar("index"),
    scalar("allocationMethod"),
    scalar("targetSelection"),
    scalar("targetType"),
    object("value", "PricingValue"),
];

macro_rules! discount {
    ($($own:literal),*) => {
        &[
            scalar("index"), scalar("allocationMethod"), scalar("targetSelection"), scalar("targetType"),
            object("value", "PricingValue"), $(scalar($own)),*
        ]
    };
}

macro_rules! page_of {
    ($node:literal, $edge:literal) => {
        &[list("nodes", $node), list("edges", $edge), object("pageInfo", "PageInfo")]
    };
}

/// The fields of an object type; none for a type that is not here.
pub fn fields(type_name: &str) -> &'static [Field] {
    match type_name {
        "Order" => ORDER,
        "LineItem" => LINE,
        "Customer" => const { &[scalar("id"), scalar("firstName"), scalar("lastName")] },
        "MailingAddress" => ADDRESS,
        "Attribute" => const { &[scalar("key"), scalar("value")] },
        "MoneyBag" => const { &[object("shopMoney", "MoneyV2"), object("presentmentMoney", "MoneyV2")] },
        "MoneyV2" => const { &[scalar("amount"), scalar("currencyCode")] },
        "PricingPercentageValue" => const { &[scalar("percentage")] },
        "DiscountApplication" => DISCOUNT,
        "DiscountCodeApplication" => const { discount!("code") },
        "AutomaticDiscountApplication" | "ScriptDiscountApplication" => const { discount!("title") },
        "ManualDiscountApplication" => const { discount!("title", "description") },
        "DiscountAllocation" => {
            const {
                &[
                    object("allocatedAmountSet", "MoneyBag"),
                    object("discountApplication", "DiscountApplication"),
                ]
            }
        }
        "WebhookSubscription" => const { &[scalar("id"), scalar("topic"), scalar("uri"), scalar("format")] },
        "WebhookSubscriptionCreatePayload" => {
            const { &[object("webhookSubscription", "WebhookSubscription"), list("userErrors", "UserError")] }
        }
        "UserError" => const { &[scalar("field"), scalar("message")] },
        "OrderConnection" => const { page_of!("Order", "OrderEdge") },
        "LineItemConnection" => const { page_of!("LineItem", "LineItemEdge") },
        "DiscountApplicationConnection" => {
            const { page_of!("DiscountApplication", "DiscountApplicationEdge") }
        }
        "WebhookSubscriptionConnection" => {
            const { page_of!("WebhookSubscription", "WebhookSubscriptionEdge") }
        }
        "OrderEdge" => const { &[scalar("cursor"), object("node", "Order")] },
        "LineItemEdge" => const { &[scalar("cursor"), object("node", "LineItem")] },
        "DiscountApplicationEdge" => const { &[scalar("cursor"), object("node", "DiscountApplication")] },
        "WebhookSubscriptionEdge" => const { &[scalar("cursor"), object("node", "WebhookSubscription")] },
        _ => &[],
    }
}
