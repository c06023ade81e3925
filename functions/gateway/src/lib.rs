//! The gateway: routes to the functions, answers health, fires the schedules.
//!
//! The only worker with a public address. It knows the functions by their bindings alone and looks into no body; each
//! function checks for itself who is calling.

mod cors;
mod forward;
mod health;
mod schedule;

use ordak_core::{
    batch,
    calendar::rfc3339,
    envelope::{Failure, Fault},
    route::{self, Route},
    settings::GatewaySettings,
    telemetry::sentry::{Event, Severity},
};
use ordak_edge::{
    answer::Answer,
    border::{self, Instead},
    clock,
    incoming::Incoming,
    isolate::{PerIsolate, getter, variables},
    log::{Level, Line},
    request_id, service, task, telemetry,
};
use std::rc::Rc;
use worker::{
    Context, Env, ScheduleContext, ScheduledEvent, event,
    js_sys::Promise,
    wasm_bindgen::prelude::{Closure, wasm_bindgen},
    web_sys::{self, Response},
    worker_sys,
};

const NAME: &str = "gateway";
/// Headers that nearly every request is asked for.
static HEADERS: [&str; 2] = [request_id::HEADER, "origin"];
/// The function that decides batches.
const BATCH_PROCESSOR: &str = "batch-processor";

thread_local! {
    static SETTINGS: PerIsolate<GatewaySettings> = PerIsolate::default();
}

fn settings(env: &Env) -> Result<Rc<GatewaySettings>, Fault> {
    SETTINGS.with(|cell| {
        cell.get(|| {
            let variables = variables(env);
            telemetry::prepare(NAME, &variables);
            GatewaySettings::read(&getter(&variables))
        })
    })
}

thread_local! {
    /// Answers for a function that did not. Made once per instance of the module.
    static INSTEAD: Closure<Instead> = Closure::new(|request, id: String, started: f64, context, error| {
        let context = Context::new(context);
        task::promise(async move {
            let request = Incoming::new(request, &HEADERS);
            let name = function_of(&request).unwrap_or_default();
            let fault = forward::unanswered(name, error);
            // As `clock::now_ms` gave it.
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let started = started as u64;
            Ok(refuse(&fault.into(), request.path(), started, &id, &context)?.into())
        })
    });
}

/// The handler of requests.
#[wasm_bindgen]
pub fn fetch(request: web_sys::Request, env: Env, context: worker_sys::Context) -> Promise {
    let call = Arrived { started: clock::now_ms(), request: Incoming::new(request, &HEADERS) };
    straight(&call, &env, &context).unwrap_or_else(|| {
        let context = Context::new(context);
        task::promise(async move { Ok(answer(call, env, context).await?.into()) })
    })
}

/// A request, and when it came.
struct Arrived {
    started: u64,
    request: Incoming,
}

/// Hands a request on whose answer the gateway need not see again: nearly every one. `None` for any other.
fn straight(call: &Arrived, env: &Env, context: &worker_sys::Context) -> Option<Promise> {
    let Arrived { started, request } = call;
    let name = function_of(request).filter(|_| request.method() != "OPTIONS")?;
    let settings = settings(env).ok()?;
    if cors::permitted(request.path(), request.header("origin"), &settings.kiosk_origins).is_some() {
        return None;
    }
    let (function, id) = (service::find(env, name)?, request_id::of(request));
    // A whole number far below 2^53.
    #[allow(clippy::cast_precision_loss)]
    let started = *started as f64;
    Some(INSTEAD.with(|instead| border::pass(&function, request.raw(), &id, started, context, instead)))
}

fn function_of(request: &Incoming) -> Option<&str> {
    match route::parse(request.path()) {
        Route::Function { name, .. } => Some(name),
        Route::Health | Route::Unknown => None,
    }
}

