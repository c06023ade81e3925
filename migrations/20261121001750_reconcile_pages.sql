-- A page of Shopify's levels, compared in one transaction with the place at which the next begins: a run that is cut off
-- anywhere has compared what its row says, and nothing twice.

create function private.compare_levels(
    p_run public.reconcile_runs,
    p_location text,
    p_levels jsonb,
    p_unseen bigint[]
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_settings public.stock_settings;
    v_items bigint[];
    v_theirs integer[];
    v_skus text[];
begin
    select * into v_settings from public.stock_settings s where s.store = p_run.store;

    -- All that is written here or looked at because of it, at once: holds take stock in the same order.
    perform 1
    from public.inventory_items i
    where i.id in (
        select k.id
        from public.inventory_items k
        where k.store = p_run.store
            and k.shopify_inventory_item_gid in (select l ->> 'gid' from jsonb_array_elements(p_levels) l)
        union all
        select n.id
        from public.inventory_items n
        where n.store = p_run.store and n.mapping_problem = 'not_found'
            and n.sku in (select btrim(l ->> 'sku') from jsonb_array_elements(p_levels) l)
        union all
        select unnest(p_unseen)
    )
    order by i.sku
    for no key update;

    with met as (
        update public.inventory_items i set compared_at = clock_timestamp()
        from (
            select distinct on (l ->> 'gid') l ->> 'gid' as gid,
                case when l ->> 'available' ~ '^-?[0-9]{1,9}$' then (l ->> 'available')::integer end as theirs
            from jsonb_array_elements(p_levels) l
            order by l ->> 'gid'
        ) l
        where i.store = p_run.store and i.shopify_inventory_item_gid = l.gid and (i.tracked or i.adopt)
            and coalesce(i.shopify_location_gid, v_settings.location_gid) = p_location
        returning i.id, i.ats, i.adopt, l.theirs
    )
    -- Only a suspicion: their level was read before ours. The look that follows decides.
    select array_agg(m.id), array_agg(m.theirs) into v_items, v_theirs
    from met m
    where m.adopt or m.theirs is null or m.ats <> case when v_settings.reconcile_policy = 'shopify_wins'
        then greatest(m.theirs, 0) else m.theirs end;
    if v_items is not null then
        perform private.open_stock_checks(
            p_run.store, 'reconcile', p_run.id, v_items, v_theirs, make_interval(secs => v_settings.settle_seconds)
        );
    end if;

    -- What nobody here knows, when the store wants it; and what was not to be found and now is.
    if v_settings.import_skus and p_location = v_settings.location_gid then
        with unknown as (
            insert into public.inventory_items (store, sku, ats, tracked, adopt)
            select distinct p_run.store, btrim(l ->> 'sku'), 0, false, true
            from jsonb_array_elements(p_levels) l
            where l -> 'tracked' = 'true' and length(btrim(l ->> 'sku')) between 1 and 255
                and not exists (
                    select 1 from public.inventory_items i
                    where i.store = p_run.store and i.shopify_inventory_item_gid = l ->> 'gid'
                )
            order by 2
            on conflict (store, sku) do nothing
            returning sku
        )
        select array_agg(u.sku) into v_skus from unknown u;
        if v_skus is not null then
            update public.reconcile_runs r set imported = r.imported + cardinality(v_skus) where r.id = p_run.id;
            perform private.ask_mapping(p_run.store, v_skus);
        end if;
    end if;
    with found as (
        update public.inventory_items i set mapping_problem = null
        where i.store = p_run.store and i.mapping_problem = 'not_found'
            and i.sku in (select btrim(l ->> 'sku') from jsonb_array_elements(p_levels) l)
        returning i.sku
    )
    select array_agg(f.sku) into v_skus from found f;
    if v_skus is not null then
        perform private.ask_mapping(p_run.store, v_skus);
    end if;
end;
$$;
revoke execute on function private.compare_levels(public.reconcile_runs, text, jsonb, bigint[]) from public, anon, authenticated;
comment on function private.compare_levels(public.reconcile_runs, text, jsonb, bigint[]) is
    'Compares a page of levels at a location with our stock and has every difference looked at; locks the stock in p_unseen with the rest. Called by other functions only; no error codes.';

create function public.compare_stock(
    p_run text default null,
    p_run_id bigint default null,
    p_location text default null,
    p_after text default null,
    p_next text default null,
    p_levels jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
as $$
-- definer because: nobody may write stock directly, the service role included.
declare
    v_run public.reconcile_runs;
    v_unseen bigint[];
begin
    if p_levels is null or jsonb_typeof(p_levels) <> 'array' or jsonb_array_length(p_levels) > 1000 then
        return private.fail('BAD_INPUT', 'p_levels must be an array of at most 1000 levels');
    end if;
    select * into v_run
    from public.reconcile_runs r
    where r.id = p_run_id and r.state = 'reading' and r.run = left(p_run, 200)
    for no key update;
    if not found then
        return private.fail('CONFLICT', 'another run has taken this store over');
    elsif v_run.location_gid is distinct from p_location or v_run.page_after is distinct from p_after then
        return private.fail('CONFLICT', 'this page has been compared already');
    end if;

    -- Which item is which stays so until all stock is locked and compared.
    perform private.lock_mapping(v_run.store);
    if p_next is null then
        select array_agg(i.id) into v_unseen
        from public.inventory_items i
        join public.stock_settings g on g.store = i.store
        where i.store = v_run.store and i.shopify_inventory_item_gid is not null and (i.tracked or i.adopt)
            and coalesce(i.shopify_location_gid, g.location_gid) = p_location
            and coalesce(i.compared_at < v_run.created_at, true);
    end if;

    perform private.compare_levels(v_run, p_location, p_levels, v_unseen);
    if p_next is null then
        -- Shopify has told all of this location: what we keep there and it does not know is looked at one by one.
        select array_agg(i.id) into v_unseen
        from public.inventory_items i
        where i.id = any(v_unseen) and (i.tracked or i.adopt) and coalesce(i.compared_at < v_run.created_at, true);
        if v_unseen is not null then
            perform private.open_stock_checks(v_run.store, 'reconcile', v_run.id, v_unseen, null, interval '0');
        end if;
        v_run.location_gid := private.next_location(v_run.store, p_location);
    end if;

    update public.reconcile_runs r set
        pages = r.pages + 1,
        location_gid = v_run.location_gid,
        page_after = left(p_next, 2000),
        error = null,
        state = case when v_run.location_gid is null then 'checking' else r.state end,
        run = case when v_run.location_gid is not null then r.run end,
        lease_until = case when v_run.location_gid is not null then r.lease_until end,
        compared = (
            select count(*) from public.inventory_items i
            where i.store = r.store and i.compared_at >= r.created_at
        )
    where r.id = v_run.id
    returning * into v_run;
    if v_run.state = 'checking' then
        perform private.finish_reconcile(v_run.id);
    end if;

    return private.ok(jsonb_build_object(
        'location_gid', v_run.location_gid,
        'after', v_run.page_after,
        'compared', v_run.compared,
        'imported', v_run.imported,
        'suspected', (select count(*) from public.stock_checks c where c.run_id = v_run.id)
    ));
end;
$$;
revoke execute on function public.compare_stock(text, bigint, text, text, text, jsonb) from public, anon, authenticated;
grant execute on function public.compare_stock(text, bigint, text, text, text, jsonb) to service_role;
comment on function public.compare_stock(text, bigint, text, text, text, jsonb) is
    'Compares a page of Shopify''s levels, [{gid, sku, tracked, available}], read at p_location behind p_after, with our stock, has what differs looked at once more, and moves on to p_next, or to the next location. Returns {location_gid, after, compared, imported, suspected}: where to read on, location_gid null at the end. Callable by service_role. Codes: BAD_INPUT, CONFLICT (not taken, taken by another run, or compared already).';

create function private.give_up_reconcile(p_run public.reconcile_runs, p_error text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    update public.reconcile_runs r set
        state = 'given_up', error = p_error, finished_at = now(), run = null, lease_until = null
    where r.id = p_run.id;
    perform private.enqueue_alert(p_run.store, 'reconcile_failed', jsonb_build_object(
        'run', p_run.id, 'pages', p_run.pages, 'reason', p_error
    ));
end;
$$;
revoke execute on function private.give_up_reconcile(public.reconcile_runs, text) from public, anon, authenticated;
comment on function private.give_up_reconcile(public.reconcile_runs, text) is
    'Ends a run before it has met every level, and tells people. Called by other functions only; no error codes.';

create function public.stop_reconcile(
    p_run text default null,
    p_run_id bigint default null,
    p_error text default null,
    p_restart boolean default false,
    p_give_up boolean default false
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write reconcile_runs directly, the service role included.
declare
    v_run public.reconcile_runs;
begin
    update public.reconcile_runs r set
        run = null,
        lease_until = null,
        error = left(p_error, 500),
        page_after = case when not p_restart then r.page_after end
    where r.id = p_run_id and r.run = left(p_run, 200)
    returning * into v_run;
    if not found then
        return private.fail('CONFLICT', 'another run has taken this store over');
    end if;
    if p_give_up then
        perform private.give_up_reconcile(v_run, v_run.error);
    end if;
    return private.ok(jsonb_build_object('run_id', v_run.id, 'after', v_run.page_after));
end;
$$;
revoke execute on function public.stop_reconcile(text, bigint, text, boolean, boolean) from public, anon, authenticated;
grant execute on function public.stop_reconcile(text, bigint, text, boolean, boolean) to service_role;
comment on function public.stop_reconcile(text, bigint, text, boolean, boolean) is
    'Gives a store back before its end: the next run goes on where this one stopped, or with p_restart begins its location anew, as Shopify does not know the page any more; with p_give_up there is none before the next night, and people are told. p_error says why, and must not hold personal data. Returns {run_id, after}. Callable by service_role. Codes: CONFLICT (taken by another run).';
