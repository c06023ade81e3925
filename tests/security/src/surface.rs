//! Everything that can be called, found where it is defined, so that something new is attacked without a word here.
//!
//! Actions and reads come from the tables of the core crate, functions and tables from the catalog of the database.

use crate::database::Database;
use crate::http::{Answer, Request};
use crate::stack::Stack;
use anyhow::{Context, Result};
use ordak_core::action::{ACTIONS, Action, Kind, READS};
use serde_json::{Map, Value, json};

/// A function of the database as the REST server offers it.
#[derive(Clone, Debug)]
pub struct Rpc {
    /// Its name.
    pub name: String,
    /// Its parameters: name, type, and whether it must be given.
    pub parameters: Vec<(String, String, bool)>,
    /// Whether signed-in users may execute it; all others are for the service role.
    pub for_users: bool,
    /// Whether it is a computed column: its argument is a row of a table, and it is asked for as a column.
    pub computed: bool,
}

/// Something at the edge that wants to know who is calling.
#[derive(Clone, Debug)]
pub struct EdgeRoute {
    /// Method and path below `/functions/v1/`, for messages.
    pub name: String,
    /// The request without any credentials.
    pub request: Request,
}

/// Every route of the edge that asks for a token or a key.
#[must_use]
pub fn edge_routes(stack: &Stack) -> Vec<EdgeRoute> {
    let mut routes = vec![
        EdgeRoute {
            name: "POST queue-worker".to_owned(),
            request: Request::post(stack.function("queue-worker"), "{}"),
        },
        EdgeRoute {
            name: "POST batch-processor".to_owned(),
            request: Request::post(stack.function("batch-processor"), r#"{"jobType":"orchestrate"}"#),
        },
        EdgeRoute {
            name: "POST gap-repair".to_owned(),
            request: Request::post(stack.function("gap-repair"), r#"{"stores":[]}"#),
        },
        EdgeRoute {
            name: "POST reconcile".to_owned(),
            request: Request::post(stack.function("reconcile"), r#"{"stores":[]}"#),
        },
    ];
    let keys =
        json!({"store": "bannos", "provider": "shopify", "keys": {"access_token": "stolen"}}).to_string();
    for (method, path, body) in [
        ("PUT", "settings/credentials", keys.as_str()),
        ("GET", "settings/credentials?store=bannos", ""),
        ("DELETE", "settings/credentials?store=bannos&provider=shopify", ""),
        ("POST", "settings/credentials/rotate", "{}"),
    ] {
        let request = Request::new(method, stack.function(path));
        let request = request.header("Content-Type", "application/json").body(body);
        routes.push(EdgeRoute { name: format!("{method} {path}"), request });
    }
    for action in ACTIONS {
        let path = format!("stage-actions/{}", action.name);
        let body = Value::Object(arguments(action)).to_string();
        routes.push(EdgeRoute {
            name: format!("POST {path}"),
            request: Request::post(stack.function(&path), body),
        });
    }
    for read in READS {
        let query: Vec<String> = arguments(read)
            .iter()
            .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("1")))
            .collect();
        let path = format!("stage-actions/{}?{}", read.name, query.join("&"));
        routes.push(EdgeRoute { name: format!("GET {path}"), request: Request::get(stack.function(&path)) });
    }
    routes
}

/// Every function of `public` that is not a trigger.
///
/// # Errors
/// When the database does not answer.
pub fn rpcs(database: &mut Database) -> Result<Vec<Rpc>> {
    let rows = database.rows(
        "select p.proname,
                has_function_privilege('authenticated', p.oid, 'execute'),
                coalesce(jsonb_agg(jsonb_build_array(
                    a.name, format_type(a.type, null), a.ordinal <= p.pronargs - p.pronargdefaults
                ) order by a.ordinal) filter (where a.name is not null), '[]'),
                exists (
                    select 1 from pg_catalog.pg_class c where c.reltype = any (p.proargtypes::oid[]) and c.relkind in ('r', 'p')
                )
         from pg_catalog.pg_proc p
         left join lateral unnest(p.proargnames, p.proargtypes::oid[]) with ordinality as a (name, type, ordinal)
             on a.ordinal <= p.pronargs
         where p.pronamespace = 'public'::regnamespace and p.prorettype <> 'trigger'::regtype
         group by p.oid, p.proname
         order by 1",
    )?;
    rows.into_iter()
        .map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            let (name, for_users) =
                (cells.next().unwrap_or_default(), cells.next().unwrap_or_default() == "t");
            let parameters = serde_json::from_str(&cells.next().unwrap_or_default()).context("parameters")?;
            let computed = cells.next().unwrap_or_default() == "t";
            Ok(Rpc { name, parameters, for_users, computed })
        })
        .collect()
}

