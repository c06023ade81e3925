//! `POST /functions/v1/gap-repair`: compares each store with its shop now and says what was missing.
//!
//! For the service role alone: an hourly cron trigger and operators. What is missing is decided in Postgres, what
//! Shopify's answers mean in `ordak-core`; here both are asked, one store beside the other. Body, all of it optional:
//! `{"stores": ["bannos"]}`.

mod alert;
mod database;
mod deliver;
mod report;
mod run;
mod store;
mod subscriptions;

use ordak_core::{
    envelope::{Envelope, Failure, Fault, Rejection},
    settings::{GapRepairSettings, WEBHOOK_SECRET},
};
use ordak_edge::{
    answer::Answer,
    body, door,
    incoming::Incoming,
    isolate::{PerIsolate, Variables, getter},
    kick,
    rpc::Rpc,
    serve::{Call, Function},
    shop_access::ShopAccess,
};
use run::Run;
use serde::Deserialize;
use std::rc::Rc;
use worker::{Context, Env, event, web_sys};

/// More stores than this name nobody by hand.
const LONGEST_BODY: usize = 64 * 1024;

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

const FUNCTION: Function<Setup> = Function { name: "gap-repair", setup: &SETUP, prepare };

struct Setup {
    settings: GapRepairSettings,
    shops: ShopAccess,
    rpc: Rpc,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let secrets: Variables =
        variables.iter().filter(|(name, _)| name.starts_with(WEBHOOK_SECRET)).cloned().collect();
    let settings = GapRepairSettings::read(&getter(variables), &secrets)?;
    let database = &settings.worker.database;
    let rpc = Rpc::new(&database.supabase_url, database.service_key.headers())?;
    let shops = ShopAccess::new(&settings.worker, variables)?;
    Ok(Setup { settings, shops, rpc })
}

#[event(fetch)]
async fn fetch(request: Incoming, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    FUNCTION.serve(request, env, context, repair).await
}

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Only these stores; all without it.
    stores: Option<Vec<String>>,
}

async fn repair(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    let service_key = &setup.settings.worker.database.service_key;
    if let Some(answer) = door::for_service_alone(call, FUNCTION.name, service_key)? {
        return Ok(answer);
    }
    let wanted = read(&body::read(&call.request, LONGEST_BODY).await?)?;
    let report = Run::new(&setup, &call.env, &call.id).over(wanted.stores.as_deref()).await?;
    if report.repaired() > 0 {
        kick::kick(FUNCTION.name, &call.id, &call.env, &call.context, service_key);
    }
    let answer = |outcome| Answer::envelope(&Envelope::done(report.to_json()), outcome);
    Ok(match (report.stopped(), report.repaired()) {
        (0, 0) => answer("complete").without_news(),
        (0, _) => answer("repaired").worth_attention(),
        _ => answer("stopped").worth_attention(),
    })
}

fn read(body: &[u8]) -> Result<Wanted, Rejection> {
    if body.is_empty() {
        return Ok(Wanted::default());
    }
    serde_json::from_slice(body)
        .map_err(|_| Rejection::bad_input(r#"the body must be {"stores": ["<store>", …]} or empty"#))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_body_every_store_is_meant() {
        assert_eq!(read(b"").unwrap().stores, None);
        assert_eq!(read(b"{}").unwrap().stores, None);
        assert_eq!(read(br#"{"stores":["bannos"]}"#).unwrap().stores, Some(vec!["bannos".to_owned()]));
        for body in [&b"null"[..], b"[]", b"{", br#"{"stores":"bannos"}"#, br#"{"store":"bannos"}"#] {
            assert!(read(body).is_err());
        }
    }
}
