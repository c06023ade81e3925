-- Forgetting what no column leads to: texts that people wrote, and bodies that nobody could read.
--
-- While somebody is being forgotten his names, addresses and numbers are still known, as traces: whatever holds one of
-- them is emptied. Afterwards only salted digests of addresses and numbers remain: they tell that a late body is about
-- somebody who had to be forgotten, not about whom.

create table private.forgotten_salt (
    id boolean primary key default true check (id),
    salt text not null default gen_random_uuid()::text || gen_random_uuid()::text,
    created_at timestamptz not null default now()
);
insert into private.forgotten_salt default values;
comment on table private.forgotten_salt is 'One row: what makes the digests of this database worthless elsewhere.';

create table private.forgotten_contacts (
    digest bytea not null,
    store text not null references public.stores (key),
    created_at timestamptz not null default now(),
    primary key (digest, store)
);
create index forgotten_contacts_store_idx on private.forgotten_contacts (store);
comment on table private.forgotten_contacts is
    'Digests of e-mail addresses and telephone numbers of people who had to be forgotten.';

create index compliance_requests_customer_id_idx on public.compliance_requests (customer_id, store, created_at)
    where kind = 'redact_customer' and customer_id is not null;
create index inventory_txn_note_idx on public.inventory_txn (store) where note is not null;

create function private.contacts_in(p_text text, p_limit integer)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
    -- Of a number the last eight digits count: how it begins is written in many ways.
    return array(
        select lower(m.parts[1])
        from regexp_matches(p_text, '([[:alnum:]._%+''-]{1,64}@[[:alnum:]-]{1,63}(?:\.[[:alnum:]-]{1,63})+)', 'g') as m (parts)
        union
        select right(n.digits, 8)
        from regexp_matches(p_text, '(\d[\d ().-]{6,30}\d)', 'g') as m (parts)
        cross join lateral (select regexp_replace(m.parts[1], '\D', '', 'g') as digits) n
        where length(n.digits) >= 8
        limit p_limit
    );
end;
$$;
revoke execute on function private.contacts_in(text, integer) from public, anon;
comment on function private.contacts_in(text, integer) is
    'E-mail addresses in a text, in lower case, and the ends of what may be telephone numbers; at most p_limit. Called by other functions only; no error codes.';

create function private.contact_digests(p_contacts text[])
returns bytea[]
language plpgsql
stable
set search_path = ''
as $$
begin
    return array(
        select sha256(convert_to(s.salt || c.contact, 'UTF8'))
        from private.forgotten_salt s
        cross join unnest(p_contacts) as c (contact)
    );
end;
$$;
revoke execute on function private.contact_digests(text[]) from public, anon;
comment on function private.contact_digests(text[]) is
    'What is kept of addresses and numbers of the forgotten. Called by other functions only; no error codes.';

