-- Claiming a batch of work: leases, fences, and what happens to the work of a worker that died.

create function private.release_expired_work(p_topics text[])
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_released integer;
    v_dead bigint[];
begin
    with expired as materialized (
        select w.id
        from public.work_queue w
        where w.status = 'processing' and w.lease_until < now() and w.topic = any(p_topics)
        order by w.lease_until
        limit 1000
        for update skip locked
    ),
    released as (
        -- The due time stays as it was: the item has waited long enough.
        update public.work_queue w set
            status = case when w.retry_count + 1 >= w.max_retries then 'dead' else 'error' end::public.work_status,
            retry_count = w.retry_count + 1,
            error_class = 'transient',
            last_error = 'the lease ran out before a result was reported',
            locked_at = null,
            locked_by = null,
            lease_until = null,
            finished_at = case when w.retry_count + 1 >= w.max_retries then now() end
        from expired
        where w.id = expired.id
        returning w.id, w.store, w.topic, w.payload, w.status, w.fence, w.last_error
    ),
    letters as (
        insert into public.dead_letters (store, source, topic, reason, external_id, body, encoding, work_id)
        select r.store, 'work_queue', r.topic, r.last_error, r.id || '/' || r.fence, r.payload::text, 'json', r.id
        from released r
        where r.status = 'dead'
        on conflict (source, external_id) do nothing
    )
    select count(*), array_agg(r.id) filter (where r.status = 'dead') into v_released, v_dead from released r;

    if v_dead is not null then
        perform private.alert_dead_work(v_dead);
    end if;
    return v_released;
end;
$$;
revoke execute on function private.release_expired_work(text[]) from public, anon;
comment on function private.release_expired_work(text[]) is
    'Takes items whose lease ran out back into the queue. It counts as an attempt: work that kills its workers ends as a dead letter. Returns how many. Called by claim_work only; no error codes.';

create function public.claim_work(p_worker text, p_topics text[], p_limit integer)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
as $$
-- definer because: nobody may write work_queue directly, the service role included.
declare
    v_limit integer := least(greatest(coalesce(p_limit, 0), 0), 1000);
    v_topics text[];
    v_items jsonb;
begin
    if coalesce(p_worker, '') = '' then
        return private.fail('BAD_INPUT', 'p_worker must name the worker');
    end if;

    -- The one place that narrows a claim: a topic that is not in this list is left alone, its rows wait.
    select coalesce(array_agg(t.topic), '{}') into v_topics
    from public.queue_topics t
    where t.topic = any(p_topics) and not t.paused;

    -- Two claims at once could each hand out one of two pushes of a SKU, as neither sees what the other has not
    -- committed. In a statement of its own: the next one then sees everything of whoever was first.
    if 'inventory_push' = any(v_topics) then
        perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('ordak/claim/inventory_push', 0));
    end if;

    perform private.release_expired_work(v_topics);

    -- Materialized, and locked inside: another plan could otherwise run the selection again for every row and
    -- claim far more than the limit. One arm a priority, so that each reads just the due part of the index and
    -- stops at the limit; rows that are not due cost nothing.
    with due as materialized (
        select arm.id, arm.serial_key, row_number() over (order by arm.priority, arm.next_retry_at, arm.id) as turn
        from (
            select r.*
            from generate_series(0, 9) as p (priority)
            cross join lateral (
                select w.id, w.priority, w.next_retry_at, w.serial_key
                from public.work_queue w
                where w.status in ('pending', 'error')
                    and w.priority = p.priority
                    and w.next_retry_at <= now()
                    and w.topic = any(v_topics)
                    and (w.serial_key is null or not exists (
                        select 1
                        from public.work_queue b
                        where b.serial_key = w.serial_key and b.status = 'processing'
                    ))
                order by w.next_retry_at, w.id
                limit v_limit
                for update skip locked
            ) r
            limit v_limit
        ) arm
    ),
    -- When more is due than fits, what shares a key goes first as a whole, as far as it fits: it costs one effect
    -- together, and would have to wait until this claim is reported. Otherwise all of it is here already.
    keys as materialized (
        select d.serial_key, min(d.turn) as turn
        from due d
        where d.serial_key is not null and (select count(*) from due) >= v_limit
        group by d.serial_key
        order by min(d.turn)
    ),
    together as materialized (
        select same.id, k.turn
        from keys k
        cross join lateral (
            select w.id
            from public.work_queue w
            where w.status in ('pending', 'error')
                and w.serial_key = k.serial_key
                and w.next_retry_at <= now()
                and w.topic = any(v_topics)
            order by w.next_retry_at, w.id
            limit v_limit
            for update skip locked
        ) same
        limit v_limit
    ),
    chosen as materialized (
        select x.id
        from (
            select d.id, d.turn from due d
            union all
            select t.id, t.turn from together t
        ) x
        group by x.id
        order by min(x.turn), x.id
        limit v_limit
    ),
    claimed as (
        update public.work_queue w set
            status = 'processing',
            locked_at = now(),
            locked_by = p_worker,
            lease_until = now() + make_interval(secs => t.lease_seconds),
            fence = w.fence + 1
        from chosen c, public.queue_topics t
        where w.id = c.id and t.topic = w.topic
        returning w.*
    )
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'id', c.id,
                'topic', c.topic,
                'store', c.store,
                'shop_domain', s.shop_domain,
                'payload', c.payload,
                'dedupe_key', c.dedupe_key,
                'fence', c.fence,
                'attempt', c.retry_count + 1,
                'lease_until', c.lease_until,
                'context', case when i.id is not null then jsonb_build_object(
                    'sku', i.sku,
                    'ats', i.ats,
                    'inventory_item_gid', i.shopify_inventory_item_gid,
                    'location_gid', coalesce(i.shopify_location_gid, g.location_gid),
                    'change_from', i.pushed_quantity
                ) end
            )
            order by c.priority, c.next_retry_at, c.id
        ),
        '[]'::jsonb
    )
    into v_items
    from claimed c
    join public.stores s on s.key = c.store
    left join public.inventory_items i
        on c.topic = 'inventory_push' and i.store = c.store and i.sku = c.payload ->> 'sku'
    left join public.stock_settings g on g.store = i.store;

    return private.ok(jsonb_build_object('items', v_items));
end;
$$;
revoke execute on function public.claim_work(text, text[], integer) from public, anon, authenticated;
grant execute on function public.claim_work(text, text[], integer) to service_role;
comment on function public.claim_work(text, text[], integer) is
    'Leases up to p_limit (at most 1000) due items of the given topics to the worker, by priority, then by how long they have been due; items with the same serial key together, and none while another worker has one of them. Returns {items: [{id, topic, store, shop_domain, payload, dedupe_key, fence, attempt, lease_until, context}]}. Paused topics are skipped. context of an inventory_push is the stock of its SKU at this moment and the level that Shopify confirmed last, null when the SKU is unknown. Callable by service_role. Codes: BAD_INPUT.';
