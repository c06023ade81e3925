//! The real orders of the fixtures, from which stories begin.

use serde_json::Value;

/// One order fixture.
#[derive(Clone, Debug)]
pub struct Base {
    /// Its file name without the ending.
    pub name: &'static str,
    /// The topic under which it was captured.
    pub topic: &'static str,
    /// The order.
    pub order: Value,
}

macro_rules! fixture {
    ($topic:literal, $name:literal) => {
        ($topic, $name, include_str!(concat!("../../fixtures/shopify/", $name, ".json")))
    };
}

const FIXTURES: [(&str, &str, &str); 11] = [
    fixture!("orders/cancelled", "shopify_orders_cancelled__hkd_draft_refunded"),
    fixture!("orders/create", "shopify_orders_create__aud_cake_gelato_minimal"),
    fixture!("orders/create", "shopify_orders_create__aud_multi_line_split_gateways"),
    fixture!("orders/create", "shopify_orders_create__aud_shop_usd_presentment"),
    fixture!("orders/create", "shopify_orders_create__aud_simple_delivery"),
    fixture!("orders/create", "shopify_orders_create__hkd_draft_auto_fixed_entitled"),
    fixture!("orders/create", "shopify_orders_create__hkd_draft_percentage_across_all"),
    fixture!("orders/create", "shopify_orders_create__inr_cod_partial_payment"),
    fixture!("orders/create", "shopify_orders_create__test_notification_ids_over_2p53"),
    fixture!("orders/fulfilled", "shopify_orders_fulfilled__inr_gift_card"),
    fixture!("orders/paid", "shopify_orders_paid__usd_tracking_note_attributes"),
];

/// Every fixture that is a whole order.
pub fn bases() -> serde_json::Result<Vec<Base>> {
    FIXTURES
        .into_iter()
        .map(|(topic, name, body)| Ok(Base { name, topic, order: serde_json::from_str(body)? }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_order_fixture_is_here() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/shopify");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("shopify_orders_") && !name.contains("orders_edited"))
            .map(|name| name.trim_end_matches(".json").to_owned())
            .collect();
        on_disk.sort();
        let here: Vec<_> = bases().unwrap().iter().map(|base| base.name).collect();
        assert_eq!(here, on_disk);
    }
}
