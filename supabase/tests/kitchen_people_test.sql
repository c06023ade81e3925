-- Assignment, storage and quality returns: who may, and what they leave behind.
begin;
select plan(41);

insert into public.orders
    (store, id, shopify_order_gid, shopify_order_number, due_date, stage, filling_start_ts, filling_complete_ts,
     covering_complete_ts, decorating_complete_ts, packing_start_ts, packing_complete_ts)
values
    ('bannos', 'bannos-903001', 'gid://shopify/Order/903001', '903001', current_date, 'Packing',
     now(), now(), now(), now(), now(), null),
    ('bannos', 'bannos-903002', 'gid://shopify/Order/903002', '903002', current_date, 'Complete',
     now(), now(), now(), now(), now(), now()),
    ('bannos', 'bannos-903003', 'gid://shopify/Order/903003', '903003', current_date, 'Decorating',
     now(), now(), now(), null, null, null),
    ('flourlane', 'flourlane-903004', 'gid://shopify/Order/903004', '903004', current_date, 'Packing',
     now(), now(), now(), now(), now(), null);

-- Staff may not assign or return ------------------------------------------------------------------------------
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is(
    public.assign_staff('bannos-903001', '00000000-0000-4000-8000-000000000001') ->> 'code', 'PERMISSION_DENIED',
    'Staff does not assign'
);
select is(
    public.qc_return_to_decorating('bannos-903001', null, 'cracked') ->> 'code', 'PERMISSION_DENIED',
    'Staff does not return'
);
select is(
    public.qc_return_to_decorating('bannos-903001', '00000000-0000-4000-8000-000000000002', 'cracked') ->> 'code',
    'PERMISSION_DENIED', 'not even in the name of a Supervisor'
);
select is(
    (select count(*) from public.stage_events where order_id = 'bannos-903001' and action = 'refused'), 3::bigint,
    'each attempt is in the trail'
);
select is(
    public.assign_staff('flourlane-903004', '00000000-0000-4000-8000-000000000001') ->> 'code', 'NOT_FOUND',
    'another store''s order is unknown before any role is asked for'
);

-- A Supervisor assigns ------------------------------------------------------------------------------------------
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    public.assign_staff('bannos-903001', '00000000-0000-4000-8000-000000000001', 'rush') #>> '{data,assignee_id}',
    '00000000-0000-4000-8000-000000000001', 'a Supervisor assigns'
);
select is(
    (select stage from public.orders where id = 'bannos-903001'), 'Packing', 'assigning changes nothing but the assignee'
);
select is(
    public.assign_staff('bannos-903001', '00000000-0000-4000-8000-000000000001') ->> 'already_done', 'true',
    'the same assignment again is already done'
);
select is(
    public.assign_staff('bannos-903001', someone.id) ->> 'code', 'BAD_INPUT', 'cannot be assigned: ' || someone.what
)
from (
    values
        ('staff of another store', '00000000-0000-4000-8000-000000000004'::uuid),
        ('inactive staff', '00000000-0000-4000-8000-000000000005'::uuid),
        ('a user who is no staff', '00000000-0000-4000-8000-000000000006'::uuid),
        ('nobody', '00000000-0000-4000-8000-0000000000ff'::uuid)
) as someone (what, id);
select is(
    public.assign_staff('bannos-903001', '00000000-0000-4000-8000-000000000004') ->> 'message',
    public.assign_staff('bannos-903001', '00000000-0000-4000-8000-0000000000ff') ->> 'message',
    'staff of another store look like nobody'
);
select is(
    public.assign_staff('bannos-903001', '00000000-0000-4000-8000-000000000003') ->> 'ok', 'true',
    'an Admin belongs to every store'
);
select is(
    public.assign_staff('bannos-903001', null) #> '{data,assignee_id}', 'null'::jsonb, 'null takes the order away'
);
select is(
    public.assign_staff('bannos-903002', '00000000-0000-4000-8000-000000000001') ->> 'code', 'INVALID_STAGE',
    'a complete order is not assigned'
);
select is(
    public.assign_staff('bannos-903001', null, repeat('x', 501)) ->> 'code', 'BAD_INPUT', 'a note is short'
);
select is(
    (select meta from public.stage_events where order_id = 'bannos-903001' and action = 'assign_staff' order by id limit 1),
    '{"note": "rush", "assignee_to": "00000000-0000-4000-8000-000000000001"}', 'the trail says who was assigned and why'
);

