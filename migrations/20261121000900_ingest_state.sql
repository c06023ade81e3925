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

create function private.derive_order(p_store text, p_gid text)
returns private.order_state
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
-- Not a plain SQL function: that would be planned anew at every call, at ten times the cost of running it.
declare
    v_state private.order_state;
begin
    -- Casts are guarded: a value that cannot be read counts as absent, for a snapshot that raised here would
    -- raise for every later event of its order too. Texts that reach an index are cut to what an index can hold.
    with snapshots as (
        select
            e.id,
            e.type,
            e.content_hash,
            case when x.updated_at ~ '^\d{4}-' and pg_input_is_valid(x.updated_at, 'timestamptz')
                then x.updated_at::timestamptz end as updated_at,
            case when pg_input_is_valid(x.topic_rank, 'integer') then x.topic_rank::integer end as topic_rank,
            case when pg_input_is_valid(x.shopify_id, 'bigint') then x.shopify_id::bigint end as shopify_id,
            left(x.order_number, 40) as order_number,
            x.customer_name,
            x.product_title,
            x.flavour,
            left(x.size, 200) as size,
            x.notes,
            case when x.due_date ~ '^\d{4}-\d\d-\d\d$' and pg_input_is_valid(x.due_date, 'date')
                then x.due_date::date end as due_date,
            case when x.delivery_method in ('pickup', 'delivery') then x.delivery_method end as delivery_method,
            x.currency,
            case when x.total_amount ~ '^-?\d+(\.\d+)?$' and pg_input_is_valid(x.total_amount, 'numeric(16,3)')
                then x.total_amount::numeric(16, 3) end as total_amount,
            x.payment_status,
            case
                when x.cancelled_at ~ '^\d{4}-' and pg_input_is_valid(x.cancelled_at, 'timestamptz')
                    then x.cancelled_at::timestamptz
                -- The topic is not signed: it alone cancels only with a body that no other topic has brought.
                when e.type = 'orders/cancelled' and count(*) over (partition by e.content_hash) = 1
                    then coalesce(e.occurred_at, e.received_at)
            end as cancelled_at,
            x.cancel_reason,
            x.refunds,
            jsonb_typeof(x.lines) = 'array' as has_lines
        from public.event_store e
        cross join lateral jsonb_to_record(e.normalized) as x (
            updated_at text, topic_rank text, shopify_id text, order_number text, customer_name text,
            product_title text, flavour text, size text, notes text, due_date text, delivery_method text,
            currency text, total_amount text, payment_status text, cancelled_at text, cancel_reason text, lines jsonb,
            refunds jsonb
        )
        where e.store = p_store and e.ref_id = p_gid and e.normalized ->> 'snapshot' = 'true'
    ),
    ranked as (
        select
            s.*,
            row_number() over (
                order by s.updated_at desc nulls last, s.topic_rank desc nulls last, s.content_hash desc, s.id
            ) as age
        from snapshots s
    ),
    folded as (
        -- Of each column the newest value that is not null: the winner's, or what an older snapshot fills in.
        select
            count(*)::integer as snapshots,
            (array_agg(r.id order by r.age))[1] as winner_id,
            (array_agg(r.updated_at order by r.age))[1] as updated_at,
            (array_agg(r.shopify_id order by r.age) filter (where r.shopify_id is not null))[1] as shopify_id,
            (array_agg(r.order_number order by r.age) filter (where r.order_number is not null))[1] as order_number,
            (array_agg(r.customer_name order by r.age) filter (where r.customer_name is not null))[1] as customer_name,
            (array_agg(r.product_title order by r.age) filter (where r.product_title is not null))[1] as product_title,
            (array_agg(r.flavour order by r.age) filter (where r.flavour is not null))[1] as flavour,
            (array_agg(r.size order by r.age) filter (where r.size is not null))[1] as size,
            (array_agg(r.notes order by r.age) filter (where r.notes is not null))[1] as notes,
            (array_agg(r.due_date order by r.age) filter (where r.due_date is not null))[1] as due_date,
            (array_agg(r.delivery_method order by r.age) filter (where r.delivery_method is not null))[1]
                as delivery_method,
            (array_agg(r.currency order by r.age) filter (where r.currency is not null))[1] as currency,
            (array_agg(r.total_amount order by r.age) filter (where r.total_amount is not null))[1] as total_amount,
            (array_agg(r.payment_status order by r.age) filter (where r.payment_status is not null))[1]
                as payment_status,
            not coalesce(bool_or(r.type = 'orders/create'), false) as placeholder,
            (array_agg(r.cancelled_at order by r.age) filter (where r.cancelled_at is not null))[1] as cancelled_at,
            (array_agg(r.cancel_reason order by r.age) filter (where r.cancel_reason is not null))[1]
                as cancel_reason,
            (array_agg(r.id order by r.age) filter (where r.has_lines))[1] as lines_id,
            (array_agg(r.refunds order by r.age) filter (where r.has_lines))[1] as known_refunds,
            (array_agg(r.updated_at order by r.age) filter (where r.has_lines))[1] as lines_updated_at
        from ranked r
    )
    select
        f.snapshots, f.winner_id, f.updated_at, f.shopify_id, f.order_number, f.customer_name, f.product_title,
        f.flavour, f.size, f.notes, f.due_date, f.delivery_method,
        array_remove(array[
            case when f.customer_name is null then 'customer' end,
            case when f.product_title is null then 'product' end,
            case when f.due_date is null then 'due_date' end,
            case when f.flavour is null and s.kitchen_enabled then 'flavour' end
        ], null),
        f.currency, f.total_amount, f.payment_status, f.placeholder, f.cancelled_at, f.cancel_reason,
        (select e.normalized -> 'lines' from public.event_store e where e.id = f.lines_id),
        case when exists (
            select 1
            from public.event_store e
            where e.store = p_store and e.ref_id = p_gid and e.type = 'refunds/create'
        ) then private.refunded_since(p_store, p_gid, f.known_refunds, f.lines_updated_at) end
    into v_state
    from folded f
    join public.stores s on s.key = p_store;

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
