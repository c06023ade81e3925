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
    content,
    envelope::{Failure, Fault, Rejection},
    route,
    settings::{IngestSettings, WEBHOOK_SECRET},
    signature::{self, SignatureError, VerifiedBy},
};
use ordak_edge::{
    answer::Answer,
    body, clock,
    incoming::Incoming,
    isolate::{PerIsolate, Variables, getter, variables},
    kick, request_id,
    rpc::Rpc,
    serve::{Call, Function},
    store_settings::StoreSettings,
    telemetry,
    web_crypto::{MacKeys, Verdict},
};
use std::rc::Rc;
use worker::{
    Context, Env, MessageBatch, event, js_sys::Promise, wasm_bindgen::prelude::wasm_bindgen, web_sys,
    worker_sys,
};

/// Outcomes after which work may be due.
const CHANGES: [&str; 4] = ["created", "updated", "hydrated", "cancelled"];

/// Headers that every delivery is asked for.
static HEADERS: [&str; 3] = [request_id::HEADER, "content-length", arrival::SIGNATURE];

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

static FUNCTION: Function<Setup> = Function { name: "order-ingest", setup: &SETUP, prepare };

struct Setup {
    settings: IngestSettings,
    keys: MacKeys,
    stores: StoreSettings,
    rpc: Rpc,
}

/// What is known of a body whose signature is verified.
struct Genuine {
    by: VerifiedBy,
    content_hash: String,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let secrets: Variables =
        variables.iter().filter(|(name, _)| name.starts_with(WEBHOOK_SECRET)).cloned().collect();
    let settings = IngestSettings::read(&getter(variables), &secrets)?;
    let rpc = Rpc::new(&settings.database.supabase_url, settings.database.service_key.headers())?;
    Ok(Setup { settings, keys: MacKeys::default(), stores: StoreSettings::default(), rpc })
}

/// The handler of requests.
#[wasm_bindgen]
pub fn fetch(request: web_sys::Request, env: Env, context: worker_sys::Context) -> Promise {
    FUNCTION.promise(Incoming::new(request, &HEADERS), env, context, receive)
}

async fn receive(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    if route::rest_of(call.request.path(), FUNCTION.name) != Some("") {
        return Ok(Answer::not_found());
    }
    if call.method() != "POST" {
        return Ok(Answer::method_not_allowed("POST"));
    }
    let coming = body::coming(&call.request, body::LIMIT)?;
    let signature = call.header(arrival::SIGNATURE);
    let (genuine, raw) = setup.genuine(signature.as_deref(), &coming).await?;
    let arrival = Arrival::new(signature, call.request.headers(&arrival::HEADERS), raw);
    call.route = Some(arrival.topic().to_string());
    let answer = match setup.take(&arrival, genuine).await {
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
    let prepared = || {
        let variables = variables(&env);
        telemetry::prepare(FUNCTION.name, &variables);
        prepare(&variables)
    };
    match SETUP.with(|cell| cell.get(prepared)) {
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
    /// Whose secret signed the body, and the body. Nothing of it has been read before, and what is refused is never taken
    /// over from the runtime, which does the arithmetic.
    async fn genuine(
        &self,
        signature: Option<&str>,
        coming: &Promise,
    ) -> Result<(Genuine, Vec<u8>), Failure> {
        let refused = || Failure::from(Rejection::unauthenticated("the signature is missing or wrong"));
        let signing = &self.settings.signing;
        // What is no signature is one that nobody made; the body is waited for all the same.
        let presented = signature::presented(signature);
        let claimed = presented.as_ref().map(<[u8; 32]>::as_slice).unwrap_or_default();
        match self.keys.signer(signing.secrets(), claimed, coming).await? {
            Verdict::Signed(signed) if presented.is_ok() => {
                let by = signing.whose(signed.place).ok_or_else(refused)?;
                let genuine = Genuine { by, content_hash: content::hex(&signed.sha256) };
                Ok((genuine, signed.body))
            }
            Verdict::Signed(_) | Verdict::Unsigned => Err(refused()),
            Verdict::TooLong => Err(body::too_large(body::LIMIT)),
            Verdict::BrokenOff => Err(body::broken_off()),
        }
    }

    /// The same for a delivery that waited in a queue.
    fn genuine_arrival(&self, arrival: &Arrival) -> Result<Genuine, SignatureError> {
        let by = self.settings.signing.verify(arrival.signature(), &arrival.raw)?;
        Ok(Genuine { by, content_hash: content::sha256_hex(&arrival.raw) })
    }

    /// Hands a verified delivery to the database.
    async fn take(&self, arrival: &Arrival, genuine: Genuine) -> Result<Answer, Failure> {
        let Genuine { by, content_hash } = genuine;
        let delivery = Delivery::read(content_hash, by, |name| arrival.header(name));
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
