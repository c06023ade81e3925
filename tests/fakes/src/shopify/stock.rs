//! Inventory items, their levels and locations, and how variants are searched by SKU.

use super::orders;
use super::shops::{Level, Shop};
use serde_json::{Value, json};

/// An order, a refund or an inventory item; null when the shop knows no such thing.
pub fn node(shop: &Shop, id: &str) -> Value {
    let refund = || orders::refund_of(shop.orders.values(), id);
    shop.orders.get(id).cloned().or_else(refund).unwrap_or_else(|| item(shop, id))
}

/// An inventory item with all its levels; null when the shop does not know it.
pub fn item(shop: &Shop, id: &str) -> Value {
    let levels: Vec<Value> = shop
        .levels
        .iter()
        .filter(|((item, _), _)| item == id)
        .map(|((item, location), level)| level_value(shop, item, location, level))
        .collect();
    let variant = shop.variants.iter().find(|variant| variant.inventory_item_id == id);
    if levels.is_empty() && variant.is_none() {
        return Value::Null;
    }
    with_levels(bare_item(shop, id), levels)
}

fn with_levels(mut of: Value, levels: Vec<Value>) -> Value {
    if let Value::Object(members) = &mut of {
        members.insert("inventoryLevels".into(), levels.into());
    }
    of
}

fn bare_item(shop: &Shop, id: &str) -> Value {
    let variant = shop.variants.iter().find(|variant| variant.inventory_item_id == id);
    json!({
        "__typename": "InventoryItem", "id": id, "sku": variant.map(|variant| variant.sku.clone()),
        "tracked": variant.is_none_or(|variant| variant.tracked)
    })
}

fn level_value(shop: &Shop, item: &str, place: &str, level: &Level) -> Value {
    let number = |gid: &str| gid.rsplit('/').next().unwrap_or_default().to_owned();
    json!({
        "id": format!("gid://shopify/InventoryLevel/{}?inventory_item_id={}", number(place), number(item)),
        "item": bare_item(shop, item),
        "location": bare_location(shop, place),
        "quantities": [
            {"name": "available", "quantity": level.available},
            {"name": "on_hand", "quantity": level.on_hand}
        ]
    })
}

fn bare_location(shop: &Shop, id: &str) -> Value {
    match shop.locations.iter().find(|location| location.id == id) {
        Some(known) => json!({"id": id, "name": known.name, "isActive": known.is_active}),
        None => json!({"id": id, "name": "Shop location", "isActive": true}),
    }
}

/// The locations that were set, and those where there is stock.
pub fn locations(shop: &Shop) -> Value {
    let mut ids: Vec<&str> = shop.locations.iter().map(|location| location.id.as_str()).collect();
    ids.extend(shop.levels.keys().map(|(_, location)| location.as_str()));
    ids.sort_unstable();
    ids.dedup();
    ids.into_iter().map(|id| bare_location(shop, id)).collect()
}

/// A location with all its levels; the first one without an id, null when the shop does not know it.
pub fn location(shop: &Shop, id: Option<&str>) -> Value {
    let all = locations(shop);
    let named = |place: &&Value| id.is_none_or(|id| place.get("id").is_some_and(|known| known == id));
    let Some(found) = all.as_array().and_then(|all| all.iter().find(named)).cloned() else {
        return Value::Null;
    };
    let here = |location: &str| found.get("id").is_some_and(|known| known == location);
    let levels = shop.levels.iter().filter(|((_, location), _)| here(location));
    let levels: Vec<Value> =
        levels.map(|((item, location), level)| level_value(shop, item, location, level)).collect();
    with_levels(found, levels)
}

/// Variants with their items that a search finds, all of them without one; and what it did not understand. As the real
/// one it ignores case, finds what begins with the same word, and drops fields that it does not know.
pub fn search(shop: &Shop, query: &str, path: &str) -> (Vec<(Value, Value)>, Vec<Value>) {
    let (mut skus, mut unknown) = (Vec::new(), Vec::new());
    for (field, text) in terms(query) {
        match field.as_str() {
            "sku" => skus.push(text.to_lowercase()),
            _ => unknown.push(json!({
                "field": field, "message": "Invalid search field for this query.", "code": "invalid_field"
            })),
        }
    }
    let begins = |sku: &str, wanted: &str| {
        sku.strip_prefix(wanted).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    let is_found = |sku: &str| {
        let sku = sku.trim().to_lowercase();
        skus.is_empty() || skus.iter().any(|wanted| begins(&sku, wanted))
    };
    let found = shop.variants.iter().enumerate().filter(|(_, variant)| is_found(&variant.sku));
    let told = found.map(|(index, variant)| {
        let id = format!("gid://shopify/ProductVariant/{}", index + 1);
        let item = item(shop, &variant.inventory_item_id);
        let told =
            json!({"id": id, "sku": variant.sku, "title": "Default Title", "inventoryItem": item.clone()});
        (told, item)
    });
    let warnings = if unknown.is_empty() {
        Vec::new()
    } else {
        vec![json!({"path": [path], "query": query, "parsed": {}, "warnings": unknown})]
    };
    (told.collect(), warnings)
}

/// `field:text` and `field:'a text'`, joined by spaces, `AND` or `OR`; in quotes a backslash takes the next letter as it
/// is.
fn terms(query: &str) -> Vec<(String, String)> {
    let mut terms = Vec::new();
    let mut letters = query.chars().peekable();
    while letters.peek().is_some() {
        let word: String =
            std::iter::from_fn(|| letters.next_if(|letter| *letter != ':' && !letter.is_whitespace()))
                .collect();
        if letters.next_if_eq(&':').is_none() {
            letters.next();
            if !matches!(word.as_str(), "" | "AND" | "OR") {
                terms.push((word, String::new()));
            }
            continue;
        }
        let quote = letters.next_if(|letter| matches!(letter, '\'' | '"'));
        let mut text = String::new();
        while let Some(letter) = letters.next() {
            match (letter, quote) {
                ('\\', Some(_)) => text.extend(letters.next()),
                (end, Some(quote)) if end == quote => break,
                (end, None) if end.is_whitespace() => break,
                (other, _) => text.push(other),
            }
        }
        terms.push((word, text));
    }
    terms
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_hold_a_text_together() {
        let read = |query: &str| {
            terms(query).into_iter().map(|(field, text)| format!("{field}={text}")).collect::<Vec<_>>()
        };
        assert_eq!(read("sku:'A 1' OR sku:B-2 tracked:false"), ["sku=A 1", "sku=B-2", "tracked=false"]);
        assert_eq!(read(r"sku:'it\'s' cake"), ["sku=it's", "cake="]);
        assert!(read("  ").is_empty());
    }
}
