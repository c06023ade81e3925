//! A page of the nightly comparison meets an order about the same SKUs: both take stock in one order, so that one of them
//! waits and none is turned away.

use ordak_e2e::db::Db;
use ordak_e2e::session::{End, Session, waits};
use ordak_e2e::stack::Stack;
use ordak_e2e::store::{self, LOCATION, Store};
use ordak_e2e::{Outcome, unique, unique_number};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// Who begins first.
#[derive(Clone, Copy, Debug)]
enum First {
    Page,
    Order,
}

/// Two SKUs, the later one made first: what is locked as it lies is locked in the wrong order.
async fn two(stack: &Stack, store: Store) -> Outcome<[(String, String); 2]> {
    let number = unique_number(1_000_000_000_000);
    let item = |word: &str, n: u64| {
        (format!("{word}-{number}"), format!("gid://shopify/InventoryItem/{}", number + n))
    };
    let items = [item("A", 1), item("B", 2)];
    let statement = "insert into public.inventory_items
        (store, sku, opening_ats, ats, shopify_inventory_item_gid, shopify_location_gid) values ($1, $2, 9, 9, $3, $4)";
    let db = stack.db().await?;
    for (sku, gid) in items.iter().rev() {
        db.execute(statement, &[&store.key, sku, gid, &LOCATION]).await?;
    }
    Ok(items)
}

/// A run that is reading; gives its id.
async fn run(db: &Db, store: Store) -> Outcome<i64> {
    let statement = "insert into public.reconcile_runs (store, policy, location_gid, run, lease_until)
        values ($1, 'ordak_wins', $2, 'race', now() + interval '10 minutes') returning id::text";
    Ok(db.written(statement, &[&store.key, &LOCATION]).await?.parse()?)
}

/// Compares a page, at once or as soon as it may, and commits.
fn page(session: Session, run: i64, items: &[(String, String); 2]) -> JoinHandle<Outcome<Value>> {
    // Both differ, and come in the wrong order.
    let level =
        |(sku, gid): &(String, String)| json!({"gid": gid, "sku": sku, "tracked": true, "available": 4});
    let levels = Value::from(items.iter().rev().map(level).collect::<Vec<_>>());
    tokio::spawn(async move {
        let query = "select public.compare_stock('race', $1, $2, null, 'next', $3) as envelope";
        let row = session.db.row(query, &[&run, &LOCATION, &levels]).await?;
        session.end(End::Commit).await?;
        Ok(row["envelope"].clone())
    })
}

/// The same for an order of both.
fn order(session: Session, store: Store, items: &[(String, String); 2]) -> JoinHandle<Outcome<Value>> {
    let number = unique_number(1_000_000_000);
    let line = |(at, (sku, _)): (usize, &(String, String))| json!({"line_id": at.to_string(), "position": at, "sku": sku, "quantity": 2});
    let order = json!({
        "snapshot": true, "gid": format!("gid://shopify/Order/{number}"), "shopify_id": number.to_string(),
        "order_number": number.to_string(), "updated_at": "2026-11-01T10:00:00Z", "topic_rank": 1,
        "lines": items.iter().rev().enumerate().map(line).collect::<Vec<_>>()
    });
    tokio::spawn(async move {
        let query = "select public.ingest_shopify_event(
                p_shop_domain => $1, p_topic => 'orders/create', p_webhook_id => $2, p_content_hash => $2,
                p_order => $3, p_payload => '{}'
            ) as envelope";
        let row = session.db.row(query, &[&store.domain(), &unique(), &order]).await?;
        session.end(End::Commit).await?;
        Ok(row["envelope"].clone())
    })
}

/// A third holds one of the SKUs until both wait: whoever takes them in another order than the other then has what the
/// other needs.
async fn meet(stack: &Stack, first: First, held: usize) -> Outcome {
    let (watcher, store) = (stack.db().await?, store::fresh(stack).await?);
    let items = two(stack, store).await?;
    let run = run(&watcher, store).await?;
    let (third, one, other) = (stack.db().await?, Session::begin(stack).await?, Session::begin(stack).await?);
    third.execute("begin", &[]).await?;
    let hold = "select 1 as held from public.inventory_items where store = $1 and sku = $2 for update";
    third.row(hold, &[&store.key, &items[held].0]).await?;

    let (page_pid, order_pid) = (one.pid(), other.pid());
    let (paged, ordered) = match first {
        First::Page => {
            let paged = page(one, run, &items);
            waits(&watcher, page_pid).await?;
            (paged, order(other, store, &items))
        }
        First::Order => {
            let ordered = order(other, store, &items);
            waits(&watcher, order_pid).await?;
            (page(one, run, &items), ordered)
        }
    };
    waits(&watcher, page_pid).await?;
    waits(&watcher, order_pid).await?;
    third.execute("rollback", &[]).await?;

    for (who, done) in [("the page", paged.await??), ("the order", ordered.await??)] {
        assert_eq!(done["ok"], true, "{who}, {first:?} first, {held} held: {done}");
    }
    let query =
        "select ats, (select count(*)::int from public.stock_checks c where c.item_id = i.id) as checks
        from public.inventory_items i where store = $1 order by sku";
    let rows = watcher.rows(query, &[&store.key]).await?;
    let wanted = json!({"ats": 7, "checks": 1});
    assert_eq!(rows, [wanted.clone(), wanted], "{first:?} first, {held} held");
    Ok(())
}

#[tokio::test]
async fn a_page_of_levels_and_an_order_lock_their_skus_in_one_order() -> Outcome {
    let stack = Stack::up().await?;
    for first in [First::Page, First::Order] {
        for held in [0, 1] {
            meet(&stack, first, held).await?;
        }
    }
    Ok(())
}
