-- Applying a stored event, whatever it is about, and keeping it when that fails.

create function private.apply_event(p_event public.event_store, p_store public.stores, p_late boolean)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_snapshot boolean := coalesce(p_event.normalized ->> 'snapshot' = 'true', false);
    v_bound public.order_index;
    v_change private.order_change;
begin
    if not v_snapshot and not p_event.normalized ? 'refund' then
        return private.apply_notice(p_event, p_store);
    end if;

    v_bound := private.bind_order(p_store, p_event.ref_id, case when v_snapshot then p_event.normalized end);
    if v_bound.store is null then
        -- A refund before its order: the order will find it among its events.
        return jsonb_build_object('order_id', null, 'outcome', 'ignored');
    end if;

    -- Found out only now, under the lock, when it was decided a moment ago.
    if (v_bound.redacted_at is not null or v_bound.store <> p_store.key) and not p_event.payload ? 'redacted' then
        perform private.redact_events(p_event.store, array[p_event.ref_id]);
    end if;
    if v_bound.archived_at is not null then
        perform private.thaw_order(p_event.ref_id);
    end if;

    if v_bound.store <> p_store.key then
        if v_snapshot then
            perform private.keep_dead_letter(
                p_store.key, 'shopify', p_store.shop_domain, p_event.type, p_event.external_id,
                'the order belongs to another store', private.redact_payload(p_event.payload)::text, 'json'
            );
        end if;
        return jsonb_build_object('order_id', null, 'outcome', 'ignored');
    end if;

    v_change := private.apply_order(
        p_store, v_bound.order_id, p_event.ref_id, 'event:' || p_event.id, p_event.id, p_event.type, v_snapshot, p_late
    );

    return jsonb_build_object('order_id', v_bound.order_id, 'outcome', v_change.outcome);
end;
$$;
revoke execute on function private.apply_event(public.event_store, public.stores, boolean) from public, anon;
comment on function private.apply_event(public.event_store, public.stores, boolean) is
    'Applies one stored event, to its order when it is a snapshot or a refund, and says what came of it, {order_id, outcome}. p_late: its order may take stock without having locked it, and OH409 is raised when that is gone. Called by try_event only; raises what goes wrong.';

create function private.apply_notice(p_event public.event_store, p_store public.stores)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_notice jsonb := coalesce(p_event.normalized -> 'compliance', p_event.normalized -> 'uninstalled');
    v_rows integer;
begin
    -- Neither header nor topic is signed, the body is: a body about another shop was meant for that shop.
    if lower(v_notice ->> 'shop_domain') <> p_store.shop_domain then
        perform private.keep_dead_letter(
            p_store.key, 'shopify', p_store.shop_domain, p_event.type, p_event.external_id,
            'the body is about another shop', p_event.payload::text, 'json'
        );
        return jsonb_build_object('order_id', null, 'outcome', 'ignored');
    end if;

    if p_event.normalized ? 'compliance' then
        return private.accept_compliance(p_event, p_store) || '{"order_id": null, "outcome": "updated"}';
    end if;

    update public.stores s set uninstalled_at = p_event.received_at
    where s.key = p_store.key and s.uninstalled_at is null;
    get diagnostics v_rows = row_count;
    if v_rows > 0 then
        perform private.enqueue_alert(p_store.key, 'app_uninstalled');
    end if;
    return jsonb_build_object('order_id', null, 'outcome', case when v_rows > 0 then 'updated' else 'ignored' end);
end;
$$;
revoke execute on function private.apply_notice(public.event_store, public.stores) from public, anon;
comment on function private.apply_notice(public.event_store, public.stores) is
    'Applies what is about the shop as a whole: compliance requests, and that our app was uninstalled, which is marked and told once and stops nothing. Returns {order_id: null, outcome}. Called by apply_event only; raises what goes wrong.';

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
    v_late boolean;
    v_sqlstate text;
    v_constraint text;
    v_error text;
begin
    -- At first in the hope that the stock is there; when it is gone at the last moment, with its rows locked before.
    foreach v_late in array array[true, false]
    loop
        begin
            v_error := null;
            v_data := private.apply_event(p_event, p_store, v_late);
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
        exit when v_error is null or v_sqlstate <> 'OH409';
    end loop;

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

