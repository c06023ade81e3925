-- Showing a customer what is held about him: put together for the merchant, who hands it on.

create function private.export_letters(p_request public.compliance_requests, p_contacts jsonb)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    insert into private.data_exports (request_id, position, order_gid, content)
    select p_request.id, 0, '', jsonb_build_object('unreadable_deliveries', jsonb_agg(
        jsonb_build_object('received_at', a.created_at, 'topic', a.topic, 'body', a.body, 'encoding', a.encoding)
        order by a.id
    ))
    from private.letters_about(p_request, p_contacts) a
    having count(*) > 0;
end;
$$;
revoke execute on function private.export_letters(public.compliance_requests, jsonb) from public, anon;
comment on function private.export_letters(public.compliance_requests, jsonb) is
    'Puts the dead letters about a customer into his export. Called by accept_compliance only; no error codes.';

create function private.export_orders(p_request public.compliance_requests, p_gids text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    insert into private.data_exports (request_id, position, order_gid, content)
    select
        p_request.id, coalesce(nullif(p_request.progress, ''), '0')::integer + g.place, g.gid,
        jsonb_build_object(
            'order', (
                select to_jsonb(o) from public.orders o where o.store = x.store and o.id = x.order_id
            ),
            'lines', (
                select coalesce(jsonb_agg(to_jsonb(l) order by l."position", l.line_id), '[]'::jsonb)
                from public.order_line_items l
                where l.store = x.store and l.order_id = x.order_id
            ),
            'history', (
                select coalesce(
                    jsonb_agg(
                        jsonb_build_object('at', s.at, 'action', s.action, 'source', s.source, 'meta', s.meta) order by s.id
                    ),
                    '[]'::jsonb
                )
                from public.stage_events s
                where s.store = x.store and s.order_id = x.order_id
            ),
            'events', (
                select coalesce(
                    jsonb_agg(
                        jsonb_build_object('received_at', e.received_at, 'topic', e.type, 'payload', e.payload)
                        order by e.id
                    ),
                    '[]'::jsonb
                )
                from (
                    select h.id, h.received_at, h.type, h.payload
                    from public.event_store h
                    where h.store = p_request.store and h.ref_id = g.gid
                    union all
                    select a.id, a.received_at, a.type, a.payload
                    from public.event_archive a
                    where a.store = p_request.store and a.ref_id = g.gid
                ) e
            )
        )
    from unnest(p_gids) with ordinality as g (gid, place)
    join public.order_index x on x.shopify_order_gid = g.gid and x.store = p_request.store
    on conflict (request_id, position) do nothing;
end;
$$;
revoke execute on function private.export_orders(public.compliance_requests, text[]) from public, anon;
comment on function private.export_orders(public.compliance_requests, text[]) is
    'Puts everything held about these orders into the export of a request; an order that nobody knows has nothing. Called by run_compliance only; no error codes.';

create function public.get_data_export(p_request_id bigint, p_after integer default -1, p_limit integer default 50)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: exports are private; the role of the caller is checked here.
declare
    v_request public.compliance_requests;
    v_limit integer := least(greatest(coalesce(p_limit, 50), 1), 100);
    v_items jsonb;
    v_last integer;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin reads what is held about a customer');
    end if;
    select * into v_request
    from public.compliance_requests r
    where r.id = p_request_id and r.kind = 'data_request';
    if not found then
        return private.fail('NOT_FOUND', 'no such data request');
    end if;

    select coalesce(jsonb_agg(i.content || jsonb_build_object('order_gid', i.order_gid) order by i.position), '[]'::jsonb),
        max(i.position)
    into v_items, v_last
    from (
        select d.position, nullif(d.order_gid, '') as order_gid, d.content
        from private.data_exports d
        where d.request_id = p_request_id and d.position > coalesce(p_after, -1)
        order by d.position
        limit v_limit
    ) i;

    return private.ok(jsonb_build_object(
        'store', v_request.store,
        'shopify_request_id', v_request.shopify_request_id,
        'customer_id', v_request.customer_id,
        'status', v_request.status,
        'requested_at', v_request.created_at,
        'items', v_items,
        'next', case when jsonb_array_length(v_items) = v_limit then v_last end
    ));
end;
$$;
revoke execute on function public.get_data_export(bigint, integer, integer) from public, anon;
grant execute on function public.get_data_export(bigint, integer, integer) to authenticated, service_role;
comment on function public.get_data_export(bigint, integer, integer) is
    'What is held about the customer of a data request, an order an item: {store, shopify_request_id, customer_id, status, requested_at, items: [{order_gid, order, lines, history, events}], next}; next is p_after of the following page, null on the last. Empty once the customer had to be forgotten. Callable by an Admin and service_role. Codes: PERMISSION_DENIED, NOT_FOUND.';
