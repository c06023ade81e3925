//! A built function that runs alone, with settings of the test's own.

use crate::answer::Answer;
use crate::{Failure, Outcome};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// One function in a workerd of its own. It ends with this value.
pub struct Lone {
    url: String,
    http: reqwest::Client,
    // Dropped, it closes the script's standard input, which ends the worker. Never killed: that would leave workerd.
    script: Child,
}

impl Lone {
    /// Starts a built function with these variables and no others.
    pub async fn start(function: &str, bindings: &Value) -> Outcome<Self> {
        Self::run(&json!([described(function, bindings, &json!({}))?])).await
    }

    /// Starts two, of which the first knows the other as it does behind the gateway.
    pub async fn start_beside(first: (&str, &Value), other: (&str, &Value)) -> Outcome<Self> {
        let binding = other.0.to_ascii_uppercase().replace('-', "_");
        let first = described(first.0, first.1, &json!({binding: other.0}))?;
        Self::run(&json!([first, described(other.0, other.1, &json!({}))?])).await
    }

    async fn run(functions: &Value) -> Outcome<Self> {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/suite/lone_worker.mjs");
        let mut script = Command::new("node")
            .arg(script)
            .arg(functions.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = script.stdout.take().ok_or_else(|| Failure::new("the script has no output"))?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(url) = said.get("url").and_then(Value::as_str) {
                let url = url.to_owned();
                // Read on, or the script stops when the pipe is full of log lines.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(Self { url, http: client()?, script });
            }
        }
        Err(Failure::new(format!("did not start alone: {functions}")))
    }

    /// Has a queue worker drain.
    pub async fn drain(&self, key: &str) -> Outcome<Answer> {
        let request = self.request(reqwest::Method::POST, "queue-worker").header("apikey", key);
        Answer::to(request.bearer_auth(key)).await
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process that has started workerd; none when it has ended.
    #[must_use]
    pub fn process(&self) -> Option<u32> {
        self.script.id()
    }

    /// A request below `/functions/v1/`.
    pub fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}/functions/v1/{path}", self.url))
    }
}

fn described(function: &str, bindings: &Value, services: &Value) -> Outcome<Value> {
    let folder = built(function)?;
    Ok(json!({
        "name": function, "folder": folder.join("build"), "compatibilityDate": compatibility_date(&folder)?,
        "bindings": bindings, "services": services
    }))
}

/// Every request has a connection of its own: workerd closes one on which it has answered without reading the body,
/// and no gateway is before it that would try again.
fn client() -> Outcome<reqwest::Client> {
    Ok(reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(60)).build()?)
}

/// The folder of a function that is built.
pub fn built(function: &str) -> Outcome<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
    let folder = root.join("functions").join(function);
    let script = folder.join("build/index.js");
    if !script.is_file() {
        return Err(Failure::new(format!("{} is not there: run `cargo xtask test e2e`", script.display())));
    }
    Ok(folder)
}

/// The compatibility date of a function's own configuration.
pub fn compatibility_date(function: &Path) -> Outcome<String> {
    let config = std::fs::read_to_string(function.join("wrangler.toml"))?;
    let line = config.lines().find_map(|line| line.strip_prefix("compatibility_date = "));
    let date = line.map(|value| value.trim_matches('"').to_owned());
    date.ok_or_else(|| Failure::new("wrangler.toml has no compatibility_date"))
}
