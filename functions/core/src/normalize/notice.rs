//! Deliveries about the shop as a whole: requests of Shopify to show or forget people, and the end of an installation.
//!
//! Topics are not signed, bodies are. A body is taken for what its topic says only when it has the members that
//! Shopify gives to that topic and to no other: whoever has seen a signed order, or a request about one customer, must
//! not be able to have a shop forgotten by sending it again under another topic.

use super::{Compliance, NormalizeError, Notice, order};
use crate::field::Field;
use crate::topic::Topic;

/// More orders than one customer has.
const MOST_ORDERS: usize = 20_000;

/// Reads the body of such a topic; `None` for any other topic, and for a body that says nothing.
///
/// # Errors
/// When a compliance request is not what it must be: somebody has to look at it.
pub(super) fn read(topic: &Topic, root: Field<'_>) -> Result<Option<Notice>, NormalizeError> {
    match topic {
        Topic::AppUninstalled => Ok(uninstalled(root)),
        Topic::InventoryLevelsUpdate => Ok(stock(root)),
        Topic::CustomersDataRequest | Topic::CustomersRedact | Topic::ShopRedact => compliance(topic, root)
            .map(|read| Some(Notice::Compliance(read)))
            .ok_or(NormalizeError::NotAsPromised),
        _ => Ok(None),
    }
}

/// The body is the shop.
fn uninstalled(root: Field<'_>) -> Option<Notice> {
    let [domain, owner, plan, name] = root.pick(["myshopify_domain", "shop_owner", "plan_name", "name"]);
    let is_shop = name.is_some() && (owner.is_some() || plan.is_some());
    is_shop.then(|| Notice::Uninstalled { shop_domain: domain.and_then(domain_of) })
}

/// The body is a level. Its value may be old or missing by now; its ids in numbers may have been rounded on the way,
/// the one in text is whole.
fn stock(root: Field<'_>) -> Option<Notice> {
    let [level, item, location] = root.pick(["admin_graphql_api_id", "inventory_item_id", "location_id"]);
    let level = level.and_then(Field::text).unwrap_or_default();
    let number = |text: &str| -> Option<String> {
        (!text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit()))
            .then(|| text.to_owned())
    };
    let (place, of) = level.split_once("?inventory_item_id=").unwrap_or_default();
    let item = number(of).or_else(|| item.and_then(Field::id))?;
    let place = place.strip_prefix("gid://shopify/InventoryLevel/").and_then(number);
    let location = location.and_then(Field::id).or(place);
    Some(Notice::Stock {
        item_gid: format!("gid://shopify/InventoryItem/{item}"),
        location_gid: location.map(|location| format!("gid://shopify/Location/{location}")),
    })
}

fn compliance(topic: &Topic, root: Field<'_>) -> Option<Compliance> {
    let [domain, customer, requested, to_redact, request] =
        root.pick(["shop_domain", "customer", "orders_requested", "orders_to_redact", "data_request"]);
    let orders = match topic {
        Topic::CustomersDataRequest if to_redact.is_none() && (requested.is_some() || request.is_some()) => {
            requested
        }
        Topic::CustomersRedact if requested.is_none() && request.is_none() => Some(to_redact?),
        Topic::ShopRedact
            if customer.is_none() && requested.is_none() && to_redact.is_none() && request.is_none() =>
        {
            None
        }
        _ => return None,
    };
    let customer_id = customer.and_then(|customer| customer.get("id")).and_then(Field::id);
    // Without any of these there is nobody to show or forget.
    if *topic != Topic::ShopRedact && customer_id.is_none() && orders.is_none() {
        return None;
    }
    let contacts = customer.map(|customer| customer.pick(["email", "phone"])).unwrap_or_default();
    Some(Compliance {
        shop_domain: domain_of(domain?)?,
        customer_id,
        order_ids: ids(orders),
        request_id: request.and_then(|request| request.get("id")).and_then(Field::id),
        contacts: contacts
            .into_iter()
            .flatten()
            .filter_map(Field::text)
            .filter(|text| !text.is_empty())
            .collect(),
    })
}

fn domain_of(field: Field<'_>) -> Option<String> {
    let domain = field.text()?.trim().to_ascii_lowercase();
    (!domain.is_empty()).then_some(domain)
}

