-- The queue: claimed once, leased, fenced, retried with patience, dead with a letter.
begin;
select plan(64);

-- Whatever a shared database holds is out of the way of these tests.
update public.work_queue set next_retry_at = 'infinity' where status in ('pending', 'error');
insert into public.queue_topics (topic, max_attempts, base_ms, lease_seconds) values
    ('t_one', 3, 5000, 60), ('t_two', 3, 5000, 60);
insert into public.queue_topics (topic, paused) values ('t_paused', true);

-- Enqueueing
select is(
    private.enqueue_work('t_one', 'bannos', '{"n": 1}', 'q1'), private.enqueue_work('t_one', 'bannos', '{"n": 2}', 'q1'),
    'the same key again finds the row'
);
select is(
    (select (w.payload, w.status, w.priority, w.max_retries)::text from public.work_queue w where w.dedupe_key = 'q1'),
    '("{""n"": 1}",pending,5,3)', 'as it was first'
);
select isnt(
    private.enqueue_work('t_two', 'bannos', '{}', 'q1'), private.enqueue_work('t_one', 'bannos', '{}', 'q1'),
    'a key is of its topic'
);
select lives_ok($$select private.enqueue_work('t_nobody', 'bannos', '{}', 'q1')$$, 'an unknown topic is not dropped');
select is(
    private.enqueue_works(
        't_many', '{bannos,flourlane,bannos,bannos}', array['{"n": 3}', '{"n": 2}', '{"n": 4}', '{"n": 5}']::jsonb[],
        '{m3,m2,m3,m1}', 7, 'infinity'
    ),
    3, 'several are added at once, a key that comes twice once'
);
select is(
    private.enqueue_works('t_many', '{flourlane,bannos}', array['{"n": 6}', '{"n": 7}']::jsonb[], '{m2,m4}', 7, 'infinity'),
    1, 'and what is there already is not added again'
);
select is(
    (select string_agg(concat_ws(' ', w.dedupe_key, w.store, w.payload, w.priority, w.next_retry_at), ', ' order by w.id)
     from public.work_queue w where w.topic = 't_many'),
    'm1 bannos {"n": 5} 7 infinity, m2 flourlane {"n": 2} 7 infinity, m3 bannos {"n": 3} 7 infinity, m4 bannos {"n": 7} 7 infinity',
    'nor changed; all in the order of their keys'
);
select is(private.enqueue_works('t_many', null, null, null), 0, 'nothing adds nothing');
select private.enqueue_work('t_one', 'bannos', '{}', 'q2', 9);
select private.enqueue_work('t_one', 'flourlane', '{}', 'q3', 0);
select private.enqueue_work('t_paused', 'bannos', '{}', 'q4', 0);
select private.enqueue_work('t_one', 'bannos', '{}', 'q5', 0);
update public.work_queue set next_retry_at = now() + interval '1 minute' where dedupe_key = 'q5';
select private.enqueue_work('t_one', 'bannos', '{}', 'q6', 5);
update public.work_queue set next_retry_at = now() - interval '1 minute' where dedupe_key = 'q6';
select private.enqueue_work('inventory_push', 'bannos', '{"sku": "Q-SKU"}', 'q7', 0);
select private.enqueue_work('inventory_push', 'bannos', '{"sku": "Q-NONE"}', 'q8', 0);
insert into public.inventory_items (store, sku, opening_ats, ats, shopify_inventory_item_gid, shopify_location_gid)
values ('bannos', 'Q-SKU', 4, 4, 'gid://shopify/InventoryItem/q', 'gid://shopify/Location/q');
-- The batch of the last claim.
create temporary table batch (id bigint, dedupe_key text, fence bigint, item jsonb, turn bigint);
create function pg_temp.claim(p_worker text, p_topics text[], p_limit integer)
returns text
language plpgsql
as $$
begin
    truncate batch;
    insert into batch
    select (i.item ->> 'id')::bigint, i.item ->> 'dedupe_key', (i.item ->> 'fence')::bigint, i.item, i.turn
    from jsonb_array_elements(public.claim_work(p_worker, p_topics, p_limit) #> '{data,items}')
        with ordinality as i (item, turn);
    return (select string_agg(b.dedupe_key, ' ' order by b.turn) from batch b);
end;
$$;
create function pg_temp.report(p_worker text, p_key text, p_change jsonb default '{}')
returns jsonb
language sql
as $$
    select public.report_work(p_worker, jsonb_build_array(
        jsonb_build_object('id', b.id, 'fence', b.fence, 'outcome', 'done') || p_change
    )) -> 'data'
    from batch b where b.dedupe_key = p_key;
$$;
create function pg_temp.expire(p_key text)
returns void
language sql
security definer
as $$ update public.work_queue set lease_until = now() - interval '1 second' where dedupe_key = p_key and topic = 't_one' $$;
create function pg_temp.make_due(p_key text)
returns void
language sql
security definer
as $$ update public.work_queue set next_retry_at = now() where dedupe_key = p_key and topic = 't_one' $$;
create function pg_temp.row(p_key text)
returns public.work_queue
language sql
as $$ select w from public.work_queue w where w.dedupe_key = p_key and w.topic = 't_one' $$;
grant execute on all functions in schema pg_temp to service_role;
grant all on batch to service_role;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- Claiming
select is(pg_temp.claim('w1', '{t_one,t_paused}', 2), 'q3 q6', 'by priority, then by how long it has been due');
select is(
    (select (b.item - '{id,lease_until}'::text[]) from batch b where b.dedupe_key = 'q3'),
    '{"topic": "t_one", "store": "flourlane", "shop_domain": "flourlane.myshopify.com", "payload": {}, "dedupe_key": "q3",
      "fence": 1, "attempt": 1, "context": null}',
    'an item carries what its worker needs'
);
select is(
    (select (r.status, r.locked_by, r.lease_until = r.locked_at + interval '60 s', r.fence)::text from pg_temp.row('q3') r),
    '(processing,w1,t,1)', 'the row is leased'
);
select is(pg_temp.claim('w2', '{t_one,t_paused}', 100), 'q1 q2', 'a second worker gets the rest, not what is paused or not due');
select is(pg_temp.claim('w2', '{t_one,t_paused}', 100), null, 'and then nothing');
select is(pg_temp.claim('w2', '{t_two}', 0), null, 'a limit of nothing claims nothing');
select is(public.claim_work('', '{t_two}', 5) ->> 'code', 'BAD_INPUT', 'a worker has a name');
select is(public.claim_work('w', null, 5) #> '{data,items}', '[]', 'without topics there is nothing to claim');
select is(pg_temp.claim('w1', '{inventory_push}', 2), 'q7 q8', 'stock to be pushed is claimed');
select is(
    (select array_agg(b.item -> 'context' order by b.turn) from batch b),
    array[
        '{"sku": "Q-SKU", "ats": 4, "inventory_item_gid": "gid://shopify/InventoryItem/q", "location_gid": "gid://shopify/Location/q",
          "change_from": null}',
        'null'
    ]::jsonb[],
    'with the stock of this moment, and nothing for an unknown SKU'
);

