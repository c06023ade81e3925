//! `POST /functions/v1/order-ingest`: a Shopify delivery is verified, normalised and handed to one RPC.
//!
//! Nothing is parsed before the signature is verified, and 200 is said only after the database has committed. What an
//! order means is decided in `ordak-core` and in SQL; here bytes are carried.

mod delivery;
mod statement;

use delivery::Delivery;
use ordak_core::{
    envelope::{Code, Envelope, Failure, Fault, Rejection},
    normalize::{NormalizeSettings, normalize},
    route,
    settings::{IngestSettings, WEBHOOK_SECRET},
};
use ordak_edge::{
    answer::Answer,
    body, clock,
    isolate::{PerIsolate, Variables, getter},
    kick,
    rest_error::Caller,
    rpc::Rpc,
    serve::{Call, Function},
};
use serde_json::json;
use std::{rc::Rc, time::Duration};
use worker::{Context, Env, Request, Response, event};

/// All the time the database has for one delivery, so that Shopify's 5 s are kept.
const DATABASE_LIMIT_MS: u64 = 4000;

/// Outcomes after which work may be due.
const CHANGES: [&str; 4] = ["created", "updated", "hydrated", "cancelled"];

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

const FUNCTION: Function<Setup> = Function { name: "order-ingest", setup: &SETUP, prepare };

struct Setup {
    settings: IngestSettings,
    normalize: NormalizeSettings,
    rpc: Rpc,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let secrets: Variables =
        variables.iter().filter(|(name, _)| name.starts_with(WEBHOOK_SECRET)).cloned().collect();
    let settings = IngestSettings::read(&getter(variables), &secrets)?;
    let rpc = Rpc::new(&settings.database.supabase_url, settings.database.service_key.headers())?;
    Ok(Setup { settings, normalize: NormalizeSettings::default(), rpc })
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

    let started = clock::now_ms();
    let answer = match normalize(&delivery.topic, &raw, &setup.normalize) {
        Ok(order) => {
            let statement = statement::ingest(&delivery, &order, &setup.settings.signing.own_stores(), &raw)?;
            match ingest(&setup.rpc, statement).await? {
                Ingested::Answered(answer) => answer,
                Ingested::Unstorable => {
                    bury(&setup.rpc, &delivery, "the database refuses the payload", &raw, started).await?
                }
            }
        }
        Err(error) => bury(&setup.rpc, &delivery, statement::reason(error), &raw, started).await?,
    };
    if CHANGES.contains(&answer.outcome()) {
        kick::kick(FUNCTION.name, &call.id, &call.env, &call.context, &setup.settings.database.service_key);
    }
    Ok(answer)
}

/// What came of the RPC.
enum Ingested {
    /// Its envelope, as it is.
    Answered(Answer),
    /// The payload is JSON, but the database can make nothing of it.
    Unstorable,
}

async fn ingest(rpc: &Rpc, statement: Vec<u8>) -> Result<Ingested, Failure> {
    const RPC: &str = "ingest_shopify_event";
    match rpc.call(RPC, statement, Duration::from_millis(DATABASE_LIMIT_MS)).await {
        Ok(body) => match Answer::passed_through(body)? {
            answer if answer.status() == Code::BadInput.http_status() => Ok(Ingested::Unstorable),
            answer => Ok(Ingested::Answered(answer)),
        },
        Err(error) if error.is_about_the_data() => Ok(Ingested::Unstorable),
        Err(error) => Err(error.into_failure(RPC, Caller::Service)),
    }
}

/// Keeps a delivery that can never be applied: asking Shopify to send it again would not help, and after some failures
/// Shopify drops the subscription.
async fn bury(
    rpc: &Rpc,
    delivery: &Delivery,
    reason: &str,
    raw: &[u8],
    started: u64,
) -> Result<Answer, Failure> {
    const RPC: &str = "record_dead_letter";
    let spent = clock::now_ms().saturating_sub(started);
    let limit = Duration::from_millis(DATABASE_LIMIT_MS.saturating_sub(spent).max(500));
    let statement = statement::dead_letter(delivery, reason, raw)?;
    let body =
        rpc.call(RPC, statement, limit).await.map_err(|error| error.into_failure(RPC, Caller::Service))?;
    let data = Envelope::read(&body)?.into_data().map_err(|failure| match failure {
        Failure::Fault(fault) => fault,
        Failure::Rejection(rejection) => Fault::internal(format!("{RPC}: {}", rejection.message)),
    })?;
    let data = json!({
        "event_id": null, "order_id": null, "outcome": "ignored", "dead_letter_id": data.get("dead_letter_id"),
    });
    Ok(Answer::envelope(&Envelope::done(data), "dead_letter").worth_attention())
}
