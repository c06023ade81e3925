-- Who acts, and how a store comes into being.

create function private.acting_user(p_user uuid)
returns uuid
language plpgsql
stable
set search_path = ''
as $$
begin
    return case when private.is_service() then p_user else private.caller() end;
end;
$$;
revoke execute on function private.acting_user(uuid) from public, anon;
grant execute on function private.acting_user(uuid) to authenticated, service_role;
comment on function private.acting_user(uuid) is
    'The person behind the call: the signed-in user; p_user counts only when the service role speaks for somebody.';

create function private.acting_stores(p_user uuid default null, p_minimum public.staff_role default 'Staff')
returns text[]
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: the caller cannot read staff of other people, and the service role may speak for one of them.
begin
    if p_user is null and private.is_service() then
        return (select coalesce(array_agg(s.key order by s.key), '{}') from public.stores s);
    end if;
    return private.stores_for(private.acting_user(p_user), p_minimum);
end;
$$;
revoke execute on function private.acting_stores(uuid, public.staff_role) from public, anon;
grant execute on function private.acting_stores(uuid, public.staff_role) to authenticated, service_role;
comment on function private.acting_stores(uuid, public.staff_role) is
    'Stores in which the caller may act with at least the given role; all of them for the service role itself.';

create function private.acts_as_admin()
returns boolean
language sql
stable
security definer
set search_path = ''
as $$
    -- definer because: the caller may be somebody whose staff row only this function may read.
    select private.is_service()
        or exists (
            select 1 from public.staff st
            where st.user_id = private.caller() and st.active and st.role = 'Admin'
        );
$$;
revoke execute on function private.acts_as_admin() from public, anon, authenticated;
comment on function private.acts_as_admin() is 'True for the service role and for an active Admin, also before any store exists.';

create function private.store_problem(p_store public.stores)
returns text
language sql
stable
set search_path = ''
as $$
    select case
        when p_store.key is null or p_store.key !~ '^[a-z][a-z0-9_]{0,30}$' then
            'key must be a lower-case word of at most 31 letters, digits or _'
        when coalesce(btrim(p_store.name), '') = '' or length(p_store.name) > 200 then
            'name must have 1 to 200 characters'
        when p_store.shop_domain is null or length(p_store.shop_domain) > 253
            or p_store.shop_domain !~ '^[a-z0-9]([a-z0-9-]*[a-z0-9])?([.][a-z0-9]([a-z0-9-]*[a-z0-9])?)+$' then
            'shop_domain must be a host name such as example.myshopify.com'
        when p_store.id_prefix !~ '^[a-z][a-z0-9]{0,30}$' then
            'id_prefix must be lower-case letters and digits, beginning with a letter'
        when p_store.scan_letter is not null and p_store.scan_letter !~ '^[A-Z]$' then
            'scan_letter must be one letter A to Z'
        when p_store.timezone is null
            or not exists (select 1 from pg_catalog.pg_timezone_names z where z.name = p_store.timezone) then
            'timezone must be a name such as Australia/Sydney'
        when p_store.origin_country is null or p_store.origin_country !~ '^[A-Z]{2}$' then
            'origin_country must be a two-letter code'
        when p_store.currency is null or p_store.currency !~ '^[A-Z]{3}$' then
            'currency must be a three-letter code'
    end;
$$;
revoke execute on function private.store_problem(public.stores) from public, anon, authenticated;
comment on function private.store_problem(public.stores) is 'What is wrong with the values of a store, null when nothing is.';

create function private.create_partition(p_store text)
returns void
language plpgsql
set search_path = ''
as $$
declare
    v_name text := 'orders_' || p_store;
    v_tables text;
    -- Before the time-out of the REST server, which is made for clicks.
    v_until timestamptz := clock_timestamp() + interval '6 s';
begin
    if to_regclass(format('public.%I', v_name)) is not null then
        return;
    end if;

    -- Attaching waits for no reader of orders; "create table … partition of" would lock out every one of them.
    execute format('create table public.%I (like public.orders including all)', v_name);
    execute format('comment on table public.%I is %L', v_name, 'Orders of store ' || p_store || '.');

    -- A partition is a table of its own to the REST API: it inherits neither row security nor grants.
    execute format('alter table public.%I enable row level security', v_name);
    execute format('revoke all on public.%I from public, anon, authenticated, service_role', v_name);
    execute format('grant select on public.%I to authenticated, service_role', v_name);
    execute format(
        'create policy %I on public.%I for select to authenticated'
        || ' using (store = any ((select private.readable_stores())::text[]))',
        v_name || '_select_staff', v_name
    );
    execute format(
        'create policy %I on public.%I for select to service_role using (true)', v_name || '_select_service', v_name
    );

    -- Attaching locks orders and, one after the other, the tables that refer to orders or that orders refer to, while others
    -- write these in an order of their own. So orders first, whose new writers then line up behind, and the others at once
    -- or not at all: who gives up orders again is in nobody's way for long.
    select string_agg(distinct n.name, ', ') into v_tables
    from pg_catalog.pg_constraint k
    cross join lateral (values (k.conrelid::regclass::text), (k.confrelid::regclass::text)) as n (name)
    where k.contype = 'f' and 'public.orders'::regclass in (k.conrelid, k.confrelid) and k.conparentid = 0;
    loop
        begin
            perform set_config('lock_timeout', '250ms', true);
            lock table public.orders in share row exclusive mode;
            execute format('lock table %s in share row exclusive mode nowait', v_tables);
            exit;
        exception
            when lock_not_available then
                if clock_timestamp() > v_until then
                    raise;
                end if;
                perform pg_sleep(0.05);
        end;
    end loop;
    execute format('alter table public.orders attach partition public.%I for values in (%L)', v_name, p_store);
    perform pg_notify('pgrst', 'reload schema');