-- Reporting
select is(pg_temp.report('w1', 'q7'), '{"done": 1, "retried": 0, "dead": 0, "ignored": 0}', 'a success is taken');
select is(pg_temp.report('w1', 'q7'), '{"done": 0, "retried": 0, "dead": 0, "ignored": 1}', 'once');
select is(pg_temp.report('w2', 'q8'), '{"done": 0, "retried": 0, "dead": 0, "ignored": 1}', 'another worker''s is not');
select is(
    pg_temp.report('w1', 'q8', '{"fence": 0}'), '{"done": 0, "retried": 0, "dead": 0, "ignored": 1}', 'an old fence is not'
);
select is(public.report_work('w1', '{}') ->> 'code', 'BAD_INPUT', 'results are a list');
select is(
    public.report_work('w1', '[{"id": -5, "fence": 1, "outcome": "done"}]') -> 'data',
    '{"done": 0, "retried": 0, "dead": 0, "ignored": 1}', 'an unknown item is ignored'
);

-- The lease runs out
select pg_temp.expire('q3');
select pg_temp.expire('q6');
select is(pg_temp.claim('w3', '{t_one}', 1), 'q3', 'what a lost worker held comes back');
select is(
    (select (r.fence, r.retry_count, r.locked_by, b.item ->> 'attempt')::text from pg_temp.row('q3') r, batch b),
    '(2,1,w3,2)', 'under a higher fence, as another attempt'
);
select is(
    public.report_work('w1', jsonb_build_array(jsonb_build_object('id', (pg_temp.row('q3')).id, 'fence', 1, 'outcome', 'done')))
        #>> '{data,ignored}',
    '1', 'the late report of the lost worker changes nothing'
);
select is((pg_temp.row('q3')).status::text, 'processing', 'indeed');
select is(pg_temp.report('w3', 'q3') ->> 'done', '1', 'the report of the new one counts');
select pg_temp.claim('w3', '{t_one}', 1);
select pg_temp.expire('q6');
select is(pg_temp.report('w3', 'q6') ->> 'done', '1', 'who is late but still the last to hold it may report');
select pg_temp.expire('q1');
select is(pg_temp.claim('w3', '{t_one}', 1), 'q1', 'the second attempt of another');
select pg_temp.expire('q1');
select is(pg_temp.claim('w3', '{t_one}', 1), 'q1', 'the third');
select pg_temp.expire('q1');
select is(
    public.claim_work('w3', '{t_one}', 1) -> 'data', '{"items": [], "given_up": ["t_one"]}',
    'what loses every worker is not given out for ever, and who claims hears of it'
);
select is(public.claim_work('w3', '{t_one}', 1) -> 'data', '{"items": []}', 'once');
select is(
    (select (r.status, r.retry_count, r.finished_at is not null)::text from pg_temp.row('q1') r), '(dead,3,t)', 'it is dead'
);
select is(
    (select (d.source, d.topic, d.store, d.body)::text from public.dead_letters d where d.work_id = (pg_temp.row('q1')).id),
    '(work_queue,t_one,bannos,"{""n"": 1}")', 'and kept as a dead letter'
);

