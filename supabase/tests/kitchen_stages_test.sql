-- The stages of an order as staff move it, by the named actions.
begin;
select plan(45);

insert into public.orders (store, id, shopify_order_gid, shopify_order_number, due_date, placeholder, cancelled_at) values
    ('bannos', 'bannos-901001', 'gid://shopify/Order/901001', '901001', current_date, false, null),
    ('bannos', 'bannos-901002', 'gid://shopify/Order/901002', '901002', current_date, false, now()),
    ('bannos', 'bannos-901003', 'gid://shopify/Order/901003', '901003', current_date, true, null),
    ('flourlane', 'flourlane-901004', 'gid://shopify/Order/901004', '901004', current_date, false, null);
insert into public.orders (store, id, shopify_order_gid, stage, covering_complete_ts) values
    ('bannos', 'bannos-901005', 'gid://shopify/Order/901005', 'Filling', now());
update public.orders set assignee_id = '00000000-0000-4000-8000-000000000001' where id = 'bannos-901001';

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';

-- A stage that is still ahead is refused and changes nothing
select is(
    public.complete_packing('bannos-901001') - 'message', '{"ok": false, "code": "INVALID_STAGE"}',
    'refuses a stage that is still ahead'
);
select is(
    public.start_packing('bannos-901001') ->> 'message', 'expected stage Packing, order is in Filling',
    'says which stage it expected and which it found'
);
select is((select stage from public.orders where id = 'bannos-901001'), 'Filling', 'a refusal leaves the stage');

select is(
    public.complete_covering('bannos-901005') ->> 'code', 'INVALID_STAGE',
    'a stage that is ahead is not done, whatever its timestamp says'
);

-- Print to Complete
select is(
    public.handle_print_barcode('bannos-901001', null, '{"printer": "P1"}') ->> 'already_done', 'false', 'prints'
);
select isnt(
    (select filling_start_ts from public.orders where id = 'bannos-901001'), null, 'printing starts Filling'
);
select is(
    public.handle_print_barcode('bannos-901001') ->> 'already_done', 'true', 'a second print is already done'
);
select is(
    public.complete_filling('bannos-901001') #>> '{data,stage}', 'Covering', 'Filling leads to Covering'
);
select is(
    (select assignee_id from public.orders where id = 'bannos-901001'), null, 'completing a stage clears the assignee'
);
select is(
    public.complete_filling('bannos-901001') #>> '{data,event,by_name}', 'Bea Baker',
    'a repeat is answered with who did it'
);
select is(
    public.complete_filling('bannos-901001') ->> 'already_done', 'true', 'a repeat is already done'
);
select is(
    public.complete_covering('#B901001') #>> '{data,stage}', 'Decorating', 'Covering leads to Decorating, by label'
);
select is(
    public.complete_decorating('bannos-901001') #>> '{data,stage}', 'Packing', 'Decorating leads to Packing'
);
select is(
    public.start_packing('bannos-901001') #>> '{data,stage}', 'Packing', 'starting to pack stays in Packing'
);
select is(
    public.start_packing('bannos-901001') ->> 'already_done', 'true', 'packing starts once'
);
select is(
    public.complete_packing('bannos-901001') #>> '{data,stage}', 'Complete', 'Packing leads to Complete'
);
select is(
    public.complete_packing('bannos-901001') ->> 'already_done', 'true', 'Complete is already done'
);
select is(
    public.complete_filling('bannos-901001') ->> 'already_done', 'true', 'so is every stage before it'
);
select is(
    public.start_packing('bannos-901001') ->> 'already_done', 'true', 'and the start of packing'
);
select is(
    public.complete_packing('bannos-901001') #> '{data,next_action}', 'null'::jsonb, 'nothing is left to do'
);

