-- The shop is a header that nobody signs; the address of an order's page is in the signed body.
begin;
select plan(11);

create function pg_temp.deliver(p_number bigint, p_hash text, p_body jsonb, p_shop text, p_topic text default 'orders/create')
returns jsonb
language sql
as $$
    select public.ingest_shopify_event(
        p_shop || '.myshopify.com', p_topic, null, now(), p_hash,
        jsonb_build_object(
            'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number::text, 'order_number', p_number::text,
            'updated_at', '2026-11-01T10:00:00Z', 'topic_rank', 0, 'customer_name', 'Quasimodo', 'lines', '[]'::jsonb
        ),
        '{"email": "quasimodo@example.com"}'::jsonb || p_body, null, '{}'
    ) -> 'data';
$$;
grant execute on all functions in schema pg_temp to service_role;
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

select is(
    pg_temp.deliver(87101, 'o1', '{"order_status_url": "https://Bannos.myshopify.com/1/orders/x/authenticate?key=y"}', 'flourlane') ->> 'outcome',
    'ignored', 'the first delivery of an order under the header of another shop binds it to nobody'
);
select is(
    (select (d.store, d.reason, d.body like '%quasimodo%', d.body like '%87101%')::text from public.dead_letters d where d.external_id like '%/o1'),
    '(flourlane,"the body is about another shop",f,f)', 'a person may look at it, without seeing the customer of somebody else'
);
select is((select count(*) from public.event_store e where e.content_hash = 'o1'), 0::bigint, 'it is no event');
select is(
    pg_temp.deliver(87101, 'o1', '{"order_status_url": "https://bannos.myshopify.com/1/orders/x"}', 'flourlane') ->> 'dead_letter_id',
    (select d.id::text from public.dead_letters d where d.external_id like '%/o1'), 'sent again it is the same letter'
);
select is(
    pg_temp.deliver(87101, 'o1', '{"order_status_url": "https://bannos.myshopify.com/1/orders/x"}', 'bannos') ->> 'outcome', 'created',
    'under its own header it is taken'
);
select is(
    pg_temp.deliver(87101, 'o2', '{"order_status_url": "https://bannos.myshopify.com/1/orders/x"}', 'flourlane') ->> 'outcome', 'ignored',
    'and stays where it is'
);
select is(
    (select (e.store, e::text ilike '%quasimodo%')::text from public.event_store e where e.content_hash = 'o2'), '(flourlane,f)',
    'what the wrong shop has of it names nobody'
);
select is(
    pg_temp.deliver(87102, 'o3', '{"order": {"order_status_url": "https://flourlane.myshopify.com:443/1"}}', 'bannos') ->> 'outcome', 'ignored',
    'also within a wrapper'
);
select is(
    array(
        select pg_temp.deliver(87110 + n, 'o4 ' || n, jsonb_build_object('order_status_url', url), 'bannos') ->> 'outcome'
        from (values (1, 'https://cakes.example/1/orders/x'), (2, 'https://nobody.myshopify.com/1'), (3, null),
            (4, 'flourlane.myshopify.com'), (5, 'https://x.example/?flourlane.myshopify.com')) as u (n, url)
    ), array_fill('created'::text, array[5]), 'a domain that is none of ours says nothing'
);
select is(
    pg_temp.deliver(87120, 'o5', '{"order_status_url": {"a": 1}}', 'bannos') ->> 'outcome', 'created', 'nor does what is no address'
);
select is(
    (select array_agg(distinct x.store order by x.store) from public.order_index x where x.shopify_order_gid like 'gid://shopify/Order/871__'),
    '{bannos}', 'nothing is in the wrong store'
);

select * from finish();
rollback;
