-- A delivery among 20 000 orders and 60 000 events reads indexes only, whatever comes of it.
begin;
select plan(9);

insert into public.inventory_items (store, sku, opening_ats, ats)
select 'bannos', 'VOL-' || n, 1000, 1000 from generate_series(0, 1999) n;
insert into public.orders (store, id, shopify_order_gid, shopify_order_id, shopify_order_number)
select 'bannos', 'bannos-' || n, 'gid://shopify/Order/' || n, n, n::text from generate_series(8500001, 8520000) n;
insert into public.order_index (shopify_order_gid, shopify_order_id, store, order_id)
select o.shopify_order_gid, o.shopify_order_id, o.store, o.id
from public.orders o where o.shopify_order_id between 8500001 and 8520000;
insert into public.order_line_items (store, order_id, line_id, position, sku, quantity, held_quantity, short_quantity)
select o.store, o.id, '1', 0, 'VOL-' || o.shopify_order_id % 2000, 1,
    (o.shopify_order_id % 100 <> 0)::integer, (o.shopify_order_id % 100 = 0)::integer
from public.orders o where o.shopify_order_id between 8500001 and 8520000;
insert into public.inventory_txn (item_id, store, order_id, line_id, delta, reason, idempotency_key)
select i.id, 'bannos', 'bannos-' || n, '1', -1, 'hold', 'volume ' || n
from generate_series(8500001, 8520000) n join public.inventory_items i on i.store = 'bannos' and i.sku = 'VOL-' || n % 2000
where n % 100 <> 0;
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, normalized, processed_at)
select
    'shopify', (array['orders/create', 'orders/updated', 'orders/paid'])[turn], 'bannos', 'gid://shopify/Order/' || n,
    'volume/' || n || '/' || turn, 'volume ' || n || ' ' || turn, '{}',
    jsonb_build_object('snapshot', true, 'gid', 'gid://shopify/Order/' || n, 'updated_at', format('2026-11-01T10:0%s:00Z', turn),
        'topic_rank', turn, 'lines', jsonb_build_array(jsonb_build_object('line_id', '1', 'sku', 'VOL-' || n % 2000, 'quantity', 1))),
    now()
from generate_series(8500001, 8520000) n cross join generate_series(1, 3) turn;
insert into public.stage_events (store, order_id, action, source)
select 'bannos', 'bannos-' || n, 'order_ingested', 'edge' from generate_series(8500001, 8520000) n;
analyze public.inventory_items, public.orders, public.order_index, public.order_line_items, public.inventory_txn,
    public.event_store, public.stage_events;

create function pg_temp.deliver(p_topic text, p_hash text, p_number bigint, p_minute integer, p_sku text, p_change jsonb default '{}')
returns text
language sql
as $$
    select public.ingest_shopify_event(
        'bannos.myshopify.com', p_topic, p_hash, now(), p_hash,
        jsonb_build_object(
            'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number::text,
            'order_number', p_number::text, 'topic_rank', 1, 'updated_at', format('2026-11-01T11:%s:00Z', p_minute),
            'lines', jsonb_build_array(jsonb_build_object('line_id', '1', 'sku', p_sku, 'quantity', 2))
        ) || p_change, '{}', null, '{}'
    ) #>> '{data,outcome}';
$$;
-- Rows that full scans have read, of each table that grows with the shop.
create function pg_temp.scanned()
returns jsonb
language sql
security definer
as $$
    select jsonb_object_agg(t.relname, t.seq_tup_read)
    from pg_catalog.pg_stat_xact_user_tables t
    where t.relname in (
        'inventory_items', 'orders_bannos', 'order_index', 'order_line_items', 'inventory_txn', 'event_store',
        'stage_events', 'work_queue', 'dead_letters'
    );
$$;
grant execute on all functions in schema pg_temp to service_role;
do $$ begin perform set_config('tests.scanned', pg_temp.scanned()::text, true); end $$;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

select is(pg_temp.deliver('orders/create', 'volume a', 8499999, 10, 'VOL-1'), 'created', 'a new order');
select is(pg_temp.deliver('orders/updated', 'volume b', 8510001, 11, 'VOL-7'), 'updated', 'another SKU, the old one released to who waits');
select is(pg_temp.deliver('orders/updated', 'volume c', 8510001, 10, 'VOL-7'), 'stale', 'a late one');
select is(pg_temp.deliver('orders/updated', 'volume b', 8510001, 11, 'VOL-7'), 'duplicate', 'the same again');
select is(pg_temp.deliver('orders/updated', 'volume 8510002 2', 8510002, 10, 'VOL-7'), 'duplicate', 'known content');
select is(
    pg_temp.deliver('orders/cancelled', 'volume d', 8510001, 12, 'VOL-7', '{"cancelled_at": "2026-11-01T11:12:00Z"}'), 'cancelled',
    'a cancellation'
);
select is(public.adjust_stock('bannos', 'VOL-100', 5, 'restock', 'volume') -> 'ok', 'true', 'a restock');
select is(public.replay_order('bannos', 'bannos-8510001') #> '{data,differences}', '{}', 'a replay');
reset role;

select is(pg_temp.scanned(), current_setting('tests.scanned')::jsonb, 'none of them has read a table from end to end');

select * from finish();
rollback;
