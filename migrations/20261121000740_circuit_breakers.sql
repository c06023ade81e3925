-- Circuit breakers: what all workers know of how an outside system treats a store, so that a dead one is left alone and
-- a busy one gets its patience.

create table public.circuit_breakers (
    store text not null references public.stores (key),
    upstream text not null,
    state text not null default 'closed' check (state in ('closed', 'open', 'half_open')),
    recent text not null default '' check (recent ~ '^[01]{0,20}$'),
    open_ms integer not null default 30000 check (open_ms between 30000 and 600000),
    opened_at timestamptz,
    retry_at timestamptz,
    probe_id bigint,
    throttled_until timestamptz,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (store, upstream),
    check ((state = 'closed') = (retry_at is null)),
    check ((state = 'half_open') = (probe_id is not null))
);
comment on table public.circuit_breakers is
    'One for each store and outside system that has ever failed: closed lets work through (after a failure with caution), open holds it back until retry_at, half_open has one item on its way that decides.';
comment on column public.circuit_breakers.recent is 'What came of the last calls, at most 20 and newest last: 1 failed.';
comment on column public.circuit_breakers.open_ms is
    'How long it stays open: twice as long after each probe that fails, up to ten minutes.';
comment on column public.circuit_breakers.retry_at is
    'When one item may try. Half open: when the lease of the item that tries runs out, as its worker may be dead.';
comment on column public.circuit_breakers.throttled_until is 'The system asked for patience; that is no failure.';

alter table public.circuit_breakers enable row level security;
revoke all on public.circuit_breakers from anon, authenticated, service_role;
grant select on public.circuit_breakers to authenticated, service_role;
create policy circuit_breakers_select_supervisor on public.circuit_breakers for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy circuit_breakers_select_service on public.circuit_breakers for select to service_role using (true);

create function private.judge_circuits(p_results jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_now timestamptz := pg_catalog.clock_timestamp();
    v_opened jsonb;
begin
    -- Of a system that never failed nothing is kept.
    insert into public.circuit_breakers (store, upstream)
    select distinct r.store, r.upstream
    from jsonb_to_recordset(p_results) as r (store text, upstream text, failed boolean, wait_ms bigint)
    where r.failed or r.wait_ms is not null
    order by r.store, r.upstream
    on conflict do nothing;

    with results as materialized (
        select r.*
        from jsonb_to_recordset(p_results) as r (
            place bigint, id bigint, store text, upstream text, job bigint, failed boolean, wait_ms bigint, error text
        )
    ),
    -- One call may settle many items: it is one success as soon as one of them succeeded.
    calls as (
        select
            r.store, r.upstream, min(r.place) as place, min(r.failed::integer) as failed,
            max(r.error) filter (where r.failed) as error, max(r.wait_ms) as wait_ms
        from results r
        group by r.store, r.upstream, coalesce(r.job, -r.place)
    ),
    said as materialized (
        select
            c.store, c.upstream, coalesce(string_agg(c.failed::text, '' order by c.place), '') as outcomes,
            max(c.error) as error, max(c.wait_ms) as wait_ms
        from calls c
        group by c.store, c.upstream
    ),
    -- In one order everywhere, and only keys of alerts are waited for while these are held.
    known as materialized (
        select b.*
        from public.circuit_breakers b
        join said s on s.store = b.store and s.upstream = b.upstream
        order by b.store, b.upstream
        for update of b
    ),
    weighed as (
        select
            k.store, k.upstream, k.state as was, k.opened_at, k.retry_at, k.probe_id, k.throttled_until,
            coalesce(s.error, k.last_error) as last_error, s.wait_ms, p.failed, p.id is not null as probed,
            pg_catalog.right(k.recent || s.outcomes, 20) as recent,
            case when k.state = 'closed' then 30000 when p.failed then least(2 * k.open_ms, 600000) else k.open_ms end
                as open_ms
        from known k
        join said s on s.store = k.store and s.upstream = k.upstream
        left join results p
            on k.state = 'half_open' and p.store = k.store and p.upstream = k.upstream and p.id = k.probe_id
    ),
    judged as materialized (
        select
            w.*,
            case
                when w.was = 'closed' then
                    case when w.recent ~ '1{5}$' or length(replace(w.recent, '0', '')) > 10 then 'open' else 'closed' end
                -- What is half open is decided by the item that tries: one that was refused for its own sake says
                -- nothing, and another tries. All others were on their way before.
                when w.probed then case when w.failed is false then 'closed' else 'open' end
                else w.was
            end as state
        from weighed w
    ),
    -- From what was locked, never from what this statement saw before it waited.
    changed as (
        update public.circuit_breakers b set
            state = j.state,
            recent = case when j.was = 'closed' and j.state = 'closed' then j.recent else '' end,
            open_ms = case when j.state = 'closed' then 30000 else j.open_ms end,
            opened_at = case when j.state = 'closed' then null when j.was = 'closed' then v_now else j.opened_at end,
            retry_at = case
                when j.state = 'closed' then null
                when j.was = 'closed' or j.failed then v_now + make_interval(secs => j.open_ms / 1000.0)
                when j.probed then v_now
                else j.retry_at
            end,
            probe_id = case when j.state = 'half_open' then j.probe_id end,
            throttled_until = greatest(j.throttled_until, v_now + make_interval(secs => j.wait_ms / 1000.0)),
            last_error = j.last_error,
            updated_at = v_now
        from judged j
        where b.store = j.store and b.upstream = j.upstream
        returning b.store, b.upstream, b.state, b.last_error, j.was
    )
    -- Slack cannot tell people that it does not work; the health answer does.
    select jsonb_agg(to_jsonb(c) order by c.store, c.upstream) into v_opened
    from changed c
    where c.was = 'closed' and c.state = 'open' and c.upstream <> 'slack';

    perform private.enqueue_alert(
        o.store, 'circuit_open', jsonb_build_object('upstream', o.upstream, 'error', o.last_error)
    )
    from jsonb_to_recordset(v_opened) as o (store text, upstream text, last_error text);
end;
$$;
revoke execute on function private.judge_circuits(jsonb) from public, anon;
comment on function private.judge_circuits(jsonb) is
    'Lets the breakers know what came of calls, [{place, id, store, upstream, job, failed, wait_ms, error}]: opens one after 5 failures in a row or more than 10 of the last 20, for 30 seconds; doubles that, to ten minutes, when the item that tried again fails; closes when it succeeds; remembers until when patience is asked for. failed is null for what says nothing about the system. Called by report_work only; no error codes.';
