-- What each action means for an order. Pure decisions: nothing here writes.

create function private.decide_stage(p_order public.orders, p_rule private.order_actions)
returns private.decision
language plpgsql
stable
set search_path = ''
as $$
declare
    v_decision private.decision;
    v_stamped boolean := to_jsonb(p_order) ->> p_rule.stamp is not null;
    v_due boolean;
begin
    v_decision.meta := '{}';
    v_due := p_order.stage = p_rule.stage_from or (p_rule.stage_from is null and p_order.stage <> 'Complete');

    if v_stamped and (not v_due or p_rule.stage_to is null)
        and (p_rule.stage_from is null or p_order.stage >= p_rule.stage_from) then
        v_decision.already_done := true;
    elsif not v_due then
        v_decision.code := 'INVALID_STAGE';
        v_decision.message := format(
            'expected %s, order is in %s', coalesce('stage ' || p_rule.stage_from, 'an open stage'), p_order.stage
        );
    else
        v_decision.result := jsonb_populate_record(p_order, jsonb_build_object(p_rule.stamp, now()));
        if p_rule.stage_to is not null then
            v_decision.result.stage := p_rule.stage_to;
            -- The next stage picks the order up afresh.
            v_decision.result.assignee_id := null;
        end if;
    end if;
    return v_decision;
end;
$$;
revoke execute on function private.decide_stage(public.orders, private.order_actions) from public, anon, authenticated;
comment on function private.decide_stage(public.orders, private.order_actions) is
    'Print, complete a stage, start packing. Done already: stamped, and the order is past it. Codes: INVALID_STAGE.';

create function private.decide_return(p_order public.orders, p_reason text, p_admin boolean)
returns private.decision
language plpgsql
stable
set search_path = ''
as $$
declare
    v_decision private.decision;
    v_reason text := btrim(coalesce(p_reason, ''));
begin
    v_decision.meta := jsonb_build_object('reason', v_reason);

    if v_reason = '' or length(v_reason) > 500 then
        v_decision.code := 'BAD_INPUT';
        v_decision.message := 'a reason of 1 to 500 characters is required';
    elsif p_order.stage = 'Decorating'
        and (private.last_event(p_order, null)).action = 'qc_return_to_decorating' then
        v_decision.already_done := true;
    elsif p_order.stage = 'Complete' and not p_admin then
        v_decision.code := 'PERMISSION_DENIED';
        v_decision.message := 'only an Admin returns a complete order';
    elsif p_order.stage not in ('Packing', 'Complete') then
        v_decision.code := 'INVALID_STAGE';
        v_decision.message := format('expected stage Packing, order is in %s', p_order.stage);
    else
        v_decision.result := p_order;
        v_decision.result.stage := 'Decorating';
        v_decision.result.assignee_id := null;
        v_decision.result.decorating_complete_ts := null;
        v_decision.result.packing_start_ts := null;
        v_decision.result.packing_complete_ts := null;
    end if;
    return v_decision;
end;
$$;
revoke execute on function private.decide_return(public.orders, text, boolean) from public, anon, authenticated;
comment on function private.decide_return(public.orders, text, boolean) is
    'Quality control sends an order back to Decorating. Codes: BAD_INPUT, PERMISSION_DENIED, INVALID_STAGE.';

create function private.decide_assignment(p_order public.orders, p_staff_id uuid, p_note text)
returns private.decision
language plpgsql
stable
set search_path = ''
as $$
declare
    v_decision private.decision;
begin
    v_decision.meta := jsonb_build_object(
        'assignee_from', p_order.assignee_id, 'assignee_to', p_staff_id, 'note', nullif(btrim(p_note), '')
    );

    if length(p_note) > 500 then
        v_decision.code := 'BAD_INPUT';
        v_decision.message := 'a note has at most 500 characters';
    elsif p_order.stage = 'Complete' then
        v_decision.code := 'INVALID_STAGE';
        v_decision.message := 'expected an open stage, order is in Complete';
    elsif p_order.assignee_id is not distinct from p_staff_id then
        v_decision.already_done := true;
    elsif p_staff_id is not null and not p_order.store = any (private.stores_for(p_staff_id, 'Staff')) then
        -- The same answer for a person of another store, a former one and none: ids must not be probed.
        v_decision.code := 'BAD_INPUT';
        v_decision.message := format('staff_id is not an active member of store %s', p_order.store);
    else
        v_decision.result := p_order;
        v_decision.result.assignee_id := p_staff_id;
    end if;
    return v_decision;
end;
$$;
revoke execute on function private.decide_assignment(public.orders, uuid, text) from public, anon, authenticated;
comment on function private.decide_assignment(public.orders, uuid, text) is
    'Who works on the order; null: nobody. Codes: BAD_INPUT, INVALID_STAGE.';

create function private.decide_storage(p_order public.orders, p_storage text)
returns private.decision
language plpgsql
stable
set search_path = ''
as $$
declare
    v_decision private.decision;
    v_wanted text := btrim(coalesce(p_storage, ''));
    v_allowed text[];
    v_known text;
begin
    select s.storage_locations into v_allowed from public.stores s where s.key = p_order.store;
    select known.name into v_known from unnest(v_allowed) as known (name) where lower(known.name) = lower(v_wanted);

    if p_order.stage = 'Complete' then
        v_decision.code := 'INVALID_STAGE';
        v_decision.message := 'expected an open stage, order is in Complete';
    elsif length(v_wanted) > 100 or v_wanted ~ '[\u0001-\u001f\u007f-\u009f]' then
        v_decision.code := 'BAD_INPUT';
        v_decision.message := 'storage must be at most 100 printable characters; null or an empty text clears it';
    elsif v_wanted <> '' and v_allowed is not null and v_known is null then
        v_decision.code := 'BAD_INPUT';
        v_decision.message := 'storage must be one of: ' || array_to_string(v_allowed, ', ');
    else
        v_wanted := nullif(coalesce(v_known, v_wanted), '');
        v_decision.already_done := p_order.storage is not distinct from v_wanted;
        v_decision.meta := jsonb_build_object('storage_from', p_order.storage, 'storage_to', v_wanted);
        v_decision.result := p_order;
        v_decision.result.storage := v_wanted;
    end if;
    return v_decision;
end;
$$;
revoke execute on function private.decide_storage(public.orders, text) from public, anon, authenticated;
comment on function private.decide_storage(public.orders, text) is
    'Where the order is kept, spelled as in the list of the store if it has one; null: nowhere. Codes: BAD_INPUT, INVALID_STAGE.';
