//! What the workers and the scripts are told: the settings of a local stack, or of one that uses a hosted project.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::database::{self, Role};
use crate::dotenv::StackEnv;
use crate::keys::{self, LOCAL_ADMIN_TOKEN, LOCAL_CREDENTIALS_KEY, LOCAL_JWT_SECRET, LOCAL_WEBHOOK_SECRET};
use crate::layout::{Layout, StackName};

/// Who plays Supabase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Backend {
    /// This stack's own Postgres and REST server.
    Local,
    /// A real project, or `supabase start`.
    Hosted(Project),
}

/// How to reach a project.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Its address.
    pub url: String,
    /// The key that anybody may have.
    pub anon_key: String,
    /// The key that only the functions may have.
    pub service_role_key: String,
    /// What it signs tokens with, when that is a shared secret.
    pub jwt_secret: Option<String>,
}

impl std::fmt::Debug for Project {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Project").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Where the fake shops believe the gateway to be. Like the real ones they take no address of this machine.
const PUBLIC_URL: &str = "https://ordak.example";

/// What the environment may replace besides everything about Shopify.
const REPLACEABLE: [&str; 4] = ["KIOSK_ORIGINS", "GATEWAY_PUBLIC_URL", "CREDENTIALS_KEY", "SLACK_HOOKS_URL"];

/// The people of the seed who get a token in the dotenv file.
const TOKENS: [(&str, &str); 4] = [
    ("TOKEN_STAFF_BANNOS", "00000000-0000-4000-8000-000000000001"),
    ("TOKEN_SUPERVISOR_BANNOS", "00000000-0000-4000-8000-000000000002"),
    ("TOKEN_ADMIN", "00000000-0000-4000-8000-000000000003"),
    ("TOKEN_STAFF_FLOURLANE", "00000000-0000-4000-8000-000000000004"),
];

impl Backend {
    /// Builds a project's description from the command line.
    pub fn hosted(url: &str, anon: &str, service_role: &str, jwt_secret: Option<&str>) -> Result<Self> {
        let url = url.trim_end_matches('/');
        if !url.starts_with("https://") && !url.starts_with("http://") {
            bail!("--supabase-url is `{url}`: it must begin with https:// (or http:// for `supabase start`)");
        }
        Ok(Self::Hosted(Project {
            url: url.to_owned(),
            anon_key: anon.to_owned(),
            service_role_key: service_role.to_owned(),
            jwt_secret: jwt_secret.map(str::to_owned),
        }))
    }

