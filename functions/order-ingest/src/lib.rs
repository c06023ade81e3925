//! `POST /functions/v1/order-ingest`: a Shopify delivery is verified, normalised and handed to one RPC.
//!
//! Nothing is parsed before the signature is verified, and 200 is said only after the database has committed. What an
//! order means is decided in `ordak-core` and in SQL; here bytes are carried.

mod delivery;
mod intake;
mod statement;

use delivery::Delivery;
use intake::Intake;
use ordak_core::{
    envelope::{Failure, Fault, Rejection},
    route,
    settings::{IngestSettings, WEBHOOK_SECRET},
};
use ordak_edge::{
    answer::Answer,
    body, clock,
    isolate::{PerIsolate, Variables, getter},
    kick,
    rpc::Rpc,
    serve::{Call, Function},
    store_settings::StoreSettings,
};
use std::rc::Rc;
use worker::{Context, Env, Request, Response, event};

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
    let signature = call.header("x-shopify-hmac-sha256");
    let verified = setup
        .settings
        .signing
        .verify(signature.as_deref(), &raw)
        .map_err(|_| Rejection::unauthenticated("the signature is missing or wrong"))?;
    let delivery = Delivery::read(&raw, verified, |name| call.header(name));
    call.route = Some(delivery.topic.to_string());

    let intake = Intake {
        rpc: &setup.rpc,
        stores: &setup.stores,
        delivery: &delivery,
        own_secrets: setup.settings.signing.own_stores(),
        raw: &raw,
        started: clock::now_ms(),
    };
    let answer = intake.take().await?;
    if CHANGES.contains(&answer.outcome()) {
        kick::kick(FUNCTION.name, &call.id, &call.env, &call.context, &setup.settings.database.service_key);
        return Ok(answer);
    }
    Ok(answer.without_news())
}
