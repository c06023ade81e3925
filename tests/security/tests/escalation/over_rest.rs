//! Through the REST server: writes, functions of the service, schemas that are not exposed, and what else it offers.

use crate::{PEOPLE, as_actor, describe};
use anyhow::Result;
use ordak_security::database::Database;
use ordak_security::http::{Answer, Request};
use ordak_security::jwt;
use ordak_security::people::{Actor, user_claims};
use ordak_security::stack::Stack;
use ordak_security::surface;
use ordak_security::tally::Tally;
use serde_json::json;

/// Refused, or not there; never done, never a fault of ours.
fn closed(answer: &Answer) -> bool {
    (400..500).contains(&answer.status)
}

/// Every way to write that PostgREST has, at every table.
pub fn writes(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    for table in surface::tables(database)? {
        for actor in PEOPLE.into_iter().chain([Actor::Admin, Actor::Service]) {
            let at = |query: &str| stack.rest(&format!("{table}{query}"));
            let json = |method: &str, query: &str, body: &str| {
                Request::new(method, at(query)).header("Content-Type", "application/json").body(body)
            };
            for (what, request) in [
                ("insert", json("POST", "", r#"{"store":"bannos"}"#)),
                (
                    "insert several",
                    json("POST", "?columns=store", r#"[{"store":"bannos"},{"store":"flourlane"}]"#),
                ),
                ("upsert", json("POST", "", "{}").header("Prefer", "resolution=merge-duplicates")),
                (
                    "insert, forgetting conflicts",
                    json("POST", "", "{}").header("Prefer", "resolution=ignore-duplicates"),
                ),
                (
                    "insert CSV",
                    Request::new("POST", at("")).header("Content-Type", "text/csv").body("store\nbannos\n"),
                ),
                ("insert, asking nothing back", json("POST", "", "{}").header("Prefer", "return=minimal")),
                ("insert, rolled back", json("POST", "", "{}").header("Prefer", "tx=rollback")),
                ("update", json("PATCH", "", r#"{"store":"flourlane"}"#)),
                ("put", json("PUT", "?store=eq.bannos", r#"{"store":"bannos"}"#)),
                ("delete", Request::new("DELETE", at(""))),
                (
                    "delete by another method",
                    json("POST", "", "{}").header("X-HTTP-Method-Override", "DELETE"),
                ),
            ] {
                let answer = as_actor(request, actor, stack).send()?;
                tally.check("writes", closed(&answer), || {
                    describe(&format!("{} {what} {table}", actor.name()), &answer)
                });
            }
        }
    }
    Ok(())
}

/// Functions of the service role, in every form of a call; and functions of users by a GET, which must not write.
pub fn service_functions(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    for rpc in surface::rpcs(database)?.iter().filter(|rpc| !rpc.for_users) {
        let url = stack.rest(&format!("rpc/{}", rpc.name));
        let arguments = rpc.arguments();
        let query: Vec<String> = arguments
            .as_object()
            .map(|fields| {
                fields
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("1")))
                    .collect()
            })
            .unwrap_or_default();
        let list = json!([arguments]).to_string();
        for actor in PEOPLE.into_iter().chain([Actor::Admin]) {
            for (what, request) in [
                ("by name", rpc.request(stack)),
                ("without arguments", Request::post(&url, "{}")),
                ("with a GET", Request::get(format!("{url}?{}", query.join("&")))),
                ("with a HEAD", Request::new("HEAD", format!("{url}?{}", query.join("&")))),
                ("with a list of arguments", Request::post(&url, list.clone())),
                (
                    "with one object",
                    Request::post(&url, arguments.to_string()).header("Prefer", "params=single-object"),
                ),
                (
                    "in upper case",
                    Request::post(
                        stack.rest(&format!("rpc/{}", rpc.name.to_uppercase())),
                        arguments.to_string(),
                    ),
                ),
                (
                    "with its schema",
                    Request::post(stack.rest(&format!("rpc/public.{}", rpc.name)), arguments.to_string()),
                ),
                (
                    "as a form",
                    Request::new("POST", &url)
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .body(query.join("&")),
                ),
            ] {
                let answer = as_actor(request, actor, stack).send()?;
                tally.check("service functions", closed(&answer), || {
                    describe(&format!("{} calls {} {what}", actor.name(), rpc.name), &answer)
                });
            }
        }
    }
    Ok(())
}

/// Profiles and paths that name another schema.
pub fn other_schemas(stack: &Stack, tally: &mut Tally) -> Result<()> {
    let schemas = [
        "private",
        "auth",
        "pg_catalog",
        "information_schema",
        "extensions",
        "storage",
        "vault",
        "graphql",
        "supabase_migrations",
        "pg_temp",
        "pg_toast",
        "PRIVATE",
        " private",
        "private,public",
        "public,private",
        "\"private\"",
        "*",
        "public; set role postgres",
    ];
    let tables = ["order_actions", "users", "pg_authid", "tables", "secrets"];
    let functions = [
        "act_on_order",
        "stores_for",
        "set_config",
        "pg_read_file",
        "pg_sleep",
        "current_setting",
        "caller",
        "ok",
    ];
    for actor in PEOPLE.into_iter().chain([Actor::Admin, Actor::Service]) {
        for schema in schemas {
            for table in tables {
                for request in [
                    Request::get(stack.rest(table)).header("Accept-Profile", schema),
                    Request::post(stack.rest(table), "{}").header("Content-Profile", schema),
                ] {
                    let answer = as_actor(request, actor, stack).send()?;
                    tally.check("other schemas", closed(&answer), || {
                        describe(&format!("{} {table} of {schema:?}", actor.name()), &answer)
                    });
                }
            }
            for function in functions {
                let request = Request::post(stack.rest(&format!("rpc/{function}")), "{}")
                    .header("Content-Profile", schema);
                let answer = as_actor(request, actor, stack).send()?;
                tally.check("other schemas", closed(&answer), || {
                    describe(&format!("{} {function} of {schema:?}", actor.name()), &answer)
                });
            }
        }
        for path in [
            "private.order_actions",
            "auth.users",
            "pg_catalog.pg_authid",
            "%22private%22.%22order_actions%22",
            "private%2Eorder_actions",
            "private/order_actions",
            "../private/order_actions",
            "rpc/private.ok",
            "rpc/pg_catalog.set_config",
            "rpc/..%2Fstaff",
            "rpc/pg_sleep",
            "pg_roles",
            "pg_stat_activity",
            "rpc/lo_import",
            "rpc/query_to_xml",
            "rpc/exec_sql",
            "rpc/set_config",
        ] {
            let answer = as_actor(Request::get(stack.rest(path)), actor, stack).send()?;
            tally.check("other schemas", closed(&answer), || {
                describe(&format!("{} {path}", actor.name()), &answer)
            });
        }
    }
    Ok(())
}

/// Reads that go around a policy: joined tables, counts, casts, and interfaces besides REST.
pub fn side_doors(stack: &Stack, secret: &str, tally: &mut Tally) -> Result<()> {
    let reads = [
        "orders?select=*,event_store(*)",
        "orders?select=*,event_store!inner(payload)",
        "stores?select=*,staff_stores(*,staff(*))",
        "orders?select=*,staff(*)",
        "stores?select=*,dead_letters(*),event_store(*),work_queue(*)",
        "event_store?select=payload::text",
        "event_store?select=payload->>email",
        "event_store?select=id&payload->>email=not.is.null",
        "event_store?select=count()",
        "event_store?select=id&order=payload->>email",
        "event_store?payload=cs.{}",
        "dead_letters?select=body",
        "dead_letters?or=(store.is.null,store.eq.bannos)",
        "work_queue?select=payload",
        "event_store?select=normalized",
        "event_store?select=payload,orders(*)",
    ];
    for actor in [Actor::Anon, Actor::Stranger, Actor::Inactive, Actor::Staff, Actor::Elsewhere] {
        for path in reads {
            let request = Request::get(stack.rest(path)).header("Prefer", "count=exact");
            let answer = as_actor(request, actor, stack).send()?;
            let told = String::from_utf8_lossy(&answer.body).contains(secret);
            tally.check("side doors", !told && answer.status < 500, || {
                describe(&format!("{} {path}", actor.name()), &answer)
            });
        }
        for table in ["event_store", "work_queue", "dead_letters", "worker_runs"] {
            let answer =
                as_actor(Request::get(stack.rest(table)).header("Prefer", "count=exact"), actor, stack)
                    .send()?;
            let range = answer
                .headers
                .iter()
                .find(|(name, _)| name == "content-range")
                .map(|(_, value)| value.as_str());
            tally.check("side doors", range.is_none_or(|range| range == "*/0"), || {
                describe(&format!("{} counts {table}: {range:?}", actor.name()), &answer)
            });
        }
    }
    for actor in PEOPLE {
        for path in [
            "graphql/v1",
            "graphql",
            "rest/v1/graphql",
            "rest/v1/rpc/graphql",
            "v1/graphql",
            "v1/metadata",
            "config",
            "schema_cache",
            "metrics",
            "admin",
            "pg/query",
            "storage/v1/bucket",
            "auth/v1/admin/users",
        ] {
            let body = r#"{"query":"{ event_store { payload } }"}"#;
            let answer =
                as_actor(Request::post(format!("{}/{path}", stack.supabase), body), actor, stack).send()?;
            tally.check("side doors", closed(&answer), || {
                describe(&format!("{} /{path}", actor.name()), &answer)
            });
        }
    }
    Ok(())
}

/// Rights that a token claims besides who it is, and headers that claim a role: nobody asks them.
pub fn claims_of_ones_own(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    let tables = surface::tables(database)?;
    let rich = json!({"role": "Admin", "roles": ["Admin", "service_role"], "stores": ["bannos", "flourlane"], "store": "bannos", "admin": true});
    let mut tokens: Vec<(String, String)> = Vec::new();
    for name in
        ["app_metadata", "user_metadata", "raw_app_meta_data", "https://hasura.io/jwt/claims", "realm_access"]
    {
        let mut claims = user_claims(stack, Actor::Stranger.user().unwrap_or_default());
        claims[name] = rich.clone();
        tokens.push((name.to_owned(), jwt::honest(&claims, &stack.jwt_secret)));
    }
    for (name, value) in [
        ("stores", json!(["bannos", "flourlane"])),
        ("store", json!("bannos")),
        ("staff_role", json!("Admin")),
        ("is_admin", json!(true)),
        ("user_role", json!("service_role")),
        ("act", json!({"sub": Actor::Admin.user()})),
        ("aal", json!("aal2")),
        ("amr", json!([{"method": "sso"}])),
        ("email", json!("admin@ordak.example")),
        ("session_id", json!(Actor::Admin.user())),
        ("aud", json!(["authenticated", "service_role"])),
    ] {
        let mut claims = user_claims(stack, Actor::Stranger.user().unwrap_or_default());
        claims[name] = value;
        tokens.push((name.to_owned(), jwt::honest(&claims, &stack.jwt_secret)));
    }
    for (name, token) in &tokens {
        for table in &tables {
            let request = Request::get(stack.rest(table)).header("apikey", &stack.anon_key);
            let answer = request.header("Authorization", format!("Bearer {token}")).send()?;
            tally.check("claims of one's own", answer.body == b"[]" || closed(&answer), || {
                describe(&format!("{table} with {name}"), &answer)
            });
        }
        for request in [
            Request::post(stack.rest("rpc/get_queue"), r#"{"p_store":"bannos"}"#),
            Request::get(stack.function("stage-actions/queue?store=bannos")),
        ] {
            let answer = request
                .header("apikey", &stack.anon_key)
                .header("Authorization", format!("Bearer {token}"))
                .send()?;
            tally.check("claims of one's own", answer.json()["ok"] != true, || {
                describe(&format!("queue with {name}"), &answer)
            });
        }
    }
    for (name, value) in [
        ("Role", "service_role"),
        ("X-Role", "service_role"),
        ("X-Postgrest-Role", "service_role"),
        ("X-Hasura-Role", "service_role"),
        ("X-Hasura-Admin-Secret", "x"),
        ("X-Supabase-Role", "service_role"),
        ("Prefer", "role=service_role"),
        ("X-Forwarded-User", "00000000-0000-4000-8000-000000000003"),
        ("request.jwt.claims", r#"{"role":"service_role"}"#),
        ("X-Forwarded-For", "127.0.0.1"),
    ] {
        for table in &tables {
            let request = Request::get(stack.rest(table)).header(name, value);
            let answer = as_actor(request, Actor::Stranger, stack).send()?;
            tally.check("claims of one's own", answer.body == b"[]" || closed(&answer), || {
                describe(&format!("{table} with {name}"), &answer)
            });
        }
    }
    Ok(())
}
