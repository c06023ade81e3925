-- What the clock, an Admin and a supplier's answer make of batches.

create function private.judge_batches()
returns private.batch_settlement[]
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_judged private.batch_settlement[];
    v_busy uuid[];
begin
    -- A batch that somebody is adding to, or that another run has taken, is left for the next time.
    with candidates as materialized (
        select b.id, b.store, b.current_quantity, b.target_quantity, b.window_closes_at
        from public.production_batches b
        where b.status = 'filling' and b.window_closes_at <= now() + interval '24 hours'
        order by b.window_closes_at, b.id
        for update skip locked
    )
    select array_agg(
        (
            c.id, c.store, c.current_quantity, c.target_quantity,
            private.batch_verdict(c.current_quantity, c.target_quantity, c.window_closes_at <= now()), null, null
        )::private.batch_settlement
        order by c.window_closes_at, c.id
    )
    into v_judged
    from candidates c;

    -- So is one that is to be cancelled while a delivery is being applied to one of its orders: what that delivery
    -- writes was read before the cancellation. Or while anybody has the retry that will give its stock back: who
    -- reports that may wait for stock, and who has stock for a batch.
    with orders as materialized (
        select c.batch_id, c.store, c.order_id
        from unnest(v_judged) v
        join public.batch_contributions c on c.batch_id = v.batch_id
        where v.action = 'cancelled' and c.withdrawn_at is null
    ),
    bound as materialized (
        select x.store, x.order_id, x.shopify_order_gid as gid
        from orders o
        join public.order_index x on x.store = o.store and x.order_id = o.order_id
        for update of x skip locked
    ),
    retries as materialized (
        select w.dedupe_key as gid
        from bound b
        join public.work_queue w on w.topic = 'order_ingest_retry' and w.dedupe_key = b.gid
        for no key update of w skip locked
    )
    select array_agg(distinct o.batch_id) into v_busy
    from orders o
    join public.order_index x on x.store = o.store and x.order_id = o.order_id
    left join bound b on b.store = o.store and b.order_id = o.order_id
    where b.order_id is null or exists (
        select 1
        from public.work_queue w
        where w.topic = 'order_ingest_retry' and w.dedupe_key = b.gid
            and w.dedupe_key not in (select r.gid from retries r)
    );

    if v_busy is not null then
        v_judged := array(
            select v from unnest(v_judged) with ordinality as j (batch_id, store, quantity, target, action, n, f, place)
            cross join lateral (
                select (j.batch_id, j.store, j.quantity, j.target, j.action, j.n, j.f)::private.batch_settlement as v
            ) one
            where j.batch_id <> all(v_busy)
            order by j.place
        );
    end if;

    -- In the order in which whoever gives them stock takes them.
    perform 1
    from unnest(v_judged) v
    join public.batch_contributions c on c.batch_id = v.batch_id
    join public.orders o on o.store = c.store and o.id = c.order_id
    where v.action = 'cancelled'
    order by o.store, o.id
    for no key update of o;

    return coalesce(v_judged, '{}');
end;
$$;
revoke execute on function private.judge_batches() from public, anon;
comment on function private.judge_batches() is
    'Takes every filling batch whose window closes within 24 hours, with the orders of those that are to be cancelled, and says what is to become of each. Waits for nobody but who has the row of such an order. Called by orchestrate_batches only; no error codes.';

create function private.is_admin(p_user uuid)
returns boolean
language sql
stable
set search_path = ''
as $$
    select exists (select 1 from public.staff st where st.user_id = p_user and st.active and st.role = 'Admin');
$$;
revoke execute on function private.is_admin(uuid) from public, anon;
comment on function private.is_admin(uuid) is 'Whether this person is an active Admin. Called by other functions only.';

