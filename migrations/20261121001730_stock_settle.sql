-- What a look at Shopify's level means: agreement, a difference to be looked at again, or drift, which is corrected.

create type private.look as (
    check_id bigint,
    item_id bigint,
    sku text,
    ats integer,
    moves bigint,
    theirs integer,
    adopt boolean,
    verdict text
);
comment on type private.look is 'A check and what the look at its level came to.';

create function private.judge_looks(p_store text, p_looks jsonb)
returns setof private.look
language plpgsql
volatile
set search_path = ''
as $$
declare
    -- What moves all the time is left to the next night.
    v_most_looks constant integer := 12;
    -- An order that waits to be applied has been counted by Shopify already.
    v_behind boolean := exists (
        select 1
        from public.work_queue w
        where w.topic = 'order_ingest_retry' and w.store = p_store and w.finished_at is null
    );
begin
    -- Stock before checks, as everywhere; in a statement of their own, so that the next one sees what came before.
    perform 1
    from public.inventory_items i
    where i.store = p_store and i.id in (
        select c.item_id from public.stock_checks c
        where c.id in (select (l ->> 'check_id')::bigint from jsonb_array_elements(p_looks) l)
    )
    order by i.sku
    for no key update;
    perform 1
    from public.stock_checks c
    where c.store = p_store and c.closed_at is null
        and c.id in (select (l ->> 'check_id')::bigint from jsonb_array_elements(p_looks) l)
    order by c.sku
    for update;

    return query
    select c.id, i.id, i.sku, i.ats, i.moves, k.theirs, i.adopt,
        case
            when i.shopify_inventory_item_gid is null or not (i.tracked or i.adopt) or not s.inventory_enabled then 'gone'
            when k.theirs is null then 'no_level'
            when i.adopt then 'adopt'
            when moved.since then case when c.looks < v_most_looks then 'again' else 'restless' end
            when case when g.reconcile_policy = 'shopify_wins' then greatest(k.theirs, 0) else k.theirs end = i.ats
                then 'agreed'
            when c.theirs = k.theirs and c.ours = i.ats and c.moves = i.moves
                and c.looked_at + make_interval(secs => g.settle_seconds) <= now() then 'drift'
            when c.looks < v_most_looks then 'differs'
            else 'restless'
        end
    from (
        select distinct on ((l ->> 'check_id')::bigint)
            (l ->> 'check_id')::bigint as check_id,
            case when l ->> 'available' ~ '^-?[0-9]{1,9}$' then (l ->> 'available')::integer end as theirs,
            l -> 'token' as token
        from jsonb_array_elements(p_looks) l
        order by (l ->> 'check_id')::bigint
    ) k
    join public.stock_checks c on c.id = k.check_id and c.store = p_store and c.closed_at is null
    join public.inventory_items i on i.id = c.item_id
    join public.stores s on s.key = c.store
    join public.stock_settings g on g.store = c.store
    cross join lateral (
        select v_behind
            or k.token is distinct from jsonb_build_object(
                'moves', i.moves, 'pushed', i.pushed_quantity, 'signals', c.signals, 'looks', c.looks
            )
            -- A push that waits or is under way makes their level ours by itself.
            or exists (
                select 1
                from public.work_queue w
                where w.serial_key = left(i.store || '/' || i.sku, 400) and w.finished_at is null
            ) as since
    ) moved;
end;
$$;
revoke execute on function private.judge_looks(text, jsonb) from public, anon, authenticated;
comment on function private.judge_looks(text, jsonb) is
    'Locks the stock and the checks of these looks and judges each: gone, no_level, adopt, again (something moved meanwhile), agreed, differs (to be confirmed), drift, restless. Called by other functions only; no error codes.';

