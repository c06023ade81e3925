-- An order joins a batch; two buyers never get the same places.

create function private.batch_join_answer(p_contribution public.batch_contributions, p_is_new boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
    select jsonb_build_object(
        'orderId', (p_contribution).order_id,
        'batchId', b.id,
        'isNewBatch', p_is_new,
        'pricing', jsonb_build_object(
            'unitPrice', round((p_contribution).unit_price, private.currency_decimals((p_contribution).currency)),
            'totalPrice', round((p_contribution).total_price, private.currency_decimals((p_contribution).currency)),
            'currency', (p_contribution).currency
        ),
        'batchFillPercentage', private.fill_percentage(b.current_quantity, b.target_quantity)
    )
    from public.production_batches b
    where b.id = (p_contribution).batch_id;
$$;
revoke execute on function private.batch_join_answer(public.batch_contributions, boolean) from public, anon;
comment on function private.batch_join_answer(public.batch_contributions, boolean) is
    'What process_batch_order answers about a contribution. Called by other functions only; no error codes.';

create function private.make_batch_order(
    p_store public.stores,
    p_order_id text,
    p_gid text,
    p_contribution public.batch_contributions
)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- An order is what its events say. This one has no time, so that whatever Shopify says of the order wins; and
    -- it is no orders/create, so that the order stays out of kitchen and courier until Shopify sends one.
    insert into public.event_store (
        source, type, store, ref_id, external_id, content_hash, occurred_at, payload, normalized, processed_at, attempts
    )
    values (
        'batch', 'batch/order', p_store.key, p_gid, concat_ws('/', p_store.key, 'batch/order', p_gid),
        encode(sha256(convert_to(p_gid, 'UTF8')), 'hex'), now(),
        jsonb_build_object(
            'batch_id', (p_contribution).batch_id, 'buyer_id', (p_contribution).buyer_id,
            'style_details', (p_contribution).style_details
        ),
        jsonb_build_object(
            'gid', p_gid, 'snapshot', true, 'topic_rank', 0,
            'product_title', (p_contribution).product_variant_base,
            'currency', (p_contribution).currency,
            'total_amount', (p_contribution).total_price::text,
            'payment_status', 'pending',
            'lines', jsonb_build_array(jsonb_build_object(
                'line_id', 'batch', 'position', 1, 'title', (p_contribution).product_variant_base,
                'variant_title', (p_contribution).style, 'quantity', (p_contribution).quantity,
                'price', (p_contribution).unit_price::text, 'gift_card', false, 'properties', '{}'::jsonb
            ))
        ),
        now(), 1
    );
    perform private.apply_order(p_store, p_order_id, p_gid, 'batch:' || (p_contribution).batch_id);
end;
$$;
revoke execute on function private.make_batch_order(public.stores, text, text, public.batch_contributions) from public, anon;
comment on function private.make_batch_order(public.stores, text, text, public.batch_contributions) is
    'Creates the order of a contribution as a placeholder. The caller holds the order''s lock. Called by other functions only; no error codes.';

create function private.join_batch(p_store public.stores, p_gid text, p_wanted public.batch_contributions, p_category text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_contribution public.batch_contributions := p_wanted;
    v_gid text := p_gid;
    v_existing public.batch_contributions;
    v_cancelled boolean;
    v_exists boolean;
    v_batch public.production_batches;
    v_terms public.supplier_terms;
    v_decimals integer;
    v_price numeric;
    v_at_most integer;
begin
    v_contribution.store := p_store.key;
    if p_gid is null then
        -- An order of our own: nobody else knows its id, so nobody else can hold it.
        v_gid := 'gid://ordak/Order/' || gen_random_uuid();
        insert into public.order_index (shopify_order_gid, store, order_id)
        values (v_gid, p_store.key, p_store.id_prefix || '-' || substring(v_gid from '[^/]+$'))
        returning order_id into v_contribution.order_id;
    else
        select b.order_id into v_contribution.order_id
        from private.bind_order(p_store, p_gid, '{}') b
        where b.store = p_store.key;
    end if;
    if v_contribution.order_id is null then
        raise exception 'the order belongs to another store' using errcode = 'OB409';
    end if;
    select * into v_existing
    from public.batch_contributions c
    where c.store = p_store.key and c.order_id = v_contribution.order_id;
    if found then
        return private.ok(private.batch_join_answer(v_existing, false), true);
    end if;
    select o.cancelled_at is not null into v_cancelled
    from public.orders o
    where o.store = p_store.key and o.id = v_contribution.order_id;
    v_exists := found;
    if v_cancelled then
        raise exception 'the order is cancelled' using errcode = 'OB409';
    end if;

    v_batch := private.take_batch(p_store, p_category, v_contribution.quantity, v_contribution.style);
    if v_batch.id is null then
        select max(t.minimum_order_quantity) into v_at_most
        from public.supplier_terms t
        join public.suppliers s on s.id = t.supplier_id and s.active
        where t.store = p_store.key and t.product_category = p_category;
        if v_at_most is not null then
            raise exception 'quantity is larger than any batch takes, which is %', v_at_most using errcode = 'OB400';
        end if;
        raise exception 'no active supplier makes this product category' using errcode = 'OB409';
    end if;

    select * into v_terms from public.supplier_terms t where t.id = v_batch.terms_id;
    v_decimals := private.currency_decimals(v_terms.currency);
    v_contribution.batch_id := v_batch.id;
    v_contribution.currency := v_terms.currency;
    v_price := round(
        v_terms.base_price
            * coalesce((v_terms.complexity ->> v_contribution.product_variant_base)::numeric, 1)
            * coalesce((v_terms.style_surcharge ->> v_contribution.style)::numeric, 1),
        v_decimals
    );
    if v_price * v_contribution.quantity >= 1e12 then
        raise exception 'the price of so many is out of range' using errcode = 'OB409';
    end if;
    v_contribution.unit_price := v_price;
    v_contribution.total_price := v_price * v_contribution.quantity;

    if not v_exists then
        perform private.make_batch_order(p_store, v_contribution.order_id, v_gid, v_contribution);
    end if;
    update public.production_batches b set
        current_quantity = b.current_quantity + v_contribution.quantity,
        style_count = b.style_count + case when exists (
            select 1
            from public.batch_contributions c
            where c.batch_id = b.id and c.store = b.store and c.style = v_contribution.style and c.withdrawn_at is null
        ) then 0 else 1 end
    where b.id = v_batch.id;
    insert into public.batch_contributions (
        store, batch_id, order_id, buyer_id, product_variant_base, style, style_details, quantity, unit_price,
        total_price, currency
    )
    values (
        v_contribution.store, v_contribution.batch_id, v_contribution.order_id, v_contribution.buyer_id,
        v_contribution.product_variant_base, v_contribution.style, v_contribution.style_details,
        v_contribution.quantity, v_contribution.unit_price, v_contribution.total_price, v_contribution.currency
    );
    insert into public.stage_events (store, order_id, action, source, meta)
    values (
        p_store.key, v_contribution.order_id, 'batch_joined', 'edge',
        jsonb_build_object('batch_id', v_batch.id, 'quantity', v_contribution.quantity)
    );

    return private.ok(private.batch_join_answer(v_contribution, v_batch.current_quantity = 0 and v_batch.created_at = now()));
end;
$$;
revoke execute on function private.join_batch(public.stores, text, public.batch_contributions, text) from public, anon;
comment on function private.join_batch(public.stores, text, public.batch_contributions, text) is
    'Makes the order unless it is there, and its contribution to the batch that is the right one for it. Raises OB400 or OB409 with a sentence for the caller, so that nothing is written. Called by process_batch_order only.';

create function public.process_batch_order(
    p_product_category text default null,
    p_product_variant_base text default null,
    p_quantity integer default null,
    p_style_details jsonb default null,
    p_buyer_id uuid default null,
    p_store text default null,
    p_order_gid text default null,
    p_user uuid default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '5s'
as $$
-- definer because: nobody may write these tables directly, the service role included.
declare
    v_style text := p_style_details ->> 'variant';
    v_keys text[];
    v_store public.stores;
    v_wanted public.batch_contributions;
    v_problem text;
begin
    if p_user is not null and not private.is_admin(p_user) then
        return private.fail('PERMISSION_DENIED', 'only an Admin puts an order into a batch');
    end if;
    v_problem := case
        when coalesce(btrim(p_product_category), '') = '' or length(p_product_category) > 200 then
            'productCategory must be a text of 1 to 200 characters'
        when coalesce(btrim(p_product_variant_base), '') = '' or length(p_product_variant_base) > 200 then
            'productVariantBase must be a text of 1 to 200 characters'
        when coalesce(p_quantity, 0) <= 0 then 'quantity must be a whole number above 0'
        when jsonb_typeof(p_style_details) is distinct from 'object' then 'styleDetails must be an object'
        when jsonb_typeof(p_style_details -> 'variant') is distinct from 'string' or btrim(v_style) = ''
            or length(v_style) > 200 then
            'styleDetails.variant must be a text of 1 to 200 characters'
        when length(p_style_details::text) > 16000 then 'styleDetails is too long'
        when p_buyer_id is null then 'buyerId must be a UUID'
        when p_order_gid !~ '^gid://shopify/Order/\d{1,19}$' then
            'orderGid must be Shopify''s id of an order, gid://shopify/Order/1'
    end;
    if v_problem is not null then
        return private.fail('BAD_INPUT', v_problem);
    end if;
    if not exists (select 1 from auth.users u where u.id = p_buyer_id) then
        return private.fail('NOT_FOUND', 'no such buyer');
    end if;

    -- Prices of different stores cannot be compared: where several make the category, the caller says which.
    v_keys := array_remove(array[coalesce(
        p_store, (select x.store from public.order_index x where x.shopify_order_gid = p_order_gid)
    )], null);
    if cardinality(v_keys) = 0 then
        v_keys := array(
            select t.store
            from public.supplier_terms t
            join public.suppliers s on s.id = t.supplier_id and s.active
            where t.product_category = p_product_category
            union
            select b.store
            from public.production_batches b
            where b.status = 'filling' and b.product_category = p_product_category and b.window_closes_at > now()
            order by 1
        );
    end if;
    if cardinality(v_keys) > 1 then
        return private.fail('BAD_INPUT', 'store is needed, this category is made for ' || array_to_string(v_keys, ' and '));
    end if;
    if cardinality(v_keys) = 0 then
        return private.fail('CONFLICT', 'no active supplier makes this product category');
    end if;
    select * into v_store from public.stores s where s.key = v_keys[1];
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    end if;

    v_wanted.buyer_id := p_buyer_id;
    v_wanted.product_variant_base := p_product_variant_base;
    v_wanted.style := v_style;
    v_wanted.style_details := p_style_details;
    v_wanted.quantity := p_quantity;
    begin
        return private.join_batch(v_store, p_order_gid, v_wanted, p_product_category);
    exception
        when sqlstate 'OB400' then
            return private.fail('BAD_INPUT', sqlerrm);
        when sqlstate 'OB409' then
            return private.fail('CONFLICT', sqlerrm);
    end;
end;
$$;
revoke execute on function public.process_batch_order(text, text, integer, jsonb, uuid, text, text, uuid)
    from public, anon, authenticated;
grant execute on function public.process_batch_order(text, text, integer, jsonb, uuid, text, text, uuid) to service_role;
comment on function public.process_batch_order(text, text, integer, jsonb, uuid, text, text, uuid) is
    'Puts an order into the fullest batch that has room, or opens one; p_store is needed when several stores make the category, p_order_gid names the Shopify order that this is (given twice it is already_done), p_user is the Admin in whose name. Returns {orderId, batchId, isNewBatch, pricing: {unitPrice, totalPrice, currency}, batchFillPercentage}. Callable by service_role. Codes: PERMISSION_DENIED, BAD_INPUT (also a quantity larger than any batch takes), NOT_FOUND (buyer, store), CONFLICT (no active supplier, order cancelled or of another store).';
