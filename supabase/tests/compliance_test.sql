-- Requests to show and to forget people: everything personal goes, from everywhere, and never comes back.
begin;
select plan(58);

-- Every text of this order that is personal has the word Quasimodo in it.
create function pg_temp.payload(p_number bigint, p_more jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'id', p_number, 'order_number', p_number, 'name', '#' || p_number, 'email', 'quasimodo@example.com',
        'total_price', '89.00', 'total_price_set', '{"shop_money": {"amount": "89.00", "currency_code": "AUD"}}'::jsonb,
        'note', 'for Quasimodo', 'tags', 'Quasimodo', 'customer', '{"id": 4711, "first_name": "Quasimodo"}'::jsonb,
        'shipping_address', '{"name": "Quasimodo Bell", "address1": "1 Quasimodo Street"}'::jsonb,
        'note_attributes', '[{"name": "Delivery Instructions", "value": "ask for Quasimodo"}]'::jsonb,
        'line_items', jsonb_build_array(jsonb_build_object(
            'id', 1, 'sku', 'P-A', 'quantity', 2, 'price', '44.50', 'title', 'Cake',
            'properties', '[{"name": "Lettering", "value": "Dear Quasimodo"}]'::jsonb
        )),
        'refunds', '[{"id": 1, "note": "Quasimodo", "refund_line_items": [{"line_item_id": 1, "quantity": 1, "restock_type": "return"}]}]'::jsonb
    ) || p_more;
$$;
create function pg_temp.order_of(p_number bigint, p_minute integer, p_more jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number::text,
        'order_number', p_number::text, 'updated_at', to_char(p_minute, '"2026-11-01T10:"FM00":00Z"'), 'topic_rank', 0,
        'customer_id', '4711', 'customer_name', 'Quasimodo Bell', 'notes', 'for Quasimodo • ask for Quasimodo',
        'product_title', 'Cake', 'total_amount', '89.00', 'currency', 'AUD', 'due_date', '2026-12-01', 'refunds', '["1"]'::jsonb,
        'lines', '[{"line_id": "1", "position": 0, "sku": "P-A", "title": "Cake", "quantity": 2, "price": "44.50",
            "properties": {"Lettering": "Dear Quasimodo"}}]'::jsonb
    ) || p_more;
$$;
create function pg_temp.deliver(
    p_topic text, p_hash text, p_order jsonb, p_payload jsonb, p_shop text default 'bannos', p_webhook text default null
)
returns jsonb
language sql
as $$
    select public.ingest_shopify_event(
        p_shop || '.myshopify.com', p_topic, p_webhook, now(), p_hash, p_order, p_payload, null, '{}'
    );
$$;
create function pg_temp.ask(p_topic text, p_hash text, p_asked jsonb, p_shop text default 'bannos', p_webhook text default null)
returns jsonb
language sql
as $$
    select pg_temp.deliver(
        p_topic, p_hash,
        jsonb_build_object('snapshot', false, 'compliance', '{"shop_domain": "bannos.myshopify.com", "customer_id": "4711",
            "order_ids": [], "request_id": null, "contacts": ["Quasimodo@example.com", "0555 4711"]}'::jsonb || p_asked),
        '{"shop_id": 1, "shop_domain": "bannos.myshopify.com", "customer": {"id": 4711, "email": "quasimodo@example.com"}}',
        p_shop, p_webhook
    );
$$;
-- Where the word still is. Tables are read whole, as a dump would.
create function pg_temp.traces()
returns text[]
language sql
security definer
as $$
    select array_agg(distinct t.place order by t.place)
    from (
        select 'orders' as place, o::text as content from public.orders o
        union all select 'order_index', x::text from public.order_index x
        union all select 'lines', l::text from public.order_line_items l
        union all select 'events', e::text from public.event_store e
        union all select 'archive', a::text from public.event_archive a
        union all select 'history', s::text from public.stage_events s
        union all select 'work', w::text from public.work_queue w
        union all select 'letters', d::text || coalesce(private.letter_text(d.body, d.encoding), '') from public.dead_letters d
        union all select 'exports', x::text from private.data_exports x
        union all select 'requests', r::text from public.compliance_requests r
        union all select 'former', f::text from private.former_customers f where f.customer_id = 4711
        union all select 'forgotten', r::text from private.redacted_orders r
    ) t
    where t.content ilike '%quasimodo%' or t.content like '%0555 4711%' or t.place = 'former';
