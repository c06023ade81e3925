-- Alerts that edge functions raise: the same grouping as of those that the database raises.

create function public.raise_alert(
    p_store text default null,
    p_kind text default null,
    p_text text default null,
    p_meta jsonb default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write work_queue directly, the service role included.
begin
    if p_kind is null or p_kind !~ '^[a-z][a-z_]{0,59}$' then
        return private.fail('BAD_INPUT', 'p_kind must be a lower-case word of at most 60 letters or _');
    end if;
    if coalesce(btrim(p_text), '') = '' then
        return private.fail('BAD_INPUT', 'p_text must say what is wrong');
    end if;
    if p_meta is not null and (jsonb_typeof(p_meta) <> 'object' or length(p_meta::text) > 8000) then
        return private.fail('BAD_INPUT', 'p_meta must be a small object');
    end if;
    if not exists (select 1 from public.stores s where s.key = p_store) then
        return private.fail('NOT_FOUND', 'no such store');
    end if;

    return private.ok(jsonb_build_object('work_id', private.enqueue_alert(
        p_store, p_kind,
        jsonb_build_object('text', left(btrim(p_text), 1000), 'meta', coalesce(p_meta, '{}'::jsonb))
    )));
end;
$$;
revoke execute on function public.raise_alert(text, text, text, jsonb) from public, anon, authenticated;
grant execute on function public.raise_alert(text, text, text, jsonb) to service_role;
comment on function public.raise_alert(text, text, text, jsonb) is
    'Has people told by a slack_alert {kind, text, meta}, at most one for each kind, store and five minutes: within them the one that is there is the answer. p_text and p_meta must not hold personal data. Returns {work_id}. Callable by service_role. Codes: BAD_INPUT, NOT_FOUND.';
