-- Batches decided by the clock: every boundary, every window edge, each effect once, one bad batch among good ones.
begin;
select plan(65);

-- Whatever else is in the database is not looked at.
update public.production_batches set window_closes_at = now() + interval '300 days' where status = 'filling';

insert into public.suppliers (id, store, name) values
    ('10000000-0000-4000-8000-000000000001', 'bannos', 'Ovens United'),
    ('10000000-0000-4000-8000-000000000002', 'flourlane', 'Ovens Apart');
insert into public.supplier_terms (
    id, store, supplier_id, product_category, base_price, currency, minimum_order_quantity, lead_time_days, style_limit
)
values
    ('20000000-0000-4000-8000-000000000001', 'bannos', '10000000-0000-4000-8000-000000000001', 'test-tins', 10, 'AUD', 100, 14, 5),
    ('20000000-0000-4000-8000-000000000002', 'flourlane', '10000000-0000-4000-8000-000000000002', 'test-tins', 10, 'AUD', 100, 14, 5);

create temp table made (name text primary key, id uuid) on commit drop;

create function pg_temp.batch(
    p_name text, p_quantity integer, p_target integer, p_closes timestamptz, p_store text default 'bannos'
)
returns void
language plpgsql
as $$
declare
    v_id uuid;
begin
    insert into public.production_batches (
        store, terms_id, product_category, current_quantity, target_quantity, style_limit, window_opens_at, window_closes_at
    )
    values (
        p_store,
        case p_store when 'bannos' then '20000000-0000-4000-8000-000000000001' else '20000000-0000-4000-8000-000000000002' end::uuid,
        'test-tins', p_quantity, p_target, 5, now() - interval '30 days', p_closes
    )
    returning id into v_id;
    insert into made values (p_name, v_id);
end;
$$;

-- An order with its events, as a delivery would have made it.
create function pg_temp.contribution(
    p_batch text, p_number text, p_payment text, p_quantity integer, p_amount numeric, p_cancelled boolean default false
)
returns void
language plpgsql
as $$
declare
    v_gid text := 'gid://shopify/Order/77' || p_number;
    v_batch public.production_batches;
begin
    select b.* into v_batch from public.production_batches b join made m on m.id = b.id where m.name = p_batch;
    insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, normalized, processed_at)
    values (
        'shopify', 'orders/create', v_batch.store, v_gid, v_batch.store || '/orders/create/b' || p_number, 'b' || p_number,
        '{}', jsonb_strip_nulls(jsonb_build_object(
            'gid', v_gid, 'snapshot', true, 'updated_at', '2026-11-01T00:00:00Z', 'topic_rank', 0,
            'order_number', '77' || p_number, 'currency', 'AUD', 'total_amount', p_amount::text,
            'payment_status', p_payment, 'lines', '[]'::jsonb,
            'cancelled_at', case when p_cancelled then '2026-11-02T00:00:00Z' end
        )), now()
    );
    insert into public.order_index (shopify_order_gid, store, order_id) values (v_gid, v_batch.store, v_batch.store || '-77' || p_number);
    perform private.apply_order(s, v_batch.store || '-77' || p_number, v_gid, 'test') from public.stores s where s.key = v_batch.store;
    insert into public.batch_contributions
        (store, batch_id, order_id, product_variant_base, style, style_details, quantity, unit_price, total_price, currency)
    values (v_batch.store, v_batch.id, v_batch.store || '-77' || p_number, 'tin', 'red', '{"variant":"red"}', p_quantity, 1, p_quantity, 'AUD');
end;
$$;

