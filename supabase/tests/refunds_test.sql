-- Refunds: each takes away its pieces once, whenever it arrives; what is not put back stays consumed.
begin;
select plan(41);

insert into public.inventory_items (store, sku, opening_ats, ats) values
    ('bannos', 'R-A', 10, 10), ('bannos', 'R-B', 2, 2), ('bannos', 'R-P', 100000, 100000);

-- p_lines: {line id: [sku, quantity now, lost]}; p_refunds: the ids that the snapshot knows.
create function pg_temp.snapshot(
    p_number bigint, p_minute integer, p_topic text, p_lines jsonb, p_refunds jsonb, p_change jsonb default '{}'
)
returns text
language sql
as $$
    select public.ingest_shopify_event(
        'bannos.myshopify.com', p_topic, null, now(), concat_ws(' ', p_number, p_minute, p_topic),
        jsonb_build_object(
            'snapshot', true, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number::text,
            'order_number', p_number::text, 'updated_at', to_char(p_minute, '"2026-11-01T10:"FM00":00Z"'),
            'topic_rank', case p_topic when 'orders/create' then 0 else 1 end, 'refunds', p_refunds,
            'lines', (select jsonb_agg(jsonb_build_object(
                'line_id', l.key, 'position', l.key, 'sku', l.value ->> 0, 'quantity', l.value -> 1,
                'consumed', coalesce(l.value -> 2, '0')
            ) order by l.key) from jsonb_each(p_lines) l)
        ) || p_change,
        '{}', null, '{}'
    ) #>> '{data,outcome}';
$$;
-- p_lines: {line id: [pieces, put back]}.
create function pg_temp.refund(
    p_number bigint, p_id text, p_minute integer, p_lines jsonb, p_body text default '', p_shop text default 'bannos'
)
returns text
language sql
as $$
    select public.ingest_shopify_event(
        p_shop || '.myshopify.com', 'refunds/create', null, now(), concat_ws(' ', 'refund', p_number, p_id, p_body),
        jsonb_build_object(
            'snapshot', false, 'gid', 'gid://shopify/Order/' || p_number, 'shopify_id', p_number::text,
            'refund', jsonb_build_object(
                'id', p_id, 'created_at', to_char(p_minute, '"2026-11-01T10:"FM00":30Z"'),
                'lines', (select coalesce(jsonb_agg(jsonb_build_object(
                    'line_id', l.key, 'quantity', l.value -> 0, 'restock', l.value -> 1
                )), '[]') from jsonb_each(p_lines) l)
            )
        ),
        '{"transactions": [{"receipt": {"cardholder": "Ana Q."}}]}', null, '{}'
    ) #>> '{data,outcome}';
$$;
create function pg_temp.ats(p_sku text)
returns integer
language sql
as $$ select i.ats from public.inventory_items i where i.store = 'bannos' and i.sku = p_sku $$;
-- Of each line: wanted, lost, held, waiting.
create function pg_temp.lines(p_number bigint)
returns text
language sql
as $$
    select string_agg(concat_ws('/', l.quantity, l.consumed, l.held_quantity, l.short_quantity), ' ' order by l.line_id)
    from public.order_line_items l where l.store = 'bannos' and l.order_id = 'bannos-' || p_number;
$$;
create function pg_temp.differences(p_number bigint)
returns jsonb
language sql
as $$ select public.replay_order('bannos', 'bannos-' || p_number) #> '{data,differences}' $$;
create temporary table permutation as
with recursive p (taken) as (
    select array[]::integer[]
    union all
    select p.taken || n from p cross join generate_series(1, 5) n where not n = any(p.taken)
)
select row_number() over (order by taken) as number, taken from p where cardinality(taken) = 5;
create function pg_temp.tell(p_number bigint, p_event integer)
returns text
language sql
as $$
    select case p_event
        when 1 then pg_temp.snapshot(p_number, 0, 'orders/create', '{"1": ["R-P", 5], "2": ["R-P", 1]}', '[]')
        when 2 then pg_temp.refund(p_number, '1', 1, '{"1": [2, true]}')
        when 3 then pg_temp.refund(p_number, '2', 2, '{"1": [1, false], "2": [1, true]}')
        when 4 then pg_temp.snapshot(p_number, 1, 'orders/updated', '{"1": ["R-P", 3], "2": ["R-P", 1]}', '["1"]')
        when 5 then pg_temp.refund(p_number, '3', 3, '{"1": [1, false]}')
    end;
