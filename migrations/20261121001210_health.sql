-- The state of the queue for the health answer.

-- Its condition says of what is dead what is true of it alone and is not changed by a claim.
create index work_queue_dead_idx on public.work_queue (id)
    where finished_at is not null and error_class is not null and discarded_at is null;

create function public.get_health()
returns jsonb
language sql
stable
set search_path = ''
as $$
    with waiting as (
        select count(*) as pending, count(*) filter (where w.error_class = 'misconfigured') as misconfigured
        from public.work_queue w
        where w.finished_at is null and w.status in ('pending', 'error')
    ),
    -- What a drain would take now: due rows, and rows whose worker lost its lease. A paused topic is no fault.
    due as (
        select min(item.since) as since
        from (
            select w.topic, w.next_retry_at as since
            from public.work_queue w
            where w.finished_at is null and w.status in ('pending', 'error') and w.next_retry_at <= now()
            union all
            select w.topic, w.lease_until
            from public.work_queue w
            where w.finished_at is null and w.status = 'processing' and w.lease_until <= now()
        ) item
        left join public.queue_topics t on t.topic = item.topic
        where not coalesce(t.paused, false)
    ),
    recent as (
        select
            coalesce(sum(r.done), 0) as done,
            coalesce(sum(r.done + r.retried + r.dead), 0) as handled
        from public.worker_runs r
        where r.finished_at > now() - interval '5 minutes'
    )
    select private.ok(
        jsonb_build_object(
            'pending', (select waiting.pending from waiting),
            'misconfigured', (select waiting.misconfigured from waiting),
            'oldest_pending_s', (
                select coalesce(floor(extract(epoch from now() - due.since)), 0)::bigint from due
            ),
            -- What a supervisor discarded needs nobody's attention any more.
            'dead', (
                select count(*)
                from public.work_queue w
                where w.finished_at is not null and w.error_class is not null and w.discarded_at is null
                    and w.status = 'dead'
            ),
            'items_per_min', (select round(recent.handled / 5.0, 1) from recent),
            'error_rate', (
                select case when recent.handled = 0 then 0
                    else round((recent.handled - recent.done)::numeric / recent.handled, 4) end
                from recent
            ),
            'last_run_at', (select max(r.finished_at) from public.worker_runs r),
            'open_circuits', (select count(*) from public.circuit_breakers b where b.state <> 'closed')
        )
    );
$$;
revoke execute on function public.get_health() from public, anon;
grant execute on function public.get_health() to service_role;
comment on function public.get_health() is
    'Backlog, how much of it waits for a setting that is missing or wrong, age of the oldest due item in seconds, dead items; items a minute and share of failures over the last 5 minutes; last drain; how many circuit breakers hold work back. Callable by service_role only; no error codes.';
