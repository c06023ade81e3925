//! Once a local night every level is met. A run that is cut off goes on where it stopped, and two at once are one.

use super::{alerts, asked, checks, explained, levels, put, reconcile, report, set, settle, shop, stock_of};
use ordak_e2e::answer::Answer;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, Item, LOCATION, Store};
use ordak_e2e::{Outcome, unique_number};
use serde_json::{Value, json};

/// SKUs of three pages, in the order in which Shopify tells them.
const MANY: usize = 230;

/// Many SKUs of which both sides say ten.
async fn many(stack: &Stack, store: Store) -> Outcome<Vec<Item>> {
    let base = unique_number(1_000_000_000) * 1000 + 1_000_000_000_000;
    let item =
        |n: u64| Item { sku: format!("N-{n:03}"), gid: format!("gid://shopify/InventoryItem/{}", base + n) };
    let items: Vec<Item> = (0..MANY as u64).map(item).collect();
    let (skus, gids): (Vec<&str>, Vec<&str>) =
        items.iter().map(|item| (item.sku.as_str(), item.gid.as_str())).unzip();
    let statement =
        "insert into public.inventory_items (store, sku, opening_ats, ats, shopify_inventory_item_gid)
        select $1, sku, 10, 10, gid from unnest($2::text[], $3::text[]) as i (sku, gid)";
    stack.db().await?.execute(statement, &[&store.key, &skus, &gids]).await?;
    let same: Vec<(&Item, i64)> = items.iter().map(|item| (item, 10)).collect();
    levels(stack, store, &same).await?;
    Ok(items)
}

fn figures(report: &Value) -> (&Value, [u64; 5]) {
    let figure = |name: &str| report[name].as_u64().unwrap();
    let names = ["pages", "compared", "drifted", "corrected", "failed"];
    (&report["state"], names.map(figure))
}

/// Fails the question for the page behind this place, once.
async fn cut_at(stack: &Stack, store: Store, after: usize) -> Outcome {
    let text = if after == 0 { "\"after\":null".to_owned() } else { format!("\"after\":\"{after}\"") };
    let fault =
        json!({"upstream": "shopify", "shop": store.domain(), "mode": "500", "count": 1, "match": text});
    stack.plan_fault(&fault).await
}

#[tokio::test]
async fn a_night_compares_everything_corrects_what_drifted_and_tells() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({"drift_threshold": 2})).await?;
    let items = many(&stack, store).await?;
    levels(&stack, store, &[(&items[3], 4), (&items[120], 0), (&items[229], 99)]).await?;
    put(&stack, store, json!({"without_levels": [items[7].gid]})).await?;

    let answer = reconcile(&stack, store, true).await?;
    let told = answer.at("/data/stores/0");
    assert_eq!(
        (&told["pages"], &told["complete"], &told["suspected"]),
        (&json!(3), &json!(true), &json!(4)),
        "{told}"
    );
    settle(&stack, store).await?;
    let last = report(&stack, store).await?;
    assert_eq!(figures(&last), (&json!("finished"), [3, MANY as u64 - 1, 3, 3, 1]), "{last}");
    for at in [3, 120, 229] {
        assert_eq!(stack.shopify_level(store, &items[at]).await?, Some(10), "{at}");
    }
    let alert = alerts(&stack, store, "stock_drift").await?;
    assert_eq!((alert.len(), &alert[0]["drifted"], &alert[0]["compared"]), (1, &json!(3), &json!(MANY - 1)));

    put(
        &stack,
        store,
        json!({"levels": [{"inventory_item_id": items[7].gid, "location_id": LOCATION, "available": 10}]}),
    )
    .await?;
    reconcile(&stack, store, true).await?;
    let last = report(&stack, store).await?;
    assert_eq!(figures(&last), (&json!("finished"), [3, MANY as u64, 0, 0, 0]), "nothing is left: {last}");
    assert_eq!(alerts(&stack, store, "stock_drift").await?.len(), 1);
    explained(&stack, store).await
}

