-- The state of an order as a pure function of the set of its events: arrival order plays no part.

create type private.order_state as (
    snapshots integer,
    winner_id bigint,
    business_updated_at timestamptz,
    shopify_order_id bigint,
    shopify_order_number text,
    customer_name text,
    product_title text,
    flavour text,
    size text,
    notes text,
    due_date date,
    delivery_method text,
    missing_fields text[],
    currency text,
    total_amount numeric(16, 3),
    payment_status text,
    placeholder boolean,
    cancelled_at timestamptz,
    cancel_reason text,
    lines jsonb,
    refunded jsonb
);
comment on type private.order_state is 'What the events of an order say. The kitchen''s columns are not among it: scans make those. refunded is what the lines do not know yet, {line id: [pieces, of which not put back]}.';

create type private.order_snapshot as (
    event_id bigint,
    content_hash text collate "C",
    created boolean,
    updated_at timestamptz,
    topic_rank integer,
    shopify_id bigint,
    order_number text,
    customer_name text,
    product_title text,
    flavour text,
    size text,
    notes text,
    due_date date,
    delivery_method text,
    currency text,
    total_amount numeric(16, 3),
    payment_status text,
    cancelled_at timestamptz,
    called_off_at timestamptz,
    cancel_reason text,
    refunds jsonb,
    lines jsonb
);
comment on type private.order_snapshot is
    'One snapshot, read. created: it came as orders/create; called_off_at: when, if it came as orders/cancelled; lines is null where there is no list.';

create function private.read_snapshot(
    p_event_id bigint,
    p_type text,
    p_content_hash text,
    p_at timestamptz,
    p_normalized jsonb
)
returns private.order_snapshot
language plpgsql
stable
set search_path = ''
as $$
declare
    v_updated_at text := p_normalized ->> 'updated_at';
    v_topic_rank text := p_normalized ->> 'topic_rank';
    v_shopify_id text := p_normalized ->> 'shopify_id';
    v_due_date text := p_normalized ->> 'due_date';
    v_delivery_method text := p_normalized ->> 'delivery_method';
    v_total_amount text := p_normalized ->> 'total_amount';
    v_cancelled_at text := p_normalized ->> 'cancelled_at';
    v_lines jsonb := p_normalized -> 'lines';
begin
    -- Casts are guarded: a value that cannot be read counts as absent, for a snapshot that raised here would
    -- raise for every later event of its order too. Texts that reach an index are cut to what an index can hold.
    return row(
        p_event_id,
        p_content_hash,
        p_type = 'orders/create',
        case when v_updated_at ~ '^\d{4}-' and pg_input_is_valid(v_updated_at, 'timestamptz')
            then v_updated_at::timestamptz end,
        case when pg_input_is_valid(v_topic_rank, 'integer') then v_topic_rank::integer end,
        case when pg_input_is_valid(v_shopify_id, 'bigint') then v_shopify_id::bigint end,
        left(p_normalized ->> 'order_number', 40),
        p_normalized ->> 'customer_name',
        p_normalized ->> 'product_title',
        p_normalized ->> 'flavour',
        left(p_normalized ->> 'size', 200),
        p_normalized ->> 'notes',
        case when v_due_date ~ '^\d{4}-\d\d-\d\d$' and pg_input_is_valid(v_due_date, 'date')
            then v_due_date::date end,
        case when v_delivery_method in ('pickup', 'delivery') then v_delivery_method end,
        p_normalized ->> 'currency',
        case when v_total_amount ~ '^-?\d+(\.\d+)?$' and pg_input_is_valid(v_total_amount, 'numeric(16,3)')
            then v_total_amount::numeric(16, 3) end,
        p_normalized ->> 'payment_status',
        case when v_cancelled_at ~ '^\d{4}-' and pg_input_is_valid(v_cancelled_at, 'timestamptz')
            then v_cancelled_at::timestamptz end,
        case when p_type = 'orders/cancelled' then p_at end,
        p_normalized ->> 'cancel_reason',
        p_normalized -> 'refunds',
        case when jsonb_typeof(v_lines) = 'array' then v_lines end
    )::private.order_snapshot;
