//! Settings of systems that are told and never asked: Slack, Sentry, PostHog, e-mail. Each may be absent; one that is
//! wrong stops its own sink, and nothing else.
//!
//! A problem names the variable and what is wrong with it, never its value.

use super::{Getter, Reader, is_base_url};
use crate::secret::Secret;
use crate::telemetry::{posthog::Project, sentry};

/// Where Resend answers.
const EMAIL_URL: &str = "https://api.resend.com";
/// Where PostHog answers.
const POSTHOG_HOST: &str = "https://us.i.posthog.com";
const NO_URL: &str = "is not an http(s) address without user, query or fragment";

/// A sink, `None` when nothing is set, or what is wrong.
pub type Sink<T> = Result<Option<T>, String>;

/// How e-mails are sent.
#[derive(Clone, Debug)]
pub struct EmailSettings {
    /// Where they are posted.
    pub endpoint: String,
    /// The key of the service.
    pub key: Secret,
    /// From whom they come.
    pub from: String,
}

/// What Sentry is told, and where.
#[derive(Clone, Debug)]
pub struct SentrySettings {
    /// Where it goes.
    pub dsn: sentry::Dsn,
    /// Where the code runs.
    pub surroundings: sentry::Surroundings,
}

/// `SLACK_WEBHOOK_URL`: whoever knows it can write there.
///
/// # Errors
/// What is wrong with it.
pub fn slack(get: Getter<'_>) -> Sink<Secret> {
    match Reader::new(get).optional("SLACK_WEBHOOK_URL") {
        None => Ok(None),
        Some(url) if is_base_url(&url) => Ok(Some(Secret::new(url))),
        Some(_) => Err(format!("SLACK_WEBHOOK_URL {NO_URL}")),
    }
}

/// `EMAIL_API_KEY` and `EMAIL_FROM`; `EMAIL_API_URL` for another service than Resend.
///
/// # Errors
/// What is wrong with them.
pub fn email(get: Getter<'_>) -> Sink<EmailSettings> {
    let reader = Reader::new(get);
    let (key, from) = (reader.optional("EMAIL_API_KEY"), reader.optional("EMAIL_FROM"));
    let url = base_url(&reader, "EMAIL_API_URL", EMAIL_URL)?;
    match (key, from) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err("EMAIL_API_KEY is missing".into()),
        (Some(_), None) => Err("EMAIL_FROM is missing".into()),
        (Some(_), Some(from)) if !from.contains('@') || from.contains(char::is_control) => {
            Err("EMAIL_FROM is not an address such as Ordak <alerts@example.com>".into())
        }
        (Some(key), Some(from)) => {
            Ok(Some(EmailSettings { endpoint: format!("{url}/emails"), key: Secret::new(key), from }))
        }
    }
}

/// `SENTRY_DSN`; `SENTRY_ENVIRONMENT` and `ORDAK_VERSION` say where the code runs. `version` is that of the code.
///
/// # Errors
/// What is wrong with them.
pub fn sentry(get: Getter<'_>, version: &str) -> Sink<SentrySettings> {
    let reader = Reader::new(get);
    let Some(dsn) = reader.optional("SENTRY_DSN") else { return Ok(None) };
    let dsn =
        sentry::Dsn::parse(&dsn).ok_or("SENTRY_DSN is not of the form https://<key>@<host>/<project>")?;
    let version = reader.optional("ORDAK_VERSION").unwrap_or_else(|| version.to_owned());
    let environment = reader.optional("SENTRY_ENVIRONMENT").unwrap_or_else(|| "production".into());
    let surroundings = sentry::Surroundings { release: format!("ordak@{version}"), environment };
    Ok(Some(SentrySettings { dsn, surroundings }))
}

/// `POSTHOG_API_KEY`; `POSTHOG_HOST` for another place than the United States.
///
/// # Errors
/// What is wrong with them.
pub fn posthog(get: Getter<'_>) -> Sink<Project> {
    let reader = Reader::new(get);
    let Some(key) = reader.optional("POSTHOG_API_KEY") else { return Ok(None) };
    let host = base_url(&reader, "POSTHOG_HOST", POSTHOG_HOST)?;
    Ok(Some(Project { endpoint: format!("{host}/batch/"), key: Secret::new(key) }))
}

/// What is wrong with any of them, a sentence each.
#[must_use]
pub fn problems(get: Getter<'_>) -> Vec<String> {
    [slack(get).err(), email(get).err(), sentry(get, "").err(), posthog(get).err()]
        .into_iter()
        .flatten()
        .collect()
}

fn base_url(reader: &Reader<'_>, name: &str, usual: &str) -> Result<String, String> {
    let url = reader.optional(name).unwrap_or_else(|| usual.to_owned());
    if is_base_url(&url) { Ok(url.trim_end_matches('/').to_owned()) } else { Err(format!("{name} {NO_URL}")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with<T>(known: &[(&str, &str)], read: impl Fn(Getter<'_>) -> T) -> T {
        read(&|name| known.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn without_settings_everything_is_off() {
        with(&[("SLACK_WEBHOOK_URL", " ")], |get| {
            assert!(slack(get).unwrap().is_none() && email(get).unwrap().is_none());
            assert!(sentry(get, "1").unwrap().is_none() && posthog(get).unwrap().is_none());
            assert!(problems(get).is_empty());
        });
    }

    #[test]
    fn each_knows_where_it_goes() {
        let email =
            with(&[("EMAIL_API_KEY", "re_hush"), ("EMAIL_FROM", "o@example.com")], email).unwrap().unwrap();
        assert_eq!(email.endpoint, "https://api.resend.com/emails");
        assert!(!format!("{email:?}").contains("hush"));
        let project =
            with(&[("POSTHOG_API_KEY", "phc_hush"), ("POSTHOG_HOST", "https://eu.example/")], posthog);
        let project = project.unwrap().unwrap();
        assert_eq!(project.endpoint, "https://eu.example/batch/");
        assert!(!format!("{project:?}").contains("hush"));
        let known = [("SENTRY_DSN", "https://hush@o1.example/7"), ("SENTRY_ENVIRONMENT", "staging")];
        let settings = with(&known, |get| sentry(get, "0.1.0")).unwrap().unwrap();
        assert_eq!(settings.surroundings.release, "ordak@0.1.0");
        assert_eq!(settings.surroundings.environment, "staging");
        assert!(!format!("{settings:?}").contains("hush"));
    }

    #[test]
    fn what_is_wrong_is_named_without_its_value() {
        let known = [
            ("SLACK_WEBHOOK_URL", "hush"),
            ("EMAIL_API_KEY", "hush"),
            ("SENTRY_DSN", "https://hush"),
            ("POSTHOG_API_KEY", "hush"),
            ("POSTHOG_HOST", "hush"),
        ];
        let problems = with(&known, problems);
        let named: Vec<&str> = problems.iter().filter_map(|problem| problem.split(' ').next()).collect();
        assert_eq!(named, ["SLACK_WEBHOOK_URL", "EMAIL_FROM", "SENTRY_DSN", "POSTHOG_HOST"]);
        assert!(!problems.concat().contains("hush"));
        let email = |known: &[(&str, &str)]| with(known, email).unwrap_err();
        assert_eq!(email(&[("EMAIL_FROM", "o@example.com")]), "EMAIL_API_KEY is missing");
        assert!(email(&[("EMAIL_API_KEY", "k"), ("EMAIL_FROM", "nobody")]).starts_with("EMAIL_FROM "));
        assert!(email(&[("EMAIL_API_URL", "x")]).starts_with("EMAIL_API_URL "));
    }
}
