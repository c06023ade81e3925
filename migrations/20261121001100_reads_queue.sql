-- What the kitchen's screens read: the queue, and what nobody has picked up.

create function private.refuse_store(p_store text)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
    v_stores text[] := private.acting_stores();
begin
    if cardinality(v_stores) = 0 then
        return private.fail('PERMISSION_DENIED', 'you are not an active member of any store');
    elsif p_store is null then
        return private.fail('BAD_INPUT', 'store is missing');
    elsif not p_store = any (v_stores) then
        return private.fail('NOT_FOUND', 'no such store among yours');
    end if;
    return null;
end;
$$;
revoke execute on function private.refuse_store(text) from public, anon;
grant execute on function private.refuse_store(text) to authenticated, service_role;
comment on function private.refuse_store(text) is
    'Why the caller may not read this store, null when he may. A store of others answers exactly as an unknown one.';

create function private.queue_row(p_order public.orders)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
    return private.order_card(p_order) || jsonb_build_object(
        'customer_name', p_order.customer_name,
        'notes', p_order.notes,
        'delivery_method', p_order.delivery_method,
        'missing_fields', p_order.missing_fields,
        'inventory_blocked', p_order.inventory_blocked,
        'allocation_status', p_order.allocation_status
    );
end;
$$;
revoke execute on function private.queue_row(public.orders) from public, anon;
grant execute on function private.queue_row(public.orders) to authenticated, service_role;
comment on function private.queue_row(public.orders) is 'An order as the queue and the unassigned list show it.';

create function private.read_cursor(p_after text)
returns jsonb
language sql
stable
set search_path = ''
as $$
    select case
        when p_after is null then '[]'::jsonb
        when length(p_after) > 2000 or not pg_input_is_valid(p_after, 'jsonb') then null
        when jsonb_typeof(p_after::jsonb) <> 'array' or jsonb_array_length(p_after::jsonb) <> 4 then null
        when jsonb_path_exists(p_after::jsonb, '$[*] ? (@.type() != "string" && @.type() != "null")') then null
        when not pg_input_is_valid(coalesce(p_after::jsonb ->> 0, 'infinity'), 'date') then null
        else p_after::jsonb
    end;
$$;
revoke execute on function private.read_cursor(text) from public, anon;
grant execute on function private.read_cursor(text) to authenticated, service_role;
comment on function private.read_cursor(text) is
    'The keys [due date, size, number, id] of the last order of the page before; [] at the start, null when malformed.';

create function public.get_queue(
    p_store text,
    p_date_from date default null,
    p_date_to date default null,
    p_limit integer default null,
    p_after text default null
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: under row security the planner may not use the statistics of stage (enum_ne is not leakproof)
-- and may leave the index of the queue. refuse_store is the check.
declare
    v_refusal jsonb := private.refuse_store(p_store);
    v_limit integer := coalesce(p_limit, 50);
    v_after jsonb := private.read_cursor(p_after);
    v_paging boolean := jsonb_array_length(v_after) > 0;
    v_due date := v_after ->> 0;
    v_size text := v_after ->> 1;
    v_number text := coalesce(v_after ->> 2, '');
    v_id text := v_after ->> 3;
    v_dated boolean := not v_paging or v_due is not null;
    v_orders jsonb;
    v_next text;
begin
    if v_refusal is not null then
        return v_refusal;
    elsif v_limit not between 1 and 200 then
        return private.fail('BAD_INPUT', 'limit must be 1 to 200');
    elsif v_after is null then
        return private.fail('BAD_INPUT', 'after must be the next of an earlier page');
    end if;

    -- High, Medium, Low is the order of due dates with no date last, so the index on the date serves the priority.
    -- Two branches, dated and not: with an "or" between them no index scan could start at the cursor.
    with page as (
        (
            select o as found
            from public.orders o
            where v_dated
                and o.store = p_store and o.stage <> 'Complete' and o.cancelled_at is null and not o.placeholder
                and o.due_date >= greatest('-infinity'::date, p_date_from, v_due)
                and o.due_date <= coalesce(p_date_to, 'infinity'::date)
                and (
                    not v_paging
                    or o.due_date > v_due
                    or (
                        o.size is null, coalesce(o.size, ''), length(coalesce(o.shopify_order_number, '')),
                        coalesce(o.shopify_order_number, ''), o.id
                    ) > (v_size is null, coalesce(v_size, ''), length(v_number), v_number, v_id)
                )
            order by o.due_date, o.size, length(coalesce(o.shopify_order_number, '')),
                coalesce(o.shopify_order_number, ''), o.id
            limit v_limit + 1
        )
        union all
        (
            select o as found
            from public.orders o
            where p_date_from is null and p_date_to is null
                and o.store = p_store and o.stage <> 'Complete' and o.cancelled_at is null and not o.placeholder
                and o.due_date is null
                and (
                    v_dated
                    or (
                        o.size is null, coalesce(o.size, ''), length(coalesce(o.shopify_order_number, '')),
                        coalesce(o.shopify_order_number, ''), o.id
                    ) > (v_size is null, coalesce(v_size, ''), length(v_number), v_number, v_id)
                )
            order by o.size, length(coalesce(o.shopify_order_number, '')),
                coalesce(o.shopify_order_number, ''), o.id
            limit v_limit + 1
        )
    ),
    numbered as (
        select
            p.found,
            row_number() over (
                order by (p.found).due_date, (p.found).size, length(coalesce((p.found).shopify_order_number, '')),
                    coalesce((p.found).shopify_order_number, ''), (p.found).id
            ) as place
        from page p
    )
    select
        coalesce(jsonb_agg(private.queue_row(n.found) order by n.place) filter (where n.place <= v_limit), '[]'),
        case when count(*) > v_limit then
            max(
                jsonb_build_array(
                    (n.found).due_date, (n.found).size, (n.found).shopify_order_number, (n.found).id
                )::text
            ) filter (where n.place = v_limit)
        end
    into v_orders, v_next
    from numbered n;

    return private.ok(jsonb_build_object('orders', v_orders, 'next', v_next));
end;
$$;
revoke execute on function public.get_queue(text, date, date, integer, text) from public, anon;
grant execute on function public.get_queue(text, date, date, integer, text) to authenticated, service_role;
comment on function public.get_queue(text, date, date, integer, text) is
    'Open orders of a store by priority, due date, size and number. data.next goes into p_after for the next page; a date range leaves out orders without a date. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED.';
