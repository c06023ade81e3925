-- One row of every table for each store, and one of no store where the table allows it. Runs as the owner of the
-- schema in a transaction that is rolled back. Stores, staff and SKUs are those of the seed.

insert into public.staff_stores (user_id, store)
values ('00000000-0000-4000-8000-000000000003', 'bannos')
on conflict do nothing;

create temp table world (store text, n integer) on commit drop;
insert into world values ('bannos', 1), ('flourlane', 2);

insert into public.event_store
    (id, source, type, store, ref_id, external_id, content_hash, payload, normalized, processed_at)
overriding system value
select 9000000 + n, 'shopify', 'orders/create', store, format('gid://shopify/Order/99000%s1', n),
    store || '/orders/create/world', 'world', '{}',
    jsonb_build_object('snapshot', 'true', 'updated_at', '2026-11-01T00:00:00Z', 'topic_rank', 0, 'lines', '[]'::jsonb),
    now()
from world;

insert into public.event_archive (id, source, type, store, external_id, content_hash, payload)
select 9100000 + n, 'shopify', 'orders/create', store, store || '/orders/create/archived', 'archived', '{}'
from world;

insert into public.compliance_requests (id, store, kind, event_id)
overriding system value
select 9000000 + n, store, 'data_request', 9000000 + n from world;

insert into public.order_index (shopify_order_gid, store, order_id)
select format('gid://shopify/Order/99000%s%s', n, stage), store, store || '-99000' || stage
from world, generate_series(1, 5) stage;

insert into public.orders (
    store, id, shopify_order_gid, shopify_order_number, stage, last_event_id, filling_start_ts,
    filling_complete_ts, covering_complete_ts, decorating_complete_ts, packing_start_ts, packing_complete_ts
)
select
    store, store || '-99000' || place, format('gid://shopify/Order/99000%s%s', n, place), '99000' || place,
    stage, 9000000 + n, case when place > 1 then now() end, case when place > 1 then now() end,
    case when place > 2 then now() end, case when place > 3 then now() end,
    case when place > 3 then now() end, case when place > 4 then now() end
from world, unnest(enum_range(null::public.order_stage)) with ordinality as stages (stage, place);

-- Whatever other stores there are: their partitions are closed to the people of these two.
insert into public.orders (store, id, shopify_order_gid)
select key, id_prefix || '-990009', 'gid://shopify/Order/9900099/' || key
from public.stores
where key not in (select store from world);

insert into public.order_line_items (store, order_id, line_id, position, sku, quantity)
select store, store || '-990001', '1', 1, 'MSH002B', 1 from world;

insert into public.stage_events (store, order_id, action, source, at)
select store, store || '-990001', 'order_ingested', 'edge', now() - interval '1 hour' from world;

insert into public.inventory_txn (item_id, store, delta, reason, idempotency_key)
select i.id, i.store, 1, 'adjust', 'world/' || i.store
from public.inventory_items i
where i.sku = 'MSH002B';
update public.inventory_items set ats = ats + 1 where sku = 'MSH002B';

insert into public.work_queue (id, topic, store, dedupe_key, status, error_class, finished_at)
overriding system value
select 9000000 + n, 'email', store, 'world/' || store, 'dead', 'permanent', now() from world;

insert into public.work_audit (store, work_id, topic, action)
select store, 9000000 + n, 'email', 'retry' from world;

insert into public.store_audit (store, subject, action)
select store, 'credentials', 'set' from world;

insert into public.circuit_breakers (store, upstream)
select store, 'world' from world;

insert into public.queue_topic_changes (topic, before, after) values ('email', '{}', '{}');

insert into public.sync_cursors (store, name, seen_until, window_from, window_until, run, lease_until)
select store, 'world', now(), now() - interval '1 hour', now(), 'world', now() + interval '1 hour' from world;

insert into public.reconcile_runs (id, store, policy, location_gid, run, lease_until)
overriding system value
select 9000000 + n, store, 'local_wins', 'gid://shopify/Location/1', 'world', now() + interval '1 hour' from world;
insert into public.stock_checks (id, store, item_id, sku, cause)
overriding system value
select 9000000 + w.n, w.store, i.id, i.sku, 'signal'
from world w join public.inventory_items i on i.store = w.store and i.sku = 'MSH002B';

insert into public.dead_letters (store, source, reason)
select store, 'world', 'world' from world
union all
select null, 'world', 'world';

insert into public.worker_runs (worker, started_at) values ('world', now());

insert into public.suppliers (id, store, name)
select ('90000000-0000-4000-8000-00000000000' || n)::uuid, store, 'world' from world;
insert into public.supplier_terms
    (id, store, supplier_id, product_category, base_price, currency, minimum_order_quantity, lead_time_days, style_limit)
select s.id, s.store, s.id, 'world-' || s.store, 1, 'AUD', 10, 1, 1 from public.suppliers s where s.name = 'world';
insert into public.production_batches
    (id, store, terms_id, product_category, target_quantity, style_limit, window_closes_at)
select t.id, t.store, t.id, 'world-closed', 10, 1, now() + interval '9 days'
from public.supplier_terms t where t.product_category like 'world-%';
update public.production_batches set status = 'needs_review' where product_category = 'world-closed';
insert into public.batch_contributions
    (store, batch_id, order_id, product_variant_base, style, style_details, quantity, unit_price, total_price, currency)
select b.store, b.id, b.store || '-990001', 'world', 'world', '{}', 1, 1, 1, 'AUD'
from public.production_batches b where b.product_category = 'world-closed';
insert into public.production_batches
    (id, store, terms_id, product_category, target_quantity, style_limit, window_closes_at)
select ('91000000-0000-4000-8000-00000000000' || n)::uuid, w.store, t.id, 'world-ordered', 10, 1, now() + interval '9 days'
from world w join public.supplier_terms t on t.store = w.store and t.product_category like 'world-%';
update public.production_batches set status = 'confirmed', actual_start_date = current_date
where product_category = 'world-ordered';
-- Ids from a sequence would depend on what was there before; the number follows from the id.
insert into public.supplier_orders (id, store, batch_id, quantity)
overriding system value
select 9000000 + n, w.store, b.id, 10
from world w join public.production_batches b on b.store = w.store and b.product_category = 'world-ordered';