-- Failures
select pg_temp.expire('q2');
select pg_temp.claim('w4', '{t_one}', 1);
select is(
    pg_temp.report('w4', 'q2', '{"outcome": "failed", "error_class": "transient", "error": "upstream said 502"}'),
    '{"done": 0, "retried": 1, "dead": 0, "ignored": 0}', 'a failure is tried again'
);
select is(
    (select (r.status, r.retry_count, r.error_class, r.last_error,
        r.next_retry_at between now() + interval '8 s' and now() + interval '12 s')::text from pg_temp.row('q2') r),
    '(error,2,transient,"upstream said 502",t)', 'later, the second time after twice the base, spread by a fifth'
);
select is(pg_temp.claim('w4', '{t_one}', 1), null, 'not before');
select pg_temp.make_due('q2');
select is(pg_temp.claim('w4', '{t_one}', 1), 'q2', 'but then');
select is(
    pg_temp.report('w4', 'q2', '{"outcome": "failed", "error": "again"}') ->> 'dead', '1', 'the last attempt is the last'
);
reset role;
select private.enqueue_work('t_one', 'bannos', '{}', 'q9'), private.enqueue_work('t_one', 'bannos', '{}', 'q10');
set local role service_role;
select is(pg_temp.claim('w4', '{t_one}', 5), 'q9 q10', 'two more');
select is(
    pg_temp.report('w4', 'q9', '{"outcome": "failed", "error_class": "permanent", "error": "gone"}') ->> 'dead', '1',
    'a permanent failure is not tried again'
);
select is(
    pg_temp.report('w4', 'q10', '{"outcome": "failed", "retry_after_ms": 90000, "error_class": "nonsense"}') ->> 'retried',
    '1', 'an upstream may ask for patience'
);
select is((pg_temp.row('q10')).next_retry_at, now() + interval '90 s', 'and gets it');
reset role;
select is(private.backoff_ms('fixed', 5000, 7, 0.5), 5000::bigint, 'a fixed wait stays');
select is(private.backoff_ms('exponential', 5000, 1, 0), 4000::bigint, 'the first wait is the base, at least four fifths of it');
select is(private.backoff_ms('exponential', 5000, 4, 1), 48000::bigint, 'it doubles with each failure, at most a fifth more');
select is(private.backoff_ms('exponential', 5000, 1000, 1), 3600000::bigint, 'and is an hour at most');

