//! What the fake remembers of each shop: stock per item and location, variants, keys, bucket.

use super::access::{Access, AccessSettings};
use super::cost::{Bucket, Throttle};
use super::orders;
use super::subscriptions::{self, Subscription};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// Stock of one item at one location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level {
    /// What may be sold.
    pub available: i64,
    /// What is there.
    pub on_hand: i64,
}

/// A product variant, for searches by SKU.
#[derive(Clone, Debug, Deserialize)]
pub struct Variant {
    /// Its SKU; several variants may carry the same.
    pub sku: String,
    /// Its inventory item.
    pub inventory_item_id: String,
    /// Whether Shopify counts it.
    #[serde(default = "yes")]
    pub tracked: bool,
}

fn yes() -> bool {
    true
}

/// A place where stock is.
#[derive(Clone, Debug, Deserialize)]
pub struct Location {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whether it is open.
    #[serde(default = "yes")]
    pub is_active: bool,
}

/// An idempotency key that was used.
#[derive(Clone, Debug)]
pub struct UsedKey {
    /// The input that it was used with.
    pub input: Value,
    /// The payload that was answered; `None` while the attempt changed nothing.
    pub payload: Option<Value>,
}

/// One shop.
#[derive(Clone, Debug, Default)]
pub struct Shop {
    /// Stock by (inventory item, location).
    pub levels: BTreeMap<(String, String), Level>,
    /// Known variants.
    pub variants: Vec<Variant>,
    /// Locations, besides those where there is stock.
    pub locations: Vec<Location>,
    /// Whether pairs without a level are refused; else they are stocked with 0 when first named.
    pub strict: bool,
    /// Whether repeated idempotency keys execute again, as at least one developer saw.
    pub forgets_keys: bool,
    /// Used idempotency keys. The real ones last 24 hours, the fake's for its lifetime.
    pub keys: HashMap<String, UsedKey>,
    /// Keys of requests that are under way, with how many.
    pub under_way: HashMap<String, u32>,
    /// What opens it.
    pub access: Access,
    /// Query cost.
    pub bucket: Bucket,
    /// Numbers adjustment groups.
    pub groups: u64,
    /// Orders by id, as the API tells them.
    pub orders: BTreeMap<String, Value>,
    /// Webhook subscriptions.
    pub subscriptions: Vec<Subscription>,
}

/// What a test may put into a shop, besides stock; absent fields change nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stocking {
    shop: String,
    /// Orders in the form of webhooks; one of the same id is replaced.
    #[serde(default)]
    orders: Vec<Value>,
    /// Ids of orders that vanish.
    #[serde(default)]
    without: Vec<u64>,
    /// All subscriptions there are.
    subscriptions: Option<Vec<Subscription>>,
}

/// A level as a test sets it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelSetting {
    inventory_item_id: String,
    location_id: String,
    available: i64,
    on_hand: Option<i64>,
}

/// What a test may set of one shop; absent fields change nothing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShopSettings {
    #[serde(rename = "upstream")]
    _upstream: ShopifyOnly,
    shop: String,
    #[serde(default)]
    levels: Vec<LevelSetting>,
    #[serde(default)]
    variants: Vec<Variant>,
    /// All locations there are, besides those where there is stock.
    locations: Option<Vec<Location>>,
    /// Levels that are no more.
    #[serde(default)]
    without_levels: Vec<String>,
    strict: Option<bool>,
    forgets_keys: Option<bool>,
    /// Tokens that are good until they are taken away; with none and no apps, any is.
    tokens: Option<Vec<String>>,
    #[serde(default)]
    access: AccessSettings,
    /// Starts throttling with a full bucket.
    throttle: Option<Throttle>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ShopifyOnly {
    Shopify,
}

/// All shops by domain; a shop exists as soon as it is named.
#[derive(Debug, Default)]
pub struct Shops(BTreeMap<String, Shop>);

impl Shops {
    /// The shop of a domain.
    pub fn shop(&mut self, domain: &str) -> &mut Shop {
        self.0.entry(domain.to_owned()).or_default()
    }

    /// Applies settings.
    pub fn configure(&mut self, settings: ShopSettings) {
        let shop = self.shop(&settings.shop);
        for level in settings.levels {
            let on_hand = level.on_hand.unwrap_or(level.available);
            let key = (level.inventory_item_id, level.location_id);
            shop.levels.insert(key, Level { available: level.available, on_hand });
        }
        shop.levels.retain(|(item, _), _| !settings.without_levels.contains(item));
        shop.variants.extend(settings.variants);
        if let Some(locations) = settings.locations {
            shop.locations = locations;
        }
        shop.strict = settings.strict.unwrap_or(shop.strict);
        shop.forgets_keys = settings.forgets_keys.unwrap_or(shop.forgets_keys);
        if let Some(tokens) = settings.tokens {
            shop.access.tokens = tokens;
        }
        shop.access.configure(settings.access);
        if let Some(throttle) = settings.throttle {
            shop.bucket.throttle(throttle);
        }
    }

    /// Puts orders and subscriptions into a shop; gives the ids of orders that cannot be told.
    pub fn put(&mut self, stocking: Stocking, now: &str) -> Vec<Value> {
        let shop = self.shop(&stocking.shop);
        let mut strange = Vec::new();
        for rest in &stocking.orders {
            let order = orders::from_rest(rest, now);
            match order.as_ref().and_then(|order| order.get("id")?.as_str()) {
                Some(id) => {
                    shop.orders.insert(id.to_owned(), order.clone().unwrap_or_default());
                }
                None => strange.push(rest.get("id").cloned().unwrap_or_default()),
            }
        }
        for id in stocking.without {
            shop.orders.remove(&format!("gid://shopify/Order/{id}"));
        }
        if let Some(subscriptions) = stocking.subscriptions {
            shop.subscriptions = subscriptions;
        }
        strange
    }

    /// Orders and subscriptions of a shop.
    pub fn contents(&mut self, domain: &str) -> Value {
        let shop = self.shop(domain);
        let orders: Vec<&Value> = shop.orders.values().collect();
        json!({"orders": orders, "subscriptions": subscriptions::list(&shop.subscriptions)})
    }

    /// Forgets one shop.
    pub fn forget(&mut self, domain: &str) {
        self.0.remove(domain);
    }

    /// Forgets all shops.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Levels of all shops or of one, and what else is worth telling.
    pub fn describe(&self, only: Option<&str>) -> Value {
        let shops = || self.0.iter().filter(|(domain, _)| only.is_none_or(|only| only == domain.as_str()));
        let level = |domain: &str, ((item, location), level): (&(String, String), &Level)| {
            json!({
                "shop": domain, "inventory_item_id": item, "location_id": location,
                "available": level.available, "on_hand": level.on_hand
            })
        };
        let levels: Vec<Value> = shops()
            .flat_map(|(domain, shop)| shop.levels.iter().map(move |entry| level(domain, entry)))
            .collect();
        let summary: BTreeMap<&String, Value> = shops()
            .map(|(domain, shop)| {
                let told = json!({
                    "strict": shop.strict, "forgets_keys": shop.forgets_keys,
                    "used_keys": shop.keys.len(), "variants": shop.variants.len(),
                    "throttle": shop.bucket.figures()
                });
                (domain, told)
            })
            .collect();
        json!({"levels": levels, "shops": summary})
    }
}
