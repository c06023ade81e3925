//! The shop's domain comes in a header that nobody signs. A right signature under an odd domain must not become an
//! order of a store, and one store's order must not become another's.

use crate::{HEADER, describe};
use anyhow::Result;
use ordak_security::database::{Database, quote};
use ordak_security::delivery::{self, SHOP, STORE};
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;

/// What an odd domain may come to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// Names are the same in any case: this is the shop.
    TheShop,
    /// No shop of ours: a dead letter.
    Nobody,
}

/// Tries each odd domain with a right signature.
pub fn are_claims_not_proof(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    for (name, values, meaning) in odd_domains() {
        let id = delivery::fresh_id();
        let body = delivery::order(id).to_string().into_bytes();
        let request = values.iter().fold(delivery::bare(stack, &body), |request, value| {
            request.header("X-Shopify-Shop-Domain", value)
        });
        let answer = request
            .header("X-Shopify-Topic", "orders/create")
            .header(HEADER, delivery::sign(stack, &body))
            .send()?;
        let stored = database.column(&format!(
            "select store from public.order_index where shopify_order_gid = {}
             union all select store from public.event_store where ref_id = {0}",
            quote(&format!("gid://shopify/Order/{id}"))
        ))?;
        let outcome = delivery::outcome(&answer);
        let expected = match meaning {
            Meaning::TheShop => outcome == "created" && stored.iter().all(|store| store == STORE),
            // A server in front may refuse a header that is no text with a 400 of its own.
            Meaning::Nobody => {
                stored.is_empty() && (outcome == "dead letter" || matches!(answer.status, 400 | 401 | 431))
            }
        };
        tally.check("odd domains", expected, || format!("{} stored {stored:?}", describe(&name, &answer)));
    }
    another_store_cannot_take_an_order(stack, database, tally)
}

fn odd_domains() -> Vec<(String, Vec<Vec<u8>>, Meaning)> {
    let one = |text: &str| vec![text.as_bytes().to_vec()];
    let label = SHOP.trim_end_matches(".myshopify.com");
    let mut list = vec![
        ("upper case".to_owned(), one(&SHOP.to_uppercase()), Meaning::TheShop),
        ("spaces around".to_owned(), one(&format!("  {SHOP}  ")), Meaning::TheShop),
        ("no header".to_owned(), Vec::new(), Meaning::Nobody),
        ("two headers, ours first".to_owned(), [one(SHOP), one("evil.example")].concat(), Meaning::Nobody),
        ("two headers, ours last".to_owned(), [one("evil.example"), one(SHOP)].concat(), Meaning::Nobody),
        (
            "two headers, two of ours".to_owned(),
            [one(SHOP), one("bannos.myshopify.com")].concat(),
            Meaning::Nobody,
        ),
        ("ours twice".to_owned(), [one(SHOP), one(SHOP)].concat(), Meaning::Nobody),
        (
            "bytes that are no text".to_owned(),
            vec![[SHOP.as_bytes(), &[0xff, 0xfe]].concat()],
            Meaning::Nobody,
        ),
    ];
    for odd in [
        String::new(),
        format!("{SHOP}."),
        format!(".{SHOP}"),
        format!("{SHOP}:443"),
        format!("{SHOP}/"),
        format!("{SHOP}#"),
        format!("{SHOP}?"),
        format!("https://{SHOP}"),
        format!("//{SHOP}"),
        format!("user@{SHOP}"),
        format!("{SHOP}@evil.example"),
        format!("{SHOP}.evil.example"),
        format!("evil.example/{SHOP}"),
        format!("www.{SHOP}"),
        format!("{label}\u{3002}myshopify.com"),
        format!("{label}\u{ff0e}myshopify.com"),
        format!("{label}%2emyshopify.com"),
        format!("{label}.myshopify.com%00"),
        format!("{label} .myshopify.com"),
        format!("{label}.myshopify.com,bannos.myshopify.com"),
        format!("{label}.myshopify.com;bannos.myshopify.com"),
        format!("{label}..myshopify.com"),
        format!("{label}_.myshopify.com"),
        format!("-{label}.myshopify.com"),
        format!("{label}.myshopify.co"),
        format!("{label}.shopify.com"),
        format!("{label}.myshopify.com'--"),
        "b\u{43e}mbs.myshopify.com".to_owned(),
        "bomb\u{17f}.myshopify.com".to_owned(),
        "xn--bmbs-0ra.myshopify.com".to_owned(),
        label.to_owned(),
        STORE.to_owned(),
        "*".to_owned(),
        "%".to_owned(),
        "_ombs.myshopify.com".to_owned(),
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "[::1]".to_owned(),
        "null".to_owned(),
        format!("{}.myshopify.com", "a".repeat(4000)),
    ] {
        let shown: String = odd.chars().take(60).collect();
        list.push((format!("domain {shown:?}"), vec![odd.into_bytes()], Meaning::Nobody));
    }
    list
}

/// An order belongs to one store for ever, whatever shop a replay of it names.
fn another_store_cannot_take_an_order(
    stack: &Stack,
    database: &mut Database,
    tally: &mut Tally,
) -> Result<()> {
    let id = delivery::fresh_id();
    let body = delivery::order(id).to_string().into_bytes();
    delivery::honest(stack, &body).send()?;
    for shop in ["bannos.myshopify.com", "flourlane.myshopify.com"] {
        let answer = delivery::bare(stack, &body)
            .header("X-Shopify-Shop-Domain", shop)
            .header("X-Shopify-Topic", "orders/create")
            .header(HEADER, delivery::sign(stack, &body))
            .send()?;
        let stores = database.column(&format!(
            "select distinct store from public.orders where shopify_order_gid = 'gid://shopify/Order/{id}'"
        ))?;
        tally.check("orders kept by their store", answer.status == 200 && stores == [STORE], || {
            format!("{} now of {stores:?}", describe(shop, &answer))
        });
    }
    Ok(())
}
