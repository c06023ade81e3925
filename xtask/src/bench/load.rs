//! Load over HTTP/1.1: so many connections, each with one request under way at a time, made beforehand down to the last
//! header. Latencies are taken at the client. An unexpected answer ends the run: its time would mean nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures_util::future::try_join_all;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Connections at a time.
pub const CONNECTIONS: usize = 16;

/// A request that is ready to be sent.
#[derive(Clone, Debug)]
pub struct Shot {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Shot {
    /// A `POST` of JSON.
    pub fn post(path: &str, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Result<Self> {
        let mut map = HeaderMap::new();
        map.insert(HOST, HeaderValue::from_static("ordak.example"));
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).with_context(|| format!("no value for {name}"))?;
            map.insert(HeaderName::from_static(name), value);
        }
        Ok(Self { path: path.to_owned(), headers: map, body: body.into() })
    }

    fn request(&self) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&self.path)
            .body(Full::new(self.body.clone()))
            .context("not a request")?;
        request.headers_mut().clone_from(&self.headers);
        Ok(request)
    }
}

/// What every answer must look like.
#[derive(Clone, Copy, Debug)]
pub struct Expected {
    /// Status.
    pub status: u16,
    /// A part of the body.
    pub part: &'static str,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub took: Duration,
    /// Milliseconds of each request, sorted.
    pub times_ms: Vec<f64>,
}

impl Outcome {
    /// Answers per second.
    pub fn per_second(&self) -> f64 {
        self.times_ms.len() as f64 / self.took.as_secs_f64()
    }

    /// So many percent of the requests took no longer, by nearest rank.
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.times_ms.len() * percent).div_ceil(100).max(1) - 1;
        self.times_ms.get(rank).copied().unwrap_or_default()
    }
}

/// How much is sent.
#[derive(Clone, Copy, Debug)]
pub enum Volume {
    /// Every shot once.
    Once,
    /// The shots over and over, for so long.
    For(Duration),
}

/// Fires.
pub async fn fire(
    address: SocketAddr,
    shots: &Arc<[Shot]>,
    volume: Volume,
    expected: Expected,
) -> Result<Outcome> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let connections = (0..CONNECTIONS).map(|_| {
        let gun = Gun { shots: Arc::clone(shots), next: Arc::clone(&next), started, volume, expected };
        tokio::spawn(gun.fire(address))
    });
    let mut times_ms = Vec::new();
    for times in try_join_all(connections).await.context("a connection ended")? {
        times_ms.extend(times?);
    }
    let took = started.elapsed();
    times_ms.sort_by(f64::total_cmp);
    Ok(Outcome { took, times_ms })
}

struct Gun {
    shots: Arc<[Shot]>,
    next: Arc<AtomicUsize>,
    started: Instant,
    volume: Volume,
    expected: Expected,
}

impl Gun {
    async fn fire(self, address: SocketAddr) -> Result<Vec<f64>> {
        let mut connection = connect(address).await?;
        let mut times = Vec::new();
        while let Some(shot) = self.load() {
            connection.ready().await.context("the connection was closed")?;
            let begun = Instant::now();
            let response = connection.send_request(shot.request()?).await.context("no answer")?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await.context("half an answer")?.to_bytes();
            times.push(begun.elapsed().as_secs_f64() * 1000.0);
            let text = String::from_utf8_lossy(&body);
            if status != self.expected.status || !text.contains(self.expected.part) {
                bail!("answered {status} {text}, where {:?} was expected", self.expected);
            }
        }
        Ok(times)
    }

    fn load(&self) -> Option<&Shot> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        match self.volume {
            Volume::Once => self.shots.get(number),
            Volume::For(time) if self.started.elapsed() >= time => None,
            Volume::For(_) => self.shots.get(number % self.shots.len().max(1)),
        }
    }
}

/// A connection to a server.
pub async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.with_context(|| format!("cannot connect to {address}"))?;
    stream.set_nodelay(true).context("cannot set up a connection")?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.context("no HTTP")?;
    // It ends when its sender is dropped; what breaks it is told to whoever sends.
    drop(tokio::spawn(connection));
    Ok(sender)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::post;

    use super::*;

    async fn server() -> SocketAddr {
        let app = Router::new().route("/", post(async |body: String| format!("got {body}")));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, app).await });
        address
    }

    #[tokio::test]
    async fn fires_all_once_or_until_the_time_is_over() {
        let shots: Arc<[Shot]> = (0..3).map(|n| Shot::post("/", &[], n.to_string()).unwrap()).collect();
        let expected = Expected { status: 200, part: "got " };
        let (address, time) = (server().await, Duration::from_millis(300));
        let once = fire(address, &shots, Volume::Once, expected).await.unwrap();
        assert_eq!(once.times_ms.len(), 3);
        let outcome = fire(address, &shots, Volume::For(time), expected).await.unwrap();
        assert!(outcome.took >= time && !outcome.times_ms.is_empty());
        assert!(outcome.per_second() > 0.0 && outcome.percentile(50) <= outcome.percentile(99));
    }

    #[tokio::test]
    async fn an_unexpected_answer_ends_the_run() {
        let shots: Arc<[Shot]> = [Shot::post("/", &[], "x").unwrap()].into();
        for expected in [Expected { status: 201, part: "" }, Expected { status: 200, part: "got y" }] {
            let time = Volume::For(Duration::from_secs(60));
            assert!(fire(server().await, &shots, time, expected).await.is_err());
        }
    }
}
