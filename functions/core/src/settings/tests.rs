//! Tests: every problem is named, no value is.

use super::*;
use crate::envelope::Code;

const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";

fn getter(pairs: &'static [(&'static str, &'static str)]) -> impl Fn(&str) -> Option<String> {
    move |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

#[test]
fn names_every_problem_at_once_and_no_value() {
    let get = getter(&[
        ("SUPABASE_URL", "ftp://hush"),
        ("SUPABASE_JWT_SECRET", "hush"),
        ("SUPABASE_JWT_ALGORITHMS", "HS256,none"),
    ]);
    let fault = StageSettings::read(&get).unwrap_err();
    assert_eq!(fault.code(), Code::Misconfigured);
    let message = fault.envelope().to_json()["message"].as_str().unwrap().to_owned();
    for name in ["SUPABASE_URL", "SUPABASE_ANON_KEY", "SUPABASE_JWT_SECRET", "SUPABASE_JWT_ALGORITHMS"] {
        assert!(message.contains(name), "{name} in {message}");
    }
    assert!(!message.contains("hush"));
}

#[test]
fn blank_is_missing() {
    let get = getter(&[("SUPABASE_URL", " "), ("SUPABASE_ANON_KEY", ""), ("SUPABASE_JWT_SECRET", "  ")]);
    let message = StageSettings::read(&get).unwrap_err().detail().to_owned();
    assert_eq!(message, "SUPABASE_URL is missing; SUPABASE_ANON_KEY is missing");
}

#[test]
fn stage_settings_know_the_issuer() {
    let get = getter(&[
        ("SUPABASE_URL", "https://x.supabase.co/"),
        ("SUPABASE_ANON_KEY", "sb_publishable_x"),
        ("SUPABASE_JWT_SECRET", SECRET),
    ]);
    let settings = StageSettings::read(&get).unwrap();
    assert_eq!(settings.supabase_url, "https://x.supabase.co");
    assert_eq!(settings.tokens.rules.issuer, "https://x.supabase.co/auth/v1");
    let printed = format!("{settings:?}");
    assert!(!printed.contains(SECRET) && !printed.contains("sb_publishable_x"));
}

#[test]
fn ingest_needs_some_secret_and_tells_when_one_is_repeated() {
    let get = getter(&[("SUPABASE_URL", "http://127.0.0.1:8781"), ("SUPABASE_SERVICE_ROLE_KEY", "k")]);
    let fault = IngestSettings::read(&get, &[]).unwrap_err();
    assert_eq!(fault.detail(), "SHOPIFY_WEBHOOK_SECRET is missing");
    let variable = |name: &str, value: &str| (format!("{WEBHOOK_SECRET}{name}"), value.to_owned());
    assert!(IngestSettings::read(&get, &[variable("_BANNOS", "own")]).is_ok());
    let fault = IngestSettings::read(&get, &[variable("", "x"), variable("_BANNOS", "x")]).unwrap_err();
    assert_eq!(fault.detail(), "SHOPIFY_WEBHOOK_SECRET_BANNOS repeats a secret of another variable");
}

#[test]
fn slack_is_optional_and_its_address_a_secret() {
    let base = [("SUPABASE_URL", "https://x.co"), ("SUPABASE_SERVICE_ROLE_KEY", "k")];
    let read = |url: Option<&'static str>| {
        WorkerSettings::read(&move |name| {
            let known = base.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            known.or_else(|| url.filter(|_| name == "SLACK_WEBHOOK_URL").map(str::to_owned))
        })
    };
    for none in [None, Some(""), Some("  ")] {
        assert!(read(none).unwrap().slack_webhook.unwrap().is_none());
    }
    let settings = read(Some("https://hooks.slack.com/services/T0/B0/hush")).unwrap();
    assert!(!format!("{settings:?}").contains("hush"));
    assert_eq!(
        settings.slack_webhook.unwrap().unwrap().expose(),
        "https://hooks.slack.com/services/T0/B0/hush"
    );
    for wrong in ["hooks.slack.com/hush", "ftp://hush", "https://u@hush/", "https://hush?x"] {
        let why = read(Some(wrong)).unwrap().slack_webhook.unwrap_err();
        assert!(
            why.starts_with("SLACK_WEBHOOK_URL ") && !why.contains("hush"),
            "holds up Slack alone: {why}"
        );
    }
}

