-- Accepting a delivery: stored once, applied in the same transaction, kept when applying it fails.

create function private.apply_event(p_event public.event_store, p_store public.stores)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_order_id text;
    v_change private.order_change;
    v_outcome text;
begin
    v_order_id := private.bind_order(
        p_store, p_event.ref_id, p_event.normalized ->> 'shopify_id', p_event.normalized ->> 'order_number'
    );
    if v_order_id is null then
        perform private.keep_dead_letter(
            p_store.key, 'shopify', p_store.shop_domain, p_event.type, p_event.external_id,
            'the order belongs to another store', p_event.payload::text, 'json'
        );
        return jsonb_build_object('order_id', null, 'outcome', 'ignored');
    end if;

    v_change := private.apply_order(p_store, v_order_id, p_event.ref_id, 'event:' || p_event.id);

    v_outcome := case
        when p_event.type = 'orders/create' and not v_change.existed then 'created'
        when p_event.type = 'orders/create' and v_change.was_placeholder then 'hydrated'
        when v_change.cancelled and not v_change.was_cancelled then 'cancelled'
        when v_change.winner_id = p_event.id then 'updated'
        else 'stale'
    end;

    insert into public.stage_events (store, order_id, action, source, meta)
    values (
        p_store.key, v_order_id, 'order_ingested', 'edge',
        jsonb_strip_nulls(jsonb_build_object(
            'event_id', p_event.id,
            'topic', p_event.type,
            'outcome', v_outcome,
            'skipped', nullif(v_change.skipped, '{}'::jsonb),
            'ms', round(extract(epoch from clock_timestamp() - now()) * 1000, 1)
        ))
    );

    return jsonb_build_object('order_id', v_order_id, 'outcome', v_outcome);
end;
$$;
revoke execute on function private.apply_event(public.event_store, public.stores) from public, anon;
comment on function private.apply_event(public.event_store, public.stores) is
    'Applies one stored snapshot to its order and says what came of it, {order_id, outcome}. Called by try_event only; raises what goes wrong.';

create function private.try_event(p_event public.event_store, p_store public.stores, p_enqueue_retry boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    -- A first delivery was inserted as processed, at its first attempt.
    v_attempts integer := p_event.attempts + case when p_event.processed_at is null then 1 else 0 end;
    v_data jsonb;
    v_sqlstate text;
    v_constraint text;
    v_error text;
begin
    begin
        v_data := private.apply_event(p_event, p_store);
    exception
        -- These say nothing about the event: the whole call is to be repeated.
        when deadlock_detected or serialization_failure or lock_not_available or query_canceled then
            raise;
        -- Anything else must not take the event with it. Message and detail are not kept: they can hold whole
        -- rows, and with them names and addresses.
        when others then
            get stacked diagnostics v_sqlstate = returned_sqlstate, v_constraint = constraint_name;
            v_error := concat_ws(' ', 'applying failed with', v_sqlstate, nullif(v_constraint, ''));
    end;

    if v_error is not null then
        update public.event_store e set
            processed_at = null,
            attempts = v_attempts,
            last_error = v_error
        where e.id = p_event.id;
        if p_enqueue_retry then
            perform private.enqueue_ingest_retry(p_store.key, p_event.ref_id, p_event.id);
        end if;
        return private.fail('INTERNAL', 'the event is stored, applying it failed')
            || jsonb_build_object('data', jsonb_build_object('event_id', p_event.id));
    end if;

    -- That of a first delivery holds if and only if this transaction commits: no second version of the row.
    if p_event.processed_at is null then
        update public.event_store e set
            processed_at = now(),
            attempts = v_attempts,
            last_error = null
        where e.id = p_event.id;
    end if;

    return private.ok(jsonb_build_object('event_id', p_event.id, 'store', p_store.key) || v_data);
end;
$$;
revoke execute on function private.try_event(public.event_store, public.stores, boolean) from public, anon;
comment on function private.try_event(public.event_store, public.stores, boolean) is
    'Applies an event in a sub-transaction: when that fails the event stays, unprocessed, with the SQLSTATE as its error and, if wanted, an order_ingest_retry. Called by other functions only. Codes: INTERNAL.';

create function public.ingest_shopify_event(
    p_shop_domain text default null,
    p_topic text default null,
    p_webhook_id text default null,
    p_triggered_at timestamptz default null,
    p_content_hash text default null,
    p_order jsonb default null,
    p_payload jsonb default null,
    p_secret_of text default null,
    p_own_secrets text[] default null
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
    v_store public.stores;
    v_event public.event_store;
    v_secret text;
begin
    if coalesce(p_content_hash, '') = '' or length(p_content_hash) > 128 or p_payload is null then
        return private.fail('BAD_INPUT', 'p_content_hash and p_payload are needed');
    end if;
    if v_snapshot and v_gid is null then
        return private.fail('BAD_INPUT', 'a snapshot needs the gid of its order');
    end if;

    select * into v_store from public.stores s where s.shop_domain = lower(btrim(p_shop_domain));
    if not found then
        return private.ok(jsonb_build_object('outcome', 'ignored', 'dead_letter_id', private.keep_dead_letter(
            null, 'shopify', p_shop_domain, v_topic, concat_ws('/', left(p_shop_domain, 200), v_topic, v_delivery),
            'unknown shop', p_payload::text, 'json'
        )));
    end if;

    -- The shop comes from an unsigned header, so the secret has to agree with it: a store with its own secret
    -- takes nothing else, and one store's own secret opens no other store.
    v_secret := upper(v_store.key);
    if p_secret_of is distinct from (case when v_secret = any(p_own_secrets) then v_secret end) then
        return private.fail('UNAUTHENTICATED', 'the signature is not of this shop');
    end if;

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
        p_payload, p_order, now(), 1
    )
    on conflict do nothing
    returning * into v_event;

    if v_event.id is not null then
        if v_snapshot then
            return private.try_event(v_event, v_store, true);
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
revoke execute on function public.ingest_shopify_event(text, text, text, timestamptz, text, jsonb, jsonb, text, text[])
    from public, anon, authenticated;
grant execute on function public.ingest_shopify_event(text, text, text, timestamptz, text, jsonb, jsonb, text, text[])
    to service_role;
comment on function public.ingest_shopify_event(text, text, text, timestamptz, text, jsonb, jsonb, text, text[]) is
    'Takes a verified Shopify delivery: stores it once and applies it. p_order is the NormalizedOrder (snapshot true), or names the order of another topic, or null; p_secret_of is the store whose own secret verified the body, null for the shared one. Returns {event_id, order_id, store, outcome: created|updated|hydrated|stale|duplicate|cancelled|ignored}; for an unknown shop {outcome: ignored, dead_letter_id}. Callable by service_role. Codes: BAD_INPUT, UNAUTHENTICATED (nothing stored), INTERNAL (stored but not applied, data.event_id; a retry is queued).';

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
        select * into v_event from public.event_store e where e.id = v_id and e.processed_at is null for update;
        if found then
            return private.try_event(v_event, p_store, true);
        end if;
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
