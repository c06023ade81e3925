-- Stock that becomes free goes to the lines that wait for it, oldest due date first.

create function private.allocate_waiting(p_store text, p_skus text[], p_cause text)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_row record;
    v_sku text;
    v_left integer;
    v_items bigint[] := '{}';
    v_skus text[] := '{}';
    v_orders text[] := '{}';
    v_gids text[] := '{}';
    v_lines text[] := '{}';
    v_quantities integer[] := '{}';
    v_push_skus text[];
    v_push_deltas integer[];
begin
    -- The caller holds the stock rows, and nobody changes a line that is short without them: what is read here
    -- stays true. Cancelled orders have no short lines. A line that does not fit is passed over, a smaller one behind
    -- it may have its stock: new orders would take it anyway.
    for v_row in
        select l.order_id, o.shopify_order_gid as gid, l.line_id, l.sku, l.short_quantity, i.id as item_id, i.ats
        from public.order_line_items l
        join public.orders o on o.store = l.store and o.id = l.order_id
        join public.inventory_items i on i.store = l.store and i.sku = l.sku and i.tracked
        join public.stores s on s.key = l.store and s.inventory_enabled
        where l.store = p_store and l.sku = any(p_skus) and l.short_quantity > 0
        order by l.sku, o.due_date nulls last, o.created_at, o.id, l."position", l.line_id
    loop
        if v_sku is distinct from v_row.sku then
            v_sku := v_row.sku;
            v_left := v_row.ats;
        end if;
        if v_row.short_quantity <= v_left then
            v_left := v_left - v_row.short_quantity;
            v_items := v_items || v_row.item_id;
            v_skus := v_skus || v_row.sku;
            v_orders := v_orders || v_row.order_id;
            v_gids := v_gids || v_row.gid;
            v_lines := v_lines || v_row.line_id;
            v_quantities := v_quantities || v_row.short_quantity;
        end if;
    end loop;

    if cardinality(v_lines) = 0 then
        return 0;
    end if;

    -- By order id, as another SKU's allocation may be after the same orders.
    perform 1
    from public.orders o
    where o.store = p_store and o.id = any(v_orders)
    order by o.id
    for no key update;

    with moves as (
        select *
        from unnest(v_items, v_skus, v_orders, v_gids, v_lines, v_quantities)
            as m (item_id, sku, order_id, gid, line_id, quantity)
    ),
    lines as (
        update public.order_line_items l set held_quantity = l.held_quantity + m.quantity, short_quantity = 0
        from moves m
        where l.store = p_store and l.order_id = m.order_id and l.line_id = m.line_id
    ),
    ledger as (
        insert into public.inventory_txn (item_id, store, order_id, line_id, delta, reason, idempotency_key)
        select
            m.item_id, p_store, m.order_id, m.line_id, -m.quantity, 'hold',
            concat_ws('/', m.gid, m.line_id, m.sku, p_cause)
        from moves m
    ),
    per_item as (
        select m.item_id, m.sku, sum(m.quantity)::integer as quantity
        from moves m
        group by m.item_id, m.sku
    ),
    stock as (
        update public.inventory_items i set ats = i.ats - p.quantity
        from per_item p
        where i.id = p.item_id
    )
    select array_agg(p.sku order by p.sku), array_agg(-p.quantity order by p.sku)
    into v_push_skus, v_push_deltas
    from per_item p;

    with settled as (
        select distinct t.order_id,
            not exists (
                select 1
                from public.order_line_items l
                where l.store = p_store and l.order_id = t.order_id and l.short_quantity > 0
            ) as complete
        from unnest(v_orders) as t (order_id)
    ),
    changed as (
        update public.orders o set
            allocation_status = 'allocated',
            inventory_blocked = false
        from settled s
        where o.store = p_store and o.id = s.order_id and s.complete
        returning o.id, o.placeholder
    )
    insert into public.stage_events (store, order_id, action, source, meta)
    select p_store, c.id, 'order_allocated', 'sql', jsonb_build_object('cause', p_cause)
    from changed c
    where not c.placeholder
    order by c.id;

    perform private.enqueue_pushes(p_store, 'waiting/' || p_cause, v_push_skus, v_push_deltas);
    return cardinality(v_lines);
end;
$$;
revoke execute on function private.allocate_waiting(text, text[], text) from public, anon;
comment on function private.allocate_waiting(text, text[], text) is
    'Holds stock of these SKUs for short lines of any order of the store, oldest due date first, all of a line or nothing. The caller has locked the stock rows. Returns how many lines got their stock. Called by other functions only; no error codes.';
