-- Circuit breakers and calls for patience: a dead system is left alone, a busy one waited for, and neither costs others.
begin;
select plan(62);

-- Whatever a shared database holds is out of the way of these tests.
update public.work_queue set next_retry_at = 'infinity' where status in ('pending', 'error');
delete from public.circuit_breakers;
insert into public.queue_topics (topic, upstream) values ('g_tap', 'tap'), ('g_tap_too', 'tap'), ('g_slack', 'slack');

create function pg_temp.make(p_topic text, p_store text, p_keys text, p_priority integer default 5, p_seconds integer default 60)
returns void
language sql
security definer
as $$
    insert into public.work_queue (topic, store, dedupe_key, priority, next_retry_at, max_retries)
    select p_topic, p_store, k.key, p_priority, now() - make_interval(secs => p_seconds), 3
    from regexp_split_to_table(p_keys, ' ') with ordinality as k (key, n)
    order by k.n;
$$;
create temporary table batch (id bigint, dedupe_key text, fence bigint, worker text);
-- Keys of what is claimed, and how long to wait when something is held back.
create function pg_temp.claim(p_topics text[], p_limit integer default 100, p_worker text default 'w')
returns text
language plpgsql
as $$
declare
    v_data jsonb := public.claim_work(p_worker, p_topics, p_limit) -> 'data';
begin
    delete from batch b where b.id in (select (i ->> 'id')::bigint from jsonb_array_elements(v_data -> 'items') i);
    insert into batch
    select (i ->> 'id')::bigint, i ->> 'dedupe_key', (i ->> 'fence')::bigint, p_worker
    from jsonb_array_elements(v_data -> 'items') i;
    perform set_config('tests.wait', coalesce(v_data ->> 'retry_in_ms', 'none'), true);
    return (
        select string_agg(i ->> 'dedupe_key', ' ' order by i ->> 'dedupe_key')
        from jsonb_array_elements(v_data -> 'items') i
    );
end;
$$;
create function pg_temp.wait_between(p_from integer, p_to integer)
returns boolean
language sql
as $$ select current_setting('tests.wait')::integer between p_from and p_to $$;
-- One result for each key, of one call for all when there is a job.
create function pg_temp.report(p_keys text, p_change jsonb default '{"outcome": "done"}')
returns jsonb
language sql
as $$
    select public.report_work(min(b.worker), jsonb_agg(
        jsonb_build_object('id', b.id, 'fence', b.fence) || p_change order by b.dedupe_key
    )) -> 'data'
    from batch b where b.dedupe_key = any (string_to_array(p_keys, ' '));
$$;
create function pg_temp.fail(p_keys text, p_change jsonb default '{}')
returns jsonb
language sql
as $$ select pg_temp.report(p_keys, '{"outcome": "failed", "error": "no answer in time"}' || p_change) $$;
create function pg_temp.run(p_sql text)
returns void
language plpgsql
security definer
as $$ begin execute p_sql; end $$;
-- Seconds in fives: a slow machine is up to five seconds late.
create function pg_temp.breaker(p_store text default 'bannos')
returns text
language sql
as $$
    select concat_ws(' ', b.state, b.open_ms, 5 * ceil(extract(epoch from b.retry_at - clock_timestamp()) / 5))
    from public.circuit_breakers b where b.store = p_store and b.upstream = 'tap';
$$;
create function pg_temp.row(p_key text)
returns public.work_queue
language sql
as $$ select w from public.work_queue w where w.dedupe_key = p_key and w.topic like 'g\_%' $$;
create function pg_temp.told()
returns jsonb
language sql
security definer
as $$
    select jsonb_agg(w.payload) from public.work_queue w
    where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'misconfigured'
$$;
grant execute on all functions in schema pg_temp to service_role;
grant all on batch to service_role;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- It opens
select pg_temp.make('g_tap', 'bannos', 'x1 x2 x3 x4 x5 x6 x7 x8 x9', 5, 120), pg_temp.make('g_tap', 'flourlane', 'y1 y2'),
    pg_temp.make('g_tap_too', 'bannos', 'z1 z2', 5, 30);