create function private.traces_of(p_store text, p_gids text[])
returns text[]
language plpgsql
stable
set search_path = ''
as $$
begin
    -- Anything shorter than five letters is in half of all texts.
    return array(
        select distinct lower(btrim(w.word))
        from public.event_store e
        cross join lateral (
            select case when jsonb_typeof(e.payload -> 'order') = 'object' then e.payload -> 'order' else e.payload end as body
        ) b
        cross join lateral (
            values (b.body -> 'shipping_address'), (b.body -> 'billing_address'), (b.body -> 'customer'),
                (b.body #> '{customer,default_address}'), (b.body)
        ) as p (person)
        cross join lateral (
            values (p.person ->> 'email'), (p.person ->> 'phone'), (p.person ->> 'contact_email'),
                (p.person ->> 'address1'), (concat_ws(' ', p.person ->> 'first_name', p.person ->> 'last_name')),
                (case when p.person <> b.body then p.person ->> 'name' end)
        ) as w (word)
        where e.store = p_store and e.ref_id = any(p_gids) and not e.payload ? 'redacted'
            and jsonb_typeof(p.person) = 'object' and length(btrim(w.word)) >= 5
        union
        select lower(btrim(o.customer_name))
        from public.order_index x
        join public.orders o on o.store = x.store and o.id = x.order_id
        where x.shopify_order_gid = any(p_gids) and x.store = p_store and x.redacted_at is null
            and length(btrim(o.customer_name)) >= 5
    );
end;
$$;
revoke execute on function private.traces_of(text, text[]) from public, anon;
comment on function private.traces_of(text, text[]) is
    'Names, addresses and numbers in orders that are about to be forgotten, in lower case. Called by other functions only; no error codes.';

create function private.redact_traces(p_store text, p_traces text[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    if cardinality(p_traces) = 0 then
        return;
    end if;
    insert into private.forgotten_contacts (digest, store)
    select d.digest, p_store
    from unnest(private.contact_digests(private.contacts_in(array_to_string(p_traces, E'\n'), 1000))) as d (digest)
    on conflict do nothing;

    update public.inventory_txn t set note = '[redacted]'
    where t.store = p_store and t.note is not null and t.note <> '[redacted]' and private.holds_any(t.note, p_traces);
    update public.work_audit a set reason = '[redacted]'
    where a.store = p_store and a.reason <> '[redacted]' and private.holds_any(a.reason, p_traces);
    -- Why a batch was decided as it was; the body of the event is no order's.
    update public.event_store e set payload = private.redact_payload(e.payload)
    where e.store = p_store and e.type in ('batch/decided', 'batch/refused', 'batch/confirmed', 'batch/cancelled')
        and e.source = 'batch' and not e.payload ? 'redacted' and private.holds_any(e.payload ->> 'reason', p_traces);
    update public.dead_letters d set body = '[redacted]', encoding = 'utf8'
    where (d.store = p_store or d.store is null) and d.body <> '[redacted]'
        and private.holds_any(private.letter_text(d.body, d.encoding), p_traces);
end;
$$;
revoke execute on function private.redact_traces(text, text[]) from public, anon;
comment on function private.redact_traces(text, text[]) is
    'Empties every free text and every letter, of this store or of none, that holds a trace of somebody who is being forgotten, and remembers digests of his addresses and numbers. Called by other functions only; no error codes.';

create function private.redact_texts_of_shop(p_store text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    update public.inventory_txn t set note = '[redacted]'
    where t.store = p_store and t.note is not null and t.note <> '[redacted]';
    update public.work_audit a set reason = '[redacted]' where a.store = p_store and a.reason <> '[redacted]';
    update public.event_store e set payload = private.redact_payload(e.payload)
    where e.store = p_store and e.type in ('batch/decided', 'batch/refused', 'batch/confirmed', 'batch/cancelled')
        and e.source = 'batch' and e.payload ? 'reason';
    -- A shop that is forgotten takes its keys with it.
    with removed as (
        delete from private.shop_credentials c where c.store = p_store returning c.provider, c.key_id
    )
    insert into public.store_audit (store, subject, action, details)
    select p_store, 'credentials', 'removed', jsonb_build_object('provider', r.provider, 'key_id', r.key_id)
    from removed r;
end;
$$;
revoke execute on function private.redact_texts_of_shop(text) from public, anon;
comment on function private.redact_texts_of_shop(text) is
    'Empties what the people of a shop wrote about stock, work and batches, and removes its keys to other systems. Called by accept_compliance only; no error codes.';

create function private.holds_any(p_text text, p_traces text[])
returns boolean
language plpgsql
immutable
set search_path = ''
as $$
declare
    v_text text := lower(p_text);
begin
    return exists (select 1 from unnest(p_traces) as t (trace) where strpos(v_text, t.trace) > 0);
end;
$$;
revoke execute on function private.holds_any(text, text[]) from public, anon;
comment on function private.holds_any(text, text[]) is
    'Whether a text holds one of these, which are in lower case. Called by other functions only; no error codes.';

create function private.contacts_of(p_contacts jsonb)
returns text[]
language plpgsql
immutable
set search_path = ''
as $$
begin
    return array(
        select lower(btrim(c.contact))
        from jsonb_array_elements_text(case when jsonb_typeof(p_contacts) = 'array' then p_contacts else '[]'::jsonb end)
            as c (contact)
        where length(btrim(c.contact)) >= 5
    );
end;
$$;
revoke execute on function private.contacts_of(jsonb) from public, anon;
comment on function private.contacts_of(jsonb) is
    'The address and the number in a request about a customer, in lower case. Called by other functions only; no error codes.';

create function private.was_forgotten(p_store text, p_customer text, p_payload jsonb)
returns boolean
language plpgsql
stable
set search_path = ''
set timezone = 'UTC'
as $$
declare
    v_made text := coalesce(
        p_payload ->> 'created_at', p_payload #>> '{order,created_at}', p_payload ->> 'updated_at', p_payload #>> '{order,updated_at}'
    );
begin
    -- What he orders afterwards is a new beginning; what does not say when it was made is not.
    return exists (
        select 1
        from public.compliance_requests r
        where r.kind = 'redact_customer' and r.store = p_store
            and r.customer_id = case when p_customer ~ '^\d{1,18}$' then p_customer::bigint end
            and r.created_at >= case when v_made ~ '^\d{4}-' and pg_input_is_valid(v_made, 'timestamptz')
                then v_made::timestamptz else '-infinity'::timestamptz end
    );
end;
$$;
revoke execute on function private.was_forgotten(text, text, jsonb) from public, anon;
comment on function private.was_forgotten(text, text, jsonb) is
    'Whether a store had to forget this customer after the order in the body was made. Called by ingest_shopify_event only; no error codes.';

create function private.is_about_forgotten(p_store text, p_body text, p_encoding text)
returns boolean
language plpgsql
stable
set search_path = ''
as $$
declare
    -- More than this is no delivery about one order: where anybody had to be forgotten it is not kept.
    v_most constant integer := 20000;
    v_text text;
    v_numbers text[];
    v_contacts text[];
begin
    if exists (select 1 from public.stores s where s.key = p_store and s.redacted_at is not null) then
        return true;
    end if;
    if not exists (
        select 1 from public.compliance_requests r
        where r.kind = 'redact_customer' and (p_store is null or r.store = p_store)
    ) then
        return false;
    end if;

    -- Nobody could read it, so nobody knows which number is an id: any of them may be. A short one is when it is called so.
    v_text := private.letter_text(p_body, p_encoding);
    v_numbers := array(
        select m.parts[1] from regexp_matches(v_text, '(\d{5,19})', 'g') as m (parts)
        union
        select m.parts[1]
        from regexp_matches(v_text, '(?:"id"\s*:\s*"?|"order_id"\s*:\s*"?|gid://shopify/Order/)(\d{1,4})\M', 'g') as m (parts)
        limit v_most + 1
    );
    v_contacts := private.contacts_in(v_text, v_most + 1);
    if greatest(cardinality(v_numbers), cardinality(v_contacts)) > v_most then
        return true;
    end if;

    -- One look-up each: many numbers must not make it a pass over all orders.
    return exists (
        select 1
        from unnest(v_numbers) as n (id)
        cross join lateral (
            select x.redacted_at, x.store
            from public.order_index x
            where x.shopify_order_gid = 'gid://shopify/Order/' || n.id
            limit 1
        ) o
        where o.redacted_at is not null and (p_store is null or o.store = p_store)
    ) or exists (
        select 1
        from unnest(v_numbers) as n (id)
        join private.redacted_orders r on r.order_gid = 'gid://shopify/Order/' || n.id
        where p_store is null or r.store = p_store
    ) or exists (
        select 1
        from unnest(v_numbers) as n (id)
        join public.compliance_requests r
            on r.customer_id = case when n.id ~ '^\d{1,18}$' then n.id::bigint end and r.kind = 'redact_customer'
        where p_store is null or r.store = p_store
    ) or exists (
        select 1
        from unnest(private.contact_digests(v_contacts)) as d (digest)
        join private.forgotten_contacts f on f.digest = d.digest
        where p_store is null or f.store = p_store
    );
end;
$$;
revoke execute on function private.is_about_forgotten(text, text, text) from public, anon;
comment on function private.is_about_forgotten(text, text, text) is
    'Whether a body that nobody could read comes from a shop that had to be forgotten, or holds the id of an order or of a customer, an e-mail address or a telephone number that had to be. Of a letter of no store any store counts. Called by keep_dead_letter only; no error codes.';
