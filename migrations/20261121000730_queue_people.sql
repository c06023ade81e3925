-- What people decide about stuck work, the audit of it, and housekeeping.

create table public.work_audit (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    work_id bigint not null,
    topic text not null,
    order_gid text,
    action text not null check (action in ('retry', 'discard')),
    reason text,
    performed_by uuid references public.staff (user_id),
    created_at timestamptz not null default now()
);
create index work_audit_store_work_id_idx on public.work_audit (store, work_id);
create index work_audit_performed_by_idx on public.work_audit (performed_by);
create index work_audit_order_gid_idx on public.work_audit (order_gid) where order_gid is not null;
comment on table public.work_audit is
    'Append-only: who sent which queue item round again or gave it up. performed_by is null for the service role. Outlives the item.';
comment on column public.work_audit.order_gid is
    'The order that the item was about: when it has to be forgotten, so has the reason.';

create trigger work_audit_append_only before update or delete on public.work_audit
    for each row execute function private.refuse_change_of_fact('reason');
create trigger work_audit_no_truncate before truncate on public.work_audit
    for each statement execute function private.refuse_change();

alter table public.work_audit enable row level security;
revoke all on public.work_audit from anon, authenticated, service_role;
grant select on public.work_audit to authenticated, service_role;
create policy work_audit_select_supervisor on public.work_audit for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy work_audit_select_service on public.work_audit for select to service_role using (true);

create function private.supervised_stores()
returns text[]
language sql
stable
set search_path = ''
as $$
    select case
        when private.is_service() then (select coalesce(array_agg(s.key), '{}') from public.stores s)
        else private.stores_for(private.caller(), 'Supervisor')
    end;
$$;
revoke execute on function private.supervised_stores() from public, anon;
comment on function private.supervised_stores() is
    'Stores for which the caller may decide what a Supervisor decides: all for the service role. Called by other functions only.';

create function public.retry_work(p_ids bigint[])
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write work_queue directly; the stores of the caller are checked here.
declare
    v_stores text[] := private.supervised_stores();
    v_seen integer;
    v_changed bigint[];
begin
    if p_ids is null or cardinality(p_ids) not between 1 and 1000 then
        return private.fail('BAD_INPUT', 'p_ids must hold 1 to 1000 ids');
    end if;
    if cardinality(v_stores) = 0 then
        return private.fail('PERMISSION_DENIED', 'only a supervisor may retry work');
    end if;

    with seen as materialized (
        -- Who has lost his lease has failed, also where a closed lane keeps claims from putting that on record.
        select w.id, case when w.status = 'processing' and w.lease_until < now() then 'error' else w.status end as status
        from public.work_queue w
        where w.id = any(p_ids) and w.store = any(v_stores)
        order by w.id
        for update
    ),
    changed as (
        update public.work_queue w set
            status = 'pending',
            retry_count = 0,
            next_retry_at = now(),
            -- What is wrong will be found out anew, and told.
            error_class = null,
            locked_at = null,
            locked_by = null,
            lease_until = null,
            counted = null,
            finished_at = null,
            discarded_at = null
        from seen
        where w.id = seen.id and seen.status in ('error', 'dead')
        returning w.id, w.store, w.topic, w.payload ->> 'order_gid' as order_gid
    ),
    audited as (
        insert into public.work_audit (store, work_id, topic, order_gid, action, performed_by)
        select c.store, c.id, c.topic, c.order_gid, 'retry', case when not private.is_service() then private.caller() end
        from changed c
    )
    select (select count(*) from seen), (select array_agg(c.id order by c.id) from changed c)
    into v_seen, v_changed;

    if v_seen = 0 then
        return private.fail('NOT_FOUND', 'no such work');
    end if;
    return private.ok(
        jsonb_build_object('retried', to_jsonb(coalesce(v_changed, '{}'::bigint[]))), v_changed is null
    );
end;
$$;
revoke execute on function public.retry_work(bigint[]) from public, anon;
grant execute on function public.retry_work(bigint[]) to authenticated, service_role;
comment on function public.retry_work(bigint[]) is
    'Makes items due now that failed, died or whose worker has lost its lease, with all attempts before them, and audits it. Items in any other state are left alone. Returns {retried: [ids]}. Callable by a Supervisor for own stores, an Admin, service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';

