-- Telling people: alerts are work like any other effect, and grouped so that a bad hour is not a flood.

create function private.enqueue_alert(
    p_store text,
    p_kind text,
    p_details jsonb default '{}'::jsonb,
    p_about text default null
)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_slot bigint := floor(extract(epoch from now()) / 300)::bigint;
    v_key text := concat_ws('/', p_kind, p_store, p_about, v_slot);
    v_id bigint;
begin
    -- The queue belongs to stores: what concerns none of them waits where it was recorded.
    if p_store is null then
        return null;
    end if;

    -- Five minutes reach back into the slot before. Callers need not wait for each other: the key decides a tie.
    select w.id into v_id
    from public.work_queue w
    where w.topic = 'slack_alert' and w.dedupe_key in (v_key, concat_ws('/', p_kind, p_store, p_about, v_slot - 1))
        and w.created_at > now() - interval '5 minutes'
    limit 1;
    if not found then
        v_id := private.enqueue_work(
            'slack_alert', p_store, coalesce(p_details, '{}'::jsonb) || jsonb_build_object('kind', p_kind), v_key
        );
    end if;

    return v_id;
end;
$$;
revoke execute on function private.enqueue_alert(text, text, jsonb, text) from public, anon;
comment on function private.enqueue_alert(text, text, jsonb, text) is
    'Has people told, at most once for each kind, store, p_about and five minutes: one slack_alert {kind, …details}, or the one that is there. Returns its id; null when there is no store. p_about tells apart what one alert could not say for another, as a rule nothing. p_details name orders and SKUs, never a person. Called by other functions only; no error codes.';
