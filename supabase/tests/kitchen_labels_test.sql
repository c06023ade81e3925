-- Every form of scan finds its order, and nothing else finds one.
begin;
select plan(45);

insert into public.orders (store, id, shopify_order_gid, shopify_order_number, due_date) values
    ('bannos', 'bannos-912345', 'gid://shopify/Order/9001', '912345', current_date),
    ('bannos', 'bannos-955555', 'gid://shopify/Order/9002', '955555', current_date),
    ('flourlane', 'flourlane-955555', 'gid://shopify/Order/9003', '955555', current_date),
    ('flourlane', 'flourlane-966666', 'gid://shopify/Order/9004', '966666', current_date),
    ('bannos', 'bannos-5550000000001', 'gid://shopify/Order/5550000000001', '977777', current_date);

-- A member of bannos ---------------------------------------------------------------------------------------
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';

select is(public.get_order_for_scan(scan.label) #>> '{data,id}', 'bannos-912345', 'finds the order: ' || scan.what)
from (
    values
        ('id', 'bannos-912345'),
        ('upper case', 'BANNOS-912345'),
        ('mixed case', 'Bannos-912345'),
        ('spaces around', '  bannos-912345  '),
        ('carriage return and line feed of a scanner', E'bannos-912345\r\n'),
        ('tab and GS1 separator', E'\t\x1dbannos-912345\x1d'),
        ('no-break and zero-width spaces', U&'\00A0\200Bbannos-912345\FEFF'),
        ('letter label', '#B912345'),
        ('letter label in lower case', '#b912345'),
        ('letter label without the sign', 'B912345'),
        ('bare number', '912345'),
        ('bare number as Shopify writes it', '#912345'),
        ('URL, last part', 'https://bannos.example/orders/bannos-912345'),
        ('URL with query and fragment', 'HTTPS://bannos.example/o/bannos-912345?utm=x1&y=2#top'),
        ('URL, query parameter', 'https://kiosk.example/scan?order=bannos-912345'),
        ('URL, escaped letter label', 'https://kiosk.example/s/%23B912345'),
        ('URL with a version in its path', 'https://kiosk.example/v2/orders/912345'),
        ('JSON id', '{"id": "bannos-912345"}'),
        ('JSON number', '{"order_number": 912345, "v": 1}'),
        ('JSON with other fields in any script', '{"name": "Zoë 蛋糕", "order_id": "#B912345"}'),
        ('number that several stores have, with its store', 'bannos-912345')
) as scan (what, label);

select is(
    public.get_order_for_scan('977777') #>> '{data,id}', 'bannos-5550000000001',
    'finds by number an order that is called by its numeric id'
);
select is(
    public.get_order_for_scan('955555') #>> '{data,id}', 'bannos-955555',
    'a bare number means the order of the one store the caller works for'
);

select is(public.get_order_for_scan(scan.label) ->> 'code', 'BAD_INPUT', 'is not understood: ' || scan.what)
from (
    values
        ('nothing', null),
        ('empty', ''),
        ('only spaces', E' \t\r\n'),
        ('a word', 'chocolate'),
        ('control character inside', E'bannos-91\x022345'),
        ('Cyrillic o', U&'bann\043Es-912345'),
        ('full-width digits', U&'bannos-\FF11\FF12\FF13\FF14\FF15'),
        ('Kelvin sign as a letter', U&'#\212A912345'),
        ('Arabic digits', U&'\0661\0662\0663\0664\0665'),
        ('10 KB of digits', repeat('1', 10240)),
        ('10 KB around an id', repeat(' ', 10240) || 'bannos-912345'),
        ('JSON cut short', '{"id": "bannos-912345"'),
        ('JSON with a null character', '{"id": "bannos-912345", "x": "\u0000"}'),
        ('JSON without an order', '{"table": 7}'),
        ('SQL', 'bannos-1''; drop table public.orders; --')
) as scan (what, label);

select alike(
    public.get_order_for_scan('chocolate') ->> 'message', '%bannos-12345%#B12345%bare order number%URL%JSON%',
    'the refusal names the accepted forms'
);

-- Another store's order is an unknown order
select is(
    public.get_order_for_scan('flourlane-966666'), public.get_order_for_scan('nosuchstore-966666'),
    'the order of another store answers exactly as one of no store'
);
select is(
    public.get_order_for_scan('#F966666') ->> 'code', 'NOT_FOUND', 'the letter of another store finds nothing'
);

-- A member of flourlane ------------------------------------------------------------------------------------
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000004"}';
select is(
    public.get_order_for_scan('FLOUR-LANE-966666') #>> '{data,id}', 'flourlane-966666',
    'hyphens inside the prefix do not matter'
);

-- An Admin works for both ----------------------------------------------------------------------------------
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    public.get_order_for_scan('955555') ->> 'code', 'BAD_INPUT',
    'a bare number that two stores of the caller have is refused'
);

-- The service role works for all -----------------------------------------------------------------------------
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(
    public.get_order_for_scan('#F966666') #>> '{data,id}', 'flourlane-966666', 'the service role finds every order'
);
set local role anon;
set local request.jwt.claims = '{"role":"anon"}';
select throws_ok(
    'select public.get_order_for_scan(''#F966666'')', '42501', null, 'nobody asks without signing in'
);

select * from finish();
rollback;
