//! The health page: up, with figures, and nothing about anybody.

use ordak_e2e::Outcome;
use ordak_e2e::answer::Answer;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use reqwest::Method;
use serde_json::Value;

#[tokio::test]
async fn says_up_with_figures() -> Outcome {
    let stack = Stack::up().await?;
    stack.drain().await?;
    let answer = eventually("health with a last run", async || {
        let answer = Answer::to(stack.request(Method::GET, "/edge/health")).await?;
        let seen = answer.at("/queue/last_run_at").is_string() && answer.str("/status") == "up";
        Ok(if seen { Ok(answer) } else { Err(answer.text) })
    })
    .await?;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.at("/db/ok"), true);
    assert!(!answer.str("/version").is_empty(), "{}", answer.text);
    for figure in
        ["/db/latency_ms", "/queue/pending", "/queue/dead", "/queue/items_per_min", "/queue/error_rate"]
    {
        assert!(answer.at(figure).as_f64().is_some_and(|number| number >= 0.0), "{figure}: {}", answer.text);
    }
    for function in ["order-ingest", "stage-actions", "queue-worker"] {
        assert_eq!(answer.at("/functions")[function], "up", "{function}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn tells_nothing_about_anybody() -> Outcome {
    let stack = Stack::up().await?;
    let answer = Answer::to(stack.request(Method::GET, "/edge/health")).await?;
    assert_eq!(answer.status, 200);
    for secret in ["@", "myshopify", "bannos", &stack.service_key, &stack.jwt_secret, "postgres://"] {
        assert!(!answer.text.contains(secret), "{secret}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn is_for_reading_only() -> Outcome {
    let stack = Stack::up().await?;
    let answer = Answer::to(stack.request(Method::POST, "/edge/health")).await?;
    assert_eq!((answer.status, answer.at("/ok")), (405, &Value::Bool(false)), "{}", answer.text);
    assert!(answer.header("allow").split(", ").any(|method| method == "GET"), "{}", answer.header("allow"));
    Ok(())
}
