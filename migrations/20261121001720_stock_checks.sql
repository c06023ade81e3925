-- Looking at a level of Shopify: what another system says about stock is true of the past only.
--
-- A difference between its level and ours is drift only when it is still the same a while later, with nothing moved on
-- either side in between: otherwise an order that Shopify has counted already and whose webhook is still under way
-- would be corrected away, and sold again.

insert into public.queue_topics (topic, upstream, max_attempts) values ('stock_check', 'shopify', 5);

create table public.stock_checks (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    item_id bigint not null references public.inventory_items (id),
    sku text not null,
    cause text not null check (cause in ('mapped', 'signal', 'reconcile')),
    run_id bigint,
    looks integer not null default 0,
    signals integer not null default 0,
    theirs integer,
    ours integer,
    moves bigint,
    looked_at timestamptz,
    outcome text check (outcome in ('corrected', 'failed')),
    policy text,
    reason text,
    closed_at timestamptz,
    created_at timestamptz not null default now(),
    check ((outcome is null) = (closed_at is null))
);
create unique index stock_checks_item_id_open_idx on public.stock_checks (item_id) where closed_at is null;
create index stock_checks_closed_at_idx on public.stock_checks (closed_at) where closed_at is not null;
create index stock_checks_store_idx on public.stock_checks (store, id);
create index stock_checks_item_id_idx on public.stock_checks (item_id);
create index stock_checks_run_id_idx on public.stock_checks (run_id) where run_id is not null;
comment on table public.stock_checks is
    'Levels of Shopify that are being looked at, and those that had drifted: theirs, ours, and what was done. What agreed after all leaves no row.';
comment on column public.stock_checks.signals is 'How often Shopify has said meanwhile that the level changed.';
comment on column public.stock_checks.moves is 'How often our stock had moved when it was looked at.';

alter table public.stock_checks enable row level security;
revoke all on public.stock_checks from anon, authenticated, service_role;
grant select on public.stock_checks to authenticated, service_role;
create policy stock_checks_select_supervisor on public.stock_checks for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy stock_checks_select_service on public.stock_checks for select to service_role using (true);

create function private.queue_looks(p_checks bigint[], p_delay interval, p_again boolean)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_stores text[];
    v_payloads jsonb[];
    v_keys text[];
begin
    -- Each look is an item of its own: the one that is under way may have asked before what made us look again.
    with next as (
        update public.stock_checks c set looks = c.looks + 1
        where c.id = any(p_checks) and c.closed_at is null
            and (p_again or not exists (
                select 1
                from public.work_queue w
                where w.topic = 'stock_check' and w.dedupe_key = c.id || '/' || c.looks
                    and w.status in ('pending', 'error', 'processing')
            ))
        returning c.id, c.store, c.sku, c.looks
    )
    select
        array_agg(n.store), array_agg(jsonb_build_object('check_id', n.id, 'sku', n.sku)),
        array_agg(n.id || '/' || n.looks)
    into v_stores, v_payloads, v_keys
    from next n;
    perform private.enqueue_works('stock_check', v_stores, v_payloads, v_keys, p_due_at => now() + p_delay);
end;
$$;
revoke execute on function private.queue_looks(bigint[], interval, boolean) from public, anon, authenticated;
comment on function private.queue_looks(bigint[], interval, boolean) is
    'Has these checks look at Shopify after a while: unless that is planned already, or p_again. Called by other functions only; no error codes.';

create function private.open_stock_checks(
    p_store text,
    p_cause text,
    p_run bigint,
    p_items bigint[],
    p_theirs integer[],
    p_delay interval
)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_checks bigint[];
begin
    -- In the order in which looks take them.
    with opened as (
        insert into public.stock_checks as c (store, item_id, sku, cause, run_id, theirs, ours, moves, looked_at)
        select
            i.store, i.id, i.sku, p_cause, p_run, w.theirs, case when w.theirs is not null then i.ats end,
            case when w.theirs is not null then i.moves end, case when w.theirs is not null then now() end
        from unnest(p_items, p_theirs) as w (item_id, theirs)
        join public.inventory_items i on i.id = w.item_id and i.store = p_store
        order by i.sku
        on conflict (item_id) where closed_at is null do update set
            signals = c.signals + 1,
            run_id = coalesce(excluded.run_id, c.run_id)
        returning c.id
    )
    select array_agg(o.id) into v_checks from opened o;
    perform private.queue_looks(v_checks, p_delay, false);
    return coalesce(cardinality(v_checks), 0);
end;
$$;
revoke execute on function private.open_stock_checks(text, text, bigint, bigint[], integer[], interval)
    from public, anon, authenticated;
comment on function private.open_stock_checks(text, text, bigint, bigint[], integer[], interval) is
    'Has the levels of these items looked at; p_theirs, where given, is a first look. One that is looked at already learns that something has happened. Returns how many. Called by other functions only; no error codes.';

create function private.signal_stock(p_store text, p_item_gid text, p_location_gid text)
returns integer
language sql
volatile
set search_path = ''
as $$
    -- A moment later, so that a burst costs one look and our own push has been reported. Stock before its check, as
    -- everywhere, but only so that it stays the same item: sales go on meanwhile.
    select private.open_stock_checks(p_store, 'signal', null, array_agg(l.id), null, interval '2 seconds')
    from (
        select i.id
        from public.inventory_items i
        join public.stores s on s.key = i.store and s.inventory_enabled
        join public.stock_settings g on g.store = i.store
        where i.store = p_store and i.shopify_inventory_item_gid = p_item_gid and (i.tracked or i.adopt)
            and coalesce(i.shopify_location_gid, g.location_gid)
                = coalesce(p_location_gid, i.shopify_location_gid, g.location_gid)
        for key share of i
    ) l;
$$;
revoke execute on function private.signal_stock(text, text, text) from public, anon, authenticated;
comment on function private.signal_stock(text, text, text) is
    'Shopify says that a level has changed: it is looked at, if it is one of ours. Returns how many are. Called by other functions only; no error codes.';

create function public.begin_stock_checks(p_store text default null, p_checks bigint[] default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock_checks directly, the service role included.
begin
    if p_checks is null or cardinality(p_checks) > 1000 then
        return private.fail('BAD_INPUT', 'p_checks must hold at most 1000 checks');
    end if;
    return private.ok(jsonb_build_object('items', (
        select coalesce(
            jsonb_agg(
                jsonb_build_object(
                    'check_id', c.id,
                    'inventory_item_gid', i.shopify_inventory_item_gid,
                    'location_gid', coalesce(i.shopify_location_gid, g.location_gid),
                    -- What must not have moved until the answer is here.
                    'token', jsonb_build_object(
                        'moves', i.moves, 'pushed', i.pushed_quantity, 'signals', c.signals, 'looks', c.looks
                    )
                )
                order by c.id
            ),
            '[]'::jsonb
        )
        from public.stock_checks c
        join public.inventory_items i on i.id = c.item_id
        join public.stock_settings g on g.store = c.store
        where c.store = p_store and c.id = any(p_checks) and c.closed_at is null
    )));
end;
$$;
revoke execute on function public.begin_stock_checks(text, bigint[]) from public, anon, authenticated;
grant execute on function public.begin_stock_checks(text, bigint[]) to service_role;
comment on function public.begin_stock_checks(text, bigint[]) is
    'What to ask Shopify for these checks: {items: [{check_id, inventory_item_gid, location_gid, token}]}; one that is closed by now is left out, either gid may be null. Callable by service_role. Codes: BAD_INPUT.';
