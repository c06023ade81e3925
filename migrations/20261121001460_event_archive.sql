-- Events of settled orders move out of the way, so that the indexes that every delivery touches stay small.
--
-- An event of a 7 KB order takes 5.8 KB of table and 0.3 KB of index: 100 million are 580 GB, which a disk may hold,
-- and 30 GB of index, half of it written at random places, which memory may not. What stays here is the last quarter of
-- a year and what is still open; of three years that is a twelfth, and 3 GB of index. The archive has one index for
-- reading beside its key. Should anything about an archived order arrive, its events come back first: everything that
-- reads events of an order finds them in event_store, and need not know of the archive.

create table public.event_archive (
    like public.event_store including defaults,
    primary key (id),
    foreign key (store) references public.stores (key)
);
create index event_archive_store_ref_id_idx on public.event_archive (store, ref_id);
comment on table public.event_archive is 'Events of orders that are long settled, as they were in event_store.';

create index event_store_unreferenced_idx on public.event_store (received_at) where ref_id is null;

create function private.refuse_archive_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if tg_op = 'DELETE' and exists (
        select 1 from public.event_store e where e.id = old.id and row(e.*) is not distinct from row(old.*)
    ) then
        return old;
    end if;
    raise exception 'events are append-only' using errcode = 'restrict_violation';
end;
$$;
revoke execute on function private.refuse_archive_change() from public, anon;
comment on function private.refuse_archive_change() is
    'Trigger: an archived event is never changed, and deleted only when it has come back to event_store.';

create trigger event_archive_immutable before update or delete on public.event_archive
    for each row execute function private.refuse_archive_change();
create trigger event_archive_no_truncate before truncate on public.event_archive
    for each statement execute function private.refuse_archive_change();

alter table public.event_archive enable row level security;
revoke all on public.event_archive from anon, authenticated, service_role;
grant select on public.event_archive to authenticated, service_role;
create policy event_archive_select_supervisor on public.event_archive for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy event_archive_select_service on public.event_archive for select to service_role using (true);

create table private.housekeeping (
    job text primary key,
    progress text not null default '',
    created_at timestamptz not null default now()
);
comment on table private.housekeeping is 'Where a job that goes round all rows in portions goes on.';
insert into private.housekeeping (job) values ('archive_events');

create function private.thaw_order(p_gid text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- Whoever comes second finds nothing left to move.
    perform 1 from public.order_index x where x.shopify_order_gid = p_gid for update;
    with moved as (
        insert into public.event_store overriding system value
        select a.*
        from public.order_index x
        join public.event_archive a on a.store = x.store and a.ref_id = x.shopify_order_gid
        where x.shopify_order_gid = p_gid
        on conflict do nothing
        returning id
    )
    update public.order_index x set archived_at = null
    where x.shopify_order_gid = p_gid and (select count(*) from moved) >= 0;
    delete from public.event_archive a
    using public.order_index x
    where x.shopify_order_gid = p_gid and a.store = x.store and a.ref_id = p_gid
        and exists (select 1 from public.event_store e where e.id = a.id);
end;
$$;
revoke execute on function private.thaw_order(text) from public, anon;
comment on function private.thaw_order(text) is
    'Brings the archived events of an order back, under its lock. Called by other functions only; no error codes.';

create function private.archive_orders(p_before timestamptz, p_limit integer)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_progress text;
    v_seen public.order_index[];
    v_bound public.order_index[];
    v_events integer := 0;
begin
    select h.progress into v_progress from private.housekeeping h where h.job = 'archive_events' for update;

    -- Round and round in the order of the primary key: an index of its own would cost every new order.
    v_seen := array(
        select x
        from public.order_index x
        where x.shopify_order_gid > v_progress
        order by x.shopify_order_gid
        limit p_limit
    );
    update private.housekeeping h set progress = coalesce((v_seen[p_limit]).shopify_order_gid, '')
    where h.job = 'archive_events';

    -- Settled: made or cancelled, or of a shop whose kitchen we are not, or due long ago; and quiet since.
    v_bound := array(
        select x
        from unnest(v_seen) v
        join public.order_index x on x.shopify_order_gid = v.shopify_order_gid and x.archived_at is null
            and x.created_at < p_before
        join public.orders o on o.store = x.store and o.id = x.order_id
        join public.stores s on s.key = x.store
        where o.updated_at < p_before
            and (o.stage = 'Complete' or o.cancelled_at is not null or not s.kitchen_enabled or o.due_date < p_before::date)
            and not exists (
                select 1 from public.event_store e
                where e.store = x.store and e.ref_id = x.shopify_order_gid
                    and (e.received_at >= p_before or e.processed_at is null)
            )
        order by x.order_id
        for update of x skip locked
    );

    insert into public.event_archive
    select e.*
    from unnest(v_bound) x
    join public.event_store e on e.store = x.store and e.ref_id = x.shopify_order_gid;
    get diagnostics v_events = row_count;
    delete from public.event_store e
    using unnest(v_bound) x
    where e.store = x.store and e.ref_id = x.shopify_order_gid;
    update public.order_index x set archived_at = now()
    from unnest(v_bound) b
    where x.shopify_order_gid = b.shopify_order_gid;

    return jsonb_build_object(
        'orders', cardinality(v_bound), 'events', v_events, 'more', cardinality(v_seen) = p_limit
    );
end;
$$;
revoke execute on function private.archive_orders(timestamptz, integer) from public, anon;
comment on function private.archive_orders(timestamptz, integer) is
    'Looks at the next p_limit orders and archives those that are older and settled. Returns {orders, events, more}. Called by archive_events only; no error codes.';

create function public.archive_events(p_limit integer default 1000, p_days integer default 90)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write events directly, the service role included.
declare
    v_limit integer := least(greatest(coalesce(p_limit, 1000), 1), 5000);
    v_before timestamptz := now() - make_interval(days => greatest(coalesce(p_days, 90), 7));
    v_orders jsonb := private.archive_orders(v_before, v_limit);
    v_ids bigint[];
begin
    -- What is about no order, signals mostly, needs no settling.
    v_ids := array(
        select e.id
        from public.event_store e
        where e.ref_id is null and e.received_at < v_before and e.processed_at is not null
        order by e.received_at
        limit v_limit
        for update skip locked
    );
    insert into public.event_archive select e.* from public.event_store e where e.id = any(v_ids);
    delete from public.event_store e where e.id = any(v_ids);

    return private.ok(
        jsonb_build_object(
            'orders', v_orders -> 'orders',
            'events', (v_orders ->> 'events')::integer + cardinality(v_ids)
        ),
        not (v_orders ->> 'more')::boolean and cardinality(v_ids) < v_limit
    );
end;
$$;
revoke execute on function public.archive_events(integer, integer) from public, anon, authenticated;
grant execute on function public.archive_events(integer, integer) to service_role;
comment on function public.archive_events(integer, integer) is
    'Moves events of orders that have been settled and quiet for p_days (at least 7) to event_archive, and as old ones that are about no order; looks at p_limit (at most 5000) of each a call. Returns {orders, events}; already_done when it has come round. Callable by service_role. No error codes.';