end;
$$;
revoke execute on function private.read_snapshot(bigint, text, text, timestamptz, jsonb) from public, anon;
comment on function private.read_snapshot(bigint, text, text, timestamptz, jsonb) is
    'Reads a stored snapshot: the one place that knows what its values may look like. p_at is when its topic was told. Times without a zone are of the caller''s timezone, which is UTC. Called by derive_order only; no error codes.';

create function private.derive_order(p_store text, p_gid text)
returns private.order_state
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
-- Not a plain SQL function: that would be planned anew at every call, at ten times the cost of running it.
declare
    v_snapshots private.order_snapshot[];
    v_one private.order_snapshot;
    v_refunded boolean;
    v_known_refunds jsonb;
    v_lines_at timestamptz;
    v_state private.order_state;
begin
    select
        array_agg(private.read_snapshot(e.id, e.type, e.content_hash, coalesce(e.occurred_at, e.received_at), e.normalized))
            filter (where e.normalized ->> 'snapshot' = 'true'),
        bool_or(e.type = 'refunds/create')
    into v_snapshots, v_refunded
    from public.event_store e
    where e.store = p_store and e.ref_id = p_gid;

    if cardinality(v_snapshots) = 1 then
        -- What the fold below makes of a single snapshot. Most orders are ingested once: that is a third of the cost.
        v_one := v_snapshots[1];
        v_state := row(
            1, v_one.event_id, v_one.updated_at, v_one.shopify_id, v_one.order_number, v_one.customer_name,
            v_one.product_title, v_one.flavour, v_one.size, v_one.notes, v_one.due_date, v_one.delivery_method, null,
            v_one.currency, v_one.total_amount, v_one.payment_status, not v_one.created,
            coalesce(v_one.cancelled_at, v_one.called_off_at), v_one.cancel_reason, v_one.lines, null
        )::private.order_state;
        v_known_refunds := v_one.refunds;
        v_lines_at := v_one.updated_at;
    else
        with ranked as (
            select
                s.*,
                -- The topic is not signed: it alone cancels only with a body that no other topic has brought.
                coalesce(
                    s.cancelled_at, case when count(*) over (partition by s.content_hash) = 1 then s.called_off_at end
                ) as ended_at,
                row_number() over (
                    order by s.updated_at desc nulls last, s.topic_rank desc nulls last, s.content_hash desc, s.event_id
                ) as age
            from unnest(v_snapshots) s
        )
        -- Of each column the newest value that is not null: the winner's, or what an older snapshot fills in.
        select
            count(*)::integer as snapshots,
            (array_agg(r.event_id order by r.age))[1] as winner_id,
            (array_agg(r.updated_at order by r.age))[1] as business_updated_at,
            (array_agg(r.shopify_id order by r.age) filter (where r.shopify_id is not null))[1] as shopify_order_id,
            (array_agg(r.order_number order by r.age) filter (where r.order_number is not null))[1]
                as shopify_order_number,
            (array_agg(r.customer_name order by r.age) filter (where r.customer_name is not null))[1] as customer_name,
            (array_agg(r.product_title order by r.age) filter (where r.product_title is not null))[1] as product_title,
            (array_agg(r.flavour order by r.age) filter (where r.flavour is not null))[1] as flavour,
            (array_agg(r.size order by r.age) filter (where r.size is not null))[1] as size,
            (array_agg(r.notes order by r.age) filter (where r.notes is not null))[1] as notes,
            (array_agg(r.due_date order by r.age) filter (where r.due_date is not null))[1] as due_date,
            (array_agg(r.delivery_method order by r.age) filter (where r.delivery_method is not null))[1]
                as delivery_method,
            null::text[] as missing_fields,
            (array_agg(r.currency order by r.age) filter (where r.currency is not null))[1] as currency,
            (array_agg(r.total_amount order by r.age) filter (where r.total_amount is not null))[1] as total_amount,
            (array_agg(r.payment_status order by r.age) filter (where r.payment_status is not null))[1]
                as payment_status,
            not coalesce(bool_or(r.created), false) as placeholder,
            (array_agg(r.ended_at order by r.age) filter (where r.ended_at is not null))[1] as cancelled_at,
            (array_agg(r.cancel_reason order by r.age) filter (where r.cancel_reason is not null))[1]
                as cancel_reason,
            (array_agg(r.lines order by r.age) filter (where r.lines is not null))[1] as lines,
            null::jsonb as refunded
        into v_state
        from ranked r;
        if v_refunded then
            select s.refunds, s.updated_at into v_known_refunds, v_lines_at
            from unnest(v_snapshots) s
            where s.lines is not null
            order by s.updated_at desc nulls last, s.topic_rank desc nulls last, s.content_hash desc, s.event_id
            limit 1;
        end if;
    end if;

    v_state.missing_fields := array_remove(array[
        case when v_state.customer_name is null then 'customer' end,
        case when v_state.product_title is null then 'product' end,
        case when v_state.due_date is null then 'due_date' end
    ], null);
    if v_state.flavour is null and (select s.kitchen_enabled from public.stores s where s.key = p_store) then
        v_state.missing_fields := v_state.missing_fields || 'flavour'::text;
    end if;
    if v_refunded then
        v_state.refunded := private.refunded_since(p_store, p_gid, v_known_refunds, v_lines_at);
    end if;

    return v_state;
