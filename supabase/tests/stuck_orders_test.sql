-- What stands still: orders in one stage for a day or two, work that nobody does, events that nobody applies.
begin;
select plan(27);

update public.orders set cancelled_at = now() where stage <> 'Complete';
update public.work_queue set status = 'done', finished_at = now(), created_at = now() - interval '1 hour', dedupe_key = 'old ' || id;
update public.event_store set processed_at = now() where processed_at is null;
update public.stores set alert_email = 'kitchen@example.com' where key = 'bannos';
update public.stores set kitchen_enabled = false where key not in ('bannos', 'flourlane');

create function pg_temp.order(p_number integer, p_stage public.order_stage, p_hours numeric, p_due integer default null)
returns void
language sql
as $$
    insert into public.order_index (shopify_order_gid, store, order_id)
    values ('gid://shopify/Order/77' || p_number, 'bannos', 'bannos-' || p_number);
    insert into public.orders (store, id, shopify_order_gid, shopify_order_number, stage, created_at, due_date, filling_start_ts)
    select
        'bannos', 'bannos-' || p_number, 'gid://shopify/Order/77' || p_number, p_number, p_stage, now() - interval '30 days',
        (now() at time zone s.timezone)::date + p_due,
        case when p_stage <> 'Filling' then now() - interval '29 days' when p_due is null then now() - make_interval(mins => (p_hours * 60)::integer) end
    from public.stores s where s.key = 'bannos';
    insert into public.stage_events (store, order_id, stage_from, stage_to, action, source, at)
    select 'bannos', 'bannos-' || p_number, 'Filling', p_stage, 'complete_filling', 'kiosk', now() - make_interval(mins => (p_hours * 60)::integer)
    where p_stage <> 'Filling';
$$;
create function pg_temp.marks(p_number integer)
returns text[]
language sql
as $$
    select coalesce(array_agg(e.action || ' ' || (e.meta ->> 'stage') order by e.id), '{}') from public.stage_events e
    where e.order_id = 'bannos-' || p_number and e.action in ('stuck', 'escalated');
$$;
create function pg_temp.told(p_topic text, p_kind text)
returns jsonb
language sql
as $$
    select jsonb_agg(w.payload - 'kind' - 'to' order by w.id) from public.work_queue w
    where w.topic = p_topic and w.payload ->> 'kind' = p_kind and w.dedupe_key !~ '^old';
$$;
create function pg_temp.later()
returns void
language sql
as $$ update public.work_queue set status = 'done', finished_at = now(), created_at = now() - interval '1 hour', dedupe_key = 'old ' || id; $$;

