-- The late way to the stock, and writing what was planned, by either way, to the stock and its ledger.

create function private.plan_new_holds(p_store text, p_lines private.order_line[], p_enabled boolean, p_open boolean)
returns private.line_hold[]
language plpgsql
stable
set search_path = ''
as $$
declare
    v_holds private.line_hold[];
    v_enough boolean;
begin
    -- As plan_holds plans for an order that holds nothing, when there is enough. Lines that share a SKU are looked at one by
    -- one here: whether there is enough for them together, book_holds finds out.
    select
        array_agg(row(
            n.line_id, n.sku, i.id, w.wanted, 0, w.wanted + w.lost, 0, 0, false,
            case
                when n.quantity = 0 or not (p_enabled and p_open) then null
                when n.gift_card then 'gift_card'
                when n.sku is null then 'no_sku'
                when i.tracked is not true then 'untracked'
            end
        )::private.line_hold),
        coalesce(bool_and(w.wanted + w.lost <= i.ats) filter (where w.wanted + w.lost > 0), true)
            -- What no stock can have in all must not become a sum that no integer can hold.
            and coalesce(sum(w.wanted + w.lost) <= 2147483647, true)
    into v_holds, v_enough
    from unnest(p_lines) n
    left join public.inventory_items i on i.store = p_store and i.sku = n.sku
    cross join lateral (
        select
            case when c.counts and p_open then n.quantity else 0 end as wanted,
            case when c.counts then n.consumed else 0 end as lost
        from (select coalesce(p_enabled and i.tracked and not n.gift_card, false) as counts) c
    ) w;

    return case when v_enough then coalesce(v_holds, '{}') end;
end;
$$;
revoke execute on function private.plan_new_holds(text, private.order_line[], boolean, boolean) from public, anon;
comment on function private.plan_new_holds(text, private.order_line[], boolean, boolean) is
    'What the lines of an order that has no row yet shall hold, planned without a lock; null when the stock of one of them does not suffice: then plan_holds decides. Called by apply_order only; no error codes.';

create function private.book_holds(
    p_store text,
    p_order_id text,
    p_gid text,
    p_cause text,
    p_holds private.line_hold[],
    p_items bigint[],
    p_deltas integer[],
    p_late boolean
)
returns void
language plpgsql
volatile
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
-- Generic plans, since of a short list the planner would make a plan anew for each call: five times the cost of running it.
declare
    -- Of more than so many at once, none is queued for: the table of such locks has an end.
    v_most_queued constant integer := 16;
    v_taken integer;
begin
    -- Before the stock is ours: others wait for it as long as we have it.
    insert into public.inventory_txn (item_id, store, order_id, line_id, delta, reason, idempotency_key)
    select
        h.item_id, p_store, p_order_id, h.line_id, h.held_before - h.held_after,
        case when h.held_after > h.held_before then 'hold' else 'release' end,
        concat_ws('/', p_gid, h.line_id, h.sku, p_cause)
    from unnest(p_holds) h
    where h.held_after <> h.held_before;

    if p_late then
        -- Queues before each row, in SKU order as p_items are. Of those who wait for a row itself every commit wakes all, since
        -- they wait for whoever has changed it last; of those who wait in a queue it wakes one, who finds the row as it is.
        -- Four queues: with one, the row would be nobody's until the next in it is given a processor.
        perform pg_catalog.pg_advisory_xact_lock(
            pg_catalog.hashint8extended(m.item_id, pg_catalog.pg_backend_pid() % 4)
        )
        from unnest(p_items) as m (item_id)
        where cardinality(p_items) <= v_most_queued;

        -- One row alone has no order, and the update locks it.
        if cardinality(p_items) > 1 then
            perform 1
            from unnest(p_items) as m (item_id)
            join public.inventory_items i on i.id = m.item_id
            order by i.sku
            for no key update of i;
        end if;
    end if;

    -- Last, and a statement of its own, which sees what those before us in a queue have left.
    update public.inventory_items i set ats = i.ats + m.delta
    from unnest(p_items, p_deltas) as m (item_id, delta)
    where i.id = m.item_id and i.ats + m.delta >= 0 and (i.tracked or m.delta >= 0);
    get diagnostics v_taken = row_count;
    if v_taken < cardinality(p_items) then
        raise exception 'the stock is gone' using errcode = 'OH409';
    end if;
end;
$$;
revoke execute on function private.book_holds(text, text, text, text, private.line_hold[], bigint[], integer[], boolean)
    from public, anon;
comment on function private.book_holds(text, text, text, text, private.line_hold[], bigint[], integer[], boolean) is
    'Writes planned holds to the stock and its ledger. p_items are those that move, in SKU order, p_deltas what becomes of each in all; p_late says that they were planned without a lock. The caller writes the lines. Called by apply_order only; raises OH409 when stock is not there any more, as can be then.';
