-- How much of what is due may leave now: fair shares, and the gates that rates, bounds of concurrency, calls for
-- patience and circuit breakers are. Every claim asks here, so that all workers together keep to them.

create table private.work_gates (
    topic text not null references public.queue_topics (topic) on delete cascade,
    store text not null,
    taken_at timestamptz[] not null default '{}',
    taken integer[] not null default '{}',
    created_at timestamptz not null default now(),
    primary key (topic, store),
    check (cardinality(taken_at) = cardinality(taken))
);
revoke all on private.work_gates from public, anon, authenticated, service_role;
comment on table private.work_gates is
    'What was given out of a topic with a limit and when, as far back as its rate counts; store is empty where the limit is of the whole topic. Its lock makes claims of what is limited one at a time.';

create function private.admit_lanes(
    p_lanes private.work_lane[],
    p_limit integer,
    p_now timestamptz,
    out lanes private.work_lane[],
    out wait_ms bigint
)
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_count integer := cardinality(p_lanes);
    v_probes text[];
    v_gates text[];
begin
    if not exists (
        select 1
        from unnest(p_lanes) as l
        join public.queue_topics t on t.topic = l.topic
        left join public.circuit_breakers b on b.store = l.store and b.upstream = t.upstream
        where t.rate_max is not null or t.concurrency is not null or b.state <> 'closed' or b.throttled_until > p_now
            or b.recent ~ '1$'
    ) then
        -- Nothing is limited: all get the same.
        select array_agg(
            (l.topic, l.store, l.priorities, p_limit / v_count + (l.no <= p_limit % v_count)::integer, false)::private.work_lane
            order by l.no
        )
        into lanes
        from unnest(p_lanes) with ordinality as l (topic, store, priorities, quota, gated, no)
        where l.no <= p_limit;
        return;
    end if;

    -- One of all claims may send the item that tries a system again. Whoever comes at the same moment goes without:
    -- nothing here is waited for.
    select array_agg(p.store || '/' || p.upstream) into v_probes
    from (
        select b.store, b.upstream
        from public.circuit_breakers b
        where b.state <> 'closed' and b.retry_at <= p_now and coalesce(b.throttled_until <= p_now, true)
            and (b.store, b.upstream) in (
                select l.store, t.upstream from unnest(p_lanes) as l join public.queue_topics t on t.topic = l.topic
            )
        order by b.store, b.upstream
        for update skip locked
    ) p;

    insert into private.work_gates (topic, store)
    select distinct l.topic, g.store
    from unnest(p_lanes) as l
    join public.queue_topics t on t.topic = l.topic
    cross join lateral (
        select case t.rate_scope when 'store' then l.store else '' end as store where t.rate_max is not null
        union
        select '' where t.concurrency is not null
    ) g
    where not exists (select 1 from private.work_gates k where k.topic = l.topic and k.store = g.store)
    order by l.topic, g.store
    on conflict do nothing;

    -- In a statement of its own: the next one then sees everything of whoever had a gate before.
    select array_agg(k.topic || '/' || k.store) into v_gates
    from (
        select g.topic, g.store
        from private.work_gates g
        where exists (
            select 1
            from unnest(p_lanes) as l
            join public.queue_topics t on t.topic = l.topic
            where t.topic = g.topic and (
                t.rate_max is not null and g.store = case t.rate_scope when 'store' then l.store else '' end
                or t.concurrency is not null and g.store = ''
            )
        )
        order by g.topic, g.store
        for update skip locked
    ) k;

    with lane as materialized (
        select
            l.topic, l.store, l.priorities, l.no, t.upstream, t.rate_max, t.concurrency,
            make_interval(secs => t.rate_duration_ms / 1000.0) as period,
            case t.rate_scope when 'store' then l.store else '' end as scope
        from unnest(p_lanes) with ordinality as l (topic, store, priorities, quota, gated, no)
        join public.queue_topics t on t.topic = l.topic
    ),
    gate as materialized (
        select g.topic, g.store, g.taken_at, g.taken
        from private.work_gates g
        where g.topic || '/' || g.store = any(v_gates)
    ),
    busy as materialized (
        select bound.topic, b.store, b.items
        from (select distinct a.topic from lane a where a.concurrency is not null) bound
        cross join lateral (
            select w.store, count(*) as items
            from public.work_queue w
            where w.counted and w.topic = bound.topic
            group by w.store
        ) b
    ),
    -- How many may leave for each limit, null where there is none; a gate that another claim has lets nothing through.
    room as materialized (
        select
            a.*,
            case when a.rate_max is not null then
                case when r.topic is null then 0 else greatest(a.rate_max - used.items, 0) end
            end as by_rate,
            case when a.concurrency is not null then
                case when c.topic is null then 0
                    else greatest(
                        a.concurrency - coalesce((select sum(y.items) from busy y where y.topic = a.topic), 0), 0
                    ) end
            end as by_concurrency,
            coalesce((select y.items from busy y where y.topic = a.topic and y.store = a.store), 0) as under_way,
            pg_catalog.random() as luck,
            -- After a failure no more than what would open the breaker, until something succeeds.
            case
                when b.state <> 'closed' then (a.store || '/' || a.upstream = any(coalesce(v_probes, '{}')))::integer
                when b.recent ~ '1$' then greatest(5 - length(substring(b.recent from '1+$')), 1)
            end as by_breaker,
            b.throttled_until > p_now as throttled,
            case
                when b.throttled_until > p_now then b.throttled_until
                when b.state <> 'closed' then b.retry_at
                when a.rate_max is not null then coalesce(used.frees_at, p_now + interval '50 milliseconds')
            end as again_at
        from lane a
        left join public.circuit_breakers b on b.store = a.store and b.upstream = a.upstream
        left join gate r on a.rate_max is not null and r.topic = a.topic and r.store = a.scope
        left join gate c on a.concurrency is not null and c.topic = a.topic and c.store = ''
        cross join lateral (
            select coalesce(sum(k.items), 0) as items, min(k.at) + a.period as frees_at
            from unnest(r.taken_at, r.taken) as k (at, items)
            where k.at > p_now - a.period
        ) used
    ),
    open as (
        select m.*, row_number() over (order by m.no) as turn, count(*) over () as lanes
        from room m
        where not coalesce(m.throttled, false)
            and least(m.by_rate, m.by_concurrency, m.by_breaker, 1) > 0
    ),
    -- No store gets more of what a rate or bound lets through than its part among those behind it.
    fair as (
        select
            o.*,
            least(
                p_limit / o.lanes + (o.turn <= p_limit % o.lanes)::integer,
                ceil(o.by_rate::numeric / count(*) over (partition by o.topic, o.scope)),
                ceil(o.by_concurrency::numeric / count(*) over (partition by o.topic))
            )::integer as share
        from open o
        where o.turn <= p_limit
    ),
    -- Where there is less than one for each, who has the least under way goes first, then what is urgent, then chance:
    -- by age a flood would be first for as long as it lasts.
    granted as (
        select
            f.*,
            least(
                f.share,
                f.by_rate - coalesce(sum(f.share) over before_in_rate, 0),
                f.by_concurrency - coalesce(sum(f.share) over before_in_topic, 0),
                f.by_breaker - coalesce(sum(f.share) over before_at_system, 0)
            ) as quota
        from fair f
        window
            before_in_rate as (
                partition by f.topic, f.scope order by f.under_way, f.priorities[1], f.luck
                rows between unbounded preceding and 1 preceding
            ),
            before_in_topic as (
                partition by f.topic order by f.under_way, f.priorities[1], f.luck
                rows between unbounded preceding and 1 preceding
            ),
            before_at_system as (
                partition by f.store, f.upstream order by f.no rows between unbounded preceding and 1 preceding
            )
    )
    select
        array_agg(
            (
                g.topic, g.store, g.priorities, g.quota,
                coalesce(g.by_rate, g.by_concurrency, g.by_breaker) is not null
            )::private.work_lane
            order by g.no
        ),
        (
            select greatest(ceil(extract(epoch from min(m.again_at) - p_now) * 1000), 1)
            from room m
            where m.throttled or least(m.by_rate, m.by_breaker, 1) = 0
        )
    into lanes, wait_ms
    from granted g
    where g.quota > 0;
