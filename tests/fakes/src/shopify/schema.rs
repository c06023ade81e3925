//! The part of the Admin schema, version 2026-10, that the fake answers for. A field, argument or input field
//! that is not here is refused, as the real API refuses what it does not know.

use super::refunds;
use super::schema_orders;
use super::subscriptions::TOPICS;

/// What a field gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// A leaf.
    Scalar,
    /// One object of a type, or null.
    Object(&'static str),
    /// A list of objects of a type.
    List(&'static str),
    /// A page of objects; the name is that of the connection type.
    Connection(&'static str),
}

/// A field of an object type.
#[derive(Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it gives.
    pub of: Of,
    /// Its arguments, with their types.
    pub args: &'static [(&'static str, &'static str)],
}

pub(super) const fn scalar(name: &'static str) -> Field {
    Field { name, of: Of::Scalar, args: &[] }
}

pub(super) const fn object(name: &'static str, of: &'static str) -> Field {
    Field { name, of: Of::Object(of), args: &[] }
}

const PAGE: &[(&str, &str)] =
    &[("first", "Int"), ("last", "Int"), ("after", "String"), ("before", "String"), ("query", "String")];
const ID: &[(&str, &str)] = &[("id", "ID!")];

const MUTATION: &[Field] = &[
    REFUND,
    Field {
        name: "inventorySetQuantities",
        of: Of::Object("InventorySetQuantitiesPayload"),
        args: &[("input", "InventorySetQuantitiesInput!")],
    },
    Field {
        name: "webhookSubscriptionCreate",
        of: Of::Object("WebhookSubscriptionCreatePayload"),
        args: &[("topic", "WebhookSubscriptionTopic!"), ("webhookSubscription", "WebhookSubscriptionInput!")],
    },
];
const REFUND: Field =
    Field { name: "refundCreate", of: Of::Object("RefundCreatePayload"), args: &[("input", "RefundInput!")] };
const QUERY: &[Field] = &[
    Field { name: "inventoryItem", of: Of::Object("InventoryItem"), args: ID },
    Field { name: "location", of: Of::Object("Location"), args: &[("id", "ID")] },
    Field { name: "locations", of: Of::Connection("LocationConnection"), args: PAGE },
    Field { name: "node", of: Of::Object("Node"), args: ID },
    Field { name: "nodes", of: Of::List("Node"), args: &[("ids", "[ID!]!")] },
    Field { name: "inventoryItems", of: Of::Connection("InventoryItemConnection"), args: PAGE },
    Field { name: "productVariants", of: Of::Connection("ProductVariantConnection"), args: PAGE },
    Field { name: "orders", of: Of::Connection("OrderConnection"), args: schema_orders::ORDERS_ARGS },
    Field {
        name: "webhookSubscriptions",
        of: Of::Connection("WebhookSubscriptionConnection"),
        args: schema_orders::SUBSCRIPTIONS_ARGS,
    },
    object("shop", "Shop"),
];
const PAYLOAD: &[Field] = &[
    object("inventoryAdjustmentGroup", "InventoryAdjustmentGroup"),
    Field { name: "userErrors", of: Of::List("InventorySetQuantitiesUserError"), args: &[] },
];
const USER_ERROR: &[Field] = &[scalar("field"), scalar("message"), scalar("code")];
const GROUP: &[Field] = &[
    scalar("id"),
    scalar("createdAt"),
    scalar("reason"),
    scalar("referenceDocumentUri"),
    Field { name: "changes", of: Of::List("InventoryChange"), args: &[] },
];
const CHANGE: &[Field] = &[
    scalar("name"),
    scalar("delta"),
    scalar("quantityAfterChange"),
    scalar("ledgerDocumentUri"),
    object("item", "InventoryItem"),
    object("location", "Location"),
];
const ITEM: &[Field] = &[
    scalar("id"),
    scalar("sku"),
    scalar("tracked"),
    object("variant", "ProductVariant"),
    Field { name: "inventoryLevel", of: Of::Object("InventoryLevel"), args: &[("locationId", "ID!")] },
    Field { name: "inventoryLevels", of: Of::Connection("InventoryLevelConnection"), args: PAGE },
];
const LEVEL: &[Field] = &[
    scalar("id"),
    object("item", "InventoryItem"),
    object("location", "Location"),
    Field { name: "quantities", of: Of::List("InventoryQuantity"), args: &[("names", "[String!]!")] },
];
const QUANTITY: &[Field] = &[scalar("id"), scalar("name"), scalar("quantity"), scalar("updatedAt")];
const LOCATION: &[Field] = &[
    scalar("id"),
    scalar("name"),
    scalar("isActive"),
    Field { name: "inventoryLevels", of: Of::Connection("InventoryLevelConnection"), args: PAGE },
];
const VARIANT: &[Field] =
    &[scalar("id"), scalar("sku"), scalar("title"), object("inventoryItem", "InventoryItem")];
const SHOP: &[Field] = &[scalar("id"), scalar("name"), scalar("myshopifyDomain")];
const PAGE_INFO: &[Field] =
    &[scalar("hasNextPage"), scalar("hasPreviousPage"), scalar("startCursor"), scalar("endCursor")];

macro_rules! connection {
    ($node:literal, $edge:literal) => {
        &[
            Field { name: "nodes", of: Of::List($node), args: &[] },
            Field { name: "edges", of: Of::List($edge), args: &[] },
            object("pageInfo", "PageInfo"),
        ]
    };
}
const ITEMS: &[Field] = connection!("InventoryItem", "InventoryItemEdge");
const LEVELS: &[Field] = connection!("InventoryLevel", "InventoryLevelEdge");
const VARIANTS: &[Field] = connection!("ProductVariant", "ProductVariantEdge");
const LOCATIONS: &[Field] = connection!("Location", "LocationEdge");
const LOCATION_EDGE: &[Field] = &[scalar("cursor"), object("node", "Location")];
const ITEM_EDGE: &[Field] = &[scalar("cursor"), object("node", "InventoryItem")];
const LEVEL_EDGE: &[Field] = &[scalar("cursor"), object("node", "InventoryLevel")];
const VARIANT_EDGE: &[Field] = &[scalar("cursor"), object("node", "ProductVariant")];

/// The fields of an object type; none for a type that is not here.
pub fn fields(type_name: &str) -> &'static [Field] {
    match type_name {
        "Mutation" => MUTATION,
        "QueryRoot" => QUERY,
        "InventorySetQuantitiesPayload" => PAYLOAD,
        "InventorySetQuantitiesUserError" => USER_ERROR,
        "InventoryAdjustmentGroup" => GROUP,
        "InventoryChange" => CHANGE,
        "InventoryItem" => ITEM,
        "InventoryLevel" => LEVEL,
        "InventoryQuantity" => QUANTITY,
        "Location" => LOCATION,
        "ProductVariant" => VARIANT,
        "Shop" => SHOP,
        "PageInfo" => PAGE_INFO,
        "InventoryItemConnection" => ITEMS,
        "InventoryLevelConnection" => LEVELS,
        "ProductVariantConnection" => VARIANTS,
        "LocationConnection" => LOCATIONS,
        "LocationEdge" => LOCATION_EDGE,
        "InventoryItemEdge" => ITEM_EDGE,
        "InventoryLevelEdge" => LEVEL_EDGE,
        "ProductVariantEdge" => VARIANT_EDGE,
        "Node" => const { &[scalar("id")] },
        "OrderTransaction"
        | "Refund"
        | "RefundCreatePayload"
        | "RefundLineItem"
        | "RefundLineItemConnection" => refunds::fields(type_name),
        other => schema_orders::fields(other),
    }
}

