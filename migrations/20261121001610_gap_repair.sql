-- Gap repair: how far each store has been compared with its shop, and which orders no webhook has brought.

create table public.sync_cursors (
    store text not null references public.stores (key),
    name text not null check (name ~ '^[a-z][a-z_]{0,39}$'),
    seen_until timestamptz not null,
    window_from timestamptz,
    window_until timestamptz,
    page_after text,
    run text,
    lease_until timestamptz,
    trouble text,
    told_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (store, name),
    check ((window_from is null) = (window_until is null) and window_from < window_until),
    check ((run is null) = (lease_until is null)),
    check ((trouble is null) = (told_at is null))
);
comment on table public.sync_cursors is
    'How far a store has been compared with another system. Nothing that changed there before seen_until is missing here.';
comment on column public.sync_cursors.window_until is
    'End of the window that is being read, or was when a run was cut off: then the next run goes on at page_after.';
comment on column public.sync_cursors.trouble is
    'Why the store is left alone, as people were told at told_at; null since a run has come to its end.';
comment on column public.sync_cursors.run is 'The run that reads it now; what any other run reports is refused.';

create trigger sync_cursors_touch_updated_at before update on public.sync_cursors
    for each row execute function private.touch_updated_at();

alter table public.sync_cursors enable row level security;
revoke all on public.sync_cursors from anon, authenticated, service_role;
grant select on public.sync_cursors to authenticated, service_role;
create policy sync_cursors_select_supervisor on public.sync_cursors for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy sync_cursors_select_service on public.sync_cursors for select to service_role using (true);

create function public.start_sync(
    p_name text default null,
    p_run text default null,
    p_stores text[] default null,
    p_lease_seconds integer default 420
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write sync_cursors directly, the service role included.
declare
    -- The search of the other side lags behind, and its clock is not ours: each window begins a little before the
    -- end of the last one, and ends a little before now, where webhooks may still be under way.
    v_overlap constant interval := interval '15 minutes';
    v_settle constant interval := interval '2 minutes';
    -- The other side shows no more of the past than this.
    v_furthest constant interval := interval '30 days';
    v_taken jsonb;
    v_busy jsonb;
begin
    if p_name is null or p_name !~ '^[a-z][a-z_]{0,39}$' or coalesce(p_run, '') = '' then
        return private.fail('BAD_INPUT', 'p_name and p_run are needed');
    end if;

    -- A shop that has uninstalled the app lets nobody in.
    insert into public.sync_cursors (store, name, seen_until)
    select s.key, p_name, greatest(s.created_at, now() - v_furthest)
    from public.stores s
    where (p_stores is null or s.key = any(p_stores)) and s.uninstalled_at is null
    on conflict (store, name) do nothing;

    with free as materialized (
        select c.store
        from public.sync_cursors c
        join public.stores s on s.key = c.store
        where c.name = p_name
            and (p_stores is null or c.store = any(p_stores))
            and (c.lease_until is null or c.lease_until < now())
            and s.uninstalled_at is null
        order by c.store
        for update of c skip locked
    ),
    taken as (
        update public.sync_cursors c set
            window_from = case when c.page_after is null then c.seen_until - v_overlap else c.window_from end,
            window_until = case when c.page_after is null then greatest(now() - v_settle, c.seen_until)
                else c.window_until end,
            run = left(p_run, 200),
            lease_until = now() + make_interval(secs => least(greatest(coalesce(p_lease_seconds, 420), 1), 3600))
        from free
        where c.name = p_name and c.store = free.store
        returning c.*
    )
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'store', t.store,
                'shop_domain', s.shop_domain,
                'seen_until', t.seen_until,
                'from', t.window_from,
                'until', t.window_until,
                'after', t.page_after
            )
            -- Whoever has waited longest is looked at first, should the time not be enough for all.
            order by t.seen_until, t.store
        ),
        '[]'::jsonb
    )
    into v_taken
    from taken t
    join public.stores s on s.key = t.store;

    select coalesce(jsonb_agg(c.store order by c.store), '[]'::jsonb) into v_busy
    from public.sync_cursors c
    where c.name = p_name
        and (p_stores is null or c.store = any(p_stores))
        and c.run <> left(p_run, 200) and c.lease_until >= now();

    return private.ok(jsonb_build_object('stores', v_taken, 'busy', v_busy));
end;
$$;
revoke execute on function public.start_sync(text, text, text[], integer) from public, anon, authenticated;
grant execute on function public.start_sync(text, text, text[], integer) to service_role;
comment on function public.start_sync(text, text, text[], integer) is
    'Takes every store whose shop has the app installed, or those of p_stores, for one run and says what it is to read: {stores: [{store, shop_domain, seen_until, from, until, after}], busy: [stores that another run reads]}. A window that was cut off goes on at its page (after), else a new one begins a little before the end of the last. Callable by service_role. Codes: BAD_INPUT.';

