-- Forgetting and showing: what is done to the orders of a request.
--
-- Locks: first of orders that nobody knows, by gid; then rows of order_index by order id; then rows of orders, in the
-- same order. No stock is touched.

create table private.data_exports (
    request_id bigint not null references public.compliance_requests (id),
    position integer not null,
    order_gid text not null,
    content jsonb not null,
    created_at timestamptz not null default now(),
    primary key (request_id, position)
);
create index data_exports_order_gid_idx on private.data_exports (order_gid);
comment on table private.data_exports is
    'Everything held about a customer, an order a row, for the merchant. Goes when the customer is to be forgotten.';

create function private.redact_events(p_store text, p_gids text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    update public.event_store e set
        payload = private.redact_payload(e.payload),
        normalized = private.redact_normalized(e.normalized)
    where e.store = p_store and e.ref_id = any(p_gids)
        and (
            not e.payload ? 'redacted'
            or e.normalized is distinct from private.redact_normalized(e.normalized)
        );
end;
$$;
revoke execute on function private.redact_events(text, text[]) from public, anon;
comment on function private.redact_events(text, text[]) is
    'Takes personal data out of every event of these orders. Called by other functions only; no error codes.';

create function private.redact_orders(p_store text, p_gids text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_bound public.order_index;
    v_known text[] := '{}';
    v_ids text[] := '{}';
begin
    -- An order that nobody knows has no row to lock: whoever brings it waits here, as in bind_order.
    perform pg_advisory_xact_lock(hashtextextended(g.gid, 0))
    from (
        select g.gid
        from unnest(p_gids) as g (gid)
        where not exists (select 1 from public.order_index x where x.shopify_order_gid = g.gid)
        order by g.gid
    ) g;

    for v_bound in
        select * from public.order_index x
        where x.shopify_order_gid = any(p_gids) and x.store = p_store
        order by x.order_id
        for update
    loop
        v_known := v_known || v_bound.shopify_order_gid;
        v_ids := v_ids || v_bound.order_id;
        if v_bound.archived_at is not null then
            perform private.thaw_order(v_bound.shopify_order_gid);
        end if;
    end loop;

    insert into private.redacted_orders (order_gid, store)
    select g.gid, p_store
    from unnest(p_gids) as g (gid)
    where g.gid <> all(v_known)
    on conflict do nothing;

    perform private.redact_events(p_store, p_gids);

    update public.order_index x set redacted_at = coalesce(x.redacted_at, now()), customer_id = null
    where x.shopify_order_gid = any(v_known);
    delete from private.former_customers f where f.order_gid = any(v_known) and f.store = p_store;
    delete from private.data_exports d where d.order_gid = any(p_gids)
        and exists (select 1 from public.compliance_requests r where r.id = d.request_id and r.store = p_store);

    -- The rows follow from the events, as ever; only what is personal can differ.
    with derived as materialized (
        select b.gid, b.order_id, private.derive_order(p_store, b.gid) as state
        from unnest(v_known, v_ids) with ordinality as b (gid, order_id, place)
        order by b.place
    ),
    orders as (
        update public.orders o set customer_name = (d.state).customer_name, notes = (d.state).notes
        from derived d
        where o.store = p_store and o.id = d.order_id
            and (o.customer_name, o.notes) is distinct from ((d.state).customer_name, (d.state).notes)
    )
    update public.order_line_items l set properties = '{}'
    where l.store = p_store and l.order_id = any(v_ids) and l.properties <> '{}';

    update public.stage_events s set meta = private.redact_meta(s.meta)
    where s.store = p_store and s.order_id = any(v_ids) and s.meta <> private.redact_meta(s.meta);

    -- Work keeps what it needs to be done, money among it, and nothing about people.
    update public.work_queue w set
        payload = jsonb_build_object('order_gid', w.payload ->> 'order_gid', 'redacted', true)
            || private.pick(w.payload, '{event_id,order_id,batch_id,amount,currency,sku,quantity}'),
        last_error = case when w.last_error is not null then '[redacted]' end
    where w.payload ->> 'order_gid' = any(p_gids) and w.store = p_store and not w.payload ? 'redacted';
    update public.dead_letters d set body = '[redacted]', encoding = 'utf8'
    where d.store = p_store and d.work_id in (
        select w.id from public.work_queue w where w.payload ->> 'order_gid' = any(p_gids) and w.store = p_store
    );
end;
$$;
revoke execute on function private.redact_orders(text, text[]) from public, anon;
comment on function private.redact_orders(text, text[]) is
    'Forgets who the orders were for: events, order, lines, audit, work and exports keep ids, SKUs, money and counts. What arrives later is stored without. Doing it again changes nothing. Called by other functions only; no error codes.';

create function private.letter_text(p_body text, p_encoding text)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
    -- Bytes that are no text stay readable as far as they are ASCII, as ids and most addresses are.
    return case when p_encoding = 'base64' then encode(decode(p_body, 'base64'), 'escape') else p_body end;
exception
    when invalid_parameter_value then
        return p_body;
end;
$$;
revoke execute on function private.letter_text(text, text) from public, anon;
comment on function private.letter_text(text, text) is
    'The body of a dead letter as text to search in. Called by other functions only; no error codes.';

create function private.letters_about(p_request public.compliance_requests, p_contacts jsonb)
returns setof public.dead_letters
language plpgsql
stable
set search_path = ''
as $$
declare
    v_ids text;
    v_contacts text[];
begin
    -- Nobody could read these bodies: they are about the customer when they hold one of his ids or addresses.
    select string_agg(distinct i.id, '|') into v_ids
    from (
        select substring(g.gid from '[0-9]+$') as id from unnest(p_request.order_gids) as g (gid)
        union all
        select p_request.customer_id::text
    ) i
    where length(i.id) >= 5;
    select array_agg(lower(c.contact)) into v_contacts
    from jsonb_array_elements_text(case when jsonb_typeof(p_contacts) = 'array' then p_contacts else '[]'::jsonb end)
        as c (contact)
    where length(c.contact) >= 5;

    return query
    select d.*
    from public.dead_letters d
    where d.store = p_request.store and d.body <> '[redacted]'
        and (
            p_request.kind = 'redact_shop'
            or private.letter_text(d.body, d.encoding) ~ ('(^|[^0-9])(' || v_ids || ')([^0-9]|$)')
            or exists (
                select 1
                from unnest(v_contacts) as c (contact)
                where strpos(lower(private.letter_text(d.body, d.encoding)), c.contact) > 0
            )
        );
end;
$$;
revoke execute on function private.letters_about(public.compliance_requests, jsonb) from public, anon;
comment on function private.letters_about(public.compliance_requests, jsonb) is
    'The dead letters of a shop, or those that hold an id, an e-mail address or a telephone number of the customer. Called by other functions only; no error codes.';

create function private.is_about_forgotten(p_store text, p_body text, p_encoding text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
begin
    if exists (select 1 from public.stores s where s.key = p_store and s.redacted_at is not null) then
        return true;
    end if;
    return exists (
        select 1
        from regexp_matches(
            private.letter_text(p_body, p_encoding),
            '(?:"id"\s*:\s*"?|"order_id"\s*:\s*"?|gid://shopify/Order/)(\d{1,19})', 'g'
        ) as m (parts)
        cross join lateral (select 'gid://shopify/Order/' || m.parts[1] as gid) g
        where exists (
                select 1 from public.order_index x
                where x.shopify_order_gid = g.gid and x.store = p_store and x.redacted_at is not null
            )
            or exists (select 1 from private.redacted_orders r where r.order_gid = g.gid and r.store = p_store)
    );
end;
$$;
revoke execute on function private.is_about_forgotten(text, text, text) from public, anon;
comment on function private.is_about_forgotten(text, text, text) is
    'Whether a body that nobody could read names an order, or comes from a shop, that had to be forgotten. Called by keep_dead_letter only; no error codes.';
