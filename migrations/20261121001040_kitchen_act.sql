-- The workhorse of the kitchen, and the functions that staff call.

create function private.record_event(
    p_order public.orders,
    p_action text,
    p_stage_to public.order_stage,
    p_user uuid,
    p_scan_id uuid,
    p_source text,
    p_meta jsonb
)
returns public.stage_events
language plpgsql
set search_path = ''
as $$
declare
    v_event public.stage_events;
begin
    insert into public.stage_events (store, order_id, stage_from, stage_to, action, performed_by, source, scan_id, meta)
    values (
        p_order.store, p_order.id, p_order.stage, p_stage_to, p_action, p_user, p_source, p_scan_id,
        jsonb_strip_nulls(coalesce(p_meta, '{}'::jsonb))
    )
    on conflict (store, scan_id) where scan_id is not null do nothing
    returning * into v_event;
    return v_event;
end;
$$;
revoke execute on function private.record_event(
    public.orders, text, public.order_stage, uuid, uuid, text, jsonb
) from public, anon, authenticated;
comment on function private.record_event(public.orders, text, public.order_stage, uuid, uuid, text, jsonb) is
    'Appends to the audit trail. Null when the scan id was spent on another order at the same moment.';

create function private.refuse_action(
    p_order public.orders,
    p_action text,
    p_code text,
    p_message text,
    p_user uuid,
    p_scan_id uuid,
    p_source text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
    -- Bad input says nothing about the order; every other refusal belongs to its history.
    if p_code <> 'BAD_INPUT' then
        perform private.record_event(
            p_order, 'refused', p_order.stage, p_user, p_scan_id, p_source,
            jsonb_build_object('action', p_action, 'code', p_code, 'message', p_message)
        );
    end if;
    return private.fail(p_code, p_message);
end;
$$;
revoke execute on function private.refuse_action(
    public.orders, text, text, text, uuid, uuid, text
) from public, anon, authenticated;
comment on function private.refuse_action(public.orders, text, text, text, uuid, uuid, text) is
    'Logs an unexpected state as an event and answers the refusal.';

create function private.answer_repeat(
    p_order public.orders,
    p_event public.stage_events,
    p_user uuid,
    p_scan_id uuid,
    p_source text
)
returns jsonb
language plpgsql
set search_path = ''
as $$
begin
    -- The scan id is spent even so: replayed after the next change it must not act.
    if p_scan_id is not null then
        perform private.record_event(
            p_order, 'scan_repeated', p_order.stage, p_user, p_scan_id, p_source,
            jsonb_build_object('event_id', p_event.id)
        );
    end if;
    return private.action_answer(p_order, p_event, true);
end;
$$;
revoke execute on function private.answer_repeat(
    public.orders, public.stage_events, uuid, uuid, text
) from public, anon, authenticated;
comment on function private.answer_repeat(public.orders, public.stage_events, uuid, uuid, text) is
    'Answers already_done with the event that did it.';

create function private.answer_replay(p_order public.orders, p_event public.stage_events)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
    v_event public.stage_events;
begin
    if p_event.action = 'refused' then
        return private.fail(p_event.meta ->> 'code', p_event.meta ->> 'message');
    elsif p_event.action = 'scan_repeated' then
        select * into v_event from public.stage_events e where e.id = (p_event.meta ->> 'event_id')::bigint;
        return private.action_answer(p_order, v_event, true);
    end if;
    return private.action_answer(p_order, p_event, true);
end;
$$;
revoke execute on function private.answer_replay(public.orders, public.stage_events) from public, anon, authenticated;
comment on function private.answer_replay(public.orders, public.stage_events) is
    'Answers a scan id that was seen before: what it did then, and nothing more.';

create function private.act_on_order(
    p_action text,
    p_id text,
    p_user uuid,
    p_input jsonb default '{}'::jsonb,
    p_kiosk boolean default false,
    p_scan_id uuid default null
)
returns jsonb
language plpgsql
set search_path = ''
as $$
declare
    v_target private.scan_target;
    v_order public.orders;
    v_event public.stage_events;
    v_rule private.order_actions;
    v_decision private.decision;
    v_user uuid := private.acting_user(p_user);
    v_source text := case when p_kiosk then 'kiosk' when private.is_service() then 'edge' else 'app' end;
    v_auto boolean := p_action = 'auto';
    v_action text := p_action;
    v_closed text;
    v_spent constant text := 'this scan_id was used for another order';
begin
    v_target := private.find_scanned(p_id, p_user);
    if v_target.code is not null then
        return private.fail(v_target.code, v_target.message);
    end if;

    -- From here on this order is ours alone: everything below sees what the last holder of the lock committed.
    select * into v_order
    from public.orders o
    where o.store = v_target.store and o.id = v_target.order_id
    for update;

    if p_scan_id is not null then
        select * into v_event from public.stage_events e where e.store = v_order.store and e.scan_id = p_scan_id;
        if found and v_event.order_id <> v_order.id then
            return private.refuse_action(v_order, p_action, 'CONFLICT', v_spent, v_user, null, v_source);
        elsif found then
            return private.answer_replay(v_order, v_event);
        end if;
    end if;

    v_closed := case
        when v_order.cancelled_at is not null then 'order is cancelled'
        when v_order.placeholder then 'the order itself has not arrived from the shop yet'
        when not (select s.kitchen_enabled from public.stores s where s.key = v_order.store) then
            'the kitchen of this store is switched off'
    end;
    if v_closed is not null then
        return private.refuse_action(v_order, p_action, 'CONFLICT', v_closed, v_user, p_scan_id, v_source);
    end if;

    if v_auto then
        -- Scanners bounce, and two people scan the same label. Both clocks are those of arrival, so waiting
        -- for the lock does not carry a bounce out of the window.
        select * into v_event
        from public.stage_events e
        where e.store = v_order.store and e.order_id = v_order.id
            and e.at > now() - interval '2 seconds'
            and e.meta @> '{"auto": true}'
        order by e.at desc, e.id desc
        limit 1;
        if found then
            return private.answer_repeat(v_order, v_event, v_user, p_scan_id, v_source);
        end if;

        v_action := private.next_action(v_order);
        if v_action is null then
            return private.answer_repeat(
                v_order, private.last_event(v_order, null), v_user, p_scan_id, v_source
            );
        end if;
    end if;

    select * into strict v_rule from private.order_actions a where a.action = v_action;
    if not v_order.store = any (private.acting_stores(p_user, v_rule.minimum_role)) then
        return private.refuse_action(
            v_order, v_action, 'PERMISSION_DENIED', format('%s needs the role %s', v_action, v_rule.minimum_role),
            v_user, p_scan_id, v_source
        );
    end if;

    v_decision := case v_action
        when 'qc_return_to_decorating' then private.decide_return(
            v_order, p_input ->> 'reason', v_order.store = any (private.acting_stores(p_user, 'Admin'))
        )
        when 'assign_staff' then private.decide_assignment(
            v_order, (p_input ->> 'staff_id')::uuid, p_input ->> 'note'
        )
        when 'set_storage' then private.decide_storage(v_order, p_input ->> 'storage')
        else private.decide_stage(v_order, v_rule)
    end;

    if v_decision.code is not null then
        return private.refuse_action(
            v_order, v_action, v_decision.code, v_decision.message, v_user, p_scan_id, v_source
        );
    elsif v_decision.already_done then
        return private.answer_repeat(
            v_order, private.last_event(v_order, v_action), v_user, p_scan_id, v_source
        );
    end if;

    v_event := private.record_event(
        v_order, v_action, (v_decision.result).stage, v_user, p_scan_id, v_source,
        v_decision.meta || jsonb_build_object('auto', nullif(v_auto, false), 'ctx', p_input -> 'ctx')
    );
    if v_event.id is null then
        return private.refuse_action(v_order, v_action, 'CONFLICT', v_spent, v_user, null, v_source);
    end if;

    update public.orders o
    set stage = (v_decision.result).stage,
        assignee_id = (v_decision.result).assignee_id,
        storage = (v_decision.result).storage,
        filling_start_ts = (v_decision.result).filling_start_ts,
        filling_complete_ts = (v_decision.result).filling_complete_ts,
        covering_complete_ts = (v_decision.result).covering_complete_ts,
        decorating_complete_ts = (v_decision.result).decorating_complete_ts,
        packing_start_ts = (v_decision.result).packing_start_ts,
        packing_complete_ts = (v_decision.result).packing_complete_ts
    where o.store = v_order.store and o.id = v_order.id
    returning * into v_order;
    return private.action_answer(v_order, v_event, false);
end;
$$;
revoke execute on function private.act_on_order(text, text, uuid, jsonb, boolean, uuid) from public, anon, authenticated;
comment on function private.act_on_order(text, text, uuid, jsonb, boolean, uuid) is
    'Does one action (or auto: the next one) to one order, once, whoever else tries. The caller checks the name of the action.';