create function public.save_sync(
    p_name text default null,
    p_run text default null,
    p_store text default null,
    p_state text default null,
    p_after text default null,
    p_trouble text default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write sync_cursors directly, the service role included.
declare
    -- What lasts is told again after a while, lest it be forgotten, and not every hour.
    v_silence constant interval := interval '7 days';
    v_cursor public.sync_cursors;
    v_tell boolean;
begin
    if p_state is null or p_state not in ('page', 'done', 'stopped', 'restart') then
        return private.fail('BAD_INPUT', 'p_state must be page, done, stopped or restart');
    end if;
    if p_state = 'page' and coalesce(p_after, '') = '' then
        return private.fail('BAD_INPUT', 'a page needs p_after');
    end if;
    if p_trouble !~ '^[a-z][a-z_]{0,59}$' then
        return private.fail('BAD_INPUT', 'p_trouble must be a lower-case word of at most 60 letters or _');
    end if;

    select * into v_cursor
    from public.sync_cursors c
    where c.store = p_store and c.name = p_name and c.run = left(p_run, 200)
    for update;
    if not found then
        return private.fail('CONFLICT', 'another run has taken this store over');
    end if;
    v_tell := p_state <> 'done' and p_trouble is not null
        and (v_cursor.trouble is distinct from p_trouble or v_cursor.told_at <= now() - v_silence);

    update public.sync_cursors c set
        seen_until = case p_state when 'done' then c.window_until else c.seen_until end,
        window_from = case p_state when 'done' then null else c.window_from end,
        window_until = case p_state when 'done' then null else c.window_until end,
        page_after = case p_state when 'page' then left(p_after, 2000) when 'stopped' then c.page_after end,
        run = case p_state when 'page' then c.run end,
        lease_until = case p_state when 'page' then c.lease_until end,
        trouble = case when v_tell then p_trouble when p_state <> 'done' then c.trouble end,
        told_at = case when v_tell then now() when p_state <> 'done' then c.told_at end
    where c.store = v_cursor.store and c.name = v_cursor.name
    returning * into v_cursor;

    return private.ok(jsonb_build_object(
        'store', v_cursor.store, 'seen_until', v_cursor.seen_until, 'after', v_cursor.page_after,
        'tell', v_tell
    ));
end;
$$;
revoke execute on function public.save_sync(text, text, text, text, text, text) from public, anon, authenticated;
grant execute on function public.save_sync(text, text, text, text, text, text) to service_role;
comment on function public.save_sync(text, text, text, text, text, text) is
    'What a run reports of a store that it took: page (all before p_after is dealt with), done (the whole window is), stopped (the next run goes on where this one was) or restart (the next one begins the window anew). All but page give the store back. p_trouble is what people are to hear of it, in a word: tell is true when they have not for a week, and every done ends the trouble. Returns {store, seen_until, after, tell}. Callable by service_role. Codes: BAD_INPUT, CONFLICT (not taken, or taken by another run).';

create function public.find_missed_orders(p_store text default null, p_orders jsonb default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: reads orders of any store for the service role, past row security that would be asked in vain.
declare
    v_since timestamptz;
    v_missed jsonb;
begin
    if p_orders is null or jsonb_typeof(p_orders) <> 'array' or jsonb_array_length(p_orders) > 1000 then
        return private.fail('BAD_INPUT', 'p_orders must be an array of at most 1000 orders');
    end if;
    select s.created_at - interval '15 minutes' into v_since from public.stores s where s.key = p_store;
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    end if;

    with listed as (
        select
            e.item ->> 'gid' as gid,
            case when e.item ->> 'updated_at' ~ '^\d{4}-' and pg_input_is_valid(e.item ->> 'updated_at', 'timestamptz')
                then (e.item ->> 'updated_at')::timestamptz end as updated_at,
            case when e.item ->> 'created_at' ~ '^\d{4}-' and pg_input_is_valid(e.item ->> 'created_at', 'timestamptz')
                then (e.item ->> 'created_at')::timestamptz end as created_at,
            e.turn
        from jsonb_array_elements(p_orders) with ordinality as e (item, turn)
    ),
    asked as (
        select
            l.gid,
            min(l.turn) as turn,
            max(l.updated_at) as updated_at,
            -- Made before the store was ours, an order is none of those whose creation we should have been told of.
            coalesce(bool_and(l.created_at >= v_since), true) as ours
        from listed l
        where l.gid is not null
        group by l.gid
    ),
    known as (
        select
            a.*,
            x.shopify_order_gid is not null and o.id is not null as stored,
            coalesce(o.placeholder, false) as placeholder,
            o.business_updated_at
        from asked a
        left join public.order_index x on x.shopify_order_gid = a.gid
        left join public.orders o on o.store = p_store and o.id = x.order_id and x.store = p_store
        -- An order of another store stays what it is: bound for ever.
        where x.store is null or x.store = p_store
    )
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'gid', k.gid,
                'topic', case when k.ours and (not k.stored or k.placeholder) then 'orders/create'
                    else 'orders/updated' end
            )
            order by k.turn
        ),
        '[]'::jsonb
    )
    into v_missed
    from known k
    where (
            not k.stored
            or (k.placeholder and k.ours)
            or k.business_updated_at is null
            or k.business_updated_at < k.updated_at
        )
        -- What could not be applied is stored and tried again: bringing it once more helps nobody.
        and not exists (
            select 1
            from public.event_store e
            where e.store = p_store and e.ref_id = k.gid and e.processed_at is null and e.occurred_at >= k.updated_at
        );

    return private.ok(jsonb_build_object('orders', v_missed));
end;
$$;
revoke execute on function public.find_missed_orders(text, jsonb) from public, anon, authenticated;
grant execute on function public.find_missed_orders(text, jsonb) to service_role;
comment on function public.find_missed_orders(text, jsonb) is
    'Of a page of orders as the shop lists them, [{gid, updated_at, created_at}], those that the store does not know in this state: unknown, still a placeholder, or older here, unless that state is stored and waits to be applied. Returns {orders: [{gid, topic}]} in the same order; topic is what the lost delivery is to be called: orders/create where the order has to come into being, unless it is older than the store, else orders/updated. Set-based, by primary keys alone. Callable by service_role. Codes: BAD_INPUT, NOT_FOUND.';
