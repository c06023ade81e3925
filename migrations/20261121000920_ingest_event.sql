-- Accepting a delivery: stored once, applied in the same transaction, kept when applying it fails.

create function public.ingest_shopify_event(
    p_shop_domain text default null,
    p_topic text default null,
    p_webhook_id text default null,
    p_triggered_at timestamptz default null,
    p_content_hash text default null,
    p_order jsonb default null,
    p_payload jsonb default null,
    p_secret_of text default null,
    p_own_secrets text[] default null,
    p_settings_rev integer default 0
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
as $$
-- definer because: nobody may write these tables directly, the service role included.
-- The edge gives up after 4 s; a delivery that waits longer than that for its order is better refused and repeated.
declare
    -- Headers are not signed: they are cut to what an index can hold.
    v_topic text := left(coalesce(nullif(btrim(p_topic), ''), 'unknown'), 100);
    v_delivery text := left(coalesce(nullif(btrim(p_webhook_id), ''), p_content_hash), 200);
    v_snapshot boolean := coalesce(p_order ->> 'snapshot' = 'true', false);
    v_gid text := left(nullif(p_order ->> 'gid', ''), 200);
    v_known record;
    v_store public.stores;
    v_event public.event_store;
    v_secret text;
    v_signed_domain text;
begin
    if coalesce(p_content_hash, '') = '' or length(p_content_hash) > 128 or p_payload is null then
        return private.fail('BAD_INPUT', 'p_content_hash and p_payload are needed');
    end if;
    if v_snapshot and v_gid is null then
        return private.fail('BAD_INPUT', 'a snapshot needs the gid of its order');
    end if;

    select s as store, x.store as home, x.archived_at, coalesce(s.redacted_at, x.redacted_at, r.redacted_at) as redacted_at
    into v_known
    from public.stores s
    left join public.order_index x on x.shopify_order_gid = v_gid
    left join private.redacted_orders r on x.store is null and r.store = s.key and r.order_gid = v_gid
    where s.shop_domain = lower(btrim(p_shop_domain));
    if not found then
        return private.ignore_unknown_shop(p_shop_domain, v_topic, v_delivery, p_order, p_payload);
    end if;
    v_store := v_known.store;

    -- The shop comes from an unsigned header, so the secret has to agree with it: a store with its own secret
    -- takes nothing else, and one store's own secret opens no other store.
    v_secret := upper(v_store.key);
    if p_secret_of is distinct from (case when v_secret = any(p_own_secrets) then v_secret end) then
        return private.fail('UNAUTHENTICATED', 'the signature is not of this shop');
    end if;

    -- Every snapshot carries the address of its page. It is signed: where it is at the domain of another store of ours,
    -- the header is wrong. (A shop with a domain of its own shows that instead, which says nothing.)
    if v_snapshot and v_known.home is null then
        v_signed_domain := lower(substring(
            coalesce(p_payload ->> 'order_status_url', p_payload #>> '{order,order_status_url}') from '^https?://([^/:?#@]+)'
        ));
        if exists (select 1 from public.stores s where s.shop_domain = v_signed_domain and s.key <> v_store.key) then
            return private.ok(jsonb_build_object('outcome', 'ignored', 'dead_letter_id', private.keep_dead_letter(
                v_store.key, 'shopify', v_store.shop_domain, v_topic, concat_ws('/', v_store.key, v_topic, v_delivery),
                'the body is about another shop', private.redact_payload(p_payload)::text, 'json'
            )));
        end if;
    end if;

    -- The edge keeps the names of each store that has its own: it learns here that they have changed.
    if v_snapshot and p_settings_rev is distinct from v_store.settings_rev then
        return private.fail('STALE_SETTINGS', 'read the order again with these settings') || jsonb_build_object(
            'data', jsonb_build_object('rev', v_store.settings_rev, 'settings', v_store.order_settings)
        );
    end if;

    if v_known.archived_at is not null and v_known.home = v_store.key then
        perform private.thaw_order(v_gid);
    end if;

    if v_snapshot and v_known.home is null and v_known.redacted_at is null
        and private.was_forgotten(v_store.key, p_order ->> 'customer_id', p_payload)
    then
        insert into private.redacted_orders (order_gid, store) values (v_gid, v_store.key) on conflict do nothing;
        v_known.redacted_at := now();
    end if;

    -- Only the bodies of orders are ever read again. Of anything else, and of an order of another store, which no
    -- request to forget would find, what could be personal is not even stored.
    insert into public.event_store (
        source, type, store, ref_id, external_id, content_hash, occurred_at, payload, normalized, processed_at,
        attempts
    )
    values (
        'shopify', v_topic, v_store.key, v_gid, concat_ws('/', v_store.key, v_topic, v_delivery), p_content_hash,
        coalesce(
            case when p_order ->> 'updated_at' ~ '^\d{4}-' and pg_input_is_valid(p_order ->> 'updated_at', 'timestamptz')
                then (p_order ->> 'updated_at')::timestamptz end,
            p_triggered_at
        ),
        case when v_snapshot and v_known.redacted_at is null and coalesce(v_known.home = v_store.key, true)
            then p_payload else private.redact_payload(p_payload) end,
        case
            when v_known.redacted_at is not null or v_known.home <> v_store.key then private.redact_normalized(p_order)
            when p_order ? 'compliance' then p_order #- '{compliance,contacts}'
            else p_order
        end,
        now(), 1
    )
    on conflict do nothing
    returning * into v_event;

    if v_event.id is not null then
        if v_snapshot or p_order ?| '{refund,compliance,uninstalled}' then
            if p_order ? 'compliance' then
                -- Contacts are needed once, to find letters that nobody could read, and never stored.
                v_event.normalized := p_order;
            end if;
            return private.try_event(v_event, v_store, true);
        elsif p_order ? 'stock' then
            perform private.signal_stock(v_store.key, p_order #>> '{stock,item_gid}', p_order #>> '{stock,location_gid}');
        end if;
        return private.ok(jsonb_build_object(
            'event_id', v_event.id,
            'store', v_store.key,
            'order_id', private.find_order(v_store.key, v_gid),
            'outcome', 'ignored'
        ));
    end if;

    return private.repeat_event(v_store, v_topic, v_delivery, p_content_hash);
end;
$$;
revoke execute on function public.ingest_shopify_event(text, text, text, timestamptz, text, jsonb, jsonb, text, text[], integer)
    from public, anon, authenticated;
grant execute on function public.ingest_shopify_event(text, text, text, timestamptz, text, jsonb, jsonb, text, text[], integer)
    to service_role;
comment on function public.ingest_shopify_event(text, text, text, timestamptz, text, jsonb, jsonb, text, text[], integer) is
    'Takes a verified Shopify delivery: stores it once and applies it. p_order is the NormalizedOrder (snapshot true), or says what a body of another topic is about ({gid} of an order, with its refund; stock: {item_gid, location_gid}; compliance; uninstalled), or null; p_secret_of is the store whose own secret verified the body, null for the shared one; p_settings_rev is the revision of the store''s settings with which the order was read. orders/edited is stored and changes nothing: it is followed by an orders/updated with the whole order. inventory_levels/update has the level looked at, and changes nothing by itself. Returns {event_id, order_id, store, outcome: created|updated|hydrated|stale|duplicate|cancelled|ignored}; for an unknown shop, and for an order whose signed body names another store of ours, {outcome: ignored, dead_letter_id}. Callable by service_role. Codes: BAD_INPUT, UNAUTHENTICATED, STALE_SETTINGS with data {rev, settings} (nothing stored by these three), INTERNAL (stored but not applied, data.event_id; a retry is queued).';

create function private.find_order(p_store text, p_gid text)
returns text
language sql
stable
set search_path = ''
as $$
    select x.order_id from public.order_index x where x.shopify_order_gid = p_gid and x.store = p_store;
$$;
revoke execute on function private.find_order(text, text) from public, anon;
comment on function private.find_order(text, text) is
    'The id of the order with this gid in this store, or null. Called by other functions only; no error codes.';

create function private.ignore_unknown_shop(
    p_shop_domain text,
    p_topic text,
    p_delivery text,
    p_order jsonb,
    p_payload jsonb
)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_domain text := left(lower(btrim(p_shop_domain)), 200);
    v_forget boolean := p_topic = 'shop/redact' and p_order #>> '{compliance,shop_domain}' = v_domain;
begin
    -- All that is there of such a shop are letters like this one.
    if v_forget then
        perform private.lock_texts(true);
        update public.dead_letters d set body = '[redacted]', encoding = 'utf8'
        where d.store is null and d.shop_domain = v_domain and d.body <> '[redacted]';
    end if;

    return private.ok(jsonb_build_object('outcome', 'ignored', 'dead_letter_id', private.keep_dead_letter(
        null, 'shopify', v_domain, p_topic, concat_ws('/', v_domain, p_topic, p_delivery), 'unknown shop',
        case when p_order ? 'compliance' then private.redact_payload(p_payload) else p_payload end::text, 'json'
    )));
end;
$$;
revoke execute on function private.ignore_unknown_shop(text, text, text, jsonb, jsonb) from public, anon;
comment on function private.ignore_unknown_shop(text, text, text, jsonb, jsonb) is
    'Keeps what came from a shop that is none of ours as a dead letter, and forgets such letters when Shopify asks to. Called by ingest_shopify_event only; no error codes.';

create function private.repeat_event(p_store public.stores, p_topic text, p_delivery text, p_content_hash text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_id bigint;
    v_gid text;
    v_processed_at timestamptz;
    v_event public.event_store;
begin
    -- Two look-ups, each by its own unique index. The same delivery id decides before the same content.
    select e.id, e.ref_id, e.processed_at into v_id, v_gid, v_processed_at
    from public.event_store e
    where e.source = 'shopify' and e.external_id = concat_ws('/', p_store.key, p_topic, p_delivery);
    if not found then
        select e.id, e.ref_id, e.processed_at into v_id, v_gid, v_processed_at
        from public.event_store e
        where e.store = p_store.key and e.type = p_topic and e.content_hash = p_content_hash;
    end if;

    if v_processed_at is null then
        perform private.lock_order(v_gid);
        select * into v_event from public.event_store e where e.id = v_id and e.processed_at is null for update;
        if found then
            return private.try_event(v_event, p_store, true);
        end if;
    end if;

    -- Every request to forget a shop has the same body. Only an uninstallation since the last one makes it another.
    if p_topic = 'shop/redact' and p_store.uninstalled_at > (
        select max(r.created_at) from public.compliance_requests r where r.store = p_store.key and r.kind = 'redact_shop'
    ) then
        select * into v_event from public.event_store e where e.id = v_id;
        return private.ok(
            jsonb_build_object('event_id', v_id, 'store', p_store.key, 'order_id', null, 'outcome', 'updated')
                || private.accept_compliance(v_event, p_store)
        );
    end if;

    return private.ok(jsonb_build_object(
        'event_id', v_id,
        'store', p_store.key,
        'order_id', private.find_order(p_store.key, v_gid),
        'outcome', 'duplicate'
    ));
end;
$$;
revoke execute on function private.repeat_event(public.stores, text, text, text) from public, anon;
comment on function private.repeat_event(public.stores, text, text, text) is
    'Answers a delivery that is stored already: duplicate, or another try when applying it failed before. Called by ingest_shopify_event only. Codes: INTERNAL.';
