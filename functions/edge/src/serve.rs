//! What every function does around its own work: settings, request id, answer, log line.
//!
//! Knows no route and no setting of any function.

use crate::{
    answer::Answer,
    clock,
    incoming::Incoming,
    isolate::{PerIsolate, Variables, variables},
    log::{Level, Line},
    request_id, task, telemetry,
};
use ordak_core::{
    envelope::{Envelope, Failure, Fault},
    telemetry::sentry::{Event, Severity},
};
use std::{rc::Rc, thread::LocalKey};
use worker::{Context, Env, js_sys::Promise, web_sys, worker_sys};

/// Where the gateway asks a function how it is. No path from outside leads here: they all begin with `/functions/`.
pub const HEALTH: &str = "/_health";

/// One function: its name and what it prepares once per isolate.
pub struct Function<S: 'static> {
    /// Its name, as in its path.
    pub name: &'static str,
    /// Where what it prepares is kept.
    pub setup: &'static LocalKey<PerIsolate<S>>,
    /// Prepares it from the settings; the fault names every setting that is missing or wrong.
    pub prepare: fn(&Variables) -> Result<S, Fault>,
}

/// One request to a function, with what its log line will say.
pub struct Call {
    /// The request itself.
    pub request: Incoming,
    /// Bindings.
    pub env: Env,
    /// For work after the answer.
    pub context: Context,
    /// The request's id.
    pub id: String,
    /// For the log: which store, as soon as that is known.
    pub store: Option<String>,
    /// For the log: which action or topic, as soon as that is known.
    pub route: Option<String>,
}

impl Call {
    /// A header's value; `None` when it is missing or blank.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.request.header(name)
    }

    /// The method as it was sent.
    #[must_use]
    pub fn method(&self) -> &str {
        self.request.method()
    }
}

impl<S> Function<S> {
    /// Serves one request with `handle` and promises the response.
    pub fn promise(
        &'static self,
        request: Incoming,
        env: Env,
        context: worker_sys::Context,
        handle: impl AsyncFnOnce(&mut Call, Rc<S>) -> Result<Answer, Failure> + 'static,
    ) -> Promise {
        let context = Context::new(context);
        task::promise(async move {
            let response = self.serve(request, env, context, handle).await?;
            Ok(response.into())
        })
    }

    /// Serves one request with `handle`.
    ///
    /// # Errors
    /// When the runtime refuses the finished response.
    pub async fn serve(
        &self,
        request: Incoming,
        env: Env,
        context: Context,
        handle: impl AsyncFnOnce(&mut Call, Rc<S>) -> Result<Answer, Failure>,
    ) -> worker::Result<web_sys::Response> {
        self.serve_as(request, env, context, handle, |answer| answer).await
    }

    /// Serves one request with `handle` for a function whose answers have a form of their own: `form` gives it to each,
    /// also to the one that a setting is missing.
    ///
    /// # Errors
    /// As [`Function::serve`].
    pub async fn serve_as(
        &self,
        request: Incoming,
        env: Env,
        context: Context,
        handle: impl AsyncFnOnce(&mut Call, Rc<S>) -> Result<Answer, Failure>,
        form: impl FnOnce(Answer) -> Answer,
    ) -> worker::Result<web_sys::Response> {
        let started = clock::now_ms();
        let id = request_id::of(&request);
        let setup = self.setup.with(|cell| {
            cell.get(|| {
                let variables = variables(&env);
                telemetry::prepare(self.name, &variables);
                (self.prepare)(&variables)
            })
        });
        if request.path() == HEALTH {
            return health(setup).into_response(&id);
        }
        let mut call = Call { request, env, context, id, store: None, route: None };
        let result = match setup {
            Ok(setup) => handle(&mut call, setup).await,
            Err(fault) => Err(fault.into()),
        };
        let answer = form(result.unwrap_or_else(|failure| Answer::failure(&failure)));
        let line = Line::new(self.name, level(&answer, call.method()), answer.outcome(), started)
            .request(&call.id)
            .place(call.store.as_deref().or(answer.store()), call.route.as_deref())
            .status(answer.status())
            .error(answer.fault());
        tell(self.name, &call, &answer);
        answer.conclude(&line, &call.id)
    }
}

fn health<S>(setup: Result<Rc<S>, Fault>) -> Answer {
    match setup {
        Ok(_) => Answer::envelope(&Envelope::done(serde_json::Value::Null), "up"),
        Err(fault) => Answer::failure(&fault.into()),
    }
}

/// What broke, and what a person should look at, is told to Sentry once the answer is out.
fn tell(function: &str, call: &Call, answer: &Answer) {
    let severity = match answer.status() {
        500.. => Severity::Error,
        _ if answer.needs_attention() => Severity::Warning,
        _ => return,
    };
    let telling = telemetry::error(&Event {
        severity,
        function,
        request_id: &call.id,
        store: call.store.as_deref().or(answer.store()),
        route: call.route.as_deref(),
        outcome: answer.outcome(),
        status: Some(answer.status()),
        detail: answer.fault().unwrap_or_default(),
    });
    if let Some(telling) = telling {
        call.context.wait_until(telling);
    }
}

fn level(answer: &Answer, method: &str) -> Level {
    match answer.status() {
        500.. => Level::Error,
        400.. => Level::Warn,
        _ if answer.needs_attention() => Level::Warn,
        _ if method == "POST" && answer.is_news() => Level::Success,
        _ => Level::Info,
    }
}
