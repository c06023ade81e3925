-- Suppliers and terms as Admins keep them, and the prices that come of them.
begin;
select plan(62);

create temp table seen (name text primary key, answer jsonb) on commit drop;
grant all on seen to authenticated, service_role;
create function pg_temp.terms(p_change jsonb default '{}', p_supplier text default 'Ovens United')
returns jsonb
language sql
as $$
    select public.upsert_supplier_terms(
        (select s.id from public.suppliers s where s.store = 'bannos' and s.name = p_supplier),
        t ->> 'category', (t ->> 'price')::numeric, t ->> 'currency', (t ->> 'minimum')::integer, (t ->> 'days')::integer,
        (t ->> 'styles')::integer, t -> 'complexity', t -> 'surcharge'
    )
    from (
        select '{"category": "test-terms", "price": 10.10, "currency": "AUD", "minimum": 100, "days": 14, "styles": 2}'::jsonb
            || p_change as t
    ) wanted;
$$;
create function pg_temp.price(p_base text, p_style text)
returns jsonb
language sql
as $$
    select public.process_batch_order(
        'test-terms', p_base, 3, jsonb_build_object('variant', p_style), '00000000-0000-4000-8000-000000000006'
    ) #> '{data,pricing}';
$$;
grant execute on all functions in schema pg_temp to authenticated, service_role;

-- Who ------------------------------------------------------------------------------------------------------------------
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(public.upsert_supplier('bannos', 'Ovens United') ->> 'code', 'PERMISSION_DENIED', 'a Supervisor adds no supplier');
select is(pg_temp.terms() ->> 'code', 'PERMISSION_DENIED', 'and no terms');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';