select pg_temp.order(7901, 'Covering', 23.9);
select pg_temp.order(7902, 'Covering', 24.1);
select pg_temp.order(7903, 'Decorating', 48.1);
select pg_temp.order(7904, 'Filling', 30);
select pg_temp.order(7905, 'Filling', 0, 20);
select pg_temp.order(7906, 'Filling', 0, 0);
select pg_temp.order(7907, 'Complete', 100);
select is(public.check_orders() -> 'data', '{"stuck": 2, "escalated": 2, "alerts": 2}', 'two stand still for a day, two for two');
select is(pg_temp.marks(7901), '{}', 'not quite a day is none');
select is(pg_temp.marks(7902), array['stuck Covering'], 'a day in a stage is stuck');
select is(pg_temp.marks(7903), array['escalated Decorating'], 'two days are escalated at once');
select is(pg_temp.marks(7904), array['stuck Filling'], 'Filling counts from the printing of the label');
select is(pg_temp.marks(7905), '{}', 'what nobody has begun waits for its day');
select is(pg_temp.marks(7906), array['escalated Filling'], 'and on its day it is late');
select is(pg_temp.marks(7907), '{}', 'what is complete stands nowhere');
select is((pg_temp.told('slack_alert', 'orders_stuck') #>> '{0,orders}'), '2', 'one message tells of both that are stuck');
select is(jsonb_array_length(pg_temp.told('slack_alert', 'orders_escalated')), 1, 'another of those that are escalated');
select is(jsonb_array_length(pg_temp.told('email', 'orders_escalated')), 1, 'which go out by e-mail as well');
select is(pg_temp.told('email', 'orders_stuck'), null, 'the others do not');

select pg_temp.later();
select is(public.check_orders() -> 'data', '{"stuck": 0, "escalated": 0, "alerts": 0}', 'each is told once');
insert into public.stage_events (store, order_id, stage_from, stage_to, action, source, at)
values ('bannos', 'bannos-7903', 'Decorating', 'Packing', 'complete_decorating', 'kiosk', now() - interval '25 hours');
update public.orders set stage = 'Packing' where id = 'bannos-7903';
select is(public.check_orders() -> 'data', '{"stuck": 1, "escalated": 0, "alerts": 1}', 'once in each stage');
update public.orders set filling_start_ts = now() - interval '49 hours' where id = 'bannos-7904';
select is(public.check_orders() #> '{data,escalated}', '1', 'what was stuck is escalated in its turn');
select is(pg_temp.marks(7904), array['stuck Filling', 'escalated Filling'], 'both are in its history');

-- Work and events
select pg_temp.later();
insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at) values
    ('refund', 'bannos', '{}', 'tap 1', now() - interval '20 minutes'),
    ('refund', 'bannos', '{}', 'tap 2', now() - interval '10 minutes'),
    ('tap_unknown', 'bannos', '{}', 'tap 3', now() - interval '20 minutes'),
    ('email', 'flourlane', '{}', 'tap 4', now() - interval '20 minutes');
update public.queue_topics set paused = true where topic = 'email';
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload, received_at) values
    ('shopify', 'orders/updated', 'bannos', 'gid://shopify/Order/7901', 'tap 1', 'tap1', '{}', now() - interval '2 hours'),
    ('shopify', 'orders/updated', 'bannos', 'gid://shopify/Order/7902', 'tap 2', 'tap2', '{}', now()),
    ('shopify', 'orders/updated', 'bannos', 'gid://shopify/Order/7903', 'tap 3', 'tap3', '{}', now() - interval '2 hours');
insert into public.work_queue (topic, store, payload, dedupe_key, status, error_class, finished_at) values
    ('order_ingest_retry', 'bannos', '{}', 'gid://shopify/Order/7903', 'dead', 'permanent', now());
select is(public.check_queue(), '{"ok": true, "data": {"overdue": 1, "orphans": 1}, "already_done": true}', 'one item is overdue, one event forgotten');
select is(
    pg_temp.told('slack_alert', 'worker_stuck') #> '{0,topics}', '["refund"]', 'people hear what nobody does'
);
select is(jsonb_array_length(pg_temp.told('slack_alert', 'worker_stuck')), 1, 'what is paused or unknown is not counted');
select is(
    (select array_agg((w.dedupe_key, w.status)::text order by w.dedupe_key) from public.work_queue w where w.topic = 'order_ingest_retry' and w.dedupe_key !~ '^old'),
    array['(gid://shopify/Order/7901,pending)', '(gid://shopify/Order/7903,dead)'],
    'the event is tried again; what was given up stays for a person'
);
select is(public.check_queue() #> '{data,orphans}', '0', 'once');
insert into public.circuit_breakers (store, upstream, throttled_until) values ('bannos', 'shopify', now() + interval '1 hour');
select is(public.check_queue() #> '{data,overdue}', '0', 'what waits because Shopify asks for patience is not stuck');
update public.circuit_breakers set throttled_until = now() - interval '14 minutes';
select is(public.check_queue() #> '{data,overdue}', '0', 'nor shortly after');
update public.circuit_breakers set throttled_until = now() - interval '16 minutes';
select is(public.check_queue() #> '{data,overdue}', '1', 'but when nobody has taken it since');

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select throws_ok('select public.check_orders()', '42501', null, 'not even an Admin checks orders');
select throws_ok('select public.check_queue()', '42501', null, 'nor the queue');
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(public.check_orders() -> 'ok', 'true', 'the service role does');

select * from finish();
rollback;
