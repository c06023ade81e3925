//! The running stack, as its environment variables describe it.
//!
//! A missing variable is an error that names all that are missing, never a reason to skip.

use anyhow::{Context, Result, bail};

/// Addresses and secrets of the stack under attack.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The gateway, without a trailing slash.
    pub gateway: String,
    /// The REST server, without a trailing slash and without `/rest/v1`.
    pub supabase: String,
    /// The public key.
    pub anon_key: String,
    /// The service role's key.
    pub service_key: String,
    /// What user tokens are signed with.
    pub jwt_secret: String,
    /// The database, as the owner of the schema.
    pub database: String,
    /// The webhook secrets in force, the newest first.
    pub webhook_secrets: Vec<String>,
    /// Stores with secrets of their own.
    own_secrets: Vec<(String, Vec<String>)>,
}

/// Where the secrets are; a store's own are in `<this>_<STORE>`.
const WEBHOOK_SECRET: &str = "SHOPIFY_WEBHOOK_SECRET";

impl Stack {
    /// Reads the variables of the test stack.
    ///
    /// # Errors
    /// When one is missing or empty.
    pub fn from_env() -> Result<Self> {
        let mut missing = Vec::new();
        let mut read = |name: &'static str| {
            let value = std::env::var(name).unwrap_or_default();
            if value.is_empty() {
                missing.push(name);
            }
            value.trim_end_matches('/').to_owned()
        };
        let stack = Self {
            gateway: read("GATEWAY_URL"),
            supabase: read("SUPABASE_URL"),
            anon_key: read("SUPABASE_ANON_KEY"),
            service_key: read("SUPABASE_SERVICE_ROLE_KEY"),
            jwt_secret: read("SUPABASE_JWT_SECRET"),
            database: read("DATABASE_URL"),
            webhook_secrets: secrets(&read(WEBHOOK_SECRET)),
            own_secrets: std::env::vars()
                .filter_map(|(name, list)| {
                    let store = name.strip_prefix(WEBHOOK_SECRET)?.strip_prefix('_')?.to_lowercase();
                    Some((store, secrets(&list)))
                })
                .collect(),
        };
        if !missing.is_empty() {
            bail!(
                "not set: {}; these suites attack a running stack, start them with `cargo xtask test security`",
                missing.join(", ")
            );
        }
        Ok(stack)
    }

    /// The address of an edge function or of something below it.
    #[must_use]
    pub fn function(&self, path: &str) -> String {
        format!("{}/functions/v1/{path}", self.gateway)
    }

    /// The address of a table, or of a function as `rpc/<name>`.
    #[must_use]
    pub fn rest(&self, path: &str) -> String {
        format!("{}/rest/v1/{path}", self.supabase)
    }

    /// Who signs user tokens of this project.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("{}/auth/v1", self.supabase)
    }

    /// The webhook secret that a sender would use today.
    ///
    /// # Errors
    /// When the variable holds nothing but commas.
    pub fn webhook_secret(&self) -> Result<&str> {
        self.webhook_secrets.first().map(String::as_str).context("SHOPIFY_WEBHOOK_SECRET holds no secret")
    }

    /// A store that is changing its own secret: its key and its secrets, the newest first.
    ///
    /// # Errors
    /// When the stack has no such store.
    pub fn rotation(&self) -> Result<(String, Vec<String>)> {
        let found = self.own_secrets.iter().find(|(_, secrets)| secrets.len() > 1).cloned();
        found.context(
            "no SHOPIFY_WEBHOOK_SECRET_<STORE> lists two secrets: the test stack must have such a store",
        )
    }
}

fn secrets(list: &str) -> Vec<String> {
    list.split(',').map(|secret| secret.trim().to_owned()).filter(|secret| !secret.is_empty()).collect()
}
