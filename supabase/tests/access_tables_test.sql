-- Row security as people meet it: they see what the name of a policy promises and no more, and nobody writes.
begin;
select plan(7);

-- A row of each store in every table ----------------------------------------------------------------------------
insert into public.event_store (source, type, store, ref_id, external_id, content_hash, payload)
select 'shopify', 'orders/create', s.key, 'gid://shopify/Order/x', s.key || '/access', 'access', '{}'
from public.stores s;
insert into public.orders (store, id, shopify_order_gid)
select s.key, s.id_prefix || '-908001', 'gid://shopify/Order/908001/' || s.key from public.stores s;
insert into public.order_index (shopify_order_gid, store, order_id)
select o.shopify_order_gid, o.store, o.id from public.orders o where o.id like '%-908001';
insert into public.order_line_items (store, order_id, line_id, position, quantity)
select o.store, o.id, '1', 1, 1 from public.orders o where o.id like '%-908001';
insert into public.stage_events (store, order_id, action, source)
select o.store, o.id, 'test', 'sql' from public.orders o where o.id like '%-908001';
insert into public.inventory_txn (item_id, store, delta, reason, idempotency_key)
select i.id, i.store, 1, 'adjust', 'access/' || i.id from public.inventory_items i;
insert into public.work_queue (topic, store, dedupe_key) select 'email', s.key, 'access/' || s.key from public.stores s;
insert into public.dead_letters (store, source, reason) select s.key, 'test', 'test' from public.stores s;
insert into public.work_audit (store, work_id, topic, action) select s.key, 1, 'email', 'retry' from public.stores s;
insert into public.store_audit (store, subject, action) select s.key, 'credentials', 'set' from public.stores s;
insert into public.circuit_breakers (store, upstream) select s.key, 'access' from public.stores s;
insert into public.queue_topic_changes (topic, before, after) values ('email', '{}', '{}');
insert into public.event_archive (id, source, type, store, external_id, content_hash, payload)
select row_number() over (order by s.key), 'shopify', 'orders/create', s.key, s.key || '/archived', 'access', '{}'
from public.stores s;
insert into public.reconcile_runs (store, policy) select s.key, 'local_wins' from public.stores s;
insert into public.stock_checks (store, item_id, sku, cause) select i.store, i.id, i.sku, 'signal' from public.inventory_items i;
insert into public.sync_cursors (store, name, seen_until) select s.key, 'access', now() from public.stores s;
insert into public.compliance_requests (store, kind, event_id) select s.key, 'redact_shop', 1 from public.stores s;
insert into public.worker_runs (worker, started_at) values ('access', now());
insert into public.suppliers (store, name) select s.key, 'access' from public.stores s;
insert into public.supplier_terms
    (store, supplier_id, product_category, base_price, currency, minimum_order_quantity, lead_time_days, style_limit)
select s.store, s.id, 'access', 1, 'AUD', 1, 1, 1 from public.suppliers s where s.name = 'access';
insert into public.production_batches (store, terms_id, product_category, target_quantity, style_limit, window_closes_at)
select t.store, t.id, 'access', 1, 1, now() + interval '9 days' from public.supplier_terms t where t.product_category = 'access';
insert into public.batch_contributions
    (store, batch_id, order_id, product_variant_base, style, style_details, quantity, unit_price, total_price, currency)
select o.store, b.id, o.id, 'access', 'access', '{}', 1, 1, 1, 'AUD'
from public.orders o join public.production_batches b on b.store = o.store and b.product_category = 'access'
where o.id like '%-908001';
insert into public.supplier_orders (store, batch_id, quantity)
select b.store, b.id, 1 from public.production_batches b where b.product_category = 'access';

-- What the name of its policy promises: <table>_select_<audience> ---------------------------------------------------
create temp table tables on commit drop as
select c.relname::text as name, substring(p.polname from '_select_([a-z]+)$') as audience,
    (
        select a.attname::text from pg_catalog.pg_attribute a
        where a.attrelid = c.oid and a.attname = case c.relname when 'stores' then 'key' else 'store' end
    ) as store_column
from pg_catalog.pg_class c
left join pg_catalog.pg_policy p on p.polrelid = c.oid and p.polname !~ '_service$'
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p');

