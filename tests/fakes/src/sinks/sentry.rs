//! Sentry's envelope endpoint, `/api/<project>/envelope/`: a line of headers, then items, each a line of headers and a
//! payload. An event that comes again under the same id counts once.

use super::Posted;
use crate::answer::Answer;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// Most bytes of an envelope, uncompressed.
const LARGEST: usize = 1024 * 1024;
const LEVELS: [&str; 5] = ["fatal", "error", "warning", "info", "debug"];

/// Takes an envelope.
pub fn take(posted: &Posted<'_>) -> Answer {
    if !is_endpoint(posted.path) {
        return refuse(StatusCode::NOT_FOUND, "not found");
    }
    if posted.header("content-encoding").is_some() {
        return refuse(StatusCode::BAD_REQUEST, "this fake reads no compressed envelopes");
    }
    if posted.body.len() > LARGEST {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, "envelope exceeded size limits");
    }
    let envelope = match Envelope::read(posted.body) {
        Ok(envelope) => envelope,
        Err(why) => return refuse(StatusCode::BAD_REQUEST, &format!("invalid event envelope: {why}")),
    };
    if !is_authorised(posted, &envelope.header) {
        return refuse(StatusCode::FORBIDDEN, "missing authorization information");
    }
    let id = envelope.event_id.clone();
    for item in envelope.items {
        let once = item.kind == "event";
        if let Some(id) = id.as_deref().filter(|_| once) {
            if posted.known("sentry", id).is_some() {
                continue;
            }
            posted.remember("sentry", id, Value::Null);
        }
        posted.took("sentry", &item.kind, id.as_deref().filter(|_| once), item.detail);
    }
    Answer::json(StatusCode::OK, &id.map_or_else(|| json!({}), |id| json!({"id": id})))
}

fn is_endpoint(path: &str) -> bool {
    let project = path.strip_prefix("/api/").and_then(|rest| rest.strip_suffix("/envelope/"));
    project.is_some_and(|project| !project.is_empty() && project.bytes().all(|byte| byte.is_ascii_digit()))
}

/// By the header, the query or the DSN in the envelope.
fn is_authorised(posted: &Posted<'_>, header: &Value) -> bool {
    let auth = posted.header("x-sentry-auth").and_then(|value| value.strip_prefix("Sentry "));
    let by_header = auth.is_some_and(|auth| {
        let mut parts = auth.split(',').filter_map(|part| part.trim().split_once('='));
        parts.any(|(name, value)| name == "sentry_key" && !value.is_empty())
    });
    let query = posted.parts.uri.query().unwrap_or_default();
    let by_query =
        query.split('&').any(|part| part.strip_prefix("sentry_key=").is_some_and(|key| !key.is_empty()));
    by_header || by_query || header.get("dsn").and_then(Value::as_str).is_some_and(|dsn| dsn.contains('@'))
}

struct Envelope {
    header: Value,
    event_id: Option<String>,
    items: Vec<Item>,
}

struct Item {
    kind: String,
    detail: Value,
}

impl Envelope {
    fn read(body: &[u8]) -> Result<Self, &'static str> {
        let (line, mut rest) = line(body);
        let header = object(line).ok_or("the first line is no JSON object")?;
        let event_id = match header.get("event_id") {
            None | Some(Value::Null) => None,
            Some(id) => Some(id.as_str().and_then(plain_id).ok_or("event_id is no id")?),
        };
        if let Some(at) = header.get("sent_at").filter(|at| !at.is_null()) {
            let at = at.as_str().and_then(|at| chrono::DateTime::parse_from_rfc3339(at).ok());
            at.ok_or("sent_at is no time")?;
        }
        let mut items = Vec::new();
        while !rest.is_empty() {
            // Empty lines at the end are allowed.
            if rest.iter().all(|byte| *byte == b'\n') {
                break;
            }
            let (item, after) = Item::read(rest, event_id.as_deref())?;
            items.push(item);
            rest = after;
        }
        if items.is_empty() { Err("there are no items") } else { Ok(Self { header, event_id, items }) }
    }
}

impl Item {
    fn read<'b>(body: &'b [u8], event_id: Option<&str>) -> Result<(Self, &'b [u8]), &'static str> {
        let (head, rest) = line(body);
        let head = object(head).ok_or("the header of an item is no JSON object")?;
        let kind = head.get("type").and_then(Value::as_str).ok_or("an item has no type")?.to_owned();
        let (payload, rest) = match head.get("length") {
            None | Some(Value::Null) => line(rest),
            Some(length) => {
                let length = length.as_u64().and_then(|length| usize::try_from(length).ok());
                let length = length.ok_or("the length of an item is no number")?;
                let (payload, rest) =
                    rest.split_at_checked(length).ok_or("an item is shorter than it says")?;
                match rest.split_first() {
                    None => (payload, rest),
                    Some((b'\n', rest)) => (payload, rest),
                    Some(_) => return Err("an item is longer than it says"),
                }
            }
        };
        let detail =
            if kind == "event" { event(payload, event_id)? } else { json!({"bytes": payload.len()}) };
        Ok((Self { kind, detail }, rest))
    }
}

/// What an event says, when it is one.
fn event(payload: &[u8], event_id: Option<&str>) -> Result<Value, &'static str> {
    let event_id = event_id.ok_or("an event needs an event_id in the envelope's header")?;
    let event = object(payload).ok_or("an event is no JSON object")?;
    if let Some(id) = event.get("event_id")
        && id.as_str().and_then(plain_id).as_deref() != Some(event_id)
    {
        return Err("the event has another event_id than the envelope");
    }
    if event.get("level").is_some_and(|level| !LEVELS.iter().any(|known| level == known)) {
        return Err("the level of the event is unknown");
    }
    let is_time = |at: &Value| {
        at.is_number() || at.as_str().is_some_and(|at| chrono::DateTime::parse_from_rfc3339(at).is_ok())
    };
    if event.get("timestamp").is_some_and(|at| !is_time(at)) {
        return Err("the timestamp of the event is no time");
    }
    let exceptions = event.pointer("/exception/values").or_else(|| event.get("exception"));
    if let Some(exceptions) = exceptions {
        let is_exception = |one: &Value| one.get("type").or(one.get("value")).is_some_and(Value::is_string);
        if !exceptions.as_array().is_some_and(|all| all.iter().all(is_exception)) {
            return Err("the exceptions of the event are no list of exceptions");
        }
    }
    if event.get("exception").or(event.get("message")).or(event.get("logentry")).is_none() {
        return Err("the event says nothing");
    }
    Ok(json!({
        "level": event.get("level"), "message": event.get("message"), "exception": exceptions,
        "tags": event.get("tags"), "environment": event.get("environment"), "release": event.get("release")
    }))
}

/// Up to the next line break, and what comes after it.
fn line(body: &[u8]) -> (&[u8], &[u8]) {
    let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
    let (line, rest) = body.split_at(end);
    (line, rest.get(1..).unwrap_or_default())
}

fn object(bytes: &[u8]) -> Option<Value> {
    serde_json::from_slice(bytes).ok().filter(Value::is_object)
}

/// An id without dashes: 32 hexadecimal digits.
fn plain_id(text: &str) -> Option<String> {
    let plain: String = text.chars().filter(|c| *c != '-').collect();
    (plain.len() == 32 && plain.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| plain.to_lowercase())
}

fn refuse(status: StatusCode, detail: &str) -> Answer {
    Answer::json(status, &json!({"detail": detail}))
}
