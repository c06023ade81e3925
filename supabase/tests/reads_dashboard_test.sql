-- Figures of the dashboard and the timeline of an order.
begin;
select plan(25);

update public.orders set stage = 'Complete' where stage <> 'Complete';

insert into public.orders (store, id, shopify_order_gid, shopify_order_number, due_date, stage, placeholder, cancelled_at)
select 'bannos', 'bannos-' || o.number, 'gid://shopify/Order/' || o.number, o.number, today.date + o.due,
    o.stage::public.order_stage, o.placeholder, case when o.cancelled then now() end
from (select (now() at time zone 'Australia/Sydney')::date as date) today
cross join (
    values
        ('905001', 0, 'Filling', false, false),
        ('905002', -1, 'Filling', false, false),
        ('905003', -2, 'Packing', false, false),
        ('905004', 1, 'Covering', false, false),
        ('905005', 0, 'Filling', true, false),
        ('905006', 0, 'Filling', false, true),
        ('905007', -9, 'Complete', false, false)
) as o (number, due, stage, placeholder, cancelled);

-- Three visits to Filling of 10, 20 and 40 minutes, one of Packing that began long ago, a return from Complete.
-- Counted back from now, so that the day of the store may have begun only a minute ago: the period is a month.
alter table public.stage_events disable trigger stage_events_append_only;
delete from public.stage_events;
alter table public.stage_events enable trigger stage_events_append_only;
insert into public.stage_events (store, order_id, stage_from, stage_to, action, performed_by, source, at)
select 'bannos', 'bannos-' || e.number, e.stage_from::public.order_stage, e.stage_to::public.order_stage, e.action,
    '00000000-0000-4000-8000-000000000002', e.source, now() - e.ago
from (
    values
        ('905001', 'Filling', 'Filling', 'handle_print_barcode', 'kiosk', interval '200 minutes'),
        ('905001', 'Filling', 'Covering', 'complete_filling', 'kiosk', interval '190 minutes'),
        ('905002', 'Filling', 'Filling', 'handle_print_barcode', 'kiosk', interval '200 minutes'),
        ('905002', 'Filling', 'Filling', 'refused', 'kiosk', interval '185 minutes'),
        ('905002', 'Filling', 'Covering', 'complete_filling', 'kiosk', interval '180 minutes'),
        ('905004', 'Filling', 'Filling', 'handle_print_barcode', 'kiosk', interval '200 minutes'),
        ('905004', 'Filling', 'Covering', 'complete_filling', 'app', interval '160 minutes'),
        ('905003', 'Decorating', 'Packing', 'complete_decorating', 'app', interval '60 days'),
        ('905003', 'Packing', 'Complete', 'complete_packing', 'app', interval '100 minutes'),
        ('905003', 'Complete', 'Decorating', 'qc_return_to_decorating', 'app', interval '90 minutes')
) as e (number, stage_from, stage_to, action, source, ago);

-- Clients may make no temporary tables; this test keeps answers in some.
do $$
begin
    execute format('grant temporary on database %I to authenticated', current_database());
end;
$$;
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
create temp table dashboard on commit drop as
    select public.get_orders_for_dashboard('bannos', 'month') -> 'data' as data;