end;
$$;
revoke execute on function private.derive_order(text, text) from public, anon;
comment on function private.derive_order(text, text) is
    'Folds all snapshots of an order, read through the index. The winner is the greatest (updated_at, topic rank, content hash); each column is its newest value that is not null; a cancellation stays; without an orders/create the order is a placeholder; refunds that the lines do not know yet come beside them. Called by other functions only; no error codes.';

create function private.refunded_since(p_store text, p_gid text, p_known jsonb, p_until timestamptz)
returns jsonb
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
begin
    -- A refund may be told in several bodies; its id makes it one. A snapshot without a list of refunds (null, as
    -- older and foreign bodies are) is taken to know those that were made before it.
    return (
        with told as (
            select distinct on (r.id)
                r.id, r.lines,
                case when r.created_at ~ '^\d{4}-' and pg_input_is_valid(r.created_at, 'timestamptz')
                    then r.created_at::timestamptz end as created_at
            from public.event_store e
            cross join lateral jsonb_to_record(e.normalized -> 'refund') as r (id text, created_at text, lines jsonb)
            where e.store = p_store and e.ref_id = p_gid and e.type = 'refunds/create'
                and jsonb_typeof(e.normalized -> 'refund') = 'object' and jsonb_typeof(r.lines) = 'array'
                and r.id is not null
            order by r.id, e.content_hash desc
        ),
        pieces as (
            select
                l.line_id,
                least(sum(greatest(l.quantity::bigint, 0)), 2147483647) as refunded,
                least(coalesce(sum(greatest(l.quantity::bigint, 0)) filter (where not l.restock), 0), 2147483647)
                    as lost
            from told t
            cross join lateral jsonb_array_elements(t.lines) as line
            cross join lateral jsonb_to_record(
                case when jsonb_typeof(line) = 'object' then line else '{}'::jsonb end
            ) as x (line_id text, quantity text, restock text)
            cross join lateral (
                select
                    left(x.line_id, 200) as line_id,
                    case when pg_input_is_valid(x.quantity, 'integer') then x.quantity::integer else 0 end as quantity,
                    coalesce(x.restock = 'true', false) as restock
            ) l
            where l.line_id is not null
                and not case when jsonb_typeof(p_known) = 'array' then p_known ? t.id
                    else coalesce(t.created_at <= p_until, false) end
            group by l.line_id
        )
        select jsonb_object_agg(p.line_id, jsonb_build_array(p.refunded, p.lost))
        from pieces p
    );
