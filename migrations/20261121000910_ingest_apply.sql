-- Writing the derived state to the live rows: the order, its lines, its holds.

create type private.order_change as (
    existed boolean,
    was_placeholder boolean,
    was_cancelled boolean,
    winner_id bigint,
    placeholder boolean,
    cancelled boolean,
    outcome text,
    allocation_status text,
    moved integer,
    changed_lines integer,
    skipped jsonb,
    short jsonb
);
comment on type private.order_change is 'What applying the events of an order found and did.';

create function private.apply_order(
    p_store public.stores,
    p_order_id text,
    p_gid text,
    p_cause text,
    p_event_id bigint default null,
    p_topic text default null,
    p_snapshot boolean default null,
    p_late boolean default false
)
returns private.order_change
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_state private.order_state;
    v_lines private.order_line[];
    v_holds private.line_hold[];
    v_late boolean;
    v_before record;
    v_change private.order_change;
    v_told text;
    v_items bigint[];
    v_deltas integer[];
    v_push_skus text[];
    v_push_deltas integer[];
    v_released text[];
begin
    -- Statements of their own, after the order's lock: they see the events of whoever held it before.
    v_state := private.derive_order(p_store.key, p_gid);
    v_lines := private.read_lines(v_state.lines, v_state.refunded);

    select o.placeholder, o.cancelled_at is not null as cancelled, o.allocation_status into v_before
    from public.orders o
    where o.store = p_store.key and o.id = p_order_id;
    v_change.existed := found;
    v_change.was_placeholder := found and v_before.placeholder;
    v_change.was_cancelled := found and v_before.cancelled;
    v_change.winner_id := v_state.winner_id;
    v_change.placeholder := v_state.placeholder;
    v_change.cancelled := v_state.cancelled_at is not null;

    -- A placeholder holds stock too: Shopify has sold it, and a push must not offer it again.
    if p_late and not v_change.existed then
        v_holds := private.plan_new_holds(p_store.key, v_lines, p_store.inventory_enabled, not v_change.cancelled);
    end if;
    v_late := v_holds is not null;
    if not v_late then
        v_holds := array(
            select h
            from private.plan_holds(p_store.key, p_order_id, v_lines, p_store.inventory_enabled, not v_change.cancelled) h
        );
    end if;

    select
        case when sum(h.short_after) > 0 then 'short' when sum(h.wanted) > 0 then 'allocated' else 'none' end,
        count(*) filter (where h.held_after <> h.held_before or h.short_after <> h.short_before),
        jsonb_strip_nulls(jsonb_build_object(
            'no_sku', nullif(count(*) filter (where h.skipped = 'no_sku'), 0),
            'gift_card', nullif(count(*) filter (where h.skipped = 'gift_card'), 0),
            'untracked', jsonb_agg(h.sku) filter (where h.skipped = 'untracked')
        )),
        jsonb_agg(h.sku) filter (where h.short_after > 0)
    into v_change.allocation_status, v_change.moved, v_change.skipped, v_change.short
    from unnest(v_holds) h;

    perform private.write_order(p_store.key, p_order_id, p_gid, v_state, v_change.allocation_status, v_change.existed);
    v_change.changed_lines := private.write_lines(p_store.key, p_order_id, v_lines, v_holds, v_change.existed);

    if v_change.moved > 0 then
        select
            array_agg(m.item_id order by m.sku) filter (where m.booked),
            array_agg(m.delta order by m.sku) filter (where m.booked),
            -- A net of nothing needs no push, unless a line came out short: then Shopify has sold what is not there.
            array_agg(m.sku order by m.sku) filter (where m.delta <> 0 or m.fell_short),
            array_agg(m.delta order by m.sku) filter (where m.delta <> 0 or m.fell_short),
            array_agg(m.sku order by m.sku) filter (where m.delta > 0)
        into v_items, v_deltas, v_push_skus, v_push_deltas, v_released
        from (
            select
                h.item_id, h.sku, sum(h.held_before - h.held_after)::integer as delta,
                bool_or(h.held_after <> h.held_before) as booked, bool_or(h.short_after > h.short_before) as fell_short
            from unnest(v_holds) h
            where h.held_after <> h.held_before or h.short_after > h.short_before
            group by h.item_id, h.sku
        ) m;
        if v_push_skus is not null then
            perform private.enqueue_pushes(p_store.key, concat_ws('/', p_gid, p_cause), v_push_skus, v_push_deltas);
        end if;
    end if;

    -- Whoever books or fulfils listens to order_allocated: it says so of complete, real orders only.
    v_told := case
        when v_change.allocation_status = 'short' and v_before.allocation_status is distinct from 'short'
            then 'order_short'
        when v_change.allocation_status = 'allocated' and not v_change.placeholder
            and (v_before.allocation_status is distinct from 'allocated' or v_change.was_placeholder)
            then 'order_allocated'
    end;
    v_change.outcome := case
        when p_topic = 'orders/create' and not v_change.existed then 'created'
        when p_topic = 'orders/create' and v_change.was_placeholder then 'hydrated'
        when v_change.cancelled and not v_change.was_cancelled then 'cancelled'
        when v_change.winner_id = p_event_id then 'updated'
        when not p_snapshot and v_change.changed_lines > 0 then 'updated'
        else 'stale'
    end;
    -- ms ends here: what a new order waits for its stock, behind this, is not in it.
    insert into public.stage_events (store, order_id, action, source, meta)
    select p_store.key, p_order_id, t.action, 'edge', jsonb_strip_nulls(t.meta)
    from (
        values
            (v_told, jsonb_build_object('cause', p_cause, 'short', v_change.short)),
            (
                case when p_event_id is not null then 'order_ingested' end,
                jsonb_build_object(
                    'event_id', p_event_id,
                    'topic', p_topic,
                    'outcome', v_change.outcome,
                    'skipped', nullif(v_change.skipped, '{}'::jsonb),
                    'ms', round(extract(epoch from clock_timestamp() - now()) * 1000, 1)
                )
            )
    ) as t (action, meta)
    where t.action is not null;

    -- Last, since others wait for it; and before alerts, whose keys are shared.
    if v_items is not null then
        perform private.book_holds(p_store.key, p_order_id, p_gid, p_cause, v_holds, v_items, v_deltas, v_late);
        if v_released is not null then
            perform private.allocate_waiting(p_store.key, v_released, p_cause);
        end if;
    end if;

    if v_told = 'order_short' then
        perform private.enqueue_alert(
            p_store.key, 'stock_short', jsonb_build_object('order_id', p_order_id, 'skus', v_change.short)
        );
    end if;
    -- A placeholder may still get what it lacks; nobody looks at it before.
    if not v_change.placeholder and (not v_change.existed or v_change.was_placeholder)
        and cardinality(v_state.missing_fields) > 0
    then
        perform private.enqueue_alert(
            p_store.key, 'missing_fields', jsonb_build_object('order_id', p_order_id, 'fields', v_state.missing_fields)
        );
    end if;

    return v_change;
