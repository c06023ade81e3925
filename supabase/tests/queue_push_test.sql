-- Levels on their way to Shopify: a SKU is in one hand at a time, its pushes leave together, and each compares with
-- the level that was confirmed last.
begin;
select plan(47);

-- Whatever a shared database holds is out of the way of these tests.
update public.work_queue set next_retry_at = 'infinity' where status in ('pending', 'error');
delete from public.worker_runs;
insert into public.inventory_items (store, sku, opening_ats, ats, shopify_inventory_item_gid, shopify_location_gid)
values
    ('bannos', 'P-A', 9, 9, 'gid://shopify/InventoryItem/pa', 'gid://shopify/Location/1'),
    ('bannos', 'P-B', 8, 8, 'gid://shopify/InventoryItem/pb', 'gid://shopify/Location/1'),
    ('flourlane', 'P-A', 7, 7, 'gid://shopify/InventoryItem/pa', 'gid://shopify/Location/2');

create temporary table batch (id bigint, dedupe_key text, fence bigint, item jsonb, turn bigint);
-- A push that has been due for this many seconds.
create function pg_temp.wait(p_store text, p_sku text, p_key text, p_seconds integer)
returns void
language sql
security definer
as $$
    insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at) values
        ('inventory_push', p_store, jsonb_build_object('sku', p_sku), p_key, now() - make_interval(secs => p_seconds));
