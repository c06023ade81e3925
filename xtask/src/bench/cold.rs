//! `cold`: how long the first request takes when nothing is running: workerd starts with one worker, compiles it, makes
//! its isolate and answers. The request waits at the door from the beginning, so that nothing but the answer is awaited.
//!
//! An empty worker shows what of it is workerd's own start.

use std::time::Instant;

use anyhow::{Context, Result};
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::HOST;

use super::load;
use super::place::Place;
use super::rounds::{Comparison, Goal, Metric};
use super::workerd::{Worker, Workerd};

/// Starts in a turn; the quickest counts, since whatever disturbs a start makes it slower.
const STARTS: usize = 7;

const METRICS: [Metric; 2] = [
    Metric { name: "first answer, ms", more_is_better: false },
    Metric { name: "without workerd's own", more_is_better: false },
];

const HELLO: &str = "Rust hello world";
const TYPESCRIPT: &str = "TypeScript order-ingest";
const EMPTY: &str = "empty worker";

/// One comparison for each function.
pub async fn run(place: &Place) -> Result<Vec<Comparison>> {
    let hello = place.worker(&place.hello).await?;
    let typescript = place.peer("order-ingest").await?;
    let empty = place.peer("idle").await?;
    let mut comparisons = Vec::new();
    for function in &place.functions {
        let own = place.worker(function).await?.every_service_but("", "idle");
        let groups = [
            vec![own, empty.clone()],
            vec![hello.clone(), empty.clone()],
            vec![typescript.clone(), empty.clone()],
            vec![empty.clone()],
        ];
        let names = ["Ordak", HELLO, TYPESCRIPT, EMPTY];
        let goals = [Goal { metric: METRICS[0].name, beside: HELLO, ratio: 0.5 }];
        let mut comparison = Comparison::new(format!("cold: {}", function.name), &METRICS, &names, &goals);
        let turn = async |who: usize, _| {
            let group = groups.get(who).context("nobody's turn")?;
            let (floor, took) = (first_answer(place, &groups[3]).await?, first_answer(place, group).await?);
            Ok(vec![took, (took - floor).max(0.0)])
        };
        comparison.run(turn).await?;
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

async fn first_answer(place: &Place, workers: &[Worker]) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let workerd = Workerd::start(&place.layout, "bench-cold", workers)?;
        let answered = ask(&workerd).await;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        workerd.stop().await?;
        answered?;
    }
    times.into_iter().reduce(f64::min).context("no times")
}

/// Any path will do: what counts is that the worker answers.
async fn ask(workerd: &Workerd) -> Result<()> {
    let mut connection = load::connect(workerd.address).await?;
    let request = Request::builder()
        .uri("/functions/v1/nothing")
        .header(HOST, "ordak.example")
        .body(Full::new(Bytes::new()))
        .context("not a request")?;
    let response = connection.send_request(request).await.context("no answer")?;
    response.into_body().collect().await.context("half an answer")?;
    Ok(())
}
