-- Suppliers and their terms, as Admins keep them.

-- A mass cancellation meets throttling and outages: three attempts, as other work has, would end within seconds.
-- These reach over three quarters of an hour before a person is asked.
update public.queue_topics set max_attempts = 10 where topic = 'refund';

create function private.record_supplier_event(p_store text, p_type text, p_supplier_id uuid, p_payload jsonb)
returns void
language sql
volatile
set search_path = ''
as $$
    insert into public.event_store
        (source, type, store, ref_id, external_id, content_hash, occurred_at, payload, processed_at, attempts)
    select
        'batch', p_type, p_store, 'supplier:' || p_supplier_id, concat_ws('/', p_store, p_type, p_supplier_id, change.id),
        encode(sha256(convert_to(change.id::text, 'UTF8')), 'hex'), now(),
        p_payload || jsonb_strip_nulls(jsonb_build_object('supplier_id', p_supplier_id, 'by', private.caller())), now(), 1
    from gen_random_uuid() as change (id);
$$;
revoke execute on function private.record_supplier_event(text, text, uuid, jsonb) from public, anon;
comment on function private.record_supplier_event(text, text, uuid, jsonb) is
    'Adds an event that says what a supplier or its terms became and who did it. Called by other functions only; no error codes.';

create function public.upsert_supplier(
    p_store text default null,
    p_name text default null,
    p_active boolean default null,
    p_supplier_id uuid default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write these tables directly; only an Admin gets past the first check.
declare
    v_name text := btrim(p_name);
    v_was public.suppliers;
    v_is public.suppliers;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin keeps suppliers');
    end if;
    if v_name = '' or length(v_name) > 200 or (v_name is null and p_supplier_id is null) then
        return private.fail('BAD_INPUT', 'p_name must be a text of 1 to 200 characters');
    end if;
    if not exists (select 1 from public.stores s where s.key = p_store) then
        return private.fail('NOT_FOUND', 'no such store');
    end if;

    if p_supplier_id is null then
        -- Two that add the same one at once: the second finds it.
        insert into public.suppliers (store, name, active) values (p_store, v_name, coalesce(p_active, true))
        on conflict (store, name) do nothing
        returning * into v_is;
    end if;
    if v_is.id is null then
        select * into v_was
        from public.suppliers s
        where s.store = p_store and case when p_supplier_id is null then s.name = v_name else s.id = p_supplier_id end
        for no key update;
        if not found then
            return private.fail('NOT_FOUND', 'the store has no such supplier');
        end if;
        if v_name <> v_was.name and exists (
            select 1 from public.suppliers s where s.store = p_store and s.name = v_name
        ) then
            return private.fail('CONFLICT', 'the store has another supplier of this name');
        end if;
        begin
            update public.suppliers s set name = coalesce(v_name, s.name), active = coalesce(p_active, s.active)
            where s.id = v_was.id
                and (s.name, s.active) is distinct from (coalesce(v_name, s.name), coalesce(p_active, s.active))
            returning * into v_is;
        exception
            -- Somebody gave another one this name at the same moment.
            when unique_violation then
                return private.fail('CONFLICT', 'the store has another supplier of this name');
        end;
    end if;

    if v_is.id is not null then
        perform private.record_supplier_event(
            p_store, 'batch/supplier', v_is.id, jsonb_build_object('name', v_is.name, 'active', v_is.active)
        );
    end if;
    return private.ok(
        jsonb_build_object(
            'supplier_id', coalesce(v_is.id, v_was.id), 'store', p_store, 'name', coalesce(v_is.name, v_was.name),
            'active', coalesce(v_is.active, v_was.active)
        ),
        v_is.id is null
    );
end;
$$;
revoke execute on function public.upsert_supplier(text, text, boolean, uuid) from public, anon;
grant execute on function public.upsert_supplier(text, text, boolean, uuid) to authenticated, service_role;
comment on function public.upsert_supplier(text, text, boolean, uuid) is
    'Adds the supplier of this name to a store, or changes it; p_supplier_id renames one. p_active left out keeps what is, and makes a new one active; an inactive one gets no new batch. Who changed what is an event; no change is already_done. Returns {supplier_id, store, name, active}. Callable by an Admin and service_role. Codes: PERMISSION_DENIED, BAD_INPUT, NOT_FOUND (store, supplier), CONFLICT (the name is taken).';

create function private.supplier_terms_problem(p_terms public.supplier_terms)
returns text
language sql
immutable
set search_path = ''
as $$
    select case
        when coalesce(btrim((p_terms).product_category), '') = '' or length((p_terms).product_category) > 200 then
            'p_product_category must be a text of 1 to 200 characters'
        when coalesce((p_terms).currency, '') !~ '^[A-Z]{3}$' then 'p_currency must be three capital letters, such as AUD'
        when coalesce((p_terms).minimum_order_quantity, 0) <= 0 then
            'p_minimum_order_quantity must be a whole number above 0'
        when coalesce((p_terms).lead_time_days, -1) not between 0 and 365 then
            'p_lead_time_days must be a whole number from 0 to 365'
        when coalesce((p_terms).style_limit, 0) <= 0 then 'p_style_limit must be a whole number above 0'
        when not private.are_factors((p_terms).complexity) or length((p_terms).complexity::text) > 16000 then
            'p_complexity must be an object of numbers from 0.0001 to 10000 by product variant base'
        when not private.are_factors((p_terms).style_surcharge) or length((p_terms).style_surcharge::text) > 16000 then
            'p_style_surcharge must be an object of numbers from 0.0001 to 10000 by variant of style'
    end;
$$;
revoke execute on function private.supplier_terms_problem(public.supplier_terms) from public, anon;
comment on function private.supplier_terms_problem(public.supplier_terms) is
    'What is wrong with terms besides their price, for people; null when nothing is. Called by other functions only.';

create function public.upsert_supplier_terms(
    p_supplier_id uuid default null,
    p_product_category text default null,
    p_base_price numeric default null,
    p_currency text default null,
    p_minimum_order_quantity integer default null,
    p_lead_time_days integer default null,
    p_style_limit integer default null,
    p_complexity jsonb default null,
    p_style_surcharge jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write these tables directly; only an Admin gets past the first check.
declare
    v_wanted public.supplier_terms;
    v_was public.supplier_terms;
    v_is public.supplier_terms;
    v_problem text;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin keeps the terms of suppliers');
    end if;
    -- Rounded by the column, another price would be agreed upon than was said. NaN is greater than everything.
    if p_base_price is null or p_base_price <= 0 or p_base_price > 1000000 or p_base_price <> round(p_base_price, 3) then
        return private.fail('BAD_INPUT', 'p_base_price must be above 0, at most 1000000, with at most three decimals');
    end if;
    v_wanted.product_category := p_product_category;
    v_wanted.base_price := p_base_price;
    v_wanted.currency := p_currency;
    v_wanted.minimum_order_quantity := p_minimum_order_quantity;
    v_wanted.lead_time_days := p_lead_time_days;
    v_wanted.style_limit := p_style_limit;
    v_wanted.complexity := coalesce(p_complexity, '{}'::jsonb);
    v_wanted.style_surcharge := coalesce(p_style_surcharge, '{}'::jsonb);
    v_problem := private.supplier_terms_problem(v_wanted);
    if v_problem is not null then
        return private.fail('BAD_INPUT', v_problem);
    end if;

    select s.store into v_wanted.store from public.suppliers s where s.id = p_supplier_id;
    if not found then
        return private.fail('NOT_FOUND', 'no such supplier');
    end if;

    insert into public.supplier_terms (
        store, supplier_id, product_category, base_price, currency, complexity, style_surcharge, minimum_order_quantity,
        lead_time_days, style_limit
    )
    values (
        v_wanted.store, p_supplier_id, v_wanted.product_category, v_wanted.base_price, v_wanted.currency,
        v_wanted.complexity, v_wanted.style_surcharge, v_wanted.minimum_order_quantity, v_wanted.lead_time_days,
        v_wanted.style_limit
    )
    on conflict (supplier_id, product_category) do nothing
    returning * into v_is;
    if v_is.id is null then
        -- Whoever opens a batch on these terms holds a lock that waits for this one.
        select * into v_was
        from public.supplier_terms t
        where t.supplier_id = p_supplier_id and t.product_category = v_wanted.product_category
        for no key update;
        if v_was.currency <> v_wanted.currency and exists (
            select 1 from public.production_batches b where b.terms_id = v_was.id and b.status = 'filling'
        ) then
            return private.fail('CONFLICT', format('a batch is filling on these terms in %s', v_was.currency));
        end if;
        update public.supplier_terms t set
            base_price = v_wanted.base_price,
            currency = v_wanted.currency,
            complexity = v_wanted.complexity,
            style_surcharge = v_wanted.style_surcharge,
            minimum_order_quantity = v_wanted.minimum_order_quantity,
            lead_time_days = v_wanted.lead_time_days,
            style_limit = v_wanted.style_limit
        where t.id = v_was.id and (
            t.base_price, t.currency, t.complexity, t.style_surcharge, t.minimum_order_quantity, t.lead_time_days,
            t.style_limit
        ) is distinct from (
            v_wanted.base_price, v_wanted.currency, v_wanted.complexity, v_wanted.style_surcharge,
            v_wanted.minimum_order_quantity, v_wanted.lead_time_days, v_wanted.style_limit
        )
        returning * into v_is;
    end if;

    if v_is.id is not null then
        perform private.record_supplier_event(
            v_wanted.store, 'batch/supplier_terms', p_supplier_id,
            to_jsonb(v_is) - '{id,store,supplier_id,created_at,updated_at}'::text[]
        );
    end if;
    return private.ok(
        jsonb_build_object('terms_id', coalesce(v_is.id, v_was.id), 'store', v_wanted.store), v_is.id is null
    );
end;
$$;
revoke execute on function public.upsert_supplier_terms(uuid, text, numeric, text, integer, integer, integer, jsonb, jsonb)
    from public, anon;
grant execute on function public.upsert_supplier_terms(uuid, text, numeric, text, integer, integer, integer, jsonb, jsonb)
    to authenticated, service_role;
comment on function public.upsert_supplier_terms(uuid, text, numeric, text, integer, integer, integer, jsonb, jsonb) is
    'Sets what a supplier asks for a category, wholly: factors that are left out are none. Orders that join from now on are priced by it; running batches keep target, window and style limit. Who changed what is an event; no change is already_done. Returns {terms_id, store}. Callable by an Admin and service_role. Codes: PERMISSION_DENIED, BAD_INPUT, NOT_FOUND (supplier), CONFLICT (another currency while a batch is filling).';
