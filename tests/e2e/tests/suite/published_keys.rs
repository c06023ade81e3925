//! User tokens of a project that signs with private keys and publishes the public ones. The running stack signs with a
//! shared secret, so `stage-actions` runs here alone, told to take published keys.

use ordak_e2e::answer::Answer;
use ordak_e2e::kitchen::{done, ingested};
use ordak_e2e::lone::Lone;
use ordak_e2e::poll::eventually;
use ordak_e2e::project::{Keys, Project};
use ordak_e2e::signing::SigningKey;
use ordak_e2e::stack::Stack;
use ordak_e2e::store::BANNOS;
use ordak_e2e::{Outcome, token};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Instant;

/// The function by itself, as the one of a project at this address.
struct Edge(Lone);

impl Edge {
    async fn start(stack: &Stack, supabase_url: &str, more: Value) -> Outcome<Self> {
        let mut bindings = json!({"SUPABASE_URL": supabase_url, "SUPABASE_ANON_KEY": stack.anon_key});
        for (name, value) in more.as_object().unwrap() {
            bindings[name] = value.clone();
        }
        Ok(Self(Lone::start("stage-actions", &bindings).await?))
    }

    async fn act(&self, token: &str, action: &str, body: &Value) -> Outcome<Answer> {
        let path = format!("stage-actions/{action}");
        Answer::to(self.0.request(Method::POST, &path).bearer_auth(token).json(body)).await
    }

    /// Waits until it has keys: the first time they may come later than it waits for them. Gives a moment before they came.
    async fn has_keys(&self, good: &str) -> Outcome<Instant> {
        eventually("keys", async || {
            let before = Instant::now();
            Ok(match self.status(good).await? {
                503 => Err("503".to_owned()),
                status => {
                    assert_eq!(status, 404);
                    Ok(before)
                }
            })
        })
        .await
    }

    /// The status of a scan of an order that does not exist: 404 when the token is good.
    async fn status(&self, token: &str) -> Outcome<u16> {
        Ok(self.act(token, "scan", &json!({"scan": "bannos-1"})).await?.status)
    }
}

/// How many pauses of so many seconds are over.
fn pauses(since: Instant, seconds: u64) -> usize {
    usize::try_from(since.elapsed().as_secs() / seconds).unwrap_or_default()
}

fn claims(project: &str) -> Value {
    token::claims(project, token::STAFF_BANNOS)
}

