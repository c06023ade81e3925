//! Out of the schema: the server's files, other roles, objects of one's own.

use anyhow::Result;
use ordak_security::caller::{Caller, Outcome};
use ordak_security::people::Actor;
use ordak_security::tally::Tally;

/// What no role of the API may do on this server.
const REACHES: [&str; 40] = [
    "create table public.mine (id int)",
    "create view public.mine as select 1 as one",
    "create function public.mine() returns int language sql as 'select 1'",
    "create or replace function public.get_health() returns jsonb language sql as 'select null::jsonb'",
    "create type public.mine as enum ('a')",
    "create schema mine",
    "create table private.mine (id int)",
    "create function auth.uid() returns uuid language sql as 'select null::uuid'",
    "create extension dblink",
    "create role mine",
    "create database mine",
    "create publication mine for all tables",
    "create server mine foreign data wrapper postgres_fdw",
    "create event trigger mine on ddl_command_end execute function private.refuse_change()",
    "create policy mine on public.orders for all to public using (true)",
    "create rule mine as on select to public.staff do instead select 1",
    "alter table public.orders disable row level security",
    "alter table public.orders owner to authenticated",
    "alter function public.get_health() security definer",
    "alter policy orders_select_staff on public.orders using (true)",
    "alter role authenticated bypassrls",
    "alter role authenticated set request.jwt.claims = '{}'",
    "alter database postgres set search_path = pg_temp",
    "alter system set log_statement = 'all'",
    "grant service_role to authenticated",
    "drop table public.orders",
    "drop function public.get_health()",
    "drop policy orders_select_staff on public.orders",
    "copy (select 1) to '/tmp/mine'",
    "copy (select 1) to program 'id'",
    "select pg_read_file('/etc/passwd')",
    "select pg_ls_dir('/')::text",
    "select lo_import('/etc/passwd')::text",
    "select rolpassword from pg_authid",
    "select passwd from pg_shadow",
    "set session_replication_role = replica",
    "select nextval('public.event_store_id_seq')::text",
    "select setval('public.event_store_id_seq', 1)::text",
    "refresh materialized view public.mine",
    "reindex table public.orders",
];

/// Every reach of every actor, the service role included: its key must not open the server either.
pub fn beyond_the_schema(caller: &mut Caller, tally: &mut Tally) -> Result<()> {
    for actor in Actor::ALL {
        for reach in REACHES {
            let got = caller.outcome(actor, reach)?;
            let refused = matches!(got, Outcome::Denied | Outcome::Failed(_));
            tally
                .check("reaches beyond the schema", refused, || format!("{} {reach}: {got:?}", actor.name()));
        }
    }
    Ok(())
}

/// The roles of the API can become nobody else, and call no private function but those that policies need.
pub fn other_roles(caller: &mut Caller, tally: &mut Tally) -> Result<()> {
    for (what, question) in [
        (
            "roles that can become another",
            "select a.rolname || ' can become ' || b.rolname
             from pg_roles a, pg_roles b
             where a.rolname in ('anon', 'authenticated', 'service_role') and a.oid <> b.oid
                 and (pg_has_role(a.oid, b.oid, 'set') or pg_has_role(a.oid, b.oid, 'usage'))",
        ),
        (
            "roles with attributes",
            "select rolname from pg_roles
             where rolname in ('anon', 'authenticated', 'service_role', 'authenticator')
                 and (rolsuper or rolcreaterole or rolcreatedb or rolreplication
                     or (rolbypassrls and rolname <> 'service_role'))",
        ),
        (
            "roles that may make temporary objects",
            "select r.rolname from pg_roles r
             where r.rolname in ('anon', 'authenticated', 'service_role', 'authenticator')
                 and has_database_privilege(r.oid, current_database(), 'temporary')",
        ),
        (
            "definers in private that users may call",
            "select p.oid::regprocedure::text from pg_proc p
             where p.pronamespace = 'private'::regnamespace and p.prosecdef
                 and has_function_privilege('authenticated', p.oid, 'execute')
                 and p.proname not in ('readable_stores', 'acting_stores')",
        ),
        (
            "functions in private that write and users may call",
            "select p.oid::regprocedure::text from pg_proc p
             where p.pronamespace = 'private'::regnamespace and p.provolatile = 'v'
                 and has_function_privilege('authenticated', p.oid, 'execute')",
        ),
        (
            "columns granted one by one",
            "select c.oid::regclass::text || '.' || a.attname from pg_attribute a
             join pg_class c on c.oid = a.attrelid
             where c.relnamespace in ('public'::regnamespace, 'private'::regnamespace) and a.attacl is not null",
        ),
    ] {
        let found = caller.database.column(question)?;
        tally.check("questions to the catalog", found.is_empty(), || format!("{what}: {found:?}"));
    }
    Ok(())
}
