-- From what a scanner typed to the one order that it means.

create type private.scan_target as (store text, order_id text, code text, message text);
comment on type private.scan_target is 'The order a scan means, or the code and message of the refusal.';

create function private.label_pieces(p_scan text)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
declare
    -- Scanners add tabs, line ends and GS1 separators; copied text brings no-break and zero-width spaces.
    v_edge constant text := '[\u0001-\u0020\u007f-\u00a0\u200b-\u200f\u2028-\u202f\u2060\ufeff]+';
    v_text text;
    v_json jsonb;
begin
    if p_scan is null or length(p_scan) > 2048 then
        return '{}';
    end if;
    v_text := regexp_replace(regexp_replace(p_scan, '^' || v_edge, ''), v_edge || '$', '');

    if v_text like '{%' then
        if not pg_input_is_valid(v_text, 'jsonb') then
            return '{}';
        end if;
        v_json := v_text::jsonb;
        return array(
            select v_json ->> field.name
            from unnest(array[
                'order_id', 'orderId', 'id', 'order', 'order_number', 'orderNumber', 'number', 'name', 'scan',
                'barcode', 'code'
            ]) as field (name)
            where jsonb_typeof(v_json -> field.name) in ('string', 'number')
        );
    end if;

    if v_text ~ '^[A-Za-z][A-Za-z0-9+.-]*://' then
        v_text := replace(replace(replace(v_text, '%23', '#'), '%2D', '-'), '%2d', '-');
        -- Without the host: a shop's name may look like a label.
        return regexp_split_to_array(regexp_replace(v_text, '^[^:]*://[^/?#]*', ''), '[/?#&=]+');
    end if;

    return array[v_text];
end;
$$;
revoke execute on function private.label_pieces(text) from public, anon;
grant execute on function private.label_pieces(text) to authenticated, service_role;
comment on function private.label_pieces(text) is
    'The texts in a scan that may be a label: itself, the fields of a JSON object, or the parts of a URL. Empty when it is neither.';

create function private.resolve_scan(p_scan text, p_stores text[])
returns private.scan_target
language plpgsql
stable
set search_path = ''
as $$
declare
    v_target private.scan_target;
    v_labels bigint;
    v_orders bigint;
begin
    -- The classes name ASCII only, so a look-alike from another script is no label and reaches no look-up.
    -- Ranks: the store's prefix, then its letter, then a bare number, which may mean several stores.
    with label as materialized (
        select form.word, form.number, form.rank
        from unnest(private.label_pieces(p_scan)) as piece (label)
        cross join lateral (
            select lower(replace(m.part[1], '-', '')), m.part[2], 1
            from regexp_match(piece.label, '^([A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)-([0-9]{1,20})$') as m (part)
            union all
            select upper(m.part[1]), m.part[2], 2
            from regexp_match(piece.label, '^#?([A-Za-z])([0-9]{1,20})$') as m (part)
            union all
            select null, m.part[1], 3
            from regexp_match(piece.label, '^#?([0-9]{1,20})$') as m (part)
        ) as form (word, number, rank)
        where form.number is not null
    ),
    candidate as (
        select distinct s.key as store, s.id_prefix || '-' || l.number as id, l.number, l.rank
        from label l
        join public.stores s
            on s.key = any (p_stores)
            and case l.rank when 1 then s.id_prefix = l.word when 2 then s.scan_letter = l.word else true end
    ),
    hit as (
        select c.rank * 2 as rank, o.store, o.id
        from candidate c
        join public.orders o on o.store = c.store and o.id = c.id
        union
        -- An order that got its number late keeps the id it was born with.
        select c.rank * 2 + case when c.rank < 3 then 1 else 0 end, o.store, o.id
        from candidate c
        join public.orders o on o.store = c.store and o.shopify_order_number = c.number
    ),
    best as (
        select distinct h.store, h.id
        from hit h
        where h.rank = (select min(other.rank) from hit other)
    )
    select (select count(*) from label), count(*), min(b.store), min(b.id)
    into v_labels, v_orders, v_target.store, v_target.order_id
    from best b;

    if v_labels = 0 then
        v_target.code := 'BAD_INPUT';
        v_target.message := 'scan not understood; accepted are bannos-12345, #B12345, a bare order number,'
            || ' or a QR code whose URL or JSON contains one of these';
    elsif v_orders = 0 then
        v_target.code := 'NOT_FOUND';
        v_target.message := 'no such order in your stores';
    elsif v_orders > 1 then
        v_target.store := null;
        v_target.order_id := null;
        v_target.code := 'BAD_INPUT';
        v_target.message := 'this number means orders of several stores; scan a label that names the store,'
            || ' such as bannos-12345 or #B12345';
    end if;
    return v_target;
end;
$$;
revoke execute on function private.resolve_scan(text, text[]) from public, anon;
grant execute on function private.resolve_scan(text, text[]) to authenticated, service_role;
comment on function private.resolve_scan(text, text[]) is
    'The order of these stores that a scan means. An order of another store answers exactly as an unknown one.';

create function private.find_scanned(p_scan text, p_user uuid)
returns private.scan_target
language plpgsql
stable
set search_path = ''
as $$
declare
    v_stores text[] := private.acting_stores(p_user);
begin
    if cardinality(v_stores) = 0 then
        return row(null, null, 'PERMISSION_DENIED', 'you are not an active member of any store')::private.scan_target;
    end if;
    return private.resolve_scan(p_scan, v_stores);
end;
$$;
revoke execute on function private.find_scanned(text, uuid) from public, anon;
grant execute on function private.find_scanned(text, uuid) to authenticated, service_role;
comment on function private.find_scanned(text, uuid) is 'The order that the caller may see and that the scan means.';

-- The functions that read run as their caller, row security included; these are what they are built from.
grant execute on function private.ok(jsonb, boolean), private.fail(text, text) to authenticated, service_role;