$$;
grant select on permutation to service_role;
grant execute on all functions in schema pg_temp to service_role;
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- One after the other
select is(pg_temp.snapshot(8600, 0, 'orders/create', '{"1": ["R-A", 4]}', '[]'), 'created', 'four are ordered');
select is(pg_temp.refund(8600, '1', 1, '{"1": [1, true]}'), 'updated', 'one is refunded and put back');
select is(pg_temp.lines(8600) || ' ' || pg_temp.ats('R-A'), '3/0/3/0 7', 'it is held no more');
select is(pg_temp.refund(8600, '2', 2, '{"1": [2, false]}'), 'updated', 'two are refunded and not put back');
select is(pg_temp.lines(8600) || ' ' || pg_temp.ats('R-A'), '1/2/3/0 7', 'nobody makes them, and nobody can buy them');
select is(pg_temp.refund(8600, '2', 2, '{"1": [2, false]}'), 'duplicate', 'the same delivery again is a duplicate');
select is(pg_temp.refund(8600, '2', 2, '{"1": [2, false]}', 'told anew'), 'stale', 'the same refund in another body is none more');
select is(
    pg_temp.snapshot(8600, 2, 'orders/updated', '{"1": ["R-A", 3, 0]}', '["1"]'), 'updated', 'a snapshot knows the first'
);
select is(pg_temp.lines(8600) || ' ' || pg_temp.ats('R-A'), '1/2/3/0 7', 'the second is still subtracted, the first no more');
select is(
    pg_temp.snapshot(8600, 3, 'orders/updated', '{"1": ["R-A", 1, 2]}', '["2", "1"]'), 'updated', 'a snapshot knows both'
);
select is(pg_temp.lines(8600) || ' ' || pg_temp.ats('R-A'), '1/2/3/0 7', 'and nothing moves');
select is(
    (select array_agg(t.delta order by t.id) from public.inventory_txn t where t.order_id = 'bannos-8600'), '{-4,1}',
    'the ledger has the hold and one release'
);
select is(
    pg_temp.snapshot(8600, 4, 'orders/cancelled', '{"1": ["R-A", 0, 2]}', '["2", "1"]', '{"cancelled_at": "2026-11-01T10:04:00Z"}'),
    'cancelled', 'the rest is cancelled'
);
select is(pg_temp.lines(8600) || ' ' || pg_temp.ats('R-A'), '0/2/2/0 8', 'what was lost stays lost');
select is(
    (select o.allocation_status from public.orders o where o.id = 'bannos-8600'), 'none', 'nothing is allocated to be sent'
);
select is(pg_temp.differences(8600), '{}', 'a replay finds nothing else');
select is(
    (select count(*) from public.event_store e where e.ref_id = 'gid://shopify/Order/8600' and e.payload::text like '%Ana%'),
    0::bigint, 'the payer is not stored with a refund: nobody reads it'
);

-- Before its order
select is(pg_temp.refund(8601, '1', 5, '{"1": [1, true], "2": [1, false]}'), 'ignored', 'a refund of an order that nobody knows');
select is(
    pg_temp.snapshot(8601, 1, 'orders/create', '{"1": ["R-A", 2], "2": ["R-A", 1]}', '[]'), 'created', 'finds it when it comes'
);
select is(pg_temp.lines(8601) || ' ' || pg_temp.ats('R-A'), '1/0/1/0 0/1/1/0 6', 'and is subtracted');
select is(pg_temp.differences(8601), '{}', 'a replay finds nothing else, here too');

-- Snapshots that do not say which refunds they know
select is(pg_temp.snapshot(8602, 5, 'orders/create', '{"1": ["R-A", 2]}', null), 'created', 'without a list');
select is(pg_temp.refund(8602, '1', 4, '{"1": [1, true]}'), 'stale', 'a refund that was made before is in it');
select is(pg_temp.refund(8602, '2', 5, '{"1": [1, true]}'), 'updated', 'a later one is not');
select is(pg_temp.lines(8602), '1/0/1/0', 'it is subtracted');

-- Odd ones
select is(
    pg_temp.refund(8602, '3', 9, '{"7": [1, true], "1": ["many", true], "2": [-4, false]}'), 'stale',
    'lines that are not there and numbers that are none change nothing'
);
select is(pg_temp.refund(8602, '4', 9, '{"1": [9, false]}'), 'updated', 'more pieces than there are');
select is(pg_temp.lines(8602), '0/2/2/0', 'take away what there is; in doubt a piece is lost, not sold twice');
select is(
    pg_temp.refund(8602, '5', 9, '{"1": [1, true]}', '', 'flourlane'), 'ignored', 'a refund under another shop is not of this order'
);
select is(
    (select o.missing_fields from public.orders o where o.id = 'bannos-8602') is not null, true, 'the order is as it was'
);

-- Where stock is short
select is(pg_temp.snapshot(8603, 0, 'orders/create', '{"1": ["R-B", 3]}', '[]'), 'created', 'three of two');
select is(pg_temp.lines(8603) || ' ' || pg_temp.ats('R-B'), '3/0/0/3 2', 'wait');
select is(pg_temp.refund(8603, '1', 1, '{"1": [1, false]}'), 'updated', 'one is refunded, though it never was there');
select is(pg_temp.lines(8603) || ' ' || pg_temp.ats('R-B'), '2/1/2/0 0', 'the others are held, the one that never was is not');
select is(pg_temp.refund(8603, '2', 2, '{"1": [2, true]}'), 'updated', 'the others go back');
select is(pg_temp.lines(8603) || ' ' || pg_temp.ats('R-B'), '0/1/0/0 2', 'and nothing waits');

-- In any order
select lives_ok(
    $$select pg_temp.tell(8610000 + p.number, t.event)
      from permutation p cross join lateral unnest(p.taken) with ordinality as t (event, turn) order by p.number, t.turn$$,
    'five deliveries in each of 120 orders'
);
select is(
    (select array_agg(distinct pg_temp.lines(8610000 + p.number)) from permutation p), '{"1/2/3/0 0/0/0/0"}', 'end in the same lines'
);
select is(
    pg_temp.ats('R-P') || ' ' || (
        select 100000 + sum(t.delta) from public.inventory_txn t join public.inventory_items i on i.id = t.item_id and i.sku = 'R-P'
    ), '99640 99640', 'and hold the same stock'
);
select is(
    (select array_agg(distinct pg_temp.differences(8610000 + p.number)) from permutation p), array['{}'::jsonb], 'replays agree'
);
select is(
    (select array_agg(distinct o.placeholder) from public.orders o where o.shopify_order_id between 8610001 and 8610120),
    '{f}', 'none is left a placeholder'
);

select * from finish();
rollback;
