-- The schema as text: a block for every type, table and function, with what is true of it indented below. Bodies of
-- functions are left out: each stands in one migration and can be read there. Partitions are their parents' copies.
with block as (
    select t.oid, 1 as kind, format_type(t.oid, null) as name, 'type ' || n.nspname || '.' || t.typname as heading
    from pg_catalog.pg_type t
    join pg_catalog.pg_namespace n on n.oid = t.typnamespace
    left join pg_catalog.pg_class c on c.oid = t.typrelid
    where n.nspname in ('public', 'private') and (t.typtype in ('e', 'd') or (t.typtype = 'c' and c.relkind = 'c'))
    union all
    select c.oid, 2, n.nspname || '.' || c.relname,
        case c.relkind when 'v' then 'view ' when 'm' then 'materialized view ' when 'f' then 'foreign table ' else 'table ' end
            || n.nspname || '.' || c.relname
    from pg_catalog.pg_class c
    join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('public', 'private') and c.relkind in ('r', 'p', 'v', 'm', 'f') and not c.relispartition
    union all
    select p.oid, 3, n.nspname || '.' || p.proname, 'function ' || n.nspname || '.' || p.proname
    from pg_catalog.pg_proc p
    join pg_catalog.pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('public', 'private')
        and not exists (select 1 from pg_catalog.pg_depend d where d.objid = p.oid and d.deptype = 'e')
),
line (oid, section, place, text) as (
    select e.enumtypid, 1, e.enumsortorder::numeric, e.enumlabel::text
    from pg_catalog.pg_enum e
    union all
    select t.oid, 1, a.attnum, a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    from pg_catalog.pg_type t
    join pg_catalog.pg_attribute a on a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped
    where t.typtype = 'c'
    union all
    select a.attrelid, 1, a.attnum,
        a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
            || case when a.attnotnull then ' not null' else '' end
            || case a.attidentity when 'a' then ' identity' when 'd' then ' identity by default' else '' end
            || case when a.attgenerated = 's' then ' generated ' || pg_get_expr(d.adbin, d.adrelid)
                else coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') end
    from pg_catalog.pg_attribute a
    left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    where a.attnum > 0 and not a.attisdropped
    union all
    select c.oid, 2, 0, 'partition by ' || lower(pg_get_partkeydef(c.oid))
    from pg_catalog.pg_class c
    where c.relkind = 'p'
    union all
    select k.conrelid, 3, 0, 'constraint ' || k.conname || ' ' || pg_get_constraintdef(k.oid)
    from pg_catalog.pg_constraint k
    where k.conrelid <> 0 and k.conparentid = 0 and k.contype not in ('t', 'n')
    union all
    select i.indrelid, 4, 0,
        case when i.indisunique then 'unique index ' else 'index ' end || c.relname
            || regexp_replace(pg_get_indexdef(i.indexrelid), '^.* USING (btree )?', ' ')
    from pg_catalog.pg_index i
    join pg_catalog.pg_class c on c.oid = i.indexrelid
    where not exists (select 1 from pg_catalog.pg_constraint k where k.conindid = i.indexrelid and k.contype <> 'f')
    union all
    select g.tgrelid, 5, 0,
        'trigger ' || g.tgname || regexp_replace(pg_get_triggerdef(g.oid), '^CREATE (CONSTRAINT )?TRIGGER \S+', '')
    from pg_catalog.pg_trigger g
    where not g.tgisinternal
    union all
    select p.polrelid, 6, 0,
        'policy ' || p.polname || ' for '
            || case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete'
                else 'all' end
            || ' to ' || (
                select string_agg(case role.oid when 0 then 'public' else pg_get_userbyid(role.oid)::text end, ', ')
                from unnest(p.polroles) as role (oid)
            )
            || coalesce(' using ' || regexp_replace(pg_get_expr(p.polqual, p.polrelid), '\s+', ' ', 'g'), '')
            || coalesce(' with check ' || regexp_replace(pg_get_expr(p.polwithcheck, p.polrelid), '\s+', ' ', 'g'), '')
    from pg_catalog.pg_policy p
    union all
    select c.oid, 7, 0, case when c.relrowsecurity then 'row security' else 'no row security' end
    from pg_catalog.pg_class c
    where c.relkind in ('r', 'p')
    union all
    select c.oid, 8, 0,
        'granted to ' || pg_get_userbyid(acl.grantee) || ': '
            || string_agg(lower(acl.privilege_type), ', ' order by acl.privilege_type)
    from pg_catalog.pg_class c
    cross join lateral aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) as acl
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and acl.grantee <> c.relowner
    group by c.oid, acl.grantee
    union all
    select p.oid, 1, 0,
        '(' || pg_get_function_arguments(p.oid) || ')'
            || case when p.prokind = 'p' then '' else ' returns ' || pg_get_function_result(p.oid) end
    from pg_catalog.pg_proc p
    union all
    select p.oid, 2, 0,
        l.lanname || ', ' || case p.provolatile when 'i' then 'immutable' when 's' then 'stable' else 'volatile' end
            || case when p.prosecdef then ', security definer' else '' end
            || coalesce(', ' || array_to_string(p.proconfig, ', '), '')
    from pg_catalog.pg_proc p
    join pg_catalog.pg_language l on l.oid = p.prolang
    union all
    select p.oid, 3, 0,
        'granted to ' || string_agg(
            case acl.grantee when 0 then 'public' else pg_get_userbyid(acl.grantee)::text end, ', '
            order by acl.grantee <> 0, pg_get_userbyid(acl.grantee)
        )
    from pg_catalog.pg_proc p
    cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) as acl
    where acl.grantee <> p.proowner
    group by p.oid
),
written as (
    select b.kind, b.name, b.heading,
        string_agg(chr(10) || '    ' || l.text, '' order by l.section, l.place, l.text) as lines
    from block b
    left join line l on l.oid = b.oid
    group by b.oid, b.kind, b.name, b.heading
)
select string_agg(w.heading || coalesce(w.lines, '') || chr(10), chr(10) order by w.kind, w.name, w.lines) as schema
from written w;