end;
$$;
revoke execute on function private.refunded_since(text, text, jsonb, timestamptz) from public, anon;
comment on function private.refunded_since(text, text, jsonb, timestamptz) is
    'Pieces of each line that refunds took away of which a snapshot does not know, {line id: [pieces, of which not put back]}; null when there are none. p_known are the ids that it knows, p_until its updated_at. Called by derive_order only; no error codes.';

create function private.lock_order(p_gid text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    perform 1 from public.order_index x where x.shopify_order_gid = p_gid for update;
    if not found then
        perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended(p_gid, 0));
        -- Whoever had it may have brought the row.
        perform 1 from public.order_index x where x.shopify_order_gid = p_gid for update;
    end if;
end;
$$;
revoke execute on function private.lock_order(text) from public, anon;
comment on function private.lock_order(text) is
    'Takes the lock that bind_order takes, for those who have to lock stored events of an order: they come after their order, as whoever forgets it holds that. Called by other functions only; no error codes.';

create function private.bind_order(p_store public.stores, p_gid text, p_order jsonb)
returns public.order_index
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_number text := left(nullif(p_order ->> 'order_number', ''), 40);
    v_numeric text := left(coalesce(nullif(p_order ->> 'shopify_id', ''), substring(p_gid from '[^/]+$')), 40);
    v_customer_id bigint := case when pg_input_is_valid(p_order ->> 'customer_id', 'bigint')
        then (p_order ->> 'customer_id')::bigint end;
    v_bound public.order_index;
    v_candidate text;
begin
    select * into v_bound from public.order_index x where x.shopify_order_gid = p_gid for update;
    if not found then
        -- Without a row there is nothing to lock: refunds, requests to forget and the first snapshot wait for each
        -- other here, so that the later of them sees what the earlier has stored.
        perform pg_advisory_xact_lock(hashtextextended(p_gid, 0));

        -- An order number may be taken, by an order of a former shop or a test: then the numeric id serves.
        foreach v_candidate in array case when p_order is null then '{}' else array[v_number, v_numeric] end
        loop
            continue when v_candidate is null;
            insert into public.order_index (
                shopify_order_gid, shopify_order_id, store, order_id, customer_id, redacted_at
            )
            select
                p_gid, case when pg_input_is_valid(v_numeric, 'bigint') then v_numeric::bigint end,
                p_store.key, p_store.id_prefix || '-' || v_candidate,
                case when r.redacted_at is null then v_customer_id end, r.redacted_at
            from (
                select coalesce(p_store.redacted_at, (
                    select f.redacted_at from private.redacted_orders f where f.store = p_store.key and f.order_gid = p_gid
                )) as redacted_at
            ) r
            on conflict do nothing
            returning * into v_bound;
            exit when found;

            select * into v_bound from public.order_index x where x.shopify_order_gid = p_gid for update;
            exit when found;
        end loop;
        if p_order is null then
            select * into v_bound from public.order_index x where x.shopify_order_gid = p_gid for update;
        elsif v_bound.order_id is null then
            raise exception 'no free order id' using errcode = 'unique_violation';
        end if;
    elsif v_customer_id <> v_bound.customer_id and v_bound.redacted_at is null and v_bound.store = p_store.key then
        -- Both may ask to be forgotten: the one before is in the events of the order.
        insert into private.former_customers (store, customer_id, order_gid)
        values (v_bound.store, v_bound.customer_id, p_gid)
        on conflict do nothing;
        update public.order_index x set customer_id = v_customer_id where x.shopify_order_gid = p_gid;
    elsif v_customer_id is not null and v_bound.customer_id is null and v_bound.redacted_at is null
        and v_bound.store = p_store.key
    then
        update public.order_index x set customer_id = v_customer_id where x.shopify_order_gid = p_gid;
    end if;

    return v_bound;
end;
$$;
revoke execute on function private.bind_order(public.stores, text, jsonb) from public, anon;
comment on function private.bind_order(public.stores, text, jsonb) is
    'Where an order belongs and what its id is, decided once and for ever by its first snapshot, and the lock that serialises its events. Without a snapshot (p_order null) only the lock: all null when nobody knows the order yet. Called by other functions only; raises unique_violation when no id is free.';
