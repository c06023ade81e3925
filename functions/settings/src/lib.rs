//! `/functions/v1/settings/credentials`: an Admin puts a store's keys to another company's system, sees which there are
//! and removes them. `POST …/rotate` seals all of them anew with the newest key.
//!
//! For Admins and the service role. Keys come in, are tried once where they are for, and leave this function only as
//! ciphertext: no answer, no error and no log line holds them. Who may do what is for the database to say.

mod check;
mod credentials;
mod database;
mod rotate;

use ordak_core::{
    envelope::{Failure, Fault, Rejection},
    route,
    settings::CredentialSettings,
};
use ordak_edge::{
    answer::Answer,
    door::Door,
    incoming::Incoming,
    isolate::{PerIsolate, Variables, getter},
    rpc::Rpc,
    serve::{Call, Function},
};
use std::rc::Rc;
use worker::{Context, Env, event, web_sys};

thread_local! {
    static SETUP: PerIsolate<Setup> = PerIsolate::default();
}

const FUNCTION: Function<Setup> = Function { name: "settings", setup: &SETUP, prepare };

struct Setup {
    settings: CredentialSettings,
    door: Door,
    rpc: Rpc,
}

fn prepare(variables: &Variables) -> Result<Setup, Fault> {
    let get = getter(variables);
    let settings = CredentialSettings::read(&get)?;
    let database = &settings.database;
    let rpc = Rpc::new(&database.supabase_url, database.service_key.headers())?;
    let door = Door::new(FUNCTION.name, database.service_key.clone(), &get)?;
    Ok(Setup { settings, door, rpc })
}

#[event(fetch)]
async fn fetch(request: Incoming, env: Env, context: Context) -> worker::Result<web_sys::Response> {
    FUNCTION.serve(request, env, context, answer).await
}

async fn answer(call: &mut Call, setup: Rc<Setup>) -> Result<Answer, Failure> {
    let caller = setup.door.caller(call).await?;
    match (route::rest_of(call.request.path(), FUNCTION.name), call.request.method()) {
        (Some("credentials"), "PUT") => {
            call.route = Some("put credentials".into());
            credentials::put(call, &setup, &caller).await
        }
        (Some("credentials"), "GET") => {
            call.route = Some("list credentials".into());
            credentials::list(call, &setup, &caller).await
        }
        (Some("credentials"), "DELETE") => {
            call.route = Some("remove credentials".into());
            credentials::remove(call, &setup, &caller).await
        }
        (Some("credentials"), _) => Ok(Answer::method_not_allowed("GET, PUT, DELETE")),
        (Some("credentials/rotate"), "POST") => {
            call.route = Some("rotate credentials".into());
            rotate::rotate(call, &setup, &caller).await
        }
        (Some("credentials/rotate"), _) => Ok(Answer::method_not_allowed("POST")),
        _ => Err(Rejection::not_found("there is no such setting").into()),
    }
}
