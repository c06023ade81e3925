-- Which inventory item of Shopify a SKU is. SKUs are not unique there: it is looked up once, and refused on several hits.
--
-- The lookup is part of the push: a push of a SKU that is not mapped yet maps it instead, and has it pushed.

create function private.settle_mapped(p_store text, p_items bigint[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_policy text := (select s.reconcile_policy from public.stock_settings s where s.store = p_store);
    v_checks bigint[];
    v_skus text[];
begin
    select
        array_agg(i.id order by i.sku) filter (where i.adopt or v_policy = 'shopify_wins'),
        array_agg(i.sku order by i.sku) filter (where i.tracked and not i.adopt and v_policy = 'local_wins')
    into v_checks, v_skus
    from public.inventory_items i
    where i.store = p_store and i.id = any(p_items) and (i.tracked or i.adopt);

    if v_skus is not null then
        perform private.enqueue_pushes(
            p_store, 'mapped/' || gen_random_uuid(), v_skus, array_fill(0, array[cardinality(v_skus)])
        );
    end if;
    if v_checks is not null then
        perform private.open_stock_checks(p_store, 'mapped', null, v_checks, null, interval '0');
    end if;
end;
$$;
revoke execute on function private.settle_mapped(text, bigint[]) from public, anon, authenticated;
comment on function private.settle_mapped(text, bigint[]) is
    'Has the levels of newly mapped items pushed, or looked at when Shopify is right about them. Called by other functions only; no error codes.';

create function private.ask_mapping(p_store text, p_skus text[])
returns void
language sql
volatile
set search_path = ''
as $$
    select private.enqueue_pushes(p_store, 'map/' || gen_random_uuid(), p_skus, array_fill(0, array[cardinality(p_skus)]))
    where cardinality(p_skus) > 0;
$$;
revoke execute on function private.ask_mapping(text, text[]) from public, anon, authenticated;
comment on function private.ask_mapping(text, text[]) is
    'Has these SKUs looked up in Shopify. Called by other functions only; no error codes.';

create function private.lock_mapping(p_store text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('ordak/mapping/' || p_store, 0));
end;
$$;
revoke execute on function private.lock_mapping(text) from public, anon;
comment on function private.lock_mapping(text) is
    'Only one at a time says which SKU of a store is which item of Shopify. Taken before any stock. Called by other functions only; no error codes.';

create function public.begin_mapping(p_store text default null, p_skus text[] default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: one answer for the service role, whatever row security would show it.
declare
    v_settings public.stock_settings;
begin
    if p_skus is null or cardinality(p_skus) > 1000 then
        return private.fail('BAD_INPUT', 'p_skus must hold at most 1000 SKUs');
    end if;
    select * into v_settings from public.stock_settings s where s.store = p_store;
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    end if;
    return private.ok(jsonb_build_object(
        -- Whoever has to choose is not asked at every push.
        'ask_locations', v_settings.location_gid is null
            and coalesce(v_settings.locations_at < now() - interval '10 minutes', true),
        'skus', (
            select coalesce(jsonb_agg(i.sku order by i.sku), '[]'::jsonb)
            from public.inventory_items i
            where i.store = p_store and i.sku = any(p_skus)
                and i.shopify_inventory_item_gid is null and i.mapping_problem is null
        )
    ));
end;
$$;
revoke execute on function public.begin_mapping(text, text[]) from public, anon, authenticated;
grant execute on function public.begin_mapping(text, text[]) to service_role;
comment on function public.begin_mapping(text, text[]) is
    'What is to be asked of Shopify before these SKUs can be pushed: {ask_locations, skus: those to be looked up}. Callable by service_role. Codes: BAD_INPUT, NOT_FOUND.';

create function public.save_mapping(p_store text default null, p_found jsonb default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock directly, the service role included.
declare
    v_mapped bigint[];
    v_refused text[];
begin
    if p_found is null or jsonb_typeof(p_found) <> 'array' or jsonb_array_length(p_found) > 1000 then
        return private.fail('BAD_INPUT', 'p_found must be an array of at most 1000 SKUs');
    end if;

    -- Two at once would both find an item of Shopify free.
    perform private.lock_mapping(p_store);
    perform 1
    from public.inventory_items i
    where i.store = p_store and i.sku in (select f ->> 'sku' from jsonb_array_elements(p_found) f)
    order by i.sku
    for no key update;

    with found as materialized (
        select f ->> 'sku' as sku, array_agg(distinct h.gid order by h.gid) filter (where h.gid is not null) as hits
        from jsonb_array_elements(p_found) f
        left join lateral jsonb_array_elements_text(
            case when jsonb_typeof(f -> 'gids') = 'array' then f -> 'gids' else '[]'::jsonb end
        ) as h (gid) on h.gid ~ '^gid://shopify/InventoryItem/[0-9]{1,20}$'
        group by f ->> 'sku'
    ),
    judged as (
        select i.id, f.hits,
            case
                when f.hits is null then 'not_found'
                when cardinality(f.hits) > 1 then 'ambiguous'
                when exists (
                    select 1 from public.inventory_items o
                    where o.store = p_store and o.shopify_inventory_item_gid = f.hits[1]
                ) or count(*) over (partition by f.hits) > 1 then 'taken'
            end as problem
        from public.inventory_items i
        join found f on f.sku = i.sku
        -- A person may have decided meanwhile.
        where i.store = p_store and i.shopify_inventory_item_gid is null and i.mapping_problem is null
    ),
    written as (
        update public.inventory_items i set
            shopify_inventory_item_gid = case when j.problem is null then j.hits[1] end,
            mapping_problem = j.problem,
            mapping_candidates = case when j.problem is not null then j.hits[1:20] end,
            pushed_quantity = null
        from judged j
        where i.id = j.id
        returning i.id, i.sku, i.mapping_problem
    )
    select
        array_agg(w.id) filter (where w.mapping_problem is null),
        array_agg(w.sku order by w.sku) filter (where w.mapping_problem is not null)
    into v_mapped, v_refused
    from written w;

    if v_refused is not null then
        perform private.enqueue_alert(p_store, 'stock_mapping', jsonb_build_object('skus', to_jsonb(v_refused)));
    end if;
    perform private.settle_mapped(p_store, v_mapped);
    return private.ok(jsonb_build_object(
        'mapped', coalesce(cardinality(v_mapped), 0), 'refused', coalesce(cardinality(v_refused), 0)
    ));
end;
$$;
revoke execute on function public.save_mapping(text, jsonb) from public, anon, authenticated;
grant execute on function public.save_mapping(text, jsonb) to service_role;
comment on function public.save_mapping(text, jsonb) is
    'Takes what Shopify has under each SKU exactly, [{sku, gids}]: a single inventory item that no other SKU has is mapped, for good, and its level pushed; anything else is recorded as mapping_problem and told to people. What is decided already stays. Returns {mapped, refused}. Callable by service_role. Codes: BAD_INPUT.';

create function public.map_inventory_item(p_store text, p_sku text, p_inventory_item_gid text default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock directly; role and store of the caller are checked here.
declare
    v_item public.inventory_items;
begin
    if not coalesce(p_store = any(private.acting_stores()), false) then
        return private.fail('NOT_FOUND', 'no such store');
    elsif not p_store = any(private.acting_stores(null, 'Supervisor')) then
        return private.fail('PERMISSION_DENIED', 'only a supervisor may map stock');
    elsif p_inventory_item_gid !~ '^gid://shopify/InventoryItem/[0-9]{1,20}$' then
        return private.fail('BAD_INPUT', 'p_inventory_item_gid must be one such as gid://shopify/InventoryItem/1');
    end if;
    perform private.lock_mapping(p_store);
    select * into v_item from public.inventory_items i where i.store = p_store and i.sku = p_sku for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such SKU in this store');
    elsif v_item.shopify_inventory_item_gid = p_inventory_item_gid then
        return private.ok(jsonb_build_object('sku', p_sku, 'inventory_item_gid', p_inventory_item_gid), true);
    elsif exists (
        select 1 from public.inventory_items o
        where o.store = p_store and o.shopify_inventory_item_gid = p_inventory_item_gid
    ) then
        return private.fail('CONFLICT', 'another SKU of this store is that inventory item');
    end if;

    update public.inventory_items i set
        shopify_inventory_item_gid = p_inventory_item_gid,
        mapping_problem = null,
        mapping_candidates = null,
        pushed_quantity = null
    where i.id = v_item.id;
    if p_inventory_item_gid is null then
        perform private.ask_mapping(p_store, array[p_sku]);
    else
        perform private.settle_mapped(p_store, array[v_item.id]);
    end if;
    return private.ok(jsonb_build_object('sku', p_sku, 'inventory_item_gid', p_inventory_item_gid));
end;
$$;
revoke execute on function public.map_inventory_item(text, text, text) from public, anon;
grant execute on function public.map_inventory_item(text, text, text) to authenticated, service_role;
comment on function public.map_inventory_item(text, text, text) is
    'Says which inventory item of Shopify a SKU is, where the lookup found none or several; without p_inventory_item_gid it is looked up once more. Returns {sku, inventory_item_gid}. Callable by a Supervisor of the store, an Admin, service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND, CONFLICT (another SKU has it).';

create function public.upsert_inventory_item(
    p_store text,
    p_sku text,
    p_ats integer default null,
    p_tracked boolean default null,
    p_location_gid text default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock directly; role and store of the caller are checked here.
declare
    v_sku text := btrim(p_sku);
    v_item public.inventory_items;
    v_known public.inventory_items;
begin
    if not coalesce(p_store = any(private.acting_stores()), false) then
        return private.fail('NOT_FOUND', 'no such store');
    elsif not p_store = any(private.acting_stores(null, 'Supervisor')) then
        return private.fail('PERMISSION_DENIED', 'only a supervisor may keep stock');
    elsif coalesce(v_sku, '') = '' or length(v_sku) > 255 then
        return private.fail('BAD_INPUT', 'p_sku must have 1 to 255 characters');
    elsif p_ats < 0 then
        return private.fail('BAD_INPUT', 'p_ats must not be negative');
    elsif p_location_gid !~ '^gid://shopify/Location/[0-9]{1,20}$' then
        return private.fail('BAD_INPUT', 'p_location_gid must be one such as gid://shopify/Location/1');
    end if;

    insert into public.inventory_items (store, sku, opening_ats, ats, tracked, adopt, shopify_location_gid)
    values (
        p_store, v_sku, coalesce(p_ats, 0), coalesce(p_ats, 0),
        p_ats is not null and coalesce(p_tracked, true), p_ats is null and coalesce(p_tracked, true), p_location_gid
    )
    on conflict (store, sku) do nothing
    returning * into v_item;
    if v_item.id is not null then
        perform private.ask_mapping(p_store, array[v_sku]);
        return private.ok(private.stock_of(v_item));
    end if;

    select * into v_known from public.inventory_items i where i.store = p_store and i.sku = v_sku for no key update;
    if p_ats is not null and p_ats <> v_known.opening_ats then
        return private.fail('CONFLICT', 'the SKU exists: adjust_stock changes its stock');
    end if;
    v_item := v_known;
    v_item.tracked := case when p_tracked and v_known.adopt then v_known.tracked else coalesce(p_tracked, v_known.tracked) end;
    v_item.adopt := v_known.adopt and coalesce(p_tracked, true);
    v_item.shopify_location_gid := coalesce(p_location_gid, v_known.shopify_location_gid);
    if v_item is not distinct from v_known then
        return private.ok(private.stock_of(v_known), true);
    end if;
    update public.inventory_items i set
        tracked = v_item.tracked,
        adopt = v_item.adopt,
        shopify_location_gid = v_item.shopify_location_gid,
        pushed_quantity = case when v_item.shopify_location_gid is not distinct from i.shopify_location_gid
            then i.pushed_quantity end
    where i.id = v_known.id
    returning * into v_item;
    if v_item.shopify_inventory_item_gid is not null then
        perform private.settle_mapped(p_store, array[v_item.id]);
    elsif v_item.mapping_problem is null then
        perform private.ask_mapping(p_store, array[v_sku]);
    end if;
    return private.ok(private.stock_of(v_item));
end;
$$;
revoke execute on function public.upsert_inventory_item(text, text, integer, boolean, text) from public, anon;
grant execute on function public.upsert_inventory_item(text, text, integer, boolean, text) to authenticated, service_role;
comment on function public.upsert_inventory_item(text, text, integer, boolean, text) is
    'Takes a SKU into stock keeping, with p_ats to sell or, without it, as much as Shopify says; it is looked up in Shopify at once. For one that exists p_tracked and p_location_gid are changed where given. Returns the item as get_stock shows it. Callable by a Supervisor of the store, an Admin, service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND, CONFLICT (it exists with another opening stock).';
