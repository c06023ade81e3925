-- The rules that every table and function obeys, read from the catalog, and proof that each rule can fail.
begin;
select plan(6);

create temp view function_faults as
with fn as (
    select p.oid, n.nspname as schema, p.proname, p.oid::regprocedure::text as name, p.prosecdef, p.provolatile, p.prosrc,
        p.prorettype, p.proowner, p.proacl, coalesce(p.proconfig, '{}') as settings,
        p.pronargs, p.proargnames, p.proargmodes,
        pg_catalog.obj_description(p.oid, 'pg_proc') as comment
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'private')
        and not exists (select 1 from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e')
)
select f.name, rule.fault
from fn f
cross join lateral (
    values
        ('has no comment', f.comment is null),
        ('has a search_path of its caller', not f.settings @> array['search_path=""']),
        ('anon may execute it', has_function_privilege('anon', f.oid, 'execute')),
        ('everybody may execute it', exists (
            select 1
            from aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) as acl
            where acl.grantee = 0 and acl.privilege_type = 'EXECUTE'
        )),
        ('is a definer without a reason', f.prosecdef and f.prosrc !~ '-- definer because: \w'),
        ('is overloaded', exists (
            select 1 from fn o where o.schema = f.schema and o.proname = f.proname and o.oid <> f.oid
        )),
        ('has a parameter without p_', f.pronargs > 0 and (
            f.proargnames is null
            or exists (
                select 1
                from unnest(f.proargnames, coalesce(f.proargmodes, array_fill('i'::"char", array[f.pronargs])))
                    as argument (name, mode)
                where argument.mode in ('i', 'b', 'v') and argument.name !~ '^p_'
            )
        )),
        -- Replaying an event must outlive whatever is wrong with it, and partitions have no other way to be made.
        ('swallows every error', f.prosrc ~* 'when\s+others' and f.name !~ '^private[.]try_event\('),
        ('runs dynamic SQL', f.prosrc ~* '\mexecute\s+(format|v_|p_|'')' and f.name !~ '^private[.]create_partition\('),
        ('trusts a token for being signed', f.prosrc ~ 'auth[.]uid' and f.name !~ '^private[.]caller\('),
        ('says not who may call it', f.schema = 'public' and coalesce(f.comment, '') !~* 'callable by'),
        ('is closed to the service role',
            f.schema = 'public' and not has_function_privilege('service_role', f.oid, 'execute')),
        ('writes with the rights of its caller', f.schema = 'public' and f.provolatile = 'v' and not f.prosecdef),
        ('answers without the envelope',
            f.schema = 'public' and f.prorettype <> 'jsonb'::regtype and f.name !~ '^priority\(')
) as rule (fault, broken)
where rule.broken;

create temp view uncovered_keys as
select k.conrelid
from pg_catalog.pg_constraint k
where k.contype = 'f'
    and not exists (
        select 1
        from pg_catalog.pg_index i
        where i.indrelid = k.conrelid
            and (i.indkey::smallint[])[0:cardinality(k.conkey) - 1] @> k.conkey
            -- A look-up by a foreign key never looks for null.
            and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) ~ '^\(\w+ IS NOT NULL\)$')
    );

create temp view table_faults as
with tb as (
    select c.oid, c.relname as name, c.relrowsecurity
    from pg_catalog.pg_class c
    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
),
policy as (
    select p.polrelid, p.polname, p.polcmd, p.polroles, pg_get_expr(p.polqual, p.polrelid) as using_text
    from pg_catalog.pg_policy p
)
select t.name, rule.fault
from tb t
cross join lateral (
    values
        ('has no row security', not t.relrowsecurity),
        ('has no policy', not exists (select 1 from policy p where p.polrelid = t.oid)),
        ('has a policy that is not for select',
            exists (select 1 from policy p where p.polrelid = t.oid and p.polcmd <> 'r')),
        ('has a policy for everybody',
            exists (select 1 from policy p where p.polrelid = t.oid and 0 = any (p.polroles))),
        ('has a policy with a strange name', exists (
            select 1 from policy p where p.polrelid = t.oid and p.polname !~ ('^' || t.name || '_select_[a-z]+$')
        )),
        ('has a policy that asks once a row', exists (
            select 1 from policy p
            where p.polrelid = t.oid and p.using_text ~ '(auth|private)[.]' and p.using_text !~ '\( ?SELECT '
        )),
        ('has a policy that trusts a token for being signed', exists (
            select 1 from policy p where p.polrelid = t.oid and p.using_text ~ 'auth[.]uid'
        )),
        ('can be read by anon', has_table_privilege('anon', t.oid, 'select')),
        ('can be written by a client', exists (
            select 1
            from unnest(array['anon', 'authenticated', 'service_role']) as client (role)
            cross join unnest(array[
                'insert', 'update', 'delete', 'truncate', 'references', 'trigger', 'maintain'
            ]) as verb (privilege)
            where has_table_privilege(client.role, t.oid, verb.privilege)
        )),
        ('is closed to the service role', not has_table_privilege('service_role', t.oid, 'select')),
        ('has no primary key', not exists (
            select 1 from pg_catalog.pg_constraint k where k.conrelid = t.oid and k.contype = 'p'
        )),
        ('has no created_at', not exists (
            select 1
            from pg_catalog.pg_attribute a
            join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
            where a.attrelid = t.oid and a.attname = 'created_at' and a.attnotnull
                and a.atttypid = 'timestamptz'::regtype and pg_get_expr(d.adbin, d.adrelid) = 'now()'
        )),
        ('has a foreign key without an index', exists (select 1 from uncovered_keys k where k.conrelid = t.oid)),
        ('has no comment', obj_description(t.oid, 'pg_class') is null),
        ('has a policy on a column without an index', exists (
            select 1
            from policy p
            cross join regexp_matches(p.using_text, '(\w+) = ', 'g') as condition (parts)
            join pg_catalog.pg_attribute a on a.attrelid = t.oid and a.attname = condition.parts[1]
            where p.polrelid = t.oid
                and not exists (
                    select 1
                    from pg_catalog.pg_index i
                    where i.indrelid = t.oid and i.indpred is null and i.indkey[0] = a.attnum
                )
        ))
) as rule (fault, broken)
where rule.broken
union all
select c.relname, case c.relkind when 'S' then 'is a sequence that clients may use' else 'is a view in public' end
from pg_catalog.pg_class c
where c.relnamespace = 'public'::regnamespace
    and (
        c.relkind in ('v', 'm', 'f')
        or (
            c.relkind = 'S' and exists (
                select 1
                from unnest(array['anon', 'authenticated', 'service_role']) as client (role)
                where has_sequence_privilege(client.role, c.oid, 'usage, select, update')
            )
        )
    )
