-- A shop with {orders} orders behind it, of which the newest 20 000 are open: events, lines, holds and the audit trail as
-- ingest leaves them, the work of the last twentieth. Keys that are random in life are random here, since it is they that
-- touch a new page each. Bodies are short: nobody reads them again.
--
-- Nothing is checked row by row: foreign keys and triggers rest, the indexes stay.

set session_replication_role = replica;
set synchronous_commit = off;

create temporary table o as
select n, 'gid://shopify/Order/' || (5000000000000 + n) as gid, 'bannos-' || n as id,
    n > {orders} - 20000 as open, now() - ({orders} - n) * interval '30 seconds' as at
from generate_series(1, {orders}) n;

insert into public.inventory_items (store, sku, opening_ats, ats)
select 'bannos', 'OLD-' || n, 1000000000, 1000000000 - {orders} / 500 from generate_series(0, 499) n;

insert into public.event_store (
    source, type, store, ref_id, external_id, content_hash, occurred_at, payload, normalized, received_at, processed_at,
    attempts
)
select
    'shopify', 'orders/create', 'bannos', o.gid, 'bannos/orders/create/' || gen_random_uuid(),
    md5(o.n::text) || md5('x' || o.n), o.at, jsonb_build_object('id', 5000000000000 + o.n, 'name', '#' || o.n),
    jsonb_build_object(
        'snapshot', true, 'gid', o.gid, 'shopify_id', 5000000000000 + o.n, 'order_number', o.n, 'updated_at', o.at,
        'topic_rank', 1, 'customer_name', 'Bench ' || o.n, 'product_title', 'Cake', 'currency', 'AUD',
        'total_amount', '25.00', 'payment_status', 'paid',
        'lines', jsonb_build_array(jsonb_build_object(
            'line_id', '1', 'position', 0, 'sku', 'OLD-' || o.n % 500, 'title', 'Cake', 'quantity', 1, 'price', '25.00'
        ))
    ),
    o.at, o.at, 1
from o order by o.n;
insert into public.order_index (shopify_order_gid, shopify_order_id, store, order_id, customer_id)
select o.gid, 5000000000000 + o.n, 'bannos', o.id, o.n / 3 from o order by o.n;
insert into public.orders (
    store, id, shopify_order_id, shopify_order_gid, shopify_order_number, customer_name, product_title, flavour, size,
    due_date, delivery_method, currency, total_amount, stage, payment_status, business_updated_at, last_event_id,
    allocation_status, created_at
)
select
    'bannos', o.id, 5000000000000 + o.n, o.gid, o.n::text, 'Bench ' || o.n, 'Cake', 'Vanilla', 'Medium',
    o.at::date + 7, 'pickup', 'AUD', 25, case when o.open then 'Filling' else 'Complete' end::public.order_stage, 'paid',
    o.at, o.n, 'allocated', o.at
from o order by o.n;
insert into public.order_line_items (
    store, order_id, line_id, position, sku, title, quantity, price, held_quantity, created_at
)
select 'bannos', o.id, '1', 0, 'OLD-' || o.n % 500, 'Cake', 1, 25, 1, o.at from o order by o.n;
insert into public.inventory_txn (item_id, store, order_id, line_id, delta, reason, idempotency_key, created_at)
select i.id, 'bannos', o.id, '1', -1, 'hold', o.gid || '/1/' || i.sku || '/event:' || o.n, o.at
from o join public.inventory_items i on i.store = 'bannos' and i.sku = 'OLD-' || o.n % 500
order by o.n;
insert into public.stage_events (store, order_id, action, source, meta, at, created_at)
select 'bannos', o.id, e.action, 'edge', jsonb_build_object('event_id', o.n, 'outcome', 'created'), o.at, o.at
from o cross join (values ('order_allocated'), ('order_ingested')) e (action)
order by o.n;
insert into public.work_queue (topic, store, payload, dedupe_key, status, finished_at, created_at)
select
    'inventory_push', 'bannos', jsonb_build_object('sku', 'OLD-' || o.n % 500),
    'OLD-' || o.n % 500 || '/-1/' || o.gid || '/event:' || o.n, 'done', o.at, o.at
from o where o.n > {orders} - {orders} / 20
order by o.n;
drop table o;
