-- One fault for each advisor that guards a rule of the house, in a database that has nothing else. Never applied to
-- any other database.

create schema auth;
create function auth.uid() returns uuid language sql stable set search_path = '' as 'select null::uuid';
create table auth.users (id uuid primary key, email text);

-- rls_disabled_in_public, no_primary_key
create table public.open_to_all (id integer);
grant select on public.open_to_all to anon;

-- rls_enabled_no_policy
create table public.without_policy (id integer primary key);
alter table public.without_policy enable row level security;
grant select on public.without_policy to authenticated;

-- policy_exists_rls_disabled
create table public.policy_without_effect (id integer primary key);
create policy nothing on public.policy_without_effect for select to authenticated using (id > 0);
grant select on public.policy_without_effect to authenticated;

-- auth_rls_initplan, multiple_permissive_policies, unindexed_foreign_keys
create table public.slow (id integer primary key, parent integer references public.without_policy (id), owner uuid);
alter table public.slow enable row level security;
create policy once_a_row on public.slow for select to authenticated using (owner = auth.uid());
create policy once_more on public.slow for select to authenticated using (id > 0);
grant select on public.slow to authenticated;

-- duplicate_index
create index slow_owner_idx on public.slow (owner);
create index slow_owner_again_idx on public.slow (owner);

-- rls_references_user_metadata
create table public.believes_the_token (id integer primary key);
alter table public.believes_the_token enable row level security;
create function auth.jwt() returns jsonb language sql stable set search_path = '' as 'select null::jsonb';
create policy claims on public.believes_the_token for select to authenticated
    using ((select auth.jwt()) -> 'user_metadata' ->> 'role' = 'Admin');
grant select on public.believes_the_token to authenticated;

-- function_search_path_mutable
create function public.may_be_hijacked() returns integer language sql as 'select 1';

-- security_definer_view, auth_users_exposed
create view public.everybody as select * from auth.users;
grant select on public.everybody to anon;

-- materialized_view_in_api
create materialized view public.snapshot as select 1 as one;
grant select on public.snapshot to authenticated;

-- rls_policy_always_true
create policy anything_goes on public.without_policy for insert to authenticated with check (true);

-- sensitive_columns_exposed
create table public.accounts (id integer primary key, password text);
grant select on public.accounts to anon;

-- unsupported_reg_types
create table public.names_a_function (id integer primary key, handler regproc);
alter table public.names_a_function enable row level security;

-- fkey_to_auth_unique
alter table auth.users add constraint users_email_key unique (email);
create table public.letters (id integer primary key, email text references auth.users (email));