select is(
    (select data -> 'stages' from dashboard), '{"filling": 2, "covering": 1, "decorating": 0, "packing": 1}',
    'counts open orders by stage'
);
select is((select data ->> 'open' from dashboard), '4', 'and all of them');
select is((select data ->> 'overdue' from dashboard), '2', 'overdue: due before today, not complete');
select is((select data ->> 'due_today' from dashboard), '1', 'due today in the timezone of the store');
select is((select data ->> 'completed' from dashboard), '1', 'completed in the period');
select is(
    (select jsonb_array_length(data -> 'throughput') from dashboard), 1, 'throughput of a month comes by the day'
);
select is(
    (select data #> '{durations,filling}' from dashboard), '{"visits": 3, "median_s": 1200, "p90_s": 2160}',
    'median and 90th percentile of Filling'
);
select is(
    (select data #>> '{durations,packing,median_s}' from dashboard), ((60 * 1440 - 100) * 60)::text,
    'a visit that began before the period counts whole'
);
select is((select data #> '{durations,complete}' from dashboard), null, 'Complete is no work');
select is(
    (select jsonb_array_length(data -> 'recent_scans') from dashboard), 6, 'recent scans are those of the kiosk'
);
select is(
    (select data #>> '{recent_scans,0,order_id}' from dashboard), 'bannos-905002', 'the latest comes first'
);
select is(
    (select data #>> '{recent_scans,0,by_name}' from dashboard), 'Sam Supervisor', 'with the name of who scanned'
);
select is(
    public.get_orders_for_dashboard('bannos', 'month') -> 'data',
    public.get_orders_for_dashboard('bannos', 'MONTH') -> 'data', 'the period may be written in capitals'
);
select is(public.get_orders_for_dashboard('bannos') #>> '{data,period}', 'day', 'without a period it is today');
select is(public.get_orders_for_dashboard('bannos', 'year') ->> 'code', 'BAD_INPUT', 'a year is too much');
select is(
    public.get_orders_for_dashboard('flourlane'), public.get_orders_for_dashboard('nosuchstore'),
    'another store answers exactly as an unknown one'
);

-- Timeline ------------------------------------------------------------------------------------------------------
reset role;
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, received_at)
values ('shopify', 'orders/create', 'bannos', 'gid://shopify/Order/905002', 'bannos/orders/create/t-1', 't-1',
    '{"secret": "payload"}', now() - interval '1 day');
insert into public.inventory_txn (item_id, store, order_id, line_id, delta, reason, idempotency_key, created_at)
select i.id, 'bannos', 'bannos-905002', '1', -1, 'hold', 'test/905002/1', now() - interval '23 hours'
from public.inventory_items i
where i.store = 'bannos' and i.sku = 'MWW0034';
insert into public.stage_events (store, order_id, action, source, meta, at) values
    ('bannos', 'bannos-905002', 'booking_create_request', 'sql', '{}', now() - interval '150 minutes'),
    ('bannos', 'bannos-905002', 'shipment_delivered', 'edge', '{"tracking": "T1"}', now() - interval '20 minutes'),
    ('bannos', 'bannos-905002', 'customs_corrected', 'edge', '{"reduction": "4.00"}', now() - interval '10 minutes'),
    ('bannos', 'bannos-905002', 'order_allocated', 'sql', '{}', now() - interval '5 minutes');

set local role authenticated;
create temp table timeline on commit drop as select public.get_order_timeline('#B905002') -> 'data' as data;
select is(
    (select string_agg(e.value ->> 'kind', ' ' order by e.ordinality)
        from timeline, jsonb_array_elements(data -> 'entries') with ordinality e),
    'webhook stock scan scan scan shipment shipment customs action', 'everything that happened, oldest first'
);
select is(
    (select data #>> '{entries,7,detail,meta,reduction}' from timeline), '4.00', 'what is said about customs is shown'
);
select is((select data #>> '{entries,0,detail,source}' from timeline), 'shopify', 'a webhook says where it came from');
select is(
    (select data #> '{entries,1,detail}' from timeline), '{"sku": "MWW0034", "delta": -1, "line_id": "1"}',
    'a stock movement says what moved'
);
select is((select data #>> '{entries,2,by_name}' from timeline), 'Sam Supervisor', 'a scan says who');
select unalike((select data::text from timeline), '%payload%', 'no payload reaches Staff');
select is(public.get_order_timeline('flourlane-1') ->> 'code', 'NOT_FOUND', 'nor do orders of other stores');
select is(public.get_order_timeline('???') ->> 'code', 'BAD_INPUT', 'a label has to be one');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000006"}';
select is(
    public.get_order_timeline('#B905002') ->> 'code', 'PERMISSION_DENIED', 'a user without a staff row reads nothing'
);

select * from finish();
rollback;
