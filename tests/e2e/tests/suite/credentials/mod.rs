//! Stores bring their own keys: tried when they are put, used from then on, never told to anybody.

mod desk;
mod secrecy;
mod tokens;

use desk::{PATH, list, put, put_as, put_well, remove, sell, sell_and_push, shop_takes, tokens_used};
use ordak_e2e::answer::Answer;
use ordak_e2e::lone::Lone;
use ordak_e2e::poll::eventually;
use ordak_e2e::stack::Stack;
use ordak_e2e::store;
use ordak_e2e::{Outcome, token, unique};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn what_an_admin_has_put_is_what_opens_the_shop() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let own = format!("shpat_{}", unique());
    shop_takes(&stack, store, &[&own], json!({})).await?;
    put_well(&stack, store, "shopify", &json!({"access_token": own})).await?;
    let item = sell_and_push(&stack, store).await?;
    assert_eq!(tokens_used(&stack, store, &item).await?, [(own.clone(), 200)]);

    let listed = list(&stack, store).await?;
    assert_eq!(listed.len(), 1);
    assert_eq!(
        (&listed[0]["provider"], &listed[0]["set_by"]),
        (&json!("shopify"), &json!("00000000-0000-4000-8000-000000000003"))
    );
    assert!(listed[0]["checked_at"].is_string(), "{listed:?}");
    let audit = "select action, details, performed_by::text from public.store_audit where store = $1";
    let audit = stack.db().await?.rows(audit, &[&store.key]).await?;
    assert_eq!((audit.len(), &audit[0]["action"]), (1, &json!("set")), "{audit:?}");
    assert!(!json!(audit).to_string().contains(&own));

    // Changed keys count after the first refusal at the latest, without a lost item.
    let changed = format!("shpat_{}", unique());
    shop_takes(&stack, store, &[&changed], json!({})).await?;
    put_well(&stack, store, "shopify", &json!({"access_token": changed})).await?;
    let item = sell_and_push(&stack, store).await?;
    let used = tokens_used(&stack, store, &item).await?;
    assert_eq!(used.last(), Some(&(changed, 200)), "{used:?}");
    assert!(used.len() <= 2, "{used:?}");

    // Without keys of its own the settings hold again.
    shop_takes(&stack, store, &[], json!({})).await?;
    let gone = remove(&stack, store, "shopify").await?;
    assert_eq!((gone.status, gone.at("/already_done")), (200, &json!(false)), "{}", gone.text);
    assert_eq!(remove(&stack, store, "shopify").await?.at("/already_done"), &json!(true));
    assert!(list(&stack, store).await?.is_empty());
    sell_and_push(&stack, store).await?;
    Ok(())
}

#[tokio::test]
async fn keys_that_open_nothing_are_refused_and_what_was_there_stays() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let (good, bad) = (format!("shpat_{}", unique()), format!("shpat_{}", unique()));
    shop_takes(&stack, store, &[&good], json!({"apps": [{"client_id": "app", "client_secret": good}]}))
        .await?;
    put_well(&stack, store, "shopify", &json!({"access_token": good})).await?;
    let before = list(&stack, store).await?;
    for (keys, said) in [
        (json!({"access_token": bad}), "refused the access token (401)"),
        (json!({"client_id": "app", "client_secret": bad}), "invalid_client"),
        (json!({"client_id": bad, "client_secret": bad}), "application_cannot_be_found"),
        (json!({"access_token": ""}), "access_token must be"),
        (json!({"token": bad}), "keys must be {access_token} or"),
    ] {
        let answer = put(&stack, store, "shopify", &keys).await?;
        assert_eq!((answer.status, answer.str("/code")), (400, "BAD_INPUT"), "{keys}: {}", answer.text);
        assert!(answer.text.contains(said) && !answer.text.contains(&bad), "{keys}: {}", answer.text);
    }
    // Keys of which nobody could say whether they are good are not kept either.
    for mode in ["500", "429_seconds", "reset_before_body", "malformed_json", "throttled"] {
        stack.break_shopify(store, mode, 1).await?;
        let answer = put(&stack, store, "shopify", &json!({"access_token": good})).await?;
        assert_eq!((answer.status, answer.str("/code")), (502, "UPSTREAM"), "{mode}: {}", answer.text);
        assert!(answer.text.contains("nothing was stored"), "{mode}: {}", answer.text);
    }
    assert_eq!(list(&stack, store).await?, before);
    Ok(())
}

