-- What nobody has picked up.

create function public.get_unassigned_counts(p_store text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: under row security the planner may not use the statistics of stage (enum_ne is not leakproof):
-- 62 ms instead of 6 on 220 000 orders. refuse_store is the check.
declare
    v_refusal jsonb := private.refuse_store(p_store);
    v_counts jsonb;
begin
    if v_refusal is not null then
        return v_refusal;
    end if;

    select jsonb_build_object(
        'filling', count(*) filter (where o.stage = 'Filling'),
        'covering', count(*) filter (where o.stage = 'Covering'),
        'decorating', count(*) filter (where o.stage = 'Decorating'),
        'packing', count(*) filter (where o.stage = 'Packing')
    )
    into v_counts
    from public.orders o
    where o.store = p_store and o.assignee_id is null and o.stage <> 'Complete'
        and o.cancelled_at is null and not o.placeholder;
    return private.ok(v_counts);
end;
$$;
revoke execute on function public.get_unassigned_counts(text) from public, anon;
grant execute on function public.get_unassigned_counts(text) to authenticated, service_role;
comment on function public.get_unassigned_counts(text) is
    'How many open orders of a store nobody has, by stage. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED.';

create function public.get_unassigned_list(
    p_store text,
    p_stage text default null,
    p_limit integer default null,
    p_offset integer default null
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: under row security the planner may not use the statistics of stage (enum_ne is not leakproof):
-- 62 ms instead of 6 on 220 000 orders. refuse_store is the check.
declare
    v_refusal jsonb := private.refuse_store(p_store);
    v_stages public.order_stage[];
    v_orders jsonb;
begin
    if v_refusal is not null then
        return v_refusal;
    end if;
    v_stages := array(
        select s.stage
        from unnest(enum_range(null::public.order_stage)) as s (stage)
        where s.stage <> 'Complete' and (p_stage is null or lower(s.stage::text) = lower(p_stage))
    );
    if cardinality(v_stages) = 0 then
        return private.fail('BAD_INPUT', 'stage must be Filling, Covering, Decorating or Packing');
    elsif coalesce(p_limit, 50) not between 1 and 200 then
        return private.fail('BAD_INPUT', 'limit must be 1 to 200');
    elsif coalesce(p_offset, 0) not between 0 and 100000 then
        return private.fail('BAD_INPUT', 'offset must be 0 to 100000');
    end if;

    select coalesce(jsonb_agg(private.queue_row(page.found) order by page.place), '[]')
    into v_orders
    from (
        -- Cut first and numbered then: numbering all of them would sort all of them.
        select
            cut.found,
            row_number() over (
                order by (cut.found).stage, (cut.found).due_date, (cut.found).size,
                    length(coalesce((cut.found).shopify_order_number, '')),
                    coalesce((cut.found).shopify_order_number, ''), (cut.found).id
            ) as place
        from (
            select o as found
            from public.orders o
            where o.store = p_store and o.stage = any (v_stages) and o.assignee_id is null and o.stage <> 'Complete'
                and o.cancelled_at is null and not o.placeholder
            order by o.stage, o.due_date, o.size, length(coalesce(o.shopify_order_number, '')),
                coalesce(o.shopify_order_number, ''), o.id
            limit coalesce(p_limit, 50)
            offset coalesce(p_offset, 0)
        ) cut
    ) page;
    return private.ok(jsonb_build_object('orders', v_orders));
end;
$$;
revoke execute on function public.get_unassigned_list(text, text, integer, integer) from public, anon;
grant execute on function public.get_unassigned_list(text, text, integer, integer) to authenticated, service_role;
comment on function public.get_unassigned_list(text, text, integer, integer) is
    'Open orders of a store that nobody has, of one stage or all, by stage, due date, size and number. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED.';
