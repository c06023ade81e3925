-- Alerts: people are told of what is missing, short or unreadable; once for each kind, store and five minutes.
begin;
select plan(20);

update public.work_queue set created_at = now() - interval '1 hour', dedupe_key = 'old ' || id where topic = 'slack_alert';
insert into public.inventory_items (store, sku, opening_ats, ats) values ('bannos', 'A-1', 1, 1);

create function pg_temp.deliver(p_number text, p_topic text, p_change jsonb default '{}', p_shop text default 'bannos')
returns text
language sql
as $$
    select public.ingest_shopify_event(
        p_shop || '.myshopify.com', p_topic, null, now(), p_number || p_topic,
        jsonb_build_object(
            'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number, 'order_number', p_number,
            'customer_name', 'Ana Q.', 'product_title', 'Cake', 'flavour', 'Mint', 'due_date', '2026-12-01', 'lines', '[]'::jsonb
        ) || p_change,
        '{}', null, '{}'
    ) #>> '{data,outcome}';
$$;
create function pg_temp.alerts(p_kind text)
returns text[]
language sql
as $$
    select array_agg(w.store || ' ' || (w.payload - 'kind')::text order by w.id)
    from public.work_queue w
    where w.topic = 'slack_alert' and w.payload ->> 'kind' = p_kind and w.created_at > now() - interval '30 minutes';
$$;
create function pg_temp.later(p_seconds integer)
returns void
language sql
security definer
as $$
    -- In place of waiting: what is there is older, and was told in its own slot.
    update public.work_queue w set
        created_at = w.created_at - make_interval(secs => p_seconds),
        dedupe_key = regexp_replace(w.dedupe_key, '\d+$', (substring(w.dedupe_key from '\d+$')::bigint - ceil(p_seconds / 300.0))::text)
    where w.topic = 'slack_alert' and w.dedupe_key !~ '^old';
$$;
grant execute on all functions in schema pg_temp to service_role;
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- Missing fields
select is(pg_temp.deliver('8901', 'orders/create'), 'created', 'an order that lacks nothing');
select is(pg_temp.alerts('missing_fields'), null, 'is no news');
select is(pg_temp.deliver('8902', 'orders/updated', '{"flavour": null, "due_date": null}'), 'updated', 'a placeholder that lacks something');
select is(pg_temp.alerts('missing_fields'), null, 'may still get it');
select is(pg_temp.deliver('8902', 'orders/create', '{"flavour": null}'), 'hydrated', 'with its create it gets one of two');
select is(
    pg_temp.alerts('missing_fields'), array['bannos {"fields": ["flavour"], "order_id": "bannos-8902"}'], 'and people hear of the other'
);
select is(pg_temp.deliver('8903', 'orders/create', '{"customer_name": null}'), 'created', 'another one');
select is(cardinality(pg_temp.alerts('missing_fields')), 1, 'within five minutes is not told');
select is(pg_temp.deliver('8904', 'orders/create', '{"product_title": null}', 'flourlane'), 'created', 'one of another store');
select is(cardinality(pg_temp.alerts('missing_fields')), 2, 'is');
select lives_ok('select pg_temp.later(299)', 'nearly five minutes later');
select is(pg_temp.deliver('8905', 'orders/create', '{"due_date": null}'), 'created', 'it is too early');
select is(cardinality(pg_temp.alerts('missing_fields')), 2, 'even across the boundary of two slots');
select lives_ok('select pg_temp.later(2)', 'a moment later');
select is(pg_temp.deliver('8906', 'orders/create', '{"due_date": null}'), 'created', 'it is time');
select is((pg_temp.alerts('missing_fields'))[3], 'bannos {"fields": ["due_date"], "order_id": "bannos-8906"}', 'and told again');

-- Stock and letters
select is(
    pg_temp.deliver('8907', 'orders/create', '{"lines": [{"line_id": "1", "sku": "A-1", "quantity": 2}]}'), 'created', 'more than there is'
);
select is(pg_temp.alerts('stock_short'), array['bannos {"skus": ["A-1"], "order_id": "bannos-8907"}'], 'is told with the SKU');
select is(
    public.record_dead_letter('shopify', 'bannos.myshopify.com', 'orders/create', 'a1', 'not JSON', 'Ana Q.', 'utf8', null, '{}') -> 'ok',
    'true', 'what nobody can read'
);
select is(
    (select (w.payload ->> 'kind', w.payload ->> 'reason', w.payload::text ~ 'Ana')::text from public.work_queue w
     where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'dead_letter' and w.created_at > now() - interval '30 minutes'),
    '(dead_letter,"not JSON",f)', 'is told without what it holds'
);

select * from finish();
rollback;