/// Every table and view of `public`, partitions included.
///
/// # Errors
/// When the database does not answer.
pub fn tables(database: &mut Database) -> Result<Vec<String>> {
    Ok(database.column(
        "select relname from pg_catalog.pg_class
         where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f') order by 1",
    )?)
}

/// The partitions among them, with the store that each belongs to.
///
/// # Errors
/// When the database does not answer.
pub fn partitions(database: &mut Database) -> Result<Vec<(String, String)>> {
    let rows = database.rows(
        "select c.relname, substring(pg_get_expr(c.relpartbound, c.oid) from '\\(''(.*)''\\)')
         from pg_catalog.pg_class c where relnamespace = 'public'::regnamespace and relispartition and relkind = 'r'
         order by 1",
    )?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut cells = row.into_iter().map(Option::unwrap_or_default);
            (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
        })
        .collect())
}

/// Whether an answer says that there is nothing of this name to be had. PostgREST shows no partitions: what is not
/// offered is as good as denied.
#[must_use]
pub fn is_hidden(answer: &Answer) -> bool {
    answer.status == 404 && answer.json()["code"] == "PGRST205"
}

impl Rpc {
    /// Arguments that the REST server can resolve the function by: every required one, of its type.
    #[must_use]
    pub fn arguments(&self) -> Value {
        let required = self.parameters.iter().filter(|(_, _, required)| *required);
        Value::Object(required.map(|(name, kind, _)| (name.clone(), sample(kind))).collect())
    }

    /// A call without any credentials.
    #[must_use]
    pub fn request(&self, stack: &Stack) -> Request {
        Request::post(stack.rest(&format!("rpc/{}", self.name)), self.arguments().to_string())
    }
}

fn sample(kind: &str) -> Value {
    match kind {
        "uuid" => json!("00000000-0000-4000-8000-0000000000fe"),
        "boolean" => json!(false),
        "integer" | "bigint" | "smallint" | "numeric" => json!(1),
        "date" => json!("2026-01-01"),
        "jsonb" | "json" => json!({}),
        _ if kind.starts_with("timestamp") => json!("2026-01-01T00:00:00Z"),
        _ if kind.ends_with("[]") => json!([]),
        "text" => json!("nothing-like-it"),
        // An enum takes none of the texts above, a row type takes an object.
        "staff_role" => json!("Staff"),
        "order_stage" => json!("Filling"),
        _ => json!({}),
    }
}

fn arguments(action: &Action) -> Map<String, Value> {
    let required = action.parameters.iter().filter(|parameter| parameter.required);
    required
        .map(|parameter| {
            let value = match parameter.kind {
                Kind::Uuid => json!("00000000-0000-4000-8000-0000000000fe"),
                Kind::Object => json!({}),
                Kind::Count => json!(1),
                Kind::Day => json!("2026-01-01"),
                Kind::Flag => json!(false),
                Kind::Texts => json!(["bannos-999999999"]),
                Kind::Text => json!("bannos-999999999"),
            };
            (parameter.name.to_owned(), value)
        })
        .collect()
}
