-- Applying again: events that failed, or everything that an order is made of, to prove that nothing differs.

create function public.replay_event(p_event_id bigint)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write these tables directly, the service role included.
declare
    v_key text;
    v_gid text;
    v_store public.stores;
    v_event public.event_store;
    v_answer jsonb;
    v_outcome text := 'duplicate';
    v_applied integer := 0;
begin
    select e.store, e.ref_id into v_key, v_gid from public.event_store e where e.id = p_event_id;
    if not found then
        return private.fail('NOT_FOUND', 'no such event');
    end if;
    select * into v_store from public.stores s where s.key = v_key;

    -- Every event of the order that waits, as one retry is queued for all of them.
    perform private.lock_order(v_gid);
    for v_event in
        select *
        from public.event_store e
        where e.processed_at is null and (e.id = p_event_id or (e.store = v_key and e.ref_id = v_gid))
        order by e.id
        for update
    loop
        v_answer := private.try_event(v_event, v_store, false);
        if not (v_answer ->> 'ok')::boolean then
            return v_answer;
        end if;
        v_applied := v_applied + 1;
        if v_event.id = p_event_id then
            v_outcome := v_answer #>> '{data,outcome}';
        end if;
    end loop;

    return private.ok(
        jsonb_build_object(
            'event_id', p_event_id,
            'store', v_key,
            'order_id', private.find_order(v_key, v_gid),
            'outcome', v_outcome,
            'applied', v_applied
        ),
        v_applied = 0
    );
end;
$$;
revoke execute on function public.replay_event(bigint) from public, anon, authenticated;
grant execute on function public.replay_event(bigint) to service_role;
comment on function public.replay_event(bigint) is
    'Applies an event that could not be applied before, and with it every other waiting event of its order; order_ingest_retry calls it. Returns {event_id, store, order_id, outcome, applied}; outcome is duplicate and already_done true when nothing waited. Callable by service_role. Codes: NOT_FOUND, INTERNAL (still failing, data.event_id says which).';

create function public.replay_order(p_store text, p_order_id text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: reads events and orders of any store for the service role, and takes the order's lock.
declare
    v_bound public.order_index;
    v_gid text;
    v_state private.order_state;
    v_differences jsonb;
begin
    -- The lock keeps deliveries away, so that events and rows are of the same moment. Nothing is written, except that
    -- archived events come back from where nobody looks for them.
    select * into v_bound
    from public.order_index x
    where x.store = p_store and x.order_id = p_order_id
    for update;
    if not found then
        return private.fail('NOT_FOUND', 'no such order');
    end if;
    v_gid := v_bound.shopify_order_gid;
    if v_bound.archived_at is not null then
        perform private.thaw_order(v_gid);
    end if;

    v_state := private.derive_order(p_store, v_gid);

    with live as (
        select
            jsonb_build_object(
                'shopify_order_gid', o.shopify_order_gid, 'business_updated_at', o.business_updated_at,
                'shopify_order_id', o.shopify_order_id, 'shopify_order_number', o.shopify_order_number,
                'customer_name', o.customer_name, 'product_title', o.product_title, 'flavour', o.flavour,
                'size', o.size, 'notes', o.notes, 'due_date', o.due_date, 'delivery_method', o.delivery_method,
                'missing_fields', o.missing_fields, 'currency', o.currency, 'total_amount', o.total_amount,
                'payment_status', o.payment_status, 'placeholder', o.placeholder, 'cancelled_at', o.cancelled_at,
                'cancel_reason', o.cancel_reason, 'last_event_id', o.last_event_id,
                'inventory_blocked', o.inventory_blocked
            ) as columns
        from public.orders o
        where o.store = p_store and o.id = p_order_id
    ),
    derived as (
        select (to_jsonb(v_state) - '{snapshots,winner_id,lines,refunded}'::text[]) || jsonb_build_object(
            'shopify_order_gid', v_gid,
            'last_event_id', v_state.winner_id,
            -- What is held follows stock as well as events; that it is told truly does not.
            'inventory_blocked', exists (
                select 1
                from public.order_line_items l
                where l.store = p_store and l.order_id = p_order_id and l.short_quantity > 0
            )
        ) as columns
    ),
    column_differences as (
        select d.key as name, l.columns -> d.key as live, d.value as derived
        from derived
        cross join lateral jsonb_each(derived.columns) d
        left join live l on true
        where l.columns -> d.key is distinct from d.value
    ),
    live_lines as (
        select
            l.line_id,
            to_jsonb(l) - '{store,order_id,held_quantity,short_quantity,created_at}'::text[] as line
        from public.order_line_items l
        where l.store = p_store and l.order_id = p_order_id
    ),
    line_differences as (
        select 'line ' || coalesce(d.line_id, l.line_id) as name, l.line as live, to_jsonb(d) as derived
        from unnest(private.read_lines(v_state.lines, v_state.refunded)) d
        full join live_lines l on l.line_id = d.line_id
        where l.line is distinct from to_jsonb(d)
    ),
    ledger as (
        select t.line_id, i.sku, -sum(t.delta) as held
        from public.inventory_txn t
        join public.inventory_items i on i.id = t.item_id
        where t.store = p_store and t.order_id = p_order_id
        group by t.line_id, i.sku
        having sum(t.delta) <> 0
    ),
    holding as (
        select l.line_id, l.sku, l.held_quantity as held
        from public.order_line_items l
        where l.store = p_store and l.order_id = p_order_id and l.held_quantity > 0
    ),
    hold_differences as (
        select
            'hold ' || coalesce(g.line_id, h.line_id) || ' ' || coalesce(g.sku, h.sku) as name,
            to_jsonb(h.held) as live, to_jsonb(g.held) as derived
        from ledger g
        full join holding h on h.line_id = g.line_id and h.sku = g.sku
        where h.held is distinct from g.held
    )
    select jsonb_object_agg(a.name, jsonb_build_object('live', a.live, 'derived', a.derived))
    into v_differences
    from (
        select * from column_differences
        union all
        select * from line_differences
        union all
        select * from hold_differences
    ) a;

    return private.ok(jsonb_build_object(
        'order_id', p_order_id,
        'snapshots', v_state.snapshots,
        'differences', coalesce(v_differences, '{}'::jsonb)
    ));
end;
$$;
revoke execute on function public.replay_order(text, text) from public, anon, authenticated;
grant execute on function public.replay_order(text, text) to service_role;
comment on function public.replay_order(text, text) is
    'Derives an order again from its events and compares it with the live row, its lines, and its holds with the ledger. Returns {order_id, snapshots, differences: {name: {live, derived}}}: empty, ever. Changes nothing. Callable by service_role. Codes: NOT_FOUND.';
