-- Figures of a kitchen: where orders are, how fast they move, what was scanned last.

create index stage_events_moves_idx on public.stage_events (store, at) include (stage_from, stage_to, entered_at)
    where stage_from <> stage_to;

create function private.note_entry()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    -- Noted once and not looked for by every reader: the figures of a month took 200 ms and take 40.
    -- A visit to a stage begins with the move into it, the one to Filling with the printing of the label.
    new.entered_at := (
        select max(e.at)
        from public.stage_events e
        where e.store = new.store and e.order_id = new.order_id and e.at <= new.at
            and (e.stage_from <> e.stage_to or (e.action = 'handle_print_barcode' and e.stage_from = 'Filling'))
    );
    return new;
end;
$$;
revoke execute on function private.note_entry() from public, anon;
comment on function private.note_entry() is
    'Trigger: a move to another stage says when the order had come into the one it leaves.';

create trigger stage_events_note_entry before insert on public.stage_events
    for each row when (new.stage_from <> new.stage_to and new.entered_at is null) execute function private.note_entry();

create function private.stage_durations(p_store text, p_from timestamptz)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
    -- Not a sql function: those are planned without the value of p_from, and then read the whole table.
    -- One pass, a quantile for each stage: grouped by stage, all moves would be sorted twice.
    return (
        with figures as (
            select
                count(*) filter (where v.stage = 'Filling') as filling_visits,
                percentile_cont(array[0.5, 0.9]) within group (order by v.time) filter (where v.stage = 'Filling')
                    as filling,
                count(*) filter (where v.stage = 'Covering') as covering_visits,
                percentile_cont(array[0.5, 0.9]) within group (order by v.time) filter (where v.stage = 'Covering')
                    as covering,
                count(*) filter (where v.stage = 'Decorating') as decorating_visits,
                percentile_cont(array[0.5, 0.9]) within group (order by v.time) filter (where v.stage = 'Decorating')
                    as decorating,
                count(*) filter (where v.stage = 'Packing') as packing_visits,
                percentile_cont(array[0.5, 0.9]) within group (order by v.time) filter (where v.stage = 'Packing')
                    as packing
            from (
                select e.stage_from as stage, e.at - e.entered_at as time
                from public.stage_events e
                where e.store = p_store and e.at >= p_from and e.stage_from <> e.stage_to
                    and e.entered_at is not null
            ) v
        )
        select coalesce(
            jsonb_object_agg(
                stage.name,
                jsonb_build_object(
                    'visits', stage.visits,
                    'median_s', round(extract(epoch from stage.quantiles[1])),
                    'p90_s', round(extract(epoch from stage.quantiles[2]))
                )
            ),
            '{}'
        )
        from figures f
        cross join lateral (
            values
                ('filling', f.filling_visits, f.filling),
                ('covering', f.covering_visits, f.covering),
                ('decorating', f.decorating_visits, f.decorating),
                ('packing', f.packing_visits, f.packing)
        ) as stage (name, visits, quantiles)
        where stage.visits > 0
    );
end;
$$;
revoke execute on function private.stage_durations(text, timestamptz) from public, anon, authenticated;
comment on function private.stage_durations(text, timestamptz) is
    'Median and 90th percentile in seconds of the visits to each stage that ended since then.';

create function private.throughput(p_store text, p_timezone text, p_unit text, p_from timestamptz)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
    -- Not a sql function: those are planned without the value of p_from, and then read the whole table.
    -- By quarters of an hour first, which every local hour consists of: what o'clock it is is asked once for each.
    return (
        select coalesce(
            jsonb_agg(jsonb_build_object('from', b.local_start at time zone p_timezone, 'completed', b.completed)
                order by b.local_start),
            '[]'
        )
        from (
            select date_trunc(p_unit, quarter.start at time zone p_timezone) as local_start,
                sum(quarter.completed)::bigint as completed
            from (
                select date_bin('15 minutes', e.at, 'epoch') as start, count(*) as completed
                from public.stage_events e
                where e.store = p_store and e.at >= p_from and e.stage_from <> e.stage_to and e.stage_to = 'Complete'
                group by 1
            ) quarter
            group by 1
        ) b
    );
end;
$$;
revoke execute on function private.throughput(text, text, text, timestamptz) from public, anon, authenticated;
comment on function private.throughput(text, text, text, timestamptz) is
    'Completed orders per hour or day of the store, empty ones left out.';

create function public.get_orders_for_dashboard(p_store text, p_period text default 'day')
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: recent scans name colleagues, whose staff rows the caller cannot read.
declare
    v_refusal jsonb := private.refuse_store(p_store);
    v_period text := lower(coalesce(p_period, 'day'));
    v_timezone text;
    v_today date;
    v_from timestamptz;
    v_open jsonb;
    v_throughput jsonb;
    v_scans jsonb;
begin
    if v_refusal is not null then
        return v_refusal;
    elsif v_period not in ('day', 'week', 'month') then
        return private.fail('BAD_INPUT', 'period must be day, week or month');
    end if;

    select s.timezone, (now() at time zone s.timezone)::date
    into v_timezone, v_today
    from public.stores s
    where s.key = p_store;
    v_from := (v_today - case v_period when 'day' then 0 when 'week' then 6 else 29 end)::timestamp
        at time zone v_timezone;

    select jsonb_build_object(
        'stages', jsonb_build_object(
            'filling', count(*) filter (where o.stage = 'Filling'),
            'covering', count(*) filter (where o.stage = 'Covering'),
            'decorating', count(*) filter (where o.stage = 'Decorating'),
            'packing', count(*) filter (where o.stage = 'Packing')
        ),
        'open', count(*),
        'overdue', count(*) filter (where o.due_date < v_today),
        'due_today', count(*) filter (where o.due_date = v_today)
    )
    into v_open
    from public.orders o
    where o.store = p_store and o.stage <> 'Complete' and o.cancelled_at is null and not o.placeholder;

    v_throughput := private.throughput(
        p_store, v_timezone, case v_period when 'day' then 'hour' else 'day' end, v_from
    );

    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'order_id', scan.order_id, 'action', scan.action, 'stage_from', scan.stage_from,
                'stage_to', scan.stage_to, 'at', scan.at, 'by', scan.performed_by, 'by_name', st.name
            )
            order by scan.at desc, scan.id desc
        ),
        '[]'
    )
    into v_scans
    from (
        select e.*
        from public.stage_events e
        where e.store = p_store and e.at >= v_from and e.source = 'kiosk'
        order by e.at desc
        limit 20
    ) scan
    left join public.staff st on st.user_id = scan.performed_by;

    return private.ok(
        v_open || jsonb_build_object(
            'store', p_store,
            'period', v_period,
            'from', v_from,
            'today', v_today,
            'completed', (select coalesce(sum((b ->> 'completed')::integer), 0) from jsonb_array_elements(v_throughput) b),
            'throughput', v_throughput,
            'durations', private.stage_durations(p_store, v_from),
            'recent_scans', v_scans
        )
    );
end;
$$;
revoke execute on function public.get_orders_for_dashboard(text, text) from public, anon;
grant execute on function public.get_orders_for_dashboard(text, text) to authenticated, service_role;
comment on function public.get_orders_for_dashboard(text, text) is
    'Open orders by stage, overdue, due today; throughput, stage durations and recent scans of the day, week or month so far. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED.';
