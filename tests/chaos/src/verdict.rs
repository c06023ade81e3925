//! What is in the database, held against the model.

use crate::session::Session;
use ordak_e2e::Outcome;
use ordak_model::{Delivery, LineStock, OrderState, Shop, Stock, complaints, differences, order_state};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Orders read at once.
const CHUNK: usize = 500;

const ORDERS: &str = r"
    select jsonb_build_object(
        'partition', o.tableoid::regclass::text,
        'winner', e.content_hash,
        'allocation', o.allocation_status,
        'blocked', o.inventory_blocked,
        'holds', (
            select coalesce(jsonb_object_agg(l.line_id, jsonb_build_array(l.held_quantity, l.short_quantity)), '{}')
            from public.order_line_items l where l.store = o.store and l.order_id = o.id
        ),
        'row', jsonb_build_object(
            'store', o.store, 'id', o.id, 'gid', o.shopify_order_gid, 'shopify_id', o.shopify_order_id::text,
            'number', o.shopify_order_number, 'customer_name', o.customer_name, 'product_title', o.product_title,
            'flavour', o.flavour, 'size', o.size, 'notes', o.notes, 'due_date', o.due_date,
            'delivery_method', o.delivery_method,
            'missing', (select coalesce(jsonb_agg(m order by m), '[]') from unnest(o.missing_fields) m),
            'currency', o.currency, 'total', (o.total_amount * 1000)::bigint, 'payment_status', o.payment_status,
            'updated_at', (extract(epoch from o.business_updated_at) * 1000000)::bigint,
            'placeholder', o.placeholder,
            'cancelled_at', (extract(epoch from o.cancelled_at) * 1000000)::bigint,
            'cancel_reason', o.cancel_reason, 'stage', o.stage,
            'lines', (
                select coalesce(jsonb_agg(jsonb_build_object(
                    'line_id', l.line_id, 'position', l.position, 'sku', l.sku, 'title', l.title,
                    'variant_title', l.variant_title, 'quantity', l.quantity, 'consumed', l.consumed,
                    'price', (l.price * 1000)::bigint, 'gift_card', l.gift_card
                ) order by l.position, l.line_id), '[]')
                from public.order_line_items l where l.store = o.store and l.order_id = o.id
            )
        )
    )
    from public.orders o
    left join public.event_store e on e.id = o.last_event_id
    where o.shopify_order_gid = any($1)";

/// What grows or moves with every effect of a delivery.
const TRACES: &str = r"
    select jsonb_build_object(
        'rows', (
            select coalesce(jsonb_agg(jsonb_build_array(o.id, o.updated_at, o.xmin::text) order by o.id), '[]')
            from public.orders o where o.shopify_order_gid = any($1)
        ),
        'lines', (
            select coalesce(jsonb_agg(jsonb_build_array(l.order_id, l.line_id, l.xmin::text) order by l.order_id, l.line_id), '[]')
            from public.order_line_items l join public.order_index x on x.store = l.store and x.order_id = l.order_id
            where x.shopify_order_gid = any($1)
        ),
        'events', (select count(*) from public.event_store e where e.ref_id = any($1)),
        'steps', (
            select count(*) from public.stage_events s join public.order_index x
                on x.store = s.store and x.order_id = s.order_id
            where x.shopify_order_gid = any($1)
        ),
        'stock', (
            select count(*) from public.inventory_txn t join public.order_index x
                on x.store = t.store and x.order_id = t.order_id
            where x.shopify_order_gid = any($1)
        ),
        'work', (
            select count(*) from public.work_queue w where w.store = $2 and w.payload ->> 'sku' = any($3)
        )
    )";

const STOCKS: &str = r"
    select jsonb_build_array(
        i.sku, i.opening_ats, i.ats, coalesce(sum(t.delta), 0),
        coalesce(sum(t.delta) filter (where t.reason in ('hold', 'release')), 0)
    )
    from public.inventory_items i
    left join public.inventory_txn t on t.item_id = i.id
    where i.store = $1 and i.sku = any($2)
    group by i.id";

/// An order and all deliveries about it.
#[derive(Clone, Debug)]
pub struct Case {
    /// For complaints.
    pub name: String,
    /// The shop that it belongs to.
    pub shop: Shop,
    /// What was sent.
    pub deliveries: Vec<Delivery>,
}

/// The SKUs that a suite has put in stock; all others are not tracked.
#[derive(Clone, Copy, Debug)]
pub struct Shelf<'a> {
    /// The store.
    pub store: &'a str,
    /// There is enough of these: every line must have got what it wants.
    pub ample: &'a [String],
    /// There is too little of these: some lines must wait.
    pub scarce: &'a [String],
}

