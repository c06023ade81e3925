-- What each line of an order should hold. Writing the difference to the stock and its ledger is in the next file.
--
-- Locks are always taken in this order, so that no two transactions can wait for each other: the advisory lock of an order
-- that nobody knows yet (bind_order), the order's row in order_index, then, for an order of few SKUs, the queues before stock
-- rows by SKU, then stock rows by SKU, then rows of other orders and their lines by order id, then keys of the queue that
-- several orders share (alerts). Whoever changes several items of work that are there already locks them by id, after
-- order_index and before stock and orders: reports have their items when they come for stock. Stored events come after
-- order_index as well. There are two ways to the stock:
--
-- The locked way (plan_holds): rows of stock are locked, then read, planned with and written. It is for whatever holds,
-- waits or releases already: nobody changes a line that is short without the lock of its stock. Corrections of stock and
-- what Shopify says of it (adjust_stock, settle_stock_checks, compare_stock) go this way too. None of them enters a queue:
-- who has a row may not wait for those who wait for it.
--
-- The late way (plan_new_holds): an order without a row yet plans with what it reads without a lock, writes all of its own,
-- its ledger as well, and takes its stock last, in one statement that takes only what is there (book_holds). Until then it
-- holds locks of nothing but what is its own: its row in order_index, rows that nobody else sees before the commit, queue
-- keys with its gid in them. So whoever holds stock never waits for it, and a SKU that everybody wants is locked for the
-- commit alone. What it planned is short of nothing, so no allocation can be after it meanwhile. When the stock is
-- gone at the last moment, all of it is undone, these locks too (OH409, try_event), and done again the locked way.

create type private.order_line as (
    line_id text,
    "position" integer,
    sku text,
    title text,
    variant_title text,
    quantity integer,
    consumed integer,
    price numeric,
    gift_card boolean,
    properties jsonb
);
comment on type private.order_line is
    'A line as a snapshot and the refunds after it have it. It holds quantity and consumed; only quantity can wait for stock.';

create type private.line_hold as (
    line_id text,
    sku text,
    item_id bigint,
    wanted integer,
    held_before integer,
    held_after integer,
    short_before integer,
    short_after integer,
    gone boolean,
    skipped text
);
comment on type private.line_hold is
    'What a line wants, held and shall hold: besides what it wants, what it lost. gone: the hold belongs to a line, or to the former SKU of a line, that is no more. skipped: why the line holds nothing though it wants something.';

create function private.read_lines(p_lines jsonb, p_refunded jsonb)
returns private.order_line[]
language plpgsql
stable
set search_path = ''
as $$
declare
    v_lines private.order_line[];
    v_repeats boolean;
begin
    -- Nothing here can raise, whatever the payload holds: one bad value must not poison its order for ever.
    select
        coalesce(array_agg(row(
            r.line_id,
            r.line_position,
            r.sku,
            r.title,
            r.variant_title,
            r.quantity - least(r.quantity, c.refunded),
            -- Both numbers of a line together are a number that an integer holds.
            least(
                r.consumed::bigint + least(r.quantity, c.refunded, c.lost),
                2147483647 - r.quantity + least(r.quantity, c.refunded)
            )::integer,
            r.price,
            r.gift_card,
            r.properties
        )::private.order_line order by r.line_position, r.ordinal), '{}'),
        count(distinct r.line_id) < count(*)
    into v_lines, v_repeats
    from (
        select
            e.ordinal,
            left(coalesce(nullif(x.line_id, ''), 'n:' || (e.ordinal - 1)), 200) as line_id,
            case when pg_input_is_valid(x."position", 'integer') then x."position"::integer
                else e.ordinal::integer end as line_position,
            case when length(x.sku) <= 255 then nullif(btrim(x.sku), '') end as sku,
            x.title,
            x.variant_title,
            case when pg_input_is_valid(x.quantity, 'integer') then greatest(x.quantity::integer, 0)
                else 0 end as quantity,
            case when pg_input_is_valid(x.consumed, 'integer') then greatest(x.consumed::integer, 0)
                else 0 end as consumed,
            case when x.price ~ '^-?\d+(\.\d+)?$' and pg_input_is_valid(x.price, 'numeric(16,3)')
                then x.price::numeric(16, 3) end as price,
            coalesce(x.gift_card = 'true', false) as gift_card,
            case when jsonb_typeof(x.properties) = 'object' then x.properties else '{}'::jsonb end as properties
        from jsonb_array_elements(case when jsonb_typeof(p_lines) = 'array' then p_lines else '[]'::jsonb end)
            with ordinality as e (line, ordinal)
        cross join lateral jsonb_to_record(
            case when jsonb_typeof(e.line) = 'object' then e.line else '{}'::jsonb end
        ) as x (
            line_id text, "position" text, sku text, title text, variant_title text, quantity text,
            consumed text, price text, gift_card text, properties jsonb
        )
    ) r
    cross join lateral (
        select
            coalesce((p_refunded -> r.line_id ->> 0)::integer, 0) as refunded,
            coalesce((p_refunded -> r.line_id ->> 1)::integer, 0) as lost
    ) c;

    -- An id that occurs twice: the later line gets a suffix.
    if v_repeats then
        v_lines := array(
            select row(
                case when n.repeat = 1 then n.line_id else n.line_id || '#' || n.repeat end,
                n."position", n.sku, n.title, n.variant_title, n.quantity, n.consumed, n.price, n.gift_card, n.properties
            )::private.order_line
            from (
                select u.*, row_number() over (partition by u.line_id order by u.ordinality) as repeat
                from unnest(v_lines) with ordinality u
            ) n
            order by n.ordinality
        );
    end if;

    return v_lines;
