//! The request of a call, in the form of Admin API 2026-10, and its idempotency key.

use super::Call;
use crate::content;
use crate::sorted::Sorted;
use serde::Serialize;
use sha2::{Digest, Sha256};

const MUTATION: &str = "mutation InventoryPush($input: InventorySetQuantitiesInput!, $key: String!) { \
    inventorySetQuantities(input: $input) @idempotent(key: $key) { \
    inventoryAdjustmentGroup { id } userErrors { field message code } } }";

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// JSON body of the POST.
    pub body: String,
    /// The idempotency key inside it.
    pub idempotency_key: String,
}

#[derive(Serialize)]
struct Body<'a> {
    query: &'a str,
    variables: Variables<'a>,
}

#[derive(Serialize)]
struct Variables<'a> {
    input: Input<'a>,
    key: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Input<'a> {
    name: &'static str,
    reason: &'static str,
    reference_document_uri: &'a str,
    quantities: &'a [Level<'a>],
}

/// `changeFromQuantity` must be present: a number compares and swaps, an explicit null sets whatever is there.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Level<'a> {
    inventory_item_id: &'a str,
    location_id: &'a str,
    quantity: i32,
    change_from_quantity: Option<i32>,
}

impl Call {
    /// The request. The same intent (items and levels) makes the same key, so that a retry is recognised; another
    /// level makes another key, because Shopify refuses a key with other variables.
    #[must_use]
    pub fn request(&self) -> Request {
        let levels: Vec<Level<'_>> = self
            .quantities
            .iter()
            .map(|quantity| Level {
                inventory_item_id: &quantity.inventory_item_gid,
                location_id: &quantity.location_gid,
                quantity: quantity.available,
                change_from_quantity: quantity.change_from,
            })
            .collect();
        let mut items = Sorted::default();
        for claim in self.claims() {
            items.entry(claim.id, || ());
        }
        let mut intent = Sha256::new();
        intent.update(format!("inventory_push\n{}\n", self.shop_domain));
        for id in items.keys() {
            intent.update(format!("{id}\n"));
        }
        for level in &levels {
            let change_from = level.change_from_quantity.map_or("null".to_owned(), |from| from.to_string());
            intent.update(format!(
                "{}\n{}\n{}\n{change_from}\n",
                level.inventory_item_id, level.location_id, level.quantity
            ));
        }
        let key = content::uuid(intent.finalize().into());
        let uri = format!("ordak://inventory-push/{}/{key}", self.store);
        let input = Input {
            name: "available",
            reason: "correction",
            reference_document_uri: &uri,
            quantities: &levels,
        };
        let body = Body { query: MUTATION, variables: Variables { input, key: &key } };
        // A structure of texts and numbers always serializes.
        let body = serde_json::to_string(&body).unwrap_or_default();
        Request { body, idempotency_key: key }
    }
}
