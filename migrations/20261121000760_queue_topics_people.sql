-- Topics are tuned by Admins without a deploy, on record; and people hear of work that nobody knows how to do.

create table public.queue_topic_changes (
    id bigint generated always as identity primary key,
    topic text not null references public.queue_topics (topic),
    before jsonb not null,
    after jsonb not null,
    reason text,
    performed_by uuid references public.staff (user_id),
    created_at timestamptz not null default now()
);
create index queue_topic_changes_topic_idx on public.queue_topic_changes (topic);
create index queue_topic_changes_performed_by_idx on public.queue_topic_changes (performed_by);
comment on table public.queue_topic_changes is
    'Append-only: who changed which settings of a topic, from what to what. performed_by is null for the service role.';

create trigger queue_topic_changes_append_only before update or delete on public.queue_topic_changes
    for each row execute function private.refuse_change();
create trigger queue_topic_changes_no_truncate before truncate on public.queue_topic_changes
    for each statement execute function private.refuse_change();

alter table public.queue_topic_changes enable row level security;
revoke all on public.queue_topic_changes from anon, authenticated, service_role;
grant select on public.queue_topic_changes to authenticated, service_role;
create policy queue_topic_changes_select_supervisor on public.queue_topic_changes for select to authenticated
    using (cardinality((select private.readable_stores('Supervisor'))::text[]) > 0);
create policy queue_topic_changes_select_service on public.queue_topic_changes for select to service_role using (true);

