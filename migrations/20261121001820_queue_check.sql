-- What nobody does although it should be done: work that no drain takes, and events that no retry stands for.

create function private.alert_overdue_work()
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_items bigint;
begin
    with overdue as materialized (
        select w.store, w.topic, w.next_retry_at as since
        from public.work_queue w
        where w.finished_at is null and w.status in ('pending', 'error') and w.next_retry_at < now() - interval '15 minutes'
        union all
        select w.store, w.topic, w.lease_until
        from public.work_queue w
        where w.finished_at is null and w.status = 'processing' and w.lease_until < now() - interval '15 minutes'
    ),
    late as materialized (
        -- What is paused, has no worker yet or meets an open breaker waits because somebody wants it to; so does what
        -- meets a call for patience, and when that has ended it gets the time that anything else has.
        select
            o.store, count(*) as items, to_jsonb(array_agg(distinct o.topic)) as topics,
            ceil(extract(epoch from now() - min(o.since)) / 60) as minutes
        from overdue o
        join public.queue_topics t on t.topic = o.topic and not t.paused
        where not exists (
            select 1
            from public.circuit_breakers b
            where b.store = o.store and b.upstream = t.upstream
                and (b.state <> 'closed' or b.throttled_until > now() - interval '15 minutes')
        )
        group by o.store
    ),
    told as materialized (
        select
            l.items,
            private.enqueue_alert(l.store, 'worker_stuck', jsonb_build_object(
                'items', l.items, 'topics', l.topics, 'oldest_minutes', l.minutes
            ))
        from late l
    )
    select coalesce(sum(t.items), 0) into v_items from told t;
    return v_items;
end;
$$;
revoke execute on function private.alert_overdue_work() from public, anon, authenticated;
comment on function private.alert_overdue_work() is
    'Has people told of work that has been due for over 15 minutes, once for each store. Returns how many items. Called by check_queue only; no error codes.';

create function public.check_queue()
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write work_queue directly, the service role included.
declare
    v_overdue bigint := private.alert_overdue_work();
    v_events bigint[];
    v_orphans bigint;
begin
    v_events := array(
        select e.id
        from public.event_store e
        where e.processed_at is null and e.received_at < now() - interval '1 hour'
            -- A retry that was given up is for a person to decide.
            and not exists (
                select 1
                from public.work_queue w
                where w.topic = 'order_ingest_retry' and w.dedupe_key = coalesce(e.ref_id, 'event/' || e.id)
                    and w.status <> 'done'
            )
        order by e.received_at
        limit 1000
    );

    -- Work that is there by id, as everybody takes several of it.
    perform 1
    from public.event_store e
    join public.work_queue w
        on w.topic = 'order_ingest_retry' and w.dedupe_key = coalesce(e.ref_id, 'event/' || e.id)
    where e.id = any(v_events)
    order by w.id
    for no key update of w;
    select count(private.enqueue_ingest_retry(o.store, o.ref_id, o.id)) into v_orphans
    from (
        select e.store, e.ref_id, e.id
        from public.event_store e
        where e.id = any(v_events)
        order by coalesce(e.ref_id, 'event/' || e.id), e.id
    ) o;
    return private.ok(jsonb_build_object('overdue', v_overdue, 'orphans', v_orphans), v_orphans < 1000);
end;
$$;
revoke execute on function public.check_queue() from public, anon, authenticated;
grant execute on function public.check_queue() to service_role;
comment on function public.check_queue() is
    'Has people told of work that has been due for over 15 minutes, and has events applied that have waited for over an hour without a retry. Returns {overdue, orphans}; already_done when no orphan is left. Callable by service_role. No error codes.';