end;
$$;
revoke execute on function private.read_lines(jsonb, jsonb) from public, anon;
comment on function private.read_lines(jsonb, jsonb) is
    'The lines of a snapshot in their order, less what was refunded after it: p_refunded is {line id: [pieces, of which not put back]}. A line id that occurs twice gets a suffix. Called by other functions only; no error codes.';

create function private.plan_holds(
    p_store text,
    p_order_id text,
    p_lines private.order_line[],
    p_enabled boolean,
    p_open boolean
)
returns setof private.line_hold
language plpgsql
volatile
set search_path = ''
set plan_cache_mode = force_generic_plan
as $$
-- Generic plans, since of a short list the planner would make a plan anew for each call: five times the cost of running it.
declare
    v_skus text[];
    v_row record;
    v_hold private.line_hold;
    v_sku text;
    v_pool bigint;
    v_kept integer;
    v_was_open boolean;
begin
    if exists (select 1 from unnest(p_lines) n where n.consumed > 0) then
        select o.cancelled_at is null into v_was_open
        from public.orders o
        where o.store = p_store and o.id = p_order_id;
    end if;

    -- SKUs of which a hold may move. A line that is short counts, even when nothing is wanted for it any more:
    -- whoever allocates stock to it holds the stock row, and must not do so behind our back.
    select array_agg(distinct m.sku) into v_skus
    from (
        select n.sku
        from unnest(p_lines) n
        left join public.order_line_items l
            on l.store = p_store and l.order_id = p_order_id and l.line_id = n.line_id and l.sku = n.sku
        where coalesce(l.short_quantity, 0) > 0
            or coalesce(l.held_quantity, 0) <> case when p_enabled and not n.gift_card
                then case when p_open then n.quantity else 0 end + n.consumed else 0 end
        union all
        select l.sku
        from public.order_line_items l
        where l.store = p_store and l.order_id = p_order_id and (l.held_quantity > 0 or l.short_quantity > 0)
            and not exists (select 1 from unnest(p_lines) n where n.line_id = l.line_id and n.sku = l.sku)
    ) m;

    perform 1
    from unnest(v_skus) as m (sku)
    join public.inventory_items i on i.store = p_store and i.sku = m.sku
    where (i.tracked or exists (
            select 1
            from public.order_line_items l
            where l.store = p_store and l.order_id = p_order_id and l.sku = i.sku and l.held_quantity > 0
        ))
    order by i.sku
    for no key update of i;

    -- A new statement, so that it sees what the one before us left. Within a SKU first the lines that want less,
    -- then those that want more, as they come: all of it or, when it does not fit, nothing. A line that holds
    -- what it shall is left alone, so that applying the same state again moves nothing.
    --
    -- What a line lost (refunded, not put back) stays held as far as it ever was: of what it holds, the pieces
    -- beyond those it wanted before, and what it has lost since. A line that had been waiting lost nothing of ours.
    for v_row in
        select
            f.*,
            f.available + coalesce(
                sum(f.held - least(f.lost, f.held)) filter (where f.held not in (f.all_of_it, f.wanted + f.lost))
                    over (partition by f.sku), 0
            ) as pool
        from (
            select
                n.line_id, n.sku, n."position", i.id as item_id, false as gone,
                coalesce(l.held_quantity, 0) as held, coalesce(l.short_quantity, 0) as short,
                case when c.counts and p_open then n.quantity else 0 end as wanted,
                case when not c.counts then 0
                    when l.line_id is null then n.consumed
                    when l.short_quantity > 0 then least(l.held_quantity, n.consumed)
                    else least(greatest(
                        greatest(l.held_quantity - case when v_was_open then l.quantity else 0 end, 0)
                            + n.consumed - l.consumed, 0
                    ), n.consumed)
                end as lost,
                case when c.counts then case when p_open then n.quantity else 0 end + n.consumed else 0 end as all_of_it,
                coalesce(i.ats, 0)::bigint as available,
                case
                    when n.quantity = 0 or not (p_enabled and p_open) then null
                    when n.gift_card then 'gift_card'
                    when n.sku is null then 'no_sku'
                    when i.tracked is not true then 'untracked'
                end as skipped
            from unnest(p_lines) n
            left join public.order_line_items l
                on l.store = p_store and l.order_id = p_order_id and l.line_id = n.line_id and l.sku = n.sku
            left join public.inventory_items i on i.store = p_store and i.sku = n.sku
            cross join lateral (select coalesce(p_enabled and i.tracked and not n.gift_card, false) as counts) c
            union all
            select
                l.line_id, l.sku, l."position", i.id, true, l.held_quantity, l.short_quantity, 0, 0, 0,
                coalesce(i.ats, 0)::bigint, null
            from public.order_line_items l
            left join public.inventory_items i on i.store = p_store and i.sku = l.sku
            where l.store = p_store and l.order_id = p_order_id and (l.held_quantity > 0 or l.short_quantity > 0)
                and not exists (select 1 from unnest(p_lines) n where n.line_id = l.line_id and n.sku = l.sku)
        ) f
        order by f.sku, f.wanted + f.lost > f.held, f."position", f.line_id
    loop
        if v_sku is distinct from v_row.sku then
            v_sku := v_row.sku;
            v_pool := v_row.pool;
        end if;

        v_hold.line_id := v_row.line_id;
        v_hold.sku := v_row.sku;
        v_hold.item_id := v_row.item_id;
        v_hold.wanted := v_row.wanted;
        v_hold.held_before := v_row.held;
        v_hold.short_before := v_row.short;
        v_hold.gone := v_row.gone;
        v_hold.skipped := v_row.skipped;
        v_hold.short_after := 0;
        -- Pieces that are lost and held are in no pool: nobody else may have them.
        v_kept := least(v_row.lost, v_row.held);
        if v_row.held in (v_row.all_of_it, v_row.wanted + v_row.lost) then
            v_hold.held_after := v_row.held;
        elsif v_row.wanted + v_row.lost - v_kept <= v_pool then
            v_pool := v_pool - (v_row.wanted + v_row.lost - v_kept);
            v_hold.held_after := v_row.wanted + v_row.lost;
        else
            v_hold.held_after := v_kept;
            v_hold.short_after := v_row.wanted;
        end if;
        return next v_hold;
    end loop;
