//! The one door: reads a request whole, records it, lets a fault take it, else hands it to its fake.

use crate::answer::Answer;
use crate::calls::Call;
use crate::faults::{self, Subject};
use crate::lock::lock;
use crate::{World, shopify, sinks};
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// More than any caller has reason to send.
const BODY_LIMIT: usize = 32 * 1024 * 1024;

/// Serves everything that is not a control route.
pub async fn serve(State(world): State<World>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, BODY_LIMIT).await else {
        return Answer::json(StatusCode::PAYLOAD_TOO_LARGE, &json!({"errors": "Payload Too Large"})).whole();
    };
    let mut segments = parts.uri.path().trim_start_matches('/').split('/');
    let upstream = segments.next().unwrap_or_default().to_owned();
    let shop = if upstream == "shopify" { segments.next().map(str::to_owned) } else { None };

    let ticket = lock(&world.calls).begin(record(&parts, &upstream, shop.clone(), &body));
    let subject = Subject { upstream: &upstream, shop: shop.as_deref(), body: &body };
    let fault = lock(&world.faults).take(&subject);
    if let Some(fault) = &fault {
        lock(&world.calls).finish(ticket, |call| call.fault = Some(fault.mode.name().to_owned()));
    }

    let execute = {
        let (world, upstream, shop, body) = (world.clone(), upstream.clone(), shop.clone(), body.clone());
        move || dispatch(&world, &upstream, shop.as_deref(), &parts, &body)
    };
    let reply = match &fault {
        None => faults::Reply::plain(execute()),
        Some(fault) => {
            let held = shop.as_deref().and_then(|shop| shopify::hold(&world, shop, &body));
            faults::apply(fault, &subject, held, execute).await
        }
    };
    lock(&world.calls).finish(ticket, |call| {
        call.status = reply.status;
        call.idempotency_key = reply.key.clone();
    });
    reply.response
}

fn dispatch(world: &World, upstream: &str, shop: Option<&str>, parts: &Parts, body: &Bytes) -> Answer {
    match shop {
        Some(shop) => shopify::answer(world, shop, parts, body),
        None if sinks::knows(upstream) => sinks::answer(world, upstream, parts, body),
        None => Answer::json(StatusCode::NOT_FOUND, &json!({"errors": "Not Found"})),
    }
}

fn record(parts: &Parts, upstream: &str, shop: Option<String>, body: &Bytes) -> Call {
    let text = || Value::String(String::from_utf8_lossy(body).into_owned());
    Call {
        at: Call::now(),
        upstream: upstream.to_owned(),
        shop,
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: header_map(&parts.headers),
        body: serde_json::from_slice(body).unwrap_or_else(|_| text()),
        status: None,
        idempotency_key: None,
        fault: None,
    }
}

fn header_map(headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut map = BTreeMap::<String, String>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        map.entry(name.as_str().to_owned())
            .and_modify(|known| {
                known.push(',');
                known.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    map
}