$$;
create function pg_temp.differences(p_number bigint)
returns jsonb
language sql
as $$ select public.replay_order('bannos', 'bannos-' || p_number) #> '{data,differences}' $$;
grant execute on all functions in schema pg_temp to service_role, authenticated;

insert into public.inventory_items (store, sku, opening_ats, ats) values ('bannos', 'P-A', 10, 10);
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- What is there
select is(
    pg_temp.deliver('orders/create', 'c1', pg_temp.order_of(87001, 0), pg_temp.payload(87001)) #>> '{data,outcome}', 'created', 'an order'
);
select is(
    pg_temp.deliver('orders/updated', 'c2', pg_temp.order_of(87001, 5, '{"total_amount": "90.00"}'), pg_temp.payload(87001))
        #>> '{data,outcome}', 'updated', 'an update'
);
select is(
    pg_temp.deliver('orders/create', 'c3', pg_temp.order_of(87002, 0), pg_temp.payload(87002)) #>> '{data,outcome}', 'created',
    'another order of the customer'
);
select is(
    pg_temp.deliver('orders/updated', 'c4', pg_temp.order_of(87002, 5, '{"customer_id": "4712"}'), pg_temp.payload(87002))
        #>> '{data,outcome}', 'updated', 'which goes over to somebody else'
);
select is(
    pg_temp.deliver('orders/create', 'c5', pg_temp.order_of(87003, 0, '{"customer_id": "99"}'), pg_temp.payload(87003))
        #>> '{data,outcome}', 'created', 'an order of another customer'
);
select is(
    (select array_agg(x.customer_id order by x.order_id) from public.order_index x where x.order_id like 'bannos-8700_'),
    '{4711,4712,99}', 'each order knows its customer'
);
select is(
    array_agg(public.record_dead_letter(
        'shopify', 'bannos.myshopify.com', 'orders/updated', 'c' || n, 'unreadable', body, encoding, null, '{}'
    ) -> 'ok'), array_fill('true'::jsonb, array[5]), 'letters that nobody can read'
)
from (values
    (1, '{"id": 87001, "note": "Quasimodo" ', 'utf8'),
    (2, encode('{"customer": "quasimodo@example.com"}'::bytea || '\xff00', 'base64'), 'base64'),
    (3, 'phone 0555 4711', 'utf8'), (4, 'nothing of his', 'utf8'), (5, '187001 8700122', 'utf8')
) as letter (n, body, encoding);
reset role;
insert into public.work_queue (topic, store, payload, dedupe_key, status, error_class, last_error, finished_at) values
    ('courier_booking', 'bannos', '{"order_gid": "gid://shopify/Order/87001", "order_id": "bannos-87001", "name": "Quasimodo", "amount": "5.00"}',
        'c1', 'dead', 'permanent', 'no such address: Quasimodo Street', now()),
    ('courier_booking', 'bannos', '{"order_gid": "gid://shopify/Order/87003", "name": "Esmeralda"}', 'c2', 'dead', 'permanent', 'x', now());
insert into public.dead_letters (store, source, reason, body, encoding, work_id)
select 'bannos', 'work_queue', 'x', w.payload::text, 'json', w.id from public.work_queue w where w.dedupe_key = 'c1';
insert into public.stage_events (store, order_id, action, source, meta) values
    ('bannos', 'bannos-87001', 'qc_return_to_decorating', 'app', '{"reason": "Quasimodo called", "auto": true}');
set local role service_role;
select is(
    pg_temp.traces(), '{events,former,history,letters,lines,orders,work}', 'personal data is in all of these places'
);

