-- The figures behind the health answer.
begin;
select plan(12);

-- Whatever waits already is out of the way.
update public.work_queue set status = 'done', finished_at = now();
delete from public.worker_runs;
delete from public.circuit_breakers;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(
    public.get_health() -> 'data',
    '{"pending": 0, "misconfigured": 0, "oldest_pending_s": 0, "dead": 0, "items_per_min": 0.0, "error_rate": 0, "last_run_at": null,
      "open_circuits": 0}',
    'an idle queue'
);

reset role;
insert into public.work_queue (topic, store, dedupe_key, status, finished_at, discarded_at) values
    ('email', 'bannos', 'h0', 'dead', now(), now());
insert into public.work_queue (topic, store, dedupe_key, status, next_retry_at, lease_until, finished_at, error_class) values
    ('email', 'bannos', 'h1', 'pending', now() - interval '60 seconds', null, null, null),
    ('email', 'bannos', 'h2', 'error', now() + interval '1 hour', null, null, 'misconfigured'),
    ('refund', 'bannos', 'h3', 'pending', now() - interval '1 day', null, null, null),
    ('email', 'bannos', 'h4', 'processing', now() - interval '1 hour', now() + interval '30 seconds', null, null),
    ('email', 'bannos', 'h5', 'dead', now() - interval '1 hour', null, now(), 'misconfigured');
update public.queue_topics set paused = true where topic = 'refund';
insert into public.worker_runs (worker, started_at, finished_at, claimed, done, retried, dead) values
    ('a', now() - interval '1 minute', now() - interval '1 minute', 20, 15, 4, 1),
    ('a', now() - interval '1 hour', now() - interval '1 hour', 100, 0, 0, 100);

set local role service_role;
select is(public.get_health() #>> '{data,pending}', '3', 'what waits, due or not');
select is(public.get_health() #>> '{data,misconfigured}', '1', 'what waits for a setting');
select is(public.get_health() #>> '{data,dead}', '1', 'what gave up and was not discarded');
select is(
    public.get_health() #>> '{data,oldest_pending_s}', '60', 'the oldest due item; a paused topic and a lease are no backlog'
);
select is(public.get_health() #>> '{data,items_per_min}', '4.0', 'items a minute over the last five');
select is(public.get_health() #>> '{data,error_rate}', '0.2500', 'and the share of them that failed');
select is(
    (public.get_health() #>> '{data,last_run_at}')::timestamptz, now() - interval '1 minute', 'the last drain'
);

reset role;
update public.work_queue set lease_until = now() - interval '90 seconds' where dedupe_key = 'h4';
set local role service_role;
select is(public.get_health() #>> '{data,oldest_pending_s}', '90', 'a lost lease is due again');

reset role;
insert into public.circuit_breakers (store, upstream, state, retry_at, probe_id) values
    ('bannos', 'shopify', 'open', now(), null), ('flourlane', 'shopify', 'half_open', now(), 1),
    ('bannos', 'slack', 'closed', null, null);
set local role service_role;
select is(public.get_health() #>> '{data,open_circuits}', '2', 'outside systems that are left alone');

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select throws_ok('select public.get_health()', '42501', null, 'not even an Admin may ask');
set local role anon;
select throws_ok('select public.get_health()', '42501', null, 'nor anon');

select * from finish();
rollback;