create function private.alert_failures(p_settled private.batch_settlement[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- Every run meets the batch again: each reason is told once.
    perform private.enqueue_alert(
        failed.store, 'batch_failed',
        jsonb_build_object('batches', count(*), 'reason', min(failed.failure))
    )
    from (
        select v.store, v.failure
        from unnest(p_settled) v
        where v.failure is not null and private.record_batch_event(
            v.store, 'batch/failed', v.batch_id, md5(v.failure), jsonb_build_object('batch_id', v.batch_id, 'reason', v.failure)
        )
    ) failed
    group by failed.store
    order by failed.store;
end;
$$;
revoke execute on function private.alert_failures(private.batch_settlement[]) from public, anon;
comment on function private.alert_failures(private.batch_settlement[]) is
    'Has people told of batches that could not be settled, with one of the reasons. Called by orchestrate_batches only; no error codes.';

create function public.orchestrate_batches(p_user uuid default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set statement_timeout = '60s'
as $$
-- definer because: nobody may write these tables directly, the service role included.
-- The time-out is for the REST server, which applies it before the call: its own is made for clicks.
declare
    v_judged private.batch_settlement[];
    v_settled private.batch_settlement[];
    v_results jsonb;
begin
    if p_user is not null and not private.is_admin(p_user) then
        return private.fail('PERMISSION_DENIED', 'only an Admin orchestrates batches');
    end if;

    v_judged := private.judge_batches();
    v_settled := private.try_batches(
        array(select v from unnest(v_judged) v where v.action is not null),
        jsonb_strip_nulls(jsonb_build_object('by', p_user))
    );
    perform private.alert_failures(v_settled);

    select coalesce(jsonb_agg(private.batch_result(s) order by place), '[]'::jsonb) into v_results
    from (
        select (x.batch_id, x.store, x.quantity, x.target, x.action, x.orders_cancelled, x.failure)::private.batch_settlement as s,
            x.ordinality as place
        from unnest(v_settled) with ordinality as x
    ) settled;

    return private.ok(jsonb_build_object('processed', cardinality(v_judged), 'results', v_results));
end;
$$;
revoke execute on function public.orchestrate_batches(uuid) from public, anon, authenticated;
grant execute on function public.orchestrate_batches(uuid) to service_role;
comment on function public.orchestrate_batches(uuid) is
    'Looks at every filling batch whose window closes within 24 hours: confirms, cancels, sends to review or promotes it, each wholly or not at all; p_user is the Admin in whose name. Returns {processed, results: [{batchId, action: confirmed|needs_review|cancelled|nearing_target|failed, fillPercentage, message, ordersCancelled}]}. Repeating it changes nothing more. Callable by service_role. Codes: PERMISSION_DENIED.';

create function private.batch_result(p_settled private.batch_settlement)
returns jsonb
language sql
immutable
set search_path = ''
as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'batchId', (p_settled).batch_id,
        'action', case when (p_settled).failure is null then (p_settled).action else 'failed' end,
        'fillPercentage', private.fill_percentage((p_settled).quantity, (p_settled).target),
        'ordersCancelled', (p_settled).orders_cancelled,
        'message', coalesce((p_settled).failure, case (p_settled).action
            when 'needs_review' then 'Batch 50-75% filled, window closed'
            when 'nearing_target' then 'Batch nearing target - consider promotion'
        end)
    ));
$$;
revoke execute on function private.batch_result(private.batch_settlement) from public, anon;
comment on function private.batch_result(private.batch_settlement) is
    'One result of orchestrate_batches as callers see it.';

create function public.decide_batch(p_batch_id uuid, p_decision text, p_reason text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write these tables directly; only an Admin gets past the first check.
declare
    v_batch public.production_batches;
    v_settled private.batch_settlement;
    v_meta jsonb;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin decides a batch');
    end if;
    if p_decision is null or p_decision not in ('confirmed', 'cancelled') then
        return private.fail('BAD_INPUT', 'p_decision must be confirmed or cancelled');
    end if;
    if coalesce(btrim(p_reason), '') = '' or length(p_reason) > 2000 then
        return private.fail('BAD_INPUT', 'p_reason must have 1 to 2000 characters');
    end if;
    v_meta := jsonb_build_object('reason', p_reason, 'by', private.caller());

    -- Orders before their batch, as deliveries lock them. Nobody joins a batch in review, so these are all.
    perform 1
    from public.batch_contributions c
    join public.order_index x on x.store = c.store and x.order_id = c.order_id
    where c.batch_id = p_batch_id
    order by x.order_id
    for update of x;
    perform 1
    from public.batch_contributions c
    join public.order_index x on x.store = c.store and x.order_id = c.order_id
    join public.work_queue w on w.topic = 'order_ingest_retry' and w.dedupe_key = x.shopify_order_gid
    where c.batch_id = p_batch_id
    order by w.id
    for no key update of w;
    perform 1
    from public.batch_contributions c
    join public.orders o on o.store = c.store and o.id = c.order_id
    where c.batch_id = p_batch_id
    order by o.id
    for no key update of o;

    select * into v_batch from public.production_batches b where b.id = p_batch_id for update;
    if not found then
        return private.fail('NOT_FOUND', 'no such batch');
    end if;
    if v_batch.status <> 'needs_review' then
        if exists (
            select 1 from public.event_store e
            where e.source = 'batch' and e.external_id = concat_ws('/', v_batch.store, 'batch/decided', p_batch_id)
                and e.payload ->> 'decision' = p_decision
        ) then
            return private.ok(jsonb_build_object('batch_id', p_batch_id, 'status', v_batch.status), true);
        end if;
        perform private.record_batch_event(
            v_batch.store, 'batch/refused', p_batch_id, gen_random_uuid()::text,
            v_meta || jsonb_build_object('decision', p_decision, 'status', v_batch.status)
        );
        return private.fail('CONFLICT', format('the batch is not in review, it is %s', v_batch.status));
    end if;

    v_settled := (private.try_batches(
        array[(
            v_batch.id, v_batch.store, v_batch.current_quantity, v_batch.target_quantity, p_decision, null, null
        )::private.batch_settlement],
        v_meta
    ))[1];
    if v_settled.failure is not null then
        return private.fail('CONFLICT', v_settled.failure);
    end if;
    perform private.record_batch_event(
        v_batch.store, 'batch/decided', p_batch_id, null, v_meta || jsonb_build_object('decision', p_decision)
    );

    return private.ok(jsonb_strip_nulls(jsonb_build_object(
        'batch_id', p_batch_id,
        'status', p_decision,
        'orders_cancelled', v_settled.orders_cancelled,
        'supplier_order', (select so.order_number from public.supplier_orders so where so.batch_id = p_batch_id)
    )));
end;
$$;
revoke execute on function public.decide_batch(uuid, text, text) from public, anon;
grant execute on function public.decide_batch(uuid, text, text) to authenticated, service_role;
comment on function public.decide_batch(uuid, text, text) is
    'Confirms or cancels a batch in review, with the effects that orchestrate_batches would have had; who and why are in the events. The same decision again is already_done. Returns {batch_id, status, orders_cancelled, supplier_order}. Callable by an Admin and service_role. Codes: PERMISSION_DENIED, BAD_INPUT, NOT_FOUND, CONFLICT (not in review, or it cannot be done).';

create function public.set_supplier_order_status(p_order_number text, p_status text, p_reference text default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write these tables directly; only an Admin gets past the first check.
declare
    v_order public.supplier_orders;
    v_batch_id uuid;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin changes a supplier order');
    end if;
    if p_status is null or p_status not in ('placed', 'completed') then
        return private.fail('BAD_INPUT', 'p_status must be placed or completed');
    end if;
    if length(p_reference) > 200 then
        return private.fail('BAD_INPUT', 'p_reference may have 200 characters at most');
    end if;

    -- The batch is the lock of both; a supplier order never changes its batch.
    select so.batch_id into v_batch_id from public.supplier_orders so where so.order_number = p_order_number;
    if not found then
        return private.fail('NOT_FOUND', 'no such supplier order');
    end if;
    perform 1 from public.production_batches b where b.id = v_batch_id for update;
    select * into v_order from public.supplier_orders so where so.order_number = p_order_number;

    if v_order.status = p_status then
        return private.ok(jsonb_build_object('order_number', p_order_number, 'status', p_status), true);
    end if;
    if v_order.status = 'completed' then
        perform private.record_batch_event(
            v_order.store, 'batch/refused', v_batch_id, gen_random_uuid()::text,
            jsonb_build_object('supplier_order', p_order_number, 'wanted', p_status, 'status', v_order.status)
        );
        return private.fail('CONFLICT', 'the supplier order is completed');
    end if;

    update public.supplier_orders so set
        status = p_status,
        reference = coalesce(p_reference, so.reference),
        placed_at = coalesce(so.placed_at, case when p_status = 'placed' then now() end),
        completed_at = case when p_status = 'completed' then now() end
    where so.id = v_order.id;
    update public.production_batches b set
        status = case p_status when 'placed' then 'in_production' else 'completed' end
    where b.id = v_batch_id;
    perform private.record_batch_event(
        v_order.store, case p_status when 'placed' then 'batch/in_production' else 'batch/completed' end, v_batch_id, null,
        jsonb_strip_nulls(jsonb_build_object(
            'supplier_order', p_order_number, 'reference', p_reference, 'by', private.caller()
        ))
    );

    return private.ok(jsonb_build_object('order_number', p_order_number, 'status', p_status));
end;
$$;
revoke execute on function public.set_supplier_order_status(text, text, text) from public, anon;
grant execute on function public.set_supplier_order_status(text, text, text) to authenticated, service_role;
comment on function public.set_supplier_order_status(text, text, text) is
    'Says that a supplier order was placed (its batch is in production) or completed (so is its batch). The same again is already_done. Returns {order_number, status}. Callable by an Admin and service_role. Codes: PERMISSION_DENIED, BAD_INPUT, NOT_FOUND, CONFLICT (completed already).';