union all
select c.relname, 'is a private table that clients may read'
from pg_catalog.pg_class c
where c.relnamespace = 'private'::regnamespace and c.relkind in ('r', 'p')
    and exists (
        select 1
        from unnest(array['anon', 'authenticated', 'service_role']) as client (role)
        where has_table_privilege(client.role, c.oid, 'select')
    )
union all
select c.relname, 'is a private table with a foreign key without an index'
from pg_catalog.pg_class c
where c.relnamespace = 'private'::regnamespace and exists (select 1 from uncovered_keys k where k.conrelid = c.oid);

select is_empty('select name, fault from function_faults', 'every function obeys the rules of the house');
select is_empty('select name, fault from table_faults', 'every table obeys the rules of the house');
select ok(not has_schema_privilege('anon', 'private', 'usage'), 'the private schema is closed to anon');
select ok(
    not has_schema_privilege('authenticated', 'public', 'create')
    and not has_schema_privilege('service_role', 'private', 'create'),
    'clients create nothing'
);

-- Planted faults: a rule that finds nothing here would find nothing anywhere ---------------------------------------
create function public.planted(integer)
returns integer
language plpgsql
as $$
begin
    execute 'select auth.uid()';
    return 1;
exception when others then
    return 0;
end;
$$;
grant execute on function public.planted(integer) to public;
create function public.planted(integer, integer)
returns jsonb
language sql
security definer
as $$
    select null::jsonb;
$$;

select set_eq(
    $$ select distinct fault from function_faults where name ~ '^planted' $$,
    array[
        'has no comment', 'has a search_path of its caller', 'anon may execute it', 'everybody may execute it',
        'is a definer without a reason', 'is overloaded', 'has a parameter without p_', 'swallows every error',
        'runs dynamic SQL', 'trusts a token for being signed', 'says not who may call it', 'is closed to the service role',
        'writes with the rights of its caller', 'answers without the envelope'
    ],
    'a bad function breaks every rule of functions'
);

create table public.planted_open (store text references public.stores (key));
grant select, insert on public.planted_open to anon;
create table public.planted_odd (store text, noted_at timestamptz);
alter table public.planted_odd enable row level security;
create policy odd on public.planted_odd for all
    using (store = any (private.readable_stores()) and auth.uid() is not null);
create sequence public.planted_numbers;
grant usage on sequence public.planted_numbers to authenticated;
create view public.planted_view as select 1 as one;
create table private.planted_secret (id integer, store text references public.stores (key));
grant select on private.planted_secret to authenticated;

select set_eq(
    $$ select distinct fault from table_faults where name ~ '^planted' $$,
    array[
        'has no row security', 'has no policy', 'has a policy that is not for select', 'has a policy for everybody',
        'has a policy with a strange name', 'has a policy that asks once a row',
        'has a policy that trusts a token for being signed', 'can be read by anon', 'can be written by a client', 'is closed to the service role', 'has no primary key', 'has no created_at',
        'has a foreign key without an index', 'has a policy on a column without an index',
        'has no comment', 'is a sequence that clients may use', 'is a view in public',
        'is a private table that clients may read', 'is a private table with a foreign key without an index'
    ],
    'bad tables break every rule of tables'
);

select * from finish();
rollback;
