-- Which due items a claim gets when several stores and topics share it, or items belong together.

create function private.choose_work(
    p_lanes private.work_lane[],
    p_topics text[],
    p_limit integer,
    p_now timestamptz,
    out ids bigint[],
    out expired boolean
)
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- Materialized, and locked inside: another plan could otherwise run the selection again for every row and
    -- claim far more than the limit. One arm a lane and priority, so that each reads just the due part of the index
    -- and stops at its share; rows that are not due cost nothing.
    -- (offset 0 keeps the planner from listing all busy keys in place of looking for one.)
    with lanes as materialized (
        select l.topic, l.store, l.priorities, l.quota, l.gated, l.no
        from unnest(p_lanes) with ordinality as l (topic, store, priorities, quota, gated, no)
    ),
    share as materialized (
        select l.no, r.id, r.priority, r.next_retry_at, r.serial_key, r.expired
        from lanes l
        cross join lateral (
            select f.id, f.priority, f.next_retry_at, f.serial_key, f.expired
            from unnest(l.priorities) as p (priority)
            cross join lateral (
                select w.id, w.priority, w.next_retry_at, w.serial_key, w.status = 'processing' as expired
                from public.work_queue w
                where w.finished_at is null and (w.status <> 'processing' or w.lease_until < p_now)
                    and w.topic = l.topic and w.store = l.store and w.priority = p.priority
                    and w.next_retry_at <= p_now
                    and (w.serial_key is null or not exists (
                        select 1
                        from public.work_queue b
                        where b.finished_at is null and b.serial_key = w.serial_key and b.serial_busy
                            and (b.lease_until < p_now) is not true
                        offset 0
                    ))
                order by w.next_retry_at, w.id
                limit l.quota
                for update skip locked
            ) f
            limit l.quota
        ) r
    ),
    -- Where a lane that got its share goes on.
    filled as materialized (
        select l.no, l.topic, l.store, l.priorities, l.gated, e.priority, e.next_retry_at, e.id
        from lanes l
        join (
            select distinct on (s.no)
                s.no, s.priority, s.next_retry_at, s.id, count(*) over (partition by s.no) as taken
            from share s
            order by s.no, s.priority desc, s.next_retry_at desc, s.id desc
        ) e on e.no = l.no
        where e.taken >= l.quota
    ),
    -- What others left of their shares.
    rest as materialized (
        select l.no, f.id, f.priority, f.next_retry_at, f.serial_key, f.expired
        from filled l
        cross join lateral unnest(l.priorities) as p (priority)
        cross join lateral (
            select w.id, w.priority, w.next_retry_at, w.serial_key, w.status = 'processing' as expired
            from public.work_queue w
            where w.finished_at is null and (w.status <> 'processing' or w.lease_until < p_now)
                and w.topic = l.topic and w.store = l.store and w.priority = p.priority
                and w.next_retry_at <= p_now
                and (w.priority, w.next_retry_at, w.id) > (l.priority, l.next_retry_at, l.id)
                and (w.serial_key is null or not exists (
                    select 1
                    from public.work_queue b
                    where b.finished_at is null and b.serial_key = w.serial_key and b.serial_busy
                        and (b.lease_until < p_now) is not true
                    offset 0
                ))
            order by w.next_retry_at, w.id
            limit p_limit
            for update skip locked
        ) f
        where not l.gated and p.priority >= l.priority
        limit (select greatest(p_limit - count(*), 0) from share)
    ),
    found as materialized (
        select
            x.no, x.id, x.serial_key, x.expired,
            row_number() over (partition by x.no order by x.priority, x.next_retry_at, x.id) as turn,
            count(*) over (partition by x.no) as taken
        from (select * from share union all select * from rest) x
    ),
    -- When more of a lane is due than it gets, what shares a key goes first as a whole, as far as it fits: it costs
    -- one effect together, and would have to wait until this claim is reported. Otherwise all of it is here already.
    keys as materialized (
        select f.serial_key, f.no, min(f.turn) as turn, max(f.taken) as taken
        from found f
        join filled l on l.no = f.no
        where f.serial_key is not null
        group by f.serial_key, f.no
        order by min(f.turn)
    ),
    together as materialized (
        select k.no, same.id, k.turn, k.taken
        from keys k
        cross join lateral (
            select w.id
            from public.work_queue w
            where w.finished_at is null and w.serial_key = k.serial_key and not w.serial_busy
                and w.next_retry_at <= p_now
                and w.topic = any(p_topics)
            order by w.next_retry_at, w.id
            limit p_limit
            for update skip locked
        ) same
        limit p_limit
    )
    select array_agg(k.id), bool_or(k.expired)
    into ids, expired
    from (
        select c.id, c.expired
        from (
            select x.no, x.id, bool_or(x.expired) as expired, max(x.taken) as taken, row_number() over (partition by x.no order by min(x.turn), x.id) as turn
            from (
                select f.no, f.id, f.turn, f.taken, f.expired from found f
                union all
                select t.no, t.id, t.turn, t.taken, false from together t
            ) x
            group by x.no, x.id
        ) c
        where c.turn <= c.taken
        order by c.turn, c.id
        limit p_limit
    ) k;
end;
$$;
revoke execute on function private.choose_work(private.work_lane[], text[], integer, timestamptz) from public, anon;
comment on function private.choose_work(private.work_lane[], text[], integer, timestamptz) is
    'Returns the ids of at most p_limit due items of these lanes, of each its quota and what others leave of theirs, all of them locked, and whether the lease of any of them has run out; some that were looked at besides stay locked as well, and other claims pass them over until this one commits. Called by claim_work only; no error codes.';
