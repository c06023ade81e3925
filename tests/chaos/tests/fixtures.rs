//! Every real order ends in the same row, whatever the order of the deliveries that are derived from it.

use ordak_chaos::figures::{announce, report};
use ordak_chaos::ground::Ground;
use ordak_chaos::trial::{Ran, run};
use ordak_chaos::verdict::{Case, Shelf, judge, replays};
use ordak_e2e::{Failure, Outcome};
use ordak_model::{Story, bases, permutations};
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

#[tokio::test(flavor = "multi_thread")]
async fn every_order_fixture_converges_from_every_order_of_its_deliveries() -> Outcome {
    let ground = Ground::open(2).await?;
    let skus = ground.stock("FIXTURE", 3, 1_000_000).await?;
    let mut cases = Vec::new();
    let bases = bases()?;
    for base in &bases {
        // The fixture as it is, then with its lines in stock.
        for stocked in [false, true] {
            for order in permutations(4) {
                let identity = ground.identity();
                let mut story = Story::new(base, &identity);
                if stocked {
                    for (index, sku) in skus.iter().enumerate().take(story.line_count()) {
                        story.order_line(index, sku, 2);
                    }
                }
                story.tell("orders/create");
                story.pass(60);
                story.want(0, 1);
                story.set("note", json!("changed"));
                story.tell("orders/updated");
                story.pass(60);
                story.set("financial_status", json!("paid"));
                story.tell("orders/paid");
                story.pass(60);
                story.cancel("customer");
                story.tell("orders/cancelled");
                let deliveries = order.iter().filter_map(|index| story.told().get(*index).cloned()).collect();
                let name = format!("{} {order:?}", base.name);
                cases.push(Case { name, shop: identity.shop, deliveries });
            }
        }
    }
    let cases = Arc::new(cases);
    let started = Instant::now();
    let (sessions, Ran { calls, refused }) = run(ground.sessions(4).await?, &cases).await?;
    let rate = calls as f64 / started.elapsed().as_secs_f64();
    let mut complaints = refused;
    let session = sessions.first().ok_or_else(|| Failure::new("no session"))?;
    let shelf = Shelf { store: &ground.home.store, ample: &skus, scarce: &[] };
    complaints.extend(judge(session, &cases, shelf).await?);
    complaints.extend(replays(session, &cases).await?);
    announce(&format!(
        "fixtures: {} orders from {} fixtures, {calls} deliveries ({rate:.0}/s), {} complaints, {}",
        cases.len(),
        bases.len(),
        complaints.len(),
        ground.seed
    ));
    assert!(complaints.is_empty(), "{}", report(&complaints, ground.seed));
    Ok(())
}
