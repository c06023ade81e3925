//! `POST /functions/v1/order-ingest`: a Shopify delivery is verified, normalised and handed to one RPC.
//!
//! Nothing is parsed before the signature is verified, and 200 is said only after the database has committed. What an
//! order means is decided in `ordak-core` and in SQL; here bytes are carried.

mod arrival;
mod delivery;
mod intake;
mod queued;
mod spill;
mod statement;

use arrival::Arrival;
use delivery::Delivery;
use intake::Intake;
use ordak_core::{
    envelope::{Failure, Fault, Rejection},
    route,
    settings::{IngestSettings, WEBHOOK_SECRET},
    signature::VerifiedBy,
};
use ordak_edge::{
    answer::Answer,
    body, clock,
    isolate::{PerIsolate, Variables, getter, variables},
    kick,
    rpc::Rpc,
    serve::{Call, Function},
    store_settings::StoreSettings,
};
use std::rc::Rc;
use worker::{Context, Env, MessageBatch, Request, Response, event};

/// Outcomes after which work may be due.
const CHANGES: [&str; 4] = ["created", "updated", "hydrated", "cancelled"];

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

const FUNCTION: Function<Setup> = Function { name: "order-ingest", setup: &SETUP, prepare };

struct Setup {
    settings: IngestSettings,
    stores: StoreSettings,
    rpc: Rpc,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let secrets: Variables =
        variables.iter().filter(|(name, _)| name.starts_with(WEBHOOK_SECRET)).cloned().collect();
    let settings = IngestSettings::read(&getter(variables), &secrets)?;
    let rpc = Rpc::new(&settings.database.supabase_url, settings.database.service_key.headers())?;
    Ok(Setup { settings, stores: StoreSettings::default(), rpc })
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> worker::Result<Response> {
    FUNCTION.serve(request, env, context, receive).await
}

async fn receive(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    if route::rest_of(&call.request.path(), FUNCTION.name) != Some("") {
        return Ok(Answer::not_found());
    }
    if call.method() != "POST" {
        return Ok(Answer::method_not_allowed("POST"));
    }
    let raw = body::read(&mut call.request, body::LIMIT).await?;
    let arrival = Arrival::new(|name| call.header(name), raw);
    let verified = setup.verify(&arrival)?;
    call.route = Some(arrival.topic().to_string());
    let answer = match setup.take(&arrival, verified).await {
        Ok(answer) => answer,
        Err(failure) => spill::instead_of(failure, &call.env, &arrival).await?,
    };
    if announces(&answer) {
        kick::kick(FUNCTION.name, &call.id, &call.env, &call.context, &setup.settings.database.service_key);
        return Ok(answer);
    }
    Ok(answer.without_news())
}

#[event(queue)]
async fn queue(batch: MessageBatch<()>, env: Env, context: Context) -> worker::Result<()> {
    match SETUP.with(|cell| cell.get(|| prepare(&variables(&env)))) {
        Ok(setup) => queued::consume(&batch, &setup, &env, &context).await,
        Err(fault) => queued::put_off(&batch, &fault),
    }
    Ok(())
}

/// Whether work may be due after this answer.
fn announces(answer: &Answer) -> bool {
    CHANGES.contains(&answer.outcome())
}

impl Setup {
    /// Whose secret signed the body. Nothing of it has been read before.
    fn verify(&self, arrival: &Arrival) -> Result<VerifiedBy, Rejection> {
        let verified = self.settings.signing.verify(arrival.signature(), &arrival.raw);
        verified.map_err(|_| Rejection::unauthenticated("the signature is missing or wrong"))
    }

    /// Hands a verified delivery to the database.
    async fn take(&self, arrival: &Arrival, verified: VerifiedBy) -> Result<Answer, Failure> {
        let delivery = Delivery::read(&arrival.raw, verified, |name| arrival.header(name));
        let intake = Intake {
            rpc: &self.rpc,
            stores: &self.stores,
            delivery: &delivery,
            own_secrets: self.settings.signing.own_stores(),
            raw: &arrival.raw,
            started: clock::now_ms(),
        };
        intake.take().await
    }
}
