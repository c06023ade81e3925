-- Carrying out what was decided about batches: many at once, each wholly or not at all.

create type private.batch_settlement as (
    batch_id uuid,
    store text,
    quantity integer,
    target integer,
    action text,
    orders_cancelled integer,
    failure text
);
comment on type private.batch_settlement is
    'What is decided about a batch, and what came of it: how many orders were cancelled, or why it could not be done.';

create function private.cancel_batch_orders(p_batch_ids uuid[])
returns table (batch_id uuid, cancelled integer)
language plpgsql
volatile
set search_path = ''
set timezone = 'UTC'
as $$
declare
    v_order text;
begin
    select o.id into v_order
    from public.batch_contributions c
    join public.orders o on o.store = c.store and o.id = c.order_id
    where c.batch_id = any(p_batch_ids) and o.cancelled_at is null
        and o.payment_status in ('paid', 'partially_paid', 'partially_refunded')
        and (o.total_amount is null or o.currency is null)
    limit 1;
    if found then
        -- Cancelled without its money given back: better nothing, and a person is told.
        raise exception 'order % is paid but its amount is not known', v_order using errcode = 'raise_exception';
    end if;

    return query
    with live as materialized (
        select
            c.batch_id, o.store, o.id, o.shopify_order_gid as gid, o.stage, o.payment_status, o.total_amount, o.currency,
            exists (
                select 1
                from public.order_line_items l
                where l.store = o.store and l.order_id = o.id and (l.held_quantity > 0 or l.short_quantity > 0)
            ) or x.archived_at is not null as later
        from public.batch_contributions c
        join public.orders o on o.store = c.store and o.id = c.order_id
        left join public.order_index x on x.store = o.store and x.order_id = o.id
        where c.batch_id = any(p_batch_ids) and o.cancelled_at is null
    ),
    -- An order is what its events say: the cancellation is one of them. Without a time of its own it wins over
    -- nothing else. Where stock is held it is left unprocessed, so that the retry gives the stock back by itself:
    -- thousands of orders would otherwise lock stock in one transaction. The retry brings archived events back too.
    events as (
        insert into public.event_store (
            source, type, store, ref_id, external_id, content_hash, occurred_at, payload, normalized, processed_at,
            attempts
        )
        select
            'batch', 'batch/order_cancelled', l.store, l.gid,
            concat_ws('/', l.store, 'batch/order_cancelled', l.gid),
            encode(sha256(convert_to(l.gid, 'UTF8')), 'hex'),
            now(), jsonb_build_object('batch_id', l.batch_id),
            jsonb_build_object(
                'gid', l.gid, 'snapshot', true, 'cancelled_at', now(), 'cancel_reason', 'batch cancelled'
            ),
            case when not l.later then now() end, case when l.later then 0 else 1 end
        from live l
        returning id, store, ref_id, processed_at
    ),
    retries as (
        select count(private.enqueue_ingest_retry(e.store, e.ref_id, e.id)) as waiting
        from (select * from events n where n.processed_at is null order by n.ref_id) e
    ),
    changed as (
        update public.orders o set
            cancelled_at = now(),
            cancel_reason = coalesce(o.cancel_reason, 'batch cancelled')
        from live l
        where o.store = l.store and o.id = l.id
    ),
    audited as (
        insert into public.stage_events (store, order_id, stage_from, action, source, meta)
        select l.store, l.id, l.stage, 'order_cancelled', 'sql', jsonb_build_object('batch_id', l.batch_id)
        from live l
    ),
    refunds as materialized (
        select private.enqueue_works(
            'refund',
            array_agg(l.store),
            array_agg(jsonb_build_object(
                'order_gid', l.gid, 'order_id', l.id, 'batch_id', l.batch_id, 'currency', l.currency,
                'amount', round(l.total_amount, private.currency_decimals(l.currency))::text
            )),
            array_agg(l.gid || '/batch')
        ) as added
        from live l
        where l.payment_status in ('paid', 'partially_paid', 'partially_refunded') and l.total_amount > 0
    )
    select b.id, count(l.id)::integer
    from unnest(p_batch_ids) as b (id)
    cross join (select r.waiting from retries r) as forced
    cross join (select r.added from refunds r) as paid_back
    left join live l on l.batch_id = b.id
    group by b.id;
end;
$$;
revoke execute on function private.cancel_batch_orders(uuid[]) from public, anon;
comment on function private.cancel_batch_orders(uuid[]) is
    'Cancels every contributing order of these batches that is not cancelled yet, with its event, its trail and, when money was paid, its refund item. Returns how many for each batch. The caller holds the locks of batches and orders. Called by other functions only; raises when a paid order has no amount.';