#[tokio::test]
async fn a_run_that_is_cut_off_at_any_page_goes_on_there() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({"reconcile_policy": "shopify_wins"})).await?;
    let items = many(&stack, store).await?;
    for (turn, cut) in [0, 100, 200].into_iter().enumerate() {
        let level = 20 + i64::try_from(turn).unwrap();
        levels(&stack, store, &[(&items[50], level), (&items[150], level), (&items[220], level)]).await?;
        let before = asked(&stack, store, "StockPage").await?;
        cut_at(&stack, store, cut).await?;
        let first = reconcile(&stack, store, true).await?;
        assert_eq!(first.at("/data/stores/0/stopped"), "upstream", "{}", first.text);
        assert_eq!(first.at("/data/stores/0/pages"), cut / 100, "{}", first.text);
        let id = report(&stack, store).await?["id"].clone();

        let second = reconcile(&stack, store, true).await?;
        assert_eq!(second.at("/data/stores/0/complete"), true, "{}", second.text);
        assert_eq!(second.at("/data/stores/0/pages"), 3 - cut / 100, "{}", second.text);
        settle(&stack, store).await?;
        let last = report(&stack, store).await?;
        assert_eq!(last["id"], id, "one report");
        assert_eq!(figures(&last), (&json!("finished"), [3, MANY as u64, 3, 3, 0]), "cut at {cut}: {last}");
        assert_eq!(
            asked(&stack, store, "StockPage").await? - before,
            4,
            "no page is read in vain but the one that failed"
        );
        for at in [50, 150, 220] {
            assert_eq!(stock_of(&stack, store, &items[at].sku).await?["ats"], level);
        }
    }
    explained(&stack, store).await
}

#[tokio::test]
async fn a_run_that_died_is_taken_over_and_may_not_report_any_more() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    many(&stack, store).await?;
    let dead = json!({"p_run": "dead", "p_stores": [store.key], "p_now": true});
    let taken = super::call(&stack, "start_reconcile", &dead).await?;
    let page = json!({
        "p_run": "dead", "p_run_id": taken["stores"][0]["run_id"], "p_location": LOCATION, "p_levels": [], "p_next": "100"
    });
    super::call(&stack, "compare_stock", &page).await?;
    let busy = reconcile(&stack, store, true).await?;
    assert_eq!((busy.at("/data/busy"), busy.at("/data/stores")), (&json!([store.key]), &json!([])));

    let over = "update public.reconcile_runs set lease_until = now() - interval '1 second' where store = $1";
    stack.db().await?.execute(over, &[&store.key]).await?;
    let answer = reconcile(&stack, store, true).await?;
    assert_eq!(answer.at("/data/stores/0/pages"), 2, "{}", answer.text);
    let late = stack.rpc(&stack.service_key, "compare_stock", &page).await?;
    assert_eq!(late.str("/code"), "CONFLICT");
    Ok(())
}

