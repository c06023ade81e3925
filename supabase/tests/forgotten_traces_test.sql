-- What no column leads to goes as well: what people wrote, and letters that nobody could read, early and late.
begin;
select plan(35);

create function pg_temp.payload(p_number bigint, p_more jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'id', p_number, 'order_number', p_number, 'created_at', '2026-10-01T10:00:00Z', 'email', 'esmeralda@example.com',
        'customer', '{"id": 47110815, "first_name": "Esmeralda", "last_name": "Trouillefou"}'::jsonb,
        'shipping_address', '{"name": "Esmeralda Trouillefou", "address1": "7 Courtyard of Wonders", "phone": "+33 (0)1 47 11 08 15"}'::jsonb
    ) || p_more;
$$;
create function pg_temp.order_of(p_number bigint, p_more jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number::text, 'order_number', p_number::text,
        'updated_at', '2026-11-01T10:00:00Z', 'topic_rank', 0, 'customer_id', '47110815', 'customer_name', 'Esmeralda Trouillefou',
        'product_title', 'Cake', 'lines', '[{"line_id": "1", "position": 0, "sku": "F-A", "quantity": 1}]'::jsonb
    ) || p_more;
$$;
create function pg_temp.deliver(p_topic text, p_hash text, p_order jsonb, p_payload jsonb, p_shop text default 'bannos')
returns text
language sql
as $$
    select public.ingest_shopify_event(p_shop || '.myshopify.com', p_topic, null, now(), p_hash, p_order, p_payload, null, '{}')
        #>> '{data,outcome}';
$$;
create function pg_temp.letter(p_id text, p_body text, p_shop text default 'bannos.myshopify.com', p_encoding text default 'utf8')
returns boolean
language sql
as $$
    select (public.record_dead_letter(
        case when p_shop is null then 'spill' else 'shopify' end, p_shop, null, p_id, 'unreadable', p_body, p_encoding, null, '{}'
    ) ->> 'ok')::boolean;
$$;
create function pg_temp.emptied(p_prefix text)
returns text
language sql
security definer
as $$
    select string_agg(d.external_id, ' ' order by d.external_id)
    from public.dead_letters d where d.external_id like p_prefix || '%' and d.body = '[redacted]';
$$;
grant execute on all functions in schema pg_temp to service_role;

insert into public.inventory_items (store, sku, opening_ats, ats) values ('bannos', 'F-A', 10, 10), ('flourlane', 'F-A', 10, 10);
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(pg_temp.deliver('orders/create', 'f1', pg_temp.order_of(8700000000001), pg_temp.payload(8700000000001)), 'created', 'an order');
select is(
    pg_temp.deliver(
        'orders/create', 'f2', pg_temp.order_of(8700000000002, '{"customer_id": "5", "customer_name": "Jehan Frollo"}'),
        '{"id": 8700000000002, "email": "frollo@example.com"}'
    ), 'created', 'and one of somebody else'
);
reset role;

-- What people wrote
insert into public.work_queue (topic, store, payload, dedupe_key, status, error_class, finished_at) values
    ('courier_booking', 'bannos', '{"order_gid": "gid://shopify/Order/8700000000001"}', 'f1', 'dead', 'permanent', now()),
    ('courier_booking', 'bannos', '{"order_gid": "gid://shopify/Order/8700000000002"}', 'f2', 'dead', 'permanent', now());
set local role service_role;
select is(
    (select jsonb_array_length(public.discard_work(array_agg(w.id), 'she moved, ask her brother') #> '{data,discarded}')
     from public.work_queue w where w.dedupe_key in ('f1', 'f2')), 2, 'work is given up for a reason'
);
select is(
    (select string_agg((public.adjust_stock(store, 'F-A', 1, note, 'f' || n) -> 'ok')::text, ' ')
     from (values (1, 'bannos', 'brought back by Esmeralda TROUILLEFOU'), (2, 'bannos', 'call +33 (0)1 47 11 08 15'),
        (3, 'bannos', 'brought back by Esmeralda'), (4, 'flourlane', 'esmeralda@example.com')) as a (n, store, note)),
    'true true true true', 'stock is corrected for reasons'
);
reset role;
delete from public.work_queue where dedupe_key in ('f1', 'f2');
insert into public.stage_events (store, order_id, action, source, meta) values
    ('bannos', 'bannos-8700000000001', 'set_storage', 'app', '{"storage_to": "with Esmeralda", "auto": false}');
update public.orders set storage = case shopify_order_number when '8700000000001' then 'with Esmeralda' else 'for Frollo' end
where id in ('bannos-8700000000001', 'bannos-8700000000002');
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, processed_at) values
    ('batch', 'batch/decided', 'bannos', 'batch:1', 'f b1', 'f b1', '{"decision": "cancelled", "reason": "for ESMERALDA@example.com"}', now()),
    ('batch', 'batch/decided', 'bannos', 'batch:2', 'f b2', 'f b2', '{"decision": "cancelled", "reason": "too few"}', now());
