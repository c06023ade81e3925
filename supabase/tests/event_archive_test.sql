-- The archive: events of settled orders go, come back when something arrives, and nobody can tell the difference.
begin;
select plan(30);

create function pg_temp.deliver(p_number text, p_topic text, p_minute integer, p_change jsonb default '{}', p_webhook text default null)
returns text
language sql
as $$
    select public.ingest_shopify_event(
        'bannos.myshopify.com', p_topic, p_webhook, now(), concat_ws(' ', p_number, p_topic, p_minute),
        jsonb_build_object(
            'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number, 'order_number', p_number,
            'updated_at', to_char(p_minute, '"2026-01-01T10:"FM00":00Z"'), 'topic_rank', 1, 'customer_id', '4711',
            'customer_name', 'Ana Q.', 'product_title', 'Cake', 'flavour', 'Mint', 'due_date', '2026-01-05', 'lines', '[]'::jsonb
        ) || p_change,
        '{"note": "Ana Q."}', null, '{}'
    ) #>> '{data,outcome}';
$$;
create function pg_temp.places(p_number text)
returns text
language sql
security definer
as $$
    select concat_ws(' ',
        (select count(*) from public.event_store e where e.ref_id = 'gid://shopify/Order/' || p_number),
        (select count(*) from public.event_archive e where e.ref_id = 'gid://shopify/Order/' || p_number),
        (select case when x.archived_at is null then 'here' else 'archived' end from public.order_index x
         where x.shopify_order_gid = 'gid://shopify/Order/' || p_number)
    );
$$;
-- In place of waiting a hundred days.
create function pg_temp.age(p_numbers text[])
returns void
language plpgsql
security definer
as $$
begin
    alter table public.event_store disable trigger event_store_immutable;
    alter table public.orders disable trigger orders_touch_updated_at;
    alter table public.orders_bannos disable trigger orders_touch_updated_at;
    update public.event_store set received_at = received_at - interval '100 days'
    where ref_id = any(select 'gid://shopify/Order/' || n from unnest(p_numbers) n) or ref_id is null;
    update public.orders set updated_at = updated_at - interval '100 days', created_at = created_at - interval '100 days'
    where shopify_order_number = any(p_numbers);
    update public.order_index set created_at = created_at - interval '100 days'
    where shopify_order_gid = any(select 'gid://shopify/Order/' || n from unnest(p_numbers) n);
    alter table public.event_store enable trigger event_store_immutable;
    alter table public.orders enable trigger orders_touch_updated_at;
    alter table public.orders_bannos enable trigger orders_touch_updated_at;
end;
$$;
grant execute on all functions in schema pg_temp to service_role, authenticated;
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- 1: long settled. 2: as old, but due later. 3: new. 4: as old, cancelled.
select is(
    pg_temp.deliver('8801', 'orders/create', 1) || pg_temp.deliver('8801', 'orders/updated', 2)
        || pg_temp.deliver('8802', 'orders/create', 1, '{"due_date": "2099-01-01"}') || pg_temp.deliver('8803', 'orders/create', 1)
        || pg_temp.deliver('8804', 'orders/create', 1, '{"due_date": null, "cancelled_at": "2026-01-01T10:00:00Z"}'),
    'createdupdatedcreatedcreatedcreated', 'five deliveries about four orders'
);
select is(
    public.ingest_shopify_event('bannos.myshopify.com', 'inventory_levels/update', 'level', now(), 'level', null,
        '{"inventory_item_id": 1, "available": 5}', null, '{}') #>> '{data,outcome}',
    'ignored', 'and one about none'
);
select lives_ok($$select pg_temp.age('{8801,8802,8804}')$$, 'time passes for three');
reset role;
update private.housekeeping set progress = '';
set local role service_role;