/// Every way in which orders and stock differ from the model.
pub async fn judge(session: &Session, cases: &[Case], shelf: Shelf<'_>) -> Outcome<Vec<String>> {
    let tracked: BTreeSet<String> = shelf.ample.iter().chain(shelf.scarce).cloned().collect();
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    for chunk in cases.chunks(CHUNK) {
        let states: Vec<(&Case, OrderState)> = chunk
            .iter()
            .filter_map(|case| Some((case, order_state(&case.shop, &case.deliveries)?)))
            .collect();
        let gids: Vec<&str> = states.iter().map(|(_, state)| state.fields.gid.as_str()).collect();
        let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for row in session.values(ORDERS, &[&gids]).await? {
            let gid = row.pointer("/row/gid").and_then(Value::as_str).unwrap_or_default().to_owned();
            found.entry(gid).or_default().push(row);
        }
        for (case, state) in &states {
            let rows = found.remove(&state.fields.gid).unwrap_or_default();
            let wrongs = judge_order(state, &rows, &tracked, &mut lines);
            all.extend(wrongs.into_iter().map(|wrong| format!("{}, {}: {wrong}", case.name, state.id)));
        }
    }
    for (skus, ample) in [(shelf.ample, true), (shelf.scarce, false)] {
        let stocks = stocks(session, shelf.store, skus).await?;
        if stocks.len() != skus.len() {
            all.push(format!("{} of {} SKUs are there", stocks.len(), skus.len()));
        }
        // Lines without a tracked SKU want nothing and are judged with those of which there is enough.
        let of_these: Vec<LineStock> =
            lines.iter().filter(|line| shelf.scarce.contains(&line.sku) != ample).cloned().collect();
        all.extend(complaints(&stocks, &of_these, ample));
    }
    Ok(all)
}

fn judge_order(
    state: &OrderState,
    rows: &[Value],
    tracked: &BTreeSet<String>,
    lines: &mut Vec<LineStock>,
) -> Vec<String> {
    let [row] = rows else { return vec![format!("{} rows", rows.len())] };
    let mut all = differences(&state.as_row(), row.get("row").unwrap_or(&Value::Null));
    let mut expect = |name: &str, expected: &str| {
        let is = row.get(name).and_then(Value::as_str);
        if is != Some(expected) {
            all.push(format!("{name}: expected {expected}, found {is:?}"));
        }
    };
    expect("partition", &format!("orders_{}", state.store));
    expect("winner", &state.winner);

    let (mut wanted_in_all, mut short_in_all) = (0, 0);
    for line in &state.fields.lines {
        let part = |index: usize| {
            let holds = row.get("holds").and_then(|holds| holds.get(&line.line_id));
            holds.and_then(|pair| pair.get(index)).and_then(Value::as_i64).unwrap_or(-1)
        };
        let (wanted, held, short) = (state.wanted(line, tracked), part(0), part(1));
        wanted_in_all += wanted;
        short_in_all += short;
        lines.push(LineStock {
            name: format!("{}/{}", state.id, line.line_id),
            sku: line.sku.clone().unwrap_or_default(),
            wanted,
            lost: state.lost(line, tracked),
            held,
            short,
        });
    }
    let allocation = match (wanted_in_all, short_in_all) {
        (0, _) => "none",
        (_, 0) => "allocated",
        _ => "short",
    };
    expect("allocation", allocation);
    if row.get("blocked") != Some(&Value::Bool(short_in_all > 0)) {
        all.push(format!("inventory_blocked with {short_in_all} short"));
    }
    all
}

async fn stocks(session: &Session, store: &str, skus: &[String]) -> Outcome<Vec<Stock>> {
    let rows = session.values(STOCKS, &[&store, &skus]).await?;
    let number = |row: &Value, index: usize| row.get(index).and_then(Value::as_i64).unwrap_or_default();
    Ok(rows
        .iter()
        .map(|row| Stock {
            sku: row.get(0).and_then(Value::as_str).unwrap_or_default().to_owned(),
            opening: number(row, 1),
            ats: number(row, 2),
            moved: number(row, 3),
            moved_for_orders: number(row, 4),
        })
        .collect())
}

/// Every order of the cases that its own events would make another than it is.
pub async fn replays(session: &Session, cases: &[Case]) -> Outcome<Vec<String>> {
    let mut all = Vec::new();
    for state in cases.iter().filter_map(|case| order_state(&case.shop, &case.deliveries)) {
        let replay = "select public.replay_order($1, $2)";
        let answer = session.value(replay, &[&state.store, &state.id]).await?;
        if answer.pointer("/data/differences") != Some(&json!({})) {
            all.push(format!("{}: its replay differs: {answer}", state.id));
        }
    }
    Ok(all)
}

/// Everything that a further effect of the cases' deliveries would change.
pub async fn traces(session: &Session, cases: &[Case], shelf: Shelf<'_>) -> Outcome<Value> {
    let gids: Vec<String> =
        cases.iter().filter_map(|case| Some(order_state(&case.shop, &case.deliveries)?.fields.gid)).collect();
    let skus: Vec<&String> = shelf.ample.iter().chain(shelf.scarce).collect();
    Ok(session.value(TRACES, &[&gids, &shelf.store, &skus]).await?)
}
