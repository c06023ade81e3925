//! The stack under test, as the environment describes it.

use crate::answer::Answer;
use crate::db::Db;
use crate::{Failure, Outcome, store};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::OnceCell;

/// Longer than any answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the stack is and how to speak to it.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The gateway.
    pub gateway_url: String,
    /// The REST API is `<this>/rest/v1`.
    pub supabase_url: String,
    /// Key of a client that is not signed in.
    pub anon_key: String,
    /// Key of the service role.
    pub service_key: String,
    /// The secret that user tokens are signed with.
    pub jwt_secret: String,
    /// The database, as its owner.
    pub database_url: String,
    /// The fakes of other companies' systems.
    pub fakes_url: String,
    /// The shared webhook secret.
    pub webhook_secret: String,
    /// What stores' credentials are sealed with, newest first.
    pub credentials_key: String,
    /// The secrets of the store `ROTATION`, newest first.
    pub rotation_secrets: Vec<String>,
    /// A token of a Staff member of bannos.
    pub staff_bannos: String,
    /// A token of a Supervisor of bannos.
    pub supervisor_bannos: String,
    /// A token of an Admin.
    pub admin: String,
    /// A token of a Staff member of flourlane.
    pub staff_flourlane: String,
    /// An HTTP client that follows no redirect.
    pub http: reqwest::Client,
}

impl Stack {
    /// The running stack, with the stores that the tests use. A missing variable is a failure, never a skip.
    pub async fn up() -> Outcome<Self> {
        static PREPARED: OnceCell<()> = OnceCell::const_new();
        let stack = Self::from_env()?;
        PREPARED.get_or_try_init(|| store::prepare(&stack)).await?;
        Ok(stack)
    }

    /// The running stack as it is. A missing variable is a failure, never a skip.
    pub fn from_env() -> Outcome<Self> {
        let rotation = variable("SHOPIFY_WEBHOOK_SECRET_TESTTEN")?;
        Ok(Self {
            gateway_url: url("GATEWAY_URL")?,
            supabase_url: url("SUPABASE_URL")?,
            anon_key: variable("SUPABASE_ANON_KEY")?,
            service_key: variable("SUPABASE_SERVICE_ROLE_KEY")?,
            jwt_secret: variable("SUPABASE_JWT_SECRET")?,
            database_url: variable("DATABASE_URL")?,
            fakes_url: url("FAKES_URL")?,
            credentials_key: variable("CREDENTIALS_KEY")?,
            webhook_secret: variable("SHOPIFY_WEBHOOK_SECRET")?,
            rotation_secrets: rotation.split(',').map(|secret| secret.trim().to_owned()).collect(),
            staff_bannos: variable("TOKEN_STAFF_BANNOS")?,
            supervisor_bannos: variable("TOKEN_SUPERVISOR_BANNOS")?,
            admin: variable("TOKEN_ADMIN")?,
            staff_flourlane: variable("TOKEN_STAFF_FLOURLANE")?,
            http: reqwest::Client::builder()
                .redirect(reqwest::redirect::Policy::none())
                .timeout(PATIENCE)
                .build()?,
        })
    }

    /// A connection to the database.
    pub async fn db(&self) -> Outcome<Db> {
        Db::connect(&self.database_url).await
    }

    /// A request to the gateway.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.gateway_url))
    }

    /// A stage action with a user's token.
    pub async fn act(&self, token: &str, action: &str, body: &Value) -> Outcome<Answer> {
        let path = format!("/functions/v1/stage-actions/{action}");
        Answer::to(self.request(Method::POST, &path).bearer_auth(token).json(body)).await
    }

    /// Drains the work queue now.
    pub async fn drain(&self) -> Outcome<Answer> {
        let request = self.request(Method::POST, "/functions/v1/queue-worker");
        Answer::to(request.header("apikey", &self.service_key).bearer_auth(&self.service_key)).await
    }

    /// Fires a cron trigger now, and waits until what it starts has ended.
    pub async fn tick(&self, cron: &str) -> Outcome {
        let answer = Answer::to(self.request(Method::GET, "/__scheduled").query(&[("cron", cron)])).await?;
        if answer.status == 200 { Ok(()) } else { Err(Failure::new(answer.text)) }
    }

    /// Calls a function of the database through the REST API.
    pub async fn rpc(&self, key: &str, name: &str, arguments: &Value) -> Outcome<Answer> {
        let url = format!("{}/rest/v1/rpc/{name}", self.supabase_url);
        Answer::to(self.http.post(url).header("apikey", key).bearer_auth(key).json(arguments)).await
    }
}

fn url(name: &str) -> Outcome<String> {
    Ok(variable(name)?.trim_end_matches('/').to_owned())
}

fn variable(name: &str) -> Outcome<String> {
    let missing = || {
        Failure::new(format!(
            "{name} is not set: run `cargo xtask test e2e`, which starts a stack and sets it"
        ))
    };
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(missing)
}