#[tokio::test]
async fn bad_requests_get_a_clear_answer() -> Outcome {
    let stack = Stack::up().await?;
    let send = async |method: Method, path: &str, body: String| {
        let request = stack.request(method, &format!("/functions/v1/settings/{path}"));
        Answer::to(request.bearer_auth(&stack.admin).body(body)).await
    };
    let keys = json!({"store": "nowhere", "provider": "shopify", "keys": {"access_token": "t"}}).to_string();
    for (method, path, body, status, code) in [
        (Method::PUT, "credentials", keys, 404, "NOT_FOUND"),
        (Method::PUT, "credentials", "{".into(), 400, "BAD_INPUT"),
        (Method::PUT, "credentials", "x".repeat(17 * 1024), 413, "PAYLOAD_TOO_LARGE"),
        (Method::GET, "credentials", String::new(), 400, "BAD_INPUT"),
        (Method::GET, "credentials?store=nowhere", String::new(), 404, "NOT_FOUND"),
        (Method::DELETE, "credentials?store=bannos", String::new(), 400, "BAD_INPUT"),
        (Method::DELETE, "credentials?store=bannos&provider=x", String::new(), 400, "BAD_INPUT"),
        (Method::POST, "credentials", "{}".into(), 405, "METHOD_NOT_ALLOWED"),
        (Method::GET, "credentials/rotate", String::new(), 405, "METHOD_NOT_ALLOWED"),
        (Method::POST, "credentials/rotate", "[]".into(), 400, "BAD_INPUT"),
        (Method::GET, "credentials/shopify", String::new(), 404, "NOT_FOUND"),
        (Method::GET, "", String::new(), 404, "NOT_FOUND"),
    ] {
        let name = format!("{method} {path} {}", body.chars().take(30).collect::<String>());
        let answer = send(method, path, body).await?;
        assert_eq!((answer.status, answer.str("/code")), (status, code), "{name}: {}", answer.text);
    }
    Ok(())
}

#[tokio::test]
async fn only_an_admin_handles_keys_and_nobody_else_makes_us_try_any() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let former = token::hs256(&token::claims(&stack.supabase_url, token::FORMER), &stack.jwt_secret);
    let nobody = token::hs256(&token::claims(&stack.supabase_url, token::NOBODY), &stack.jwt_secret);
    let keys = json!({"access_token": "tried"});
    for (token, status) in [
        (&stack.staff_bannos, 403),
        (&stack.supervisor_bannos, 403),
        (&former, 403),
        (&nobody, 403),
        (&stack.anon_key, 401),
        (&"garbage".to_owned(), 401),
    ] {
        assert_eq!(put_as(&stack, token, store, "shopify", &keys).await?.status, status);
        for (method, path) in [
            (Method::GET, format!("{PATH}?store={}", store.key)),
            (Method::DELETE, format!("{PATH}?store={}&provider=shopify", store.key)),
            (Method::POST, format!("{PATH}/rotate")),
        ] {
            let answer = Answer::to(stack.request(method.clone(), &path).bearer_auth(token)).await?;
            assert_eq!(answer.status, status, "{method} {path}: {}", answer.text);
        }
    }
    let query = [("upstream", "shopify"), ("shop", &store.domain())];
    let calls = Answer::to(stack.http.get(format!("{}/_calls", stack.fakes_url)).query(&query)).await?;
    assert_eq!(calls.at("/calls"), &json!([]), "nothing was tried");
    let service = put_as(&stack, &stack.service_key, store, "shopify", &keys).await?;
    assert_eq!(service.status, 200, "{}", service.text);
    Ok(())
}

#[tokio::test]
async fn what_an_old_key_has_sealed_is_sealed_anew() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let own = format!("shpat_{}", unique());
    shop_takes(&stack, store, &[&own], json!({})).await?;
    let old = stack.credentials_key.split(',').next_back().unwrap_or_default();
    let settings = json!({
        "SUPABASE_URL": stack.supabase_url, "SUPABASE_SERVICE_ROLE_KEY": stack.service_key,
        "SUPABASE_JWT_SECRET": stack.jwt_secret, "CREDENTIALS_KEY": old,
        "SHOPIFY_ADMIN_URL": format!("{}/shopify/{{shop}}", stack.fakes_url)
    });
    let before = Lone::start("settings", &settings).await?;
    let body = json!({"store": store.key, "provider": "shopify", "keys": {"access_token": own}});
    let request = before.request(Method::PUT, "settings/credentials").bearer_auth(&stack.admin);
    let put = Answer::to(request.json(&body)).await?;
    assert_eq!((put.status, put.str("/data/key_id")), (200, "local-1"), "{}", put.text);
    let item = sell_and_push(&stack, store).await?;
    assert_eq!(tokens_used(&stack, store, &item).await?, [(own.clone(), 200)], "the old key still opens");

    let rotate = async || {
        let request = stack.request(Method::POST, &format!("{PATH}/rotate")).bearer_auth(&stack.admin);
        let answer = Answer::to(request.json(&json!({"stores": [store.key]}))).await?;
        assert_eq!(answer.status, 200, "{}", answer.text);
        Outcome::Ok(answer.at("/data").clone())
    };
    let told = json!({"key_id": "local-2", "resealed": 1, "unopened": [], "complete": true});
    assert_eq!(rotate().await?, told);
    assert_eq!(list(&stack, store).await?[0]["key_id"], "local-2");
    assert_eq!(rotate().await?["resealed"], 0);
    let item = sell_and_push(&stack, store).await?;
    assert_eq!(tokens_used(&stack, store, &item).await?, [(own, 200)]);

    // Whoever knows only the old key cannot seal this one anew, and says so.
    let request = before.request(Method::POST, "settings/credentials/rotate").bearer_auth(&stack.admin);
    let answer = Answer::to(request.json(&json!({"stores": [store.key]}))).await?;
    let left = json!([{"store": store.key, "provider": "shopify", "key_id": "local-2"}]);
    assert_eq!((answer.at("/data/resealed"), answer.at("/data/unopened")), (&json!(0), &left));
    Ok(())
}

