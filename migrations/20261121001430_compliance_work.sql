-- Forgetting and showing: what is done to the orders of a request.
--
-- Locks: first of orders that nobody knows, by gid; then rows of order_index by order id; then work about them, by id; then
-- rows of orders by order id, as whoever gives them stock does; last all letters and texts at once. No stock is touched,
-- but who reports work waits for it, and who has it waits for orders: so work comes before these.

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
    -- Found first: to come to them in order, the planner would go through all.
    perform 1
    from public.event_store e
    where e.id = any(array(select f.id from public.event_store f where f.store = p_store and f.ref_id = any(p_gids)))
    order by e.id
    for no key update;
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
    v_traces text[];
begin
    -- A delivery that finds its customer forgotten writes this before it locks its order: so it comes first here too.
    insert into private.redacted_orders (order_gid, store)
    select g.gid, p_store
    from unnest(p_gids) as g (gid)
    where not exists (select 1 from public.order_index x where x.shopify_order_gid = g.gid)
    order by g.gid
    on conflict do nothing;
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

    perform 1
    from public.work_queue w
    where w.id = any(array(
        select f.id from public.work_queue f where f.payload ->> 'order_gid' = any(p_gids) and f.store = p_store
    ))
    order by w.id
    for no key update;
    perform 1
    from public.orders o
    where o.store = p_store and o.id = any(v_ids)
    order by o.id
    for no key update;

    insert into private.redacted_orders (order_gid, store)
    select g.gid, p_store
    from unnest(p_gids) as g (gid)
    where g.gid <> all(v_known)
    order by g.gid
    on conflict do nothing;

    -- Of a whole shop every text has gone already, or goes in this transaction, whoever it names.
    v_traces := case when exists (select 1 from public.stores s where s.key = p_store and s.redacted_at is null)
        then private.traces_of(p_store, p_gids) else '{}' end;
    perform private.redact_events(p_store, p_gids);

    update public.order_index x set redacted_at = coalesce(x.redacted_at, now()), customer_id = null
    where x.shopify_order_gid = any(v_known);
    delete from private.former_customers f where f.order_gid = any(v_known) and f.store = p_store;

    -- The rows follow from the events, as ever; only what is personal can differ.
    with derived as materialized (
        select b.gid, b.order_id, private.derive_order(p_store, b.gid) as state
        from unnest(v_known, v_ids) with ordinality as b (gid, order_id, place)
        order by b.place
    ),
    orders as (
        -- Where a store has no list of its places, people write freely where they put something.
        update public.orders o set
            customer_name = (d.state).customer_name,
            notes = (d.state).notes,
            storage = case when o.storage = any(s.storage_locations) then o.storage end
        from derived d
        join public.stores s on s.key = p_store
        where o.store = p_store and o.id = d.order_id
            and (o.customer_name, o.notes, o.storage) is distinct from (
                (d.state).customer_name, (d.state).notes,
                case when o.storage = any(s.storage_locations) then o.storage end
            )
    )
    update public.order_line_items l set properties = '{}'
    where l.store = p_store and l.order_id = any(v_ids) and l.properties <> '{}';

    update public.stage_events s set meta = private.redact_meta(s.meta)
    where s.store = p_store and s.order_id = any(v_ids) and s.meta <> private.redact_meta(s.meta);
    update public.batch_contributions c set style_details = '{"redacted": true}'
    where c.store = p_store and c.order_id = any(v_ids) and not c.style_details ? 'redacted';

    -- Work keeps what it needs to be done, money among it, and nothing about people.
    update public.work_queue w set
        payload = jsonb_build_object('order_gid', w.payload ->> 'order_gid', 'redacted', true)
            || private.pick(w.payload, '{event_id,order_id,batch_id,amount,currency,sku,quantity}'),
        last_error = case when w.last_error is not null then '[redacted]' end
    where w.payload ->> 'order_gid' = any(p_gids) and w.store = p_store and not w.payload ? 'redacted';

    perform private.lock_texts(true);
    delete from private.data_exports d where d.order_gid = any(p_gids)
        and exists (select 1 from public.compliance_requests r where r.id = d.request_id and r.store = p_store);
    update public.inventory_txn t set note = '[redacted]'
    where t.store = p_store and t.order_id = any(v_ids) and t.note <> '[redacted]';
    update public.work_audit a set reason = '[redacted]'
    where a.store = p_store and a.order_gid = any(p_gids) and a.reason <> '[redacted]';
    update public.dead_letters d set body = '[redacted]', encoding = 'utf8'
    where d.store = p_store and d.work_id in (
        select w.id from public.work_queue w where w.payload ->> 'order_gid' = any(p_gids) and w.store = p_store
    );
    perform private.redact_traces(p_store, v_traces);
end;
$$;
revoke execute on function private.redact_orders(text, text[]) from public, anon;
comment on function private.redact_orders(text, text[]) is
    'Forgets who the orders were for: events, order, lines, audit, stock, batches, work and exports keep ids, SKUs, money and counts. What arrives later is stored without. Doing it again changes nothing. Called by other functions only; no error codes.';

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
    v_domain text := (select s.shop_domain from public.stores s where s.key = p_request.store);
begin
    -- Nobody could read these bodies: they are about the customer when they hold one of his ids or addresses.
    select string_agg(distinct i.id, '|') into v_ids
    from (
        select substring(g.gid from '[0-9]+$') as id from unnest(p_request.order_gids) as g (gid)
        union all
        select p_request.customer_id::text
    ) i
    where length(i.id) >= 5;
    v_contacts := private.contacts_of(p_contacts);

    return query
    select d.*
    from public.dead_letters d
    cross join lateral (select private.letter_text(d.body, d.encoding) as text) t
    where d.body <> '[redacted]'
        -- What waited in a queue and could not be verified any more is of no store, whoever it is about.
        and (d.store = p_request.store or (d.store is null and p_request.kind <> 'data_request'))
        and (
            (p_request.kind = 'redact_shop' and (d.store is not null or strpos(lower(t.text), v_domain) > 0))
            or t.text ~ ('(^|[^0-9])(' || v_ids || ')([^0-9]|$)')
            or private.holds_any(t.text, v_contacts)
        );
end;
$$;
revoke execute on function private.letters_about(public.compliance_requests, jsonb) from public, anon;
comment on function private.letters_about(public.compliance_requests, jsonb) is
    'The dead letters of a shop, or those that hold an id, an e-mail address or a telephone number of the customer; to forget, also those of no shop. Called by other functions only; no error codes.';
