-- Which batch an order joins: the fullest that has room, else a new one, which the cheapest supplier makes.

create function private.find_batch(p_store text, p_category text, p_quantity integer, p_style text, p_only uuid)
returns uuid
language sql
stable
set search_path = ''
as $$
    select b.id
    from public.production_batches b
    where b.status = 'filling' and b.store = p_store and b.product_category = p_category
        and (p_only is null or b.id = p_only)
        and b.window_closes_at > now()
        and b.current_quantity + p_quantity <= b.target_quantity
        and (
            b.style_count < b.style_limit
            or exists (
                select 1
                from public.batch_contributions c
                where c.batch_id = b.id and c.store = b.store and c.style = p_style and c.withdrawn_at is null
            )
        )
    order by b.current_quantity::numeric / b.target_quantity desc, b.window_closes_at, b.id
    limit 1;
$$;
revoke execute on function private.find_batch(text, text, integer, text, uuid) from public, anon;
comment on function private.find_batch(text, text, integer, text, uuid) is
    'The fullest open batch of the category that has room for the quantity and for the style (one that is in it always fits); with p_only that batch or none. Called by other functions only; no error codes.';

create function private.take_batch(p_store public.stores, p_category text, p_quantity integer, p_style text)
returns public.production_batches
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_id uuid;
    v_terms public.supplier_terms;
    v_batch public.production_batches;
    v_last_day date;
begin
    -- Those who join a category take turns. Whoever waited for a batch and finds it full still has it locked while they
    -- wait for the next: without turns, two of them could wait for each other.
    perform pg_advisory_xact_lock(hashtextextended(concat_ws('/', 'ordak/join', p_store.key, p_category), 0));
    -- Each further round means that the batch was decided meanwhile: it ends.
    loop
        v_id := private.find_batch(p_store.key, p_category, p_quantity, p_style, null);
        exit when v_id is null;

        select * into v_batch from public.production_batches b where b.id = v_id for update;
        if private.find_batch(p_store.key, p_category, p_quantity, p_style, v_id) = v_id then
            return v_batch;
        end if;
    end loop;

    -- Whoever changes these terms asks whether a batch fills on them: not before this one is there.
    select t.* into v_terms
    from public.supplier_terms t
    join public.suppliers s on s.id = t.supplier_id and s.active
    where t.store = p_store.key and t.product_category = p_category and t.minimum_order_quantity >= p_quantity
    order by t.base_price, t.id
    limit 1
    for share of t;
    if not found then
        return null;
    end if;

    v_last_day := (now() at time zone p_store.timezone)::date + v_terms.lead_time_days;
    insert into public.production_batches
        (store, terms_id, product_category, target_quantity, style_limit, window_closes_at, estimated_start_date)
    values (
        p_store.key, v_terms.id, p_category, v_terms.minimum_order_quantity, v_terms.style_limit,
        (v_last_day + 1)::timestamp at time zone p_store.timezone, v_last_day + 1
    )
    returning * into v_batch;
    return v_batch;
end;
$$;
revoke execute on function private.take_batch(public.stores, text, integer, text) from public, anon;
comment on function private.take_batch(public.stores, text, integer, text) is
    'The batch that an order joins, locked; opened with the cheapest active supplier when none has room (current_quantity 0). Its window closes at midnight in the timezone of the store, after the lead time. Null when there is no such supplier. Called by other functions only; no error codes.';
