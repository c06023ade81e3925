-- Putting work into the queue: in the same transaction as the change that causes it, once for each dedupe key.

create function private.enqueue_works(
    p_topic text,
    p_stores text[],
    p_payloads jsonb[],
    p_dedupe_keys text[],
    p_priority integer default 5,
    p_due_at timestamptz default now()
)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_attempts integer := coalesce((select t.max_attempts from public.queue_topics t where t.topic = p_topic), 3);
    v_added integer;
begin
    -- By key: two who add the same items at once wait for each other in one order.
    insert into public.work_queue (topic, store, payload, dedupe_key, priority, max_retries, next_retry_at)
    select p_topic, w.store, w.payload, w.dedupe_key, p_priority, v_attempts, p_due_at
    from unnest(p_stores, p_payloads, p_dedupe_keys) as w (store, payload, dedupe_key)
    order by w.dedupe_key
    on conflict (topic, dedupe_key) do nothing;

    get diagnostics v_added = row_count;
    return v_added;
end;
$$;
revoke execute on function private.enqueue_works(text, text[], jsonb[], text[], integer, timestamptz) from public, anon;
comment on function private.enqueue_works(text, text[], jsonb[], text[], integer, timestamptz) is
    'Adds items of one topic in one statement; those whose topic and dedupe key are there already are left as they are. The arrays are of one length. An unknown topic is accepted and waits until it is configured. Returns how many were added. Called by other functions only; no error codes.';

create function private.enqueue_work(
    p_topic text,
    p_store text,
    p_payload jsonb,
    p_dedupe_key text,
    p_priority integer default 5
)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
begin
    perform private.enqueue_works(p_topic, array[p_store], array[p_payload], array[p_dedupe_key], p_priority);
    return (select w.id from public.work_queue w where w.topic = p_topic and w.dedupe_key = p_dedupe_key);
end;
$$;
revoke execute on function private.enqueue_work(text, text, jsonb, text, integer) from public, anon;
comment on function private.enqueue_work(text, text, jsonb, text, integer) is
    'Adds one item as enqueue_works does, or finds the one that has this topic and dedupe key, and returns its id. Called by other functions only; no error codes.';

create function private.enqueue_ingest_retry(p_store text, p_gid text, p_event_id bigint)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_id bigint;
begin
    -- The key is the order, as one retry applies everything that waits for it; what is about no order waits alone.
    -- A row that is finished has to be opened again for a later failure; a row that is being worked on is taken away
    -- from its worker (the fence grows), as that worker may already have read past this event.
    insert into public.work_queue as w (topic, store, payload, dedupe_key, priority, max_retries, next_retry_at)
    select
        'order_ingest_retry', p_store, jsonb_build_object('event_id', p_event_id, 'order_gid', p_gid),
        coalesce(p_gid, 'event/' || p_event_id), 3,
        t.max_attempts, now() + make_interval(secs => t.base_ms / 1000.0)
    from public.queue_topics t
    where t.topic = 'order_ingest_retry'
    on conflict (topic, dedupe_key) do update set
        status = 'pending',
        payload = excluded.payload,
        retry_count = case when w.status = 'processing' then w.retry_count else 0 end,
        next_retry_at = excluded.next_retry_at,
        fence = w.fence + 1,
        locked_at = null,
        locked_by = null,
        lease_until = null,
        counted = null,
        finished_at = null,
        discarded_at = null
    where w.status not in ('pending', 'error')
    returning w.id into v_id;

    return v_id;
end;
$$;
revoke execute on function private.enqueue_ingest_retry(text, text, bigint) from public, anon;
comment on function private.enqueue_ingest_retry(text, text, bigint) is
    'Makes sure that the order will be applied again: adds the order_ingest_retry of this order or opens it again. Null when one waits already. Called by other functions only; no error codes.';
