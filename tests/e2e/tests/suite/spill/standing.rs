//! The built order-ingest alone in workerd, with a queue of its own or none, before a door that can be shut.

use super::door::Door;
use ordak_e2e::lone::{built, compatibility_date};
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::{Failure, Outcome};
use serde_json::{Value, json};
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

const QUEUE: &str = "ordak-ingest-spill";

/// The worker. It ends in order when it is dropped, as its input ends then: killed, it would leave workerd behind.
pub struct Standing {
    /// The stack as it looks through this worker.
    pub stack: Stack,
    /// Between the worker and the database.
    pub door: Door,
    input: ChildStdin,
    lines: Arc<Mutex<Vec<Value>>>,
}

impl Standing {
    /// With a queue: what fails is tried once more and then given up.
    pub async fn with_queue(stack: &Stack) -> Outcome<Self> {
        let consumer = |more: Value| {
            let mut consumer = json!({"maxBatchSize": 10, "maxBatchTimeout": 0.2});
            consumer.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            consumer
        };
        let dead = format!("{QUEUE}-dead");
        let consumers = json!({
            QUEUE: consumer(json!({"maxRetries": 1, "deadLetterQueue": dead})),
            &dead: consumer(json!({"maxRetries": 100}))
        });
        Self::start(stack, &consumers).await
    }

    /// Without one.
    pub async fn without_queue(stack: &Stack) -> Outcome<Self> {
        Self::start(stack, &json!({})).await
    }

    async fn start(stack: &Stack, consumers: &Value) -> Outcome<Self> {
        let door = Door::before(&stack.supabase_url).await?;
        let function = built("order-ingest")?;
        let argument = json!({
            "folder": function.join("build"), "compatibilityDate": compatibility_date(&function)?,
            "binding": "INGEST_SPILL", "consumers": consumers,
            "bindings": {
                "SUPABASE_URL": door.url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key,
                "SHOPIFY_WEBHOOK_SECRET": stack.webhook_secret,
                "SHOPIFY_WEBHOOK_SECRET_TESTTEN": stack.rotation_secrets.join(",")
            }
        });
        let script = function.join("../../tests/e2e/tests/suite/spill/standing_worker.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .arg(argument.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let missing = || Failure::new("a process without pipes");
        let input = process.stdin.take().ok_or_else(missing)?;
        let mut output = BufReader::new(process.stdout.take().ok_or_else(missing)?).lines();
        let url = url(&mut output).await?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(read(output, lines.clone()));
        let stack = Stack { gateway_url: url, ..stack.clone() };
        Ok(Self { stack, door, input, lines })
    }

    /// Puts a text into the queue past the worker.
    pub async fn inject(&mut self, text: &str) -> Outcome {
        self.input.write_all(format!("{}\n", json!(text)).as_bytes()).await?;
        Ok(self.input.flush().await?)
    }

    /// Every line that it has written.
    pub fn said(&self) -> Vec<String> {
        let lines = self.lines.lock().map(|lines| lines.clone()).unwrap_or_default();
        lines.iter().map(Value::to_string).collect()
    }

    /// What the log has told of deliveries out of the queue.
    pub fn queued(&self) -> Vec<Value> {
        let lines = self.lines.lock().map(|lines| lines.clone()).unwrap_or_default();
        let is_queued = |line: &Value| line["route"].as_str().is_some_and(|it| it.starts_with("queue "));
        lines.into_iter().filter(is_queued).collect()
    }

    /// Their outcomes.
    pub fn outcomes(&self) -> Vec<String> {
        self.queued().iter().map(|line| line["outcome"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Waits until the log tells an outcome so often.
    pub async fn says(&self, outcome: &str, times: usize) -> Outcome {
        eventually(&format!("{outcome} in the log"), async || {
            let seen = self.outcomes();
            Ok(if seen.iter().filter(|it| *it == outcome).count() >= times {
                Ok(())
            } else {
                Err(format!("{seen:?}"))
            })
        })
        .await
    }
}

async fn url(output: &mut Lines<BufReader<ChildStdout>>) -> Outcome<String> {
    while let Some(line) = output.next_line().await? {
        let value: Value = serde_json::from_str(&line).unwrap_or_default();
        if let Some(url) = value["url"].as_str() {
            return Ok(url.to_owned());
        }
    }
    Err(Failure::new("the worker ended before it answered"))
}

async fn read(mut output: Lines<BufReader<ChildStdout>>, lines: Arc<Mutex<Vec<Value>>>) {
    while let Ok(Some(line)) = output.next_line().await {
        if let Ok(mut lines) = lines.lock() {
            lines.push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
        }
    }
}
