-- What a kiosk calls: one scan, one call.

create function public.scan(
    p_scan text,
    p_action text default 'auto',
    p_user uuid default null,
    p_scan_id uuid default null
)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
declare
    v_action text := coalesce(p_action, 'auto');
begin
    if v_action <> 'auto'
        and not exists (select 1 from private.order_actions a where a.action = v_action and a.scannable) then
        return private.fail(
            'BAD_INPUT',
            'unknown action; a scan may name auto, '
                || (select string_agg(a.action, ', ' order by a.action) from private.order_actions a where a.scannable)
        );
    end if;
    return private.act_on_order(v_action, p_scan, p_user, p_kiosk => true, p_scan_id => p_scan_id);
end;
$$;
revoke execute on function public.scan(text, text, uuid, uuid) from public, anon;
grant execute on function public.scan(text, text, uuid, uuid) to authenticated, service_role;
comment on function public.scan(text, text, uuid, uuid) is
    'Resolves a scan and does the next right thing (auto), or the named action. A scan_id acts once, also when it is replayed later; automatic scans of an order within 2 s count as one. Callable by Staff and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.get_order_for_scan(p_scan text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
    v_target private.scan_target := private.find_scanned(p_scan, null);
    v_order public.orders;
begin
    if v_target.code is not null then
        return private.fail(v_target.code, v_target.message);
    end if;
    select * into v_order from public.orders o where o.store = v_target.store and o.id = v_target.order_id;
    return private.ok(private.order_card(v_order));
end;
$$;
revoke execute on function public.get_order_for_scan(text) from public, anon;
grant execute on function public.get_order_for_scan(text) to authenticated, service_role;
comment on function public.get_order_for_scan(text) is
    'What a kiosk may show of the scanned order, and its next action. Callable by Staff and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED.';
