-- A store is added by an Admin, once, with a partition that is as closed as its parent.
begin;
select plan(34);

-- Nobody else may
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    public.create_store('atelier', 'Atelier', 'atelier.example', 'Europe/Vienna', 'AT', 'EUR') ->> 'code',
    'PERMISSION_DENIED', 'a Supervisor adds no store'
);
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000006"}';
select is(
    public.create_store('atelier', 'Atelier', 'atelier.example', 'Europe/Vienna', 'AT', 'EUR') ->> 'code',
    'PERMISSION_DENIED', 'nor does a user without a staff row'
);
select hasnt_table('public', 'orders_atelier', 'and nothing was made');

-- An Admin does
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    public.create_store(
        'atelier', 'Atelier', 'Atelier.myshopify.com', 'Europe/Vienna', 'at', 'eur', p_scan_letter => 'a'
    ) #> '{data,shop_domain}', '"atelier.myshopify.com"', 'an Admin adds a store; its domain is in lower case'
);
select is(
    public.create_store(
        'atelier', 'Atelier', 'atelier.myshopify.com', 'Europe/Vienna', 'AT', 'EUR', p_scan_letter => 'A'
    ) ->> 'already_done', 'true', 'the same again is already done'
);
select is(
    public.create_store('atelier', 'Other name', 'atelier.myshopify.com', 'Europe/Vienna', 'AT', 'EUR') ->> 'code',
    'CONFLICT', 'the same key with other values is a conflict'
);
select is(
    public.create_store('other', 'Other', 'bannos.myshopify.com', 'Europe/Vienna', 'AT', 'EUR') ->> 'message',
    'taken by another store: shop_domain', 'the domain of another store is a conflict that says so'
);
select is(
    public.create_store('other', 'Other', 'other.example', 'Europe/Vienna', 'AT', 'EUR', 'bannos') ->> 'code',
    'CONFLICT', 'so is its prefix'
);
select is(
    public.create_store('other', 'Other', 'other.example', 'Europe/Vienna', 'AT', 'EUR', null, 'B') ->> 'code',
    'CONFLICT', 'and its letter'
);
select is(bad.answer ->> 'code', 'BAD_INPUT', 'refuses ' || bad.what)
from (
    values
        ('a key with a quote', public.create_store('x"; drop', 'X', 'x.example', 'Europe/Vienna', 'AT', 'EUR')),
        ('a key in capitals', public.create_store('Atelier', 'X', 'x.example', 'Europe/Vienna', 'AT', 'EUR')),
        ('no key', public.create_store(null, 'X', 'x.example', 'Europe/Vienna', 'AT', 'EUR')),
        ('a long key', public.create_store(repeat('x', 32), 'X', 'x.example', 'Europe/Vienna', 'AT', 'EUR')),
        ('no name', public.create_store('x', ' ', 'x.example', 'Europe/Vienna', 'AT', 'EUR')),
        ('a URL as domain', public.create_store('x', 'X', 'https://x.example', 'Europe/Vienna', 'AT', 'EUR')),
        ('an unknown timezone', public.create_store('x', 'X', 'x.example', 'Mars/Olympus', 'AT', 'EUR')),
        ('a long country', public.create_store('x', 'X', 'x.example', 'Europe/Vienna', 'AUT', 'EUR')),
        ('a long currency', public.create_store('x', 'X', 'x.example', 'Europe/Vienna', 'AT', 'Euro')),
        ('a prefix with a hyphen', public.create_store('x', 'X', 'x.example', 'Europe/Vienna', 'AT', 'EUR', 'x-y')),
        ('two letters', public.create_store('x', 'X', 'x.example', 'Europe/Vienna', 'AT', 'EUR', null, 'XY'))
) as bad (what, answer);

-- The partition is closed
reset role;
insert into public.orders (store, id, shopify_order_gid) values ('atelier', 'atelier-1', 'gid://shopify/Order/906001');
insert into public.orders (store, id, shopify_order_gid) values ('bannos', 'bannos-906002', 'gid://shopify/Order/906002');
select is(
    (select c.relname::text from public.orders o join pg_catalog.pg_class c on c.oid = o.tableoid
        where o.id = 'atelier-1'),
    'orders_atelier', 'orders of the store land in its partition'
);
select ok(
    (select c.relrowsecurity from pg_catalog.pg_class c where c.oid = 'public.orders_atelier'::regclass),
    'which has row security of its own'
);
select policies_are(
    'public', 'orders_atelier', array['orders_atelier_select_staff', 'orders_atelier_select_service'], 'and policies'
);
-- By what they are: the names of long ones are cut off, and not at the same letter.
create function pg_temp.indexes_of(p_table text)
returns setof text
language sql
as $$
    select regexp_replace(i.indexdef, 'INDEX \S+ ON public[.]' || p_table, 'INDEX')
    from pg_catalog.pg_indexes i
    where i.schemaname = 'public' and i.tablename = p_table;
$$;
select bag_eq(
    $$ select pg_temp.indexes_of('orders_atelier') $$, $$ select pg_temp.indexes_of('orders_bannos') $$,
    'and every index'
);
set local role anon;
select throws_ok('select 1 from public.orders_atelier', '42501', null, 'anon may not read it');
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is_empty('select 1 from public.orders_atelier', 'staff of other stores see nothing in it');
select isnt_empty('select 1 from public.orders_bannos where id = ''bannos-906002''', 'and see their own');
select throws_ok(
    'insert into public.orders_atelier (store, id, shopify_order_gid) values (''atelier'', ''x'', ''y'')', '42501', null,
    'nobody writes to it'
);
select throws_ok('update public.orders_bannos set notes = ''x''', '42501', null, 'nor to the own one');
select throws_ok('truncate public.orders_bannos', '42501', null, 'nor empties it');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select isnt_empty('select 1 from public.orders_atelier', 'an Admin sees it at once');

-- The service role
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(
    public.create_store(
        p_key => 'lab_2', p_name => 'Lab', p_shop_domain => 'lab.example', p_timezone => 'UTC', p_origin_country => 'DE',
        p_currency => 'EUR'
    ) #>> '{data,id_prefix}', 'lab2', 'the service role adds one too; the prefix follows from the key'
);
select throws_ok(
    'insert into public.orders_lab_2 (store, id, shopify_order_gid) values (''lab_2'', ''x'', ''y'')', '42501', null,
    'even the service role writes through functions only'
);

-- Even if the partition is lost, the call that repeats makes it again
reset role;
alter table public.orders detach partition public.orders_lab_2;
drop table public.orders_lab_2;
set local role service_role;
do $$
begin
    perform public.create_store('lab_2', 'Lab', 'lab.example', 'UTC', 'DE', 'EUR');
end;
$$;
reset role;
select has_table('public', 'orders_lab_2', 'repeating the call restores what is missing');

select * from finish();
rollback;
