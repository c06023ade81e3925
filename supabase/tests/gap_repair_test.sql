-- Gap repair: what is to be read, how far that has come, and which orders are missing.
begin;
select plan(62);

create function pg_temp.start(p_run text, p_stores text[] default '{bannos}')
returns jsonb
language sql
as $$ select public.start_sync('tap_orders', p_run, p_stores) -> 'data'; $$;
create function pg_temp.save(p_run text, p_state text, p_after text default null)
returns jsonb
language sql
as $$ select public.save_sync('tap_orders', p_run, 'bannos', p_state, p_after); $$;
create function pg_temp.cursor()
returns public.sync_cursors
language sql
as $$ select c from public.sync_cursors c where c.store = 'bannos' and c.name = 'tap_orders'; $$;
create function pg_temp.ingest(p_topic text, p_gid text, p_updated_at text, p_shop text default 'bannos')
returns void
language sql
as $$
    select public.ingest_shopify_event(
        p_shop_domain => p_shop || '.myshopify.com', p_topic => p_topic, p_content_hash => concat(p_topic, p_gid, p_updated_at),
        p_order => jsonb_build_object(
            'snapshot', true, 'gid', p_gid, 'shopify_id', substring(p_gid from '\d+$'), 'updated_at', p_updated_at
        ),
        p_payload => '{}'
    );
$$;
create function pg_temp.missed(p_number text, p_updated_at text, p_created_at text default null)
returns text
language sql
as $$
    select a.answer #>> '{data,orders,0,topic}'
    from public.find_missed_orders('bannos', jsonb_build_array(jsonb_build_object(
        'gid', 'gid://shopify/Order/' || p_number, 'updated_at', p_updated_at, 'created_at', p_created_at
    ))) as a (answer);
$$;
create function pg_temp.troubled(p_state text, p_trouble text)
returns text
language plpgsql
as $$
begin
    perform public.start_sync('tap_orders', 't', '{bannos}');
    return public.save_sync('tap_orders', 't', 'bannos', p_state, p_trouble => p_trouble) #>> '{data,tell}';
end;
$$;
grant execute on all functions in schema pg_temp to service_role;

-- The stores are as old as the test wants them to be.
update public.stores set created_at = now() - interval '10 days' where key = 'bannos';
update public.stores set created_at = now() - interval '90 days' where key = 'flourlane';

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select throws_ok($$select public.start_sync('tap_orders', 'a')$$, '42501', null, 'an Admin starts no run');
select throws_ok($$select public.save_sync('tap_orders', 'a', 'bannos', 'done')$$, '42501', null, 'reports none');
select throws_ok($$select public.find_missed_orders('bannos', '[]')$$, '42501', null, 'and looks for nothing');

