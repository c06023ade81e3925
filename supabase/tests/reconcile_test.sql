-- Looking at Shopify's levels, and the nightly comparison with all of them.
begin;
select plan(82);

create function pg_temp.gid(p_sku text)
returns text
language sql
as $$ select 'gid://shopify/InventoryItem/' || substring(p_sku from '\d+'); $$;
create function pg_temp.item(p_sku text)
returns public.inventory_items
language sql
as $$ select i from public.inventory_items i where i.store = 'bannos' and i.sku = p_sku; $$;
create function pg_temp.pushes(p_sku text)
returns bigint
language sql
as $$
    select count(*) from public.work_queue w
    where w.store = 'bannos' and w.topic = 'inventory_push' and w.payload ->> 'sku' = p_sku and w.status <> 'done';
$$;
create function pg_temp.open(p_sku text)
returns public.stock_checks
language sql
as $$ select c from public.stock_checks c where c.store = 'bannos' and c.sku = p_sku and c.closed_at is null; $$;
-- Looks at a level, as the worker does: what is to be asked, what Shopify says, what it means.
create function pg_temp.look(p_sku text, p_theirs integer)
returns jsonb
language sql
as $$
    select public.settle_stock_checks('bannos', jsonb_build_array(jsonb_build_object(
        'check_id', (pg_temp.open(p_sku)).id, 'available', p_theirs,
        'token', public.begin_stock_checks('bannos', array[(pg_temp.open(p_sku)).id]) #> '{data,items,0,token}'
    ))) -> 'data';
$$;
create function pg_temp.page(p_run text, p_after text, p_next text, p_levels text, p_location text default '1')
returns jsonb
language sql
as $$
    select public.compare_stock(
        p_run, (select max(r.id) from public.reconcile_runs r where r.store = 'bannos'), 'gid://shopify/Location/' || p_location, p_after, p_next,
        (
            select coalesce(jsonb_agg(jsonb_build_object(
                'gid', pg_temp.gid(l ->> 0), 'sku', l -> 0, 'tracked', true, 'available', l -> 1
            )), '[]')
            from jsonb_array_elements(p_levels::jsonb) l
        )
    );
$$;
create function pg_temp.report()
returns public.reconcile_runs
language sql
as $$ select r from public.reconcile_runs r where r.store = 'bannos' order by r.id desc limit 1; $$;
create function pg_temp.start(p_run text, p_now boolean default true)
returns jsonb
language sql
as $$ select public.start_reconcile(p_run, '{bannos}', p_now) -> 'data'; $$;
-- Time goes by, and pushes are done.
create function pg_temp.later()
returns void
language sql
security definer
as $$
    update public.stock_checks set looked_at = looked_at - interval '1 hour' where store = 'bannos';
    update public.work_queue set status = 'done', finished_at = now() where topic = 'inventory_push';
    update public.reconcile_runs set lease_until = now() - interval '1 second' where lease_until is not null;
$$;
create function pg_temp.signal(p_sku text, p_location text default 'gid://shopify/Location/1')
returns text
language sql
as $$
    select public.ingest_shopify_event(
        p_shop_domain => 'bannos.myshopify.com', p_topic => 'inventory_levels/update', p_content_hash => gen_random_uuid()::text,
        p_order => jsonb_build_object('snapshot', false, 'stock', jsonb_build_object('item_gid', pg_temp.gid(p_sku), 'location_gid', p_location)),
        p_payload => '{"available": null}'
    ) #>> '{data,outcome}';
$$;
grant execute on all functions in schema pg_temp to service_role;

delete from public.inventory_items;
insert into public.inventory_items (store, sku, opening_ats, ats, shopify_inventory_item_gid)
select 'bannos', 'T-' || n, 10, 10, pg_temp.gid('T-' || n) from generate_series(1, 5) n;
update public.stock_settings set location_gid = 'gid://shopify/Location/1', drift_threshold = 1 where store = 'bannos';

