-- Decisions about batches in review, what a supplier's answer does, and the states that nobody can leave or skip.
begin;
select plan(41);

insert into public.suppliers (id, store, name) values ('10000000-0000-4000-8000-000000000001', 'bannos', 'Ovens United');
insert into public.supplier_terms (
    id, store, supplier_id, product_category, base_price, currency, minimum_order_quantity, lead_time_days, style_limit
)
values ('20000000-0000-4000-8000-000000000001', 'bannos', '10000000-0000-4000-8000-000000000001', 'test-tins', 10, 'AUD', 100, 14, 5);
insert into public.production_batches (
    id, store, terms_id, product_category, current_quantity, target_quantity, style_limit, window_opens_at, window_closes_at
)
select ('30000000-0000-4000-8000-00000000000' || n)::uuid, 'bannos', '20000000-0000-4000-8000-000000000001', 'test-tins',
    60, 100, 5, now() - interval '9 days', now() + interval '9 days'
from generate_series(1, 6) n;
update public.production_batches set status = 'needs_review'
where id::text ~ '^30000000-.*[123]$';

insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, normalized, processed_at)
values ('shopify', 'orders/create', 'bannos', 'gid://shopify/Order/7801', 'bannos/d1', 'd1', '{}',
    '{"snapshot":true,"order_number":"7801","currency":"JPY","total_amount":"1200","payment_status":"paid","lines":[]}', now());
insert into public.order_index (shopify_order_gid, store, order_id) values ('gid://shopify/Order/7801', 'bannos', 'bannos-7801');
do $$ begin
    perform private.apply_order(s, 'bannos-7801', 'gid://shopify/Order/7801', 'test') from public.stores s where s.key = 'bannos';
end $$;
insert into public.batch_contributions
    (store, batch_id, order_id, product_variant_base, style, style_details, quantity, unit_price, total_price, currency)
values ('bannos', '30000000-0000-4000-8000-000000000002', 'bannos-7801', 'tin', 'red', '{"variant":"red"}', 60, 20, 1200, 'JPY');

-- Who ---------------------------------------------------------------------------------------------------------------
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    public.decide_batch('30000000-0000-4000-8000-000000000001', 'confirmed', 'enough') ->> 'code', 'PERMISSION_DENIED',
    'a Supervisor decides no batch'
);
select is(
    public.set_supplier_order_status('BATCH-00000000', 'placed') ->> 'code', 'PERMISSION_DENIED',
    'and no supplier order'
);
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';

-- Bad input -----------------------------------------------------------------------------------------------------------
select is(public.decide_batch(bad.id, bad.decision, bad.reason) ->> 'code', bad.code, bad.what)
from (
    values
        ('30000000-0000-4000-8000-000000000001'::uuid, 'maybe', 'x', 'BAD_INPUT', 'an unknown decision'),
        ('30000000-0000-4000-8000-000000000001', null, 'x', 'BAD_INPUT', 'no decision'),
        ('30000000-0000-4000-8000-000000000001', 'confirmed', null, 'BAD_INPUT', 'no reason'),
        ('30000000-0000-4000-8000-000000000001', 'confirmed', '  ', 'BAD_INPUT', 'a blank reason'),
        ('30000000-0000-4000-8000-000000000001', 'confirmed', repeat('x', 2001), 'BAD_INPUT', 'an endless reason'),
        ('30000000-0000-4000-8000-00000000ffff', 'confirmed', 'x', 'NOT_FOUND', 'an unknown batch'),
        (null, 'confirmed', 'x', 'NOT_FOUND', 'no batch'),
        ('30000000-0000-4000-8000-000000000004', 'confirmed', 'x', 'CONFLICT', 'a batch that is filling')
) as bad (id, decision, reason, code, what);
select is(
    (select count(*)::integer from public.production_batches where id::text ~ '^30000000' and status = 'needs_review'), 3,
    'nothing of that changed anything'
);
select is(
    (select payload ->> 'status' from public.event_store where type = 'batch/refused'
     and ref_id = 'batch:30000000-0000-4000-8000-000000000004'), 'filling', 'but the attempt on a batch not in review is an event'
);

