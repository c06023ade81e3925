//! Keys stay sealed: no log, no answer, no error, and no table tells one.

use super::desk::{PATH, list, push_becomes, put, remove, sell, shop_takes};
use ordak_e2e::answer::Answer;
use ordak_e2e::db::Db;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store;
use ordak_e2e::{Failure, Outcome, unique};
use reqwest::Method;
use serde_json::{Value, json};
use std::path::Path;

/// Every row of every table of ours that holds a word, by table.
async fn tables_with(db: &Db, word: &str) -> Outcome<Vec<String>> {
    let tables = "select format('%I.%I', n.nspname, c.relname) as name from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'private') and c.relkind = 'r' order by 1";
    let mut found = Vec::new();
    for table in db.rows(tables, &[]).await? {
        let name = table["name"].as_str().unwrap_or_default();
        let query = format!(
            "select count(*)::int as hits from {name} t where to_jsonb(t)::text like '%' || $1 || '%'"
        );
        if db.row(&query, &[&word]).await?["hits"] != 0 {
            found.push(name.to_owned());
        }
    }
    Ok(found)
}

#[tokio::test]
async fn no_log_no_answer_and_no_table_tells_a_key() -> Outcome {
    let folder = std::env::var("ORDAK_LOGS")
        .map_err(|_| Failure::new("ORDAK_LOGS is not set: run `cargo xtask test e2e`".to_owned()))?;
    let stack = Stack::up().await?;
    let db = stack.db().await?;
    let store = store::fresh(&stack).await?;
    let word = format!("Q{}", unique());
    let mut answers: Vec<Answer> = Vec::new();

    // Put well, in every form; put wrongly, in every form; and used, refused, listed, sealed anew and removed.
    let app = json!({"client_id": word, "client_secret": word});
    shop_takes(&stack, store, &[&word], json!({"apps": [app]})).await?;
    let hook = format!("{}/slack/{word}", stack.fakes_url);
    for (provider, keys) in [
        ("slack", json!({"webhook_url": hook})),
        ("shipstation", json!({"api_key": word, "api_secret": word})),
        ("email", json!({"api_key": word})),
        ("shopify", json!({"access_token": word})),
        ("shopify", app.clone()),
        ("shopify", json!({"access_token": format!("wrong{word}")})),
        ("shopify", json!({"client_id": word, "client_secret": format!("wrong{word}")})),
        ("shopify", json!({word.as_str(): word})),
        ("slack", json!({"webhook_url": format!("https://example.com/{word}")})),
        (word.as_str(), json!({"api_key": word})),
    ] {
        answers.push(put(&stack, store, provider, &keys).await?);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 400, 400, 400, 400, 400]);
    for body in [format!("{{\"keys\": \"{word}\""), word.clone()] {
        let request = stack.request(Method::PUT, PATH).bearer_auth(&stack.admin).body(body);
        answers.push(Answer::to(request).await?);
    }
    for mode in ["500", "reset_before_body", "truncated_json", "revoked_token"] {
        stack.break_shopify(store, mode, 1).await?;
        answers.push(put(&stack, store, "shopify", &app).await?);
    }
    let item = sell(&stack, store).await?;
    push_becomes(&stack, store, &item, "done").await?;
    shop_takes(&stack, store, &["another"], json!({"apps": [], "revoke_granted": true})).await?;
    let item = sell(&stack, store).await?;
    push_becomes(&stack, store, &item, "dead").await?;
    let listed = list(&stack, store).await?;
    assert_eq!(listed.len(), 4, "{listed:?}");
    let unchecked: Vec<&Value> = listed.iter().filter(|one| one["checked_at"].is_null()).collect();
    assert_eq!(unchecked.len(), 2, "what nobody can be asked about yet: {listed:?}");
    assert!(!json!(listed).to_string().contains(&word));
    let rotate = stack.request(Method::POST, &format!("{PATH}/rotate")).bearer_auth(&stack.admin);
    answers.push(Answer::to(rotate.json(&json!({"stores": [store.key]}))).await?);

    for answer in &answers {
        assert!(!answer.text.contains(&word), "{}", answer.text);
    }
    assert_eq!(tables_with(&db, &word).await?, Vec::<String>::new());
    // The control: what is stored in the clear is found by the same search.
    assert!(tables_with(&db, store.key).await?.contains(&"private.shop_credentials".to_owned()));
    for provider in ["slack", "shipstation", "email", "shopify"] {
        answers.push(remove(&stack, store, provider).await?);
    }

    let last = answers.last().map(|answer| answer.header("x-request-id").to_owned()).unwrap_or_default();
    let logs = || -> Outcome<Vec<(String, String)>> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir(Path::new(&folder))? {
            let path = entry?.path();
            let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
            all.push((path.display().to_string(), text));
        }
        Ok(all)
    };
    eventually("the log line of the last request", async || {
        let seen = logs()?.iter().any(|(_, text)| text.contains(&last));
        Ok(if seen { Ok(()) } else { Err(last.clone()) })
    })
    .await?;
    for (path, text) in logs()? {
        assert_eq!(text.lines().find(|line| line.contains(&word)), None, "{path}");
    }
    Ok(())
}