$$;
create function pg_temp.claim(p_worker text, p_limit integer default 100)
returns text
language plpgsql
as $$
begin
    truncate batch;
    insert into batch
    select (i.item ->> 'id')::bigint, i.item ->> 'dedupe_key', (i.item ->> 'fence')::bigint, i.item, i.turn
    from jsonb_array_elements(public.claim_work(p_worker, '{inventory_push,slack_alert}', p_limit) #> '{data,items}')
        with ordinality as i (item, turn);
    return (select string_agg(b.dedupe_key, ' ' order by b.turn) from batch b);
end;
$$;
-- One result for all that was claimed last.
create function pg_temp.report(p_worker text, p_change jsonb)
returns jsonb
language sql
as $$
    select public.report_work(
        p_worker, (select jsonb_agg(jsonb_build_object('id', b.id, 'fence', b.fence) || p_change) from batch b)
    ) -> 'data';
$$;
create function pg_temp.expire()
returns void
language sql
security definer
as $$ update public.work_queue set lease_until = now() - interval '1 second' where status = 'processing' $$;
create function pg_temp.make_due(p_like text)
returns void
language sql
security definer
as $$ update public.work_queue set next_retry_at = now() where dedupe_key like p_like and status = 'error' $$;
create function pg_temp.hold(p_sku text, p_quantity integer)
returns void
language sql
security definer
as $$
    update public.inventory_items i set ats = i.ats - p_quantity, updated_at = 'epoch' where store = 'bannos' and sku = p_sku;
$$;
create function pg_temp.known(p_sku text)
returns integer
language sql
as $$ select i.pushed_quantity from public.inventory_items i where i.store = 'bannos' and i.sku = p_sku $$;
create function pg_temp.state(p_key text)
returns text
language sql
as $$
    select w.status || ' ' || w.retry_count || case when w.next_retry_at > now() then ' later' else ' now' end
    from public.work_queue w where w.topic = 'inventory_push' and w.dedupe_key = p_key;
$$;
grant execute on all functions in schema pg_temp to service_role;
grant all on batch to service_role;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- One hand
select pg_temp.wait('bannos', 'P-A', 'a1', 50), pg_temp.wait('bannos', 'P-A', 'a2', 10);
select is(pg_temp.claim('w1'), 'a1 a2', 'what waits for one SKU is claimed together');
select is(
    (select array_agg(distinct b.item -> 'context') from batch b),
    array['{"sku": "P-A", "ats": 9, "inventory_item_gid": "gid://shopify/InventoryItem/pa",
        "location_gid": "gid://shopify/Location/1", "change_from": null}'::jsonb],
    'with one level, and nothing to compare it with'
);
select pg_temp.wait('bannos', 'P-A', 'a3', 5), pg_temp.wait('bannos', 'P-B', 'b1', 4), pg_temp.wait('flourlane', 'P-A', 'f1', 3);
select pg_temp.hold('P-A', 2);
select is(pg_temp.claim('w2'), 'b1 f1', 'a SKU that somebody has is not given to another; other SKUs and stores are');
select is(pg_temp.report('w2', '{"outcome": "done", "pushed": 8}') ->> 'done', '2', 'these are done');
select is(pg_temp.claim('w3'), null, 'which frees nothing of the first, however often it is asked for');
reset role;
insert into batch select w.id, w.dedupe_key, w.fence, null, 1 from public.work_queue w where w.dedupe_key in ('a1', 'a2');
set local role service_role;
select is(pg_temp.report('w1', '{"outcome": "done", "pushed": 9}') ->> 'done', '2', 'both are done with one level');
select is(pg_temp.known('P-A'), 9, 'which is what Shopify has now');
select is(pg_temp.claim('w3'), 'a3', 'then the next may leave');
select is(
    (select (b.item #>> '{context,ats}') || ' from ' || (b.item #>> '{context,change_from}') from batch b), '7 from 9',
    'with the level of now, compared with the one that was confirmed'
);

-- The lease of whoever had it runs out
select pg_temp.expire();
select pg_temp.wait('bannos', 'P-A', 'a4', 1);
reset role;
create temporary table lost as select * from batch;
grant select on lost to service_role;
set local role service_role;
select is(pg_temp.claim('w4'), 'a3 a4', 'a lost lease frees the SKU');
select is(
    public.report_work('w3', (select jsonb_agg(jsonb_build_object('id', l.id, 'fence', l.fence, 'outcome', 'done', 'pushed', 1)) from lost l))
        #>> '{data,ignored}',
    '1', 'the late report of the loser is ignored'
);
select is(pg_temp.known('P-A'), 9, 'and what it says of the level too');

-- Shopify has another level than the one compared with
select pg_temp.hold('P-A', 1);
select is(
    pg_temp.report('w4', '{"outcome": "stale", "error": "CHANGE_FROM_QUANTITY_STALE"}'),
    '{"done": 0, "retried": 0, "dead": 0, "ignored": 0, "stale": 2}', 'a comparison that failed is no failure'
);
select is(pg_temp.known('P-A'), null, 'the level is forgotten');
select is(pg_temp.state('a3') || ', ' || pg_temp.state('a4'), 'error 1 now, error 0 now', 'no attempt is burnt, no time lost');
select is(pg_temp.claim('w5'), 'a3 a4', 'it is claimed again');
select is(
    (select distinct (b.item #>> '{context,ats}') || coalesce(' from ' || (b.item #>> '{context,change_from}'), '') from batch b),
    '6', 'with the level of now, compared with nothing'
);
select is(
    pg_temp.report('w5', '{"outcome": "stale", "error": "nonsense"}') ->> 'retried', '2', 'without a comparison nothing can be stale'
);
select is(pg_temp.state('a3') || ', ' || pg_temp.state('a4'), 'error 2 later, error 1 later', 'so it counts as a failure');
select pg_temp.make_due('a_');
select is(pg_temp.claim('w5'), 'a3 a4', 'once more');
select is(pg_temp.report('w5', '{"outcome": "done", "pushed": 6}') ->> 'done', '2', 'and done');
select is(pg_temp.known('P-A'), 6, 'the level is known again');
select is(
    (select i.updated_at from public.inventory_items i where i.store = 'bannos' and i.sku = 'P-A'), now(),
    'a hold shows as a change of the stock'
);
reset role;
update public.inventory_items set updated_at = 'epoch', pushed_quantity = 6 where sku = 'P-A';
set local role service_role;
select pg_temp.wait('bannos', 'P-A', 'a5', 1);
select pg_temp.claim('w5');
select pg_temp.report('w5', '{"outcome": "done", "pushed": 5}');
select is(
    (select i.pushed_quantity || ' ' || i.updated_at::date from public.inventory_items i where i.store = 'bannos' and i.sku = 'P-A'),
    '5 1970-01-01', 'what Shopify is told does not'
);
select pg_temp.wait('bannos', 'P-A', 'a6', 1);
select pg_temp.claim('w5');
select is(pg_temp.report('w5', '{"outcome": "failed", "pushed": 99}') ->> 'retried', '1', 'a failure');
select is(pg_temp.known('P-A'), 5, 'confirms no level');
select pg_temp.make_due('a6');
select pg_temp.claim('w5');
select pg_temp.report('w5', '{"outcome": "done"}');
select is(pg_temp.known('P-A'), 5, 'nor does a success that names none');

-- Within the limit
select pg_temp.wait('bannos', 'P-A', 'a7', 50), pg_temp.wait('bannos', 'P-B', 'b7', 40), pg_temp.wait('bannos', 'P-A', 'a8', 30),
    pg_temp.wait('bannos', 'P-A', 'a9', 20), pg_temp.wait('flourlane', 'P-A', 'f7', 10);
select is(
    pg_temp.claim('w6', 3), 'a7 a8 f7',
    'the SKU that has waited longest takes its other pushes along, as far as the share of its store goes'
);
select is(pg_temp.claim('w6', 1), 'b7', 'what did not fit waits with it');
reset role;
select is(
    (select string_agg(w.dedupe_key, ' ' order by w.id) from public.work_queue w where w.status = 'processing'), 'a7 b7 a8 f7',
    'no more is leased than was handed out'
);
update public.work_queue set status = 'done', finished_at = now(), locked_by = null, lease_until = null where status = 'processing';
set local role service_role;
select is(pg_temp.claim('w6', 1), 'a9', 'in the end all of it leaves');
select pg_temp.report('w6', '{"outcome": "done", "pushed": 5}');

-- A push without a SKU is nobody's business but its own
reset role;
insert into public.work_queue (topic, store, dedupe_key, payload) values
    ('inventory_push', 'bannos', 'n1', '{}'), ('inventory_push', 'bannos', 'n2', '{"sku": null}'),
    ('inventory_push', 'bannos', 'n3', jsonb_build_object('sku', repeat('ü', 5000)));
set local role service_role;
select is(pg_temp.claim('w7', 1) || ' ' || pg_temp.claim('w7', 1) || ' ' || pg_temp.claim('w7', 1), 'n1 n2 n3', 'pushes of no SKU are apart');

-- What was given up is told, once
reset role;
insert into batch
select w.id, w.dedupe_key, w.fence, null, 1 from public.work_queue w where w.dedupe_key in ('n1', 'n2');
set local role service_role;
select is(
    pg_temp.report('w7', '{"outcome": "failed", "error_class": "permanent", "error": "no SKU"}') ->> 'dead', '3', 'three are given up'
);
select is(pg_temp.claim('w8') is not null, true, 'somebody is told');
select is(
    (select jsonb_agg(b.item -> 'payload') from batch b),
    '[{"kind": "dead_work", "items": 3, "topics": ["inventory_push"]}]', 'once for the store, with what and how many'
);
select is(
    pg_temp.report('w8', '{"outcome": "failed", "error_class": "permanent", "error": "no such channel"}') ->> 'dead', '1',
    'the alert itself fails'
);
select is(pg_temp.claim('w8'), null, 'which is not told by another alert');
reset role;
delete from public.dead_letters where topic in ('slack_alert', 'inventory_push');
delete from public.work_queue where topic = 'slack_alert';
insert into public.work_queue (topic, store, dedupe_key, payload, status, locked_by, lease_until, retry_count, max_retries)
values ('inventory_push', 'flourlane', 'x1', '{"sku": "P-A"}', 'processing', 'w9', now() - interval '1 second', 2, 3);
set local role service_role;
select is(
    (public.claim_work('w9', array['inventory_push', 'slack_alert'], 100) -> 'data') - 'items',
    '{"given_up": ["inventory_push"], "retry_in_ms": 1}', 'what lost its last worker is given up'
);
select is(pg_temp.claim('w9') is not null, true, 'and told too, at once');
select is(
    (select jsonb_agg((b.item -> 'payload') || jsonb_build_object('store', b.item -> 'store')) from batch b),
    '[{"kind": "dead_work", "items": 1, "store": "flourlane", "topics": ["inventory_push"]}]', 'to the right store'
);

-- Drains that find nothing
select is(
    (select count(*) from generate_series(1, 5) n, lateral public.record_worker_run('w' || n, now(), 0, 0, 0, 0, '{}') r
     where r -> 'already_done' = 'true'),
    4::bigint, 'of idle drains one is on record'
);
select public.record_worker_run('w', now(), 2, 1, 1, 0, '{}');
reset role;
select is((select count(*) from public.worker_runs), 2::bigint, 'of those that found work each');
update public.worker_runs set finished_at = now() - interval '51 seconds';
set local role service_role;
select is(
    public.record_worker_run('w', now(), 0, 0, 0, 0, '{}') -> 'already_done', 'false', 'and the next minute an idle one again'
);
select is(
    public.record_worker_run('w', now(), 0, 0, 0, 3, '{}') -> 'already_done', 'false', 'one that found dead work is no idle one'
);

-- A lease that has run out is taken back before anything else of its SKU is given out, though that be first in turn.
reset role;
update public.work_queue set status = 'done', finished_at = now() where finished_at is null;
select pg_temp.wait('bannos', 'P-B', 'later/b', -60), pg_temp.wait('bannos', 'P-B', 'later/a', 100);
set local role service_role;
select is(pg_temp.claim('w1', 1), 'later/a', 'a push is leased, and an elder one of its SKU waits for its next try');
reset role;
select pg_temp.expire();
update public.work_queue set next_retry_at = now() where dedupe_key = 'later/b';
set local role service_role;
select isnt(pg_temp.claim('w2', 1), null, 'when both are due, one of them is given out');
select is(
    (select string_agg(w.locked_by, ' ') from public.work_queue w where w.dedupe_key like 'later/%' and w.status = 'processing'),
    'w2', 'and the SKU is in one hand'
);

select * from finish();
rollback;
