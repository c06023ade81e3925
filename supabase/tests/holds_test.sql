-- Stock: held by difference, never twice, never below zero, and given to those who wait.
begin;
select plan(72);

insert into public.inventory_items (store, sku, opening_ats, ats, tracked) values
    ('bannos', 'H-A', 10, 10, true), ('bannos', 'H-B', 10, 10, true), ('bannos', 'H-U', 10, 10, false),
    ('bannos', 'H-M', 2147483647, 2147483647, true),
    ('flourlane', 'H-A', 7, 7, true);

create function pg_temp.deliver(
    p_number bigint, p_minute integer, p_lines jsonb, p_change jsonb default '{}', p_topic text default 'orders/create'
)
returns text
language sql
as $$
    select public.ingest_shopify_event(
        'bannos.myshopify.com', p_topic, null, now(), p_number || '-' || p_minute,
        jsonb_build_object(
            'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number::text,
            'order_number', p_number::text, 'updated_at', to_char(p_minute, '"2026-11-01T10:"FM00":00Z"'),
            'topic_rank', 0, 'lines', p_lines
        ) || p_change,
        '{}', null, '{}'
    ) #>> '{data,outcome}';
$$;
create function pg_temp.line(p_id text, p_sku text, p_quantity integer, p_change jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_array(jsonb_build_object(
        'line_id', p_id, 'position', p_id, 'sku', p_sku, 'quantity', p_quantity
    ) || p_change);
$$;
create function pg_temp.ats(p_sku text)
returns integer
language sql
as $$ select i.ats from public.inventory_items i where i.store = 'bannos' and i.sku = p_sku $$;
-- Of each line held and, after a plus, short.
create function pg_temp.held(p_number bigint)
returns text
language sql
as $$
    select string_agg(l.line_id || ':' || l.held_quantity || '+' || l.short_quantity, ' ' order by l.line_id)
    from public.order_line_items l where l.store = 'bannos' and l.order_id = 'bannos-' || p_number;
$$;
create function pg_temp.status(p_number bigint)
returns text
language sql
as $$
    select o.allocation_status || case when o.inventory_blocked then ' blocked' else '' end
    from public.orders o where o.store = 'bannos' and o.id = 'bannos-' || p_number;
$$;
create function pg_temp.pushes(p_number bigint)
returns text[]
language sql
as $$
    select array_agg(split_part(w.dedupe_key, '/gid', 1) order by w.id)
    from public.work_queue w
    where w.topic = 'inventory_push' and w.dedupe_key like '%/gid://shopify/Order/' || p_number || '/%';
$$;
grant execute on all functions in schema pg_temp to service_role, authenticated;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- By difference
select is(pg_temp.deliver(8401, 0, pg_temp.line('1', 'H-A', 3)), 'created', 'an order wants three');
select is(pg_temp.ats('H-A'), 7, 'three are held');
select is(pg_temp.status(8401), 'allocated', 'the order is allocated');
select is(
    (select count(*) from public.stage_events s where s.order_id = 'bannos-8401' and s.action = 'order_allocated'),
    1::bigint, 'and that is told'
);
select is(pg_temp.pushes(8401), '{H-A/-3}', 'the new stock is to be pushed');
select is(
    public.deduct_on_order_create('gid://shopify/Order/8401', null) -> 'already_done', 'true', 'deducting again does nothing'
);
select is(pg_temp.ats('H-A'), 7, 'and takes nothing');
select is(pg_temp.deliver(8401, 1, pg_temp.line('1', 'H-A', 5)), 'updated', 'now it wants five');
select is(pg_temp.ats('H-A'), 5, 'two more are held');
select is(pg_temp.deliver(8401, 2, pg_temp.line('1', 'H-A', 4)), 'updated', 'now four');
select is(pg_temp.ats('H-A'), 6, 'one comes back');
select is(pg_temp.deliver(8401, 3, pg_temp.line('1', 'H-B', 4)), 'updated', 'the line changes to another SKU');
select is(
    (select array_agg(pg_temp.ats(s) || ' ' || pg_temp.held(8401)) from unnest('{H-A,H-B}'::text[]) s),
    array['10 1:4+0', '6 1:4+0'], 'the hold moves along'
);
select is(pg_temp.deliver(8401, 4, pg_temp.line('2', 'H-A', 1)), 'updated', 'the line goes, another comes');
select is(
    (select array_agg(pg_temp.ats(s) || ' ' || pg_temp.held(8401)) from unnest('{H-A,H-B}'::text[]) s),
    array['9 2:1+0', '10 2:1+0'], 'what the removed line held comes back'
);
select is(
    pg_temp.deliver(8401, 5, pg_temp.line('2', 'H-A', 1), '{"cancelled_at": "2026-11-01T10:05:00Z"}', 'orders/cancelled'),
    'cancelled', 'the order is cancelled'
);
select is(pg_temp.ats('H-A'), 10, 'everything comes back');
select is(pg_temp.status(8401), 'none', 'and nothing is allocated');
select is(
    (select array_agg(t.reason || t.delta order by split_part(t.idempotency_key, 'event:', 2)::bigint, t.delta)
     from public.inventory_txn t where t.order_id = 'bannos-8401'),
    '{hold-3,hold-2,release1,hold-4,release4,hold-1,release4,release1}', 'the ledger has each movement once'
);
select is(
    public.replay_order('bannos', 'bannos-8401') #> '{data,differences}', '{}', 'ledger and lines agree'
);

-- What is not held
select is(
    pg_temp.deliver(8402, 0, pg_temp.line('1', null, 2) || pg_temp.line('2', 'H-A', 2, '{"gift_card": true}')
        || pg_temp.line('3', 'H-U', 2) || pg_temp.line('4', 'UNKNOWN', 2)),
    'created', 'an order of things that are not counted'
);
select is(pg_temp.held(8402) || ' ' || pg_temp.status(8402), '1:0+0 2:0+0 3:0+0 4:0+0 none', 'holds nothing');
select is(
    (select s.meta -> 'skipped' from public.stage_events s where s.order_id = 'bannos-8402' and s.action = 'order_ingested'),
    '{"no_sku": 1, "gift_card": 1, "untracked": ["H-U", "UNKNOWN"]}', 'and says what was skipped'
);
select is((select count(*) from public.work_queue where topic = 'inventory_push' and payload ->> 'sku' = 'H-U'), 0::bigint,
    'nothing is pushed for it');

-- A placeholder holds, and is told to nobody
select is(pg_temp.deliver(8403, 1, pg_temp.line('1', 'H-A', 2), '{}', 'orders/paid'), 'updated', 'an update comes first');
select is(pg_temp.ats('H-A'), 8, 'a placeholder holds what has been sold');
select is(
    (select count(*) from public.stage_events s where s.order_id = 'bannos-8403' and s.action = 'order_allocated'),
    0::bigint, 'but nobody is told'
);
select is(pg_temp.deliver(8403, 0, pg_temp.line('1', 'H-A', 9)), 'hydrated', 'the create comes');
select is(
    (select count(*) from public.stage_events s where s.order_id = 'bannos-8403' and s.action = 'order_allocated'),
    1::bigint, 'now it is told'
);
select is(pg_temp.ats('H-A'), 8, 'and the stale quantity moves nothing');

-- Not enough: 8 left
select is(
    pg_temp.deliver(8404, 0, pg_temp.line('1', 'H-A', 9) || pg_temp.line('2', 'H-A', 3) || pg_temp.line('3', 'H-A', 6),
        '{"due_date": "2026-12-03"}'),
    'created', 'an order wants more than there is, of one SKU in three lines'
);
select is(pg_temp.held(8404), '1:0+9 2:3+0 3:0+6', 'each line holds all it wants or nothing');
select is(pg_temp.status(8404), 'short blocked', 'the order is short and blocked');
select is(pg_temp.ats('H-A'), 5, 'stock is not negative');
select is(pg_temp.deliver(8405, 0, pg_temp.line('1', 'H-A', 6), '{"due_date": "2026-12-01"}'), 'created', 'another wants six');
select is(pg_temp.pushes(8405), '{H-A/0}', 'a short line has Shopify told what there really is');
select is(
    pg_temp.deliver(8405, 1, pg_temp.line('1', 'H-A', 6), '{"due_date": "2026-12-01"}', 'orders/updated'), 'updated',
    'an update without change comes'
);
select is(pg_temp.pushes(8405), '{H-A/0}', 'and tells nothing again');
select is(
    pg_temp.deliver(8404, 1, pg_temp.line('1', 'H-A', 9) || pg_temp.line('2', 'H-A', 30) || pg_temp.line('3', 'H-A', 6),
        '{"due_date": "2026-12-03"}'),
    'updated', 'the line that holds three wants thirty now'
);
select is(
    pg_temp.held(8404) || ' ' || pg_temp.held(8405) || ' ' || pg_temp.ats('H-A'), '1:0+9 2:0+30 3:6+0 1:0+6 2',
    'a line that no longer fits gives up its hold, which another line of its order takes'
);

-- Restock: oldest due date first, all of a line or nothing
select is(
    public.adjust_stock('bannos', 'H-A', 5, 'restock', 'k1') -> 'data',
    '{"sku": "H-A", "ats": 1, "allocated_lines": 1}', 'five arrive, one waiting line fits'
);
select is(pg_temp.held(8405) || ' ' || pg_temp.status(8405), '1:6+0 allocated', 'that which is due first');
select is(
    public.adjust_stock('bannos', 'H-A', 5, 'restock', 'k1') - 'data', '{"ok": true, "already_done": true}',
    'the same key again changes nothing'
);
select is(pg_temp.ats('H-A'), 1, 'indeed');
select is(public.adjust_stock('bannos', 'H-A', 6, 'restock', 'k1') ->> 'code', 'CONFLICT', 'a key means one adjustment');
select is(
    public.adjust_stock('bannos', 'H-A', -2, 'counted', 'k2') ->> 'code', 'INSUFFICIENT_STOCK', 'stock cannot go below zero'
);
select is(public.adjust_stock('bannos', 'H-A', -1, 'counted', 'k3') #>> '{data,ats}', '0', 'a count takes the last one');
select is(
    (select array_agg(t.reason || ' ' || t.note order by t.id) from public.inventory_txn t
     where t.store = 'bannos' and t.idempotency_key like 'adjust/bannos/k%'),
    '{"restock restock","adjust counted"}', 'the ledger keeps why'
);
select is(
    pg_temp.deliver(8405, 2, pg_temp.line('1', 'H-A', 6), '{"cancelled_at": "2026-11-01T10:02:00Z"}', 'orders/cancelled'),
    'cancelled', 'the other order is cancelled'
);
select is(pg_temp.held(8404) || ' ' || pg_temp.ats('H-A'), '1:0+9 2:0+30 3:6+0 6', 'six are free, no waiting line fits');
select is(public.adjust_stock('bannos', 'H-A', 33, 'restock', 'k4') #>> '{data,allocated_lines}', '2', 'a large delivery');
select is(
    pg_temp.held(8404) || ' ' || pg_temp.status(8404) || ' ' || pg_temp.ats('H-A'), '1:9+0 2:30+0 3:6+0 allocated 0',
    'ends all waiting'
);

-- A release serves those who wait
select is(
    pg_temp.deliver(8404, 2, pg_temp.line('1', 'H-A', 9) || pg_temp.line('2', 'H-A', 30) || pg_temp.line('3', 'H-A', 6)
        || pg_temp.line('4', 'H-A', 1), '{"due_date": "2026-12-03"}'),
    'updated', 'one more is wanted, and nothing is left'
);
select is(pg_temp.held(8404), '1:9+0 2:30+0 3:6+0 4:0+1', 'the other lines keep what they hold');
select is(pg_temp.deliver(8406, 0, pg_temp.line('1', 'H-A', 2), '{"due_date": "2026-12-02"}'), 'created', 'another waits');
select is(pg_temp.deliver(8407, 0, pg_temp.line('1', 'H-A', 1), '{"due_date": null}'), 'created', 'one more waits');
select is(
    pg_temp.deliver(8403, 2, pg_temp.line('1', 'H-A', 2), '{"cancelled_at": "2026-11-01T10:02:00Z"}', 'orders/cancelled'),
    'cancelled', 'an order that held two is cancelled'
);
select is(
    pg_temp.held(8407) || ' ' || pg_temp.held(8406) || ' ' || pg_temp.held(8404) || ' ' || pg_temp.ats('H-A'),
    '1:0+1 1:2+0 1:9+0 2:30+0 3:6+0 4:0+1 0', 'who is due first is served first, and only with what there is'
);
select is(
    (select count(*) from public.stage_events s where s.order_id = 'bannos-8406' and s.action = 'order_allocated'), 1::bigint,
    'and the order that has everything is told'
);

select is(
    (select i.ats from public.inventory_items i where i.store = 'flourlane' and i.sku = 'H-A'), 7,
    'the same SKU of another store is another SKU'
);
select is(
    (select count(*) from public.inventory_items i
     where i.ats <> i.opening_ats + (select coalesce(sum(t.delta), 0) from public.inventory_txn t where t.item_id = i.id)),
    0::bigint, 'stock is its opening and the sum of its ledger'
);

-- More than anybody has
select is(
    pg_temp.deliver(8408, 0, pg_temp.line('1', 'H-M', 2147483647) || pg_temp.line('2', 'H-M', 2147483647)), 'created',
    'an order of two lines that are too much together'
);
select is(pg_temp.held(8408) || ' ' || pg_temp.ats('H-M'), '1:2147483647+0 2:0+2147483647 0', 'gets the first');
select is(
    pg_temp.deliver(8409, 0, pg_temp.line('1', 'H-M', 2147483647, '{"consumed": 2147483647}')), 'created',
    'a line that wants and lost as much as can be is no error'
);

-- Who may
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is(
    (public.adjust_stock('bannos', 'H-B', 1, 'adjust', 'k5') ->> 'code')
        || ' ' || (public.adjust_stock('flourlane', 'H-A', 1, 'adjust', 'k5') ->> 'code')
        || ' ' || (public.check_stock('flourlane', '{H-A}') ->> 'code')
        || ' ' || (public.check_stock('bannos', '{H-B,NONE}') -> 'data')
        || ' ' || (public.get_stock('bannos', '{H-A}') #>> '{data,items,0,ats}'),
    'PERMISSION_DENIED NOT_FOUND NOT_FOUND {"H-B": 10, "NONE": null} 0',
    'staff see the stock of their store and do not adjust it'
);
select throws_ok('select public.deduct_on_order_create(''x'')', '42501', null, 'nor hold for an order by name');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    (public.adjust_stock('bannos', 'H-B', 1, 'found one', 'k5') #>> '{data,ats}')
        || ' ' || (public.adjust_stock('flourlane', 'H-A', 1, 'adjust', 'k5') ->> 'code')
        || ' ' || (public.adjust_stock('bannos', 'NONE', 1, 'adjust', 'k6') ->> 'code')
        || ' ' || (public.adjust_stock('bannos', 'H-B', 0, 'adjust', 'k6') ->> 'code')
        || ' ' || (public.adjust_stock('bannos', 'H-B', 1, 'hold', 'k6') ->> 'code'),
    '11 NOT_FOUND NOT_FOUND BAD_INPUT BAD_INPUT', 'a supervisor adjusts the stock of the own store'
);

-- The two ways to the stock
reset role;
create function pg_temp.planned(p_late boolean, p_enabled boolean, p_open boolean)
returns setof private.line_hold
language sql
as $$
    with lines as (
        select array_agg(row(
            n.ordinality::text, n.ordinality, n.sku, 'Cake', null, n.quantity, n.consumed, 1, n.gift_card, '{}'::jsonb
        )::private.order_line) as all_of_them
        from unnest(
            '{H-B,H-B,H-B,H-U,NONE,null,H-B,H-B}'::text[], '{2,0,3,1,1,1,1,0}'::integer[], '{0,1,2,1,0,1,0,0}'::integer[],
            '{f,f,f,f,f,f,t,f}'::boolean[]
        ) with ordinality as n (sku, quantity, consumed, gift_card)
    )
    select h.*
    from lines
    cross join lateral unnest(case
        when p_late then private.plan_new_holds('bannos', lines.all_of_them, p_enabled, p_open)
        else array(select h from private.plan_holds('bannos', 'bannos-8499', lines.all_of_them, p_enabled, p_open) h)
    end) h;
$$;
select is(
    (select count(*) from pg_temp.planned(true, true, true) h where h.held_after > 0), 3::bigint,
    'what an order holds that counts on stock without locking it'
);
select is_empty(
    $$
        select w.*, d.*
        from (values (true, true), (true, false), (false, true)) as w (enabled, open)
        cross join lateral (
            (select * from pg_temp.planned(true, w.enabled, w.open) except all select * from pg_temp.planned(false, w.enabled, w.open))
            union all
            (select * from pg_temp.planned(false, w.enabled, w.open) except all select * from pg_temp.planned(true, w.enabled, w.open))
        ) d
    $$,
    'is what it would hold had it locked it'
);

-- Of thousands of advisory locks the server would have no place for the next.
insert into public.inventory_items (store, sku, opening_ats, ats, tracked)
select 'bannos', 'H-Q' || n, 5, 5, true from generate_series(1, 17) n;
create temporary table seen (step integer, locks bigint);
create function pg_temp.see(p_step integer)
returns void
language sql
as $$
    insert into seen
    select p_step, count(*) from pg_catalog.pg_locks l
    where l.locktype = 'advisory' and l.pid = pg_catalog.pg_backend_pid();
$$;
create function pg_temp.lines(p_many integer)
returns jsonb
language sql
as $$ select jsonb_agg(pg_temp.line(n::text, 'H-Q' || n, 1) -> 0) from generate_series(1, p_many) n $$;
select pg_temp.see(0);
select is(pg_temp.deliver(8497, 0, pg_temp.lines(16)), 'created', 'an order of sixteen SKUs');
select pg_temp.see(1);
select is(pg_temp.deliver(8498, 0, pg_temp.lines(17)), 'created', 'an order of one more');
select pg_temp.see(2);
select is(
    (select (one.locks - none.locks) - (two.locks - one.locks)
    from seen none, seen one, seen two where none.step = 0 and one.step = 1 and two.step = 2),
    16::bigint, 'the first queues for each of them, the second for none'
);

select * from finish();
rollback;
