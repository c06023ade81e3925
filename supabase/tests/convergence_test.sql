-- However the events of an order arrive, the same rows come of it: every permutation of five, with duplicates.
begin;
select plan(13);

-- The events: a create that lacks fields, three of the same instant, of which rank decides between two and the hash
-- between two, and one that has no time at all.
create temporary table story (position integer primary key, topic text, hash text, snapshot jsonb);
insert into story values
    (1, 'orders/create', 'a', '{"topic_rank": 0, "updated_at": "2026-11-01T10:00:00Z", "payment_status": "pending",
        "total_amount": "20.00", "customer_name": "Ana Q.", "notes": "first", "lines": [
        {"line_id": "1", "position": 0, "sku": "C-1", "quantity": 2}, {"line_id": "2", "position": 1, "sku": "C-2", "quantity": 1}]}'),
    (2, 'orders/updated', 'z', '{"topic_rank": 1, "updated_at": "2026-11-01T12:00:00Z", "payment_status": "pending",
        "total_amount": "50.00", "due_date": "2026-12-01", "notes": null, "lines": [
        {"line_id": "1", "position": 0, "sku": "C-1", "quantity": 5}, {"line_id": "3", "position": 1, "sku": "C-2", "quantity": 4}]}'),
    (3, 'orders/edited', 'd', '{"topic_rank": 2, "updated_at": "2026-11-01T12:00:00+00:00", "payment_status": "paid",
        "total_amount": "51.00", "notes": null, "lines": [
        {"line_id": "1", "position": 0, "sku": "C-2", "quantity": 3}, {"line_id": "4", "position": 1, "sku": null, "quantity": 1}]}'),
    (4, 'orders/edited', 'c', '{"topic_rank": 2, "updated_at": "2026-11-01T23:00:00+11:00", "payment_status": "voided",
        "total_amount": "52.00", "notes": "fourth", "flavour": "Mint", "lines": []}'),
    (5, 'orders/paid', 'e', '{"topic_rank": 3, "updated_at": null, "payment_status": "refunded", "size": "Large",
        "total_amount": "53.00", "lines": [{"line_id": "5", "position": 0, "sku": "C-1", "quantity": 9}]}');

-- A second story, in which the order is cancelled and a late update does not know it.
create temporary table cancelled_story as select * from story;
update cancelled_story set
    topic = 'orders/cancelled',
    snapshot = snapshot || '{"topic_rank": 6, "updated_at": "2026-11-01T11:30:00Z", "cancelled_at": "2026-11-01T11:30:00Z",
        "cancel_reason": "customer"}'
where position = 5;

create temporary table permutation as
with recursive p (taken) as (
    select array[]::integer[]
    union all
    select p.taken || n from p cross join generate_series(1, 5) n where not n = any(p.taken)
)
select row_number() over (order by taken) as number, taken from p where cardinality(taken) = 5;

insert into public.inventory_items (store, sku, opening_ats, ats) values
    ('bannos', 'C-1', 10000, 10000), ('bannos', 'C-2', 10000, 10000);

create function pg_temp.tell(p_story text, p_base bigint)
returns void
language plpgsql
as $$
declare
    v record;
    v_order bigint;
    v_answer jsonb;