insert into public.inventory_txn (item_id, store, order_id, line_id, delta, reason, note, idempotency_key)
select i.id, 'bannos', 'bannos-8700000000001', '1', 1, 'release', 'one for her', 'f note' from public.inventory_items i
where i.store = 'bannos' and i.sku = 'F-A';
select throws_ok($$update public.inventory_txn set note = 'x' where idempotency_key = 'f note'$$, '23001', null, 'nobody changes a note');
select throws_ok(
    $$update public.inventory_txn set note = '[redacted]', delta = 2 where idempotency_key = 'f note'$$, '23001', null, 'nor a fact beside it'
);
select throws_ok(
    $$update public.inventory_txn set note = '[redacted]' where idempotency_key like '%F-A%' and note is null$$, '23001', null,
    'nor puts a note where there is none'
);
select throws_ok($$update public.work_audit set reason = 'x'$$, '23001', null, 'nor a reason');
select throws_ok($$delete from public.work_audit$$, '23001', null, 'and nobody deletes it');

-- Letters, one of them of no store because it could not be verified any more
set local role service_role;
select is(
    (select bool_and(pg_temp.letter('early ' || n, body, shop, encoding)) from (values
        (1, 'cut: 7 courtyard of wonders', 'bannos.myshopify.com', 'utf8'), (2, 'about 8700000000001', null, 'utf8'),
        (3, encode('{"email": "Esmeralda@Example.com"}'::bytea || '\xff', 'base64'), null, 'base64'),
        (4, 'frollo@example.com', null, 'utf8'), (5, 'frollo@example.com', 'bannos.myshopify.com', 'utf8'),
        (6, 'esmeralda@example.com', 'flourlane.myshopify.com', 'utf8')
     ) as l (n, body, shop, encoding)), true, 'letters'
);
select is(pg_temp.emptied('early'), null, 'are kept whole');

select is(
    pg_temp.deliver(
        'customers/redact', 'f3', '{"snapshot": false, "compliance": {"shop_domain": "bannos.myshopify.com", "customer_id": "47110815",
            "order_ids": [], "request_id": null, "contacts": ["esmeralda@example.com", "+33147110815"]}}',
        '{"shop_domain": "bannos.myshopify.com"}'
    ), 'updated', 'she is to be forgotten'
);
reset role;
select is(
    (select array_agg(a.reason order by a.order_gid) from public.work_audit a where a.order_gid like '%870000000000_'),
    '{[redacted],"she moved, ask her brother"}', 'why work about her orders was given up is gone, also when the work is'
);
select is(
    (select array_agg(t.note order by t.idempotency_key) from public.inventory_txn t where t.idempotency_key like 'adjust/%/f_'),
    '{[redacted],[redacted],"brought back by Esmeralda",esmeralda@example.com}', 'notes with her name or number are gone in this store'
);
select is((select t.note from public.inventory_txn t where t.idempotency_key = 'f note'), '[redacted]', 'and the note beside her hold');
select is(
    (select (o.storage, s.meta)::text from public.orders o join public.stage_events s on s.order_id = o.id and s.action = 'set_storage'
     where o.id = 'bannos-8700000000001'),
    '(,"{""auto"": false, ""storage_to"": ""[redacted]""}")', 'and where somebody put her cake'
);
select is(
    (select o.storage from public.orders o where o.id = 'bannos-8700000000002'), 'for Frollo', 'but not where the others are'
);
select is(
    (select array_agg(e.payload order by e.ref_id) from public.event_store e where e.external_id in ('f b1', 'f b2')),
    array['{"decision": "cancelled", "redacted": true}', '{"decision": "cancelled", "reason": "too few"}']::jsonb[], 'of a batch the decision stays'
);
select is(pg_temp.emptied('early'), 'early 1 early 2 early 3', 'letters about her are emptied, those of no store as well');
select is(
    (select count(*) from private.forgotten_contacts f where encode(f.digest, 'escape') ilike '%esmeralda%' or length(f.digest) <> 32), 0::bigint,
    'digests tell nothing'
);
select cmp_ok((select count(*) from private.forgotten_contacts), '>=', 2::bigint, 'and there are some');