#[tokio::test]
async fn alerts_go_where_the_store_wants_them() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let hook = format!("T{}", unique());
    let url = format!("{}/slack/{hook}", stack.fakes_url);
    for strange in
        ["https://evil.example/x", "http://169.254.169.254/x", &format!("{}/shopify/x", stack.fakes_url)]
    {
        let answer = put(&stack, store, "slack", &json!({"webhook_url": strange})).await?;
        assert_eq!((answer.status, answer.str("/code")), (400, "BAD_INPUT"), "{strange}: {}", answer.text);
    }
    put_well(&stack, store, "slack", &json!({"webhook_url": url})).await?;
    let raised = json!({"p_store": store.key, "p_kind": "oven", "p_text": "the oven is cold"});
    assert_eq!(stack.rpc(&stack.service_key, "raise_alert", &raised).await?.at("/ok"), true);
    let paths = eventually("the alert", async || {
        stack.drain().await?;
        let said = stack.slack_messages(store).await?;
        let about = |text: &str| said.iter().filter(|call| call["body"].to_string().contains(text)).count();
        let paths: Vec<Value> = said.iter().map(|call| call["path"].clone()).collect();
        Ok(if about("the oven is cold") == 1 { Ok(paths) } else { Err(format!("{said:?}")) })
    })
    .await?;
    assert_eq!(paths, vec![json!(format!("/slack/{hook}")); 2], "first that alerts will come, then one");
    Ok(())
}

#[tokio::test]
async fn emails_leave_with_the_key_that_the_store_has_brought() -> Outcome {
    let stack = Stack::up().await?;
    let store = store::fresh(&stack).await?;
    let arguments = json!({"p_store": store.key, "p_email": "kitchen@example.com"});
    assert_eq!(stack.rpc(&stack.service_key, "set_alert_email", &arguments).await?.at("/ok"), true);
    let own = format!("re_{}", unique());
    let answer = put(&stack, store, "email", &json!({"api_key": own})).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let sql = "select private.enqueue_email($1, 'orders_escalated', '{\"orders\": 2}', 'own')::text";
    stack.db().await?.written(sql, &[&store.key]).await?;
    let call = eventually("an e-mail", async || {
        stack.drain().await?;
        Ok(stack.calls("email", store.key).await?.pop().ok_or_else(|| "none".to_owned()))
    })
    .await?;
    assert_eq!(call["headers"]["authorization"], format!("Bearer {own}"));
    Ok(())
}

#[tokio::test]
async fn keys_of_another_store_open_nothing_here() -> Outcome {
    let stack = Stack::up().await?;
    let (mine, other) = (store::fresh(&stack).await?, store::fresh(&stack).await?);
    put_well(&stack, mine, "shopify", &json!({"access_token": "mine"})).await?;
    // Whoever can write the table still cannot make one store's keys those of another.
    let moved = "update private.shop_credentials set store = $2 where store = $1";
    stack.db().await?.execute(moved, &[&mine.key, &other.key]).await?;
    let item = sell(&stack, other).await?;
    let work = desk::push_becomes(&stack, other, &item, "error").await?;
    assert_eq!(work["error_class"], "misconfigured", "people have to see to it: {work}");
    let why = work["last_error"].as_str().unwrap_or_default();
    assert!(why.contains("cannot be used: their ciphertext was changed"), "{work}");
    assert!(stack.shopify_calls(other, &item).await?.is_empty(), "nothing else took their place");
    Ok(())
}