#[test]
fn gap_repair_knows_where_webhooks_go_when_it_is_told() {
    let base = [("SUPABASE_URL", "https://x.co"), ("SUPABASE_SERVICE_ROLE_KEY", "k")];
    let secret = [(WEBHOOK_SECRET.to_owned(), "hush".to_owned())];
    let read = |public: Option<&str>, names: usize, secrets: &[(String, String)]| {
        let public = public.map(str::to_owned);
        let get = move |name: &str| {
            let known =
                base.iter().take(names).find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            known.or_else(|| public.clone().filter(|_| name == PUBLIC_URL))
        };
        GapRepairSettings::read(&get, secrets)
    };
    assert_eq!(read(None, 2, &secret).unwrap().callback, None);
    assert_eq!(read(Some(" "), 2, &secret).unwrap().callback, None);
    assert_eq!(
        read(Some("https://ordak.example/"), 2, &secret).unwrap().callback.as_deref(),
        Some("https://ordak.example/functions/v1/order-ingest")
    );
    assert_eq!(
        read(Some("ordak.example"), 1, &[]).unwrap_err().detail(),
        "SUPABASE_SERVICE_ROLE_KEY is missing; SHOPIFY_WEBHOOK_SECRET is missing; \
         GATEWAY_PUBLIC_URL is not an http(s) address without user, query or fragment"
    );
}

#[test]
fn credentials_need_their_key() {
    let all = [
        ("SUPABASE_URL", "https://x.co"),
        ("SUPABASE_SERVICE_ROLE_KEY", "k"),
        ("CREDENTIALS_KEY", "k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="),
        ("SLACK_HOOKS_URL", "http://127.0.0.1:8783/slack/"),
    ];
    let read = |names: std::ops::Range<usize>| {
        let known = all.get(names).unwrap_or_default().to_vec();
        CredentialSettings::read(&move |name| {
            known.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let settings = read(0..4).unwrap();
    assert_eq!(settings.slack_hooks, "http://127.0.0.1:8783/slack/");
    assert!(!format!("{settings:?}").contains("AAEC"));
    assert_eq!(read(0..3).unwrap().slack_hooks, "https://hooks.slack.com/");
    assert_eq!(read(0..2).unwrap_err().detail(), "CREDENTIALS_KEY is missing");
    assert_eq!(read(1..2).unwrap_err().detail(), "SUPABASE_URL is missing; CREDENTIALS_KEY is missing");
}

#[test]
fn origins_are_exact() {
    let base = [("SUPABASE_URL", "https://x.co"), ("SUPABASE_SERVICE_ROLE_KEY", "k")];
    let read = |origins: &str| {
        let origins = origins.to_owned();
        GatewaySettings::read(&move |name| {
            let known = base.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
            known.or_else(|| (name == "KIOSK_ORIGINS").then(|| origins.clone()))
        })
    };
    assert_eq!(read("https://a.co, http://localhost:3000,").unwrap().kiosk_origins.len(), 2);
    assert!(read("").unwrap().kiosk_origins.is_empty());
    for wrong in ["*", "https://a.co/", "https://a.co/x", "a.co", "null", "https://u@a.co"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn an_address_is_a_plain_base() {
    for good in ["http://127.0.0.1:8781", "https://x.supabase.co/", "http://[::1]:1", "https://a/b"] {
        assert!(is_base_url(good), "{good}");
    }
    for bad in
        ["", "x", "https://", "https:///x", "https://a?b", "https://a#b", "https://u:p@a", "https://a b"]
    {
        assert!(!is_base_url(bad), "{bad}");
    }
}

#[test]
fn what_a_drain_may_spend_has_a_default_and_bounds() {
    let read = |value: Option<&str>| {
        let value = value.map(str::to_owned);
        WorkerSettings::read(&move |name: &str| match name {
            "SUPABASE_URL" => Some("https://project.supabase.co".into()),
            "SUPABASE_SERVICE_ROLE_KEY" => Some("sb_secret_x".into()),
            "QUEUE_SUBREQUESTS" => value.clone(),
            _ => None,
        })
        .map(|settings| settings.subrequests)
    };
    assert_eq!((read(None).ok(), read(Some("45")).ok()), (Some(900), Some(45)));
    for wrong in ["19", "10001", "-1", "many", "1e3"] {
        assert!(
            read(Some(wrong)).is_err_and(|fault| fault.detail().contains("QUEUE_SUBREQUESTS")),
            "{wrong}"
        );
    }
}
