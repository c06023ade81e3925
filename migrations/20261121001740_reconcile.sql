-- Nightly reconciliation: every level of Shopify is met once a night, page by page, and what differs is looked at.

create table public.reconcile_runs (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    night date,
    state text not null default 'reading' check (state in ('reading', 'checking', 'finished', 'given_up')),
    policy text not null,
    location_gid text,
    page_after text,
    pages integer not null default 0,
    compared integer not null default 0,
    imported integer not null default 0,
    drifted integer not null default 0,
    corrected integer not null default 0,
    failed integer not null default 0,
    error text,
    run text,
    lease_until timestamptz,
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    unique (store, night),
    check ((run is null) = (lease_until is null))
);
create unique index reconcile_runs_store_reading_idx on public.reconcile_runs (store) where state = 'reading';
create index reconcile_runs_checking_idx on public.reconcile_runs (id) where state = 'checking';
comment on table public.reconcile_runs is
    'A report for each night and store, or for a run that somebody asked for (night is null): SKUs compared, drifted, corrected, and failed: of which no level could be had, or which never stood still.';
comment on column public.reconcile_runs.location_gid is 'The location that is being read; page_after is the place on it.';

alter table public.stock_checks
    add constraint stock_checks_run_id_fkey foreign key (run_id) references public.reconcile_runs (id);

alter table public.reconcile_runs enable row level security;
revoke all on public.reconcile_runs from anon, authenticated, service_role;
grant select on public.reconcile_runs to authenticated, service_role;
create policy reconcile_runs_select_supervisor on public.reconcile_runs for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy reconcile_runs_select_service on public.reconcile_runs for select to service_role using (true);

create function private.reconcile_night(p_now timestamptz, p_timezone text, p_at time)
returns date
language sql
stable
set search_path = ''
as $$
    -- By the clock on the wall: an hour that is skipped begins when it would have been, one that comes twice is the
    -- same night. Late in the morning the shop is busy, and the next night is soon enough.
    select case when l.local < l.night + p_at + interval '4 hours' then l.night end
    from (
        select p_now at time zone p_timezone as local, ((p_now at time zone p_timezone) - p_at::interval)::date as night
    ) l;
$$;
revoke execute on function private.reconcile_night(timestamptz, text, time) from public, anon, authenticated;
comment on function private.reconcile_night(timestamptz, text, time) is
    'The local night whose quiet hour has come, null four hours later. Called by other functions only; no error codes.';

create function private.finish_reconcile(p_run bigint)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_run public.reconcile_runs;
begin
    select * into v_run from public.reconcile_runs r where r.id = p_run and r.state = 'checking' for no key update;
    if not found or exists (select 1 from public.stock_checks c where c.run_id = p_run and c.closed_at is null) then
        return;
    end if;
    update public.reconcile_runs r set
        state = 'finished',
        finished_at = now(),
        drifted = n.corrected + n.restless,
        corrected = n.corrected,
        failed = n.failed
    from (
        select
            count(*) filter (where c.outcome = 'corrected') as corrected,
            count(*) filter (where c.outcome = 'failed') as failed,
            count(*) filter (where c.outcome = 'failed' and c.theirs is not null) as restless
        from public.stock_checks c
        where c.run_id = p_run
    ) n
    where r.id = p_run
    returning r.* into v_run;
    if v_run.drifted > (select s.drift_threshold from public.stock_settings s where s.store = v_run.store) then
        perform private.enqueue_alert(v_run.store, 'stock_drift', jsonb_build_object(
            'run', v_run.id, 'compared', v_run.compared, 'drifted', v_run.drifted, 'corrected', v_run.corrected,
            'failed', v_run.failed
        ));
    end if;
end;
$$;
revoke execute on function private.finish_reconcile(bigint) from public, anon, authenticated;
comment on function private.finish_reconcile(bigint) is
    'Completes the report of a run as soon as nothing of it is looked at any more, and tells people when more has drifted than the store puts up with. Called by other functions only; no error codes.';

create function private.next_location(p_store text, p_after text)
returns text
language sql
stable
set search_path = ''
as $$
    select min(coalesce(i.shopify_location_gid, g.location_gid))
    from public.stock_settings g
    left join public.inventory_items i
        on i.store = g.store and i.shopify_inventory_item_gid is not null and (i.tracked or i.adopt)
    where g.store = p_store
        and (p_after is null or coalesce(i.shopify_location_gid, g.location_gid) > p_after);
$$;
revoke execute on function private.next_location(text, text) from public, anon, authenticated;
comment on function private.next_location(text, text) is
    'The next location at which the store has stock, in the order of their gids; null behind the last. Called by other functions only; no error codes.';

create function private.due_reconciles(p_stores text[], p_now boolean)
returns table (store text, policy text, night date)
language sql
stable
set search_path = ''
as $$
    select s.key, g.reconcile_policy, n.night
    from public.stores s
    join public.stock_settings g on g.store = s.key
    cross join lateral (
        select case when not p_now then private.reconcile_night(now(), s.timezone, g.reconcile_at) end as night
    ) n
    where s.inventory_enabled and s.uninstalled_at is null and (p_stores is null or s.key = any(p_stores))
        and (p_now or n.night is not null);