create temp table actors (name text, role text, claims text, level integer, stores text[]) on commit drop;
insert into actors values
    ('anon', 'anon', '{"role":"anon"}', -1, '{}'),
    ('no staff row', 'authenticated',
        '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000006"}', 0, '{}'),
    ('inactive', 'authenticated',
        '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000005"}', 0, '{bannos}'),
    ('staff', 'authenticated',
        '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000001"}', 1, '{bannos}'),
    ('staff of another store', 'authenticated',
        '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000004"}', 1, '{flourlane}'),
    ('supervisor', 'authenticated',
        '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}', 2, '{bannos}'),
    ('admin', 'authenticated',
        '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}', 3, '{bannos,flourlane}'),
    ('service', 'service_role', '{"role":"service_role"}', 3, '{bannos,flourlane}');

create function pg_temp.try_as(p_role text, p_claims text, p_query text)
returns text
language plpgsql
as $$
declare
    v_answer text;
begin
    perform set_config('request.jwt.claims', p_claims, true);
    perform set_config('role', p_role, true);
    begin
        execute p_query into v_answer;
    exception when insufficient_privilege then
        v_answer := 'denied';
    end;
    perform set_config('role', 'none', true);
    return v_answer;
end;
$$;

-- Of which stores a table shows rows; of a table without stores, whether it shows any.
create function pg_temp.stores_shown(p_name text, p_store_column text)
returns text
language sql
as $$
    select format(
        'select coalesce(string_agg(shown.of, '','' order by shown.of), ''none'')'
            || ' from (select distinct %s::text as of from public.%I) shown',
        coalesce(p_store_column, '''some'''), p_name
    );
$$;

create temp table seen on commit drop as
select t.name, t.audience, a.name as actor,
    case
        when a.level < 0 then 'denied'
        when a.level < case t.audience when 'admin' then 3 when 'supervisor' then 2 else 1 end then 'none'
        when t.store_column is null then 'some'
        else coalesce(
            (
                select string_agg(held.store, ',' order by held.store)
                from unnest(string_to_array(
                    pg_temp.try_as('postgres', '', pg_temp.stores_shown(t.name, t.store_column)), ','
                )) as held (store)
                where held.store = any (a.stores)
            ),
            'none'
        )
    end as expected,
    pg_temp.try_as(a.role, a.claims, pg_temp.stores_shown(t.name, t.store_column)) as actual
from tables t
cross join actors a
where t.audience in ('staff', 'supervisor', 'admin');

select is_empty(
    $$ select name, audience from tables where audience is null or audience not in ('staff', 'supervisor', 'admin', 'self') $$,
    'every table has a policy for staff, supervisors, admins or oneself'
);
select is_empty(
    $$ select * from seen where actor = 'service' and actual = 'none' $$, 'every table had rows to hide'
);
select is_empty(
    'select * from seen where actual is distinct from expected', 'every actor sees what the policy promises, no more, no less'
);
select is(
    (select array_agg(distinct actual order by actual) from seen),
    array['bannos', 'bannos,flourlane', 'denied', 'flourlane', 'none', 'some'], 'the answers differ, so the test can tell'
);
select is_empty(
    $$
        select t.name, a.name
        from tables t
        cross join actors a
        where t.audience = 'self' and a.role = 'authenticated'
            and pg_temp.try_as(
                a.role, a.claims, format('select count(*) from public.%I where user_id <> auth.uid()', t.name)
            ) <> '0'
    $$,
    'nobody sees the rows of staff that are about others'
);

-- Nobody writes, whatever the table holds ---------------------------------------------------------------------------
create temp table written on commit drop as
select t.name, a.name as actor, verb.name as verb, pg_temp.try_as(a.role, a.claims, format(verb.query, t.name)) as actual
from tables t
cross join actors a
cross join (
    values
        ('insert', 'insert into public.%I default values returning ''written'''),
        ('update', 'update public.%I set created_at = now() returning ''written'''),
        ('delete', 'delete from public.%I returning ''written'''),
        ('truncate', 'truncate public.%I cascade')
) as verb (name, query);
select is_empty(
    $$ select * from written where actual is distinct from 'denied' $$, 'no client writes any table by any verb'
);

-- A role counts at once ------------------------------------------------------------------------------------------------
update public.staff set active = false where user_id = '00000000-0000-4000-8000-000000000002';
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is_empty('select 1 from public.orders', 'whoever is switched off sees nothing in the next statement');

select * from finish();
rollback;