create function private.alert_review(p_store text, p_batch_ids uuid[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    perform private.enqueue_alert(
        p_store, 'batch_in_review',
        jsonb_build_object('batches', cardinality(p_batch_ids), 'batch_ids', to_jsonb(p_batch_ids[1:20]))
    );
    -- A batch comes into review once: those that came together have a message of their own.
    perform private.enqueue_email(
        p_store, 'batch_in_review',
        jsonb_build_object('batches', cardinality(p_batch_ids), 'batch_ids', to_jsonb(p_batch_ids[1:20])),
        md5(array_to_string(p_batch_ids, ','))
    );
end;
$$;
revoke execute on function private.alert_review(text, uuid[]) from public, anon;
comment on function private.alert_review(text, uuid[]) is
    'Tells the Admins, by Slack and e-mail, that batches of a store wait for their decision; the first twenty by id. Called by other functions only; no error codes.';

create function private.settle_batches(p_verdicts private.batch_settlement[], p_meta jsonb)
returns private.batch_settlement[]
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_cancelled uuid[];
    v_settled private.batch_settlement[];
begin
    update public.production_batches b set
        status = v.action,
        actual_start_date = case when v.action = 'confirmed' then (now() at time zone s.timezone)::date end
    from unnest(p_verdicts) v
    join public.stores s on s.key = v.store
    where b.id = v.batch_id and v.action in ('confirmed', 'cancelled', 'needs_review');

    insert into public.supplier_orders (store, batch_id, quantity)
    select v.store, v.batch_id, v.target
    from unnest(p_verdicts) with ordinality as v
    where v.action = 'confirmed'
    order by v.ordinality;

    v_cancelled := array(select v.batch_id from unnest(p_verdicts) v where v.action = 'cancelled');
    select array_agg(
        (v.batch_id, v.store, v.quantity, v.target, v.action, o.cancelled, null)::private.batch_settlement
        order by v.ordinality
    )
    into v_settled
    from unnest(p_verdicts) with ordinality as v
    left join private.cancel_batch_orders(v_cancelled) o on o.batch_id = v.batch_id;

    -- Every action is an event, once: of nearing the target, for each quantity that is nearing it.
    insert into public.event_store
        (source, type, store, ref_id, external_id, content_hash, occurred_at, payload, processed_at, attempts)
    select
        'batch', e.type, e.store, 'batch:' || e.batch_id, concat_ws('/', e.store, e.type, e.key),
        encode(sha256(convert_to(e.key, 'UTF8')), 'hex'), now(),
        jsonb_strip_nulls(jsonb_build_object(
            'batch_id', e.batch_id, 'quantity', e.quantity, 'target', e.target, 'orders_cancelled', e.orders_cancelled
        )) || p_meta,
        now(), 1
    from (
        select v.*, 'batch/' || v.action as type,
            concat_ws('/', v.batch_id, case when v.action = 'nearing_target' then v.quantity end) as key
        from unnest(v_settled) v
    ) e
    on conflict do nothing;

    perform private.alert_review(review.store, review.batch_ids)
    from (
        select v.store, array_agg(v.batch_id order by v.batch_id) as batch_ids
        from unnest(v_settled) v
        where v.action = 'needs_review'
        group by v.store
    ) review;

    return v_settled;
end;
$$;
revoke execute on function private.settle_batches(private.batch_settlement[], jsonb) from public, anon;
comment on function private.settle_batches(private.batch_settlement[], jsonb) is
    'Carries out what is decided about batches, all of them or none. The caller holds their locks and those of the orders of cancelled ones. p_meta goes into each event. Called by try_batches only; raises what goes wrong.';

create function private.try_batches(p_verdicts private.batch_settlement[], p_meta jsonb)
returns private.batch_settlement[]
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_count integer := coalesce(cardinality(p_verdicts), 0);
    v_failed private.batch_settlement;
    v_sqlstate text;
    v_constraint text;
    v_message text;
begin
    if v_count = 0 then
        return '{}';
    end if;

    begin
        return private.settle_batches(p_verdicts, p_meta);
    exception
        -- What says something about a batch. A deadlock, a lock, a lost connection do not: they end the whole run,
        -- which has then done nothing, and the next one does it.
        when data_exception or integrity_constraint_violation or raise_exception or program_limit_exceeded then
            get stacked diagnostics
                v_sqlstate = returned_sqlstate, v_constraint = constraint_name, v_message = message_text;
    end;

    if v_count > 1 then
        return private.try_batches(p_verdicts[1:v_count / 2], p_meta)
            || private.try_batches(p_verdicts[v_count / 2 + 1:], p_meta);
    end if;

    -- Messages of Postgres can hold whole rows; those that are raised by hand hold what a person needs.
    v_failed := p_verdicts[1];
    v_failed.failure := case
        when v_sqlstate = 'P0001' then left(v_message, 200)
        else concat_ws(' ', 'settling failed with', v_sqlstate, nullif(v_constraint, ''))
    end;
    return array[v_failed];
end;
$$;
revoke execute on function private.try_batches(private.batch_settlement[], jsonb) from public, anon;
comment on function private.try_batches(private.batch_settlement[], jsonb) is
    'Settles all batches in one sub-transaction; when that fails, each half by itself, down to the one that is to blame, which alone is left as it was and told by its failure. Called by other functions only; no error codes.';
