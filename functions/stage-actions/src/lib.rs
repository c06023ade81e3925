//! `/functions/v1/stage-actions/<action>`: what staff do and read, with their own token.
//!
//! The token is checked before anything else and then passed through, so that the database sees the user and decides
//! what is allowed; the service key opens nothing here. Which action takes what is a table in `ordak-core`.

mod target;

use ordak_core::{
    action::LARGEST_BODY,
    envelope::{Failure, Fault, Rejection},
    route,
    secret_key::SecretKey,
    settings::{StageSettings, sinks},
    telemetry::posthog,
};
use ordak_edge::{
    answer::Answer,
    body,
    incoming::Incoming,
    isolate::{PerIsolate, Variables, getter},
    kick, request_id,
    rest_error::Role,
    rpc::Rpc,
    serve::{Call, Function},
    telemetry,
    user_token::Gate,
};
use serde_json::{Map, Value};
use std::{rc::Rc, time::Duration};
use target::Target;
use worker::{Env, js_sys::Promise, wasm_bindgen::prelude::wasm_bindgen, web_sys, worker_sys};

/// Longest wait for the database: a person stands at the kiosk.
const LIMIT: Duration = Duration::from_secs(5);

/// Headers that nearly every call is asked for.
static HEADERS: [&str; 3] = [request_id::HEADER, "authorization", "content-length"];

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

static FUNCTION: Function<Setup> = Function { name: "stage-actions", setup: &SETUP, prepare };

struct Setup {
    supabase_url: String,
    anon_key: SecretKey,
    gate: Gate,
    /// Opens the queue worker and nothing else. Without it the queue waits for the next cron tick.
    worker_key: Option<SecretKey>,
    /// Who is told what staff do; without it nobody is.
    posthog: Option<posthog::Project>,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let get = getter(variables);
    let StageSettings { supabase_url, anon_key, tokens } = StageSettings::read(&get)?;
    let worker_key =
        get("SUPABASE_SERVICE_ROLE_KEY").filter(|key| !key.trim().is_empty()).map(SecretKey::new);
    let gate = Gate::new(FUNCTION.name, tokens);
    let posthog = sinks::posthog(&get).unwrap_or_default();
    Ok(Setup { supabase_url, anon_key, gate, worker_key, posthog })
}

/// The handler of requests.
#[wasm_bindgen]
pub fn fetch(request: web_sys::Request, env: Env, context: worker_sys::Context) -> Promise {
    FUNCTION.promise(Incoming::new(request, &HEADERS), env, context, act)
}

async fn act(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    let user = setup.gate.user(call.header("authorization").as_deref()).await?;
    let Some(target) = route::rest_of(call.request.path(), FUNCTION.name).and_then(Target::find) else {
        return Err(Rejection::not_found("there is no such action").into());
    };
    call.route = Some(target.action().name.to_owned());
    if call.method() != target.method() {
        return Ok(Answer::method_not_allowed(target.method()));
    }
    let arguments = match target {
        Target::Action(action) => action.arguments(&body::read(&call.request, LARGEST_BODY).await?)?,
        Target::Read(read) => read.arguments_from_query(&call.request.query())?,
    };
    let answer = ask(&setup, &user.token, target.action().rpc, arguments).await?;
    tell(&setup, call, &user.id, target.action().name, &answer);
    if let (Target::Action(_), true, Some(key)) = (target, answer.is_news(), &setup.worker_key) {
        kick::kick(FUNCTION.name, &call.id, &call.env, &call.context, key);
    }
    Ok(answer)
}

/// Tells of it once the answer is out.
fn tell(setup: &Setup, call: &Call, user: &str, action: &str, answer: &Answer) {
    let Some(project) = &setup.posthog else { return };
    let (store, outcome, status) = (answer.store(), answer.outcome(), answer.status());
    let event = posthog::Event { action, user, store, outcome, status };
    if let Some(telling) = telemetry::use_of(FUNCTION.name, project, &event) {
        call.context.wait_until(telling);
    }
}

async fn ask(
    setup: &Setup,
    token: &str,
    function: &str,
    mut arguments: Map<String, Value>,
) -> Result<Answer, Failure> {
    // Left out, an argument is null by its default; written as null, REST servers disagree what arrives.
    arguments.retain(|_, value| !value.is_null());
    let rpc = Rpc::new(&setup.supabase_url, setup.anon_key.headers_for_user(token))?;
    let arguments = serde_json::to_vec(&arguments)
        .map_err(|error| Fault::internal(format!("arguments cannot be written: {:?}", error.classify())))?;
    let body = rpc
        .call(function, arguments, LIMIT)
        .await
        .map_err(|error| error.into_failure(function, Role::User))?;
    Ok(Answer::passed_through(body)?)
}
