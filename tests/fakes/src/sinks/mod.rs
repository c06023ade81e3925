//! Upstreams that only take things in: chat, error tracking, product analytics, e-mail. Each checks what the real one
//! checks, says what it says, and enters what it took into the ledger.

mod email;
mod posthog;
mod sentry;
mod slack;

use crate::World;
use crate::answer::Answer;
use crate::lock::lock;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::HashMap;

/// Upstreams that the fakes answer for besides Shopify.
const SINKS: [&str; 4] = ["slack", "sentry", "posthog", "email"];

/// Whether the upstream is one of these.
pub fn knows(upstream: &str) -> bool {
    SINKS.contains(&upstream)
}

/// What sinks remember: by upstream and key, what was asked and what was answered.
#[derive(Default)]
pub struct Memory(HashMap<(&'static str, String), (Vec<u8>, Value)>);

impl Memory {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// A request to a sink.
pub struct Posted<'p> {
    world: &'p World,
    parts: &'p Parts,
    /// The path below the name of the upstream.
    path: &'p str,
    body: &'p [u8],
}

/// The answer of a sink.
pub fn answer(world: &World, upstream: &str, parts: &Parts, body: &[u8]) -> Answer {
    let path = parts.uri.path().strip_prefix('/').and_then(|path| path.strip_prefix(upstream));
    let posted = Posted { world, parts, path: path.unwrap_or_default(), body };
    if parts.method != axum::http::Method::POST {
        return Answer::json(StatusCode::METHOD_NOT_ALLOWED, &json!({"errors": "Method Not Allowed"}));
    }
    let mut answer = match upstream {
        "slack" => slack::take(&posted),
        "sentry" => sentry::take(&posted),
        "posthog" => posthog::take(&posted),
        _ => email::take(&posted),
    };
    answer.key = answer.key.or_else(|| posted.header("idempotency-key").map(str::to_owned));
    answer
}

impl Posted<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        header(&self.parts.headers, name)
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(self.body).ok()
    }

    /// Enters an effect into the ledger.
    fn took(&self, upstream: &str, operation: &str, key: Option<&str>, detail: Value) {
        lock(&self.world.effects).append(upstream, None, operation, key, detail);
    }

    /// What was asked and answered under a key before.
    fn known(&self, upstream: &'static str, key: &str) -> Option<(Vec<u8>, Value)> {
        lock(&self.world.sunk).0.get(&(upstream, key.to_owned())).cloned()
    }

    /// Remembers what was answered under a key.
    fn remember(&self, upstream: &'static str, key: &str, answer: Value) {
        lock(&self.world.sunk).0.insert((upstream, key.to_owned()), (self.body.to_vec(), answer));
    }
}

fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
}