/// The types that an abstract one may turn out to be; none for a type that is what it is.
pub fn possible(type_name: &str) -> &'static [&'static str] {
    match type_name {
        "Node" => &["InventoryItem", "Order", "Refund"],
        "PricingValue" => &["MoneyV2", "PricingPercentageValue"],
        "DiscountApplication" => &[
            "AutomaticDiscountApplication",
            "DiscountCodeApplication",
            "ManualDiscountApplication",
            "ScriptDiscountApplication",
        ],
        _ => &[],
    }
}

/// The values of an enum; `None` for a type that is none.
pub fn values(type_name: &str) -> Option<&'static [&'static str]> {
    match type_name {
        "OrderTransactionKind" => Some(&["AUTHORIZATION", "CAPTURE", "REFUND", "SALE", "VOID"]),
        "CurrencyCode" => Some(&["AUD", "EUR", "JPY", "USD"]),
        "OrderSortKeys" => Some(&["CREATED_AT", "PROCESSED_AT", "UPDATED_AT"]),
        "WebhookSubscriptionTopic" => Some(TOPICS),
        "WebhookSubscriptionFormat" => Some(&["JSON", "XML"]),
        _ => None,
    }
}

/// A field of an object type.
pub fn field(type_name: &str, name: &str) -> Option<&'static Field> {
    const TYPENAME: Field = scalar("__typename");
    if name == "__typename" {
        return Some(&TYPENAME);
    }
    fields(type_name).iter().find(|field| field.name == name)
}

/// The fields of an input type with their types; `None` for a scalar.
pub fn input(type_name: &str) -> Option<&'static [(&'static str, &'static str)]> {
    match type_name {
        "InventorySetQuantitiesInput" => Some(&[
            ("reason", "String!"),
            ("name", "String!"),
            ("referenceDocumentUri", "String"),
            ("quantities", "[InventoryQuantityInput!]!"),
        ]),
        "InventoryQuantityInput" => Some(&[
            ("inventoryItemId", "ID!"),
            ("locationId", "ID!"),
            ("quantity", "Int!"),
            ("changeFromQuantity", "Int"),
        ]),
        "WebhookSubscriptionInput" => {
            Some(&[("uri", "String"), ("format", "WebhookSubscriptionFormat"), ("filter", "String")])
        }
        other => refunds::input(other),
    }
}
