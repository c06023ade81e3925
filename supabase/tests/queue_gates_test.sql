-- What holds due work back: fair shares, rates and bounds of concurrency; who sets them; work nobody knows how to do.
begin;
select plan(38);

-- Whatever a shared database holds is out of the way of these tests.
update public.work_queue set next_retry_at = 'infinity' where status in ('pending', 'error');
delete from public.circuit_breakers;
insert into public.queue_topics (topic, upstream, rate_max, rate_duration_ms, rate_scope, concurrency) values
    ('g_plain', null, null, null, 'topic', null), ('g_more', null, null, null, 'topic', null),
    ('g_rated', null, 2, 60000, 'topic', null), ('g_shops', null, 2, 1000, 'store', null),
    ('g_bound', null, null, null, 'topic', 3);

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
create function pg_temp.run(p_sql text)
returns void
language plpgsql
security definer
as $$ begin execute p_sql; end $$;
grant execute on all functions in schema pg_temp to service_role;
grant all on batch to service_role;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- Fair shares
select pg_temp.make('g_plain', 'bannos', 'a1 a2 a3 a4 a5 a6 a7 a8 a9', 0, 900), pg_temp.make('g_plain', 'flourlane', 'b1 b2 b3', 9, 1);
select is(pg_temp.claim('{g_plain}', 4), 'a1 a2 b1 b2', 'a flood of one store leaves another its share, whatever its priority');
select is(pg_temp.claim('{g_plain}', 4), 'a3 a4 a5 b3', 'what one leaves of its share the other gets');
select pg_temp.make('g_more', 'bannos', 'c1 c2 c3 c4', 5, 60);
select is(pg_temp.claim('{g_plain,g_more}', 1), 'a6', 'of two that cannot both be served the more urgent is first');
select is(pg_temp.claim('{g_plain,g_more}', 4), 'a7 a8 c1 c2', 'topics share as stores do');
select pg_temp.make('g_more', 'bannos', 'c5 c6', 1, 5);
select is(pg_temp.claim('{g_more}', 3), 'c3 c5 c6', 'within a topic and store by priority, then by age');
select is(pg_temp.claim('{g_plain,g_more}', 100), 'a9 c4', 'in the end all of it leaves');
select is(pg_temp.claim('{g_plain,g_more}', 100), null, 'once');
select is(current_setting('tests.wait'), 'none', 'nothing is held back');

-- Rates
select pg_temp.make('g_rated', 'bannos', 'r1 r2 r3'), pg_temp.make('g_rated', 'flourlane', 'r4 r5', 6, 30);
select is(pg_temp.claim('{g_rated}'), 'r1 r4', 'a rate of two lets two leave, of all stores together, shared like anything');
select is(pg_temp.claim('{g_rated,g_plain}'), null, 'and no more within the minute');
select ok(pg_temp.wait_between(30000, 60000), 'the claim says how long that is');
select pg_temp.make('g_plain', 'bannos', 'p1 p2 p3');
select is(pg_temp.claim('{g_rated,g_plain}'), 'p1 p2 p3', 'other topics leave meanwhile');
select pg_temp.run($$update private.work_gates set taken_at = array[clock_timestamp() - interval '50 s'] where topic = 'g_rated'$$);
select is(pg_temp.claim('{g_rated}'), null, 'not ten seconds too early');
select pg_temp.run($$update private.work_gates set
    taken_at = array[clock_timestamp() - interval '60 s', clock_timestamp()], taken = '{1,1}' where topic = 'g_rated'$$);
select is(pg_temp.claim('{g_rated}'), 'r2', 'one leaves when one has left for a minute: the minute slides');
select pg_temp.run($$update private.work_gates set taken_at = array[clock_timestamp() - interval '60 s'], taken = '{2}' where topic = 'g_rated'$$);
select is(pg_temp.claim('{g_rated}'), 'r3 r5', 'then the others');
reset role;
select is(
    (select (g.store, g.taken, cardinality(g.taken_at))::text from private.work_gates g where g.topic = 'g_rated'),
    '("",{2},1)', 'what is past is forgotten'
);
set local role service_role;
select pg_temp.make('g_shops', 'bannos', 's1 s2 s3'), pg_temp.make('g_shops', 'flourlane', 't1 t2 t3');
select is(pg_temp.claim('{g_shops}'), 's1 s2 t1 t2', 'where each shop has its own limit, two of each leave');

-- Concurrency
select pg_temp.make('g_bound', 'bannos', 'n1 n2 n3 n4'), pg_temp.make('g_bound', 'flourlane', 'n5 n6', 6, 30);
select is(pg_temp.claim('{g_bound}', 4), 'n1 n2 n5', 'no more are in hand than the topic allows, shared like anything');
select is(pg_temp.claim('{g_bound}'), null, 'by whomever');
select pg_temp.report('n1');
select is(pg_temp.claim('{g_bound}'), 'n3', 'what is reported makes room');
select pg_temp.run($$update public.work_queue set lease_until = now() - interval '1 s' where dedupe_key in ('n2', 'n3')$$);
select is(pg_temp.claim('{g_bound}'), 'n2 n6', 'and so does a lease that ran out: what is free is shared again');