-- Late ones
set local role service_role;
select is(
    (select bool_and(pg_temp.letter('late ' || n, body, shop, encoding)) from (values
        (1, '"note":"x"},8700000000001', 'bannos.myshopify.com', 'utf8'), (2, 'buyer 47110815 ordered', 'bannos.myshopify.com', 'utf8'),
        (3, '{"mail": "ESMERALDA@example.com"', 'bannos.myshopify.com', 'utf8'), (4, 'tel 01.47.11.08.15!', 'bannos.myshopify.com', 'utf8'),
        (5, encode('esmeralda@example.com'::bytea || '\x00', 'base64'), null, 'base64'),
        (6, '{"id": 8700000000002, "email": "frollo@example.com", "phone": "0033147110899"', 'bannos.myshopify.com', 'utf8'),
        (7, 'esmeralda@example.com 8700000000001', 'flourlane.myshopify.com', 'utf8')
     ) as l (n, body, shop, encoding)), true, 'late letters'
);
select is(
    pg_temp.emptied('late'), 'late 1 late 2 late 3 late 4 late 5',
    'with an id, an address or a number of hers anywhere are not kept; others are, and another shop has not been asked'
);
select is(
    pg_temp.letter('late 8', (select string_agg((10000 + n)::text, ',') from generate_series(1, 30000) n)), true, 'a letter of numbers only'
);
select is(pg_temp.emptied('late 8'), 'late 8', 'is too much to be searched');
select is(
    pg_temp.letter('late 9', (select string_agg((10000 + n)::text, ',') from generate_series(1, 30000) n), 'flourlane.myshopify.com')::text
        || coalesce(pg_temp.emptied('late 9'), ''), 'true', 'where nobody had to be forgotten it is kept'
);

-- An order of hers that nobody has told of
select is(
    pg_temp.deliver('orders/create', 'f4', pg_temp.order_of(8700000000003), pg_temp.payload(8700000000003)), 'created',
    'an order that waited somewhere while she was forgotten'
);
select is(
    (select (o.customer_name, x.redacted_at is not null, x.customer_id)::text from public.orders o join public.order_index x
     on x.order_id = o.id and x.store = o.store where o.id = 'bannos-8700000000003'), '([redacted],t,)', 'is stored without her'
);
select is(
    pg_temp.deliver('orders/updated', 'f5', pg_temp.order_of(8700000000003, '{"updated_at": "2026-11-02T10:00:00Z"}'),
        pg_temp.payload(8700000000003)), 'updated', 'and so is what follows it'
);
select is(
    pg_temp.deliver('orders/create', 'f6', pg_temp.order_of(8700000000004),
        pg_temp.payload(8700000000004, jsonb_build_object('created_at', now() + interval '1 minute'))), 'created', 'what she orders afterwards'
);
select is(
    (select o.customer_name from public.orders o where o.id = 'bannos-8700000000004'), 'Esmeralda Trouillefou', 'is a new beginning'
);
select is(
    (select count(*) from public.event_store e where e::text ilike '%esmeralda%' and e.ref_id <> 'gid://shopify/Order/8700000000004'), 0::bigint,
    'and no event but that tells of her'
);

-- A whole shop
select is(
    pg_temp.deliver('shop/redact', 'f7', '{"snapshot": false, "compliance": {"shop_domain": "bannos.myshopify.com", "order_ids": []}}', '{}'),
    'updated', 'the shop is to be forgotten'
);
reset role;
select is(
    array[
        (select count(*) from public.inventory_txn t where t.store = 'bannos' and t.note <> '[redacted]'),
        (select count(*) from public.work_audit a where a.store = 'bannos' and a.reason <> '[redacted]'),
        (select count(*) from public.event_store e where e.store = 'bannos' and e.payload ? 'reason'),
        (select count(*) from public.orders o where o.store = 'bannos' and o.storage is not null),
        (select count(*) from public.dead_letters d where d.store = 'bannos' and d.body <> '[redacted]')
    ], '{0,0,0,0,0}', 'and every text in it'
);
select is(
    (select t.note from public.inventory_txn t where t.store = 'flourlane' and t.note is not null), 'esmeralda@example.com', 'but no other shop'
);

select * from finish();
rollback;