end;
$$;
revoke execute on function private.admit_lanes(private.work_lane[], integer, timestamptz) from public, anon;
comment on function private.admit_lanes(private.work_lane[], integer, timestamptz) is
    'Shares p_limit among lanes as far as their gates let work through: lanes are those that get anything, with their quota; wait_ms is how long until something that is held back may leave. Called by claim_work only; no error codes.';

create function private.settle_lanes(p_items jsonb, p_now timestamptz)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    update private.work_gates g set (taken_at, taken) = (
        select array_agg(k.at order by k.at), array_agg(k.items order by k.at)
        from (
            select o.at, o.items
            from unnest(g.taken_at, g.taken) as o (at, items)
            where o.at > p_now - c.period
            union all
            select p_now, c.items
        ) k
    )
    from (
        select
            t.topic, case t.rate_scope when 'store' then i.store else '' end as store,
            make_interval(secs => t.rate_duration_ms / 1000.0) as period, count(*)::integer as items
        from jsonb_to_recordset(p_items) as i (topic text, store text)
        join public.queue_topics t on t.topic = i.topic
        where t.rate_max is not null
        group by 1, 2, 3
    ) c
    where g.topic = c.topic and g.store = c.store;

    -- What is open and due was locked by this claim and let one item through.
    update public.circuit_breakers b set
        state = 'half_open', probe_id = i.id, retry_at = i.lease_until, updated_at = p_now
    from jsonb_to_recordset(p_items) as i (id bigint, topic text, store text, lease_until timestamptz)
    join public.queue_topics t on t.topic = i.topic
    where b.store = i.store and b.upstream = t.upstream and b.state <> 'closed' and b.retry_at <= p_now;
end;
$$;
revoke execute on function private.settle_lanes(jsonb, timestamptz) from public, anon;
comment on function private.settle_lanes(jsonb, timestamptz) is
    'Notes what a claim took through the gates, and which items try a system again. Called by claim_work only; no error codes.';
