//! `POST /functions/v1/queue-worker`: drains the work queue now and says what came of it.
//!
//! For the service role alone: cron triggers and the functions that wake it. What is due, who may take it and what a
//! failure means is decided in Postgres and `ordak-core`; here effects are carried out.

mod alert;
mod drain;
mod email;
mod job;
mod lanes;
mod mapping;
mod push;
mod queue;
mod refund;
mod replay;
mod run;
mod stock_check;

use drain::Drain;
use ordak_core::{
    envelope::{Envelope, Failure, Fault, Rejection},
    settings::WorkerSettings,
};
use ordak_edge::{
    answer::Answer,
    body, door,
    incoming::Incoming,
    isolate::{PerIsolate, Variables, getter},
    rpc::Rpc,
    serve::{Call, Function},
    shop_access::ShopAccess,
};
use serde::Deserialize;
use std::rc::Rc;
use worker::{Context, Env, event, web_sys};

/// No wish is longer.
const LONGEST_BODY: usize = 1024;

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

const FUNCTION: Function<Setup> = Function { name: "queue-worker", setup: &SETUP, prepare };

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
    FUNCTION.serve(request, env, context, work).await
}

async fn work(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    if let Some(answer) = door::for_service_alone(call, FUNCTION.name, &setup.settings.database.service_key)?
    {
        return Ok(answer);
    }
    let run = Drain::new(&setup, is_patient(call).await?).run().await?;
    let answer = |outcome| Answer::envelope(&Envelope::done(run.to_json()), outcome);
    Ok(match (run.claimed, run.dead, run.postponed) {
        (0, 0, _) => answer("idle").without_news(),
        (_, 0, 0) => answer("drained"),
        (_, 0, _) => answer("postponed").worth_attention().because(&run.reasons()),
        _ => answer("gave_up").worth_attention().because(&run.reasons()),
    })
}

/// What a request may say.
#[derive(Default, Deserialize)]
struct Wish {
    /// Whoever asks has time: the drain stays for what is due but held back.
    #[serde(default)]
    patient: bool,
}

async fn is_patient(call: &mut Call) -> Result<bool, Failure> {
    let body = body::read(&call.request, LONGEST_BODY).await?;
    let wish: Wish = match body.as_slice() {
        [] => Wish::default(),
        body => serde_json::from_slice(body)
            .map_err(|_| Rejection::bad_input("the body may be {\"patient\": true}"))?,
    };
    Ok(wish.patient)
}
