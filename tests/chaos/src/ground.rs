//! Stores and SKUs of the suites' own, so that what they count is theirs alone.

use crate::session::Session;
use ordak_e2e::db::Db;
use ordak_e2e::{Failure, Outcome};
use ordak_model::{Identity, Seed, Shop};
use std::sync::atomic::{AtomicU32, Ordering};

/// Where a suite stands.
#[derive(Debug)]
pub struct Ground {
    /// Everything random follows from it.
    pub seed: Seed,
    /// The store whose orders are sent.
    pub home: Shop,
    /// Another store, to which deliveries are misdirected.
    pub other: Shop,
    url: String,
    orders: AtomicU32,
}

impl Ground {
    /// Opens the ground of a suite (0 to 7) in the database of the environment. A missing variable is a failure.
    pub async fn open(suite: u8) -> Outcome<Self> {
        let url = variable("DATABASE_URL")?;
        let (home, other) = (shop("chaosone"), shop("chaostwo"));
        let seed = Seed::from_env(suite)?;
        let session = Session::connect(&url).await?;
        for shop in [&home, &other] {
            let create = "select public.create_store(p_key => $1, p_name => $1, p_shop_domain => $2,
                p_timezone => 'Australia/Sydney', p_origin_country => 'AU', p_currency => 'AUD')";
            session.data(create, &[&shop.store, &shop.domain]).await?;
        }
        let ground = Self { seed, home, other, url, orders: AtomicU32::new(0) };
        let first = Identity { shop: ground.home.clone(), id: seed.order_id(0) }.gid();
        let used = session
            .values("select to_jsonb(x) from public.order_index x where x.shopify_order_gid = $1", &[&first])
            .await?;
        if used.is_empty() {
            Ok(ground)
        } else {
            Err(Failure::new(format!("{seed} was used on this database before: repeat it on a fresh one")))
        }
    }

    /// A connection as the service role.
    pub async fn session(&self) -> Outcome<Session> {
        Session::connect(&self.url).await
    }

    /// Several connections as the service role.
    pub async fn sessions(&self, count: usize) -> Outcome<Vec<Session>> {
        let mut all = Vec::with_capacity(count);
        for _ in 0..count {
            all.push(self.session().await?);
        }
        Ok(all)
    }

    /// An order of the home store that never was.
    pub fn identity(&self) -> Identity {
        let number = self.orders.fetch_add(1, Ordering::Relaxed);
        Identity { shop: self.home.clone(), id: self.seed.order_id(number) }
    }

    /// Puts new SKUs of the home store in stock, `quantity` of each, and returns their names.
    pub async fn stock(&self, part: &str, count: usize, quantity: i32) -> Outcome<Vec<String>> {
        let names: Vec<String> =
            (0..count).map(|number| format!("{part}-{}-{number}", self.seed.order_id(0))).collect();
        let statement = "insert into public.inventory_items
            (store, sku, opening_ats, ats, shopify_inventory_item_gid, shopify_location_gid)
            select $1, s.sku, $3, $3, 'gid://shopify/InventoryItem/' || s.sku, 'gid://shopify/Location/1'
            from unnest($2::text[]) as s (sku)";
        let owner = Db::connect(&self.url).await?;
        owner.execute(statement, &[&self.home.store, &names, &quantity]).await?;
        Ok(names)
    }
}

fn shop(key: &str) -> Shop {
    Shop { store: key.into(), domain: format!("{key}.myshopify.com"), prefix: key.into() }
}

/// A variable of the environment; one that is missing or empty is a failure, never a skip.
pub fn variable(name: &str) -> Outcome<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        Failure::new(format!(
            "{name} is not set: run `cargo xtask test chaos`, which starts a stack and sets it"
        ))
    })
}
