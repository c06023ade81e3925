-- Everything that happened to one order, in one list.

create function public.get_order_timeline(p_id text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: Staff may know that a webhook came but not read its payload, nor the staff rows of colleagues.
declare
    v_target private.scan_target := private.find_scanned(p_id, null);
    v_gid text;
    v_entries jsonb;
begin
    if v_target.code is not null then
        return private.fail(v_target.code, v_target.message);
    end if;
    select o.shopify_order_gid into v_gid
    from public.orders o
    where o.store = v_target.store and o.id = v_target.order_id;

    with entry as (
        (
            select e.received_at as at, 1 as kind_rank, e.id, 'webhook' as kind, e.type as action,
                null::uuid as by,
                jsonb_build_object('event_id', e.id, 'source', e.source, 'occurred_at', e.occurred_at) as detail
            from public.event_store e
            where e.store = v_target.store and e.ref_id = v_gid
            order by e.id desc
            limit 500
        )
        union all
        (
            select e.received_at, 1, e.id, 'webhook', e.type, null::uuid,
                jsonb_build_object('event_id', e.id, 'source', e.source, 'occurred_at', e.occurred_at)
            from public.event_archive e
            where e.store = v_target.store and e.ref_id = v_gid
            order by e.id desc
            limit 500
        )
        union all
        (
            -- Whatever ships an order or corrects its customs says so in the audit trail, by the first word of the action.
            select e.at, 2, e.id,
                case
                    when e.source = 'kiosk' then 'scan'
                    when e.action ~ '^(booking|shipment|fulfillment)_' then 'shipment'
                    when e.action ~ '^customs_' then 'customs'
                    else 'action'
                end,
                e.action, e.performed_by,
                jsonb_build_object(
                    'stage_from', e.stage_from, 'stage_to', e.stage_to, 'source', e.source, 'meta', e.meta
                )
            from public.stage_events e
            where e.store = v_target.store and e.order_id = v_target.order_id
            order by e.at desc, e.id desc
            limit 500
        )
        union all
        (
            select t.created_at, 3, t.id, 'stock', t.reason, null,
                jsonb_build_object('sku', i.sku, 'delta', t.delta, 'line_id', t.line_id)
            from public.inventory_txn t
            join public.inventory_items i on i.id = t.item_id
            where t.store = v_target.store and t.order_id = v_target.order_id
            order by t.id desc
            limit 500
        )
    ),
    latest as (
        select en.*, st.name as by_name
        from entry en
        left join public.staff st on st.user_id = en.by
        order by en.at desc, en.kind_rank desc, en.id desc
        limit 500
    )
    select coalesce(
        jsonb_agg(
            jsonb_build_object(
                'at', l.at, 'kind', l.kind, 'action', l.action, 'by', l.by, 'by_name', l.by_name, 'detail', l.detail
            )
            order by l.at, l.kind_rank, l.id
        ),
        '[]'
    )
    into v_entries
    from latest l;

    return private.ok(
        jsonb_build_object('id', v_target.order_id, 'store', v_target.store, 'entries', v_entries)
    );
end;
$$;
revoke execute on function public.get_order_timeline(text) from public, anon;
grant execute on function public.get_order_timeline(text) to authenticated, service_role;
comment on function public.get_order_timeline(text) is
    'Webhooks, scans, actions, stock movements, shipments and customs of an order, oldest first, the latest 500. Callable by Staff of its store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED.';