-- The trail explains the row
select results_eq(
    $$
        select action, stage_from::text, stage_to::text, source, performed_by::text
        from public.stage_events where order_id = 'bannos-901001' order by id
    $$,
    $$
        values
            ('refused', 'Filling', 'Filling', 'app', '00000000-0000-4000-8000-000000000001'),
            ('refused', 'Filling', 'Filling', 'app', '00000000-0000-4000-8000-000000000001'),
            ('handle_print_barcode', 'Filling', 'Filling', 'app', '00000000-0000-4000-8000-000000000001'),
            ('complete_filling', 'Filling', 'Covering', 'app', '00000000-0000-4000-8000-000000000001'),
            ('complete_covering', 'Covering', 'Decorating', 'app', '00000000-0000-4000-8000-000000000001'),
            ('complete_decorating', 'Decorating', 'Packing', 'app', '00000000-0000-4000-8000-000000000001'),
            ('start_packing', 'Packing', 'Packing', 'app', '00000000-0000-4000-8000-000000000001'),
            ('complete_packing', 'Packing', 'Complete', 'app', '00000000-0000-4000-8000-000000000001')
    $$,
    'one event for each change and each refusal, none for a repeat'
);
select is(
    (select meta ->> 'code' from public.stage_events where order_id = 'bannos-901001' order by id limit 1),
    'INVALID_STAGE', 'the event of a refusal carries its code'
);
select is(
    (select meta #>> '{ctx,printer}' from public.stage_events
        where order_id = 'bannos-901001' and action = 'handle_print_barcode'),
    'P1', 'the event of a print carries its context'
);

-- Cancelled, not yet arrived, and bad input
select is(answer.envelope ->> 'code', 'CONFLICT', 'a cancelled order refuses ' || answer.action)
from (
    values
        ('handle_print_barcode', public.handle_print_barcode('bannos-901002')),
        ('complete_filling', public.complete_filling('bannos-901002')),
        ('complete_covering', public.complete_covering('bannos-901002')),
        ('complete_decorating', public.complete_decorating('bannos-901002')),
        ('start_packing', public.start_packing('bannos-901002')),
        ('complete_packing', public.complete_packing('bannos-901002')),
        ('set_storage', public.set_storage('bannos-901002', 'Shelf 1')),
        ('scan', public.scan('bannos-901002'))
) as answer (action, envelope);
select is(
    (select count(*) from public.stage_events where order_id = 'bannos-901002' and action = 'refused'), 8::bigint,
    'each refusal of a cancelled order is logged'
);
select is(public.scan('bannos-901003') ->> 'code', 'CONFLICT', 'a placeholder is not in the kitchen yet');
select is(
    public.handle_print_barcode('bannos-901001', null, '[1]') ->> 'code', 'BAD_INPUT', 'a context is an object'
);
select is(
    public.handle_print_barcode('bannos-901001', null, jsonb_build_object('x', repeat('x', 3000))) ->> 'code',
    'BAD_INPUT', 'a context is small'
);

-- Other stores and other people
select is(
    public.complete_filling('flourlane-901004'), public.complete_filling('flourlane-999999'),
    'the order of another store answers exactly as an unknown one'
);
select is(
    public.complete_filling('flourlane-901004', '00000000-0000-4000-8000-000000000004') ->> 'code', 'NOT_FOUND',
    'a user cannot speak for another'
);

set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000005"}';
select is(
    public.complete_filling('bannos-901001') ->> 'code', 'PERMISSION_DENIED', 'an inactive member of staff does nothing'
);
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000006"}';
select is(
    public.complete_filling('bannos-901001') ->> 'code', 'PERMISSION_DENIED', 'a user without a staff row does nothing'
);
select is(
    public.complete_filling('bannos-999999') ->> 'code', 'PERMISSION_DENIED', 'and learns nothing about orders'
);

-- The service role speaks for itself or for somebody
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(
    public.complete_filling('flourlane-901004', '00000000-0000-4000-8000-000000000001') ->> 'code', 'NOT_FOUND',
    'the service role speaking for somebody may do what that person may'
);
select is(
    public.complete_filling('flourlane-901004', '00000000-0000-4000-8000-000000000004') #>> '{data,event,by_name}',
    'Flo Flour', 'and the trail names the person'
);
select is(
    public.complete_covering('flourlane-901004') ->> 'ok', 'true', 'the service role itself works for every store'
);
select is(
    (select source from public.stage_events where order_id = 'flourlane-901004' order by id desc limit 1), 'edge',
    'and is recorded as the edge'
);

-- A store may switch its kitchen off
reset role;
update public.stores set kitchen_enabled = false where key = 'flourlane';
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000004"}';
select is(
    public.complete_decorating('flourlane-901004') ->> 'code', 'CONFLICT', 'a kitchen that is off moves nothing'
);

select * from finish();
rollback;
