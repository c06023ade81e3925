-- Claiming a batch of work: leases, fences, fair shares, and what happens to the work of a worker that died.

create type private.work_lane as (topic text, store text, priorities smallint[], quota integer, gated boolean);
comment on type private.work_lane is
    'The due items of one topic and store, the unit among which a claim is shared: priorities at which some are due, highest first; how many may be taken; and whether a rate, a bound or a breaker says so.';

create function private.release_expired_work(p_ids bigint[], p_now timestamptz)
returns bigint[]
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_dead bigint[];
begin
    with released as (
        -- The due time stays as it was: the item has waited long enough.
        update public.work_queue w set
            status = case when w.retry_count + 1 >= w.max_retries then 'dead' else 'error' end::public.work_status,
            retry_count = w.retry_count + 1,
            error_class = 'transient',
            last_error = 'the lease ran out before a result was reported',
            locked_at = null,
            locked_by = null,
            lease_until = null,
            counted = null,
            finished_at = case when w.retry_count + 1 >= w.max_retries then now() end
        where w.id = any(p_ids) and w.status = 'processing' and w.lease_until < p_now
        returning w.id, w.store, w.topic, w.payload, w.status, w.fence, w.last_error
    ),
    letters as (
        insert into public.dead_letters (store, source, topic, reason, external_id, body, encoding, work_id)
        select r.store, 'work_queue', r.topic, r.last_error, r.id || '/' || r.fence, r.payload::text, 'json', r.id
        from released r
        where r.status = 'dead'
        on conflict (source, external_id) do nothing
    )
    select array_agg(r.id) into v_dead
    from released r
    where r.status = 'dead';
    return v_dead;
end;
$$;
revoke execute on function private.release_expired_work(bigint[], timestamptz) from public, anon;
comment on function private.release_expired_work(bigint[], timestamptz) is
    'Takes those of these items whose lease has run out back into the queue; the caller has locked them. It counts as an attempt: work that kills its workers ends as a dead letter. Returns the ids of what ended so, of which people are still to be told; null when nothing did. Called by claim_work only; no error codes.';

create function private.find_lanes(p_topics text[], p_busy text[], p_now timestamptz)
returns private.work_lane[]
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_lanes private.work_lane[];
begin
    -- Hops from one topic, store and priority in the index to the next, so that a lane costs a look however long it
    -- is. Most urgent first, then the one that has waited longest.
    with recursive step as (
        select f.topic, f.store, f.priority
        from unnest(p_topics) as t (topic)
        cross join lateral (
            select w.topic, w.store, w.priority
            from public.work_queue w
            where w.finished_at is null and w.topic = t.topic
            order by w.store, w.priority
            limit 1
        ) f
        union all
        select n.topic, n.store, n.priority
        from step s
        cross join lateral (
            select w.topic, w.store, w.priority
            from public.work_queue w
            where w.finished_at is null and w.topic = s.topic and (w.store, w.priority) > (s.store, s.priority)
            order by w.store, w.priority
            limit 1
        ) n
    )
    select array_agg(
        (l.topic, l.store, l.priorities, 0, false)::private.work_lane
        order by l.priorities[1], l.since, l.topic, l.store
    )
    into v_lanes
    from (
        select
            s.topic, s.store, array_agg(s.priority order by s.priority) as priorities,
            (array_agg(h.next_retry_at order by s.priority))[1] as since
        from step s
        cross join lateral (
            select w.next_retry_at
            from public.work_queue w
            where w.finished_at is null and (w.status <> 'processing' or w.lease_until < p_now)
                and w.topic = s.topic and w.store = s.store and w.priority = s.priority and w.next_retry_at <= p_now
            order by w.next_retry_at, w.id
            limit 1
        ) h
        where p_busy is null or s.topic || '/' || s.store <> all (p_busy)
        group by s.topic, s.store
    ) l;
    return v_lanes;
