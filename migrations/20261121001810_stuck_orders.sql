-- Orders that stand still in the kitchen: people are told after a day, and told louder after two.

create function private.stuck_orders()
returns table (store text, order_id text, stage public.order_stage, since timestamptz, mark text)
language plpgsql
stable
set search_path = ''
as $$
begin
    return query
    select v.store, v.id, v.stage, v.since, due.mark
    from (
        select
            o.store, o.id, o.stage,
            case
                -- Nobody has begun: it waits for its day, and is late from two days before that.
                when o.stage = 'Filling' and o.filling_start_ts is null then greatest(
                    o.created_at, coalesce((o.due_date - 2)::timestamp at time zone s.timezone, o.created_at)
                )
                else coalesce(moved.at, o.filling_start_ts, o.created_at)
            end as since
        from public.stores s
        join public.orders o on o.store = s.key
        left join lateral (
            select max(e.at) as at
            from public.stage_events e
            where e.store = o.store and e.order_id = o.id and e.stage_from <> e.stage_to
        ) moved on true
        where s.kitchen_enabled and o.stage <> 'Complete' and o.cancelled_at is null and not o.placeholder
    ) v
    cross join lateral (
        select case
            when v.since <= now() - interval '48 hours' then 'escalated'
            when v.since <= now() - interval '24 hours' then 'stuck'
        end as mark
    ) due
    -- Once for each visit to a stage; what has been escalated needs no first warning any more.
    where due.mark is not null and not exists (
        select 1
        from public.stage_events e
        where e.store = v.store and e.order_id = v.id and e.at >= v.since and e.action in (due.mark, 'escalated')
            and e.meta ->> 'stage' = v.stage::text
    );
end;
$$;
revoke execute on function private.stuck_orders() from public, anon, authenticated;
comment on function private.stuck_orders() is
    'Orders of kitchens that have been in one stage for over 24 hours (mark stuck) or 48 (escalated) and of which that has not been said yet. Called by check_orders only; no error codes.';

create function public.check_orders()
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stage_events or work_queue directly, the service role included.
declare
    v_said jsonb;
begin
    -- Two checks at a time would both find what neither has written down.
    if not pg_try_advisory_xact_lock(hashtextextended('check_orders', 0)) then
        return private.ok(jsonb_build_object('stuck', 0, 'escalated', 0), true);
    end if;

    with said as materialized (
        insert into public.stage_events (store, order_id, action, source, meta)
        select s.store, s.order_id, s.mark, 'sql', jsonb_build_object('stage', s.stage, 'since', s.since)
        from private.stuck_orders() s
        order by s.store, s.since, s.order_id
        returning id, store, order_id, action, meta ->> 'stage' as stage
    ),
    told as materialized (
        select
            d.store, d.action, count(*) as orders, max(d.id) as last,
            jsonb_build_object(
                'orders', count(*),
                'order_ids', to_jsonb((array_agg(d.order_id || ' (' || d.stage || ')' order by d.id))[1:50])
            ) as details
        from said d
        group by d.store, d.action
    ),
    alerts as materialized (
        select
            private.enqueue_alert(t.store, 'orders_' || t.action, t.details),
            case when t.action = 'escalated'
                then private.enqueue_email(t.store, 'orders_escalated', t.details, t.last::text) end
        from told t
    )
    select jsonb_build_object(
        'stuck', coalesce(sum(t.orders) filter (where t.action = 'stuck'), 0),
        'escalated', coalesce(sum(t.orders) filter (where t.action = 'escalated'), 0),
        'alerts', (select count(*) from alerts)
    )
    into v_said
    from told t;
    return private.ok(v_said, true);
end;
$$;
revoke execute on function public.check_orders() from public, anon, authenticated;
grant execute on function public.check_orders() to service_role;
comment on function public.check_orders() is
    'Has people told of orders that have been in one stage for over 24 hours, and by e-mail as well of those for over 48: once for each order, visit to a stage and of the two. One that nobody has begun counts from two days before it is due. Returns {stuck, escalated, alerts} of this call, already_done as nothing is left. Callable by service_role. No error codes.';