select is(pg_temp.claim('{g_tap}', 7), 'x1 x2 x3 x4 x5 y1 y2', 'a closed breaker lets work through');
select is(pg_temp.fail('x1 x2 x3 x4', '{"job": 1}') ->> 'retried', '4', 'four items fail in one call');
select pg_temp.fail('x5', '{"error_class": "permanent"}');
select is(pg_temp.breaker(), 'closed 30000', 'which is one failure, and what is refused for its own sake is none');
select pg_temp.run($$update public.circuit_breakers set recent = '1011' where upstream = 'tap'$$);
select pg_temp.claim('{g_tap}', 2);
select pg_temp.fail('x6');
select is(pg_temp.breaker(), 'closed 30000', 'three in a row do not open it');
select pg_temp.claim('{g_tap}', 1);
select pg_temp.run($$update public.circuit_breakers set recent = '1111' where upstream = 'tap'$$);
select pg_temp.fail('x7');
select is(pg_temp.breaker(), 'open 30000 30', 'five do, for half a minute');
reset role;
select is(
    (select array_agg(w.store || ' ' || (w.payload ->> 'upstream') || ' ' || (w.payload ->> 'error')) from public.work_queue w
     where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'circuit_open' and w.created_at = now()),
    '{bannos tap no answer in time}', 'people are told'
);
set local role service_role;
select is(pg_temp.claim('{g_tap,g_tap_too}'), null, 'while it is open nothing of the store leaves for that system');
select ok(pg_temp.wait_between(25000, 30000), 'the claim says for how long');
select pg_temp.report('x8');
select is(pg_temp.breaker(), 'open 30000 30', 'a call that was on its way before decides nothing');
select is(pg_temp.report('y1 y2') ->> 'done', '2', 'another store is not affected');
select is(
    (select string_agg(distinct w.retry_count || ' ' || w.status, ', ') from public.work_queue w where w.dedupe_key in ('z1', 'z2', 'x9')),
    '0 pending', 'what waits burns no attempts'
);

-- One tries again
select pg_temp.run($$update public.circuit_breakers set retry_at = clock_timestamp() where upstream = 'tap'$$);
select pg_temp.run($$update public.work_queue set next_retry_at = now() - interval '1 min' + make_interval(secs => right(dedupe_key, 1)::integer)
    where dedupe_key in ('x1', 'x2')$$);
select is(pg_temp.claim('{g_tap,g_tap_too}'), 'x9', 'after it one item may try, of all topics');
select is(pg_temp.claim('{g_tap,g_tap_too}', 100, 'w2'), null, 'nobody else');
select is(pg_temp.breaker(), 'half_open 30000 60', 'until its lease runs out');
select pg_temp.fail('x9');
select is(pg_temp.breaker(), 'open 60000 60', 'when it fails too, it takes twice as long');
select is(
    (select (r.status, r.retry_count, r.next_retry_at > now())::text from pg_temp.row('x9') r), '(error,0,t)',
    'the item that tried burns no attempt either, and the next time another tries'
);
select pg_temp.run($$update public.circuit_breakers set retry_at = clock_timestamp(), open_ms = 400000 where upstream = 'tap'$$);
select is(pg_temp.claim('{g_tap,g_tap_too}'), 'x1', 'namely this one');
select pg_temp.fail('x1');
select is(pg_temp.breaker(), 'open 600000 600', 'ten minutes is the longest');
select pg_temp.run($$update public.circuit_breakers set retry_at = clock_timestamp() where upstream = 'tap'$$);
select is(pg_temp.claim('{g_tap,g_tap_too}'), 'x2', 'another tries');
select pg_temp.run($$update public.circuit_breakers set retry_at = clock_timestamp() - interval '1 ms' where upstream = 'tap'$$);
select pg_temp.run($$update public.work_queue set lease_until = now() - interval '1 s' where dedupe_key = 'x2'$$);
select is(pg_temp.claim('{g_tap_too,g_tap}'), 'x2', 'when its worker died, one tries in its place');
select pg_temp.report('x2');
select is(pg_temp.breaker(), 'closed 30000', 'one that succeeds closes it');
select is(pg_temp.claim('{g_tap,g_tap_too}'), 'z1 z2', 'and all that is due leaves');
select pg_temp.report('z1 z2');

-- What the item that tries may say besides
select pg_temp.run($$update public.work_queue set next_retry_at = now() - make_interval(hours => 9 - right(dedupe_key, 1)::integer)
    where dedupe_key in ('x1', 'x3')$$);
select pg_temp.run($$update public.circuit_breakers set state = 'open', retry_at = clock_timestamp(), open_ms = 120000 where upstream = 'tap'$$);
select is(pg_temp.claim('{g_tap}'), 'x1', 'it tries');
select pg_temp.fail('x1', '{"error_class": "permanent", "error": "422"}');
select is((pg_temp.row('x1')).status || ' ' || pg_temp.breaker(), 'dead open 120000 0', 'refused for its own sake it is dead and says nothing');
select is(pg_temp.claim('{g_tap}'), 'x3', 'another tries at once');
select pg_temp.report('x3', '{"outcome": "released"}');
select is(
    (pg_temp.row('x3')).status || ' ' || (pg_temp.row('x3')).retry_count || ' ' || pg_temp.breaker(), 'error 1 open 120000 0',
    'nor does one that was never sent'
);
select pg_temp.run($$update public.work_queue set created_at = now() - interval '25 hours' where dedupe_key = 'x3'$$);
select is(pg_temp.claim('{g_tap}'), 'x3', 'it is due as before');
select pg_temp.fail('x3');
select is((pg_temp.row('x3')).retry_count || ' ' || pg_temp.breaker(), '2 open 240000 240', 'an item older than a day burns attempts: nothing goes round for ever');