-- A run takes its stores
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(
    pg_temp.start('a'), jsonb_build_object('busy', '[]'::jsonb, 'stores', jsonb_build_array(jsonb_build_object(
        'store', 'bannos', 'shop_domain', 'bannos.myshopify.com', 'seen_until', now() - interval '10 days',
        'from', now() - interval '10 days 15 minutes', 'until', now() - interval '2 minutes', 'after', null
    ))), 'the first window begins with the store and ends a little before now'
);
select is(pg_temp.start('b'), '{"stores": [], "busy": ["bannos"]}', 'another run finds it taken');
select is(
    (pg_temp.start('b', '{bannos,flourlane}') #>> '{stores,0,from}')::timestamptz, now() - interval '30 days 15 minutes',
    'and takes the others; a month is far enough back'
);
select is((pg_temp.cursor()).run, 'a', 'what is taken stays taken');

-- Pages
select is(pg_temp.save('b', 'page', 'p1') ->> 'code', 'CONFLICT', 'who has not taken it reports nothing');
select is(pg_temp.save('a', 'page', 'p1') ->> 'ok', 'true', 'who has, reports a page');
select is(
    (select (c.page_after, c.run, c.seen_until)::text from pg_temp.cursor() c),
    format('(p1,a,"%s")', now() - interval '10 days'), 'it is kept, nothing is finished'
);
select is(pg_temp.save('a', 'stopped') ->> 'ok', 'true', 'cut off');
select is(
    array(select pg_temp.troubled('stopped', word) from unnest('{access,access,null,access,behind,behind,access}'::text[]) as word),
    '{true,false,false,false,true,false,true}', 'trouble is to be told once, and when it is another'
);
reset role;
update public.sync_cursors set told_at = now() - interval '7 days' where name = 'tap_orders' and store = 'bannos';
set local role service_role;
select is(
    array(select pg_temp.troubled('stopped', 'access') from generate_series(1, 2)), '{true,false}', 'and again after a week'
);
select is(public.save_sync('tap_orders', 't', 'bannos', 'stopped', p_trouble => 'Access!') ->> 'code', 'BAD_INPUT', 'it is a word');
select is((pg_temp.cursor()).run, null, 'it is free again');
select is(pg_temp.save('a', 'page', 'p2') ->> 'code', 'CONFLICT', 'whoever comes too late reports nothing');
reset role;
update public.sync_cursors set window_from = window_from - interval '1 day', window_until = window_until - interval '1 day'
where name = 'tap_orders' and store = 'bannos';
set local role service_role;
select is(
    (pg_temp.start('c') #> '{stores,0}') - '{store,shop_domain,seen_until}'::text[],
    jsonb_build_object(
        'from', now() - interval '11 days 15 minutes', 'until', now() - interval '1 day 2 minutes', 'after', 'p1'
    ), 'the next run goes on in the same window at the same page'
);
select is(
    (pg_temp.save('c', 'done') #>> '{data,seen_until}')::timestamptz, now() - interval '1 day 2 minutes',
    'at its end everything before the end of the window has been seen'
);
select is(
    (select (c.page_after, c.window_from, c.window_until, c.run, c.lease_until)::text from pg_temp.cursor() c),
    '(,,,,)', 'and nothing is open'
);
select is(
    (pg_temp.start('d') #>> '{stores,0,from}')::timestamptz, now() - interval '1 day 17 minutes',
    'the next window begins a little before that'
);
select is(pg_temp.save('d', 'page', 'p3') ->> 'ok', 'true', 'a page');
select is(pg_temp.save('d', 'restart') ->> 'ok', 'true', 'whose place the shop does not know any more');
select is(
    pg_temp.start('e') #> '{stores,0,after}', 'null', 'begins the window anew'
);
select is(pg_temp.save('e', 'page', 'p4') ->> 'ok', 'true', 'a run');
reset role;
update public.sync_cursors set lease_until = now() - interval '1 s' where name = 'tap_orders' and store = 'bannos';
set local role service_role;
select is(pg_temp.start('f') #>> '{stores,0,after}', 'p4', 'that died is followed by another, where it was');
select is(pg_temp.save('e', 'done') ->> 'code', 'CONFLICT', 'and is not heard when it wakes');
select is(
    pg_temp.save('f', 'done') #>> '{data,after}', null, 'the other finishes'
);
reset role;
-- A window that has only just been read to its end.
update public.sync_cursors set seen_until = now() where name = 'tap_orders' and store = 'bannos';
set local role service_role;
select is(
    (pg_temp.start('g') #>> '{stores,0,until}')::timestamptz, now(), 'what has been seen never becomes less'
);
select is(pg_temp.save('g', 'done') ->> 'ok', 'true', 'and can be read again');
reset role;
delete from public.sync_cursors where name = 'tap_orders';
set local role service_role;
select is(
    (select array_agg(s ->> 'store') from jsonb_array_elements(pg_temp.start('h', '{bannos,flourlane}') -> 'stores') s),
    '{flourlane,bannos}', 'who is furthest behind comes first'
);
reset role;
update public.sync_cursors set lease_until = null, run = null where name = 'tap_orders';
update public.stores set uninstalled_at = now() where key = 'flourlane';
set local role service_role;
select is(
    pg_temp.start('i', '{bannos,flourlane}') #>> '{stores,0,store}', 'bannos', 'a shop without the app is left alone'
);
select is(
    pg_temp.start('j', '{bannos,flourlane}'), '{"stores": [], "busy": ["bannos"]}', 'and is not called busy either'
);
select is(bad.answer ->> 'code', 'BAD_INPUT', 'refuses ' || bad.what)
from (
    values
        ('a run without a name', public.start_sync('tap_orders', '')),
        ('a strange name', public.start_sync('Tap orders', 'a')),
        ('no name', public.start_sync(null, 'a')),
        ('an unknown state', pg_temp.save('h', 'lost')),
        ('no state', pg_temp.save('h', null)),
        ('a page without its place', pg_temp.save('h', 'page'))
) as bad (what, answer);

-- People read how far their stores are
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    (select array_agg(c.store) from public.sync_cursors c where c.name = 'tap_orders'), '{bannos}',
    'a Supervisor reads the own store'
);
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is((select count(*) from public.sync_cursors c), 0::bigint, 'Staff do not');
select throws_ok($$update public.sync_cursors set seen_until = now()$$, '42501', null, 'nobody writes');

-- Which orders are missing
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select pg_temp.ingest('orders/create', 'gid://shopify/Order/770001', '2026-11-01T10:00:00Z');
select pg_temp.ingest('orders/updated', 'gid://shopify/Order/770002', '2026-11-01T10:00:00Z');
select pg_temp.ingest('orders/create', 'gid://shopify/Order/770003', '2026-11-01T10:00:00Z', 'flourlane');
select pg_temp.ingest('orders/create', 'gid://shopify/Order/770004', null);

select is(pg_temp.missed('770001', '2026-11-01T10:00:00Z'), null, 'an order that is known in this state is not missed');
select is(pg_temp.missed('770001', '2026-11-01T09:00:00Z'), null, 'nor is one that is newer here');
select is(pg_temp.missed('770001', '2026-11-01T10:00:01Z'), 'orders/updated', 'one that is older here lacks an update');
select is(pg_temp.missed('770001', '2026-11-01T20:00:01+10:00'), 'orders/updated', 'whatever the offset');
select is(pg_temp.missed('770002', '2026-11-01T10:00:00Z'), 'orders/create', 'a placeholder lacks its creation');
select is(pg_temp.missed('770009', '2026-11-01T10:00:00Z'), 'orders/create', 'an unknown order too');
select is(
    pg_temp.missed('770009', '2026-11-01T10:00:00Z', '2026-01-01T00:00:00Z'), 'orders/updated',
    'but not one that was made before the store was ours'
);
select is(
    pg_temp.missed('770002', '2026-11-01T10:00:00Z', '2026-01-01T00:00:00Z'), null, 'which may stay a placeholder'
);
select is(
    pg_temp.missed('770002', '2026-11-01T10:00:01Z', '2026-01-01T00:00:00Z'), 'orders/updated', 'unless it has changed'
);
select is(
    pg_temp.missed('770009', '2026-11-01T10:00:00Z', to_char(now(), 'YYYY-MM-DD"T"HH24:MI:SSOF')), 'orders/create',
    'an order of today is ours'
);
select is(pg_temp.missed('770003', '2099-11-01T10:00:00Z'), null, 'an order of another store is not looked at');
select is(pg_temp.missed('770004', '2026-11-01T10:00:00Z'), 'orders/updated', 'a state without a time is older than any');
reset role;
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, occurred_at, payload)
values (
    'shopify', 'orders/updated', 'bannos', 'gid://shopify/Order/770005', 'tap/waits', 'tap/waits', '2026-11-01T10:00:00Z', '{}'
);
set local role service_role;
select is(pg_temp.missed('770005', '2026-11-01T10:00:00Z'), null, 'a state that waits to be applied is not missed');
select is(pg_temp.missed('770005', '2026-11-01T10:00:01Z'), 'orders/create', 'a later one is');
select is(pg_temp.missed('770001', 'yesterday'), null, 'a time that is none misses nothing');
select is(
    public.find_missed_orders('bannos', '[
        {"gid": "gid://shopify/Order/770013", "updated_at": "2026-11-01T10:00:00Z"},
        {"gid": "gid://shopify/Order/770001", "updated_at": "2026-11-01T10:00:00Z"},
        {"gid": "gid://shopify/Order/770011"}, {"gid": "gid://shopify/Order/770013"}, {}, 7
    ]') #> '{data,orders}',
    '[{"gid": "gid://shopify/Order/770013", "topic": "orders/create"},
      {"gid": "gid://shopify/Order/770011", "topic": "orders/create"}]', 'each once, in the order of the page'
);
select is(public.find_missed_orders('bannos', '[]') #> '{data,orders}', '[]', 'of nothing nothing is missed');
select is(public.find_missed_orders('nowhere', '[]') ->> 'code', 'NOT_FOUND', 'an unknown store');
select is(public.find_missed_orders('bannos', '{}') ->> 'code', 'BAD_INPUT', 'what is no list');

-- A page is answered from indexes, however much there is
reset role;
insert into public.orders (store, id, shopify_order_gid, business_updated_at)
select 'bannos', 'bannos-' || n, 'gid://shopify/Order/' || n, '2026-11-01T10:00:00Z' from generate_series(7800001, 7820000) n;
insert into public.order_index (shopify_order_gid, store, order_id)
select 'gid://shopify/Order/' || n, 'bannos', 'bannos-' || n from generate_series(7800001, 7820000) n;
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, processed_at)
select 'shopify', 'orders/create', 'bannos', 'gid://shopify/Order/' || n, 'tap/' || n, 'tap/' || n, '{}', now()
from generate_series(7800001, 7820000) n;
analyze public.orders, public.order_index, public.event_store;
create function pg_temp.whole_reads()
returns bigint
language sql
as $$
    select sum(pg_stat_get_xact_numscans(c))
    from unnest(array['public.orders_bannos', 'public.order_index', 'public.event_store']::regclass[]) c;
$$;
select set_config('tests.before', pg_temp.whole_reads()::text, true);
set local role service_role;
-- Often enough for a plan that fits every value to be tried in place of one for these.
select is(
    (
        select sum(jsonb_array_length(public.find_missed_orders('bannos', (
            select jsonb_agg(jsonb_build_object(
                'gid', 'gid://shopify/Order/' || (7800001 + turn * 1000 + n), 'updated_at', '2026-11-01T10:00:0' || n % 2 || 'Z'
            ))
            from generate_series(0, 49) n
        )) #> '{data,orders}'))
        from generate_series(0, 9) turn
    ),
    250::bigint, 'ten pages of which every second order is older here'
);
reset role;
select is(pg_temp.whole_reads()::text, current_setting('tests.before'), 'no table is read from end to end');

select * from finish();
rollback;