create function public.set_topic(
    p_topic text,
    p_paused boolean default null,
    p_max_attempts integer default null,
    p_backoff text default null,
    p_base_ms integer default null,
    p_rate_max integer default null,
    p_rate_duration_ms integer default null,
    p_rate_scope text default null,
    p_concurrency integer default null,
    p_lease_seconds integer default null,
    p_reason text default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write queue_topics directly, and only this function decides what an Admin may set.
declare
    v_was public.queue_topics;
    v_is public.queue_topics;
    v_before jsonb;
    v_after jsonb;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin changes topics');
    end if;
    select t.* into v_was from public.queue_topics t where t.topic = p_topic for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such topic');
    end if;

    v_is := v_was;
    v_is.paused := coalesce(p_paused, v_was.paused);
    v_is.max_attempts := coalesce(p_max_attempts, v_was.max_attempts);
    v_is.backoff := coalesce(p_backoff, v_was.backoff);
    v_is.base_ms := coalesce(p_base_ms, v_was.base_ms);
    v_is.rate_max := nullif(coalesce(p_rate_max, v_was.rate_max), 0);
    v_is.rate_duration_ms := case when v_is.rate_max is not null then coalesce(p_rate_duration_ms, v_was.rate_duration_ms) end;
    v_is.rate_scope := coalesce(p_rate_scope, v_was.rate_scope);
    v_is.concurrency := nullif(coalesce(p_concurrency, v_was.concurrency), 0);
    v_is.lease_seconds := coalesce(p_lease_seconds, v_was.lease_seconds);

    if v_is.max_attempts not between 1 and 100 then
        return private.fail('BAD_INPUT', 'max_attempts must be 1 to 100');
    elsif v_is.backoff not in ('fixed', 'exponential') then
        return private.fail('BAD_INPUT', 'backoff must be fixed or exponential');
    elsif v_is.base_ms not between 1 and 3600000 then
        return private.fail('BAD_INPUT', 'base_ms must be 1 to 3600000');
    elsif v_is.rate_max is not null and v_is.rate_duration_ms is null then
        return private.fail('BAD_INPUT', 'a rate needs rate_duration_ms');
    elsif v_is.rate_max not between 1 and 10000 or v_is.rate_duration_ms not between 1 and 86400000 then
        return private.fail('BAD_INPUT', 'a rate is 0 (none) or 1 to 10000 in 1 to 86400000 ms');
    elsif v_is.rate_scope not in ('topic', 'store') then
        return private.fail('BAD_INPUT', 'rate_scope must be topic or store');
    elsif v_is.concurrency not between 1 and 10000 then
        return private.fail('BAD_INPUT', 'concurrency must be 0 (no limit) to 10000');
    elsif v_is.lease_seconds not between 30 and 3600 then
        return private.fail('BAD_INPUT', 'lease_seconds must be 30 to 3600');
    end if;

    select jsonb_object_agg(n.key, to_jsonb(v_was) -> n.key), jsonb_object_agg(n.key, n.value)
    into v_before, v_after
    from jsonb_each(to_jsonb(v_is)) as n
    where n.value <> to_jsonb(v_was) -> n.key;

    if v_after is not null then
        update public.queue_topics t set
            paused = v_is.paused,
            max_attempts = v_is.max_attempts,
            backoff = v_is.backoff,
            base_ms = v_is.base_ms,
            rate_max = v_is.rate_max,
            rate_duration_ms = v_is.rate_duration_ms,
            rate_scope = v_is.rate_scope,
            concurrency = v_is.concurrency,
            lease_seconds = v_is.lease_seconds
        where t.topic = p_topic;
        -- Those that were leased without a bound count as well, as far as this sees them.
        if v_was.concurrency is null and v_is.concurrency is not null then
            with leased as materialized (
                select w.id
                from public.work_queue w
                where w.finished_at is null and w.topic = p_topic and w.status = 'processing'
                order by w.id
                for update
            )
            update public.work_queue w set counted = true from leased l where w.id = l.id;
        end if;
        insert into public.queue_topic_changes (topic, before, after, reason, performed_by)
        values (
            p_topic, v_before, v_after, left(nullif(btrim(p_reason), ''), 1000),
            case when not private.is_service() then private.caller() end
        );
    end if;
    return private.ok(to_jsonb(v_is) - 'created_at', v_after is null);
end;
$$;
revoke execute on function public.set_topic(
    text, boolean, integer, text, integer, integer, integer, text, integer, integer, text
) from public, anon;
grant execute on function public.set_topic(
    text, boolean, integer, text, integer, integer, integer, text, integer, integer, text
) to authenticated, service_role;
comment on function public.set_topic(
    text, boolean, integer, text, integer, integer, integer, text, integer, integer, text
) is
    'Pauses a topic or lets it go on, and changes its attempts (of work made from now on), backoff, rate, concurrency and lease; what is not given stays, 0 takes a rate or a bound of concurrency away. Counts from the next claim on, and is audited. Returns the topic''s settings. Callable by an Admin, service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';

create function private.alert_unknown_topics()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
    -- A hop from one topic to the next, however much waits. Once a day: it waits until somebody makes the topic known.
    perform private.enqueue_works(
        'slack_alert',
        array_agg(u.store),
        array_agg(jsonb_build_object('kind', 'unknown_topic', 'topic', left(u.topic, 200))),
        array_agg(concat_ws('/', 'unknown_topic', u.store, left(u.topic, 200), current_date))
    )
    from (
        with recursive step as (
            (
                select w.topic
                from public.work_queue w
                where w.finished_at is null
                order by w.topic
                limit 1
            )
            union all
            select n.topic
            from step s
            cross join lateral (
                select w.topic
                from public.work_queue w
                where w.finished_at is null and w.topic > s.topic
                order by w.topic
                limit 1
            ) n
        )
        select s.topic, k.key as store
        from step s
        cross join public.stores k
        where not exists (select 1 from public.queue_topics t where t.topic = s.topic)
            and exists (
                select 1
                from public.work_queue w
                where w.finished_at is null and w.topic = s.topic and w.store = k.key
            )
        order by k.key, s.topic
    ) u;
end;
$$;
revoke execute on function private.alert_unknown_topics() from public, anon;
comment on function private.alert_unknown_topics() is
    'Has people told, once a day for each store, of work under a topic that is not configured: it waits and is not dropped. Called by record_worker_run only; no error codes.';
