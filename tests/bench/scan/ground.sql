-- 60 000 open orders in Covering: a scan completes the stage of each, once.

insert into public.orders (
    store, id, shopify_order_id, shopify_order_gid, shopify_order_number, customer_name, product_title, flavour, size,
    due_date, delivery_method, currency, total_amount, stage, filling_start_ts, filling_complete_ts, payment_status,
    business_updated_at
)
select
    'bannos',
    'bannos-' || (2000000 + n),
    6000000000 + n,
    'gid://shopify/Order/' || (6000000000 + n),
    (2000000 + n)::text,
    'Customer ' || n,
    'Gelato Cake',
    'Vanilla',
    'Medium',
    current_date + n % 30,
    'pickup',
    'AUD',
    60 + n % 90,
    'Covering',
    now() - interval '3 hours',
    now() - interval '2 hours',
    'paid',
    now() - interval '4 hours'
from generate_series(0, 59999) as n;

insert into public.order_index (shopify_order_gid, shopify_order_id, store, order_id)
select o.shopify_order_gid, o.shopify_order_id, o.store, o.id
from public.orders o
where o.shopify_order_id >= 6000000000;