-- People decide
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}';
select is(public.retry_work('{1}') ->> 'code', 'PERMISSION_DENIED', 'staff may not retry');
select is(public.discard_work('{1}', 'x') ->> 'code', 'PERMISSION_DENIED', 'nor discard');
select throws_ok('select public.claim_work(''w'', ''{t_one}'', 1)', '42501', null, 'nor claim');
select throws_ok('select public.report_work(''w'', ''[]'')', '42501', null, 'nor report');
select throws_ok('select public.purge_work()', '42501', null, 'nor purge');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(
    public.retry_work(array[(select w.id from public.work_queue w where w.dedupe_key = 'q2')]) #>> '{data,retried,0}',
    (select w.id::text from public.work_queue w where w.dedupe_key = 'q2'), 'a supervisor sends a dead item round again'
);
select is(
    (select (w.status, w.retry_count, w.next_retry_at)::text from public.work_queue w where w.dedupe_key = 'q2'),
    format('(pending,0,"%s")', now()), 'with all its attempts'
);
select is(
    public.discard_work(array[(select w.id from public.work_queue w where w.dedupe_key = 'q9')], ' ') ->> 'code',
    'BAD_INPUT', 'discarding needs a reason'
);
select is(
    public.discard_work(array[(select w.id from public.work_queue w where w.dedupe_key = 'q9')], 'wrong shop') - 'data',
    '{"ok": true, "already_done": false}', 'with one it is done'
);
select is(
    (select array_agg(a.action || coalesce(' ' || a.reason, '') || ' ' || right(a.performed_by::text, 1) order by a.id)
     from public.work_audit a),
    '{"retry 2","discard wrong shop 2"}', 'both are audited'
);
reset role;
select set_config('tests.other', private.enqueue_work('t_one', 'flourlane', '{}', 'q11')::text, true);
set local role authenticated;
select is(
    (public.discard_work(array[current_setting('tests.other')::bigint], 'x') ->> 'code')
        || ' ' || (public.retry_work(array[current_setting('tests.other')::bigint]) ->> 'code'),
    'NOT_FOUND NOT_FOUND', 'work of another store looks as if there were none'
);
reset role;
select is((pg_temp.row('q11')).status::text, 'pending', 'and is not touched');

-- Housekeeping
update public.work_queue set finished_at = now() - interval '15 days'
where dedupe_key in ('q1', 'q3', 'q9') and finished_at is not null;
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(public.record_worker_run('w1', now(), 3, 1, 1, 1, '{"t_one": 3}') -> 'ok', 'true', 'a drain is recorded');
select is(public.purge_work() -> 'ok', 'true', 'old work is purged');
select is(
    (select array_agg(w.dedupe_key order by w.id) from public.work_queue w where w.topic = 't_one'),
    '{q1,q2,q5,q6,q10,q11}', 'what was done or discarded, not what is dead and undecided'
);

select * from finish();
rollback;
