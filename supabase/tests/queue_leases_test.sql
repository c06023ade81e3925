-- Leases cost no index anything, and what has lost its lease has its turn where it was due.
begin;
select plan(25);

-- Whatever a shared database holds is out of the way of these tests.
update public.work_queue set next_retry_at = 'infinity' where status in ('pending', 'error');
insert into public.queue_topics (topic, max_attempts) values ('l_one', 3), ('l_many', 3), ('l_late', 3), ('l_hot', 3);
create temporary table answer (data jsonb);
create function pg_temp.claim(p_worker text, p_topic text, p_limit integer default 100)
returns text
language plpgsql
as $$
begin
    truncate answer;
    insert into answer select public.claim_work(p_worker, array[p_topic], p_limit) -> 'data';
    return (select string_agg(i ->> 'dedupe_key', ' ' order by n) from answer, jsonb_array_elements(data -> 'items') with ordinality as t (i, n));
end;
$$;
create function pg_temp.make(p_topic text, p_store text, p_keys text, p_priority integer default 5)
returns void
language sql
security definer
as $$
    insert into public.work_queue (topic, store, dedupe_key, priority, next_retry_at)
    select p_topic, p_store, k.key, p_priority, now() - interval '1 hour' + make_interval(secs => k.n)
    from regexp_split_to_table(p_keys, ' ') with ordinality as k (key, n);
$$;
create function pg_temp.lose(p_keys text, p_attempts integer default 0)
returns void
language sql
security definer
as $$
    update public.work_queue set lease_until = now() - interval '1 s', retry_count = p_attempts
    where topic like 'l\_%' and dedupe_key = any (string_to_array(p_keys, ' '));
$$;
create function pg_temp.rows(p_keys text)
returns text
language sql
security definer
as $$
    select string_agg(concat_ws(' ', w.dedupe_key, w.status, w.retry_count, w.error_class), ', ' order by w.dedupe_key)
    from public.work_queue w
    where w.topic like 'l\_%' and w.dedupe_key = any (string_to_array(p_keys, ' '));
$$;
create function pg_temp.ids(p_keys text)
returns bigint[]
language sql
as $$
    select array_agg(w.id order by w.dedupe_key) from public.work_queue w
    where w.topic = 'l_one' and w.dedupe_key = any (string_to_array(p_keys, ' '));
$$;
grant execute on all functions in schema pg_temp to service_role;
grant all on answer to service_role;