-- To show
select is(
    pg_temp.ask('customers/data_request', 'q1', '{"order_ids": ["87003", "999"], "request_id": "9999"}') -> 'data' ->> 'outcome',
    'updated', 'a request for data is done'
);
select is(
    (select (r.kind, r.shopify_request_id, r.customer_id, r.order_gids, r.status, r.orders)::text
     from public.compliance_requests r where r.shopify_request_id = '9999'),
    '(data_request,9999,4711,"{gid://shopify/Order/87001,gid://shopify/Order/87002,gid://shopify/Order/87003,gid://shopify/Order/999}",done,4)',
    'about the orders that are named and those that are known to be his'
);
select is(
    (select w.payload - 'compliance_request_id' from public.work_queue w where w.topic = 'slack_alert' and w.dedupe_key like 'data_request/%'),
    '{"kind": "data_request"}', 'the merchant is told, without personal data'
);
do $$ begin
    perform set_config('tests.request', (select r.id::text from public.compliance_requests r where r.shopify_request_id = '9999'), true);
end $$;
select is(
    pg_temp.ask('customers/data_request', 'q1', '{}') #>> '{data,outcome}', 'duplicate', 'the same request again is a duplicate'
);
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    (select (public.get_data_export(current_setting('tests.request')::bigint) -> 'data') #> '{items}' @> '[
        {"order_gid": null, "unreadable_deliveries": [{"body": "{\"id\": 87001, \"note\": \"Quasimodo\" "}]},
        {"order_gid": "gid://shopify/Order/87001", "order": {"customer_name": "Quasimodo Bell"},
            "lines": [{"properties": {"Lettering": "Dear Quasimodo"}}], "history": [{"meta": {"reason": "Quasimodo called"}}],
            "events": [{"topic": "orders/create", "payload": {"email": "quasimodo@example.com"}}, {"topic": "orders/updated"}]},
        {"order_gid": "gid://shopify/Order/87002"}, {"order_gid": "gid://shopify/Order/87003"}
    ]'), true, 'an Admin reads everything that is held about him'
);
select is(
    (public.get_data_export(current_setting('tests.request')::bigint, 0, 1) -> 'data' ->> 'next')
        || ' ' || jsonb_array_length(public.get_data_export(current_setting('tests.request')::bigint, 2, 5) #> '{data,items}'),
    '1 1', 'in pages'
);
select is(public.get_data_export(-1) ->> 'code', 'NOT_FOUND', 'an unknown request is not found');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    public.get_data_export(current_setting('tests.request')::bigint) ->> 'code', 'PERMISSION_DENIED', 'a Supervisor does not'
);
select is(
    (select count(*) from public.compliance_requests r where r.id = current_setting('tests.request')::bigint), 1::bigint,
    'but sees that it was asked'
);
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- To forget a customer
select is(
    pg_temp.ask('customers/redact', 'q2', '{"order_ids": ["87004"]}') #>> '{data,outcome}', 'updated', 'a request to forget is done'
);
select is(
    (select (r.kind, r.order_gids, r.status, r.orders, r.completed_at is not null)::text from public.compliance_requests r
     where r.kind = 'redact_customer'),
    '(redact_customer,"{gid://shopify/Order/87001,gid://shopify/Order/87002,gid://shopify/Order/87004}",done,3,t)',
    'for his orders, former ones and those that are named'
);
select is(
    (select array_agg(e.ref_id) from public.event_store e where e::text ilike '%quasimodo%'), '{gid://shopify/Order/87003}',
    'only the order of the other customer is left in the events'
);
select is(pg_temp.traces(), '{events,lines,orders}', 'and only its rows elsewhere');
select is(
    (select (o.customer_name, o.notes, o.total_amount, o.due_date, o.product_title, o.missing_fields)::text
     from public.orders o where o.id = 'bannos-87001'),
    '([redacted],,90.000,2026-12-01,Cake,{flavour})', 'of the order money, product and date stay, and nothing begins to be missing'
);
select is(
    (select (l.sku, l.quantity, l.held_quantity, l.price, l.properties)::text from public.order_line_items l where l.order_id = 'bannos-87001'),
    '(P-A,2,2,44.500,{})', 'of its lines SKU, pieces and price'
);
select is(
    (select e.payload from public.event_store e where e.content_hash = 'c1'),
    '{"id": 87001, "order_number": 87001, "total_price": "89.00", "redacted": true,
      "total_price_set": {"shop_money": {"amount": "89.00", "currency_code": "AUD"}},
      "line_items": [{"id": 1, "sku": "P-A", "title": "Cake", "price": "44.50", "quantity": 2}],
      "refunds": [{"id": 1, "redacted": true, "refund_line_items": [{"line_item_id": 1, "quantity": 1, "restock_type": "return"}]}]}',
    'of its events ids, amounts, SKUs and pieces'
);
select is(
    (select array_agg((d.external_id, d.body = '[redacted]')::text order by d.external_id) from public.dead_letters d where d.external_id like 'c_'),
    '{"(c1,t)","(c2,t)","(c3,t)","(c4,f)","(c5,f)"}', 'letters that hold his ids or addresses are emptied, others are not'
);
select is(
    (select array_agg((w.dedupe_key, w.payload, w.last_error)::text order by w.id) from public.work_queue w where w.topic = 'courier_booking'),
    array[
        '(c1,"{""amount"": ""5.00"", ""order_id"": ""bannos-87001"", ""redacted"": true, ""order_gid"": ""gid://shopify/Order/87001""}",[redacted])',
        '(c2,"{""name"": ""Esmeralda"", ""order_gid"": ""gid://shopify/Order/87003""}",x)'
    ],
    'work about his orders keeps what it needs to be done'
);
select is(
    (select s.meta from public.stage_events s where s.action = 'qc_return_to_decorating' and s.order_id = 'bannos-87001'),
    '{"auto": true, "reason": "[redacted]"}', 'so does the audit'
);
select is(
    jsonb_array_length(public.get_data_export(current_setting('tests.request')::bigint) #> '{data,items}'), 0, 'his export is gone'
);
select is(pg_temp.differences(87001) || pg_temp.differences(87002), '{}', 'replays find the same order');

-- Nothing comes back
select is(
    pg_temp.deliver('orders/updated', 'c6', pg_temp.order_of(87001, 9, '{"total_amount": "91.00"}'), pg_temp.payload(87001))
        #>> '{data,outcome}', 'updated', 'a late update is taken'
);
select is(
    pg_temp.deliver('orders/create', 'c1', pg_temp.order_of(87001, 0), pg_temp.payload(87001), p_webhook => 'fresh') #>> '{data,outcome}',
    'duplicate', 'the first delivery under a fresh id is still known'
);
select is(
    pg_temp.deliver('orders/create', 'c7', pg_temp.order_of(87004, 0), pg_temp.payload(87004)) #>> '{data,outcome}', 'created',
    'an order that was named but not known comes late'
);
select is(
    (public.record_dead_letter('shopify', 'bannos.myshopify.com', 'orders/updated', 'c8', 'unreadable',
        '{"id": 87004, "note": "Quasimodo', 'utf8', null, '{}') -> 'ok')::text, 'true', 'a late one cannot be read'
);
select is(
    pg_temp.deliver('orders/updated', 'c9', pg_temp.order_of(87001, 10), pg_temp.payload(87001), 'flourlane') #>> '{data,outcome}',
    'ignored', 'one comes under another shop'
);
select is(
    (select array_agg(e.ref_id) from public.event_store e where e::text ilike '%quasimodo%'), '{gid://shopify/Order/87003}',
    'none of them brings anything back'
);
select is(pg_temp.traces(), '{events,lines,orders}', 'not anywhere');
select is(
    (select array_agg((o.id, o.customer_name, o.total_amount)::text order by o.id) from public.orders o where o.id ~ '^bannos-8700[14]$'),
    '{"(bannos-87001,[redacted],91.000)","(bannos-87004,[redacted],89.000)"}', 'but the orders are as they should be'
);
select is(pg_temp.differences(87001) || pg_temp.differences(87004), '{}', 'and replay');
select is(
    pg_temp.ask('customers/redact', 'q3', '{"order_ids": ["87001"]}') #>> '{data,outcome}', 'updated', 'asking again for the same'
);
select is(
    (select count(*) from public.compliance_requests r where r.kind = 'redact_customer' and r.status = 'done'), 2::bigint, 'changes nothing more'
);
reset role;
select throws_ok(
    $$update public.event_store set payload = payload || '{"note": "x"}' where content_hash = 'c5'$$, '23001', null,
    'other than to redact nobody changes an event'
);
select throws_ok(
    $$update public.event_store set payload = private.redact_payload(payload), normalized = private.redact_normalized(normalized),
        received_at = now() - interval '1 day' where content_hash = 'c5'$$, '23001', null, 'nor anything else beside'
);
set local role service_role;

-- Bodies are signed, topics and shops are not
select is(
    pg_temp.ask('shop/redact', 'q4', '{"customer_id": null}', 'flourlane') #>> '{data,outcome}', 'ignored', 'a request about another shop'
);
select is(
    (select (d.reason, d.body like '%quasimodo%')::text from public.dead_letters d where d.external_id = 'flourlane/shop/redact/q4'),
    '("the body is about another shop",f)', 'is for a person to look at, and nothing is forgotten'
);

-- A shop that is none of ours
select is(
    pg_temp.deliver(
        'orders/create', 'n1', pg_temp.order_of(87009, 0, '{"customer_id": "4713"}'),
        pg_temp.payload(87009, '{"customer": {"id": 4713}, "email": "namesake@example.com"}'), 'nobody'
    ) #>> '{data,outcome}', 'ignored', 'an order of a shop that nobody knows, for a namesake'
);
select is(pg_temp.traces(), '{events,letters,lines,orders}', 'is kept as a letter');
select is(
    pg_temp.ask('shop/redact', 'n2', '{"customer_id": null, "shop_domain": "nobody.myshopify.com"}', 'nobody') #>> '{data,outcome}',
    'ignored', 'when that shop is to be forgotten'
);
select is(pg_temp.traces(), '{events,lines,orders}', 'the letter is emptied');

-- To forget a shop
select is(pg_temp.ask('shop/redact', 'q5', '{"customer_id": null}') #>> '{data,outcome}', 'updated', 'a shop is to be forgotten');
select is(pg_temp.traces(), null, 'all of it is');
select is(
    pg_temp.deliver('orders/create', 'c10', pg_temp.order_of(87005, 0), pg_temp.payload(87005)) #>> '{data,outcome}', 'created',
    'an order that comes later'
);
select is(pg_temp.traces(), null, 'brings nothing personal');
select is(public.mark_store_installed('bannos') ->> 'code', 'CONFLICT', 'a shop that is still being forgotten is not back');
reset role;
update public.compliance_requests set created_at = now() - interval '2 minutes' where kind = 'redact_shop';
set local role service_role;
select is(
    public.continue_compliance() #> '{data,pending}', '0', 'the last pass, a while later, finds nothing more and the request is done'
);
select is(public.mark_store_installed('bannos') -> 'ok', 'true', 'then it may come back');
select is(
    pg_temp.ask('shop/redact', 'q5', '{"customer_id": null}', p_webhook => 'fresh') #>> '{data,outcome}', 'duplicate',
    'the old request, sent again, forgets nothing'
);
select is(
    pg_temp.deliver('app/uninstalled', 'u1', '{"snapshot": false, "uninstalled": {"shop_domain": "bannos.myshopify.com"}}',
        '{"name": "Bannos", "email": "quasimodo@example.com"}') #>> '{data,outcome}', 'updated', 'it leaves again'
);
select is(
    (select (s.uninstalled_at is not null, (select count(*) from public.work_queue w where w.payload ->> 'kind' = 'app_uninstalled'))::text
     from public.stores s where s.key = 'bannos'), '(t,1)', 'which is marked, and told once'
);

select * from finish();
rollback;
