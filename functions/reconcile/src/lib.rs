//! `POST /functions/v1/reconcile`: compares the stock of stores with their shops and says how far it came.
//!
//! For the service role alone: a cron trigger and operators. Whose quiet hour it is, what a level means and what is done
//! about it is decided in Postgres; here Shopify's levels are read, page by page. Body, all of it optional:
//! `{"stores": ["bannos"], "now": true}`, the latter without waiting for the quiet hour.

mod database;
mod report;
mod run;
mod store;

use ordak_core::{
    envelope::{Envelope, Failure, Fault, Rejection},
    settings::WorkerSettings,
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

const FUNCTION: Function<Setup> = Function { name: "reconcile", setup: &SETUP, prepare };

struct Setup {
    settings: WorkerSettings,
    shops: ShopAccess,
    rpc: Rpc,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let settings = WorkerSettings::read(&getter(variables))?;
    let rpc = Rpc::new(&settings.database.supabase_url, settings.database.service_key.headers())?;
    let shops = ShopAccess::new(&settings, variables)?;
    Ok(Setup { settings, shops, rpc })
}

#[event(fetch)]
async fn fetch(request: Incoming, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    FUNCTION.serve(request, env, context, reconcile).await
}

/// What is asked for.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// Only these stores; all without it.
    stores: Option<Vec<String>>,
    /// Whatever the hour.
    #[serde(default)]
    now: bool,
}

async fn reconcile(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    let service_key = &setup.settings.database.service_key;
    if let Some(answer) = door::for_service_alone(call, FUNCTION.name, service_key)? {
        return Ok(answer);
    }
    let wanted = read(&body::read(&call.request, LONGEST_BODY).await?)?;
    let report = Run::new(&setup, &call.id).over(wanted.stores.as_deref(), wanted.now).await?;
    if report.has_found() {
        kick::kick(FUNCTION.name, &call.id, &call.env, &call.context, service_key);
    }
    let answer = |outcome| Answer::envelope(&Envelope::done(report.to_json()), outcome);
    Ok(match (report.stores.len(), report.stopped()) {
        (0, _) => answer("nothing_due").without_news(),
        (_, 0) => answer("complete"),
        _ => answer("stopped").worth_attention(),
    })
}

fn read(body: &[u8]) -> Result<Wanted, Rejection> {
    if body.is_empty() {
        return Ok(Wanted::default());
    }
    serde_json::from_slice(body).map_err(|_| {
        Rejection::bad_input(r#"the body must be {"stores": ["<store>", …], "now": true} or empty"#)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_body_every_store_is_meant_in_its_quiet_hour() {
        assert_eq!(read(b"").unwrap(), Wanted::default());
        assert_eq!(read(b"{}").unwrap(), Wanted::default());
        let wanted = read(br#"{"stores":["bannos"],"now":true}"#).unwrap();
        assert_eq!((wanted.stores, wanted.now), (Some(vec!["bannos".to_owned()]), true));
        for body in
            [&b"null"[..], b"[]", b"{", br#"{"stores":"bannos"}"#, br#"{"now":1}"#, br#"{"force":true}"#]
        {
            assert!(read(body).is_err());
        }
    }
}