-- Confirmed ---------------------------------------------------------------------------------------------------------------
reset role;
create temp table answers (name text, answer jsonb) on commit drop;
insert into answers select 'confirmed', public.decide_batch('30000000-0000-4000-8000-000000000001', 'confirmed', 'a regular will top up');
select is((select answer #>> '{data,status}' from answers where name = 'confirmed'), 'confirmed', 'an Admin confirms');
select matches(
    (select answer #>> '{data,supplier_order}' from answers where name = 'confirmed'), '^BATCH-[0-9a-f]{8}$', 'and the supplier is asked'
);
select is(
    (select quantity from public.supplier_orders where batch_id = '30000000-0000-4000-8000-000000000001'), 100, 'for the full target'
);
select is(
    (select payload - 'at' from public.event_store where type = 'batch/decided' and ref_id = 'batch:30000000-0000-4000-8000-000000000001'),
    '{"by": "00000000-0000-4000-8000-000000000003", "reason": "a regular will top up", "decision": "confirmed"}'::jsonb,
    'who decided and why is an event'
);
select is(
    public.decide_batch('30000000-0000-4000-8000-000000000001', 'confirmed', 'again') ->> 'already_done', 'true',
    'the same decision again is already done'
);
select is(
    public.decide_batch('30000000-0000-4000-8000-000000000001', 'cancelled', 'no') ->> 'code', 'CONFLICT',
    'another decision comes too late'
);

-- Cancelled -------------------------------------------------------------------------------------------------------------------
select is(
    public.decide_batch('30000000-0000-4000-8000-000000000002', 'cancelled', 'not enough') -> 'data',
    '{"status": "cancelled", "batch_id": "30000000-0000-4000-8000-000000000002", "orders_cancelled": 1}'::jsonb, 'an Admin cancels'
);
select isnt((select cancelled_at from public.orders where id = 'bannos-7801'), null, 'with its orders');
select set_eq(
    $$ select payload ->> 'amount' as amount, payload ->> 'order_gid' as gid, dedupe_key from public.work_queue where topic = 'refund' and store = 'bannos' and payload ->> 'order_id' = 'bannos-7801' $$,
    $$ values ('1200', 'gid://shopify/Order/7801', 'gid://shopify/Order/7801/batch') $$, 'and their refunds, in the decimals of the currency'
);
select is(
    public.decide_batch('30000000-0000-4000-8000-000000000002', 'cancelled', 'again') ->> 'already_done', 'true',
    'again it is already done'
);
select is(
    (select count(*)::integer from public.work_queue where topic = 'refund' and payload ->> 'order_id' = 'bannos-7801'), 1,
    'and refunds nothing twice'
);

-- An order that is cancelled while its batch can still change -----------------------------------------------------------------
insert into public.orders (store, id, shopify_order_gid) values
    ('bannos', 'bannos-7802', 'gid://shopify/Order/7802'), ('bannos', 'bannos-7803', 'gid://shopify/Order/7803'),
    ('bannos', 'bannos-7804', 'gid://shopify/Order/7804');
insert into public.batch_contributions
    (store, batch_id, order_id, product_variant_base, style, style_details, quantity, unit_price, total_price, currency)
values
    ('bannos', '30000000-0000-4000-8000-000000000004', 'bannos-7802', 'tin', 'red', '{}', 20, 1, 20, 'AUD'),
    ('bannos', '30000000-0000-4000-8000-000000000004', 'bannos-7803', 'tin', 'blue', '{}', 40, 1, 40, 'AUD'),
    ('bannos', '30000000-0000-4000-8000-000000000001', 'bannos-7804', 'tin', 'blue', '{}', 60, 1, 60, 'AUD');
update public.orders set cancelled_at = now(), cancel_reason = 'customer' where id in ('bannos-7802', 'bannos-7804');
select set_eq(
    $$ select current_quantity, style_count from public.production_batches where id = '30000000-0000-4000-8000-000000000004' $$,
    $$ values (40, 1) $$, 'no longer counts'
);
select is(
    (select current_quantity from public.production_batches where id = '30000000-0000-4000-8000-000000000001'), 60,
    'a batch that is confirmed keeps its figures'
);

-- Supplier orders ---------------------------------------------------------------------------------------------------------------
set local request.jwt.claims = '{"role":"service_role"}';
create temp table number on commit drop as
select order_number as it from public.supplier_orders where batch_id = '30000000-0000-4000-8000-000000000001';
select is(public.set_supplier_order_status((select it from number), bad.status, bad.reference) ->> 'code', 'BAD_INPUT', bad.what)
from (values (null, null, 'no status'), ('pending', null, 'back to the start'), ('placed', repeat('x', 201), 'an endless reference'))
    as bad (status, reference, what);
select is(
    public.set_supplier_order_status('BATCH-nothing', 'placed') ->> 'code', 'NOT_FOUND', 'an unknown supplier order'
);
select is(
    public.set_supplier_order_status((select it from number), 'placed', 'PO-7') #>> '{data,status}', 'placed', 'it is placed'
);
select is(
    (select status from public.production_batches where id = '30000000-0000-4000-8000-000000000001'), 'in_production',
    'then its batch is in production'
);
select is(
    public.set_supplier_order_status((select it from number), 'placed') ->> 'already_done', 'true', 'placing it again is already done'
);
select is(
    (select reference from public.supplier_orders where order_number = (select it from number)), 'PO-7', 'and keeps the reference'
);
select is(
    public.set_supplier_order_status((select it from number), 'completed') #>> '{data,status}', 'completed', 'it is completed'
);
select is(
    (select status from public.production_batches where id = '30000000-0000-4000-8000-000000000001'), 'completed', 'with its batch'
);
select is(
    public.set_supplier_order_status((select it from number), 'placed') ->> 'code', 'CONFLICT', 'and never goes back'
);
select is(
    public.decide_batch('30000000-0000-4000-8000-000000000003', 'confirmed', 'x') ->> 'ok', 'true', 'the service role decides too'
);
select is(
    public.set_supplier_order_status(
        (select order_number from public.supplier_orders where batch_id = '30000000-0000-4000-8000-000000000003'), 'completed'
    ) #>> '{data,status}', 'completed', 'a confirmed batch may be completed at once'
);

-- The states themselves -----------------------------------------------------------------------------------------------------------
create temp table allowed (was text, becomes text) on commit drop;
insert into allowed values
    ('filling', 'confirmed'), ('filling', 'cancelled'), ('filling', 'needs_review'), ('needs_review', 'confirmed'),
    ('needs_review', 'cancelled'), ('confirmed', 'in_production'), ('confirmed', 'completed'), ('in_production', 'completed');

create function pg_temp.path(p_status text)
returns text[]
language sql
as $$
    select case p_status
        when 'filling' then '{}' when 'needs_review' then '{needs_review}' when 'confirmed' then '{confirmed}'
        when 'cancelled' then '{cancelled}' when 'in_production' then '{confirmed,in_production}'
        else '{confirmed,completed}'
    end::text[];
$$;
create function pg_temp.may(p_was text, p_becomes text)
returns boolean
language plpgsql
as $$
declare
    v_status text;
begin
    foreach v_status in array pg_temp.path(p_was) || p_becomes loop
        update public.production_batches set
            status = v_status,
            actual_start_date = case when v_status in ('confirmed', 'in_production', 'completed') then current_date end
        where id = '30000000-0000-4000-8000-000000000005';
    end loop;
    raise exception 'allowed' using errcode = 'OB000';
exception
    when sqlstate 'OB000' then return true;
    when check_violation then return false;
end;
$$;
select set_eq(
    $$ select a.s as was, b.s as becomes from unnest(array['filling', 'needs_review', 'confirmed', 'cancelled', 'in_production', 'completed']) as a (s)
       cross join unnest(array['filling', 'needs_review', 'confirmed', 'cancelled', 'in_production', 'completed']) as b (s)
       where a.s <> b.s and pg_temp.may(a.s, b.s) $$,
    'select * from allowed', 'these changes of state and no others, even for the owner of the table'
);
select throws_ok(
    $$ insert into public.production_batches (store, terms_id, product_category, target_quantity, style_limit, window_closes_at, status)
       values ('bannos', '20000000-0000-4000-8000-000000000001', 'x', 1, 1, now() + interval '1 day', 'needs_review') $$,
    '23514', null, 'a batch begins by filling'
);
select throws_ok(
    $$ update public.supplier_orders set status = 'pending' where batch_id = '30000000-0000-4000-8000-000000000003' $$,
    '23514', null, 'a supplier order does not begin again'
);

select * from finish();
rollback;
