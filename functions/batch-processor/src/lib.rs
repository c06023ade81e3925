//! `POST /functions/v1/batch-processor`: `orchestrate` decides every batch whose window closes, `process-order` puts an
//! order into one.
//!
//! For the service role (the clock) and Admins. The database decides and carries out, in one RPC a job; here is the form
//! of requests, answers and errors, which is this function's own and not the envelope.

use ordak_core::{
    batch::{self, Job, LARGEST_BODY, Orchestrated, Processed},
    calendar::rfc3339,
    envelope::{Envelope, Failure, Fault},
    route,
    settings::{DatabaseSettings, Reader},
};
use ordak_edge::{
    answer::Answer,
    body, clock,
    door::{Caller, Door},
    incoming::Incoming,
    isolate::{PerIsolate, Variables, getter},
    kick, rest_error,
    rpc_by_postgrest::Rpc,
    serve::{Call, Function},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use std::{rc::Rc, time::Duration};
use worker::{Context, Env, event, web_sys};

/// Longest wait for the database: ten thousand batches take seconds.
const ORCHESTRATE_LIMIT: Duration = Duration::from_secs(60);
/// A buyer waits for this one.
const PROCESS_LIMIT: Duration = Duration::from_secs(10);

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

const FUNCTION: Function<Setup> = Function { name: "batch-processor", setup: &SETUP, prepare };

struct Setup {
    door: Door,
    database: DatabaseSettings,
    rpc: Rpc,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let get = getter(variables);
    let mut reader = Reader::new(&get);
    let database = DatabaseSettings::read(&mut reader);
    let database = reader.finish(database)?;
    let rpc = Rpc::new(&database.supabase_url, database.service_key.headers())?;
    Ok(Setup { door: Door::new(FUNCTION.name, database.service_key.clone(), &get)?, database, rpc })
}

#[event(fetch)]
async fn fetch(request: Incoming, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    let response = FUNCTION.serve_as(request, env, context, work, in_form).await?;
    // Callers prove themselves by a header and never by a cookie: any page may ask. The gateway answers preflights.
    response.headers().set("access-control-allow-origin", "*")?;
    Ok(response)
}

/// Everything that goes wrong is told in this function's own form.
fn in_form(answer: Answer) -> Answer {
    match answer.status() {
        200 => answer,
        _ => answer.told_as(batch::error, &rfc3339(clock::now_ms())),
    }
}

async fn work(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    if route::rest_of(call.request.path(), FUNCTION.name) != Some("") {
        return Ok(Answer::not_found());
    }
    if call.method() != "POST" {
        return Ok(Answer::method_not_allowed("POST"));
    }
    let caller = setup.door.caller(call).await?;
    let job = Job::read(&body::read(&call.request, LARGEST_BODY).await?)?;
    call.route = Some(job.name().to_owned());
    match job {
        Job::Orchestrate => orchestrate(call, &setup, caller).await,
        Job::ProcessOrder(arguments) => process_order(&setup, caller, arguments).await,
    }
}

async fn orchestrate(call: &Call, setup: &Setup, caller: Caller) -> Result<Answer, Failure> {
    let reply = ask(setup, "orchestrate_batches", Map::new(), caller, ORCHESTRATE_LIMIT).await?;
    let report: Orchestrated = reply.data("orchestrate_batches")?;
    let answer = Answer::json(200, &report, "orchestrated");
    if !report.has_results() {
        return Ok(answer.without_news());
    }
    kick::kick(FUNCTION.name, &call.id, &call.env, &call.context, &setup.database.service_key);
    Ok(answer)
}

async fn process_order(
    setup: &Setup,
    caller: Caller,
    arguments: Map<String, Value>,
) -> Result<Answer, Failure> {
    let reply = ask(setup, "process_batch_order", arguments, caller, PROCESS_LIMIT).await?;
    let joined: Processed = reply.data("process_batch_order")?;
    let answer = Answer::json(200, &joined, "joined");
    Ok(if reply.already_done()? { answer.without_news() } else { answer })
}

/// The bytes of a successful envelope.
struct Reply(Vec<u8>);

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(default)]
    already_done: bool,
}

impl Reply {
    fn wire(&self) -> Result<Wire<'_>, Fault> {
        serde_json::from_slice(&self.0).map_err(|_| Fault::internal("an answer without data"))
    }

    /// The data, with numbers as the database wrote them.
    fn data<T: serde::de::DeserializeOwned>(&self, function: &str) -> Result<T, Fault> {
        serde_json::from_str(self.wire()?.data.get()).map_err(|error| {
            Fault::internal(format!("{function}: data of another form: {:?}", error.classify()))
        })
    }

    fn already_done(&self) -> Result<bool, Fault> {
        Ok(self.wire()?.already_done)
    }
}

async fn ask(
    setup: &Setup,
    function: &str,
    mut arguments: Map<String, Value>,
    caller: Caller,
    limit: Duration,
) -> Result<Reply, Failure> {
    if let Caller::User(user) = caller {
        arguments.insert("p_user".to_owned(), Value::String(user));
    }
    let body = setup
        .rpc
        .call(function, Value::Object(arguments).to_string().into_bytes(), limit)
        .await
        .map_err(|error| error.into_failure(function, rest_error::Role::Service))?;
    Envelope::read(&body)?.into_data()?;
    Ok(Reply(body))
}