#[tokio::test]
async fn runs_at_once_compare_every_page_once() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let items = many(&stack, store).await?;
    levels(&stack, store, &[(&items[10], 1), (&items[210], 1)]).await?;
    let (a, b, c) = tokio::join!(
        reconcile(&stack, store, true),
        reconcile(&stack, store, true),
        reconcile(&stack, store, true)
    );
    let pages = |answer: &Answer| answer.at("/data/stores/0/pages").as_u64().unwrap_or(0);
    let pages: Vec<u64> = [a?, b?, c?].iter().map(pages).collect();
    settle(&stack, store).await?;
    let query =
        "select state, pages, compared, drifted, corrected from public.reconcile_runs where store = $1";
    let runs = stack.db().await?.rows(query, &[&store.key]).await?;
    // Whoever came after the end of another made one of his own.
    let all: u64 = runs.iter().map(|run| run["pages"].as_u64().unwrap()).sum();
    assert_eq!(pages.iter().sum::<u64>(), all, "{pages:?} {runs:?}");
    assert!(runs.iter().all(|run| run["pages"] == 3 && run["state"] == "finished"), "{runs:?}");
    let corrected = checks(&stack, store).await?;
    assert_eq!(corrected.len(), 2, "{corrected:?}");
    for item in [&items[10], &items[210]] {
        assert_eq!(stack.shopify_effects(store, item).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_page_that_shopify_forgot_and_a_small_budget_are_no_end() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    many(&stack, store).await?;
    cut_at(&stack, store, 100).await?;
    reconcile(&stack, store, true).await?;
    let forget = "update public.reconcile_runs set page_after = 'forgotten' where store = $1";
    stack.db().await?.execute(forget, &[&store.key]).await?;
    let refused = reconcile(&stack, store, true).await?;
    assert_eq!(refused.at("/data/stores/0/stopped"), "refused", "{}", refused.text);

    put(&stack, store, json!({"throttle": {"maximum": 450, "restore_rate": 900}})).await?;
    let answer = reconcile(&stack, store, true).await?;
    assert_eq!(answer.at("/data/stores/0/complete"), true, "{}", answer.text);
    let last = report(&stack, store).await?;
    assert_eq!((&last["state"], &last["compared"]), (&json!("finished"), &json!(MANY)), "{last}");
    Ok(())
}

#[tokio::test]
async fn each_store_has_its_night_once() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let cake = store::stock(&stack, store, 10).await?;
    levels(&stack, store, &[(&cake, 10)]).await?;
    let at = "update public.stock_settings set reconcile_at = (now() at time zone 'Australia/Sydney' + $2::text::interval)::time
        where store = $1";
    let db = stack.db().await?;
    db.execute(at, &[&store.key, &"1 hour"]).await?;
    let none = json!([]);
    assert_eq!(reconcile(&stack, store, false).await?.at("/data/stores"), &none, "not before its hour");
    db.execute(at, &[&store.key, &"-5 hours"]).await?;
    assert_eq!(reconcile(&stack, store, false).await?.at("/data/stores"), &none, "nor in the busy day");
    db.execute(at, &[&store.key, &"-1 hour"]).await?;
    let night = reconcile(&stack, store, false).await?;
    assert_eq!(night.at("/data/stores/0/complete"), true, "{}", night.text);
    assert_eq!(reconcile(&stack, store, false).await?.at("/data/stores"), &none, "nor twice");
    Ok(())
}

#[tokio::test]
async fn a_shop_that_lets_nobody_in_is_given_up_for_the_night_and_told() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    store::stock(&stack, store, 10).await?;
    put(&stack, store, json!({"tokens": ["another"]})).await?;
    let answer = reconcile(&stack, store, true).await?;
    assert_eq!(answer.at("/data/stores/0/stopped"), "access", "{}", answer.text);
    assert_eq!(report(&stack, store).await?["state"], "given_up");
    assert_eq!(alerts(&stack, store, "reconcile_failed").await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_shopify_tracks_and_nobody_knows_is_taken_in_when_the_store_wants_it() -> Outcome {
    let stack = Stack::up().await?;
    let store = shop(&stack, json!({})).await?;
    let base = unique_number(1_000_000_000) * 10;
    let gid = |n: u64| format!("gid://shopify/InventoryItem/{}", base + n);
    let variant = |sku: &str, n: u64, tracked: bool| json!({"sku": sku, "inventory_item_id": gid(n), "tracked": tracked});
    let variants = [
        variant("NEW", 1, true),
        variant("FREE", 2, false),
        variant("TWICE", 3, true),
        variant("TWICE", 4, true),
    ];
    let level = |n: u64| json!({"inventory_item_id": gid(n), "location_id": LOCATION, "available": n});
    put(&stack, store, json!({"variants": variants, "levels": [level(1), level(2), level(3), level(4)]}))
        .await?;
    reconcile(&stack, store, true).await?;
    settle(&stack, store).await?;
    let query =
        "select sku, ats, tracked, mapping_problem from public.inventory_items where store = $1 order by sku";
    let db = stack.db().await?;
    assert_eq!(db.rows(query, &[&store.key]).await?, Vec::<Value>::new());

    set(&stack, store, &json!({"import_skus": true})).await?;
    let answer = reconcile(&stack, store, true).await?;
    assert_eq!(answer.at("/data/stores/0/imported"), 2, "{}", answer.text);
    settle(&stack, store).await?;
    assert_eq!(
        db.rows(query, &[&store.key]).await?,
        [
            json!({"sku": "NEW", "ats": 1, "tracked": true, "mapping_problem": null}),
            json!({"sku": "TWICE", "ats": 0, "tracked": false, "mapping_problem": "ambiguous"})
        ]
    );
    assert_eq!(asked(&stack, store, "inventorySetQuantities").await?, 0, "and nothing was pushed over it");
    explained(&stack, store).await
}