end;
$$;
revoke execute on function private.apply_order(public.stores, text, text, text, bigint, text, boolean, boolean)
    from public, anon;
comment on function private.apply_order(public.stores, text, text, text, bigint, text, boolean, boolean) is
    'Makes the live rows of an order equal to what its events say, and moves its holds by the difference. Applying it again changes nothing. The caller holds the order''s lock; p_cause names the movement in the ledger; p_event_id, with its topic and whether it is a snapshot, is the event that is ingested, null when none is. p_late lets a new order take its stock last, without having locked it: then OH409 is raised when it is gone, and everything is to be done again without p_late. Called by other functions only.';

create function private.write_order(
    p_store text,
    p_order_id text,
    p_gid text,
    p_state private.order_state,
    p_allocation_status text,
    p_existed boolean
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- Two statements, as the caller knows: to make ready for a conflict costs as much as the insert.
    if not p_existed then
        insert into public.orders (
            store, id, shopify_order_gid, shopify_order_id, shopify_order_number, customer_name, product_title, flavour,
            size, notes, due_date, delivery_method, missing_fields, currency, total_amount, payment_status,
            business_updated_at, placeholder, cancelled_at, cancel_reason, last_event_id, allocation_status,
            inventory_blocked
        )
        values (
            p_store, p_order_id, p_gid, (p_state).shopify_order_id, (p_state).shopify_order_number,
            (p_state).customer_name, (p_state).product_title, (p_state).flavour, (p_state).size, (p_state).notes,
            (p_state).due_date, (p_state).delivery_method, (p_state).missing_fields, (p_state).currency,
            (p_state).total_amount, (p_state).payment_status, (p_state).business_updated_at, (p_state).placeholder,
            (p_state).cancelled_at, (p_state).cancel_reason, (p_state).winner_id, p_allocation_status,
            p_allocation_status = 'short'
        );
        return;
    end if;

    update public.orders o set
        shopify_order_id = (p_state).shopify_order_id,
        shopify_order_number = (p_state).shopify_order_number,
        customer_name = (p_state).customer_name,
        product_title = (p_state).product_title,
        flavour = (p_state).flavour,
        size = (p_state).size,
        notes = (p_state).notes,
        due_date = (p_state).due_date,
        delivery_method = (p_state).delivery_method,
        missing_fields = (p_state).missing_fields,
        currency = (p_state).currency,
        total_amount = (p_state).total_amount,
        payment_status = (p_state).payment_status,
        business_updated_at = (p_state).business_updated_at,
        placeholder = (p_state).placeholder,
        cancelled_at = (p_state).cancelled_at,
        cancel_reason = (p_state).cancel_reason,
        last_event_id = (p_state).winner_id,
        allocation_status = p_allocation_status,
        inventory_blocked = p_allocation_status = 'short'
    where o.store = p_store and o.id = p_order_id and (
        o.shopify_order_id, o.shopify_order_number, o.customer_name, o.product_title, o.flavour, o.size, o.notes,
        o.due_date, o.delivery_method, o.missing_fields, o.currency, o.total_amount, o.payment_status,
        o.business_updated_at, o.placeholder, o.cancelled_at, o.cancel_reason, o.last_event_id,
        o.allocation_status, o.inventory_blocked
    ) is distinct from (
        (p_state).shopify_order_id, (p_state).shopify_order_number, (p_state).customer_name, (p_state).product_title,
        (p_state).flavour, (p_state).size, (p_state).notes, (p_state).due_date, (p_state).delivery_method,
        (p_state).missing_fields, (p_state).currency, (p_state).total_amount, (p_state).payment_status,
        (p_state).business_updated_at, (p_state).placeholder, (p_state).cancelled_at, (p_state).cancel_reason,
        (p_state).winner_id, p_allocation_status, p_allocation_status = 'short'
    );
end;
$$;
revoke execute on function private.write_order(text, text, text, private.order_state, text, boolean) from public, anon;
comment on function private.write_order(text, text, text, private.order_state, text, boolean) is
    'Inserts the row of an order or, when it existed, updates it, only where something differs; kitchen columns are left alone. The caller holds the order''s lock. Called by other functions only; no error codes.';

create function private.write_lines(
    p_store text,
    p_order_id text,
    p_lines private.order_line[],
    p_holds private.line_hold[],
    p_existed boolean
)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_deleted integer;
    v_written integer;
begin
    if not p_existed then
        insert into public.order_line_items (
            store, order_id, line_id, "position", sku, title, variant_title, quantity, consumed, price, gift_card,
            properties, held_quantity, short_quantity
        )
        select
            p_store, p_order_id, n.line_id, n."position", n.sku, n.title, n.variant_title, n.quantity, n.consumed,
            n.price, n.gift_card, n.properties, h.held_after, h.short_after
        from unnest(p_lines) n
        join unnest(p_holds) h on h.line_id = n.line_id and not h.gone;
        get diagnostics v_written = row_count;
        return v_written;
    end if;

    -- A line that the winner does not have is deleted, not emptied: whether it was ever seen depends on arrival.
    delete from public.order_line_items l
    where l.store = p_store and l.order_id = p_order_id
        and not exists (select 1 from unnest(p_lines) n where n.line_id = l.line_id);
    get diagnostics v_deleted = row_count;

    insert into public.order_line_items as l (
        store, order_id, line_id, "position", sku, title, variant_title, quantity, consumed, price, gift_card,
        properties, held_quantity, short_quantity
    )
    select
        p_store, p_order_id, n.line_id, n."position", n.sku, n.title, n.variant_title, n.quantity, n.consumed,
        n.price, n.gift_card, n.properties, h.held_after, h.short_after
    from unnest(p_lines) n
    join unnest(p_holds) h on h.line_id = n.line_id and not h.gone
    on conflict (store, order_id, line_id) do update set
        "position" = excluded."position",
        sku = excluded.sku,
        title = excluded.title,
        variant_title = excluded.variant_title,
        quantity = excluded.quantity,
        consumed = excluded.consumed,
        price = excluded.price,
        gift_card = excluded.gift_card,
        properties = excluded.properties,
        held_quantity = excluded.held_quantity,
        short_quantity = excluded.short_quantity
    where (
        l."position", l.sku, l.title, l.variant_title, l.quantity, l.consumed, l.price, l.gift_card, l.properties,
        l.held_quantity, l.short_quantity
    ) is distinct from (
        excluded."position", excluded.sku, excluded.title, excluded.variant_title, excluded.quantity,
        excluded.consumed, excluded.price, excluded.gift_card, excluded.properties, excluded.held_quantity,
        excluded.short_quantity
    );
    get diagnostics v_written = row_count;

    return v_deleted + v_written;
end;
$$;
revoke execute on function private.write_lines(text, text, private.order_line[], private.line_hold[], boolean)
    from public, anon;
comment on function private.write_lines(text, text, private.order_line[], private.line_hold[], boolean) is
    'Makes the lines of an order equal to the planned ones, set-based and only where something differs. Returns how many differed. Called by other functions only; no error codes.';
