-- What is left when personal data is taken out: pure functions, and the one place that says what is personal.
--
-- Everything is dropped that is not known to be harmless: ids, amounts, SKUs, titles of products, counts and times.
-- Each function gives the same again when it is applied to its own result.

create function private.pick(p_object jsonb, p_names text[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
    -- Besides single values only sums of money have a form of their own.
    return coalesce(
        (
            select jsonb_object_agg(m.key, m.value)
            from jsonb_each(case when jsonb_typeof(p_object) = 'object' then p_object else '{}'::jsonb end) m
            where m.key = any(p_names)
                and (jsonb_typeof(m.value) not in ('object', 'array') or (m.key ~ '_set$' and m.value ? 'shop_money'))
        ),
        '{}'::jsonb
    );
end;
$$;
revoke execute on function private.pick(jsonb, text[]) from public, anon;
comment on function private.pick(jsonb, text[]) is
    'The named members of an object that are single values or sums of money; {} when it is none. Called by other functions only; no error codes.';

create function private.pick_each(p_list jsonb, p_names text[])
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
    return (
        select coalesce(jsonb_agg(private.pick(e.element, p_names) order by e.ordinal), '[]'::jsonb)
        from jsonb_array_elements(case when jsonb_typeof(p_list) = 'array' then p_list else '[]'::jsonb end)
            with ordinality as e (element, ordinal)
    );
end;
$$;
revoke execute on function private.pick_each(jsonb, text[]) from public, anon;
comment on function private.pick_each(jsonb, text[]) is
    'The named members of each object in a list. Called by other functions only; no error codes.';

create function private.redact_payload(p_payload jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
declare
    v_order constant text[] := '{id,admin_graphql_api_id,app_id,order_number,number,order_id,created_at,updated_at,'
        'processed_at,closed_at,cancelled_at,cancel_reason,confirmed,test,currency,presentment_currency,taxes_included,'
        'tax_exempt,duties_included,financial_status,fulfillment_status,total_price,total_price_set,current_total_price,'
        'current_total_price_set,subtotal_price,subtotal_price_set,current_subtotal_price,current_subtotal_price_set,'
        'total_line_items_price,total_line_items_price_set,total_tax,total_tax_set,current_total_tax,'
        'current_total_tax_set,total_discounts,total_discounts_set,current_total_discounts,'
        'current_total_discounts_set,total_shipping_price_set,total_outstanding,total_tip_received,total_weight,'
        'restock,inventory_item_id,location_id,available,shop_id,shop_domain,myshopify_domain,batch_id,decision,status,quantity,target,orders_cancelled,by}';
    v_line constant text[] := '{id,admin_graphql_api_id,line_item_id,product_id,variant_id,sku,title,variant_title,'
        'quantity,current_quantity,fulfillable_quantity,price,price_set,total_discount,total_discount_set,gift_card,'
        'grams,taxable,requires_shipping,fulfillment_status,restock_type,location_id,subtotal,subtotal_set,total_tax,'
        'total_tax_set}';
    v_kept jsonb := private.pick(p_payload, v_order) || '{"redacted": true}';
    v_name text;
begin
    foreach v_name in array '{line_items,refund_line_items}'::text[]
    loop
        if p_payload ? v_name then
            v_kept := v_kept || jsonb_build_object(v_name, private.pick_each(p_payload -> v_name, v_line));
        end if;
    end loop;
    if jsonb_typeof(p_payload -> 'refunds') = 'array' then
        v_kept := v_kept || jsonb_build_object('refunds', (
            select coalesce(jsonb_agg(private.redact_payload(r.refund) order by r.ordinal), '[]'::jsonb)
            from jsonb_array_elements(p_payload -> 'refunds') with ordinality as r (refund, ordinal)
        ));
    end if;
    if jsonb_typeof(p_payload -> 'order') = 'object' then
        v_kept := v_kept || jsonb_build_object('order', private.redact_payload(p_payload -> 'order'));
    end if;
    return v_kept;
end;
$$;
revoke execute on function private.redact_payload(jsonb) from public, anon;
comment on function private.redact_payload(jsonb) is
    'A body without anything that could be personal, marked redacted. Called by other functions only; no error codes.';

create function private.redact_normalized(p_order jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
    if jsonb_typeof(p_order) is distinct from 'object' then
        return p_order;
    end if;
    -- A name that was known stays known to have been: otherwise the order would begin to lack one.
    return (p_order - '{customer_id}'::text[])
        || case when p_order ->> 'customer_name' is not null then '{"customer_name": "[redacted]"}' else '{}' end::jsonb
        || case when p_order ->> 'notes' is not null then '{"notes": null}' else '{}' end::jsonb
        || case when jsonb_typeof(p_order -> 'lines') = 'array' then jsonb_build_object('lines', (
            select coalesce(
                jsonb_agg(
                    case when jsonb_typeof(l.line) = 'object' then l.line || '{"properties": {}}' else l.line end
                    order by l.ordinal
                ),
                '[]'::jsonb
            )
            from jsonb_array_elements(p_order -> 'lines') with ordinality as l (line, ordinal)
        )) else '{}'::jsonb end;
end;
$$;
revoke execute on function private.redact_normalized(jsonb) from public, anon;
comment on function private.redact_normalized(jsonb) is
    'A NormalizedOrder without name, notes, customer and properties of lines; null stays null. Called by other functions only; no error codes.';

create function private.redact_meta(p_meta jsonb)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
    return p_meta || coalesce(
        (select jsonb_object_agg(n.name, '[redacted]') from unnest('{reason,note,ctx,storage_from,storage_to}'::text[]) n (name) where p_meta ? n.name),
        '{}'::jsonb
    );
end;
$$;
revoke execute on function private.redact_meta(jsonb) from public, anon;
comment on function private.redact_meta(jsonb) is
    'The details of a stage event without what people wrote freely. Called by other functions only; no error codes.';