-- Over half of the last twenty
select pg_temp.make('g_tap', 'bannos', 'h1 h2 h3', 0);
select is(pg_temp.claim('{g_tap}', 3), null, 'it is open again');
select pg_temp.run($$update public.circuit_breakers set
    state = 'closed', retry_at = null, probe_id = null, recent = '01111010111101001011' where upstream = 'tap'$$);
select is(pg_temp.claim('{g_tap}', 3), 'h1 h2 h3', 'thirteen of the last twenty failed, and somebody closed it by hand');
select pg_temp.report('h1 h2');
select is(pg_temp.breaker(), 'open 30000 30', 'over half of the last twenty opens it, however they lie');
select pg_temp.run($$update public.circuit_breakers set state = 'closed', retry_at = null, probe_id = null, recent = '00010101010101010101' where upstream = 'tap'$$);
select pg_temp.report('h3');
select is(pg_temp.breaker(), 'closed 30000', 'half is not over half');

-- After a failure
select pg_temp.make('g_tap', 'bannos', 'j1 j2 j3 j4 j5', 0);
select pg_temp.run($$update public.circuit_breakers set recent = '10111' where upstream = 'tap'$$);
select is(pg_temp.claim('{g_tap,g_tap_too}'), 'j1 j2', 'after three failures in a row no more leaves than would open it');
select pg_temp.report('j1');
select is(pg_temp.claim('{g_tap}'), 'j3 j4 j5', 'after a success all of it');
select pg_temp.report('j2 j3 j4 j5');

-- A system that asks for patience
select pg_temp.run($$update public.circuit_breakers set recent = '1111' where upstream = 'tap'$$);
select pg_temp.make('g_tap', 'bannos', 'k1 k2 k3', 0), pg_temp.make('g_tap', 'flourlane', 'm1');
select is(pg_temp.claim('{g_tap}', 2), 'k1 m1', 'both stores are served');
select is(
    pg_temp.report('k1', '{"outcome": "throttled", "error": "asked to wait", "retry_after_ms": 7000}') ->> 'retried', '1',
    'one is asked to wait'
);
select is(
    (select (r.status, r.retry_count, r.next_retry_at = now() + interval '7 s', r.error_class, r.last_error)::text from pg_temp.row('k1') r),
    '(error,0,t,transient,"asked to wait")', 'as long as it was asked to, and no attempt is burnt'
);
select is(pg_temp.breaker(), 'closed 30000', 'nor is it a failure');
select pg_temp.run($$update public.work_queue set next_retry_at = now() where dedupe_key = 'k1'$$);
select is(pg_temp.claim('{g_tap,g_tap_too}'), null, 'the store''s other work for that system waits as well');
select ok(pg_temp.wait_between(5000, 7000), 'for so long');
select pg_temp.report('m1', '{"outcome": "throttled"}');
select ok(
    (select r.next_retry_at between now() + interval '4 s' and now() + interval '6 s' from pg_temp.row('m1') r),
    'who is not told how long waits the usual time'
);
select pg_temp.run($$update public.circuit_breakers set throttled_until = clock_timestamp(), recent = '' where upstream = 'tap'$$);
select is(pg_temp.claim('{g_tap,g_tap_too}'), 'k1 k2 k3', 'then it goes on');
select pg_temp.run($$update public.work_queue set created_at = now() - interval '25 hours' where dedupe_key = 'k1'$$);
select pg_temp.report('k1', '{"outcome": "throttled", "retry_after_ms": 1}');
select is((pg_temp.row('k1')).retry_count, 1, 'but not for ever: after a day it burns attempts');
select pg_temp.fail('k2', '{"error_class": "limit", "error": "the plan is used up"}');
select is(
    (select (r.status, r.retry_count, r.error_class, r.next_retry_at = now() + interval '1 hour')::text from pg_temp.row('k2') r),
    '(error,1,limit,t)', 'a plan or quota that is used up is asked again after an hour'
);
select is(pg_temp.breaker(), 'closed 30000', 'and is no failure of the system');
select is(
    pg_temp.report('k3', '{"outcome": "released"}'), '{"done": 0, "dead": 0, "retried": 0, "ignored": 0, "released": 1}',
    'what was not tried goes back'
);
select is(
    (select (r.status, r.retry_count, r.error_class is null, r.locked_by is null, r.next_retry_at < now())::text from pg_temp.row('k3') r),
    '(pending,0,t,t,t)', 'as if nobody had had it'
);
select pg_temp.run($$update public.circuit_breakers set throttled_until = clock_timestamp() where upstream = 'tap'$$);
select public.retry_work(array[(pg_temp.row('k1')).id]);
select is(pg_temp.claim('{g_tap,g_tap_too}'), 'k1 k3', 'a person has old work done again');
select pg_temp.report('k1', '{"outcome": "throttled", "retry_after_ms": 1}');
select is((pg_temp.row('k1')).retry_count, 0, 'and it is spared for a day once more');

