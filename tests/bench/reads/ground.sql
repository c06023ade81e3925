-- 20 000 open and 200 000 completed orders of one store, with the stage events that explain them.

do $store$
declare
    v_answer jsonb;
begin
    perform set_config('request.jwt.claims', '{"role":"service_role"}', true);
    v_answer := public.create_store(
        p_key => 'bench', p_name => 'Bench', p_shop_domain => 'bench.myshopify.com', p_timezone => 'Australia/Sydney',
        p_origin_country => 'AU', p_currency => 'AUD'
    );
    if not (v_answer ->> 'ok')::boolean then
        raise exception 'bench: %', v_answer;
    end if;
    perform set_config('request.jwt.claims', '', true);
end;
$store$;

insert into public.staff_stores (user_id, store) values
    ('00000000-0000-4000-8000-000000000001', 'bench'),
    ('00000000-0000-4000-8000-000000000002', 'bench');

-- n 1 … 20 000 are open, due over five weeks around today, a quarter in each stage; the others were completed over the
-- last year, about 550 a day. Times are spread by multiplication with primes, so that neighbours are not alike.
create temporary table plan as
select
    n,
    n <= 20000 as is_open,
    case
        when n <= 20000 then (array['Filling', 'Covering', 'Decorating', 'Packing'])[1 + n % 4]
        else 'Complete'
    end::public.order_stage as stage,
    case
        when n <= 20000 then now() - make_interval(mins => (n * 7919) % 7000)
        else now() - make_interval(mins => 60 + (n * 7919) % 525000)
    end as printed_at,
    case when n % 50 = 0 then null else current_date - 7 + (n * 31) % 35 end as open_due,
    make_interval(mins => 12 + (n * 13) % 50) as step
from generate_series(1, 220000) as n;

insert into public.orders (
    store, id, shopify_order_id, shopify_order_gid, shopify_order_number, customer_name, product_title, flavour, size,
    notes, due_date, delivery_method, currency, total_amount, stage, assignee_id, storage, filling_start_ts,
    filling_complete_ts, covering_complete_ts, decorating_complete_ts, packing_start_ts, packing_complete_ts,
    payment_status, business_updated_at, created_at
)
select
    'bench',
    'bench-' || (100000 + p.n),
    5000000000 + p.n,
    'gid://shopify/Order/' || (5000000000 + p.n),
    (100000 + p.n)::text,
    'Customer ' || p.n,
    (array['Gelato Cake', 'Celebration Cake', 'Cupcakes, box of 12'])[1 + p.n % 3],
    (array['Vanilla', 'Chocolate', 'Pistachio, Vanilla', 'Hazelnut'])[1 + p.n % 4],
    (array['Small', 'Medium', 'Large', null])[1 + p.n % 4],
    case when p.n % 5 = 0 then 'Happy Birthday in blue letters, no nuts' end,
    case when p.is_open then p.open_due else (p.printed_at + interval '1 day')::date end,
    (array['pickup', 'delivery'])[1 + p.n % 2],
    'AUD',
    60 + p.n % 90,
    p.stage,
    case when p.is_open and p.n % 3 = 0 then '00000000-0000-4000-8000-000000000001'::uuid end,
    case when p.n % 4 = 0 then 'Shelf ' || p.n % 20 end,
    case when p.stage > 'Filling' or p.n % 2 = 0 then p.printed_at end,
    case when p.stage > 'Filling' then p.printed_at + p.step end,
    case when p.stage > 'Covering' then p.printed_at + p.step * 2 end,
    case when p.stage > 'Decorating' then p.printed_at + p.step * 3 end,
    case when p.stage > 'Packing' then p.printed_at + p.step * 4 end,
    case when p.stage > 'Packing' then p.printed_at + p.step * 5 end,
    'paid',
    p.printed_at - interval '1 hour',
    p.printed_at - interval '1 hour'
from plan p;

insert into public.order_index (shopify_order_gid, shopify_order_id, store, order_id)
select o.shopify_order_gid, o.shopify_order_id, o.store, o.id
from public.orders o
where o.store = 'bench';

insert into public.stage_events (
    store, order_id, stage_from, stage_to, action, performed_by, source, scan_id, meta, entered_at, at
)
select
    'bench',
    'bench-' || (100000 + p.n),
    s.stage_from,
    s.stage_to,
    s.action,
    '00000000-0000-4000-8000-000000000001',
    case when p.n % 10 = 0 then 'app' else 'kiosk' end,
    gen_random_uuid(),
    '{"auto": true}',
    -- The trigger would find the same, one row after the other. Starting to pack moves no order.
    case when s.stage_from <> s.stage_to then p.printed_at + p.step * (case s.number when 5 then 3 else s.number - 1 end) end,
    p.printed_at + p.step * s.number
from plan p
cross join (
    values
        (0, 'handle_print_barcode', 'Filling'::public.order_stage, 'Filling'::public.order_stage, 'Covering'),
        (1, 'complete_filling', 'Filling', 'Covering', 'Covering'),
        (2, 'complete_covering', 'Covering', 'Decorating', 'Decorating'),
        (3, 'complete_decorating', 'Decorating', 'Packing', 'Packing'),
        (4, 'start_packing', 'Packing', 'Packing', 'Complete'),
        (5, 'complete_packing', 'Packing', 'Complete', 'Complete')
) as s (number, action, stage_from, stage_to, reached)
where p.stage >= s.reached::public.order_stage
order by p.printed_at + p.step * s.number;

drop table plan;