-- Admins tune topics
select is(public.set_topic('g_nobody') ->> 'code', 'NOT_FOUND', 'a topic comes with the code that knows it');
select is(
    public.set_topic('g_plain', p_rate_max => 1, p_rate_duration_ms => 60000, p_rate_scope => 'store', p_concurrency => 50,
        p_max_attempts => 7, p_backoff => 'fixed', p_base_ms => 100, p_lease_seconds => 90, p_reason => ' slow down ') -> 'data',
    '{"topic": "g_plain", "max_attempts": 7, "backoff": "fixed", "base_ms": 100, "rate_max": 1, "rate_duration_ms": 60000,
      "rate_scope": "store", "concurrency": 50, "lease_seconds": 90, "paused": false, "upstream": null}',
    'every setting can be changed'
);
select pg_temp.make('g_plain', 'bannos', 'q1 q2 q3');
select is(pg_temp.claim('{g_plain}'), 'q1', 'which counts from the next claim on');
select is(
    public.set_topic('g_plain', p_rate_max => 0, p_concurrency => 0) #> '{data,rate_duration_ms}', 'null', 'nothing is no limit'
);
select is(public.set_topic('g_plain', p_paused => true) -> 'already_done', 'false', 'a topic is paused');
select is(public.set_topic('g_plain', p_paused => true) -> 'already_done', 'true', 'once');
select is(pg_temp.claim('{g_plain}'), null, 'then nothing of it leaves');
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(public.set_topic('g_plain', p_paused => false) #> '{data,paused}', 'false', 'an Admin lets it go on');
select is(
    (select array_agg((c.before || jsonb_build_object('then', c.after))::text || coalesce(c.reason, '') || coalesce(right(c.performed_by::text, 1), '-')
        order by c.id desc)
     from public.queue_topic_changes c where c.after ? 'paused' or c.after ? 'lease_seconds'),
    array[
        '{"then": {"paused": false}, "paused": true}3', '{"then": {"paused": true}, "paused": false}-',
        '{"then": {"backoff": "fixed", "base_ms": 100, "rate_max": 1, "rate_scope": "store", "concurrency": 50, "max_attempts": 7, "lease_seconds": 90, "rate_duration_ms": 60000}, "backoff": "exponential", "base_ms": 5000, "rate_max": null, "rate_scope": "topic", "concurrency": null, "max_attempts": 3, "lease_seconds": 60, "rate_duration_ms": null}slow down-'
    ],
    'each change is on record, with what was before, why and by whom'
);
select is(
    (select array_agg(distinct r ->> 'code') || count(*)::text from (values
        (public.set_topic('g_plain', p_max_attempts => 0)), (public.set_topic('g_plain', p_backoff => 'never')),
        (public.set_topic('g_plain', p_base_ms => 0)), (public.set_topic('g_plain', p_rate_max => 5)),
        (public.set_topic('g_plain', p_rate_max => -1, p_rate_duration_ms => 1)),
        (public.set_topic('g_plain', p_rate_max => 1, p_rate_duration_ms => 0)),
        (public.set_topic('g_plain', p_rate_scope => 'shop')), (public.set_topic('g_plain', p_concurrency => -1)),
        (public.set_topic('g_plain', p_lease_seconds => 29))
     ) as v (r)),
    '{BAD_INPUT,9}', 'nonsense is refused'
);
select throws_ok($$delete from public.queue_topic_changes$$, '42501', null, 'nobody deletes the record');
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(public.set_topic('g_plain', p_paused => true) ->> 'code', 'PERMISSION_DENIED', 'a Supervisor may not');
select throws_ok($$update public.queue_topics set paused = true$$, '42501', null, 'by no other way either');
select is((select count(*) from public.queue_topic_changes c where c.topic = 'g_plain'), 4::bigint, 'but sees what was done');

-- Work that nobody knows how to do
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select pg_temp.make('g_unknown', 'bannos', 'u1 u2'), pg_temp.make('g_unknown', 'flourlane', 'u3');
select is(pg_temp.claim('{g_unknown}'), null, 'an unknown topic waits');
select public.record_worker_run('w' || n, now(), 0, 0, 0, 0, '{}') from generate_series(1, 3) n;
reset role;
select is(
    (select array_agg(w.store || ' ' || (w.payload ->> 'topic') order by w.store) from public.work_queue w
     where w.payload ->> 'kind' = 'unknown_topic' and w.created_at = now()),
    '{bannos g_unknown,flourlane g_unknown}', 'each store is told once'
);
insert into public.queue_topics (topic) values ('g_unknown');
set local role service_role;
select is(pg_temp.claim('{g_unknown}'), 'u1 u2 u3', 'and when the topic is known, it leaves');

select * from finish();
rollback;
