-- Staff are managed by Admins; a change counts from the next call.
begin;
select plan(29);

insert into public.orders (store, id, shopify_order_gid, shopify_order_number) values
    ('bannos', 'bannos-907001', 'gid://shopify/Order/907001', '907001');

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000002', 'Sam', 'Admin') ->> 'code', 'PERMISSION_DENIED',
    'a Supervisor does not promote himself'
);
select is(
    public.set_staff_active('00000000-0000-4000-8000-000000000001', false) ->> 'code', 'PERMISSION_DENIED',
    'nor switch anybody off'
);
select throws_ok(
    'update public.staff set role = ''Admin''', '42501', null, 'the table itself is closed to him'
);

select is(
    (select string_agg(s.value ->> 'name', ', ' order by s.ordinality)
        from jsonb_array_elements(public.get_staff('bannos') #> '{data,staff}') with ordinality s),
    'Ada Admin, Bea Baker, Fay Former, Sam Supervisor', 'he may see who works for his store'
);
select is(public.get_staff('flourlane') ->> 'code', 'NOT_FOUND', 'but not for another');
select is(public.get_staff(null) ->> 'code', 'BAD_INPUT', 'and has to say for which');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is(public.get_staff('bannos') ->> 'code', 'PERMISSION_DENIED', 'Staff does not see the list');
select is(
    (select count(*) from public.staff), 1::bigint, 'nor any row of the table but the own one'
);

set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000006', ' Nia New ', 'Staff', array['bannos', 'bannos']) -> 'data',
    '{"user_id": "00000000-0000-4000-8000-000000000006", "name": "Nia New", "role": "Staff", "active": true, "stores": ["bannos"]}',
    'an Admin adds a user to the staff'
);
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000006', 'Nia New', 'Staff', array['bannos']) ->> 'already_done',
    'true', 'the same again is already done'
);
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000006', 'Nia New', 'Staff') #> '{data,stores}', '["bannos"]',
    'without stores they stay as they are'
);

set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000006"}';
select is(public.scan('bannos-907001') ->> 'ok', 'true', 'the new member works at once');

set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    public.set_staff_active('00000000-0000-4000-8000-000000000006', false) #>> '{data,active}', 'false',
    'an Admin switches somebody off'
);
select is(
    public.set_staff_active('00000000-0000-4000-8000-000000000006', false) ->> 'already_done', 'true', 'once'
);
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000006"}';
select is(
    public.complete_filling('bannos-907001') ->> 'code', 'PERMISSION_DENIED', 'who can do nothing from then on'
);
select is_empty('select 1 from public.orders', 'and sees nothing');

set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000006', 'Nia New', 'Supervisor', array['flourlane'])
        #> '{data,stores}',
    '["flourlane"]', 'stores are replaced as a whole'
);
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000006', 'Nia New', 'Supervisor') #>> '{data,active}', 'false',
    'a change of role switches nobody on again'
);
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000006', 'Nia New', 'Staff', '{}') #> '{data,stores}', '[]',
    'no stores is a list too'
);
select is(bad.answer ->> 'code', bad.code, 'refuses ' || bad.what)
from (
    values
        ('an unknown user', 'NOT_FOUND', public.upsert_staff('00000000-0000-4000-8000-0000000000ff', 'X', 'Staff')),
        ('no user', 'NOT_FOUND', public.upsert_staff(null, 'X', 'Staff')),
        ('no name', 'BAD_INPUT', public.upsert_staff('00000000-0000-4000-8000-000000000006', ' ', 'Staff')),
        ('an unknown role', 'BAD_INPUT', public.upsert_staff('00000000-0000-4000-8000-000000000006', 'X', 'Owner')),
        ('an unknown store', 'BAD_INPUT',
            public.upsert_staff('00000000-0000-4000-8000-000000000006', 'X', 'Staff', array['nosuchstore'])),
        ('neither on nor off', 'BAD_INPUT', public.set_staff_active('00000000-0000-4000-8000-000000000006', null)),
        ('switching off somebody who is no staff', 'NOT_FOUND',
            public.set_staff_active('00000000-0000-4000-8000-0000000000ff', false))
) as bad (what, code, answer);

-- Somebody must remain who can manage
select is(
    public.set_staff_active('00000000-0000-4000-8000-000000000003', false) ->> 'code', 'CONFLICT',
    'the last Admin stays active'
);
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000003', 'Ada Admin', 'Staff') ->> 'code', 'CONFLICT',
    'and stays Admin'
);
do $$
begin
    perform public.upsert_staff('00000000-0000-4000-8000-000000000002', 'Sam Supervisor', 'Admin');
end;
$$;
select is(
    public.upsert_staff('00000000-0000-4000-8000-000000000003', 'Ada Admin', 'Staff') ->> 'ok', 'true',
    'once there is another, the first may go'
);

select * from finish();
rollback;