-- Which night it is
select is(
    (select array_agg(private.reconcile_night(t::timestamptz, 'Australia/Sydney', '03:00')::text order by t) from unnest(array[
        '2026-11-20 15:59:59Z', '2026-11-20 16:00:00Z', '2026-11-20 19:59:59Z', '2026-11-20 20:00:00Z'
    ]) t),
    '{NULL,2026-11-21,2026-11-21,NULL}', 'a night begins at its quiet hour by the clock of the store, and ends four hours later'
);
select is(
    (select array_agg(distinct private.reconcile_night(t, 'Australia/Sydney', '02:30') order by private.reconcile_night(t, 'Australia/Sydney', '02:30'))
    from generate_series('2026-04-03 00:00Z'::timestamptz, '2026-04-06 00:00Z', '15 minutes') t),
    '{2026-04-04,2026-04-05,2026-04-06,NULL}', 'an hour that comes twice makes no second night'
);
select is(
    (select array_agg(distinct private.reconcile_night(t, 'Australia/Sydney', '02:30') order by private.reconcile_night(t, 'Australia/Sydney', '02:30'))
    from generate_series('2026-10-02 00:00Z'::timestamptz, '2026-10-05 00:00Z', '15 minutes') t),
    '{2026-10-03,2026-10-04,2026-10-05,NULL}', 'one that is skipped takes no night away'
);
select is(private.reconcile_night('2026-11-21 00:30Z', 'UTC', '23:45'), '2026-11-20', 'the quiet hour may be before midnight');

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- A signal is looked at.
select is(pg_temp.signal('T-1'), 'ignored', 'a webhook changes nothing by itself');
select is((pg_temp.open('T-1')).cause, 'signal', 'it has the level looked at');
select is(pg_temp.signal('T-1'), 'ignored', 'a second one');
select is(
    (select count(*) from public.work_queue w where w.topic = 'stock_check' and w.payload ->> 'sku' = 'T-1'), 1::bigint,
    'adds no work'
);
select is(array[pg_temp.signal('T-1', 'gid://shopify/Location/2'), pg_temp.signal('T-99')], '{ignored,ignored}', 'of another place, or of what is not ours');
select is((select count(*) from public.stock_checks c where c.store = 'bannos'), 1::bigint, 'nothing is looked at');
select is(pg_temp.look('T-1', 10), '{"decided": 1, "corrected": 0}', 'an echo of our own push agrees');
select is((pg_temp.open('T-1')).id, null, 'and leaves nothing');
select is(pg_temp.pushes('T-1'), 0::bigint, 'so that nothing is pushed, and nothing comes back');

-- A difference is no drift yet.
select is(pg_temp.signal('T-1'), 'ignored', 'another signal');
select is(pg_temp.look('T-1', 7), '{"decided": 0, "corrected": 0}', 'a difference is not corrected at once');
select is((pg_temp.open('T-1')).theirs, 7, 'but remembered');
select is(pg_temp.look('T-1', 7), '{"decided": 0, "corrected": 0}', 'nor before it has settled');
select pg_temp.later();
select is(public.adjust_stock('bannos', 'T-1', -3, 'adjust', 'tap-1') ->> 'ok', 'true', 'the order was under way');
select is(pg_temp.look('T-1', 7), '{"decided": 0, "corrected": 0}', 'while its push waits nothing is said');
select pg_temp.later();
select is(pg_temp.look('T-1', 7), '{"decided": 1, "corrected": 0}', 'then both agree');
select is((pg_temp.item('T-1')).ats, 7, 'and it was counted once');

-- local_wins
select is(pg_temp.signal('T-2'), 'ignored', 'somebody set a level in Shopify');
select is(pg_temp.look('T-2', 25), '{"decided": 0, "corrected": 0}', 'seen');
select pg_temp.later();
select is(pg_temp.look('T-2', 24), '{"decided": 0, "corrected": 0}', 'it still moves');
select is(pg_temp.look('T-2', 24), '{"decided": 0, "corrected": 0}', 'so that it has to settle anew');
select pg_temp.later();
select is(pg_temp.look('T-2', 24), '{"decided": 1, "corrected": 1}', 'the same a while later is drift');
select is(array[(pg_temp.item('T-2')).ats, (pg_temp.item('T-2')).pushed_quantity, pg_temp.pushes('T-2')::integer], '{10,24,1}', 'ours is pushed, compared with what was seen');
select is(
    (select (c.theirs, c.ours, c.outcome, c.policy) from public.stock_checks c where c.sku = 'T-2'),
    (24, 10, 'corrected'::text, 'local_wins'::text), 'and the drift recorded'
);