end;
$$;
revoke execute on function private.create_partition(text) from public, anon, authenticated;
comment on function private.create_partition(text) is
    'Makes orders_<store> with its own row security, policies and grants, unless it is there.';

create function public.create_store(
    p_key text,
    p_name text,
    p_shop_domain text,
    p_timezone text,
    p_origin_country text,
    p_currency text,
    p_id_prefix text default null,
    p_scan_letter text default null,
    p_kitchen_enabled boolean default true,
    p_inventory_enabled boolean default true,
    p_courier_enabled boolean default false,
    p_wms_enabled boolean default false,
    p_customs_enabled boolean default false,
    p_storage_locations text[] default null
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- definer because: nobody may write stores or create tables; only this function decides who adds a store.
declare
    v_store public.stores;
    v_known public.stores;
    v_problem text;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin adds a store');
    end if;

    v_store.key := p_key;
    v_store.name := p_name;
    v_store.shop_domain := lower(p_shop_domain);
    v_store.id_prefix := coalesce(p_id_prefix, replace(p_key, '_', ''));
    v_store.scan_letter := upper(p_scan_letter);
    v_store.timezone := p_timezone;
    v_store.origin_country := upper(p_origin_country);
    v_store.currency := upper(p_currency);
    v_store.kitchen_enabled := coalesce(p_kitchen_enabled, true);
    v_store.inventory_enabled := coalesce(p_inventory_enabled, true);
    v_store.courier_enabled := coalesce(p_courier_enabled, false);
    v_store.wms_enabled := coalesce(p_wms_enabled, false);
    v_store.customs_enabled := coalesce(p_customs_enabled, false);
    v_store.storage_locations := p_storage_locations;
    v_store.order_settings := '{}';
    v_store.settings_rev := 0;
    v_store.created_at := now();

    v_problem := private.store_problem(v_store);
    if v_problem is not null then
        return private.fail('BAD_INPUT', v_problem);
    end if;

    -- Two calls at once would both find nothing and one would end in a unique violation.
    lock table public.stores in share row exclusive mode;

    select * into v_known from public.stores s where s.key = v_store.key;
    if found then
        -- What came about later is no other value.
        v_store.created_at := v_known.created_at;
        v_store.order_settings := v_known.order_settings;
        v_store.settings_rev := v_known.settings_rev;
        v_store.uninstalled_at := v_known.uninstalled_at;
        v_store.redacted_at := v_known.redacted_at;
        if v_known is distinct from v_store then
            return private.fail('CONFLICT', format('store %s exists with other values', v_store.key));
        end if;
        perform private.create_partition(v_store.key);
        return private.ok(to_jsonb(v_known), true);
    end if;

    select string_agg(taken.what, ', ') into v_problem
    from public.stores s
    cross join lateral (
        values
            ('shop_domain', s.shop_domain = v_store.shop_domain),
            ('id_prefix', s.id_prefix = v_store.id_prefix),
            ('scan_letter', s.scan_letter = v_store.scan_letter)
    ) as taken (what, clash)
    where taken.clash;
    if v_problem is not null then
        return private.fail('CONFLICT', 'taken by another store: ' || v_problem);
    end if;

    insert into public.stores select v_store.*;
    perform private.create_partition(v_store.key);
    return private.ok(to_jsonb(v_store));
end;
$$;
revoke execute on function public.create_store(
    text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, boolean, text[]
) from public, anon;
grant execute on function public.create_store(
    text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, boolean, text[]
) to authenticated, service_role;
comment on function public.create_store(
    text, text, text, text, text, text, text, text, boolean, boolean, boolean, boolean, boolean, text[]
) is
    'Adds a store and its partition of orders; repeating the same values is already_done. Callable by an Admin and service_role. Codes: BAD_INPUT, PERMISSION_DENIED, CONFLICT (key, domain, prefix or letter taken).';
