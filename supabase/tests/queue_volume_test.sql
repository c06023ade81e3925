-- A claim among 100 000 waiting items, of which 1 000 are due, reads an index and touches what it takes.
begin;
select plan(17);

update public.work_queue set next_retry_at = 'infinity' where status in ('pending', 'error');
insert into public.queue_topics (topic) values ('t_volume'), ('t_other'), ('t_flood');
insert into public.queue_topics (topic, rate_max, rate_duration_ms) values ('t_rated', 10, 60000);
insert into public.work_queue (topic, store, dedupe_key, priority, status, next_retry_at)
select
    't_volume', 'bannos', 'volume ' || n, n % 7, (case when n % 4 = 0 then 'error' else 'pending' end)::public.work_status,
    case when n % 100 = 0 then now() - make_interval(secs => n / 100) else now() + make_interval(secs => n) end
from generate_series(1, 100000) n;
insert into public.work_queue (topic, store, dedupe_key, status, finished_at)
select 't_volume', 'bannos', 'done ' || n, 'done', now() from generate_series(1, 20000) n;
-- Pushes: 30 000 of 300 SKUs, of which 300 of 60 SKUs are due, and behind a SKU that another worker has 500 more.
insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at)
select
    'inventory_push', 'bannos', jsonb_build_object('sku', 'V-' || n % 300), 'push ' || n,
    case when n % 300 in (select 5 * g from generate_series(0, 59) g) and n <= 1500
        then now() - make_interval(secs => n) else now() + make_interval(secs => n) end
from generate_series(1, 30000) n;
insert into public.work_queue (topic, store, payload, dedupe_key, next_retry_at, status, lease_until)
select
    'inventory_push', 'bannos', '{"sku": "V-BUSY"}', 'busy ' || n, now() - interval '1 day',
    (case when n <= 100 then 'processing' else 'pending' end)::public.work_status,
    case when n <= 100 then now() + interval '1 minute' end
from generate_series(1, 600) n;
-- A flood: 100 000 items of one store, all due, longer than what another store waits for; and as many behind a rate.
insert into public.work_queue (topic, store, dedupe_key, priority, next_retry_at)
select t.topic, 'bannos', 'flood ' || n, n % 3, now() - make_interval(secs => n)
from generate_series(1, 100000) n cross join (values ('t_flood'), ('t_rated')) as t (topic);
insert into public.work_queue (topic, store, dedupe_key, priority) select 't_flood', 'flourlane', 'few ' || n, 9 from generate_series(1, 3) n;
analyze public.work_queue;

create temporary table reads (name text, fetched bigint, scanned bigint);
create function pg_temp.note(p_name text)
returns void
language sql
security definer
as $$
    insert into reads
    select p_name, coalesce(t.idx_tup_fetch, 0), t.seq_tup_read
    from pg_catalog.pg_stat_xact_user_tables t where t.relid = 'public.work_queue'::regclass;
$$;
create function pg_temp.spent(p_from text, p_to text)
returns table (fetched bigint, scanned bigint)
language sql
as $$
    select b.fetched - a.fetched, b.scanned - a.scanned from reads a, reads b where a.name = p_from and b.name = p_to;
$$;
grant execute on all functions in schema pg_temp to service_role;
create temporary table batch (id bigint, fence bigint);
grant all on batch to service_role;

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

