-- An order joins a batch: which one, at what price, and what is refused.
begin;
select plan(57);

insert into public.suppliers (id, store, name, active) values
    ('10000000-0000-4000-8000-000000000001', 'bannos', 'Cheap', true),
    ('10000000-0000-4000-8000-000000000002', 'bannos', 'Dear', true),
    ('10000000-0000-4000-8000-000000000003', 'bannos', 'Gone', false),
    ('10000000-0000-4000-8000-000000000004', 'flourlane', 'Elsewhere', true),
    ('10000000-0000-4000-8000-000000000005', 'bannos', 'Small', true);
insert into public.supplier_terms (
    id, store, supplier_id, product_category, base_price, currency, complexity, style_surcharge, minimum_order_quantity,
    lead_time_days, style_limit
)
values
    ('20000000-0000-4000-8000-000000000001', 'bannos', '10000000-0000-4000-8000-000000000001', 'test-tins', 10.10, 'AUD',
        '{"tin-round": 1.15}', '{"gold": 1.333, "plain": 0.5}', 100, 14, 2),
    ('20000000-0000-4000-8000-000000000002', 'bannos', '10000000-0000-4000-8000-000000000002', 'test-tins', 12, 'AUD', '{}', '{}', 500, 7, 2),
    ('20000000-0000-4000-8000-000000000003', 'bannos', '10000000-0000-4000-8000-000000000003', 'test-tins', 1, 'AUD', '{}', '{}', 9000, 7, 2),
    ('20000000-0000-4000-8000-000000000004', 'bannos', '10000000-0000-4000-8000-000000000005', 'test-tins', 3, 'AUD', '{}', '{}', 5, 7, 2),
    ('20000000-0000-4000-8000-000000000005', 'bannos', '10000000-0000-4000-8000-000000000003', 'test-gone', 1, 'AUD', '{}', '{}', 10, 7, 2),
    ('20000000-0000-4000-8000-000000000006', 'bannos', '10000000-0000-4000-8000-000000000001', 'test-shared', 1, 'AUD', '{}', '{}', 10, 7, 2),
    ('20000000-0000-4000-8000-000000000007', 'flourlane', '10000000-0000-4000-8000-000000000004', 'test-shared', 1, 'JPY', '{"x": 1.5}', '{}', 10, 0, 2);

create temp table answers (name text primary key, answer jsonb) on commit drop;
create function pg_temp.join_as(
    p_name text, p_quantity integer, p_style text, p_category text default 'test-tins', p_store text default null,
    p_gid text default null, p_base text default 'tin-round'
)
returns jsonb
language sql
as $$
    insert into answers select p_name, public.process_batch_order(
        p_category, p_base, p_quantity, jsonb_build_object('variant', p_style, 'colour', 'red'),
        '00000000-0000-4000-8000-000000000006', p_store, p_gid
    )
    returning answer;