end;
$$;
revoke execute on function private.plan_holds(text, text, private.order_line[], boolean, boolean)
    from public, anon;
comment on function private.plan_holds(text, text, private.order_line[], boolean, boolean) is
    'Locks the stock that may move, in SKU order, and says for each line what it shall hold: what it wants and what it lost, or only the latter and short. p_enabled false releases everything; p_open false, a cancelled order, wants nothing. The caller holds the order''s lock. Called by other functions only; no error codes.';

create function private.enqueue_pushes(p_store text, p_cause text, p_skus text[], p_deltas integer[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- The key says which movement caused the push: the same movement again is one row, a later one another.
    -- A statement of its own and not enqueue_works: every order comes here, which would pay 15 microseconds more.
    insert into public.work_queue (topic, store, payload, dedupe_key, max_retries)
    select
        t.topic, p_store, jsonb_build_object('sku', m.sku), concat_ws('/', m.sku, m.delta, p_cause), t.max_attempts
    from unnest(p_skus, p_deltas) as m (sku, delta)
    join public.stores s on s.key = p_store and s.inventory_enabled
    join public.queue_topics t on t.topic = 'inventory_push'
    order by m.sku
    on conflict (topic, dedupe_key) do nothing;
end;
$$;
revoke execute on function private.enqueue_pushes(text, text, text[], integer[]) from public, anon;
comment on function private.enqueue_pushes(text, text, text[], integer[]) is
    'Has the stock of these SKUs pushed to Shopify, when the store has the inventory flow. p_cause must differ for each movement of a SKU, and be the same for its replay. Called by other functions only; no error codes.';
