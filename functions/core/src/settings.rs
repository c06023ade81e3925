//! Configuration of the functions: read once, every problem named at once.
//!
//! Values come through a getter, so that nothing here knows where they live. A problem names the variable and what is
//! wrong with it, never its value. Secrets print as `[REDACTED]`.

use crate::credentials::key_ring::KeyRing;
use crate::envelope::Fault;
use crate::route;
use crate::secret::Secret;
use crate::secret_key::SecretKey;
use crate::signature::SigningSecrets;

mod shopify;
pub mod sinks;
mod user_tokens;

pub use shopify::{ADMIN_TOKEN, AdminUrl, CREDENTIALS_KEY, key_ring, shopify_keys};
pub use user_tokens::TokenSettings;

/// Requests that a drain may make unless it is told otherwise: far below what the paid plan of Cloudflare allows. The
/// free one allows 50.
const SUBREQUESTS: usize = 900;

/// Where a setting comes from.
pub type Getter<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Name of the variable with the shared webhook secrets; a store's own add `_<STORE>`.
pub const WEBHOOK_SECRET: &str = "SHOPIFY_WEBHOOK_SECRET";
/// Name of the variable with the address at which the gateway is reached from outside.
pub const PUBLIC_URL: &str = "GATEWAY_PUBLIC_URL";
/// Version of the Admin API that Ordak speaks.
pub const ADMIN_API_VERSION: &str = "2026-10";

/// Reads settings and gathers what is wrong with them.
pub struct Reader<'a> {
    get: Getter<'a>,
    problems: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Starts reading.
    #[must_use]
    pub fn new(get: Getter<'a>) -> Self {
        Self { get, problems: Vec::new() }
    }

    /// A setting that may be absent; blank counts as absent.
    #[must_use]
    pub fn optional(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// A setting that must be there.
    pub fn required(&mut self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.problem(name, "is missing");
            String::new()
        })
    }

    /// A required `http(s)` address, without trailing slash.
    pub fn url(&mut self, name: &str) -> String {
        let value = self.required(name);
        if !value.is_empty() && !is_base_url(&value) {
            self.problem(name, "is not an http(s) address without user, query or fragment");
        }
        value.trim_end_matches('/').to_owned()
    }

    /// An optional comma-separated list; blanks are ignored.
    #[must_use]
    pub fn list(&self, name: &str) -> Vec<String> {
        let list = self.optional(name).unwrap_or_default();
        list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// Notes a problem: "`name` `sentence`".
    pub fn problem(&mut self, name: &str, sentence: &str) {
        self.problems.push(format!("{name} {sentence}"));
    }

    /// The value, or one fault that names every problem.
    ///
    /// # Errors
    /// A [`Fault`] with code `MISCONFIGURED`.
    pub fn finish<T>(self, value: T) -> Result<T, Fault> {
        if self.problems.is_empty() { Ok(value) } else { Err(Fault::misconfigured(self.problems.join("; "))) }
    }
}

/// How to reach the database with the service role.
#[derive(Clone, Debug)]
pub struct DatabaseSettings {
    /// Address of the Supabase project, without trailing slash.
    pub supabase_url: String,
    /// The service role's key.
    pub service_key: SecretKey,
}

impl DatabaseSettings {
    /// Reads `SUPABASE_URL` and `SUPABASE_SERVICE_ROLE_KEY`.
    pub fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            supabase_url: reader.url("SUPABASE_URL"),
            service_key: SecretKey::new(reader.required("SUPABASE_SERVICE_ROLE_KEY")),
        }
    }
}

/// Settings of `order-ingest`.
#[derive(Clone, Debug)]
pub struct IngestSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// Who may sign a webhook.
    pub signing: SigningSecrets,
}

impl IngestSettings {
    /// Reads them. `variables` are all variables whose name starts with [`WEBHOOK_SECRET`], because the stores that
    /// have their own are known from the names alone.
    ///
    /// # Errors
    /// A [`Fault`] that names every problem.
    pub fn read(get: Getter<'_>, variables: &[(String, String)]) -> Result<Self, Fault> {
        let mut reader = Reader::new(get);
        let database = DatabaseSettings::read(&mut reader);
        let signing = SigningSecrets::from_variables(WEBHOOK_SECRET, variables);
        if signing.is_empty() {
            reader.problem(WEBHOOK_SECRET, "is missing");
        }
        for store in signing.repeated() {
            reader.problem(&format!("{WEBHOOK_SECRET}_{store}"), "repeats a secret of another variable");
        }
        reader.finish(Self { database, signing })
    }
}

