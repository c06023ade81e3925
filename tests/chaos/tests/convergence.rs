//! The final state is a function of the set of deliveries: every permutation of small sets, samples of large ones.
//!
//! Deliveries go straight into the function that the edge calls, normalised as the edge does it.

mod sets;

use ordak_chaos::figures::{announce, report, times};
use ordak_chaos::ground::Ground;
use ordak_chaos::session::Session;
use ordak_chaos::trial::{Ran, race, run};
use ordak_chaos::verdict::{Case, Shelf, judge, replays, traces};
use ordak_e2e::{Failure, Outcome};
use ordak_model::{Delivery, bases, differences, life, permutations, rank, shuffled};
use std::sync::Arc;
use std::time::Instant;

/// Connections.
const SESSIONS: usize = 6;
/// Deliveries of a large set.
const LARGE: usize = 8;
/// More than anybody will order.
const PLENTY: i32 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn every_permutation_of_small_sets_ends_in_the_same_row() -> Outcome {
    let ground = Ground::open(0).await?;
    let skus: sets::Skus = ground
        .stock("SMALL", 4, PLENTY)
        .await?
        .try_into()
        .map_err(|_| Failure::new("four SKUs are needed"))?;
    let mut cases = Vec::new();
    for set in sets::all() {
        for order in permutations(set.length) {
            let told = (set.tell)(&ground.identity(), &skus)?;
            assert_eq!(told.len(), set.length, "{}", set.name);
            cases.push(case(&ground, format!("{} {order:?}", set.name), &told, &order));
        }
    }
    converge(&ground, "permutations of 5", cases, &skus).await
}

#[tokio::test(flavor = "multi_thread")]
async fn sampled_permutations_of_large_sets_end_in_the_same_row() -> Outcome {
    let ground = Ground::open(1).await?;
    let skus = ground.stock("LARGE", 6, PLENTY).await?;
    // Twenty permutations of each of a hundred sets.
    let mut cases = samples(&ground, &skus, 100 * times(), 20)?;
    misdirect(&ground, &mut cases);
    converge(&ground, "samples of 8", cases, &skus).await
}

#[tokio::test(flavor = "multi_thread")]
async fn deliveries_that_race_end_in_the_same_row() -> Outcome {
    let ground = Ground::open(5).await?;
    let skus = ground.stock("RACE", 6, PLENTY).await?;
    let cases = Arc::new(samples(&ground, &skus, 300 * times(), 1)?);
    let started = Instant::now();
    let (sessions, ran) = race(ground.sessions(LARGE).await?, &cases).await?;
    conclude(&ground, "races of 8", sessions, ran, started, &cases, &skus).await
}

/// Random sets of eight deliveries, each in several permutations.
fn samples(ground: &Ground, skus: &[String], sets: usize, permutations: u64) -> Outcome<Vec<Case>> {
    let bases = bases()?;
    let mut cases = Vec::new();
    for set in 0..u64::try_from(sets)? {
        let Some(base) = ground.seed.rng(set).choice(&bases) else { continue };
        for sample in 0..permutations {
            // The same life under another identity each time.
            let mut rng = ground.seed.rng(set);
            let distinct = rng.usize(5..=LARGE);
            let mut told = life::life(&mut rng, base, &ground.identity(), skus, distinct);
            while told.len() < LARGE {
                let again = told.get(rng.usize(..distinct)).map(|again| {
                    let fresh = format!("{}-again-{}", again.webhook_id, told.len());
                    if rng.bool() { again.replayed(fresh) } else { again.clone() }
                });
                told.extend(again);
            }
            let order = shuffled(&mut ground.seed.rng(set * 1000 + sample + 1), told.len());
            cases.push(case(ground, format!("set {set} of {} {order:?}", base.name), &told, &order));
        }
    }
    Ok(cases)
}

/// One order in four also gets a delivery under the header of another shop, once it belongs to its own.
fn misdirect(ground: &Ground, cases: &mut [Case]) {
    let mut rng = ground.seed.rng(u64::MAX);
    for case in cases.iter_mut().step_by(4) {
        if let Some(stray) = rng.choice(&case.deliveries) {
            let fresh = format!("{}-stray", stray.webhook_id);
            let stray = stray.replayed(fresh).misdirected(&ground.other.domain);
            // Only a snapshot says where an order belongs.
            let bound = case.deliveries.iter().position(|one| rank(&one.topic).is_some()).unwrap_or(0) + 1;
            case.deliveries.insert(rng.usize(bound..=case.deliveries.len()), stray);
        }
    }
}

fn case(ground: &Ground, name: String, told: &[Delivery], order: &[usize]) -> Case {
    let deliveries = order.iter().filter_map(|index| told.get(*index).cloned()).collect();
    Case { name, shop: ground.home.clone(), deliveries }
}

async fn converge(ground: &Ground, what: &str, cases: Vec<Case>, skus: &[String]) -> Outcome {
    let started = Instant::now();
    let cases = Arc::new(cases);
    let (sessions, ran) = run(ground.sessions(SESSIONS).await?, &cases).await?;
    conclude(ground, what, sessions, ran, started, &cases, skus).await
}

async fn conclude(
    ground: &Ground,
    what: &str,
    sessions: Vec<Session>,
    ran: Ran,
    started: Instant,
    cases: &[Case],
    skus: &[String],
) -> Outcome {
    let speed = ran.calls as f64 / started.elapsed().as_secs_f64();
    let (calls, refusals, mut complaints) = (ran.calls, ran.refused.len(), ran.refused);
    let shelf = Shelf { store: &ground.home.store, ample: skus, scarce: &[] };
    let session = ground.session().await?;
    complaints.extend(judge(&session, cases, shelf).await?);
    complaints.extend(replays(&session, cases).await?);
    complaints.extend(repeat(&session, sessions, cases, shelf).await?);
    announce(&format!(
        "convergence, {what}: {} orders, {calls} deliveries ({speed:.0}/s), {refusals} refused, {} complaints, {}",
        cases.len(),
        complaints.len(),
        ground.seed
    ));
    assert!(complaints.is_empty(), "{}", report(&complaints, ground.seed));
    Ok(())
}

/// A tenth of the orders once more, under fresh ids and backwards: nothing may move.
async fn repeat(
    session: &Session,
    sessions: Vec<Session>,
    cases: &[Case],
    shelf: Shelf<'_>,
) -> Outcome<Vec<String>> {
    let again = |case: &Case| Case {
        deliveries: case
            .deliveries
            .iter()
            .enumerate()
            .map(|(turn, one)| one.replayed(format!("{}-replay-{turn}", one.webhook_id)))
            .rev()
            .collect(),
        ..case.clone()
    };
    let cases: Arc<Vec<Case>> = Arc::new(cases.iter().step_by(10).map(again).collect());
    let before = traces(session, &cases, shelf).await?;
    let (_, Ran { mut refused, .. }) = run(sessions, &cases).await?;
    let after = traces(session, &cases, shelf).await?;
    refused.extend(differences(&before, &after).into_iter().map(|wrong| format!("a replay moves {wrong}")));
    Ok(refused)
}
