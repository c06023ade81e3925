//! A SKU is looked up once before its first push; what is not clear is left to people.

use super::{alerts, asked, call, put, set, settle, shop, stock_of};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Item, LOCATION, Store};
use ordak_e2e::{Outcome, unique_number};
use serde_json::{Value, json};

fn gid() -> String {
    format!("gid://shopify/InventoryItem/{}", unique_number(1_000_000_000_000))
}

fn variant(sku: &str, gid: &str) -> Value {
    json!({"sku": sku, "inventory_item_id": gid})
}

async fn take_in(stack: &Stack, store: Store, sku: &str, ats: Option<i32>) -> Outcome {
    let mut arguments = json!({"p_store": store.key, "p_sku": sku});
    arguments.as_object_mut().unwrap().extend(ats.map(|ats| ("p_ats".to_owned(), json!(ats))));
    call(stack, "upsert_inventory_item", &arguments).await?;
    Ok(())
}

async fn adjust(stack: &Stack, store: Store, sku: &str, delta: i32) -> Outcome {
    let key = format!("k{}", unique_number(1_000_000_000));
    let arguments =
        json!({"p_store": store.key, "p_sku": sku, "p_delta": delta, "p_reason": "adjust", "p_key": key});
    call(stack, "adjust_stock", &arguments).await?;
    Ok(())
}

async fn level(stack: &Stack, store: Store, gid: &str) -> Outcome<Option<i64>> {
    stack.shopify_level(store, &Item { sku: String::new(), gid: gid.to_owned() }).await
}

#[tokio::test]
async fn a_new_sku_is_looked_up_once_and_pushed() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    // All of these are found by Shopify's search for CAKE-1.
    let (right, others) = (gid(), [gid(), gid(), gid()]);
    let variants = [
        variant("cake-1", &others[0]),
        variant("CAKE-1 XL", &others[1]),
        variant("CAKE-1", &right),
        variant("CAKE-1-B", &others[2]),
    ];
    put(&stack, store, json!({ "variants": variants })).await?;

    take_in(&stack, store, "CAKE-1", Some(7)).await?;
    settle(&stack, store).await?;
    assert_eq!(level(&stack, store, &right).await?, Some(7));
    for other in &others {
        assert_eq!(level(&stack, store, other).await?, None, "what merely looks alike is not pushed to");
    }
    let item = stock_of(&stack, store, "CAKE-1").await?;
    assert_eq!((&item["mapping"], &item["inventory_item_gid"]), (&json!("mapped"), &json!(right)));

    adjust(&stack, store, "CAKE-1", -2).await?;
    settle(&stack, store).await?;
    assert_eq!(level(&stack, store, &right).await?, Some(5));
    assert_eq!(asked(&stack, store, "productVariants").await?, 1, "once");
    Ok(())
}

#[tokio::test]
async fn many_skus_share_a_search() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let skus: Vec<(String, String)> = (0..30).map(|n| (format!("IT'S {n} \\ OR sku:X"), gid())).collect();
    let variants: Vec<Value> = skus.iter().map(|(sku, gid)| variant(sku, gid)).collect();
    put(&stack, store, json!({ "variants": variants })).await?;
    // All in one transaction, so that one claim has them all.
    let statement = "insert into public.inventory_items (store, sku, opening_ats, ats)
        select $1, sku, 3, 3 from unnest($2::text[]) as sku";
    let names: Vec<&str> = skus.iter().map(|(sku, _)| sku.as_str()).collect();
    let db = stack.db().await?;
    db.execute(statement, &[&store.key, &names]).await?;
    db.execute("select private.ask_mapping($1, $2)", &[&store.key, &names]).await?;

    settle(&stack, store).await?;
    for (sku, gid) in &skus {
        assert_eq!(level(&stack, store, gid).await?, Some(3), "{sku}");
    }
    let searches = asked(&stack, store, "productVariants").await?;
    // Somebody else's drain may take a part of them.
    assert!((2..=8).contains(&searches), "{searches} searches");
    Ok(())
}