#[tokio::test]
async fn the_local_project_publishes_its_keys_and_nothing_private() -> Outcome {
    let stack = Stack::up().await?;
    let url = format!("{}/auth/v1/.well-known/jwks.json", stack.supabase_url);
    let answer = Answer::to(stack.http.get(url)).await?;
    let keys = answer.at("/keys").as_array().unwrap();
    let ids: Vec<&str> = keys.iter().filter_map(|key| key["kid"].as_str()).collect();
    assert_eq!(ids, SigningKey::of_project()?.each_ref().map(|key| key.id.as_str()));
    for (key, private) in keys.iter().flat_map(|key| ["d", "p", "q", "k"].map(|private| (key, private))) {
        assert_eq!(key[private], Value::Null, "{private}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_by_a_published_key_is_good_at_the_edge_and_in_the_database() -> Outcome {
    let stack = Stack::up().await?;
    let edge = Edge::start(&stack, &stack.supabase_url, json!({})).await?;
    let order = ingested(&stack, BANNOS).await?;
    let id = json!({"id": order.order_id(BANNOS)});
    let keys = SigningKey::of_project()?;
    edge.has_keys(&keys[0].token(&claims(&stack.supabase_url))?).await?;
    let actions = ["complete_filling", "complete_covering", "complete_decorating"];
    for ((key, action), stage) in keys.iter().zip(actions).zip(["Covering", "Decorating", "Packing"]) {
        let token = key.token(&claims(&stack.supabase_url))?;
        done(&edge.act(&token, action, &id).await?, stage, false);
    }
    let query =
        "select distinct performed_by::text from public.stage_events where order_id = $1 and source = 'app'";
    let by = stack.db().await?.rows(query, &[&order.order_id(BANNOS)]).await?;
    assert_eq!(by, [json!({"performed_by": token::STAFF_BANNOS})]);
    // Without a shared secret among its settings the function takes no token that is signed with one.
    assert_eq!(edge.status(&stack.staff_bannos).await?, 401);
    Ok(())
}

#[tokio::test]
async fn a_project_that_moves_takes_both_kinds() -> Outcome {
    let stack = Stack::up().await?;
    let more = json!({"SUPABASE_JWT_ALGORITHMS": "HS256,ES256", "SUPABASE_JWT_SECRET": stack.jwt_secret});
    let edge = Edge::start(&stack, &stack.supabase_url, more).await?;
    let [ours, _, rsa] = SigningKey::of_project()?;
    assert_eq!(edge.status(&stack.staff_bannos).await?, 404);
    edge.has_keys(&ours.token(&claims(&stack.supabase_url))?).await?;
    assert_eq!(edge.status(&rsa.token(&claims(&stack.supabase_url))?).await?, 401, "RS256 is not configured");
    Ok(())
}

#[tokio::test]
async fn keys_are_fetched_once_however_many_ask() -> Outcome {
    let stack = Stack::up().await?;
    let [ours, ..] = SigningKey::of_project()?;
    let project = Project::start(&stack, Keys::Published(vec![ours.jwk.clone()])).await?;
    let edge = Edge::start(&stack, &project.url, json!({})).await?;
    let good = ours.token(&claims(&project.url))?;
    // A burst at an isolate that knows nothing yet. Should the keys come too late, it asks again after two seconds.
    let mut started = Instant::now();
    let bursts = async || {
        let burst = futures_util::future::join_all((0..40).map(|_| edge.status(&good)));
        let statuses = burst.await.into_iter().collect::<Outcome<Vec<u16>>>()?;
        Ok(if statuses.contains(&503) { Err(format!("{statuses:?}")) } else { Ok(statuses) })
    };
    assert_eq!(eventually("keys for a burst", bursts).await?, [404; 40]);
    let known = project.fetches();
    assert!((1..=1 + pauses(started, 2)).contains(&known), "{known} fetches in {:?}", started.elapsed());
    // Then a flood of names that nobody knows.
    let calls = project.calls();
    let strangers = (0..200).map(|_| SigningKey::fresh()).collect::<Outcome<Vec<_>>>()?;
    started = Instant::now();
    let flood = strangers.iter().map(async |key| edge.status(&key.token(&claims(&project.url))?).await);
    for status in futures_util::future::join_all(flood).await {
        assert_eq!(status?, 401);
    }
    let more = project.fetches() - known;
    assert!(more <= 1 + pauses(started, 10), "{more} fetches in {:?}", started.elapsed());
    assert_eq!((edge.status(&good).await?, project.calls()), (404, calls + 1));
    Ok(())
}

#[tokio::test]
async fn a_new_key_comes_to_be_known_and_a_withdrawn_one_is_forgotten() -> Outcome {
    let stack = Stack::up().await?;
    let [first, second, _] = SigningKey::of_project()?;
    let project = Project::start(&stack, Keys::Published(vec![first.jwk.clone()])).await?;
    let edge = Edge::start(&stack, &project.url, json!({})).await?;
    let (old, new) = (first.token(&claims(&project.url))?, second.token(&claims(&project.url))?);
    let started = edge.has_keys(&old).await?;
    let known = project.fetches();
    assert_eq!(edge.status(&new).await?, 401);
    project.answer(Keys::Published(vec![second.jwk.clone()]))?;
    eventually("the new key", async || {
        let status = edge.status(&new).await?;
        Ok(if status == 404 { Ok(()) } else { Err(status.to_string()) })
    })
    .await?;
    assert_eq!(edge.status(&old).await?, 401);
    let more = project.fetches() - known;
    assert!((1..=pauses(started, 10)).contains(&more), "{more} fetches in {:?}", started.elapsed());
    Ok(())
}

/// Names are for one project to give: two keys of different kinds may share one, and of two of one kind the first counts.
#[tokio::test]
async fn a_name_that_two_keys_share_opens_nothing_more() -> Outcome {
    let stack = Stack::up().await?;
    let [ours, _, mut rsa] = SigningKey::of_project()?;
    let (mut twin, mut alone) = (SigningKey::fresh()?, SigningKey::fresh()?);
    for key in [&mut rsa, &mut twin] {
        key.id.clone_from(&ours.id);
        key.jwk["kid"] = json!(ours.id);
    }
    let published = [&ours, &rsa, &twin, &alone].map(|key| key.jwk.clone()).to_vec();
    let project = Project::start(&stack, Keys::Published(published)).await?;
    let edge = Edge::start(&stack, &project.url, json!({"SUPABASE_JWT_ALGORITHMS": "ES256,RS256"})).await?;
    let claims = claims(&project.url);
    edge.has_keys(&ours.token(&claims)?).await?;
    // What passes the edge reaches the database, which knows our key alone under this name.
    let passes = async |token: &str| -> Outcome<bool> {
        let calls = project.calls();
        let status = edge.status(token).await?;
        assert!([401, 404].contains(&status), "{status}");
        Ok(project.calls() > calls)
    };
    for key in [&ours, &rsa, &alone] {
        assert!(passes(&key.token(&claims)?).await?, "{}", key.algorithm);
    }
    assert!(!passes(&twin.token(&claims)?).await?, "the second of a kind");
    // Nor does a name serve where another is said.
    alone.id.clone_from(&ours.id);
    assert!(!passes(&alone.token(&claims)?).await?);
    assert_eq!(edge.status(&ours.token(&claims)?).await?, 404, "the first goes on");
    Ok(())
}

#[tokio::test]
async fn without_any_key_nobody_is_judged() -> Outcome {
    let stack = Stack::up().await?;
    let [ours, ..] = SigningKey::of_project()?;
    let broken = |status, text: &str| Keys::Broken(status, text.to_owned());
    let failures = [
        broken(500, "<html>"),
        broken(200, "<html>"),
        broken(200, "{\"keys\": 7}"),
        broken(302, ""),
        broken(200, &format!("{{\"keys\": [], \"pad\": \"{}\"}}", "x".repeat(100_000))),
        Keys::Silent,
    ];
    let project = Project::start(&stack, broken(404, "")).await?;
    let edge = Edge::start(&stack, &project.url, json!({})).await?;
    let good = ours.token(&claims(&project.url))?;
    for keys in failures {
        let before = project.fetches();
        project.answer(keys.clone())?;
        eventually("a fetch", async || {
            let answer = edge.act(&good, "scan", &json!({"scan": "bannos-1"})).await?;
            assert_eq!(
                (answer.status, answer.str("/code")),
                (503, "UNAVAILABLE"),
                "{keys:?} {}",
                answer.text
            );
            Ok(if project.fetches() > before { Ok(()) } else { Err(answer.text) })
        })
        .await?;
    }
    assert_eq!(edge.status("not a token").await?, 401);
    let expired = json!({"exp": token::now() - 1});
    assert_eq!(edge.status(&ours.token(&with(&claims(&project.url), &expired))?).await?, 401);
    assert_eq!(project.calls(), 0, "nothing reaches the database");
    project.answer(Keys::Published(vec![ours.jwk.clone()]))?;
    eventually("the keys", async || {
        let status = edge.status(&good).await?;
        Ok(if status == 404 { Ok(()) } else { Err(status.to_string()) })
    })
    .await
}

#[tokio::test]
async fn old_keys_are_kept_while_new_ones_cannot_be_fetched() -> Outcome {
    let stack = Stack::up().await?;
    let [first, second, _] = SigningKey::of_project()?;
    let project = Project::start(&stack, Keys::Published(vec![first.jwk.clone()])).await?;
    let edge = Edge::start(&stack, &project.url, json!({})).await?;
    let (old, new) = (first.token(&claims(&project.url))?, second.token(&claims(&project.url))?);
    edge.has_keys(&old).await?;
    let known = project.fetches();
    project.answer(Keys::Broken(500, "<html>".to_owned()))?;
    eventually("a fetch that fails", async || {
        assert_eq!(edge.status(&new).await?, 401);
        Ok(if project.fetches() > known { Ok(()) } else { Err("none yet".to_owned()) })
    })
    .await?;
    assert_eq!((edge.status(&old).await?, edge.status(&new).await?), (404, 401));
    Ok(())
}

/// Claims with some of them replaced.
pub fn with(claims: &Value, changes: &Value) -> Value {
    let mut claims = claims.clone();
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

#[tokio::test]
async fn forgeries_reach_nobody() -> Outcome {
    let stack = Stack::up().await?;
    let [ours, standby, rsa] = SigningKey::of_project()?;
    let jwks = vec![ours.jwk.clone(), standby.jwk.clone(), rsa.jwk.clone()];
    let project = Project::start(&stack, Keys::Published(jwks)).await?;
    let more = json!({"SUPABASE_JWT_SECRET": stack.jwt_secret, "SUPABASE_JWT_ALGORITHMS": "ES256,RS256"});
    let edge = Edge::start(&stack, &project.url, more).await?;
    let claims = claims(&project.url);
    edge.has_keys(&ours.token(&claims)?).await?;
    for key in [&ours, &standby, &rsa] {
        assert_eq!(edge.status(&key.token(&claims)?).await?, 404, "the control: {}", key.id);
    }
    let calls = project.calls();
    for (name, token) in crate::forged::all(&stack, [&ours, &standby, &rsa], &claims)? {
        let answer = edge.act(&token, "scan", &json!({"scan": "bannos-1"})).await?;
        assert_eq!((answer.status, answer.str("/code")), (401, "UNAUTHENTICATED"), "{name}: {}", answer.text);
    }
    assert_eq!(project.calls(), calls, "nothing forged reaches the database");
    assert!(project.fetches() <= 12, "{} fetches", project.fetches());
    Ok(())
}
