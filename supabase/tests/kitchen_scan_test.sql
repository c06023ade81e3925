-- Automatic scans: the next right thing, once, whatever the scanner and the network do.
begin;
select plan(41);

insert into public.orders (store, id, shopify_order_gid, shopify_order_number, due_date) values
    ('bannos', 'bannos-902001', 'gid://shopify/Order/902001', '902001', current_date),
    ('bannos', 'bannos-902002', 'gid://shopify/Order/902002', '902002', current_date),
    ('bannos', 'bannos-902003', 'gid://shopify/Order/902003', '902003', current_date),
    ('bannos', 'bannos-902004', 'gid://shopify/Order/902004', '902004', current_date);

-- One transaction has one now(): to let time pass, the trail is moved into the past.
create function pg_temp.let_pass(p_time interval)
returns void
language plpgsql
as $$
begin
    alter table public.stage_events disable trigger stage_events_append_only;
    update public.stage_events set at = at - p_time where store = 'bannos';
    alter table public.stage_events enable trigger stage_events_append_only;
end;
$$;

-- From the label to Complete, one scan at a time ------------------------------------------------------------
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is(
    public.scan('bannos-902001') #>> '{data,event,action}', 'handle_print_barcode', 'the first scan prints'
);
select is(
    public.scan('bannos-902001') ->> 'already_done', 'true', 'a scan at once after another is a bounce'
);
select is(
    public.scan('#B902001') #>> '{data,event,by_name}', 'Bea Baker', 'a bounce is told who did what'
);
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    public.scan('bannos-902001') ->> 'already_done', 'true', 'it is a bounce also when somebody else scans'
);
select is(
    public.scan('bannos-902002') #>> '{data,event,action}', 'handle_print_barcode', 'another order has its own window'
);

reset role;
do $$ begin perform pg_temp.let_pass('1.9 seconds'); end $$;
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is(public.scan('bannos-902001') ->> 'already_done', 'true', 'after 1.9 s it is still a bounce');

reset role;
do $$ begin perform pg_temp.let_pass('0.2 seconds'); end $$;
set local role authenticated;
select is(
    public.scan('bannos-902001') #>> '{data,event,action}', 'complete_filling', 'after 2 s a scan completes Filling'
);
select is(
    public.scan('bannos-902001', 'complete_covering') #>> '{data,stage}', 'Decorating', 'a named action is never a bounce'
);
select is(
    public.scan('bannos-902001', 'complete_covering') ->> 'already_done', 'true', 'but it is checked'
);
select is(
    public.scan('bannos-902001', 'complete_packing') ->> 'code', 'INVALID_STAGE', 'and refused when it is not due'
);