/// Ids of orders, numeric or global.
fn ids(list: Option<Field<'_>>) -> Vec<String> {
    let mut ids = Vec::new();
    let Some(list) = list else { return ids };
    list.elements(&mut |id| {
        ids.extend(id.id().or_else(|| order::id_of_gid(id, order::ORDER)));
        ids.len() < MOST_ORDERS
    });
    ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    const CUSTOMER: &str = r#""shop_id":1,"shop_domain":"Cakes.MyShopify.com","customer":{"id":191167,"email":"a@b.example","phone":"555-1"}"#;

    fn request(topic: &Topic, body: &str) -> Option<Compliance> {
        match read(topic, Field::document(body)) {
            Ok(Some(Notice::Compliance(read))) => Some(read),
            Err(NormalizeError::NotAsPromised) => None,
            other => panic!("{body}: {other:?}"),
        }
    }

    #[test]
    fn requests_are_read() {
        let body = format!(r#"{{{CUSTOMER},"orders_requested":[1,"2",{{}}],"data_request":{{"id":9999}}}}"#);
        let read = request(&Topic::CustomersDataRequest, &body).unwrap();
        assert_eq!(read.shop_domain, "cakes.myshopify.com");
        assert_eq!((read.customer_id.as_deref(), read.request_id.as_deref()), (Some("191167"), Some("9999")));
        assert_eq!(read.order_ids, ["1", "2"]);
        assert_eq!(read.contacts, ["a@b.example", "555-1"]);

        let body = format!(r#"{{{CUSTOMER},"orders_to_redact":["gid://shopify/Order/3"]}}"#);
        assert_eq!(request(&Topic::CustomersRedact, &body).unwrap().order_ids, ["3"]);
        let empty = format!(r#"{{{CUSTOMER},"orders_to_redact":[]}}"#);
        assert!(request(&Topic::CustomersRedact, &empty).unwrap().order_ids.is_empty());
        let shop = r#"{"shop_id":1,"shop_domain":"cakes.myshopify.com"}"#;
        assert_eq!(request(&Topic::ShopRedact, shop).unwrap().customer_id, None);
    }

    #[test]
    fn a_body_serves_its_own_topic_alone() {
        let data = format!(r#"{{{CUSTOMER},"orders_requested":[1],"data_request":{{"id":9999}}}}"#);
        let redact = format!(r#"{{{CUSTOMER},"orders_to_redact":[1]}}"#);
        let shop = r#"{"shop_id":1,"shop_domain":"cakes.myshopify.com"}"#.to_owned();
        let order = r#"{"id":1,"currency":"AUD","line_items":[],"customer":{"id":5}}"#.to_owned();
        let topics = [Topic::CustomersDataRequest, Topic::CustomersRedact, Topic::ShopRedact];
        for (own, body) in [(0, data), (1, redact), (2, shop), (9, order), (9, "{}".into())] {
            for (at, topic) in topics.iter().enumerate() {
                assert_eq!(request(topic, &body).is_some(), at == own, "{topic} {body}");
            }
        }
    }

    #[test]
    fn a_request_about_nobody_is_refused() {
        for body in [
            r#"{"shop_domain":"a.b","customer":{},"data_request":{"id":1}}"#,
            r#"{"shop_domain":"","customer":{"id":1},"orders_to_redact":[]}"#,
            r#"{"customer":{"id":1},"orders_to_redact":[]}"#,
        ] {
            assert!(request(&Topic::CustomersDataRequest, body).is_none(), "{body}");
            assert!(request(&Topic::CustomersRedact, body).is_none(), "{body}");
        }
    }

    #[test]
    fn a_level_names_its_item_and_place() {
        let read = |body: &str| read(&Topic::InventoryLevelsUpdate, Field::document(body)).unwrap();
        let stock = |item: &str, location: Option<&str>| {
            Some(Notice::Stock {
                item_gid: format!("gid://shopify/InventoryItem/{item}"),
                location_gid: location.map(|location| format!("gid://shopify/Location/{location}")),
            })
        };
        let captured = fixtures::read("shopify_inventory_levels_update__available_null");
        let captured = std::str::from_utf8(&captured).unwrap();
        assert_eq!(read(captured), stock("271878346596884015", Some("24826418")));
        assert_eq!(read(r#"{"inventory_item_id":7,"location_id":"8","available":3}"#), stock("7", Some("8")));
        assert_eq!(read(r#"{"inventory_item_id":7}"#), stock("7", None));
        assert_eq!(
            read(r#"{"admin_graphql_api_id":"gid://shopify/InventoryLevel/8?inventory_item_id=7"}"#),
            stock("7", Some("8"))
        );
        for body in ["{}", r#"{"inventory_item_id":null}"#, r#"{"inventory_item_id":"x","location_id":1}"#] {
            assert_eq!(read(body), None, "{body}");
        }
    }

    #[test]
    fn an_uninstallation_brings_the_shop() {
        let read = |body: &str| read(&Topic::AppUninstalled, Field::document(body)).unwrap();
        let shop = r#"{"id":1,"name":"Cakes","shop_owner":"A","myshopify_domain":"Cakes.myshopify.com"}"#;
        assert_eq!(read(shop), Some(Notice::Uninstalled { shop_domain: Some("cakes.myshopify.com".into()) }));
        let nameless = r#"{"id":1,"name":"Cakes","plan_name":"basic","myshopify_domain":null}"#;
        assert_eq!(read(nameless), Some(Notice::Uninstalled { shop_domain: None }));
        assert_eq!(read(r##"{"id":1,"name":"#1001","currency":"AUD","line_items":[]}"##), None);
    }
}