create function private.adopt_levels(p_store text, p_looks private.look[], p_note text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_cause text := 'reconcile/' || gen_random_uuid();
    v_more text[];
begin
    with levels as (
        select l.item_id, l.sku, l.theirs, greatest(l.theirs, 0) - l.ats as delta from unnest(p_looks) l
    ),
    ledger as (
        insert into public.inventory_txn (item_id, store, delta, reason, note, idempotency_key)
        select l.item_id, p_store, l.delta, 'reconcile', p_note, v_cause || '/' || l.sku
        from levels l
        where l.delta <> 0
    ),
    stock as (
        update public.inventory_items i set
            ats = i.ats + l.delta,
            pushed_quantity = l.theirs,
            tracked = i.tracked or i.adopt,
            adopt = false
        from levels l
        where i.id = l.item_id
    )
    select array_agg(l.sku order by l.sku) filter (where l.delta > 0) into v_more from levels l;

    if v_more is not null then
        perform private.allocate_waiting(p_store, v_more, v_cause);
    end if;
end;
$$;
revoke execute on function private.adopt_levels(text, private.look[], text) from public, anon, authenticated;
comment on function private.adopt_levels(text, private.look[], text) is
    'Makes Shopify''s levels ours, never below nothing, and gives what is more to waiting short lines. The caller has locked the stock rows. Called by other functions only; no error codes.';

create function private.push_levels(p_store text, p_looks private.look[])
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_skus text[];
    v_deltas integer[];
begin
    -- Compared with what was seen: whoever has changed it meanwhile is not overwritten unseen.
    update public.inventory_items i set pushed_quantity = l.theirs
    from unnest(p_looks) l
    where i.id = l.item_id;
    select array_agg(l.sku order by l.sku), array_agg(l.ats - l.theirs order by l.sku)
    into v_skus, v_deltas
    from unnest(p_looks) l;
    perform private.enqueue_pushes(p_store, 'reconcile/' || gen_random_uuid(), v_skus, v_deltas);
end;
$$;
revoke execute on function private.push_levels(text, private.look[]) from public, anon, authenticated;
comment on function private.push_levels(text, private.look[]) is
    'Has our levels pushed over those that Shopify was seen to have. The caller has locked the stock rows. Called by other functions only; no error codes.';

create function public.settle_stock_checks(p_store text default null, p_looks jsonb default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
set lock_timeout = '3s'
as $$
-- definer because: nobody may write stock directly, the service role included.
declare
    v_settings public.stock_settings;
    v_looks private.look[];
    v_some private.look[];
    v_runs bigint[];
begin
    if p_looks is null or jsonb_typeof(p_looks) <> 'array' or jsonb_array_length(p_looks) > 1000 then
        return private.fail('BAD_INPUT', 'p_looks must be an array of at most 1000 looks');
    elsif exists (
        select 1 from jsonb_array_elements(p_looks) l where coalesce(l ->> 'check_id', '') !~ '^[0-9]{1,18}$'
    ) then
        return private.fail('BAD_INPUT', 'every look needs its check_id');
    end if;
    select * into v_settings from public.stock_settings s where s.store = p_store;
    select array_agg(j) into v_looks from private.judge_looks(p_store, p_looks) j;
    if v_looks is null then
        return private.ok(jsonb_build_object('decided', 0), true);
    end if;
    select array_agg(distinct c.run_id) filter (where c.run_id is not null) into v_runs
    from public.stock_checks c
    join unnest(v_looks) l on l.check_id = c.id;

    select array_agg(l) into v_some from unnest(v_looks) l where l.verdict = 'adopt';
    if v_some is not null then
        perform private.adopt_levels(p_store, v_some, 'what Shopify had when it was taken in');
    end if;
    select array_agg(l) into v_some from unnest(v_looks) l where l.verdict = 'drift';
    if v_some is not null and v_settings.reconcile_policy = 'shopify_wins' then
        perform private.adopt_levels(p_store, v_some, 'Shopify''s level');
    elsif v_some is not null then
        perform private.push_levels(p_store, v_some);
    end if;

    delete from public.stock_checks c
    using unnest(v_looks) l
    where c.id = l.check_id and l.verdict in ('gone', 'agreed', 'adopt');
    update public.stock_checks c set
        outcome = case l.verdict when 'drift' then 'corrected' else 'failed' end,
        policy = v_settings.reconcile_policy,
        reason = case l.verdict when 'no_level' then 'Shopify has no level of it at the location'
            when 'restless' then 'it never stood still' end,
        theirs = l.theirs,
        ours = l.ats,
        closed_at = now()
    from unnest(v_looks) l
    where c.id = l.check_id and l.verdict in ('drift', 'no_level', 'restless');

    -- A difference that is the same as at the last look is as old as that one.
    update public.stock_checks c set
        looked_at = case when c.theirs = l.theirs and c.ours = l.ats and c.moves = l.moves
            then c.looked_at else now() end,
        theirs = l.theirs,
        ours = l.ats,
        moves = l.moves
    from unnest(v_looks) l
    where c.id = l.check_id and l.verdict = 'differs';
    perform private.queue_looks(
        array_agg(l.check_id),
        greatest(make_interval(secs => v_settings.settle_seconds), case l.verdict when 'again' then interval '5 seconds'
            else interval '0' end),
        true
    )
    from unnest(v_looks) l
    where l.verdict in ('differs', 'again')
    group by l.verdict;

    perform private.finish_reconcile(r) from unnest(v_runs) r;
    return private.ok(jsonb_build_object(
        'decided', (select count(*) from unnest(v_looks) l where l.verdict not in ('differs', 'again')),
        'corrected', (select count(*) from unnest(v_looks) l where l.verdict = 'drift')
    ));
end;
$$;
revoke execute on function public.settle_stock_checks(text, jsonb) from public, anon, authenticated;
grant execute on function public.settle_stock_checks(text, jsonb) to service_role;
comment on function public.settle_stock_checks(text, jsonb) is
    'Takes what Shopify said of levels, [{check_id, token, available}], null where it has none. Agreement ends a check. A difference is looked at once more after the store''s settle_seconds, and when it is still the same, with nothing moved on either side and no push waiting, it is corrected by the store''s policy. Returns {decided, corrected}. Callable by service_role. Codes: BAD_INPUT.';