begin
    for v in execute format(
        'select p.number, s.* from pg_temp.permutation p
            cross join lateral unnest(p.taken) with ordinality as t (position, turn)
            join pg_temp.%I s on s.position = t.position order by p.number, t.turn', p_story
    )
    loop
        v_order := p_base + v.number;
        -- Every delivery comes twice, the second time under another id.
        for v_again in 1..2 loop
            v_answer := public.ingest_shopify_event(
                'bannos.myshopify.com', v.topic, v_order || '-' || v.position || '-' || v_again, now(), v.hash || v_order,
                jsonb_build_object('snapshot', true, 'gid', 'gid://shopify/Order/' || v_order,
                    'shopify_id', v_order::text, 'order_number', (v_order - 1000000)::text) || v.snapshot,
                '{}', null, '{}'
            );
            if not (v_answer ->> 'ok')::boolean or (v_answer #>> '{data,outcome}' = 'duplicate') <> (v_again = 2) then
                raise exception '% %', v_order, v_answer;
            end if;
        end loop;
    end loop;
end;
$$;
grant select on story, cancelled_story, permutation to service_role;
grant execute on function pg_temp.tell(text, bigint) to service_role;

-- Everything of an order but what names it.
create function pg_temp.ending(p_gid_from bigint, p_gid_to bigint)
returns table (columns jsonb, lines jsonb, orders bigint)
language sql
as $$
    select c, l, count(*)
    from (
        select
            to_jsonb(o) - '{id,row_id,shopify_order_gid,shopify_order_id,shopify_order_number,last_event_id}'::text[]
                - '{created_at,updated_at}'::text[] as c,
            (select jsonb_agg(to_jsonb(i) - '{order_id,created_at}'::text[] order by i.line_id)
             from public.order_line_items i where i.store = o.store and i.order_id = o.id) as l
        from public.orders o
        where o.shopify_order_id between p_gid_from and p_gid_to
    ) e
    group by c, l;
$$;
grant execute on function pg_temp.ending(bigint, bigint) to service_role;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

select is((select count(*) from permutation), 120::bigint, 'there are 120 permutations of 5');
select lives_ok($$select pg_temp.tell('story', 8200000)$$, 'each event is taken once in each of them');
select is((select array_agg(orders) from pg_temp.ending(8200001, 8200120)), '{120}', 'all 120 end in the same rows');
select is(
    (select jsonb_object_agg(c.key, c.value) from pg_temp.ending(8200001, 8200120) e cross join jsonb_each(e.columns) c
     where c.key in ('size', 'notes', 'flavour', 'currency', 'due_date', 'placeholder', 'cancelled_at', 'total_amount',
        'customer_name', 'missing_fields', 'payment_status', 'inventory_blocked', 'allocation_status', 'business_updated_at')),
    '{"size": "Large", "notes": "fourth", "flavour": "Mint", "currency": null, "due_date": "2026-12-01",
      "placeholder": false, "cancelled_at": null, "total_amount": 51.000, "customer_name": "Ana Q.",
      "missing_fields": ["product"], "payment_status": "paid", "inventory_blocked": false,
      "allocation_status": "allocated", "business_updated_at": "2026-11-01T12:00:00+00:00"}'::jsonb,
    'the winner is the greatest time, rank and hash; older ones fill what it leaves open'
);
select is(
    (select jsonb_path_query_array(lines, '$[*].line_id') || jsonb_path_query_array(lines, '$[*].held_quantity')
     from pg_temp.ending(8200001, 8200120)),
    '["1", "4", 3, 0]', 'lines and holds are those of the winner'
);
select is(
    (select array_agg(i.opening_ats - i.ats order by i.sku) from public.inventory_items i where i.sku in ('C-1', 'C-2')),
    '{0,360}', 'stock is what the winners leave, whatever was held on the way'
);
select is(
    (select count(*) from public.orders o
     where o.shopify_order_id between 8200001 and 8200120
        and public.replay_order('bannos', o.id) #> '{data,differences}' <> '{}'),
    0::bigint, 'a replay of each finds no difference'
);

select lives_ok($$select pg_temp.tell('cancelled_story', 8300000)$$, 'the cancelled story is taken too');
select is((select array_agg(orders) from pg_temp.ending(8300001, 8300120)), '{120}', 'and all 120 end in the same rows');
select is(
    (select columns ->> 'cancelled_at' || ' ' || (columns ->> 'cancel_reason') || ' ' || (columns ->> 'allocation_status')
     from pg_temp.ending(8300001, 8300120)),
    '2026-11-01T11:30:00+00:00 customer none', 'cancelled, for its reason, with nothing held'
);
select is(
    (select array_agg(i.opening_ats - i.ats order by i.sku) from public.inventory_items i where i.sku in ('C-1', 'C-2')),
    '{0,360}', 'a cancelled order gives everything back'
);
select is(
    (select count(*) from public.inventory_items i
     where i.ats <> i.opening_ats + (select coalesce(sum(t.delta), 0) from public.inventory_txn t where t.item_id = i.id)),
    0::bigint, 'stock is its opening and the sum of its ledger'
);

-- The comparison can fail
reset role;
update public.orders set notes = 'changed behind our back' where shopify_order_gid = 'gid://shopify/Order/8200001';
set local role service_role;
select is(
    public.replay_order('bannos', (select o.id from public.orders o where o.shopify_order_id = 8200001))
        #> '{data,differences}',
    '{"notes": {"live": "changed behind our back", "derived": "fourth"}}', 'a replay finds what differs'
);

select * from finish();
rollback;
