-- Reporting results: one call for a whole batch, accepted only from the worker that still holds the lease.

create function private.backoff_ms(p_backoff text, p_base_ms integer, p_failures integer, p_random double precision)
returns bigint
language sql
immutable
set search_path = ''
as $$
    select least(
        3600000,
        p_base_ms
            * case when p_backoff = 'exponential' then 2.0 ^ least(greatest(p_failures - 1, 0), 20) else 1 end
            * (0.8 + 0.4 * p_random)
    )::bigint;
$$;
revoke execute on function private.backoff_ms(text, integer, integer, double precision) from public, anon;
comment on function private.backoff_ms(text, integer, integer, double precision) is
    'How long to wait after this many failures, in milliseconds: fixed or doubling, spread by 20 percent either way (p_random from 0 to 1), at most an hour.';

create function private.alert_dead_work(p_ids bigint[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- An alert that cannot be told is not told by another one.
    perform private.enqueue_alert(d.store, 'dead_work', jsonb_build_object('topics', d.topics, 'items', d.items))
    from (
        select w.store, jsonb_agg(distinct w.topic) as topics, count(*) as items
        from public.work_queue w
        where w.id = any(p_ids) and w.topic <> 'slack_alert'
        group by w.store
        order by w.store
    ) d;
end;
$$;
revoke execute on function private.alert_dead_work(bigint[]) from public, anon;
comment on function private.alert_dead_work(bigint[]) is
    'Has people told that these items were given up, once for each store. Called by other functions only; no error codes.';

create function private.finish_work(p_worker text, p_ids bigint[], p_fences bigint[])
returns integer
language plpgsql
volatile
set search_path = ''
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
    v_done integer;
begin
    -- Row by row, in the order of their ids, as everybody takes several of them, however small the table is. A worker that
    -- lost its lease meets a higher fence and changes nothing, also where it had to wait for the row.
    update public.work_queue w set
        status = 'done',
        error_class = null,
        last_error = null,
        locked_at = null,
        locked_by = null,
        lease_until = null,
        counted = null,
        finished_at = now()
    from (
        select u.id, u.fence from unnest(p_ids, p_fences) as u (id, fence) order by u.id
    ) r
    where w.id = r.id and w.status = 'processing' and w.locked_by = p_worker and w.fence = r.fence;

    get diagnostics v_done = row_count;
    return v_done;
end;
$$;
revoke execute on function private.finish_work(text, bigint[], bigint[]) from public, anon;
comment on function private.finish_work(text, bigint[], bigint[]) is
    'Marks those of these items done that the worker holds by these fences, and returns how many. Called by report_work only; no error codes.';

create function public.report_work(p_worker text, p_results jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write work_queue directly, the service role included.
declare
    v_ids bigint[];
    v_fences bigint[];
    v_done integer;
    v_plain boolean;
    v_news boolean;
    v_data jsonb;
    v_dead bigint[];
    v_unset jsonb;
    v_calls jsonb;
begin
    if p_results is null or jsonb_typeof(p_results) <> 'array' then
        return private.fail('BAD_INPUT', 'p_results must be an array');
    end if;

    -- Successes of systems that do not fail are nothing new.
    select
        array_agg(r.id), array_agg(r.fence), coalesce(bool_and(r.outcome = 'done' and r.pushed is null), false),
        coalesce(bool_or(r.outcome is distinct from 'done'), false)
    into v_ids, v_fences, v_plain, v_news
    from jsonb_to_recordset(p_results) as r (id bigint, fence bigint, outcome text, pushed integer);
    v_news := v_news or exists (select 1 from public.circuit_breakers b where b.state <> 'closed' or b.recent ~ '1');

    -- The usual case, in which nothing is weighed: it costs half.
    if v_plain and not v_news then
        v_done := private.finish_work(p_worker, v_ids, v_fences);
        return private.ok(jsonb_build_object(
            'done', v_done, 'retried', 0, 'dead', 0, 'ignored', cardinality(v_ids) - v_done
        ));
    end if;

    with results as materialized (
        select distinct on (r.id)
            r.id,
            r.fence,
            r.place,
            r.job,
            coalesce(r.outcome = 'done', false) as done,
            coalesce(r.outcome = 'stale', false) as stale,
            coalesce(r.outcome = 'released', false) as released,
            coalesce(r.outcome = 'throttled', false) as throttled,
            coalesce(r.outcome = 'postponed', false) as postponed,
            case when r.outcome = 'done' then r.pushed end as pushed,
            case when r.error_class in ('permanent', 'limit', 'misconfigured') then r.error_class else 'transient' end
                as error_class,
            left(coalesce(r.error, 'no reason given'), 500) as error,
            least(greatest(coalesce(r.retry_after_ms, 0), 0), 86400000)::bigint as retry_after_ms
        from rows from (
            jsonb_to_recordset(p_results) as (
                id bigint, fence bigint, outcome text, pushed integer, error_class text, error text,
                retry_after_ms numeric, job bigint
            )
        ) with ordinality as r (id, fence, outcome, pushed, error_class, error, retry_after_ms, job, place)
        order by r.id
    ),
    mine as materialized (
        select
            w.id, w.retry_count, w.max_retries, r.done, r.released, r.throttled, r.postponed, r.pushed, r.error_class,
            r.error, r.retry_after_ms, r.place, r.job, t.upstream, i.id as item_id,
            r.stale and i.pushed_quantity is not null as stale,
            r.error_class = 'misconfigured' and w.error_class is distinct from 'misconfigured' as unset,
            -- An outside system that asks for patience, or is just tried again, is no fault of the item; nor is one of
            -- our own. For a day from its making, or since a person had it done again: nothing goes round for ever.
            (r.throttled or r.postponed or r.error_class = 'transient' and coalesce(b.probe_id = w.id, false))
                and (w.created_at > now() - interval '1 day' or exists (
                    select 1
                    from public.work_audit a
                    where a.store = w.store and a.work_id = w.id and a.action = 'retry'
                        and a.created_at > now() - interval '1 day'
                )) as spared,
            coalesce(t.backoff, 'exponential') as backoff, coalesce(t.base_ms, 5000) as base_ms
        from public.work_queue w
        join results r on r.id = w.id
        left join public.queue_topics t on t.topic = w.topic
        left join public.circuit_breakers b on b.store = w.store and b.upstream = t.upstream
        left join public.inventory_items i
            on w.topic = 'inventory_push' and i.store = w.store and i.sku = w.payload ->> 'sku'
        -- A worker that lost its lease meets a higher fence here and changes nothing.
        where w.status = 'processing' and w.locked_by = p_worker and w.fence = r.fence
        order by w.id
        for update of w
    ),
    counted as (
        select m.*, m.retry_count + (not (m.done or m.stale or m.released or m.spared))::integer as failures
        from mine m
    ),
    decided as (
        select
            c.*,
            case
                when c.done then 'done'
                when c.released then case when c.retry_count = 0 then 'pending' else 'error' end
                when c.stale or c.spared then 'error'
                when c.error_class = 'permanent' or c.failures >= c.max_retries then 'dead'
                else 'error'
            end::public.work_status as status,
            -- What a plan or quota forbids now, it will not allow in some seconds.
            case when not c.done then greatest(
                private.backoff_ms(c.backoff, c.base_ms, c.failures, random()), c.retry_after_ms,
                case when c.error_class = 'limit' then 3600000 end
            ) end as wait_ms
        from counted c
    ),
    changed as (
        update public.work_queue w set
            status = d.status,
            retry_count = d.failures,
            -- Compared with a level that Shopify has left behind: nobody failed, and nothing is compared next time.
            next_retry_at = case
                when d.status in ('done', 'dead') or d.released then w.next_retry_at
                when d.stale then now()
                when d.throttled and d.retry_after_ms > 0 then now() + make_interval(secs => d.retry_after_ms / 1000.0)
                else now() + make_interval(secs => d.wait_ms / 1000.0)
            end,
            error_class = case when d.done then null when d.released then w.error_class else d.error_class end,
            last_error = case when d.done then null when d.released then w.last_error else d.error end,
            locked_at = null,
            locked_by = null,
            lease_until = null,
            counted = null,
            finished_at = case when d.status in ('done', 'dead') then now() end
        from decided d
        where w.id = d.id
        returning
            w.id, w.store, w.topic, w.payload, w.status, w.fence, w.last_error, w.next_retry_at,
            d.done, d.stale, d.released, d.throttled, d.postponed, d.unset, d.error_class, d.upstream, d.place, d.job
    ),
    letters as (
        insert into public.dead_letters (store, source, topic, reason, external_id, body, encoding, work_id)
        select c.store, 'work_queue', c.topic, c.last_error, c.id || '/' || c.fence, c.payload::text, 'json', c.id
        from changed c
        where c.status = 'dead'
        on conflict (source, external_id) do nothing
    ),
    levels as materialized (
        -- In the order in which orders lock stock. Nobody else writes these: the items were in no other hand.
        select i.id, max(d.pushed) filter (where d.done) as pushed
        from decided d
        join public.inventory_items i on i.id = d.item_id
        where d.pushed is not null or d.stale
        group by i.id
    ),
    locked as materialized (
        select i.id, l.pushed
        from public.inventory_items i
        join levels l on l.id = i.id
        where i.pushed_quantity is distinct from l.pushed
        order by i.store, i.sku
        for no key update of i
    ),
    known as (
        update public.inventory_items i set pushed_quantity = k.pushed
        from locked k
        where i.id = k.id
    )
    select jsonb_build_object(
        'done', count(*) filter (where c.status = 'done'),
        'retried', count(*) filter (where c.status = 'error' and not c.stale and not c.released),
        'dead', count(*) filter (where c.status = 'dead'),
        'ignored', jsonb_array_length(p_results) - count(*)
    )
        || case when bool_or(c.stale) then jsonb_build_object('stale', count(*) filter (where c.stale)) else '{}' end
        || case when bool_or(c.released) then jsonb_build_object('released', count(*) filter (where c.released))
            else '{}' end,
        array_agg(c.id) filter (where c.status = 'dead'),
        -- Slack cannot tell people that it is not set right; the health answer does.
        jsonb_agg(jsonb_build_object('store', c.store, 'topic', c.topic, 'error', c.last_error))
            filter (where c.unset and not c.done and not c.released and c.upstream is distinct from 'slack'),
        -- What was refused for its own sake, or never tried, says nothing about the system it was meant for.
        jsonb_agg(jsonb_build_object(
            'place', c.place, 'id', c.id, 'store', c.store, 'upstream', c.upstream, 'job', c.job, 'error', c.last_error,
            'failed', case
                when c.done or c.stale then false
                when not c.throttled and not c.released and not c.postponed and c.error_class = 'transient' then true
            end,
            'wait_ms', case when c.throttled then ceil(extract(epoch from c.next_retry_at - now()) * 1000) end
        )) filter (where v_news and c.upstream is not null)
    into v_data, v_dead, v_unset, v_calls
    from changed c;

    -- Breakers before keys of alerts, in which claims that hold a breaker may have to wait for us.
    if exists (
        select 1
        from jsonb_to_recordset(v_calls) as r (store text, upstream text, failed boolean, wait_ms bigint)
        left join public.circuit_breakers b on b.store = r.store and b.upstream = r.upstream
        where r.failed or r.wait_ms is not null or b.state <> 'closed' or b.recent ~ '1'
    ) then
        perform private.judge_circuits(v_calls);
    end if;
    if v_dead is not null then
        perform private.alert_dead_work(v_dead);
    end if;
    if v_unset is not null then
        perform private.enqueue_alert(
            u.store, 'misconfigured', jsonb_build_object('topics', jsonb_build_array(u.topic), 'error', u.error), u.topic
        )
        from (
            select r.store, r.topic, min(r.error) as error
            from jsonb_to_recordset(v_unset) as r (store text, topic text, error text)
            group by r.store, r.topic
            order by r.store, r.topic
        ) u;
    end if;

    return private.ok(v_data);
end;
$$;
revoke execute on function public.report_work(text, jsonb) from public, anon, authenticated;
grant execute on function public.report_work(text, jsonb) to service_role;
comment on function public.report_work(text, jsonb) is
    'Takes the results of a batch, [{id, fence, outcome: done|stale|throttled|postponed|released|failed, pushed, error_class, error, retry_after_ms, job}]: done, with the level that Shopify now has; stale, compared with a level that it no longer had, which is forgotten, and due again at once; throttled, the upstream asked for patience, which costs no attempt within a day of the item''s making, or of a retry that a person asked for, and holds back all that the store wants of that upstream; postponed, a fault of our own kept it from being tried, which as well costs no attempt within a day and says nothing of the upstream, error_class misconfigured where people have to set something, who are told; released, not tried, and due as before; or failed: retried later with backoff (never before retry_after_ms; after an hour when a plan or quota is used up, error_class limit), or, after the last attempt or a permanent error, dead with a dead letter and an alert. Results with the same job came from one call: the circuit breaker counts calls. A result whose fence or worker does not hold the lease is ignored. Returns {done, retried, dead, ignored}, and stale and released when there are any. Callable by service_role. Codes: BAD_INPUT.';

create function public.record_worker_run(
    p_worker text,
    p_started_at timestamptz,
    p_claimed integer,
    p_done integer,
    p_retried integer,
    p_dead integer,
    p_by_topic jsonb
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write worker_runs directly, the service role included.
declare
    v_id bigint;
begin
    if coalesce(p_worker, '') = '' then
        return private.fail('BAD_INPUT', 'p_worker must name the worker');
    end if;

    perform private.alert_unknown_topics();

    -- Every change wakes a drain, and most find that another has done the work: they add nothing to any figure but
    -- that somebody drains. A little less than a minute, so that each tick of the clock is on record.
    if coalesce(p_claimed, 0) = 0 and coalesce(p_dead, 0) = 0 and exists (
        select 1 from public.worker_runs r where r.finished_at > now() - interval '50 seconds'
    ) then
        return private.ok(jsonb_build_object('id', null), true);
    end if;

    insert into public.worker_runs (worker, started_at, claimed, done, retried, dead, by_topic)
    values (
        left(p_worker, 200), coalesce(p_started_at, now()), coalesce(p_claimed, 0), coalesce(p_done, 0),
        coalesce(p_retried, 0), coalesce(p_dead, 0), coalesce(p_by_topic, '{}'::jsonb)
    )
    returning id into v_id;

    return private.ok(jsonb_build_object('id', v_id));
end;
$$;
revoke execute on function public.record_worker_run(text, timestamptz, integer, integer, integer, integer, jsonb)
    from public, anon, authenticated;
grant execute on function public.record_worker_run(text, timestamptz, integer, integer, integer, integer, jsonb)
    to service_role;
comment on function public.record_worker_run(text, timestamptz, integer, integer, integer, integer, jsonb) is
    'Records one drain, from which health reads rates and the time of the last run. One that claimed nothing, and found nothing dead, is left out when another was recorded within 50 seconds: the last run is at most so much later than it says. Has people told of work under an unknown topic. Returns {id}, null when left out. Callable by service_role. Codes: BAD_INPUT.';
