-- Makes a bare PostgreSQL 17 look like a Supabase project created today: roles, grants, the auth schema.
--
-- Not a migration: a hosted project has all of this already. Run it once a database, as the superuser
-- supabase_admin (the role that initdb was told to create), before the migrations. It may be repeated.
-- Local passwords are 'postgres' by convention; such a server listens on the loopback address only.

-- Roles ---------------------------------------------------------------------------------------------------

do $roles$
declare
    v_role text;
begin
    foreach v_role in array array[
        'postgres', 'anon', 'authenticated', 'service_role', 'authenticator', 'supabase_auth_admin'
    ]
    loop
        if not exists (select 1 from pg_catalog.pg_roles where rolname = v_role) then
            execute format('create role %I', v_role);
        end if;
    end loop;
end;
$roles$;

-- As on a hosted project, postgres owns the database but is no superuser: what it may not do, no migration may.
alter role postgres login password 'postgres' inherit createrole createdb replication bypassrls nosuperuser;
alter role anon nologin noinherit;
alter role authenticated nologin noinherit;
alter role service_role nologin noinherit bypassrls;
alter role authenticator login password 'postgres' noinherit;
alter role supabase_auth_admin nologin noinherit createrole;

grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role authenticator set lock_timeout = '8s';
alter role authenticator set pgrst.db_schemas = 'public';

-- The database and schema public --------------------------------------------------------------------------

do $database$
begin
    execute format('alter database %I owner to postgres', current_database());
    -- The advisors read this to learn which schemas are exposed.
    execute format('alter database %I set pgrst.db_schemas = %L', current_database(), 'public');
    execute format('alter database %I set search_path = "$user", public, extensions', current_database());
    execute format('grant all on database %I to postgres', current_database());
    -- Hosted databases tell the planner that they sit on solid-state drives; plans should be tested as they will be.
    execute format('alter database %I set random_page_cost = 1.1', current_database());
end;
$database$;

alter schema public owner to pg_database_owner;
grant usage on schema public to anon, authenticated, service_role;
grant all on schema public to postgres;

-- Since 30 October 2026 nothing in public reaches the API by itself. The change took away only what the API
-- uses: the other table privileges are still granted by default, so a migration has to revoke them.
alter default privileges for role postgres in schema public
    revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    grant truncate, references, trigger, maintain on tables to anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    revoke all on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    revoke all on functions from anon, authenticated, service_role;

-- Extensions ----------------------------------------------------------------------------------------------

create schema if not exists extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;

-- pgTAP is there only where somebody installed it: the database tests need it, nothing else does.
do $extensions$
declare
    v_extension text;
begin
    for v_extension in
        select name from pg_catalog.pg_available_extensions where name in ('pgcrypto', 'uuid-ossp', 'pgtap')
    loop
        execute format('create extension if not exists %I with schema extensions', v_extension);
    end loop;
end;
$extensions$;

-- Schema auth ---------------------------------------------------------------------------------------------

create schema if not exists auth authorization supabase_auth_admin;
grant usage on schema auth to anon, authenticated, service_role, postgres;

create table if not exists auth.users (
    instance_id uuid,
    id uuid not null primary key,
    aud varchar(255),
    role varchar(255),
    email varchar(255),
    encrypted_password varchar(255),
    email_confirmed_at timestamptz,
    last_sign_in_at timestamptz,
    raw_app_meta_data jsonb,
    raw_user_meta_data jsonb,
    phone text unique default null,
    banned_until timestamptz,
    is_sso_user boolean not null default false,
    is_anonymous boolean not null default false,
    deleted_at timestamptz,
    created_at timestamptz,
    updated_at timestamptz
);
create unique index if not exists users_email_partial_key on auth.users (email) where not is_sso_user;
alter table auth.users owner to supabase_auth_admin;
alter table auth.users enable row level security;
grant select, insert, update, delete, references, trigger on auth.users to postgres;

create or replace function auth.uid()
returns uuid
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.sub', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'
    )::uuid;
$$;

create or replace function auth.role()
returns text
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.role', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'
    );
$$;

create or replace function auth.email()
returns text
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim.email', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email'
    );
$$;

create or replace function auth.jwt()
returns jsonb
language sql
stable
as $$
    select coalesce(
        nullif(current_setting('request.jwt.claim', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')
    )::jsonb;
$$;

do $owners$
declare
    v_function text;
begin
    foreach v_function in array array['uid', 'role', 'email', 'jwt']
    loop
        execute format('alter function auth.%I() owner to supabase_auth_admin', v_function);
    end loop;
end;
$owners$;