$$;
revoke execute on function private.due_reconciles(text[], boolean) from public, anon, authenticated;
comment on function private.due_reconciles(text[], boolean) is
    'Stores whose quiet hour it is, or all with p_now, then of no night. Called by other functions only; no error codes.';

create function public.start_reconcile(
    p_run text default null,
    p_stores text[] default null,
    p_now boolean default false,
    p_lease_seconds integer default 420
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write reconcile_runs directly, the service role included.
declare
    v_taken jsonb;
    v_busy jsonb;
begin
    if coalesce(p_run, '') = '' then
        return private.fail('BAD_INPUT', 'p_run is needed');
    end if;
    perform private.sweep_checks();

    -- A night that never came to its end makes room for the next.
    perform private.give_up_reconcile(c.run, coalesce((c.run).error, 'it was cut off too often'))
    from (
        select r as run
        from public.reconcile_runs r
        join private.due_reconciles(p_stores, false) d on d.store = r.store
        where r.state = 'reading' and d.night > coalesce(r.night, (r.created_at + interval '1 day')::date)
            and (r.lease_until is null or r.lease_until < now())
        order by r.store
        for no key update of r skip locked
    ) c;
    insert into public.reconcile_runs (store, night, policy)
    select d.store, d.night, d.policy
    from private.due_reconciles(p_stores, p_now) d
    order by d.store
    on conflict do nothing;

    with free as materialized (
        select r.id
        from public.reconcile_runs r
        join public.stores s on s.key = r.store and s.inventory_enabled and s.uninstalled_at is null
        where r.state = 'reading' and (p_stores is null or r.store = any(p_stores))
            and (r.lease_until is null or r.lease_until < now())
        order by r.store
        for no key update of r skip locked
    ),
    taken as (
        update public.reconcile_runs r set
            run = left(p_run, 200),
            lease_until = now() + make_interval(secs => least(greatest(coalesce(p_lease_seconds, 420), 1), 3600)),
            location_gid = coalesce(r.location_gid, private.next_location(r.store, null))
        from free
        where r.id = free.id
        returning r.*
    )
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'run_id', t.id, 'store', t.store, 'shop_domain', s.shop_domain, 'night', t.night,
                'location_gid', t.location_gid, 'after', t.page_after
            )
            order by t.created_at, t.store
        ),
        '[]'::jsonb
    )
    into v_taken
    from taken t
    join public.stores s on s.key = t.store;

    select coalesce(jsonb_agg(r.store order by r.store), '[]'::jsonb) into v_busy
    from public.reconcile_runs r
    where r.state = 'reading' and (p_stores is null or r.store = any(p_stores))
        and r.run <> left(p_run, 200) and r.lease_until >= now();
    return private.ok(jsonb_build_object('stores', v_taken, 'busy', v_busy));
end;
$$;
revoke execute on function public.start_reconcile(text, text[], boolean, integer) from public, anon, authenticated;
grant execute on function public.start_reconcile(text, text[], boolean, integer) to service_role;
comment on function public.start_reconcile(text, text[], boolean, integer) is
    'Begins the reconciliation of every store, or those of p_stores, whose quiet hour has come and that has none of this night, or of all with p_now; takes those that are begun and in nobody''s hands. Returns {stores: [{run_id, store, shop_domain, night, location_gid, after}], busy}: where each is to be read on. Callable by service_role. Codes: BAD_INPUT.';

create function private.is_lost(p_check public.stock_checks)
returns boolean
language sql
stable
set search_path = ''
as $$
    select p_check.closed_at is null and not exists (
        select 1
        from public.work_queue w
        where w.topic = 'stock_check' and w.dedupe_key = p_check.id || '/' || p_check.looks
            and w.status in ('pending', 'error', 'processing')
    );
$$;
revoke execute on function private.is_lost(public.stock_checks) from public, anon, authenticated;
comment on function private.is_lost(public.stock_checks) is
    'Whether a check is open and no look of it is planned. Called by other functions only; no error codes.';

create function private.sweep_checks()
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_lost bigint[];
begin
    -- Of what the queue gave up nobody would ever hear again. Asked once more with the locks held: whoever looks at a
    -- check plans the next look while it holds it. So what somebody holds is not lost: it is not waited for.
    select array_agg(l.id) into v_lost
    from (
        select c.id
        from public.stock_checks c
        where c.closed_at is null and private.is_lost(c)
        order by c.id
        for update skip locked
    ) l;
    if v_lost is not null then
        update public.stock_checks c set outcome = 'failed', reason = 'nobody could look at it', closed_at = now()
        where c.id = any(v_lost) and private.is_lost(c);
    end if;
    perform private.finish_reconcile(r.id)
    from (select o.id from public.reconcile_runs o where o.state = 'checking' order by o.id) r;

    -- Drift of long ago is in the figures of its night.
    delete from public.stock_checks c
    where c.id in (
        select o.id
        from public.stock_checks o
        where o.closed_at < now() - interval '90 days'
        order by o.closed_at
        limit 1000
    );
end;
$$;
revoke execute on function private.sweep_checks() from public, anon, authenticated;
comment on function private.sweep_checks() is
    'Closes checks that the queue has given up, and the runs that waited for them; forgets what was found 90 days ago. Called by other functions only; no error codes.';