create function pg_temp.action_of(p_answer jsonb, p_name text)
returns text
language sql
as $$
    select coalesce(
        (select r ->> 'action' from jsonb_array_elements(p_answer #> '{data,results}') r
            where (r ->> 'batchId')::uuid = (select m.id from made m where m.name = p_name)),
        'nothing'
    );
$$;

create function pg_temp.status_of(p_name text)
returns text
language sql
as $$
    select b.status from public.production_batches b join made m on m.id = b.id where m.name = p_name;
$$;

-- Boundaries ----------------------------------------------------------------------------------------------------
create temp table boundary (name text, quantity integer, target integer, closed boolean, action text) on commit drop;
insert into boundary values
    ('nothing at all, closed', 0, 100, true, 'cancelled'),
    ('45 %, closed', 45, 100, true, 'cancelled'),
    ('49.99 %, closed', 4999, 10000, true, 'cancelled'),
    ('50 %, closed', 5000, 10000, true, 'needs_review'),
    ('50 % of an odd target, closed', 50, 101, true, 'cancelled'),
    ('just over 50 % of an odd target, closed', 51, 101, true, 'needs_review'),
    ('65.2 %, closed', 652, 1000, true, 'needs_review'),
    ('74.99 %, closed', 7499, 10000, true, 'needs_review'),
    ('75 %, closed', 7500, 10000, true, 'confirmed'),
    ('two of three, closed', 2, 3, true, 'needs_review'),
    ('three of four, closed', 3, 4, true, 'confirmed'),
    ('100 %, closed', 100, 100, true, 'confirmed'),
    ('over 100 %, closed', 104, 100, true, 'confirmed'),
    ('as large as can be', 2147483647, 2147483647, true, 'confirmed'),
    ('half of as large as can be', 1073741823, 2147483647, true, 'cancelled'),
    ('nothing at all, open', 0, 100, false, 'nothing'),
    ('50 %, open', 50, 100, false, 'nothing'),
    ('59.99 %, open', 5999, 10000, false, 'nothing'),
    ('60 %, open', 6000, 10000, false, 'nearing_target'),
    ('74.99 %, open', 7499, 10000, false, 'nearing_target'),
    ('75 %, open', 75, 100, false, 'confirmed'),
    ('100 %, open', 100, 100, false, 'confirmed'),
    ('over 100 %, open', 250, 100, false, 'confirmed');
select pg_temp.batch(b.name, b.quantity, b.target, now() + case when b.closed then interval '-1 hour' else interval '3 hours' end)
from boundary b
order by b.name;

create temp table answers (name text, answer jsonb) on commit drop;
insert into answers select 'first', public.orchestrate_batches();
select is(pg_temp.action_of(a.answer, b.name), b.action, b.name)
from boundary b, answers a
order by b.name;
select is(
    (select (answer #>> '{data,processed}')::integer from answers), (select count(*)::integer from boundary),
    'every batch that was looked at is counted'
);
select set_eq(
    $$ select r ->> 'action' as action, r ->> 'fillPercentage' as fill, r ->> 'message' as message
       from answers, jsonb_array_elements(answer #> '{data,results}') r
       where (r ->> 'batchId')::uuid in (select id from made where name in ('65.2 %, closed', '49.99 %, closed', '60 %, open', 'over 100 %, closed')) $$,
    $$ values ('needs_review', '65.2', 'Batch 50-75% filled, window closed'), ('cancelled', '50.0', null),
        ('nearing_target', '60.0', 'Batch nearing target - consider promotion'), ('confirmed', '104.0', null) $$,
    'one decimal and the documented messages'
);
select set_eq(
    $$ select distinct k from answers, jsonb_array_elements(answer #> '{data,results}') r, jsonb_object_keys(r) k
       where r ->> 'action' = 'cancelled' $$,
    array['batchId', 'action', 'fillPercentage', 'ordersCancelled'], 'a cancelled batch has the documented keys'
);
select is(
    (select jsonb_typeof(answer #> '{data,results,0,fillPercentage}') from answers), 'number', 'the percentage is a number'
);
select throws_ok(
    $$ select pg_temp.batch('target 0', 0, 0, now()) $$, '23514', null, 'a target of 0 is refused by a constraint'
);
select throws_ok(
    $$ select pg_temp.batch('target below 0', 0, -1, now()) $$, '23514', null, 'a target below 0 as well'
);

-- Confirmed ----------------------------------------------------------------------------------------------------------
select set_eq(
    $$ select so.store, so.quantity, so.status from public.supplier_orders so
       join made m on m.id = so.batch_id where m.name in ('75 %, closed', 'over 100 %, closed') $$,
    $$ values ('bannos', 10000, 'pending'), ('bannos', 100, 'pending') $$,
    'a confirmed batch orders its full target'
);
select ok(
    (select bool_and(so.order_number ~ '^BATCH-[0-9a-f]{8}$') and count(distinct so.order_number) = count(*)
     from public.supplier_orders so),
    'under a number of eight digits of its own'
);
select is(
    (select actual_start_date from public.production_batches b join made m on m.id = b.id where m.name = '75 %, closed'),
    (now() at time zone 'Australia/Sydney')::date, 'and starts today, in the timezone of its store'
);
select is(
    (select count(*)::integer from public.supplier_orders so join made m on m.id = so.batch_id
     where pg_temp.status_of(m.name) <> 'confirmed'),
    0, 'nothing else orders anything'
);

-- Again ---------------------------------------------------------------------------------------------------------------
create function pg_temp.fingerprint()
returns text
language sql
as $$
    select md5(concat(
        (select jsonb_agg(to_jsonb(b) order by b.id) from public.production_batches b),
        (select jsonb_agg(to_jsonb(so) order by so.id) from public.supplier_orders so),
        (select jsonb_agg(to_jsonb(w) order by w.id) from public.work_queue w),
        (select jsonb_agg(to_jsonb(e) order by e.id) from public.event_store e),
        (select jsonb_agg(to_jsonb(o) order by o.id) from public.orders o),
        (select jsonb_agg(to_jsonb(c) order by c.id) from public.batch_contributions c)
    ));
$$;
create temp table before on commit drop as select pg_temp.fingerprint() as it;
insert into answers select 'second', public.orchestrate_batches();
select is(pg_temp.fingerprint(), (select it from before), 'repeating a run changes nothing more');
select set_eq(
    $$ select r ->> 'action' from answers, jsonb_array_elements(answer #> '{data,results}') r where answers.name = 'second' $$,
    array['nearing_target'], 'and finds only what is still filling'
);
select is(
    (select count(*)::integer from public.event_store where type = 'batch/nearing_target'), 2,
    'nearing the target is an event, once'
);
select is(
    (select jsonb_array_length(w.payload -> 'batch_ids') from public.work_queue w
     where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'batch_in_review' and w.store = 'bannos'),
    (select count(*)::integer from boundary where action = 'needs_review'), 'review is an alert with every batch of the run'
);

-- Window edges ----------------------------------------------------------------------------------------------------------
-- now() stands still within a transaction, so an edge can be met exactly.
select pg_temp.batch('closes now', 50, 100, now());
select pg_temp.batch('closed a microsecond ago', 50, 100, now() - interval '1 microsecond');
select pg_temp.batch('closes in a microsecond', 50, 100, now() + interval '1 microsecond');
select pg_temp.batch('closes in exactly a day', 80, 100, now() + interval '24 hours');
select pg_temp.batch('closes a microsecond later', 80, 100, now() + interval '24 hours 1 microsecond');
select pg_temp.batch(
    'closes now, as Sydney writes it', 50, 100,
    (to_char(now() at time zone 'Australia/Sydney', 'YYYY-MM-DD HH24:MI:SS.US') || ' Australia/Sydney')::timestamptz
);
select pg_temp.batch(
    'closes in a microsecond, as Sydney writes it', 50, 100,
    (to_char((now() + interval '1 microsecond') at time zone 'Australia/Sydney', 'YYYY-MM-DD HH24:MI:SS.US') || ' Australia/Sydney')::timestamptz
);
-- A day of this session would have 23 or 25 hours where the clocks change; the rule counts 24 hours.
set local timezone = 'Australia/Sydney';
insert into answers select 'edges', public.orchestrate_batches();
set local timezone = 'UTC';
select is(pg_temp.action_of(a.answer, e.name), e.action, e.name)
from answers a, (values
    ('closes now', 'needs_review'), ('closed a microsecond ago', 'needs_review'), ('closes in a microsecond', 'nothing'),
    ('closes in exactly a day', 'confirmed'), ('closes a microsecond later', 'nothing'),
    ('closes now, as Sydney writes it', 'needs_review'), ('closes in a microsecond, as Sydney writes it', 'nothing')
) as e (name, action)
where a.name = 'edges';

-- Cancelled ---------------------------------------------------------------------------------------------------------------
select pg_temp.batch('hopeless', 9, 100, now() - interval '1 second');
select pg_temp.contribution('hopeless', '01', 'paid', 2, 36.80);
select pg_temp.contribution('hopeless', '02', 'pending', 3, 12);
select pg_temp.contribution('hopeless', '03', 'paid', 4, 50, true);
select pg_temp.contribution('hopeless', '04', 'paid', 1, 0);
select pg_temp.contribution('hopeless', '05', 'partially_refunded', 1, 9.5);
insert into answers select 'cancel', public.orchestrate_batches();
select is(
    (select r - 'batchId' from answers, jsonb_array_elements(answer #> '{data,results}') r
     where answers.name = 'cancel' and (r ->> 'batchId')::uuid = (select id from made where name = 'hopeless')),
    '{"action": "cancelled", "fillPercentage": 9.0, "ordersCancelled": 4}'::jsonb,
    'an order that was cancelled before is not cancelled again'
);
select is(
    (select count(*)::integer from public.orders where id like 'bannos-770_' and cancelled_at is null), 0,
    'every contributing order is cancelled'
);
select set_eq(
    $$ select payload ->> 'order_id' as o, payload ->> 'amount' as a, payload ->> 'currency' as c from public.work_queue
       where topic = 'refund' and payload ->> 'batch_id' = (select id::text from made where name = 'hopeless') $$,
    $$ values ('bannos-7701', '36.80', 'AUD'), ('bannos-7705', '9.50', 'AUD') $$,
    'a refund of its amount for each order that was paid, none for the cancelled and the free'
);
select is(
    (select jsonb_agg(public.replay_order('bannos', o.id) #> '{data,differences}') from public.orders o where o.id like 'bannos-770_'),
    '[{}, {}, {}, {}, {}]'::jsonb, 'the cancellation is among the events: an order is still what they say'
);
select is(
    (select count(*)::integer from public.stage_events where order_id like 'bannos-770_' and action = 'order_cancelled'), 4,
    'and in the trail of each order'
);

-- One bad batch among good ones -----------------------------------------------------------------------------------------
select pg_temp.batch('good ' || n, 10, 100, now() - interval '1 minute') from generate_series(1, 8) n;
select pg_temp.batch('bad', 10, 100, now() - interval '1 minute');
select pg_temp.batch('good, full', 90, 100, now() - interval '1 minute');
select pg_temp.contribution('good 3', '11', 'paid', 10, 20);
select pg_temp.contribution('bad', '12', 'paid', 5, null);
select pg_temp.contribution('bad', '13', 'paid', 5, 20);
insert into answers select 'bad', public.orchestrate_batches();
select is(
    (select r - 'batchId' from answers, jsonb_array_elements(answer #> '{data,results}') r
     where answers.name = 'bad' and (r ->> 'batchId')::uuid = (select id from made where name = 'bad')),
    '{"action": "failed", "fillPercentage": 10.0, "message": "order bannos-7712 is paid but its amount is not known"}'::jsonb,
    'a batch that cannot be settled is reported in its result'
);
select is(
    (select count(*)::integer from public.orders where id in ('bannos-7712', 'bannos-7713') and cancelled_at is not null), 0,
    'and nothing of it is done'
);
select is(pg_temp.status_of('bad'), 'filling', 'it waits for the next run');
select is(
    (select count(*)::integer from made m where m.name like 'good %' and pg_temp.status_of(m.name) = 'cancelled'), 8,
    'the others are cancelled all the same'
);
select is(pg_temp.status_of('good, full'), 'confirmed', 'or confirmed');
select isnt(
    (select cancelled_at from public.orders where id = 'bannos-7711'), null, 'with their orders'
);

select is(
    (select payload ->> 'reason' from public.event_store where type = 'batch/failed' and ref_id = 'batch:' || (select id from made where name = 'bad')),
    'order bannos-7712 is paid but its amount is not known', 'why is an event'
);
select is(
    (select w.payload - 'kind' from public.work_queue w where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'batch_failed'),
    '{"batches": 1, "reason": "order bannos-7712 is paid but its amount is not known"}'::jsonb, 'and people are told'
);
do $$ begin perform public.orchestrate_batches(); end $$;
select is(
    (select count(*)::integer from public.event_store where type = 'batch/failed'), 1, 'once, however often it is met'
);
update public.orders set total_amount = 9 where id = 'bannos-7712';
insert into answers select 'mended', public.orchestrate_batches();
select is(
    (select (r ->> 'ordersCancelled')::integer from answers, jsonb_array_elements(answer #> '{data,results}') r
     where answers.name = 'mended' and r ->> 'action' = 'cancelled'), 2, 'mended, the next run settles it'
);

-- Stock that a cancelled order held ----------------------------------------------------------------------------------------
insert into public.inventory_items (store, sku, opening_ats, ats) values ('bannos', 'TIN', 10, 10);
select pg_temp.batch('held', 1, 100, now() - interval '1 second');
select pg_temp.contribution('held', '21', 'pending', 1, 5);
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, normalized, processed_at)
values ('shopify', 'orders/updated', 'bannos', 'gid://shopify/Order/7721', 'bannos/held', 'held', '{}',
    '{"gid":"gid://shopify/Order/7721","snapshot":true,"updated_at":"2026-11-02T00:00:00Z","topic_rank":1,"lines":[{"line_id":"1","position":1,"sku":"TIN","quantity":4,"gift_card":false,"properties":{}}]}', now());
do $$ begin
    perform private.apply_order(s, 'bannos-7721', 'gid://shopify/Order/7721', 'test') from public.stores s where s.key = 'bannos';
end $$;
select is((select ats from public.inventory_items where sku = 'TIN'), 6, 'an order holds its stock');
insert into answers select 'held', public.orchestrate_batches();
select isnt((select cancelled_at from public.orders where id = 'bannos-7721'), null, 'its batch cancels it');
insert into answers select 'replay', public.replay_event((w.payload ->> 'event_id')::bigint) from public.work_queue w
where w.topic = 'order_ingest_retry' and w.dedupe_key = 'gid://shopify/Order/7721';
select is((select ats from public.inventory_items where sku = 'TIN'), 10, 'and the work that follows gives the stock back');

-- Roles --------------------------------------------------------------------------------------------------------------------
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select throws_ok('select public.orchestrate_batches()', '42501', null, 'an Admin does not call it directly');
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(
    public.orchestrate_batches('00000000-0000-4000-8000-000000000002') ->> 'code', 'PERMISSION_DENIED',
    'nor does the service role in the name of a Supervisor'
);
select is(
    public.orchestrate_batches('00000000-0000-4000-8000-000000000003') ->> 'ok', 'true', 'in the name of an Admin it does'
);
reset role;

select * from finish();
rollback;