/// Settings of `stage-actions`.
#[derive(Clone, Debug)]
pub struct StageSettings {
    /// Address of the Supabase project.
    pub supabase_url: String,
    /// The public key that goes with user tokens.
    pub anon_key: SecretKey,
    /// How user tokens are checked.
    pub tokens: TokenSettings,
}

impl StageSettings {
    /// Reads `SUPABASE_URL`, `SUPABASE_ANON_KEY` and what [`TokenSettings`] reads.
    ///
    /// # Errors
    /// A [`Fault`] that names every problem.
    pub fn read(get: Getter<'_>) -> Result<Self, Fault> {
        let mut reader = Reader::new(get);
        let supabase_url = reader.url("SUPABASE_URL");
        let anon_key = SecretKey::new(reader.required("SUPABASE_ANON_KEY"));
        let tokens = TokenSettings::read(&mut reader, &supabase_url);
        reader.finish(Self { supabase_url, anon_key, tokens })
    }
}

/// Settings of `queue-worker`; `gap-repair` and `reconcile` read the same.
#[derive(Clone, Debug)]
pub struct WorkerSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// Where the Admin API is.
    pub admin_url: AdminUrl,
    /// Opens what stores have put into the database; without it those of them are not used.
    pub key_ring: Option<KeyRing>,
    /// Where alerts go of stores that have no webhook of their own; without it they go nowhere. Whoever knows it can
    /// write there.
    pub slack_webhook: sinks::Sink<Secret>,
    /// How e-mails are sent; without it they are not.
    pub email: sinks::Sink<sinks::EmailSettings>,
    /// Requests that one drain may make.
    pub subrequests: usize,
}

impl WorkerSettings {
    /// Reads the database settings, `SHOPIFY_ADMIN_URL`, `CREDENTIALS_KEY`, `QUEUE_SUBREQUESTS`,
    /// `SLACK_WEBHOOK_URL` and what e-mails need. A wrong setting of these last holds up nothing but what it is for.
    ///
    /// # Errors
    /// A [`Fault`] that names every problem.
    pub fn read(get: Getter<'_>) -> Result<Self, Fault> {
        let mut reader = Reader::new(get);
        let database = DatabaseSettings::read(&mut reader);
        let admin_url = AdminUrl::read(&mut reader);
        let key_ring = key_ring(&mut reader);
        let slack_webhook = sinks::slack(get);
        let email = sinks::email(get);
        let subrequests = match reader.optional("QUEUE_SUBREQUESTS").map(|number| number.parse()) {
            None => SUBREQUESTS,
            Some(Ok(number)) if (20..=10_000).contains(&number) => number,
            Some(_) => {
                reader.problem("QUEUE_SUBREQUESTS", "is not a number from 20 to 10000");
                SUBREQUESTS
            }
        };
        reader.finish(Self { database, admin_url, key_ring, slack_webhook, email, subrequests })
    }
}

/// Settings of `gap-repair`.
#[derive(Clone, Debug)]
pub struct GapRepairSettings {
    /// The database, and where the Admin API is.
    pub worker: WorkerSettings,
    /// What webhooks are signed with: what none has brought is delivered as one.
    pub signing: SigningSecrets,
    /// Where webhooks are to be sent; without it subscriptions are left alone.
    pub callback: Option<String>,
}