select is(
    (select string_agg(distinct a.attname, ' ')
     from pg_catalog.pg_index x
     join pg_catalog.pg_depend d on d.classid = 'pg_class'::regclass and d.objid = x.indexrelid
         and d.refclassid = 'pg_class'::regclass and d.refobjid = x.indrelid
     join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
     where x.indrelid = 'public.work_queue'::regclass
         and a.attname in ('status', 'locked_at', 'locked_by', 'lease_until', 'fence', 'retry_count')),
    null, 'no index of the queue, nor a condition of one, is about what every claim writes'
);

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- In its place
select pg_temp.make('l_one', 'bannos', 'a1 a2 a3 a4'), pg_temp.make('l_one', 'bannos', 'b1', 0);
select is(pg_temp.claim('w1', 'l_one', 3), 'b1 a1 a2', 'three are leased');
select is(pg_temp.claim('w2', 'l_one', 1), 'a3', 'and passed over by the next');
select pg_temp.lose('a1');
select is(pg_temp.claim('w2', 'l_one', 1), 'a1', 'what has lost its lease is there before what was due later');
select is(pg_temp.rows('a1 a2'), 'a1 processing 1 transient, a2 processing 0', 'which has cost it an attempt, and others nothing');
select is(
    (select (a.data #>> '{items,0,attempt}', a.data #>> '{items,0,fence}', a.data -> 'given_up')::text from answer a),
    '(2,2,)', 'its worker is told so'
);
select pg_temp.lose('b1 a2');
select is(pg_temp.claim('w3', 'l_one'), 'b1 a2 a4', 'together with what waits, by priority and age');
select is(pg_temp.claim('w3', 'l_one'), null, 'once');

-- What dies of it
select pg_temp.make('l_many', 'flourlane', 'c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12 c13');
select is(
    pg_temp.claim('w1', 'l_many', 12), 'c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12', 'twelve of thirteen are leased'
);
select pg_temp.lose('c01 c02 c03 c04 c05 c06 c07 c08 c09 c10 c11 c12', 2);
select is(pg_temp.claim('w2', 'l_many', 1), null, 'a claim that meets only what dies hands out nothing');
select is(
    (select (jsonb_array_length(a.data -> 'given_up'), a.data -> 'retry_in_ms')::text from answer a), '(10,1)',
    'says what died, and that there is more'
);
select is(pg_temp.claim('w2', 'l_many', 1), 'c13', 'the next gets past');
select is((select a.data -> 'given_up' from answer a), '["l_many", "l_many"]', 'the last two');
select is(pg_temp.rows('c01 c12'), 'c01 dead 3 transient, c12 dead 3 transient', 'they have ended');

-- Bounds that come late
select pg_temp.make('l_late', 'bannos', 'd1 d2 d3 d4');
select is(pg_temp.claim('w1', 'l_late', 2), 'd1 d2', 'without a bound two are leased');
select is(public.set_topic('l_late', p_concurrency => 3) -> 'ok', 'true', 'then a bound is set');
select is(pg_temp.claim('w1', 'l_late'), 'd3', 'for which they count');

-- People need not wait for a claim
select pg_temp.make('l_one', 'bannos', 'f1 f2 f3');
select is(pg_temp.claim('w1', 'l_one'), 'f1 f2 f3', 'three are leased');
select pg_temp.lose('f1 f2');
select is(
    public.retry_work(pg_temp.ids('f1 f3')) #> '{data,retried}', to_jsonb(pg_temp.ids('f1')),
    'of what is leased, that is tried again which has lost its lease'
);
select is(public.discard_work(pg_temp.ids('f2 f3'), 'x') #> '{data,discarded}', to_jsonb(pg_temp.ids('f2')), 'or given up');
select is(
    (select string_agg(concat_ws(' ', w.dedupe_key, w.status, w.locked_by, w.lease_until is not null), ', ' order by w.dedupe_key)
     from public.work_queue w where w.id = any (pg_temp.ids('f1 f2 f3'))),
    'f1 pending f, f2 dead f, f3 processing w1 t', 'they are nobody''s'
);
select lives_ok(
    $$
        select public.report_work('w1', (select jsonb_agg(jsonb_build_object('id', w.id, 'fence', w.fence, 'outcome', 'done'))
        from public.work_queue w where w.id = any (pg_temp.ids('f1 f2 f3'))))
    $$, 'their worker reports after all'
);
select is(pg_temp.rows('f1 f2 f3'), 'f1 pending 0, f2 dead 0, f3 done 0', 'and is heard for what it still has');

-- What it costs
select pg_temp.make('l_hot', 'bannos', (select string_agg('e' || n, ' ') from generate_series(1, 200) n));
reset role;
create temporary table before as
select t.n_tup_upd, t.n_tup_hot_upd from pg_catalog.pg_stat_xact_user_tables t where t.relid = 'public.work_queue'::regclass;
set local role service_role;
select is(cardinality(string_to_array(pg_temp.claim('w1', 'l_hot', 200), ' ')), 200, 'two hundred are leased');
reset role;
select is(
    (select (t.n_tup_upd - b.n_tup_upd, t.n_tup_hot_upd - b.n_tup_hot_upd)::text
     from pg_catalog.pg_stat_xact_user_tables t, before b where t.relid = 'public.work_queue'::regclass),
    '(200,200)', 'and no index has heard of it'
);

select * from finish();
rollback;