-- What moves during a look
select is(pg_temp.signal('T-3'), 'ignored', 'a signal');
select set_config('tap.look', public.begin_stock_checks('bannos', array[(pg_temp.open('T-3')).id]) #>> '{data,items,0}', true);
select is(pg_temp.signal('T-3'), 'ignored', 'while it is looked at there is another');
select is(
    public.settle_stock_checks('bannos', jsonb_build_array(current_setting('tap.look')::jsonb || '{"available": 10}')) #> '{data,decided}', '0',
    'then it is looked at again, though it agrees'
);
select is(pg_temp.look('T-3', null), '{"decided": 1, "corrected": 0}', 'a level that there is not');
select is(
    (select (c.outcome, c.reason) from public.stock_checks c where c.sku = 'T-3'),
    ('failed'::text, 'Shopify has no level of it at the location'::text), 'is a failure'
);
select is(public.settle_stock_checks('bannos', '[{"available": 3}]') ->> 'code', 'BAD_INPUT', 'a look without a check is refused');
select is(public.settle_stock_checks('bannos', '[{"check_id": 1}]') -> 'already_done', 'true', 'one of a check that is closed changes nothing');

-- A night
select is((select min(s ->> 'location_gid') from jsonb_array_elements(pg_temp.start('r1') -> 'stores') s), 'gid://shopify/Location/1', 'a run begins where the stock is');
select is(pg_temp.start('r2'), '{"stores": [], "busy": ["bannos"]}', 'a second one finds it taken');
select is(pg_temp.page('r2', null, 'c1', '[]') ->> 'code', 'CONFLICT', 'and may not report');
select is(
    pg_temp.page('r1', null, 'c1', '[["T-1", 7], ["T-2", 11], ["T-3", null]]') -> 'data' @> '{"after": "c1", "compared": 3, "suspected": 2}',
    true, 'a page is compared'
);
select is(pg_temp.page('r1', null, 'c1', '[["T-1", 7]]') ->> 'code', 'CONFLICT', 'once');
select pg_temp.later();
select is(
    pg_temp.start('r3') #> '{stores,0}' @> '{"after": "c1", "location_gid": "gid://shopify/Location/1"}', true,
    'when it was cut off, the next goes on where it stopped'
);
select is(pg_temp.page('r1', 'c1', null, '[]') ->> 'code', 'CONFLICT', 'whoever lost it may not report');
select is(public.stop_reconcile('r1', (pg_temp.report()).id, 'x') ->> 'code', 'CONFLICT', 'nor stop it');
select is(public.stop_reconcile('r3', (pg_temp.report()).id, 'Shopify was away', true) #> '{data,after}', 'null', 'a page that is gone is begun anew');
select is((pg_temp.start('r4') #> '{stores,0,after}'), 'null', 'by the next');
select is(pg_temp.page('r4', null, null, '[["T-1", 7], ["T-2", 11], ["T-3", null], ["T-4", 12]]') #> '{data,location_gid}', 'null', 'to the end');
select is(
    (select array_agg(c.sku || ':' || coalesce(c.theirs::text, '-') order by c.sku) from public.stock_checks c where c.run_id = (pg_temp.report()).id),
    '{T-2:11,T-3:-,T-4:12,T-5:-}', 'what differs, has no level or was not told of is looked at'
);
select is(((pg_temp.report()).state, (pg_temp.report()).compared), ('checking'::text, 4), 'the report waits for it');
select pg_temp.later();
select is(pg_temp.look('T-2', 11), '{"decided": 1, "corrected": 1}', 'one');
select is(pg_temp.look('T-4', 12), '{"decided": 1, "corrected": 1}', 'two');
select is(pg_temp.look('T-5', 10), '{"decided": 1, "corrected": 0}', 'three');
select is((pg_temp.report()).state, 'checking', 'not yet');
select is(pg_temp.look('T-3', null), '{"decided": 1, "corrected": 0}', 'four');
select is(
    ((pg_temp.report()).state, (pg_temp.report()).compared, (pg_temp.report()).drifted, (pg_temp.report()).corrected, (pg_temp.report()).failed),
    ('finished'::text, 4, 2, 2, 1), 'then it tells compared, drifted, corrected and failed'
);
select is(
    (select w.payload ->> 'drifted' from public.work_queue w where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'stock_drift'),
    '2', 'more than the store puts up with is told'
);

-- shopify_wins
reset role;
update public.stock_settings set reconcile_policy = 'shopify_wins', import_skus = true where store = 'bannos';
set local role service_role;
select pg_temp.later();
select pg_temp.start('r5');
select is(
    pg_temp.page('r5', null, null, '[["T-1", -2], ["T-2", 10], ["T-3", 10], ["T-4", 40], ["T-5", 10], ["NEW-7", 9]]') -> 'data'
        @> '{"suspected": 2, "imported": 1}',
    true, 'what nobody knows is brought in when the store wants it'
);
select pg_temp.later();
select is(array[pg_temp.look('T-1', -2) ->> 'corrected', pg_temp.look('T-4', 40) ->> 'corrected'], '{1,1}', 'theirs is adopted');
select is(array[(pg_temp.item('T-1')).ats, (pg_temp.item('T-4')).ats, (pg_temp.item('NEW-7')).ats], '{0,40,0}', 'never below nothing');
select is(pg_temp.signal('T-1'), 'ignored', 'and what is below nothing there');
select is(pg_temp.look('T-1', -2), '{"decided": 1, "corrected": 0}', 'agrees with nothing here');
select public.save_mapping('bannos', '[{"sku": "NEW-7", "gids": ["gid://shopify/InventoryItem/7"]}]');
select is(
    (pg_temp.look('NEW-7', 9) ->> 'decided', (pg_temp.item('NEW-7')).ats, (pg_temp.item('NEW-7')).tracked, (pg_temp.item('NEW-7')).adopt),
    ('1'::text, 9, true, false), 'a new SKU begins with what Shopify has'
);

-- What stands in the way
reset role;
update public.stock_settings set reconcile_policy = 'local_wins', import_skus = false where store = 'bannos';
update public.inventory_items set shopify_location_gid = 'gid://shopify/Location/2' where store = 'bannos' and sku = 'T-3';
insert into public.work_queue (topic, store, dedupe_key) values ('order_ingest_retry', 'bannos', 'tap');
set local role service_role;
select is(pg_temp.signal('T-2'), 'ignored', 'a signal');
select is(pg_temp.look('T-2', 3), '{"decided": 0, "corrected": 0}', 'while an order waits to be applied');
select is((pg_temp.open('T-2')).theirs, null, 'nothing is even remembered');
reset role;
delete from public.work_queue where topic = 'order_ingest_retry' and dedupe_key = 'tap';
set local role service_role;
select is(pg_temp.look('T-2', 3), '{"decided": 0, "corrected": 0}', 'then it is');
select is((select array_agg(pg_temp.look('T-2', 3 + n % 2) ->> 'decided') from generate_series(1, 9) n), array_fill('0'::text, '{9}'), 'what never stands still');
select is(
    (select (pg_temp.look('T-2', 3) ->> 'decided', c.reason) from public.stock_checks c where c.sku = 'T-2' and c.outcome is null),
    ('1'::text, null::text), 'is left alone in the end'
);
select is((select c.reason from public.stock_checks c where c.sku = 'T-2' order by c.id desc limit 1), 'it never stood still', 'and says so');

-- Several locations, and looks that nobody takes
select pg_temp.start('r6');
select is(
    pg_temp.page('r6', null, null, '[["T-1", 0], ["T-2", 10], ["T-3", 1], ["T-4", 40], ["T-5", 10], ["NEW-7", 9]]') -> 'data'
        @> '{"location_gid": "gid://shopify/Location/2", "after": null, "suspected": 0}',
    true, 'what is stocked elsewhere is compared there'
);
select is(pg_temp.page('r6', null, null, '[["T-3", 1]]', '1') ->> 'code', 'CONFLICT', 'a location is read once');
select is(pg_temp.page('r6', null, null, '[["T-3", 1], ["T-1", 5]]', '2') #> '{data,suspected}', '1', 'and nothing else is');
reset role;
update public.work_queue set status = 'dead', error_class = 'permanent', finished_at = now() where topic = 'stock_check' and payload ->> 'sku' = 'T-3';
set local role service_role;
select is((pg_temp.report()).state, 'checking', 'a look that the queue has given up');
reset role;
insert into public.stock_checks (store, item_id, sku, cause, outcome, closed_at) select 'bannos', (pg_temp.item('T-5')).id, 'OLD', 'signal', 'failed', now() - interval '91 days';
set local role service_role;
select is(public.start_reconcile('r7', '{flourlane}') ->> 'ok', 'true', 'is missed by the next run');
select is(((pg_temp.report()).state, (pg_temp.report()).failed), ('finished'::text, 1), 'and counts as failed');
select is((select count(*) from public.stock_checks c where c.sku = 'OLD'), 0::bigint, 'what was found long ago is forgotten');

-- A run that cannot go on
select pg_temp.start('r8');
select is(public.stop_reconcile('r8', (pg_temp.report()).id, 'no access', false, true) ->> 'ok', 'true', 'a shop that lets nobody in');
select is(((pg_temp.report()).state, (pg_temp.report()).error), ('given_up'::text, 'no access'::text), 'is given up for the night');
select is(
    (select w.payload ->> 'reason' from public.work_queue w where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'reconcile_failed'),
    'no access', 'and people are told'
);
reset role;
update public.stock_settings set reconcile_at = ((now() at time zone 'Australia/Sydney') - interval '1 hour')::time where store = 'bannos';
insert into public.reconcile_runs (store, night, policy, error) select 'bannos', private.reconcile_night(now(), 'Australia/Sydney', reconcile_at) - 1, 'local_wins', 'too slow' from public.stock_settings where store = 'bannos';
set local role service_role;
select is((pg_temp.start('r9', false) #> '{stores,0,after}'), 'null', 'the next night');
select is(
    (select array_agg(r.state order by r.night) from public.reconcile_runs r where r.store = 'bannos' and r.night is not null),
    '{given_up,reading}', 'does not wait for one that never ended'
);
select is(jsonb_array_length(pg_temp.start('r10', false) -> 'stores'), 0, 'and is one night');
select is(
    (select count(*) from public.inventory_items i where i.ats <> i.opening_ats + (select coalesce(sum(t.delta), 0) from public.inventory_txn t where t.item_id = i.id)),
    0::bigint, 'the ledger explains every unit'
);
select * from finish();
rollback;
