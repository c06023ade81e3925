-- Stock as people and other systems see and correct it.

create function public.adjust_stock(p_store text, p_sku text, p_delta integer, p_reason text, p_key text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock directly; role and store of the caller are checked here.
declare
    v_service boolean := private.is_service();
    v_item public.inventory_items;
    v_known public.inventory_txn;
    v_key text;
    v_allocated integer := 0;
begin
    if not v_service and not coalesce(p_store = any(private.stores_for(private.caller(), 'Staff')), false) then
        return private.fail('NOT_FOUND', 'no such store');
    end if;
    if not v_service and not p_store = any(private.stores_for(private.caller(), 'Supervisor')) then
        return private.fail('PERMISSION_DENIED', 'only a supervisor may adjust stock');
    end if;
    if coalesce(p_delta, 0) = 0 then
        return private.fail('BAD_INPUT', 'p_delta must not be zero');
    end if;
    if coalesce(btrim(p_key), '') = '' or length(p_key) > 200 then
        return private.fail('BAD_INPUT', 'p_key must name this adjustment, in at most 200 characters');
    end if;
    if coalesce(btrim(p_reason), '') = '' or p_reason in ('hold', 'release') then
        return private.fail('BAD_INPUT', 'p_reason must say why: adjust, restock, reconcile, or a note');
    end if;

    select * into v_item
    from public.inventory_items i
    where i.store = p_store and i.sku = p_sku
    for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such SKU in this store');
    end if;

    v_key := concat_ws('/', 'adjust', p_store, p_key);
    select * into v_known from public.inventory_txn t where t.idempotency_key = v_key;
    if found then
        if v_known.item_id <> v_item.id or v_known.delta <> p_delta then
            return private.fail('CONFLICT', 'this key was used for another adjustment');
        end if;
        return private.ok(jsonb_build_object('sku', p_sku, 'ats', v_item.ats, 'allocated_lines', 0), true);
    end if;

    if v_item.ats::bigint + p_delta < 0 then
        return private.fail('INSUFFICIENT_STOCK', format('%s available', v_item.ats));
    end if;
    if v_item.ats::bigint + p_delta > 2147483647 then
        return private.fail('BAD_INPUT', 'p_delta is too large');
    end if;

    insert into public.inventory_txn (item_id, store, delta, reason, note, performed_by, idempotency_key)
    values (
        v_item.id, p_store, p_delta,
        case when p_reason in ('restock', 'reconcile') then p_reason else 'adjust' end,
        left(p_reason, 500), case when not v_service then private.caller() end, v_key
    )
    on conflict (idempotency_key) do nothing;
    if not found then
        return private.fail('CONFLICT', 'this key was used for another adjustment');
    end if;

    update public.inventory_items i set ats = i.ats + p_delta where i.id = v_item.id;
    perform private.enqueue_pushes(p_store, v_key, array[p_sku], array[p_delta]);
    if p_delta > 0 then
        v_allocated := private.allocate_waiting(p_store, array[p_sku], v_key);
    end if;

    return private.ok(jsonb_build_object(
        'sku', p_sku,
        'ats', (select i.ats from public.inventory_items i where i.id = v_item.id),
        'allocated_lines', v_allocated
    ));
end;
$$;
revoke execute on function public.adjust_stock(text, text, integer, text, text) from public, anon;
grant execute on function public.adjust_stock(text, text, integer, text, text) to authenticated, service_role;
comment on function public.adjust_stock(text, text, integer, text, text) is
    'Changes the stock of a SKU by p_delta, once for each p_key, and gives what is added to waiting short lines, oldest due date first. p_reason: adjust, restock, reconcile, or a note, which is kept. Returns {sku, ats, allocated_lines}. Callable by a Supervisor of the store, an Admin, service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND, CONFLICT, INSUFFICIENT_STOCK.';

create function public.check_stock(p_store text, p_skus text[])
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: one answer for users and service role; the store of the caller is checked here.
begin
    if not private.is_service() and not coalesce(p_store = any(private.stores_for(private.caller(), 'Staff')), false) then
        return private.fail('NOT_FOUND', 'no such store');
    end if;
    if p_skus is null or cardinality(p_skus) > 1000 then
        return private.fail('BAD_INPUT', 'p_skus must hold at most 1000 SKUs');
    end if;

    return private.ok((
        select coalesce(jsonb_object_agg(q.sku, i.ats), '{}'::jsonb)
        from unnest(p_skus) as q (sku)
        left join public.inventory_items i on i.store = p_store and i.sku = q.sku
        where q.sku is not null
    ));
end;
$$;
revoke execute on function public.check_stock(text, text[]) from public, anon;
grant execute on function public.check_stock(text, text[]) to authenticated, service_role;
comment on function public.check_stock(text, text[]) is
    'Available to sell, {sku: ats}; null for a SKU that the store does not know. Callable by authenticated for own stores, service_role. Codes: BAD_INPUT, NOT_FOUND.';

create function private.stock_of(p_item public.inventory_items)
returns jsonb
language sql
stable
set search_path = ''
as $$
    select jsonb_build_object(
        'sku', p_item.sku,
        'ats', p_item.ats,
        'tracked', p_item.tracked,
        'short', (
            select coalesce(sum(l.short_quantity), 0)
            from public.order_line_items l
            where l.store = p_item.store and l.sku = p_item.sku and l.short_quantity > 0
        ),
        'mapping', case when p_item.shopify_inventory_item_gid is not null then 'mapped'
            else coalesce(p_item.mapping_problem, 'waiting') end,
        'inventory_item_gid', p_item.shopify_inventory_item_gid,
        'candidates', coalesce(to_jsonb(p_item.mapping_candidates), '[]'::jsonb),
        'location_gid', p_item.shopify_location_gid,
        'updated_at', p_item.updated_at
    );
$$;
revoke execute on function private.stock_of(public.inventory_items) from public, anon, authenticated;
comment on function private.stock_of(public.inventory_items) is
    'A SKU as screens show it. Called by other functions only; no error codes.';

create function public.get_stock(p_store text, p_skus text[] default null, p_after text default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: one answer for users and service role; the store of the caller is checked here.
begin
    if not private.is_service() and not coalesce(p_store = any(private.stores_for(private.caller(), 'Staff')), false) then
        return private.fail('NOT_FOUND', 'no such store');
    end if;
    if cardinality(p_skus) > 1000 then
        return private.fail('BAD_INPUT', 'p_skus must hold at most 1000 SKUs');
    end if;

    return private.ok(jsonb_build_object('items', (
        select coalesce(jsonb_agg(private.stock_of(i.item) order by (i.item).sku), '[]'::jsonb)
        from (
            select n as item
            from public.inventory_items n
            where n.store = p_store and (p_skus is null or n.sku = any(p_skus)) and (p_after is null or n.sku > p_after)
            order by n.sku
            limit 1000
        ) i
    )));
end;
$$;
revoke execute on function public.get_stock(text, text[], text) from public, anon;
grant execute on function public.get_stock(text, text[], text) to authenticated, service_role;
comment on function public.get_stock(text, text[], text) is
    'Stock for screens, {items: [{sku, ats, tracked, short, mapping, inventory_item_gid, candidates, location_gid, updated_at}]} by SKU: the named SKUs, or those of the store, at most 1000, from behind p_after. short is what waits for stock; mapping is mapped, waiting, or why it is not: not_found, ambiguous (candidates), taken. location_gid is null where the store''s holds. Callable by authenticated for own stores, service_role. Codes: BAD_INPUT, NOT_FOUND.';