-- A supplier ---------------------------------------------------------------------------------------------------------------
insert into seen select 'added', public.upsert_supplier('bannos', ' Ovens United ');
select is(
    (select (answer -> 'data') - 'supplier_id' from seen where name = 'added'),
    '{"store": "bannos", "name": "Ovens United", "active": true}'::jsonb, 'an Admin adds one, and it is active'
);
select is(
    public.upsert_supplier('bannos', 'Ovens United') - 'data', '{"ok": true, "already_done": true}'::jsonb,
    'the same again is already done'
);
select is(
    public.upsert_supplier('bannos', 'Ovens United', false) #>> '{data,active}', 'false', 'it is put out of work by its name'
);
select is(
    public.upsert_supplier('bannos', 'Ovens United') #>> '{data,active}', 'false', 'what is left out stays as it is'
);
select is(
    public.upsert_supplier('bannos', null, true, (select (answer #>> '{data,supplier_id}')::uuid from seen where name = 'added')) #>> '{data,name}',
    'Ovens United', 'or brought back by its id'
);
select is(public.upsert_supplier('bannos', 'Ovens Apart') ->> 'ok', 'true', 'another one');
select is(
    public.upsert_supplier('flourlane', 'Ovens United') #>> '{data,store}', 'flourlane', 'a name belongs to a store'
);
select is(bad.answer ->> 'code', bad.code, bad.what)
from (values
    (public.upsert_supplier('bannos'), 'BAD_INPUT', 'no name'),
    (public.upsert_supplier('bannos', ' '), 'BAD_INPUT', 'a blank name'),
    (public.upsert_supplier('bannos', repeat('x', 201)), 'BAD_INPUT', 'an endless name'),
    (public.upsert_supplier('nowhere', 'x'), 'NOT_FOUND', 'an unknown store'),
    (public.upsert_supplier(null, 'x'), 'NOT_FOUND', 'no store'),
    (public.upsert_supplier('bannos', 'x', true, gen_random_uuid()), 'NOT_FOUND', 'an unknown supplier'),
    (public.upsert_supplier('flourlane', 'x', true, (select (answer #>> '{data,supplier_id}')::uuid from seen where name = 'added')),
        'NOT_FOUND', 'a supplier of another store'),
    (public.upsert_supplier('bannos', 'Ovens Apart', true, (select (answer #>> '{data,supplier_id}')::uuid from seen where name = 'added')),
        'CONFLICT', 'the name of another one')
) as bad (answer, code, what);
reset role;
select set_eq(
    $$ select store, name, active from public.suppliers where name in ('Ovens United', 'Ovens Apart', 'x') $$,
    $$ values ('bannos', 'Ovens United', true), ('bannos', 'Ovens Apart', true), ('flourlane', 'Ovens United', true) $$,
    'nothing else was written'
);
select is(
    (select jsonb_agg(payload -> 'active' order by id) from public.event_store
     where type = 'batch/supplier' and store = 'bannos' and payload ->> 'name' = 'Ovens United'),
    '[true, false, true]'::jsonb, 'every change is an event, what changes nothing is none'
);
select is(
    (select distinct payload ->> 'by' from public.event_store where type = 'batch/supplier'),
    '00000000-0000-4000-8000-000000000003', 'with who made it'
);
set local role authenticated;

-- Terms ------------------------------------------------------------------------------------------------------------------------
select is(bad.answer ->> 'code' || ' ' || split_part(bad.answer ->> 'message', ' ', 1), bad.code, bad.what)
from (values
    (pg_temp.terms('{"category": null}'), 'BAD_INPUT p_product_category', 'no category'),
    (pg_temp.terms('{"category": " "}'), 'BAD_INPUT p_product_category', 'a blank category'),
    (pg_temp.terms('{"price": null}'), 'BAD_INPUT p_base_price', 'no price'),
    (pg_temp.terms('{"price": 0}'), 'BAD_INPUT p_base_price', 'a price of nothing'),
    (pg_temp.terms('{"price": -1}'), 'BAD_INPUT p_base_price', 'a negative price'),
    (pg_temp.terms('{"price": 1.0001}'), 'BAD_INPUT p_base_price', 'a price that would be rounded'),
    (pg_temp.terms('{"price": "NaN"}'), 'BAD_INPUT p_base_price', 'a price that is no number'),
    (pg_temp.terms('{"price": "Infinity"}'), 'BAD_INPUT p_base_price', 'an endless price'),
    (pg_temp.terms('{"price": 1000001}'), 'BAD_INPUT p_base_price', 'a price out of range'),
    (pg_temp.terms('{"currency": "aud"}'), 'BAD_INPUT p_currency', 'a currency in small letters'),
    (pg_temp.terms('{"currency": null}'), 'BAD_INPUT p_currency', 'no currency'),
    (pg_temp.terms('{"minimum": 0}'), 'BAD_INPUT p_minimum_order_quantity', 'a target of nothing'),
    (pg_temp.terms('{"minimum": null}'), 'BAD_INPUT p_minimum_order_quantity', 'no target'),
    (pg_temp.terms('{"days": -1}'), 'BAD_INPUT p_lead_time_days', 'a negative lead time'),
    (pg_temp.terms('{"days": 366}'), 'BAD_INPUT p_lead_time_days', 'a lead time of more than a year'),
    (pg_temp.terms('{"days": null}'), 'BAD_INPUT p_lead_time_days', 'no lead time'),
    (pg_temp.terms('{"styles": 0}'), 'BAD_INPUT p_style_limit', 'no style at all'),
    (pg_temp.terms('{"complexity": [1]}'), 'BAD_INPUT p_complexity', 'factors in a list'),
    (pg_temp.terms('{"complexity": {"a": 0}}'), 'BAD_INPUT p_complexity', 'a factor of 0'),
    (pg_temp.terms('{"surcharge": {"a": "1.5"}}'), 'BAD_INPUT p_style_surcharge', 'a factor that is a text'),
    (pg_temp.terms('{"surcharge": {"a": 1e9}}'), 'BAD_INPUT p_style_surcharge', 'a factor out of range'),
    (pg_temp.terms('{}', 'Nobody'), 'NOT_FOUND no', 'an unknown supplier')
) as bad (answer, code, what);
select is(
    (select count(*)::integer from public.supplier_terms where product_category = 'test-terms'), 0, 'nothing of that was written'
);
select is(
    pg_temp.terms('{"complexity": {"round": 1.15}, "surcharge": {"gold": 1.333}}') - 'data',
    '{"ok": true, "already_done": false}'::jsonb, 'an Admin agrees on terms'
);
select is(
    pg_temp.terms('{"complexity": {"round": 1.15}, "surcharge": {"gold": 1.333}}') ->> 'already_done', 'true', 'once'
);

-- Prices, exactly -----------------------------------------------------------------------------------------------------------------
reset role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(pg_temp.price(p.base, p.style) - 'currency', p.price::jsonb, p.what)
from (values
    ('round', 'gold', '{"unitPrice": 15.48, "totalPrice": 46.44}', '10.10 × 1.15 × 1.333 = 15.482795'),
    ('round', 'plain', '{"unitPrice": 11.62, "totalPrice": 34.86}', '10.10 × 1.15 = 11.615 is rounded up'),
    ('square', 'gold', '{"unitPrice": 13.46, "totalPrice": 40.38}', '10.10 × 1.333 = 13.4633'),
    ('square', 'plain', '{"unitPrice": 10.10, "totalPrice": 30.30}', 'no factor is a factor of 1')
) as p (base, style, price, what);
select is(pg_temp.terms('{"price": 9}') ->> 'ok', 'true', 'terms change while a batch is filling');
select is(
    pg_temp.price('round', 'gold') -> 'unitPrice', '9.00'::jsonb, 'whoever joins from then on has the new price; factors left out are none'
);
select is(
    (select count(distinct b.id) || ' ' || min(b.target_quantity) || ' ' || sum(c.quantity) from public.production_batches b
     join public.batch_contributions c on c.batch_id = b.id where b.product_category = 'test-terms'),
    '1 100 15', 'in the batch that is running'
);
select is(
    pg_temp.terms('{"currency": "JPY"}') ->> 'code', 'CONFLICT', 'a batch is not filled in two currencies'
);
select is(pg_temp.terms('{"minimum": 500, "days": 7}') ->> 'ok', 'true', 'nor does a new target');
select is(
    (select target_quantity from public.production_batches where product_category = 'test-terms'), 100, 'move a running batch'
);
update public.production_batches set window_opens_at = now() - interval '2 days', window_closes_at = now() - interval '1 day'
where product_category = 'test-terms';
do $$ begin perform public.orchestrate_batches(); end $$;
select is(
    pg_temp.terms('{"currency": "JPY", "price": 10.4, "surcharge": {"gold": 1.1}}') ->> 'ok', 'true', 'another currency once nothing is filling'
);
select is(
    pg_temp.price('round', 'gold'), '{"unitPrice": 11, "totalPrice": 33, "currency": "JPY"}'::jsonb,
    '10.4 × 1.1 = 11.44: a yen has no decimals'
);
select is(
    pg_temp.terms('{"category": "test-dear", "price": 1000000, "minimum": 2147483647, "surcharge": {"gold": 10000}, "complexity": {"x": 10000}}')
        ->> 'ok', 'true', 'terms as dear as can be'
);
select is(
    (public.process_batch_order('test-dear', 'x', 1, '{"variant":"gold"}', '00000000-0000-4000-8000-000000000006') - 'ok'),
    '{"code": "CONFLICT", "message": "the price of so many is out of range"}'::jsonb, 'end in a sentence and not in an error'
);
select is(
    public.upsert_supplier('bannos', 'Ovens United', false) ->> 'ok', 'true', 'an inactive supplier'
);
update public.production_batches set window_opens_at = now() - interval '2 days', window_closes_at = now() - interval '1 day'
where product_category = 'test-terms' and status = 'filling';
select is(
    public.process_batch_order('test-terms', 'x', 1, '{"variant":"gold"}', '00000000-0000-4000-8000-000000000006') ->> 'code',
    'CONFLICT', 'gets no new batch'
);
select is(
    (select max_attempts from public.queue_topics where topic = 'refund'), 10, 'money is tried for longer than other work'
);

select * from finish();
rollback;