-- A fault of our own
select pg_temp.run('delete from public.circuit_breakers');
select pg_temp.make('g_tap', 'bannos', 'o1 o2 o3 o4 o5 o6');
select pg_temp.claim('{g_tap}');
select pg_temp.report('o1 o2 o3 o4 o5 o6', '{"outcome": "postponed", "error": "no keys", "retry_after_ms": 15000}');
select is(pg_temp.breaker(), null, 'says nothing of the system, however often');
select is(
    (select (r.status, r.retry_count, r.error_class, r.last_error, r.next_retry_at = now() + interval '15 seconds')::text
    from pg_temp.row('o1') r),
    '(error,0,transient,"no keys",t)', 'and costs no attempt'
);
select is(pg_temp.told(), null, 'nobody has to do anything about it');
select pg_temp.run($$update public.work_queue set next_retry_at = now() where dedupe_key ~ '^o'$$);
select pg_temp.claim('{g_tap}');
select pg_temp.report('o1 o2', '{"outcome": "postponed", "error": "X is missing", "error_class": "misconfigured", "retry_after_ms": 300000}');
select is(
    pg_temp.told(), '[{"kind": "misconfigured", "error": "X is missing", "topics": ["g_tap"]}]', 'but about a setting'
);
select pg_temp.make('g_tap_too', 'bannos', 'o8');
select pg_temp.claim('{g_tap_too}');
select pg_temp.report('o8', '{"outcome": "postponed", "error": "Y is missing", "error_class": "misconfigured", "retry_after_ms": 300000}');
select is(pg_temp.told() #>> '{1,error}', 'Y is missing', 'and about each, of another topic within the same minutes as well');
select public.retry_work(array[(pg_temp.row('o8')).id]);
select is((pg_temp.row('o8')).error_class, null, 'which is found out anew when a person has it tried again');
select is(
    (select (r.status, r.retry_count, r.error_class, r.next_retry_at = now() + interval '5 minutes')::text from pg_temp.row('o1') r),
    '(error,0,misconfigured,t)', 'which is waited for'
);
select pg_temp.run($$update public.work_queue set next_retry_at = now(), created_at = now() - interval '25 hours' where dedupe_key = 'o1'$$);
select pg_temp.run($$delete from public.work_queue where topic = 'slack_alert'$$);
select pg_temp.claim('{g_tap}');
select pg_temp.report('o1', '{"outcome": "postponed", "error": "X is missing", "error_class": "misconfigured"}');
select is((pg_temp.row('o1')).retry_count, 1, 'not for ever');
select is(pg_temp.told(), null, 'and of the same work people are told once');
select pg_temp.make('g_slack', 'bannos', 'u1');
select pg_temp.claim('{g_slack}');
select pg_temp.report('u1', '{"outcome": "postponed", "error": "SLACK is wrong", "error_class": "misconfigured"}');
select is(pg_temp.told(), null, 'of work that somebody could hear of');

-- Slack itself
select pg_temp.make('g_slack', 'bannos', 'v1 v2 v3 v4 v5');
select pg_temp.claim('{g_slack}');
select pg_temp.fail('v1 v2 v3 v4 v5');
reset role;
select is((select b.state from public.circuit_breakers b where b.upstream = 'slack'), 'open', 'Slack has a breaker too');
select is(
    (select count(*) from public.work_queue w where w.topic = 'slack_alert' and w.payload ->> 'upstream' = 'slack'), 0::bigint,
    'of which nobody is told through Slack'
);
select is(
    (select count(*) from public.circuit_breakers b where b.store = 'flourlane' and b.state <> 'closed'), 0::bigint,
    'to the end the other store had nothing to do with any of it'
);

select * from finish();
rollback;
