//! Through the edge: fields that name somebody else, and paths that lead somewhere else.

use crate::{PEOPLE, as_actor, describe};
use anyhow::Result;
use ordak_core::action::ACTIONS;
use ordak_security::http::Request;
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;
use serde_json::json;

/// Pages that are no kiosk of ours.
const STRANGE_ORIGINS: [&str; 10] = [
    "null",
    "*",
    "https://evil.example",
    "http://localhost",
    "http://localhost:51730",
    "http://localhost:5173.evil.example",
    "http://evil.example/http://localhost:5173",
    "http://evil.localhost:5173",
    "HTTP://LOCALHOST:5173/",
    "http://localhost:5173, https://evil.example",
];

/// What somebody might put into a body to be somebody else, or somewhere else.
fn additions() -> Vec<(&'static str, serde_json::Value)> {
    let admin = json!(Actor::Admin.user());
    vec![
        ("user", admin.clone()),
        ("p_user", admin.clone()),
        ("user_id", admin.clone()),
        ("sub", admin),
        ("store", json!("bannos")),
        ("p_store", json!("bannos")),
        ("role", json!("Admin")),
        ("p_role", json!("service_role")),
        ("rpc", json!("create_store")),
        ("__proto__", json!({"role": "Admin"})),
        ("claims", json!({"role": "service_role"})),
    ]
}

/// Every action with every addition, by people who may not act in this store; then every wrong path.
pub fn bodies_and_paths(stack: &Stack, tally: &mut Tally) -> Result<()> {
    for action in ACTIONS {
        for (name, value) in additions() {
            for actor in [Actor::Stranger, Actor::Inactive, Actor::Elsewhere] {
                let mut body = json!({"id": "bannos-1", "scan": "bannos-1", "reason": "x", "staff_id": null, "storage": "x"});
                body[name] = value.clone();
                let url = format!(
                    "{}?{name}={}",
                    stack.function(&format!("stage-actions/{}", action.name)),
                    value.as_str().unwrap_or("1")
                );
                let answer = as_actor(Request::post(url, body.to_string()), actor, stack)
                    .header("X-Store", "bannos")
                    .send()?;
                let refused = (400..500).contains(&answer.status) && answer.json()["ok"] == false;
                tally.check("bodies with more in them", refused, || {
                    describe(&format!("{} {} with {name}", actor.name(), action.name), &answer)
                });
            }
        }
    }
    for actor in PEOPLE.into_iter().chain([Actor::Admin]) {
        for path in [
            "stage-actions/create_store",
            "stage-actions/ingest_shopify_event",
            "stage-actions/claim_work",
            "stage-actions/upsert_staff",
            "stage-actions/SCAN",
            "stage-actions/scan%00",
            "stage-actions/scan/../../queue-worker",
            "stage-actions/..%2fqueue-worker",
            "stage-actions/%2e%2e/queue-worker",
            "stage-actions//scan",
            "stage-actions/rpc/scan",
            "stage-actions/",
            "stage-actions",
            "queue-worker",
            "queue-worker/",
            "queue-worker/drain",
            "queue-worker?apikey=x",
            "order-ingest",
            "gateway",
            "settings/credentials",
            "batch-processor",
            "__scheduled",
            "stage-actions/scan;x=y",
            "supabase-url",
            "supabase-service-role-key",
            "kiosk-origins",
            "constructor",
            "to-string",
            "stage-actions\\scan",
        ] {
            let answer = as_actor(Request::post(stack.function(path), "{}"), actor, stack).send()?;
            tally.check("paths", (400..500).contains(&answer.status), || {
                describe(&format!("{} {path}", actor.name()), &answer)
            });
        }
    }
    Ok(())
}

/// A browser gets no leave to read an answer, or to send a request, from any page but a kiosk's.
pub fn origins(stack: &Stack, tally: &mut Tally) -> Result<()> {
    let url = stack.function("stage-actions/order?scan=bannos-1");
    for origin in STRANGE_ORIGINS {
        let preflight = Request::new("OPTIONS", &url).header("Access-Control-Request-Method", "GET");
        for request in [preflight, as_actor(Request::get(&url), Actor::Staff, stack)] {
            let answer = request.header("Origin", origin).send()?;
            let leave = answer.headers.iter().find(|(name, _)| name.starts_with("access-control-allow"));
            tally.check("strange origins", leave.is_none() && answer.status < 500, || {
                describe(&format!("{origin:?} was given {leave:?}"), &answer)
            });
        }
    }
    Ok(())
}
