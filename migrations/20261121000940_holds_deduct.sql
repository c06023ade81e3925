-- Holding stock for an order by name, besides what ingest does.

create function public.deduct_on_order_create(p_order_gid text, p_payload jsonb default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stock directly, the service role included.
declare
    v_bound public.order_index;
    v_store public.stores;
    v_change private.order_change;
begin
    select * into v_bound from public.order_index x where x.shopify_order_gid = p_order_gid for update;
    if not found then
        return private.fail('NOT_FOUND', 'no such order');
    end if;
    select * into v_store from public.stores s where s.key = v_bound.store;

    -- What the lines want is what the events of the order say; a payload given here cannot overrule them.
    -- Holds move by the difference, so a repeat moves nothing; the random cause only keeps ledger keys apart.
    v_change := private.apply_order(v_store, v_bound.order_id, p_order_gid, 'deduct:' || gen_random_uuid());

    return private.ok(
        jsonb_build_object(
            'order_id', v_bound.order_id,
            'store', v_bound.store,
            'allocation_status', v_change.allocation_status,
            'moved_lines', v_change.moved,
            'short', coalesce(v_change.short, '[]'::jsonb),
            'skipped', v_change.skipped
        ),
        v_change.moved = 0
    );
end;
$$;
revoke execute on function public.deduct_on_order_create(text, jsonb) from public, anon, authenticated;
grant execute on function public.deduct_on_order_create(text, jsonb) to service_role;
comment on function public.deduct_on_order_create(text, jsonb) is
    'Holds stock for every tracked line of an order that does not hold what it wants; ingest has normally done so. Idempotent for each line. p_payload is accepted and not needed: the stored events say what the lines want. Returns {order_id, store, allocation_status, moved_lines, short, skipped}. Callable by service_role. Codes: NOT_FOUND.';
