-- The queue and the unassigned lists, in order, in pages, and only of one's own store.
begin;
select plan(31);

-- Whatever other orders the database holds stay out of the way.
update public.orders set stage = 'Complete' where stage <> 'Complete';

insert into public.orders
    (store, id, shopify_order_gid, shopify_order_number, due_date, size, stage, placeholder, cancelled_at, assignee_id)
select
    'bannos', 'bannos-' || o.number, 'gid://shopify/Order/' || o.number, o.number, today.date + o.due, o.size,
    o.stage::public.order_stage, o.placeholder, case when o.cancelled then now() end,
    case when o.assigned then '00000000-0000-4000-8000-000000000001'::uuid end
from (select (now() at time zone 'Australia/Sydney')::date as date) today
cross join (
    values
        ('904001', null::integer, 'Small', 'Filling', false, false, false),
        ('904002', 5, 'Small', 'Filling', false, false, false),
        ('904003', 1, 'Small', 'Covering', false, false, true),
        ('904004', 0, 'Small', 'Packing', false, false, false),
        ('904005', -3, 'Small', 'Decorating', false, false, false),
        ('99', 0, 'Medium', 'Filling', false, false, false),
        ('904006', 0, 'Medium', 'Filling', false, false, false),
        ('904007', 0, null, 'Filling', false, false, false),
        ('904008', null, null, 'Filling', false, false, false),
        ('904009', 0, 'Small', 'Complete', false, false, false),
        ('904010', 0, 'Small', 'Filling', true, false, false),
        ('904011', 0, 'Small', 'Filling', false, true, false)
) as o (number, due, size, stage, placeholder, cancelled, assigned);
insert into public.orders (store, id, shopify_order_gid, shopify_order_number, due_date) values
    ('flourlane', 'flourlane-904020', 'gid://shopify/Order/904020', '904020', current_date);

-- Clients may make no temporary tables; this test keeps answers in some.
do $$
begin
    execute format('grant temporary on database %I to authenticated', current_database());
end;
$$;

create function pg_temp.ids(p_answer jsonb)
returns text
language sql
as $$
    select string_agg(o.value ->> 'order_number', ' ' order by o.ordinality)
    from jsonb_array_elements(p_answer #> '{data,orders}') with ordinality o;
$$;
grant execute on function pg_temp.ids(jsonb) to authenticated;

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';

select is(
    pg_temp.ids(public.get_queue('bannos')),
    '904005 99 904006 904004 904007 904003 904002 904001 904008',
    'overdue and today, tomorrow, later, no date; then size, then number as a number'
);
select is(
    (select string_agg(o.value ->> 'priority', ' ' order by o.ordinality)
        from jsonb_array_elements(public.get_queue('bannos') #> '{data,orders}') with ordinality o),
    'High High High High High Medium Low Low Low', 'which is the order of priorities'
);
select is(public.get_queue('bannos') #> '{data,next}', 'null'::jsonb, 'a last page has no next');

-- Every page size walks through the same queue
create function pg_temp.walk(p_limit integer)
returns text
language plpgsql
as $$
declare
    v_page jsonb;
    v_after text;
    v_seen text := '';
begin
    for i in 1..20 loop
        v_page := public.get_queue('bannos', null, null, p_limit, v_after);
        v_seen := v_seen || ' ' || coalesce(pg_temp.ids(v_page), '');
        v_after := v_page #>> '{data,next}';
        exit when v_after is null;
    end loop;
    return btrim(v_seen);
end;
$$;
select is(
    pg_temp.walk(size), '904005 99 904006 904004 904007 904003 904002 904001 904008', 'pages of ' || size || ' join up'
)
from generate_series(1, 9) as size;

-- A page stays a page when the order that ended the one before is done meanwhile
create temp table first_page on commit drop as select public.get_queue('bannos', null, null, 3) as answer;
reset role;
update public.orders set stage = 'Complete' where id = 'bannos-904006';
set local role authenticated;
select is(
    pg_temp.ids(public.get_queue('bannos', null, null, 3, (select answer #>> '{data,next}' from first_page))),
    '904004 904007 904003', 'an order that is completed between two pages disturbs neither'
);
reset role;
update public.orders set stage = 'Filling' where id = 'bannos-904006';
set local role authenticated;

select is(
    pg_temp.ids(public.get_queue('bannos', (now() at time zone 'Australia/Sydney')::date,
        (now() at time zone 'Australia/Sydney')::date + 1)),
    '99 904006 904004 904007 904003', 'a range of dates leaves out what is outside and what has no date'
);
select is(
    pg_temp.ids(public.get_queue('bannos', (now() at time zone 'Australia/Sydney')::date, null, 2,
        public.get_queue('bannos', (now() at time zone 'Australia/Sydney')::date, null, 4) #>> '{data,next}')),
    '904003 904002', 'a range can be paged'
);

select is(public.get_queue('bannos', null, null, bad.size) ->> 'code', 'BAD_INPUT', 'refuses a page of ' || bad.size)
from (values (0), (-1), (201)) as bad (size);
select is(public.get_queue('bannos', null, null, null, bad.cursor) ->> 'code', 'BAD_INPUT', 'refuses the cursor ' || bad.cursor)
from (values ('x'), ('[]'), ('["2026-13-45", null, null, null]'), ('[1,2,3,4]'), ('{"a": 1}')) as bad (cursor);
select is(public.get_queue(null) ->> 'code', 'BAD_INPUT', 'a store is needed');
select is(
    public.get_queue('flourlane'), public.get_queue('nosuchstore'), 'another store answers exactly as an unknown one'
);

-- Unassigned
select is(
    public.get_unassigned_counts('bannos') -> 'data', '{"filling": 6, "covering": 0, "decorating": 1, "packing": 1}',
    'counts what nobody has, without placeholders, cancelled and assigned orders'
);
select is(
    pg_temp.ids(public.get_unassigned_list('bannos', 'filling')), '99 904006 904007 904002 904001 904008',
    'lists them by due date, size and number'
);
select is(
    pg_temp.ids(public.get_unassigned_list('bannos', 'Filling', 2, 3)), '904002 904001', 'limit and offset cut it'
);
select is(
    public.get_unassigned_list('bannos', 'Complete') ->> 'code', 'BAD_INPUT', 'nobody is looked for after the end'
);
select is(public.get_unassigned_list('flourlane') ->> 'code', 'NOT_FOUND', 'nor in other stores');
select is(public.get_unassigned_counts('flourlane') ->> 'code', 'NOT_FOUND', 'whose counts are not told either');

select * from finish();
rollback;
