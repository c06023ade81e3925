//! Names of one's own that hide the real ones: tables, functions and types in the temporary schema.
//!
//! `search_path = ''` keeps functions and operators out, but Postgres looks for relations and types in the temporary
//! schema first, whatever the path. So nobody makes temporary objects; and were it allowed, every relation is still
//! named with its schema.

use anyhow::{Context, Result};
use ordak_security::caller::{Caller, Outcome};
use ordak_security::matrix::{Matrix, Rows};
use ordak_security::people::Actor;
use ordak_security::tally::Tally;

/// What somebody would hide the real things behind.
const SHADOWS: [&str; 10] = [
    "create temp table staff (user_id uuid)",
    "create temp view orders as select 1 as one",
    "create temp sequence event_store_id_seq",
    "create function pg_temp.is_service() returns boolean language sql as 'select true'",
    "create domain pg_temp.text as pg_catalog.text",
    "create domain pg_temp.uuid as pg_catalog.uuid",
    "create type pg_temp.jsonb as (a int)",
    "create type pg_temp.staff_role as enum ('Staff', 'Admin')",
    "create operator pg_temp.= (leftarg = text, rightarg = text, function = texteq)",
    "select 1 into temp table stores",
];

/// Tables and functions that say what an attacker wants to be true, in front of everything else.
const CONVINCING: &str = "
    create temp table staff as
        select '{user}'::uuid as user_id, 'x'::text as name, 'Admin'::public.staff_role as role, true as active;
    create temp table staff_stores as select '{user}'::uuid as user_id, k as store from unnest('{bannos,flourlane}'::text[]) k;
    create temp table stores as select k as key, 'x'::text as id_prefix from unnest('{bannos,flourlane}'::text[]) k;
    create temp table orders (store text, id text);
    create temp table order_index (shopify_order_gid text, store text, order_id text);
    create temp table work_queue (id bigint, store text);
    create temp table inventory_items (store text, sku text, ats integer);
    create function pg_temp.is_service() returns boolean language sql as 'select true';
    create function pg_temp.caller() returns uuid language sql as $$select '00000000-0000-4000-8000-000000000003'::uuid$$;
    create function pg_temp.uid() returns uuid language sql as $$select '00000000-0000-4000-8000-000000000003'::uuid$$;
    create function pg_temp.role() returns text language sql as $$select 'service_role'$$;
    create function pg_temp.stores_for(uuid, public.staff_role) returns text[] language sql
        as $$select '{bannos,flourlane}'::text[]$$;
    create function pg_temp.coalesce_all(text) returns text language sql as $$select $1$$;
    set local search_path = pg_temp, public, private, auth;";

/// No actor can make any of them.
pub fn are_not_made(caller: &mut Caller, tally: &mut Tally) -> Result<()> {
    for actor in Actor::ALL {
        for shadow in SHADOWS {
            let got = caller.outcome(actor, shadow)?;
            let refused = matches!(got, Outcome::Denied | Outcome::Failed(_));
            tally.check("shadows made", refused, || format!("{} {shadow}: {got:?}", actor.name()));
        }
    }
    Ok(())
}

/// The second line: with the privilege given, every cell of every function is what the access matrix says.
pub fn are_not_looked_at(caller: &mut Caller, tally: &mut Tally) -> Result<()> {
    let matrix = Matrix::read()?;
    caller.database.run("savepoint shadows")?;
    let database = caller.owner("select quote_ident(current_database())")?;
    caller
        .database
        .run(&format!("grant temporary on database {database} to anon, authenticated, service_role"))?;
    for actor in Actor::ALL {
        let user = actor.user().or(Actor::Admin.user()).context("a user")?;
        let shadows = CONVINCING.replace("{user}", user);
        let cells = matrix.rpcs.iter().flat_map(|(name, rpc)| {
            Rows::ALL.into_iter().filter_map(move |rows| Some((name, rpc.cell(rows, actor)?)))
        });
        for (name, (expected, call)) in cells {
            let got = caller.outcome(actor, &format!("{shadows} select public.{call} as answer"))?;
            tally.check("calls behind shadows", got.matches(expected), || {
                format!("{} {name} behind shadows: expected {expected}, got {got:?}", actor.name())
            });
        }
    }
    caller.database.run("rollback to savepoint shadows")?;
    Ok(())
}