#[tokio::test]
async fn several_hits_and_none_are_refused_until_a_person_decides() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let (one, other) = (gid(), gid());
    put(&stack, store, json!({"variants": [variant("TWICE", &one), variant("TWICE", &other)]})).await?;
    take_in(&stack, store, "TWICE", Some(4)).await?;
    take_in(&stack, store, "NOWHERE", Some(4)).await?;
    settle(&stack, store).await?;

    let twice = stock_of(&stack, store, "TWICE").await?;
    let mut candidates = vec![one.clone(), other.clone()];
    candidates.sort();
    assert_eq!((&twice["mapping"], &twice["candidates"]), (&json!("ambiguous"), &json!(candidates)));
    assert_eq!(stock_of(&stack, store, "NOWHERE").await?["mapping"], "not_found");
    let told = alerts(&stack, store, "stock_mapping").await?;
    assert!(told.len() == 1 && told[0]["skus"].to_string().contains("\""), "{told:?}");
    let searches = asked(&stack, store, "productVariants").await?;

    // Neither is pushed, looked up again, or given up with noise.
    adjust(&stack, store, "TWICE", 1).await?;
    adjust(&stack, store, "NOWHERE", 1).await?;
    settle(&stack, store).await?;
    assert_eq!(asked(&stack, store, "productVariants").await?, searches);
    assert_eq!(asked(&stack, store, "inventorySetQuantities").await?, 0);
    let query = "select id from public.dead_letters where store = $1";
    assert_eq!(stack.db().await?.count(query, &[&store.key]).await?, 0);

    let decided = json!({"p_store": store.key, "p_sku": "TWICE", "p_inventory_item_gid": other});
    call(&stack, "map_inventory_item", &decided).await?;
    put(&stack, store, json!({"variants": [variant("NOWHERE", &gid())]})).await?;
    call(&stack, "map_inventory_item", &json!({"p_store": store.key, "p_sku": "NOWHERE"})).await?;
    settle(&stack, store).await?;
    assert_eq!((level(&stack, store, &one).await?, level(&stack, store, &other).await?), (None, Some(5)));
    assert_eq!(stock_of(&stack, store, "NOWHERE").await?["mapping"], "mapped");
    Ok(())
}

#[tokio::test]
async fn the_only_location_is_found_and_of_several_one_is_chosen() -> Outcome {
    let stack = Stack::up().await?;
    let place = |n: u32, active: bool| json!({"id": format!("gid://shopify/Location/{n}"), "name": format!("Place {n}"), "is_active": active});
    let single = store::fresh(&stack).await?;
    let item = gid();
    let shop = json!({"locations": [place(77, true), place(78, false)], "variants": [variant("A", &item)]});
    put(&stack, single, shop).await?;
    take_in(&stack, single, "A", Some(2)).await?;
    settle(&stack, single).await?;
    assert_eq!(level(&stack, single, &item).await?, Some(2));

    let several = store::fresh(&stack).await?;
    let item = gid();
    let shop = json!({"locations": [place(77, true), place(78, true)], "variants": [variant("A", &item)]});
    put(&stack, several, shop).await?;
    take_in(&stack, several, "A", Some(2)).await?;
    settle(&stack, several).await?;
    assert_eq!(level(&stack, several, &item).await?, None, "nothing is pushed to a place that is guessed");
    assert_eq!(
        alerts(&stack, several, "stock_location").await?[0]["locations"],
        json!(["Place 77", "Place 78"])
    );
    adjust(&stack, several, "A", 1).await?;
    settle(&stack, several).await?;
    assert_eq!(asked(&stack, several, "locations(").await?, 1, "nor asked for at every push");

    set(&stack, several, &json!({ "location_gid": LOCATION })).await?;
    settle(&stack, several).await?;
    assert_eq!(level(&stack, several, &item).await?, Some(3));
    Ok(())
}