    fn project(&self, layout: &Layout) -> Result<Project> {
        match self {
            Self::Hosted(project) => Ok(project.clone()),
            Self::Local => Ok(Project {
                url: format!("http://127.0.0.1:{}", layout.ports.rest()),
                anon_key: keys::api_key(LOCAL_JWT_SECRET, "anon")?,
                service_role_key: keys::api_key(LOCAL_JWT_SECRET, "service_role")?,
                jwt_secret: Some(LOCAL_JWT_SECRET.to_owned()),
            }),
        }
    }
}

/// The settings of all workers. In a development stack the environment may replace those about Shopify and the
/// `REPLACEABLE` ones, or take one away by setting it to nothing.
pub fn of_functions(layout: &Layout, backend: &Backend) -> Result<Vec<(String, String)>> {
    let environment = match layout.name {
        StackName::Dev => std::env::vars().collect(),
        StackName::Test | StackName::Bench => Vec::new(),
    };
    Ok(with_replacements(defaults(layout, backend)?, &environment))
}

fn defaults(layout: &Layout, backend: &Backend) -> Result<Vec<(String, String)>> {
    let project = backend.project(layout)?;
    let mut values = vec![
        ("SUPABASE_URL", project.url),
        ("SUPABASE_ANON_KEY", project.anon_key),
        ("SUPABASE_SERVICE_ROLE_KEY", project.service_role_key),
        ("SHOPIFY_WEBHOOK_SECRET", LOCAL_WEBHOOK_SECRET.to_owned()),
        ("SHOPIFY_ADMIN_TOKEN", LOCAL_ADMIN_TOKEN.to_owned()),
        ("SHOPIFY_ADMIN_URL", format!("{}/shopify/{{shop}}", fakes_url(layout))),
        ("SLACK_HOOKS_URL", format!("{}/slack/", fakes_url(layout))),
        ("CREDENTIALS_KEY", LOCAL_CREDENTIALS_KEY.to_owned()),
        ("SLACK_WEBHOOK_URL", format!("{}/slack/alerts", fakes_url(layout))),
        ("SENTRY_DSN", fakes_url(layout).replacen("://", "://public@", 1) + "/sentry/1"),
        ("SENTRY_ENVIRONMENT", "local".to_owned()),
        ("POSTHOG_HOST", format!("{}/posthog", fakes_url(layout))),
        ("POSTHOG_API_KEY", "phc_local".to_owned()),
        ("EMAIL_API_URL", format!("{}/email", fakes_url(layout))),
        ("EMAIL_API_KEY", "re_local".to_owned()),
        ("EMAIL_FROM", "Ordak <alerts@ordak.example>".to_owned()),
        ("GATEWAY_PUBLIC_URL", PUBLIC_URL.to_owned()),
        ("KIOSK_ORIGINS", "http://localhost:5173,http://127.0.0.1:5173".to_owned()),
    ];
    values.extend(project.jwt_secret.map(|secret| ("SUPABASE_JWT_SECRET", secret)));
    if *backend == Backend::Local {
        // The local project signs with a shared secret and publishes keys as well, as one that moves to them does.
        values.push(("SUPABASE_JWT_ALGORITHMS", "HS256,ES256,RS256".to_owned()));
    }
    if layout.name == StackName::Test {
        // The end-to-end tests make a store that signs with secrets of its own, of which one is retiring.
        values.push((
            "SHOPIFY_WEBHOOK_SECRET_TESTTEN",
            "ordak-local-own-secret,ordak-local-own-secret-before".to_owned(),
        ));
    }
    Ok(values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn with_replacements(
    mut values: Vec<(String, String)>,
    environment: &[(String, String)],
) -> Vec<(String, String)> {
    // Shops that are not ours are never told to send their webhooks to an address that is nobody's.
    if environment.iter().any(|(name, _)| name == "SHOPIFY_ADMIN_URL") {
        values.retain(|(known, _)| known != "GATEWAY_PUBLIC_URL");
    }
    for (name, value) in environment {
        if name.starts_with("SHOPIFY_") || REPLACEABLE.contains(&name.as_str()) {
            values.retain(|(known, _)| known != name);
            if !value.is_empty() {
                values.push((name.clone(), value.clone()));
            }
        }
    }
    values
}

/// What scripts need to reach the stack.
pub fn env(layout: &Layout, backend: &Backend) -> Result<StackEnv> {
    let project = backend.project(layout)?;
    let mut env = StackEnv::default();
    env.set("GATEWAY_URL", gateway_url(layout));
    env.set("FAKES_URL", fakes_url(layout));
    if let Some(secret) = &project.jwt_secret {
        if *backend == Backend::Local {
            for (name, user) in TOKENS {
                env.set(name, keys::user_token(secret, &project.url, user)?);
            }
        }
        env.set("SUPABASE_JWT_SECRET", secret.clone());
    }
    if *backend == Backend::Local {
        env.set("DATABASE_URL", database::url(layout, Role::Owner));
    }
    for (name, value) in of_functions(layout, backend)? {
        if name.starts_with("SHOPIFY_WEBHOOK_SECRET") || name == "CREDENTIALS_KEY" {
            env.set(&name, value);
        }
    }
    env.set("SUPABASE_URL", project.url);
    env.set("SUPABASE_ANON_KEY", project.anon_key);
    env.set("SUPABASE_SERVICE_ROLE_KEY", project.service_role_key);
    Ok(env)
}

/// Where the gateway answers.
pub fn gateway_url(layout: &Layout) -> String {
    format!("http://127.0.0.1:{}", layout.ports.gateway())
}

/// Where the fakes answer.
pub fn fakes_url(layout: &Layout) -> String {
    format!("http://127.0.0.1:{}", layout.ports.fakes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Checkout;

    fn layout() -> Layout {
        Layout::new(&Checkout::at("/repo".as_ref()), StackName::Test).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_dotenv_file_has_every_name_that_scripts_may_count_on() {
        let env = env(&layout(), &Backend::Local).unwrap();
        for name in [
            "GATEWAY_URL",
            "SUPABASE_URL",
            "SUPABASE_ANON_KEY",
            "SUPABASE_SERVICE_ROLE_KEY",
            "SUPABASE_JWT_SECRET",
            "DATABASE_URL",
            "FAKES_URL",
            "SHOPIFY_WEBHOOK_SECRET",
            "TOKEN_STAFF_BANNOS",
            "TOKEN_SUPERVISOR_BANNOS",
            "TOKEN_ADMIN",
            "TOKEN_STAFF_FLOURLANE",
        ] {
            assert!(!env.get(name).unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn a_hosted_project_brings_no_local_database_and_no_seeded_people() {
        let backend = Backend::hosted("https://x.supabase.co/", "anon", "service", None).unwrap();
        let env = env(&layout(), &backend).unwrap();
        assert_eq!(env.get("SUPABASE_URL").unwrap(), "https://x.supabase.co");
        assert!(env.get("DATABASE_URL").is_err() && env.get("TOKEN_ADMIN").is_err());
        assert!(!format!("{backend:?}").contains("service"), "keys are not printed");
        assert!(Backend::hosted("x.supabase.co", "a", "b", None).is_err());
    }

    #[test]
    fn the_environment_replaces_or_removes_what_is_about_shopify_only() {
        let values = vec![
            pair("SHOPIFY_ADMIN_TOKEN", "a"),
            pair("SHOPIFY_ADMIN_URL", "u"),
            pair("SUPABASE_URL", "s"),
            pair("GATEWAY_PUBLIC_URL", "p"),
        ];
        assert_eq!(with_replacements(values.clone(), &[]), values);
        let environment = [
            pair("SHOPIFY_ADMIN_TOKEN", "b"),
            pair("SHOPIFY_ADMIN_URL", ""),
            pair("SUPABASE_URL", "x"),
            pair("PATH", "p"),
        ];
        let replaced = with_replacements(values, &environment);
        assert_eq!(replaced, [pair("SUPABASE_URL", "s"), pair("SHOPIFY_ADMIN_TOKEN", "b")]);
    }
}