async fn answer(call: Arrived, env: Env, context: Context) -> worker::Result<Response> {
    let Arrived { started, request } = call;
    let id = request_id::of(&request);
    let (origin, path) = (request.header("origin"), request.path().to_owned());
    let settings = settings(&env);
    let kiosks = settings.as_ref().map(|settings| settings.kiosk_origins.as_slice()).unwrap_or_default();
    let permitted = cors::permitted(&path, origin, kiosks);
    let reply = match settings {
        Ok(settings) => respond(request, &env, &settings, permitted.as_deref(), &id).await,
        Err(fault) => Err(fault.into()),
    };
    let response = match reply {
        Ok(Reply::Passed(response)) => response,
        Ok(Reply::Own(answer)) => finish(answer, &path, started, &id)?,
        Err(failure) => refuse(&failure, &path, started, &id, &context)?,
    };
    match permitted {
        Some(origin) => cors::permit(response, &origin),
        None => Ok(response),
    }
}

/// Answers with an error; a fault is told to Sentry as well.
fn refuse(
    failure: &Failure,
    path: &str,
    started: u64,
    id: &str,
    context: &Context,
) -> worker::Result<Response> {
    if let Failure::Fault(fault) = failure
        && let Some(telling) = told(fault, path, id)
    {
        context.wait_until(telling);
    }
    finish(Answer::failure(failure), path, started, id)
}

/// What the gateway has to say.
enum Reply {
    /// The response of a function, or one that needs no line in the log.
    Passed(Response),
    /// An answer of its own.
    Own(Answer),
}

async fn respond(
    request: Incoming,
    env: &Env,
    settings: &GatewaySettings,
    permitted: Option<&str>,
    id: &str,
) -> Result<Reply, Failure> {
    let path = request.path();
    match (route::parse(path), request.method()) {
        (Route::Unknown, _) => Ok(Reply::Own(Answer::not_found())),
        (_, "OPTIONS") => cors::preflight(permitted, id).map(Reply::Passed),
        (Route::Health, "GET" | "HEAD") => {
            let answer = health::answer(env, settings).await;
            answer.into_response(id).map(Reply::Passed).map_err(unanswerable)
        }
        (Route::Health, _) => Ok(Reply::Own(Answer::method_not_allowed("GET, HEAD"))),
        (Route::Function { name, .. }, _) => match service::find(env, name) {
            Some(function) => forward::to(&function, &request, name, id).await.map(Reply::Passed),
            None => Ok(Reply::Own(Answer::not_found())),
        },
    }
}

/// Logs what the gateway itself answers; the functions log what they answer.
fn finish(answer: Answer, path: &str, started: u64, id: &str) -> worker::Result<Response> {
    let level = if answer.status() >= 500 { Level::Error } else { Level::Warn };
    Line::new(NAME, level, answer.outcome(), started)
        .request(id)
        .place(None, Some(path))
        .status(answer.status())
        .error(answer.fault())
        .write();
    // Who calls a function whose errors have a form of their own reads no other.
    match route::parse(path) {
        Route::Function { name: BATCH_PROCESSOR, .. } => {
            answer.told_as(batch::error, &rfc3339(clock::now_ms()))
        }
        _ => answer,
    }
    .into_response(id)
}

fn unanswerable(error: worker::Error) -> Failure {
    Fault::internal(format!("no response: {error}")).into()
}

#[event(scheduled)]
async fn scheduled(event: ScheduledEvent, env: Env, context: ScheduleContext) {
    let started = clock::now_ms();
    let id = request_id::fresh();
    let result = match settings(&env) {
        Ok(settings) => schedule::run(&event.cron(), &env, &settings, &id).await,
        Err(fault) => Err(fault),
    };
    let (level, outcome, error) = match &result {
        Ok(()) => (Level::Success, "done", None),
        Err(fault) => (Level::Error, fault.code().as_str(), Some(fault.detail())),
    };
    let route = format!("cron {}", event.cron());
    Line::new(NAME, level, outcome, started).request(&id).place(None, Some(&route)).error(error).write();
    if let Some(telling) = result.err().and_then(|fault| told(&fault, &route, &id)) {
        context.wait_until(telling);
    }
}

/// Tells of a fault: also the last that is heard of a function that died in the middle of a request.
fn told(fault: &Fault, route: &str, id: &str) -> Option<telemetry::Telling> {
    telemetry::error(&Event {
        severity: Severity::Error,
        function: NAME,
        request_id: id,
        store: None,
        route: Some(route),
        outcome: fault.code().as_str(),
        status: None,
        detail: fault.detail(),
    })
}
