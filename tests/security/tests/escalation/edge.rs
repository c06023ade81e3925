//! Through the edge: fields that name somebody else, and paths that lead somewhere else.

use crate::{PEOPLE, as_actor, describe};
use anyhow::Result;
use ordak_core::action::ACTIONS;
use ordak_security::http::Request;
use ordak_security::people::Actor;
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;
use serde_json::json;

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