reset role;
do $$ begin perform pg_temp.let_pass('3 seconds'); end $$;
set local role authenticated;
select is(
    public.scan('bannos-902001') #>> '{data,event,action}', 'complete_decorating', 'the next scan completes Decorating'
);
reset role;
do $$ begin perform pg_temp.let_pass('3 seconds'); end $$;
set local role authenticated;
select is(public.scan('bannos-902001') #>> '{data,event,action}', 'start_packing', 'in Packing the first scan starts');
reset role;
do $$ begin perform pg_temp.let_pass('3 seconds'); end $$;
set local role authenticated;
select is(public.scan('bannos-902001') #>> '{data,stage}', 'Complete', 'and the second completes');
reset role;
do $$ begin perform pg_temp.let_pass('3 seconds'); end $$;
set local role authenticated;
select is(public.scan('bannos-902001') ->> 'already_done', 'true', 'a complete order has nothing left');
select is(
    public.scan('bannos-902001') #>> '{data,event,action}', 'complete_packing', 'and says how it was completed'
);
select is(
    (select string_agg(action, ' ' order by id) from public.stage_events where order_id = 'bannos-902001'),
    'handle_print_barcode complete_filling complete_covering refused complete_decorating start_packing complete_packing',
    'the trail holds every change once'
);
select is(
    (select count(*) from public.stage_events where order_id = 'bannos-902001' and source <> 'kiosk'), 0::bigint,
    'a scan comes from the kiosk'
);

-- A scan id acts once -----------------------------------------------------------------------------------------
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000001') ->> 'already_done', 'false',
    'a scan with an id acts'
);
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000001') ->> 'already_done', 'true',
    'sent again it does not'
);
reset role;
do $$ begin perform pg_temp.let_pass('1 day'); end $$;
set local role authenticated;
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000001') ->> 'already_done', 'true',
    'nor a day later'
);
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000001') #>> '{data,event,action}',
    'handle_print_barcode', 'the replay says what the scan did'
);
select is((select stage from public.orders where id = 'bannos-902003'), 'Filling', 'the order advanced once');
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000002') #>> '{data,stage}', 'Covering',
    'another id is another scan'
);
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000003') ->> 'already_done', 'true',
    'a bounce with an id of its own is a bounce'
);
reset role;
do $$ begin perform pg_temp.let_pass('1 day'); end $$;
set local role authenticated;
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000003') ->> 'already_done', 'true',
    'a bounce replayed after an outage is still that bounce'
);
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000003') #>> '{data,event,action}',
    'complete_filling', 'and is told what had happened'
);
select is((select stage from public.orders where id = 'bannos-902003'), 'Covering', 'so the order did not advance');
select is(
    public.scan('bannos-902004', 'auto', null, '5ca00000-0000-4000-8000-000000000001') ->> 'code', 'CONFLICT',
    'an id that another order has spent is refused'
);
select is(
    (select filling_start_ts from public.orders where id = 'bannos-902004'), null, 'and changes nothing'
);
select is(
    (select array_agg(array[e.action, e.meta ->> 'code', e.scan_id::text]) from public.stage_events e
        where e.order_id = 'bannos-902004'),
    array[array['refused', 'CONFLICT', null]], 'but is told in the history, without the id'
);

-- A refusal spends its id too: a replay gets the same refusal, not a later action
select is(
    public.scan('bannos-902004', 'complete_covering', null, '5ca00000-0000-4000-8000-000000000009') ->> 'code',
    'INVALID_STAGE', 'a refused scan'
);
select is(public.complete_filling('bannos-902004') #>> '{data,stage}', 'Covering', 'the order moves on');
select is(
    public.scan('bannos-902004', 'complete_covering', null, '5ca00000-0000-4000-8000-000000000009') ->> 'code',
    'INVALID_STAGE', 'is refused again when it is replayed'
);
select is(
    (select stage from public.orders where id = 'bannos-902004'), 'Covering', 'and does nothing to the order'
);

-- An order that was cancelled after a scan: the replay still tells the truth
reset role;
update public.orders set cancelled_at = now() where id = 'bannos-902003';
set local role authenticated;
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-000000000002') ->> 'already_done', 'true',
    'a replay for a cancelled order is already done'
);
select is(
    public.scan('bannos-902003', 'auto', null, '5ca00000-0000-4000-8000-00000000000a') ->> 'code', 'CONFLICT',
    'a new scan of it is refused'
);

-- Only automatic scans make others a bounce
select is(
    public.scan('bannos-902004', 'complete_covering') ->> 'ok', 'true', 'a named action a moment before'
);
select is(
    public.scan('bannos-902004') #>> '{data,event,action}', 'handle_print_barcode',
    'does not make an automatic scan a bounce'
);

-- Actions that a scan may not name
select is(public.scan('bannos-902002', 'fly') ->> 'code', 'BAD_INPUT', 'an unknown action is refused');
select is(
    public.scan('bannos-902002', 'qc_return_to_decorating') ->> 'code', 'BAD_INPUT', 'a return needs its reason, not a scan'
);
select alike(
    public.scan('bannos-902002', 'fly') ->> 'message', '%auto%complete_filling%start_packing%',
    'the refusal names the actions'
);

select * from finish();
rollback;
