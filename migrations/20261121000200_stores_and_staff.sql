-- Stores, staff, and the helpers with which every row-level policy asks who is calling.

create table public.stores (
    key text primary key check (key ~ '^[a-z][a-z0-9_]{0,30}$'),
    name text not null,
    shop_domain text not null unique check (shop_domain = lower(shop_domain)),
    id_prefix text not null unique check (id_prefix ~ '^[a-z][a-z0-9]{0,30}$'),
    scan_letter text unique check (scan_letter ~ '^[A-Z]$'),
    timezone text not null,
    origin_country text not null check (origin_country ~ '^[A-Z]{2}$'),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    kitchen_enabled boolean not null default true,
    inventory_enabled boolean not null default true,
    courier_enabled boolean not null default false,
    wms_enabled boolean not null default false,
    customs_enabled boolean not null default false,
    storage_locations text[],
    order_settings jsonb not null default '{}'::jsonb,
    settings_rev integer not null default 0,
    alert_email text check (length(alert_email) <= 254 and alert_email ~ '^[^\s@<>",;]+@[^\s@<>",;]+[.][^\s@<>",;.]+$'),
    uninstalled_at timestamptz,
    redacted_at timestamptz,
    created_at timestamptz not null default now()
);
comment on table public.stores is 'One Shopify shop each. The shop domain of a webhook decides its store.';
comment on column public.stores.id_prefix is 'Order ids read <id_prefix>-<order number>.';
comment on column public.stores.scan_letter is 'Letter of short labels: #B12345 is order 12345 of the store with letter B.';
comment on column public.stores.storage_locations is 'Allowed storage locations; null allows any.';
comment on column public.stores.order_settings is
    'Names of attributes, properties and tags that orders are read from, where they differ from the built-in ones.';
comment on column public.stores.settings_rev is 'Counts the changes of order_settings; 0: built-in names.';
comment on column public.stores.alert_email is 'Where e-mails about the store go; null: none are sent.';
comment on column public.stores.uninstalled_at is
    'When Shopify said that our app was uninstalled. Nothing stops: what is paid for is made and sent.';
comment on column public.stores.redacted_at is
    'When Shopify asked to forget the shop: until it is back, nothing personal of it is stored.';

create table public.staff (
    user_id uuid primary key references auth.users (id) on delete cascade,
    name text not null,
    role public.staff_role not null,
    active boolean not null default true,
    created_at timestamptz not null default now()
);
comment on table public.staff is 'The source of authority for roles: a signed-in user without a row here sees nothing.';

create table public.staff_stores (
    user_id uuid not null references public.staff (user_id) on delete cascade,
    store text not null references public.stores (key),
    created_at timestamptz not null default now(),
    primary key (user_id, store)
);
create index staff_stores_store_idx on public.staff_stores (store);
comment on table public.staff_stores is 'Which stores a member of staff works for. An Admin works for all, listed or not.';

create function private.stores_for(p_user uuid, p_minimum public.staff_role)
returns text[]
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: the caller cannot read staff of other people, and policies on staff would recurse.
-- This and those that build on it: not plain SQL, since with a search_path of its own that would be parsed and planned
-- anew at every call, and every call of the API begins here.
begin
    return (
        select coalesce(array_agg(s.key order by s.key), '{}')
        from public.staff st
        join public.stores s
            on st.role = 'Admin'
            or exists (select 1 from public.staff_stores ss where ss.user_id = st.user_id and ss.store = s.key)
        where st.user_id = p_user and st.active and st.role >= p_minimum
    );
end;
$$;
revoke execute on function private.stores_for(uuid, public.staff_role) from public, anon, authenticated;
comment on function private.stores_for(uuid, public.staff_role) is
    'Stores in which the user holds at least the given role; empty for inactive or unknown users.';

create function private.caller()
returns uuid
language plpgsql
stable
set search_path = ''
as $$
-- PostgREST takes whatever the project's key has signed, also a token without an audience, an end or a person.
-- Only one that is for signed-in users, and ends, says who somebody is.
declare
    v_claims jsonb := auth.jwt();
begin
    if v_claims -> 'aud' ? 'authenticated'
        and jsonb_typeof(v_claims -> 'exp') = 'number'
        and pg_input_is_valid(v_claims ->> 'sub', 'uuid') then
        return (v_claims ->> 'sub')::uuid;
    end if;
    return null;
end;
$$;
revoke execute on function private.caller() from public, anon;
grant execute on function private.caller() to authenticated, service_role;
comment on function private.caller() is
    'The signed-in person who calls, null for everybody else. Every rule about people asks this and not auth.uid().';

create function private.readable_stores(p_minimum public.staff_role default 'Staff')
returns text[]
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: called from policies by users who cannot read staff themselves.
begin
    return private.stores_for(private.caller(), p_minimum);
end;
$$;
revoke execute on function private.readable_stores(public.staff_role) from public, anon;
grant execute on function private.readable_stores(public.staff_role) to authenticated;
comment on function private.readable_stores(public.staff_role) is
    'Stores that the calling user may read with at least the given role. For policies: (select private.readable_stores()).';

create function private.is_service()
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
    return coalesce(auth.role() = 'service_role', false);
end;
$$;
revoke execute on function private.is_service() from public, anon;
grant execute on function private.is_service() to authenticated, service_role;
comment on function private.is_service() is 'True when the request carries the service role.';

alter table public.stores enable row level security;
alter table public.staff enable row level security;
alter table public.staff_stores enable row level security;

revoke all on public.stores, public.staff, public.staff_stores from anon, authenticated, service_role;
grant select on public.stores, public.staff, public.staff_stores to authenticated, service_role;

create policy stores_select_staff on public.stores for select to authenticated
    using (key = any ((select private.readable_stores())::text[]));
create policy stores_select_service on public.stores for select to service_role using (true);

-- Who has left sees nothing, not even what they were.
create policy staff_select_self on public.staff for select to authenticated
    using (user_id = (select private.caller()) and active);
create policy staff_select_service on public.staff for select to service_role using (true);

create policy staff_stores_select_self on public.staff_stores for select to authenticated
    using (user_id = (select private.caller()) and store = any ((select private.readable_stores())::text[]));
create policy staff_stores_select_service on public.staff_stores for select to service_role using (true);