create function public.discard_work(p_ids bigint[], p_reason text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write work_queue directly; the stores of the caller are checked here.
declare
    v_stores text[] := private.supervised_stores();
    v_seen integer;
    v_changed bigint[];
begin
    if p_ids is null or cardinality(p_ids) not between 1 and 1000 then
        return private.fail('BAD_INPUT', 'p_ids must hold 1 to 1000 ids');
    end if;
    if coalesce(btrim(p_reason), '') = '' then
        return private.fail('BAD_INPUT', 'p_reason must say why');
    end if;
    if cardinality(v_stores) = 0 then
        return private.fail('PERMISSION_DENIED', 'only a supervisor may discard work');
    end if;

    -- The row stays, dead: its dedupe key must go on refusing a repeat until it is purged.
    with seen as materialized (
        select w.id, w.discarded_at,
            case when w.status = 'processing' and w.lease_until < now() then 'error' else w.status end as status
        from public.work_queue w
        where w.id = any(p_ids) and w.store = any(v_stores)
        order by w.id
        for update
    ),
    changed as (
        update public.work_queue w set
            status = 'dead',
            locked_at = null,
            locked_by = null,
            lease_until = null,
            counted = null,
            finished_at = now(),
            discarded_at = now()
        from seen
        where w.id = seen.id and seen.status in ('pending', 'error', 'dead') and seen.discarded_at is null
        returning w.id, w.store, w.topic, w.payload ->> 'order_gid' as order_gid
    ),
    audited as (
        insert into public.work_audit (store, work_id, topic, order_gid, action, reason, performed_by)
        select
            c.store, c.id, c.topic, c.order_gid, 'discard', left(p_reason, 1000),
            case when not private.is_service() then private.caller() end
        from changed c
    )
    select (select count(*) from seen), (select array_agg(c.id order by c.id) from changed c)
    into v_seen, v_changed;

    if v_seen = 0 then
        return private.fail('NOT_FOUND', 'no such work');
    end if;
    return private.ok(
        jsonb_build_object('discarded', to_jsonb(coalesce(v_changed, '{}'::bigint[]))), v_changed is null
    );
end;
$$;
revoke execute on function public.discard_work(bigint[], text) from public, anon;
grant execute on function public.discard_work(bigint[], text) to authenticated, service_role;
comment on function public.discard_work(bigint[], text) is
    'Gives items up for good, with a reason, and audits it. Items that are done, or leased still, are left alone. Returns {discarded: [ids]}. Callable by a Supervisor for own stores, an Admin, service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';

create function private.lock_texts(p_wait boolean)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_key constant bigint := pg_catalog.hashtextextended('ordak/texts', 0);
begin
    if not p_wait then
        return pg_catalog.pg_try_advisory_xact_lock(v_key);
    end if;
    perform pg_catalog.pg_advisory_xact_lock(v_key);
    return true;
end;
$$;
revoke execute on function private.lock_texts(boolean) from public, anon;
comment on function private.lock_texts(boolean) is
    'Only one at a time changes letters and what people wrote: which of them, only their words say, so that no order of locks would hold. The last lock that a redaction takes. Whether it was had, at once unless p_wait. Called by other functions only; no error codes.';

create function public.purge_work()
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write these tables directly, the service role included.
declare
    -- Letters lose their work. Whoever is emptying letters holds some of them already, and waits for others: next time.
    v_may boolean := private.lock_texts(false);
    v_items integer;
    v_runs integer;
begin
    -- In portions, so that a long backlog never holds its locks for long; the next tick goes on.
    delete from public.work_queue w
    where v_may and w.id = any(array(
        select old.id
        from public.stores s
        cross join lateral (
            select q.id
            from public.work_queue q
            where q.store = s.key and q.finished_at < now() - interval '14 days'
                and (q.status = 'done' or q.discarded_at is not null)
            order by q.finished_at
            limit 10000
            for update skip locked
        ) old
        limit 10000
    ));
    get diagnostics v_items = row_count;

    delete from public.worker_runs r
    where r.id = any(array(
        select q.id
        from public.worker_runs q
        where q.finished_at < now() - interval '14 days'
        order by q.finished_at
        limit 10000
    ));
    get diagnostics v_runs = row_count;

    return private.ok(jsonb_build_object('items', v_items, 'runs', v_runs), v_items + v_runs = 0);
end;
$$;
revoke execute on function public.purge_work() from public, anon, authenticated;
grant execute on function public.purge_work() to service_role;
comment on function public.purge_work() is
    'Deletes up to 10000 items that were done or discarded over 14 days ago, and as many old worker runs. Dead items stay until somebody decides, and all of them while letters are being emptied. Returns {items, runs}. Callable by service_role. No error codes.';