-- A Supervisor returns ------------------------------------------------------------------------------------------
select is(
    public.qc_return_to_decorating('bannos-903001') ->> 'code', 'BAD_INPUT', 'a return needs a reason'
);
select is(
    public.qc_return_to_decorating('bannos-903001', null, '   ') ->> 'code', 'BAD_INPUT', 'spaces are no reason'
);
select is(
    public.qc_return_to_decorating('bannos-903001', null, 'cracked icing') #>> '{data,stage}', 'Decorating',
    'a return leads to Decorating'
);
select results_eq(
    $$
        select decorating_complete_ts is null, packing_start_ts is null, covering_complete_ts is null
        from public.orders where id = 'bannos-903001'
    $$,
    $$ values (true, true, false) $$,
    'it clears what has to be done again and nothing else'
);
select is(
    (select meta ->> 'reason' from public.stage_events
        where order_id = 'bannos-903001' and action = 'qc_return_to_decorating'),
    'cracked icing', 'the trail keeps the reason'
);
select is(
    public.qc_return_to_decorating('bannos-903001', null, 'cracked icing') ->> 'already_done', 'true',
    'a repeated return is already done'
);
select is(
    public.qc_return_to_decorating('bannos-903003', null, 'x') ->> 'code', 'INVALID_STAGE',
    'an order that never was in Packing is not returned'
);
select is(
    public.qc_return_to_decorating('bannos-903002', null, 'x') ->> 'code', 'PERMISSION_DENIED',
    'a Supervisor does not return a complete order'
);
select is(
    public.complete_decorating('bannos-903001') #>> '{data,stage}', 'Packing', 'after a return the way goes on'
);
select is(
    public.complete_decorating('bannos-903001') ->> 'already_done', 'true', 'and the stage is done again'
);

-- An Admin returns a complete order -------------------------------------------------------------------------------
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    public.qc_return_to_decorating('bannos-903002', null, 'wrong name on it') #>> '{data,stage}', 'Decorating',
    'an Admin returns a complete order'
);
select is(
    (select packing_complete_ts from public.orders where id = 'bannos-903002'), null, 'which is then no longer packed'
);

-- Storage -----------------------------------------------------------------------------------------------------------
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is(
    public.set_storage('bannos-903001', ' Fridge 9 ') #>> '{data,storage}', 'Fridge 9',
    'a store without a list takes any place'
);
select is(
    public.set_storage('bannos-903001', 'Fridge 9') ->> 'already_done', 'true', 'the same place again is already done'
);
select is(public.set_storage('bannos-903001', E'a\x07b') ->> 'code', 'BAD_INPUT', 'control characters are refused');
select is(public.set_storage('bannos-903001', repeat('x', 101)) ->> 'code', 'BAD_INPUT', 'and a novel');
select is(
    public.set_storage('bannos-903001', '') #> '{data,storage}', 'null'::jsonb, 'an empty text clears it'
);
select is(public.set_storage('bannos-903001') ->> 'already_done', 'true', 'and so does null');

reset role;
update public.stores set storage_locations = array['Fridge 1', 'Shelf A'] where key = 'bannos';
set local role authenticated;
select is(
    public.set_storage('bannos-903001', 'fridge 1') #>> '{data,storage}', 'Fridge 1', 'a list decides the spelling'
);
select alike(
    public.set_storage('bannos-903001', 'Fridge 9') ->> 'message', '%Fridge 1, Shelf A%', 'and what is on it'
);
select is(
    public.set_storage('bannos-903001', 'Fridge 9') ->> 'code', 'BAD_INPUT', 'a place that is not on it is refused'
);
select is(
    (select storage from public.orders where id = 'bannos-903001'), 'Fridge 1', 'and the order stays where it is'
);
select is(
    public.set_storage('bannos-903001', '', '00000000-0000-4000-8000-000000000002') #>> '{data,event,by}',
    '00000000-0000-4000-8000-000000000001', 'the trail names the caller, whatever he claims'
);

select * from finish();
rollback;