$$;
create function pg_temp.batch_of(p_name text)
returns uuid
language sql
as $$ select (answer #>> '{data,batchId}')::uuid from answers where name = p_name; $$;

-- A new batch, from the cheapest supplier whose terms fit ------------------------------------------------------------------
select is(
    (pg_temp.join_as('first', 40, 'gold') -> 'data') - '{orderId,batchId}'::text[],
    '{"isNewBatch": true, "pricing": {"unitPrice": 15.48, "totalPrice": 619.20, "currency": "AUD"}, "batchFillPercentage": 40.0}'::jsonb,
    'the first opens a batch: 10.10 × 1.15 × 1.333 = 15.482795, exactly rounded'
);
select set_eq(
    $$ select terms_id, store, status, target_quantity, current_quantity, style_limit, style_count, estimated_start_date, window_closes_at
       from public.production_batches where id = pg_temp.batch_of('first') $$,
    $$ values ('20000000-0000-4000-8000-000000000001'::uuid, 'bannos', 'filling', 100, 40, 2, 1,
        (now() at time zone 'Australia/Sydney')::date + 15,
        ((now() at time zone 'Australia/Sydney')::date + 15)::timestamp at time zone 'Australia/Sydney') $$,
    'with the supplier''s minimum for a target and a window that closes at midnight where the store is'
);
select is(
    (select o.id || ' ' || o.placeholder || ' ' || o.total_amount || ' ' || o.payment_status || ' ' || o.product_title
     from public.orders o where o.id = (select answer #>> '{data,orderId}' from answers where name = 'first')),
    (select answer #>> '{data,orderId}' from answers where name = 'first') || ' true 619.200 pending tin-round',
    'its order is there, and stays out of the kitchen'
);
select is(
    (select public.replay_order('bannos', answer #>> '{data,orderId}') #> '{data,differences}' from answers where name = 'first'),
    '{}'::jsonb, 'the order is what its events say'
);
select set_eq(
    $$ select style, quantity, unit_price, total_price, buyer_id from public.batch_contributions where batch_id = pg_temp.batch_of('first') $$,
    $$ values ('gold', 40, 15.480, 619.200, '00000000-0000-4000-8000-000000000006'::uuid) $$, 'and so is its contribution'
);
select is(
    (select count(*)::integer from public.stage_events
     where action = 'batch_joined' and order_id = (select answer #>> '{data,orderId}' from answers where name = 'first')), 1,
    'and its trail'
);

-- The fullest that has room ----------------------------------------------------------------------------------------------------
select is(pg_temp.join_as('second', 10, 'plain') #>> '{data,batchId}', pg_temp.batch_of('first')::text, 'the next joins it');
select is(
    (select answer #> '{data,pricing,unitPrice}' from answers where name = 'second'), '5.81'::jsonb,
    '10.10 × 1.15 × 0.5 = 5.8075 is rounded up'
);
select is((select answer #>> '{data,isNewBatch}' from answers where name = 'second'), 'false', 'it is not new');
select is((select (answer #>> '{data,batchFillPercentage}')::numeric from answers where name = 'second'), 50.0, 'half full');
select isnt(
    pg_temp.join_as('third style', 10, 'silver') #>> '{data,batchId}', pg_temp.batch_of('first')::text,
    'a third style does not fit a limit of two'
);
select is(
    (select answer #> '{data,pricing,unitPrice}' from answers where name = 'third style'), '11.62'::jsonb,
    'a style without surcharge costs the base price × complexity, 11.615'
);
select is(
    pg_temp.join_as('known style', 10, 'gold') #>> '{data,batchId}', pg_temp.batch_of('first')::text,
    'a style that is in it always fits'
);
select is(
    (select style_count from public.production_batches where id = pg_temp.batch_of('first')), 2, 'and is counted once'
);
select is(
    pg_temp.join_as('too many', 41, 'gold') #>> '{data,batchId}', pg_temp.batch_of('third style')::text,
    'what has no room in the fullest goes to the next'
);
select is(
    pg_temp.join_as('exactly', 40, 'gold') #>> '{data,batchId}', pg_temp.batch_of('first')::text,
    'the very last places are taken'
);
select is((select (answer #>> '{data,batchFillPercentage}')::numeric from answers where name = 'exactly'), 100.0, 'to the last');
select is(
    pg_temp.join_as('one too many', 1, 'gold') #>> '{data,batchId}', pg_temp.batch_of('third style')::text, 'then it is full'
);
update public.production_batches set window_opens_at = now() - interval '1 day', window_closes_at = now() where id = pg_temp.batch_of('third style');
select is(
    pg_temp.join_as('late', 1, 'gold') #>> '{data,isNewBatch}', 'true', 'a batch whose window closes now takes nobody'
);
select is(
    pg_temp.join_as('tiny', 4, 'plain') #>> '{data,batchId}', pg_temp.batch_of('late')::text,
    'a running batch goes before a new one that would be cheaper'
);
select is(
    pg_temp.join_as('large', 101, 'plain') #>> '{data,isNewBatch}', 'true', 'what is larger than the cheap supplier''s target'
);
select is(
    (select terms_id from public.production_batches where id = pg_temp.batch_of('large')),
    '20000000-0000-4000-8000-000000000002'::uuid, 'opens a batch with the next cheapest; an inactive one is not asked'
);

-- A place that becomes free ------------------------------------------------------------------------------------------------------
update public.orders set cancelled_at = now()
where id = (select answer #>> '{data,orderId}' from answers where name = 'second');
select is(
    (select current_quantity || ' ' || style_count from public.production_batches where id = pg_temp.batch_of('first')), '90 1',
    'a cancelled order gives its places back, and its style'
);
select is(
    pg_temp.join_as('instead', 10, 'silver') #>> '{data,batchId}', pg_temp.batch_of('first')::text, 'to whoever comes next'
);

-- Orders of Shopify ------------------------------------------------------------------------------------------------------------------
select is(
    pg_temp.join_as('paid at Shopify', 2, 'plain', p_gid => 'gid://shopify/Order/7901') #>> '{data,orderId}', 'bannos-7901',
    'an order of Shopify contributes under its own id'
);
select is(
    pg_temp.join_as('twice', 2, 'plain', p_gid => 'gid://shopify/Order/7901') ->> 'already_done', 'true',
    'once: repeated, it is already done'
);
select is(
    (select (answer -> 'data') - 'isNewBatch' from answers where name = 'twice'),
    (select (answer -> 'data') - 'isNewBatch' from answers where name = 'paid at Shopify'), 'with the same answer'
);
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, normalized, processed_at)
values ('shopify', 'orders/create', 'bannos', 'gid://shopify/Order/7901', 'bannos/j1', 'j1', '{}',
    '{"snapshot":true,"updated_at":"2026-11-20T00:00:00Z","topic_rank":0,"total_amount":"23.24","currency":"AUD","payment_status":"paid","lines":[]}', now());
do $$ begin
    perform private.apply_order(s, 'bannos-7901', 'gid://shopify/Order/7901', 'test') from public.stores s where s.key = 'bannos';
end $$;
select is(
    (select o.payment_status || ' ' || o.total_amount || ' ' || o.placeholder from public.orders o where o.id = 'bannos-7901'),
    'paid 23.240 false', 'what Shopify says of it later wins'
);
insert into public.orders (store, id, shopify_order_gid, cancelled_at) values ('bannos', 'bannos-7902', 'gid://shopify/Order/7902', now());
insert into public.order_index (shopify_order_gid, store, order_id) values
    ('gid://shopify/Order/7902', 'bannos', 'bannos-7902'), ('gid://shopify/Order/7903', 'flourlane', 'flourlane-7903');

-- What is refused -----------------------------------------------------------------------------------------------------------------------
create temp table before on commit drop as
select (select count(*) from public.production_batches) + (select count(*) from public.orders) + (select count(*) from public.event_store)
    + (select count(*) from public.order_index) + (select count(*) from public.batch_contributions) as rows;
create temp table bad (what text, category text, base text, quantity integer, style jsonb, buyer uuid, store text, gid text, code text, names text)
on commit drop;
insert into bad
select b.what, b.category, b.base, b.quantity, b.style, b.buyer::uuid, b.store, b.gid, b.code, b.names
from (values
    ('no category', null, 'tin', 1, '{"variant":"x"}'::jsonb, '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'productCategory'),
    ('a blank category', ' ', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'productCategory'),
    ('no variant base', 'test-tins', null, 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'productVariantBase'),
    ('no quantity', 'test-tins', 'tin', null, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'quantity'),
    ('quantity 0', 'test-tins', 'tin', 0, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'quantity'),
    ('a negative quantity', 'test-tins', 'tin', -1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'quantity'),
    ('more than any target', 'test-tins', 'tin', 501, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', '500'),
    ('no style', 'test-tins', 'tin', 1, null, '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'styleDetails'),
    ('a style that is a list', 'test-tins', 'tin', 1, '[]', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'styleDetails'),
    ('a style without variant', 'test-tins', 'tin', 1, '{}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'styleDetails.variant'),
    ('a variant that is a number', 'test-tins', 'tin', 1, '{"variant":1}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'styleDetails.variant'),
    ('no buyer', 'test-tins', 'tin', 1, '{"variant":"x"}', null, null, null, 'BAD_INPUT', 'buyerId'),
    ('an unknown buyer', 'test-tins', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-00000000ffff', null, null, 'NOT_FOUND', 'buyer'),
    ('an unknown store', 'test-tins', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', 'nowhere', null, 'NOT_FOUND', 'store'),
    ('a category of two stores', 'test-shared', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'BAD_INPUT', 'bannos and flourlane'),
    ('no supplier at all', 'test-none', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, null, 'CONFLICT', 'supplier'),
    ('an inactive supplier', 'test-gone', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', 'bannos', null, 'CONFLICT', 'supplier'),
    ('an order id of nobody''s', 'test-tins', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, 'gid://shopify/Order/x', 'BAD_INPUT', 'orderGid'),
    ('a cancelled order', 'test-tins', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', null, 'gid://shopify/Order/7902', 'CONFLICT', 'cancelled'),
    ('an order of another store', 'test-tins', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006', 'bannos', 'gid://shopify/Order/7903', 'CONFLICT', 'another store')
) as b (what, category, base, quantity, style, buyer, store, gid, code, names);
select ok(
    a.answer ->> 'code' = b.code and strpos(a.answer ->> 'message', b.names) > 0, b.what || ': ' || (a.answer ->> 'message')
)
from bad b
cross join lateral public.process_batch_order(b.category, b.base, b.quantity, b.style, b.buyer, b.store, b.gid) as a (answer);
select is(
    (select count(*) from public.production_batches) + (select count(*) from public.orders) + (select count(*) from public.event_store)
    + (select count(*) from public.order_index) + (select count(*) from public.batch_contributions),
    (select rows from before), 'and nothing was written for any of them'
);
select is(
    pg_temp.join_as('named store', 3, 'plain', 'test-shared', 'flourlane', p_base => 'x') #> '{data,pricing}',
    '{"unitPrice": 2, "totalPrice": 6, "currency": "JPY"}'::jsonb, 'with its store named, in the decimals of its currency'
);
select is(
    pg_temp.join_as('follows', 3, 'plain', 'test-shared', p_gid => 'gid://shopify/Order/7903') #>> '{data,batchId}',
    pg_temp.batch_of('named store')::text, 'an order that is known names its store by itself'
);

-- Terms and roles ------------------------------------------------------------------------------------------------------------------------
select throws_ok(
    format('update public.supplier_terms set %s where id = %L', bad.change, '20000000-0000-4000-8000-000000000001'), '23514', null,
    'terms refuse ' || bad.change
)
from (values ('base_price = 0'), ('minimum_order_quantity = 0'), ($$complexity = '{"a": 0}'$$), ($$style_surcharge = '{"a": "2"}'$$))
    as bad (change);
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select throws_ok('select public.process_batch_order()', '42501', null, 'nobody calls it directly');
reset role;
select is(
    public.process_batch_order('test-tins', 'tin', 1, '{"variant":"x"}', '00000000-0000-4000-8000-000000000006',
        p_user => '00000000-0000-4000-8000-000000000001') ->> 'code', 'PERMISSION_DENIED', 'Staff has no part in it'
);

select * from finish();
rollback;