end;
$$;
revoke execute on function private.find_lanes(text[], text[], timestamptz) from public, anon;
comment on function private.find_lanes(text[], text[], timestamptz) is
    'The lanes of these topics in which something is due or its lease has run out, without those of p_busy (topic/store), and without quotas; null when there is none. Called by claim_work only; no error codes.';

create function public.claim_work(p_worker text, p_topics text[], p_limit integer, p_busy text[] default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
set plan_cache_mode = 'force_generic_plan'
as $$
-- definer because: nobody may write work_queue directly, the service role included.
declare
    v_limit integer := least(greatest(coalesce(p_limit, 0), 0), 1000);
    v_topics text[];
    v_lanes private.work_lane[];
    v_dead bigint[];
    v_given_up text[];
    v_quota integer;
    v_now timestamptz;
    v_wait_ms bigint;
    v_ids bigint[];
    v_expired boolean;
    v_answer jsonb;
begin
    if coalesce(p_worker, '') = '' then
        return private.fail('BAD_INPUT', 'p_worker must name the worker');
    end if;

    select coalesce(array_agg(t.topic), '{}') into v_topics
    from public.queue_topics t
    where t.topic = any(p_topics) and not t.paused;

    -- Two claims at once could each hand out one of two pushes of a SKU, as neither sees what the other has not
    -- committed. In a statement of its own: the next one then sees everything of whoever was first.
    if 'inventory_push' = any(v_topics) then
        perform pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('ordak/claim/inventory_push', 0));
    end if;

    -- The time of the claim is when it got here, not when it began to wait: rates are counted by it.
    v_now := pg_catalog.clock_timestamp();

    -- Where leases are bounded, or others wait for one of the same key, those that have run out give way at once.
    select array_agg(e.id) into v_ids
    from unnest(v_topics) as t (topic)
    cross join lateral (
        select w.id
        from public.work_queue w
        where w.counted and w.topic = t.topic and w.lease_until < v_now
        limit 1000
        for update skip locked
    ) e;
    if v_ids is not null then
        v_dead := private.release_expired_work(v_ids, v_now);
    end if;

    -- Once, unless leases have run out; so often that a claim gets past many that die of it, and ends.
    for v_pass in 1..10 loop
        v_ids := null;
        v_expired := null;
        v_wait_ms := null;
        v_lanes := private.find_lanes(v_topics, p_busy, v_now);
        exit when v_lanes is null or v_limit = 0;
        select g.lanes, g.wait_ms into v_lanes, v_wait_ms from private.admit_lanes(v_lanes, v_limit, v_now) g;

        if cardinality(v_lanes) = 1 and v_lanes[1].topic <> 'inventory_push' then
            -- The usual case, in which nothing is shared and no two items belong together.
            v_quota := case when v_lanes[1].gated then v_lanes[1].quota else v_limit end;
            select array_agg(f.id), bool_or(f.expired)
            into v_ids, v_expired
            from (
                select d.id, d.expired
                from unnest(v_lanes[1].priorities) as p (priority)
                cross join lateral (
                    select w.id, w.status = 'processing' as expired
                    from public.work_queue w
                    where w.finished_at is null and (w.status <> 'processing' or w.lease_until < v_now)
                        and w.topic = v_lanes[1].topic and w.store = v_lanes[1].store and w.priority = p.priority
                        and w.next_retry_at <= v_now
                    order by w.next_retry_at, w.id
                    limit v_quota
                    for update skip locked
                ) d
                limit v_quota
            ) f;
        else
            select c.ids, c.expired into v_ids, v_expired
            from private.choose_work(v_lanes, v_topics, v_limit, v_now) c;
        end if;
        exit when v_expired is not true;

        -- What a worker let go is due like anything else once that is on record, unless it has died of it: then there is
        -- somebody to be told. Nobody reports that: whoever claims hears of it.
        v_dead := v_dead || private.release_expired_work(v_ids, v_now);
        v_ids := null;
        v_wait_ms := 1;
    end loop;

    with claimed as (
        update public.work_queue w set
            status = 'processing',
            locked_at = v_now,
            locked_by = p_worker,
            lease_until = v_now + make_interval(secs => t.lease_seconds),
            counted = case when t.concurrency is not null or w.serial_key is not null then true end,
            fence = w.fence + 1
        from public.queue_topics t
        where w.id = any(v_ids) and t.topic = w.topic
        returning w.*
    )
    -- What private.ok makes, of records at once: an object for each item takes twice as long, and each function that
    -- puts json into json copies all of it.
    select to_jsonb(answer)
    into v_answer
    from (
        select true as ok, data, false as already_done
        from (
            select array_agg(i.item order by i.priority, i.next_retry_at, i.id) as items
            from (
                select c.priority, c.next_retry_at, c.id, item
                from claimed c
                join public.stores s on s.key = c.store
                left join public.inventory_items i
                    on c.topic = 'inventory_push' and i.store = c.store and i.sku = c.payload ->> 'sku'
                left join public.stock_settings g on g.store = i.store
                cross join lateral (
                    select
                        c.id,
                        c.topic,
                        c.store,
                        s.shop_domain,
                        -- Readers give up at 128 levels, and with the item on all that came with it.
                        case when not c.payload @? '$.**{100}' then c.payload end as payload,
                        c.dedupe_key,
                        c.fence,
                        c.retry_count + 1 as attempt,
                        c.lease_until,
                        case when i.id is not null then jsonb_build_object(
                            'sku', i.sku,
                            'ats', i.ats,
                            'inventory_item_gid', i.shopify_inventory_item_gid,
                            'location_gid', coalesce(i.shopify_location_gid, g.location_gid),
                            'change_from', i.pushed_quantity
                        ) end as context
                ) item
            ) i
            having count(*) > 0
        ) data
    ) answer;

    v_answer := coalesce(v_answer, private.ok('{"items": []}'));
    if v_ids is not null and exists (select 1 from unnest(v_lanes) as l where l.gated) then
        perform private.settle_lanes(v_answer #> '{data,items}', v_now);
    end if;
    if v_dead is not null then
        -- Keys of alerts are shared with whoever reports results, and may have to be waited for: after every other lock.
        perform private.alert_dead_work(v_dead);
        v_wait_ms := case when 'slack_alert' = any(v_topics) then 1 else v_wait_ms end;
        select array_agg(w.topic order by w.topic) into v_given_up from public.work_queue w where w.id = any(v_dead);
    end if;
    if v_wait_ms is not null or v_given_up is not null then
        v_answer := jsonb_set(v_answer, '{data}', (v_answer -> 'data') || jsonb_strip_nulls(
            jsonb_build_object('retry_in_ms', v_wait_ms, 'given_up', v_given_up)
        ));
    end if;
    return v_answer;
end;
$$;
revoke execute on function public.claim_work(text, text[], integer, text[]) from public, anon, authenticated;
grant execute on function public.claim_work(text, text[], integer, text[]) to service_role;
comment on function public.claim_work(text, text[], integer, text[]) is
    'Leases up to p_limit (at most 1000) due items of the given topics to the worker. Each topic and store gets an equal share, and what others leave of theirs; within one by priority, then by how long an item has been due; items with the same serial key together, and none while another worker has one of them. Paused topics are skipped; rates, bounds of concurrency, calls for patience and open circuit breakers are kept, of a breaker that waited long enough one item in all. p_busy are lanes (topic/store) of which the worker has enough. Returns {items: [{id, topic, store, shop_domain, payload, dedupe_key, fence, attempt, lease_until, context}]}, retry_in_ms when something due is held back for so long, and given_up, the topics of items that have died of their leases, one for each, when there are any: nobody reports those. context of an inventory_push is the stock of its SKU at this moment and the level that Shopify confirmed last, null when the SKU is unknown. Callable by service_role. Codes: BAD_INPUT.';
