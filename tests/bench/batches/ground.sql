-- Batches whose windows close: four of ten full, three hopeless, two in doubt, one on its way; each with contributions
-- that nine of ten buyers have paid. Whatever turns before have left is due no longer.
--
-- {batches}, {each} and {turn} are filled in.

update public.production_batches set window_closes_at = now() + interval '300 days' where status = 'filling';

-- What people who do it the usual way have: the service role writes tables.
grant insert, update on public.production_batches, public.supplier_orders, public.orders, public.work_queue,
    public.event_store, public.stage_events to service_role;

insert into public.suppliers (id, store, name) values ('50000000-0000-4000-8000-000000000001', 'bannos', 'bench')
on conflict do nothing;
insert into public.supplier_terms (
    id, store, supplier_id, product_category, base_price, currency, minimum_order_quantity, lead_time_days, style_limit
)
values (
    '50000000-0000-4000-8000-000000000002', 'bannos', '50000000-0000-4000-8000-000000000001', 'tins', 12.5, 'AUD', 1000,
    14, 5
)
on conflict do nothing;

create temporary table b on commit drop as
select n, gen_random_uuid() as id, n % 10 as kind,
    case when n % 10 < 4 then 800 when n % 10 < 7 then 400 else 650 end as quantity
from generate_series(1, {batches}) n;
create temporary table o on commit drop as
select b.id as batch_id, b.quantity / {each} as quantity, {turn} * 100000000 + b.n * 1000 + i as number
from b cross join generate_series(1, {each}) i;

insert into public.production_batches (
    id, store, terms_id, product_category, current_quantity, target_quantity, style_limit, style_count, window_opens_at,
    window_closes_at
)
select id, 'bannos', '50000000-0000-4000-8000-000000000002', 'tins', quantity, 1000, 5, 1, now() - interval '14 days',
    now() + case when kind = 9 then interval '5 hours' else interval '-1 minute' end
from b;
insert into public.orders (
    store, id, shopify_order_gid, shopify_order_number, customer_name, product_title, total_amount, currency,
    payment_status
)
select 'bannos', 'bannos-' || number, 'gid://shopify/Order/' || number, number, 'Bench ' || number, 'Tin',
    12.5 * quantity, 'AUD', case when number % 10 = 0 then 'pending' else 'paid' end
from o;
insert into public.order_index (shopify_order_gid, store, order_id)
select 'gid://shopify/Order/' || number, 'bannos', 'bannos-' || number from o;
insert into public.order_line_items (store, order_id, line_id, position, title, quantity, price)
select 'bannos', 'bannos-' || number, '1', 1, 'Tin', quantity, 12.5 from o;
insert into public.batch_contributions (
    store, batch_id, order_id, product_variant_base, style, style_details, quantity, unit_price, total_price, currency
)
select 'bannos', batch_id, 'bannos-' || number, 'tin-round', 'gold', '{"variant": "gold"}', quantity, 12.5, 12.5 * quantity, 'AUD'
from o;