select pg_temp.note('before');
insert into batch
select (i ->> 'id')::bigint, (i ->> 'fence')::bigint
from jsonb_array_elements(public.claim_work('w', '{t_volume}', 100) #> '{data,items}') i;
select pg_temp.note('claimed');
select is(
    public.report_work('w', (select jsonb_agg(jsonb_build_object('id', b.id, 'fence', b.fence, 'outcome', 'done')) from batch b))
        #>> '{data,done}',
    '100', 'a hundred are claimed and reported'
);
select pg_temp.note('reported');

-- The planner may be wrong about everything: the limit and the index must not depend on it.
set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local enable_material = off;
select is(
    jsonb_array_length(public.claim_work('w', '{t_volume}', 100) #> '{data,items}'), 100,
    'forced to nested loops, a claim takes its limit and no more'
);
select is(
    (select count(*) from public.work_queue w where w.topic = 't_volume' and w.status = 'processing'), 100::bigint,
    'and leases no more'
);
select pg_temp.note('forced');
select is(
    jsonb_array_length(public.claim_work('w', '{t_other}', 100) #> '{data,items}'), 0, 'nothing waits under another topic'
);
select pg_temp.note('empty');

reset role;
set local enable_hashjoin = on;
set local enable_mergejoin = on;
set local enable_material = on;
set local role service_role;
select is(
    (select count(*) || ' of ' || count(distinct i #>> '{payload,sku}')
     from jsonb_array_elements(public.claim_work('w', '{inventory_push}', 100) #> '{data,items}') i),
    '100 of 20', 'of pushes the limit is claimed, all that is due of each SKU'
);
select pg_temp.note('pushes');
set local enable_hashjoin = off;
set local enable_mergejoin = off;
set local enable_material = off;
select is(
    (select count(*) || ' of ' || count(distinct i #>> '{payload,sku}')
     from jsonb_array_elements(public.claim_work('w', '{inventory_push}', 100) #> '{data,items}') i),
    '100 of 20', 'forced to nested loops too'
);
select pg_temp.note('pushes forced');

select is(
    (select string_agg(x.store || ' ' || x.items, ', ' order by x.store)
     from (
         select i ->> 'store' as store, count(*) as items
         from jsonb_array_elements(public.claim_work('w', '{t_flood}', 100) #> '{data,items}') i group by 1
     ) x),
    'bannos 97, flourlane 3', 'a flood of one store leaves another what it needs'
);
select pg_temp.note('flood forced');
reset role;
set local enable_hashjoin = on;
set local enable_mergejoin = on;
set local enable_material = on;
set local role service_role;
select is(
    jsonb_array_length(public.claim_work('w', '{t_flood,t_rated}', 100) #> '{data,items}'), 100, 'beside a flood behind a rate'
);
select pg_temp.note('flood');
select is(
    jsonb_array_length(public.claim_work('w', '{t_rated}', 100) #> '{data,items}'), 0, 'which lets no more through'
);
select pg_temp.note('rated');

reset role;
-- Each row is read twice: when it is chosen and when it is changed.
select ok(
    s.fetched <= 250 and s.scanned = 0, 'a claim reads its rows by index: ' || s.fetched || ' ' || s.scanned
) from pg_temp.spent('before', 'claimed') s;
select ok(
    s.fetched <= 350 and s.scanned = 0, 'so does a report, at most all that is being worked on: ' || s.fetched || ' ' || s.scanned
) from pg_temp.spent('claimed', 'reported') s;
select ok(s.fetched <= 10 and s.scanned = 0, 'an empty claim reads nothing: ' || s.fetched || ' ' || s.scanned)
from pg_temp.spent('forced', 'empty') s;
-- Besides: what is chosen with its SKU is read once more, each push whose SKU is busy with what makes it so, and what is
-- leased twice, to be passed over.
select ok(
    s.fetched <= 1700 and s.scanned = 0, 'pushes are read by index: ' || s.fetched || ' ' || s.scanned
) from pg_temp.spent('empty', 'pushes') s;
select ok(
    s.fetched <= 1700 and s.scanned = 0, 'whatever the plan: ' || s.fetched || ' ' || s.scanned
) from pg_temp.spent('pushes', 'pushes forced') s;
select ok(
    s.fetched <= 320 and s.scanned = 0, 'a claim in a flood reads what it takes: ' || s.fetched || ' ' || s.scanned
) from pg_temp.spent('pushes forced', 'flood forced') s;
-- And passes over what is leased of it already, once to see whether anything is due and once to choose.
select ok(
    s.fetched <= 520 and s.scanned = 0, 'beside a flood behind a rate too: ' || s.fetched || ' ' || s.scanned
) from pg_temp.spent('flood forced', 'flood') s;
select ok(
    s.fetched <= 20 and s.scanned = 0, 'and of what is held back next to nothing: ' || s.fetched || ' ' || s.scanned
) from pg_temp.spent('flood', 'rated') s;

select * from finish();
rollback;