impl GapRepairSettings {
    /// Reads what `queue-worker` and `order-ingest` read, and `GATEWAY_PUBLIC_URL`. `variables` as there.
    ///
    /// # Errors
    /// A [`Fault`] that names every problem.
    pub fn read(get: Getter<'_>, variables: &[(String, String)]) -> Result<Self, Fault> {
        let mut reader = Reader::new(get);
        let public = reader.optional(PUBLIC_URL).map(|_| reader.url(PUBLIC_URL));
        let callback = public.map(|url| format!("{url}{}order-ingest", route::FUNCTIONS));
        // Both name the settings that they share.
        let (worker, ingest) = (WorkerSettings::read(get), IngestSettings::read(get, variables));
        let mut problems: Vec<String> = Vec::new();
        for fault in [worker.as_ref().err(), ingest.as_ref().err()].into_iter().flatten() {
            problems.extend(fault.detail().split("; ").map(str::to_owned));
        }
        problems.append(&mut reader.problems);
        for problem in problems {
            if !reader.problems.contains(&problem) {
                reader.problems.push(problem);
            }
        }
        match (worker, ingest) {
            (Ok(worker), Ok(ingest)) => reader.finish(Self { worker, signing: ingest.signing, callback }),
            _ => Err(reader.finish(()).err().unwrap_or_else(|| Fault::internal("no settings"))),
        }
    }
}

/// Settings of `settings`.
#[derive(Clone, Debug)]
pub struct CredentialSettings {
    /// The database.
    pub database: DatabaseSettings,
    /// How user tokens are checked.
    pub tokens: TokenSettings,
    /// Seals and opens credentials.
    pub key_ring: KeyRing,
    /// Where the Admin API is.
    pub admin_url: AdminUrl,
    /// What the address of every Slack webhook begins with.
    pub slack_hooks: String,
}

impl CredentialSettings {
    /// Reads the database settings, what [`TokenSettings`] reads, `CREDENTIALS_KEY`, `SHOPIFY_ADMIN_URL` and
    /// `SLACK_HOOKS_URL`.
    ///
    /// # Errors
    /// A [`Fault`] that names every problem.
    pub fn read(get: Getter<'_>) -> Result<Self, Fault> {
        let mut reader = Reader::new(get);
        let database = DatabaseSettings::read(&mut reader);
        let tokens = TokenSettings::read(&mut reader, &database.supabase_url);
        let admin_url = AdminUrl::read(&mut reader);
        let hooks = reader.optional("SLACK_HOOKS_URL").map(|_| reader.url("SLACK_HOOKS_URL"));
        let slack_hooks = format!("{}/", hooks.as_deref().unwrap_or("https://hooks.slack.com"));
        if reader.optional(CREDENTIALS_KEY).is_none() {
            reader.problem(CREDENTIALS_KEY, "is missing");
        }
        match key_ring(&mut reader) {
            Some(key_ring) => reader.finish(Self { database, tokens, key_ring, admin_url, slack_hooks }),
            None => Err(reader.finish(()).err().unwrap_or_else(|| Fault::internal("no settings"))),
        }
    }
}

/// Settings of the gateway.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// The database, for health.
    pub database: DatabaseSettings,
    /// Origins that browsers may call from.
    pub kiosk_origins: Vec<String>,
    /// The version that health reports.
    pub version: String,
}

impl GatewaySettings {
    /// Reads the database settings, `KIOSK_ORIGINS` and `ORDAK_VERSION`.
    ///
    /// # Errors
    /// A [`Fault`] that names every problem.
    pub fn read(get: Getter<'_>) -> Result<Self, Fault> {
        let mut reader = Reader::new(get);
        let database = DatabaseSettings::read(&mut reader);
        let kiosk_origins = kiosk_origins(&mut reader);
        let version = reader.optional("ORDAK_VERSION").unwrap_or_else(|| "unknown".into());
        reader.finish(Self { database, kiosk_origins, version })
    }
}

/// `KIOSK_ORIGINS`: exact origins, scheme and host and port and nothing behind them.
pub fn kiosk_origins(reader: &mut Reader<'_>) -> Vec<String> {
    let origins = reader.list("KIOSK_ORIGINS");
    let is_origin = |origin: &String| is_base_url(origin) && origin.matches('/').count() == 2;
    if !origins.iter().all(is_origin) {
        reader.problem("KIOSK_ORIGINS", "must list origins such as https://kiosk.example.com");
    }
    origins
}

fn is_base_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    !host.is_empty()
        && host
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b':' | b'[' | b']' | b'_'))
        && rest.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'@' | b'?' | b'#' | b'\\' | b'"'))
}

#[cfg(test)]
mod tests;
