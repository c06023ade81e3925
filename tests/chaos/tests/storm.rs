//! Everything at once over HTTP: duplicates, replays, late and misdirected deliveries, conflicts, cancellations.

use ordak_chaos::figures::{announce, percentile, report, times};
use ordak_chaos::ground::Ground;
use ordak_chaos::session::Session;
use ordak_chaos::storm::{Door, Sent, send};
use ordak_chaos::verdict::{Case, Shelf, judge, replays};
use ordak_e2e::Outcome;
use ordak_model::{Arrival, Delivery, Identity, Kind, Mix, arrivals, bases, distinct, life};
use serde_json::Value;
use std::time::{Duration, Instant};

/// Orders of the quick storm.
const ORDERS: usize = 500;
/// Deliveries of each.
const DELIVERIES: usize = 8;
/// Requests at once.
const CLIENTS: usize = 32;

/// What a delivery can come to.
const OUTCOMES: [&str; 7] = ["created", "updated", "hydrated", "stale", "duplicate", "cancelled", "ignored"];

const MIX: Mix = Mix { duplicates: 0.3, reordered: 0.3, spread: 8 };

const UNSTORED: &str = r"
    select to_jsonb(d)
    from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as d (store, topic, webhook_id, hash)
    where not exists (
        select 1 from public.event_store e
        where e.source = 'shopify' and e.external_id = d.store || '/' || d.topic || '/' || d.webhook_id
    ) and not exists (
        select 1 from public.event_store e
        where e.store = d.store and e.type = d.topic and e.content_hash = d.hash
    ) and not exists (
        select 1 from public.dead_letters l
        where l.source = 'shopify' and l.external_id like '%/' || d.webhook_id
    )";

const STRAYS: &str = r"
    select to_jsonb(s) from (
        select 'orders' as place, o.store, o.id from public.orders o
        where o.shopify_order_gid = any($1) and o.store <> $2
        union all
        select 'order_index', x.store, x.order_id from public.order_index x
        where x.shopify_order_gid = any($1) and x.store <> $2
        union all
        select 'lines', l.store, l.order_id from public.order_line_items l
        where l.store <> $2 and l.sku = any($3)
        union all
        select 'stock', t.store, t.order_id from public.inventory_txn t
        where t.store <> $2 and t.idempotency_key like any(select g || '/%' from unnest($1::text[]) g)
    ) s";

const UNFINISHED: &str = r"
    select jsonb_build_array(e.external_id, e.last_error)
    from public.event_store e
    where e.ref_id = any($1) and (e.processed_at is null or e.last_error is not null)";

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_deliveries_ends_as_the_model_says() -> Outcome {
    let door = Door::from_env()?;
    let ground = Ground::open(4).await?;
    let (ample, scarce) = (ground.stock("STORM", 8, 1_000_000).await?, ground.stock("SCARCE", 2, 100).await?);
    let skus = [ample.clone(), scarce.clone()].concat();
    let (identities, lives) = draw(&ground, &skus, ORDERS * times())?;
    let other = ground.other.domain.clone();
    let mut rng = ground.seed.rng(u64::MAX);
    let planned: Vec<Arrival> = arrivals(&mut rng, &lives, DELIVERIES, MIX, |_| other.clone());

    let started = Instant::now();
    let sent = send(&door, planned, CLIENTS).await?;
    let took = started.elapsed();

    let session = ground.session().await?;
    let cases = cases(&ground, &lives, &sent);
    let shelf = Shelf { store: &ground.home.store, ample: &ample, scarce: &scarce };
    let mut complaints = refusals(&sent);
    complaints.extend(judge(&session, &cases, shelf).await?);
    complaints.extend(replays(&session, &cases).await?);
    complaints.extend(lost(&session, &ground, &sent).await?);
    complaints.extend(strays(&session, &ground, &identities, &skus).await?);
    announce(&figures(&ground, &sent, took, lives.len(), complaints.len()));

    let good = sent.iter().filter(|one| one.status == 200 && one.tries == 1).count();
    assert!(good * 100 >= sent.len() * 95, "{good} of {} taken at once, {}", sent.len(), ground.seed);
    assert!(complaints.is_empty(), "{}", report(&complaints, ground.seed));
    Ok(())
}

fn draw(ground: &Ground, skus: &[String], orders: usize) -> Outcome<(Vec<Identity>, Vec<Vec<Delivery>>)> {
    let bases = bases()?;
    let mut all = (Vec::new(), Vec::new());
    for number in 0..orders {
        let mut rng = ground.seed.rng(u64::try_from(number)?);
        let Some(base) = rng.choice(&bases) else { continue };
        let (identity, length) = (ground.identity(), distinct(&mut rng, DELIVERIES, MIX));
        all.1.push(life::life(&mut rng, base, &identity, skus, length));
        all.0.push(identity);
    }
    Ok(all)
}