select is(public.archive_events(1) -> 'already_done', 'false', 'portions go on');
select is(public.archive_events() -> 'ok', 'true', 'where the one before ended');
select is(public.archive_events() -> 'ok', 'true', 'and begin again');
select is(
    array[pg_temp.places('8801'), pg_temp.places('8802'), pg_temp.places('8803'), pg_temp.places('8804')],
    array['0 2 archived', '1 0 here', '1 0 here', '0 1 archived'], 'what is settled and quiet has gone'
);
select is(
    (select (e.type, e.payload ->> 'available')::text from public.event_archive e where e.content_hash = 'level'),
    '(inventory_levels/update,5)', 'so has the old signal'
);

-- Nobody can tell
select is(
    public.get_order_timeline('bannos-8801') #> '{data,entries}' @> '[{"kind": "webhook", "action": "orders/updated"}]', true,
    'the timeline still has its webhooks'
);
select is(pg_temp.deliver('8801', 'orders/create', 1), 'duplicate', 'an archived delivery is still known');
select is(pg_temp.places('8801'), '2 0 here', 'for which its events came back');
reset role;
update private.housekeeping set progress = '';
set local role service_role;
select is(public.archive_events() -> 'ok', 'true', 'they go again');
select is(pg_temp.places('8801'), '0 2 archived', 'with the next round');
select is(pg_temp.deliver('8801', 'orders/updated', 9, '{"total_amount": "5.00"}'), 'updated', 'a late update of an archived order');
select is(
    (select (o.total_amount, o.customer_name, o.business_updated_at)::text from public.orders o where o.id = 'bannos-8801'),
    '(5.000,"Ana Q.","2026-01-01 10:09:00+00")', 'is added to what there was'
);
select is(pg_temp.deliver('8804', 'orders/updated', 9), 'updated', 'one of a cancelled order');
select is((select o.cancelled_at is not null from public.orders o where o.id = 'bannos-8804'), true, 'does not revive it');
select is(
    (public.replay_order('bannos', 'bannos-8801') #> '{data,differences}') || (public.replay_order('bannos', 'bannos-8804') #> '{data,differences}'),
    '{}', 'replays agree'
);
select is(public.archive_events() -> 'ok', 'true', 'what has news');
select is(pg_temp.places('8801') || ', ' || pg_temp.places('8804'), '3 0 here, 2 0 here', 'stays');

-- Replay and redaction of an archived order
select lives_ok($$select pg_temp.age('{8801}')$$, 'quiet again');
reset role;
update private.housekeeping set progress = '';
set local role service_role;
select is(public.archive_events() -> 'ok', 'true', 'it goes');
select is(
    (public.replay_order('bannos', 'bannos-8801') -> 'data') || jsonb_build_object('places', pg_temp.places('8801')),
    '{"order_id": "bannos-8801", "snapshots": 3, "differences": {}, "places": "3 0 here"}', 'a replay brings its events back'
);
reset role;
update private.housekeeping set progress = '';
set local role service_role;
select is(public.archive_events() -> 'ok', 'true', 'and they go');
select is(
    public.ingest_shopify_event('bannos.myshopify.com', 'customers/redact', 'r', now(), 'r',
        '{"snapshot": false, "compliance": {"shop_domain": "bannos.myshopify.com", "customer_id": "4711", "order_ids": []}}', '{}', null, '{}')
        #>> '{data,outcome}',
    'updated', 'their customer is to be forgotten'
);
select is(
    (select count(*) from (select e.payload from public.event_store e union all select e.payload from public.event_archive e) e
     where e.payload::text like '%Ana%'), 0::bigint, 'nothing of him is left, here or there'
);

-- Neither table loses anything
reset role;
select throws_ok('delete from public.event_store', '23001', null, 'no event is deleted that is not in the archive');
select throws_ok('update public.event_archive set attempts = 9', '23001', null, 'no archived event is changed');
select throws_ok('delete from public.event_archive', '23001', null, 'nor deleted');
select throws_ok('truncate public.event_archive', '23001', null, 'in no way');

select * from finish();
rollback;
