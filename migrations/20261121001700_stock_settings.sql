-- How the stock of a store and that of its shop are kept in step: at which location, who is right, and when that is
-- looked at.

create table public.stock_settings (
    store text primary key references public.stores (key) on delete cascade,
    location_gid text check (location_gid ~ '^gid://shopify/Location/[0-9]{1,20}$'),
    reconcile_policy text not null default 'local_wins' check (reconcile_policy in ('local_wins', 'shopify_wins')),
    reconcile_at time not null default '03:00',
    drift_threshold integer not null default 5 check (drift_threshold >= 0),
    settle_seconds integer not null default 60 check (settle_seconds between 0 and 3600),
    import_skus boolean not null default false,
    locations jsonb not null default '[]'::jsonb,
    locations_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table public.stock_settings is 'One row for each store, made with it.';
comment on column public.stock_settings.location_gid is
    'The location of Shopify that stock is pushed to and compared with. Null: the only one that the shop has, as soon as that is known; a shop with several has to choose.';
comment on column public.stock_settings.reconcile_policy is
    'Who is right when a level of Shopify is another than ours: local_wins has ours pushed, shopify_wins adopts theirs.';
comment on column public.stock_settings.reconcile_at is 'The quiet hour, by the clock of the store.';
comment on column public.stock_settings.drift_threshold is 'People are told when more SKUs than this had drifted in a night.';
comment on column public.stock_settings.settle_seconds is
    'A difference is drift only when it is still the same after this time: what Shopify has sold may not have reached us.';
comment on column public.stock_settings.import_skus is
    'Reconciliation brings in SKUs that Shopify tracks and nobody here knows.';
comment on column public.stock_settings.locations is 'Locations that the shop has, [{gid, name}], as seen at locations_at.';

create trigger stock_settings_touch_updated_at before update on public.stock_settings
    for each row execute function private.touch_updated_at();

alter table public.stock_settings enable row level security;
revoke all on public.stock_settings from anon, authenticated, service_role;
grant select on public.stock_settings to authenticated, service_role;
create policy stock_settings_select_staff on public.stock_settings for select to authenticated
    using (store = any ((select private.readable_stores())::text[]));
create policy stock_settings_select_service on public.stock_settings for select to service_role using (true);

create function private.add_stock_settings()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    insert into public.stock_settings (store) values (new.key);
    return new;
end;
$$;
revoke execute on function private.add_stock_settings() from public, anon, authenticated;
comment on function private.add_stock_settings() is 'Trigger: every store has its stock settings.';

insert into public.stock_settings (store) select s.key from public.stores s;
create trigger stores_add_stock_settings after insert on public.stores
    for each row execute function private.add_stock_settings();

create function private.stock_settings_problem(p_settings jsonb, p_known public.stock_settings)
returns text
language plpgsql
stable
set search_path = ''
as $$
begin
    if p_settings is null or jsonb_typeof(p_settings) <> 'object' then
        return 'p_settings must be an object';
    end if;
    return (
        select min(case s.key
            when 'location_gid' then
                case when s.value #>> '{}' !~ '^gid://shopify/Location/[0-9]{1,20}$' or jsonb_typeof(s.value) <> 'string' then
                    'location_gid must be one such as gid://shopify/Location/1'
                when p_known.locations <> '[]' and not p_known.locations @> jsonb_build_array(jsonb_build_object('gid', s.value)) then
                    'location_gid is none of the locations that the shop has: '
                        || jsonb_path_query_array(p_known.locations, '$[*].gid')::text end
            when 'reconcile_policy' then
                case when s.value not in ('"local_wins"', '"shopify_wins"')
                    then 'reconcile_policy must be local_wins or shopify_wins' end
            when 'reconcile_at' then
                case when jsonb_typeof(s.value) <> 'string' or s.value #>> '{}' !~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'
                    then 'reconcile_at must be a time such as 03:00' end
            when 'drift_threshold' then
                case when jsonb_typeof(s.value) <> 'number' or s.value #>> '{}' !~ '^[0-9]{1,6}$'
                    then 'drift_threshold must be a number from 0 to 999999' end
            when 'settle_seconds' then
                case when jsonb_typeof(s.value) <> 'number' or s.value #>> '{}' !~ '^([0-9]{1,3}|[12][0-9]{3}|3[0-5][0-9]{2}|3600)$'
                    then 'settle_seconds must be a number from 0 to 3600' end
            when 'import_skus' then
                case when jsonb_typeof(s.value) <> 'boolean' then 'import_skus must be true or false' end
            else s.key || ' is none of location_gid, reconcile_policy, reconcile_at, drift_threshold, settle_seconds, import_skus'
        end)
        from jsonb_each(p_settings) s
    );
end;
$$;
revoke execute on function private.stock_settings_problem(jsonb, public.stock_settings) from public, anon, authenticated;
comment on function private.stock_settings_problem(jsonb, public.stock_settings) is
    'What is wrong with stock settings, null when nothing is. Called by other functions only; no error codes.';

create function public.update_stock_settings(p_store text, p_settings jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock_settings directly; the role of the caller is checked here.
declare
    v_known public.stock_settings;
    v_new public.stock_settings;
    v_problem text;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin changes a store');
    end if;
    select * into v_known from public.stock_settings s where s.store = p_store for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    end if;
    v_problem := private.stock_settings_problem(p_settings, v_known);
    if v_problem is not null then
        return private.fail('BAD_INPUT', v_problem);
    end if;

    v_new := jsonb_populate_record(v_known, p_settings);
    if v_new is not distinct from v_known then
        return private.ok(to_jsonb(v_known), true);
    end if;
    update public.stock_settings s set
        location_gid = v_new.location_gid,
        reconcile_policy = v_new.reconcile_policy,
        reconcile_at = v_new.reconcile_at,
        drift_threshold = v_new.drift_threshold,
        settle_seconds = v_new.settle_seconds,
        import_skus = v_new.import_skus
    where s.store = p_store
    returning * into v_new;
    if v_new.location_gid is distinct from v_known.location_gid then
        perform private.move_stock(p_store);
    end if;
    return private.ok(to_jsonb(v_new));
end;
$$;
revoke execute on function public.update_stock_settings(text, jsonb) from public, anon;
grant execute on function public.update_stock_settings(text, jsonb) to authenticated, service_role;
comment on function public.update_stock_settings(text, jsonb) is
    'Changes the stock settings that p_settings names: location_gid, reconcile_policy, reconcile_at, drift_threshold, settle_seconds, import_skus. With another location every SKU of the store is pushed to it, or looked at there when shopify_wins. Returns the row. Callable by an Admin and service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';

create function private.move_stock(p_store text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_items bigint[];
begin
    perform 1
    from public.inventory_items i
    where i.store = p_store and i.shopify_location_gid is null
    order by i.sku
    for no key update;
    with moved as (
        -- Of the level there nobody knows anything.
        update public.inventory_items i set pushed_quantity = null
        where i.store = p_store and i.shopify_location_gid is null
        returning i.id, i.shopify_inventory_item_gid
    )
    select array_agg(m.id) into v_items from moved m where m.shopify_inventory_item_gid is not null;
    perform private.settle_mapped(p_store, v_items);
end;
$$;
revoke execute on function private.move_stock(text) from public, anon, authenticated;
comment on function private.move_stock(text) is
    'Has the stock of a store known at the location that it has now. Called by other functions only; no error codes.';

create function public.save_locations(p_store text default null, p_locations jsonb default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock_settings directly, the service role included.
declare
    v_known public.stock_settings;
    v_locations jsonb;
    v_location text;
begin
    if p_locations is null or jsonb_typeof(p_locations) <> 'array' or jsonb_array_length(p_locations) > 1000 then
        return private.fail('BAD_INPUT', 'p_locations must be an array of at most 1000 locations');
    end if;
    select * into v_known from public.stock_settings s where s.store = p_store for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    end if;

    select coalesce(
        jsonb_agg(jsonb_build_object('gid', l.location ->> 'gid', 'name', left(l.location ->> 'name', 200)) order by l.turn),
        '[]'::jsonb
    )
    into v_locations
    from jsonb_array_elements(p_locations) with ordinality as l (location, turn)
    where l.location ->> 'gid' ~ '^gid://shopify/Location/[0-9]{1,20}$';

    -- The only one there is needs no choice. Of several none is guessed: stock at the wrong place is sold twice.
    v_location := coalesce(
        v_known.location_gid, case when jsonb_array_length(v_locations) = 1 then v_locations #>> '{0,gid}' end
    );
    update public.stock_settings s set locations = v_locations, locations_at = now(), location_gid = v_location
    where s.store = p_store;
    if v_location is null then
        perform private.enqueue_alert(p_store, 'stock_location', jsonb_build_object(
            'locations', jsonb_path_query_array(v_locations, '$[*].name')
        ));
    elsif v_known.location_gid is null then
        update public.reconcile_runs r set location_gid = private.next_location(p_store, null)
        where r.store = p_store and r.state = 'reading' and r.location_gid is null;
        perform private.move_stock(p_store);
    end if;
    return private.ok(jsonb_build_object('store', p_store, 'location_gid', v_location));
end;
$$;
revoke execute on function public.save_locations(text, jsonb) from public, anon, authenticated;
grant execute on function public.save_locations(text, jsonb) to service_role;
comment on function public.save_locations(text, jsonb) is
    'Keeps which active locations a shop has, [{gid, name}]. The only one becomes the location of the store, unless it has chosen; of several a person has to choose, and is told so. Returns {store, location_gid}, null without one. Callable by service_role. Codes: BAD_INPUT, NOT_FOUND.';