/// Each order with what was accepted of it.
fn cases(ground: &Ground, lives: &[Vec<Delivery>], sent: &[Sent]) -> Vec<Case> {
    let mut cases: Vec<Case> = (0..lives.len())
        .map(|number| Case {
            name: format!("order {number}"),
            shop: ground.home.clone(),
            deliveries: Vec::new(),
        })
        .collect();
    for one in sent.iter().filter(|one| one.status == 200) {
        if let Some(case) = cases.get_mut(one.arrival.order) {
            case.deliveries.push(one.arrival.delivery.clone());
        }
    }
    cases
}

/// What was not taken, and what was taken for something else than an event of its order.
fn refusals(sent: &[Sent]) -> Vec<String> {
    let wrong = |one: &&Sent| {
        let event = one.answer.pointer("/data/event_id").is_some_and(Value::is_number);
        let outcome = one.answer.pointer("/data/outcome").and_then(Value::as_str).unwrap_or("none");
        let misdirected = one.arrival.kind == Kind::Misdirected;
        // A refund may come before its order.
        let early = one.arrival.delivery.topic == "refunds/create";
        let taken = if misdirected {
            ["ignored", "duplicate"].contains(&outcome)
        } else {
            outcome != "ignored" || early
        };
        one.status != 200 || !event || !taken || !OUTCOMES.contains(&outcome)
    };
    sent.iter()
        .filter(wrong)
        .map(|one| format!("{:?} after {} tries: {} {}", one.arrival.kind, one.tries, one.status, one.answer))
        .collect()
}

/// Deliveries that were accepted and are nowhere, and those that are stored but not applied.
async fn lost(session: &Session, ground: &Ground, sent: &[Sent]) -> Outcome<Vec<String>> {
    let accepted: Vec<&Delivery> =
        sent.iter().filter(|one| one.status == 200).map(|one| &one.arrival.delivery).collect();
    let column = |of: &dyn Fn(&Delivery) -> String| accepted.iter().map(|one| of(one)).collect::<Vec<_>>();
    let stores = column(&|one| {
        [&ground.home, &ground.other]
            .iter()
            .find(|shop| shop.domain == one.shop)
            .map_or_else(String::new, |shop| shop.store.clone())
    });
    let (topics, ids) = (column(&|one| one.topic.clone()), column(&|one| one.webhook_id.clone()));
    let hashes = column(&Delivery::content_hash);
    let unstored = session.values(UNSTORED, &[&stores, &topics, &ids, &hashes]).await?;
    Ok(unstored.iter().map(|one| format!("accepted and nowhere: {one}")).collect())
}

/// What is in another store than it belongs to, and what is stored but not applied.
async fn strays(
    session: &Session,
    ground: &Ground,
    identities: &[Identity],
    skus: &[String],
) -> Outcome<Vec<String>> {
    let gids: Vec<String> = identities.iter().map(Identity::gid).collect();
    let strays = session.values(STRAYS, &[&gids, &ground.home.store, &skus]).await?;
    let unfinished = session.values(UNFINISHED, &[&gids]).await?;
    let stray = strays.iter().map(|one| format!("in the wrong store: {one}"));
    Ok(stray.chain(unfinished.iter().map(|one| format!("not applied: {one}"))).collect())
}

fn figures(ground: &Ground, sent: &[Sent], took: Duration, orders: usize, complaints: usize) -> String {
    let mut answers: Vec<Duration> = sent.iter().flat_map(|one| one.took.iter().copied()).collect();
    answers.sort_unstable();
    let outcome = |name: &str| {
        let is = |one: &&Sent| one.answer.pointer("/data/outcome").and_then(Value::as_str) == Some(name);
        sent.iter().filter(is).count()
    };
    let outcomes: Vec<String> = OUTCOMES.iter().map(|name| format!("{name} {}", outcome(name))).collect();
    format!(
        "storm: {orders} orders, {} deliveries ({:.0}/s), p50 {:?} p95 {:?} p99 {:?}, {} sent again, {}, {complaints} complaints, {}",
        sent.len(),
        sent.len() as f64 / took.as_secs_f64(),
        percentile(&answers, 0.50),
        percentile(&answers, 0.95),
        percentile(&answers, 0.99),
        answers.len() - sent.len(),
        outcomes.join(", "),
        ground.seed
    )
}
