-- E-mails to those who run a store: work like any other effect, for stores that have an address.

create function private.enqueue_email(p_store text, p_kind text, p_details jsonb, p_dedupe_key text)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_to text := (select s.alert_email from public.stores s where s.key = p_store);
begin
    -- What nobody wants to read must not pile up.
    if v_to is null then
        return null;
    end if;
    -- The address goes with the message: under one idempotency key the same must be sent each time.
    return private.enqueue_work(
        'email', p_store,
        coalesce(p_details, '{}'::jsonb) || jsonb_build_object('kind', p_kind, 'to', v_to),
        concat_ws('/', p_kind, p_store, case when length(p_dedupe_key) > 150 then md5(p_dedupe_key) else p_dedupe_key end)
    );
end;
$$;
revoke execute on function private.enqueue_email(text, text, jsonb, text) from public, anon, authenticated;
comment on function private.enqueue_email(text, text, jsonb, text) is
    'Has an e-mail {kind, to, …details} sent to the store''s alert address, once for each kind, store and p_dedupe_key. Returns the id of its work, null when the store has no address. p_details name orders, SKUs and figures, never a person. Called by other functions only; no error codes.';

create function public.set_alert_email(p_store text, p_email text default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stores directly; the role of the caller is checked here.
declare
    v_email text := nullif(btrim(p_email), '');
    v_store public.stores;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin changes a store');
    elsif length(v_email) > 254 or v_email !~ '^[^\s@<>",;]+@[^\s@<>",;]+[.][^\s@<>",;.]+$' then
        return private.fail('BAD_INPUT', 'p_email must be one e-mail address');
    end if;
    select * into v_store from public.stores s where s.key = p_store for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    elsif v_store.alert_email is not distinct from v_email then
        return private.ok(jsonb_build_object('store', p_store, 'alert_email', v_email), true);
    end if;

    update public.stores s set alert_email = v_email where s.key = p_store;
    insert into public.store_audit (store, subject, action, performed_by)
    values (
        p_store, 'alert_email', case when v_email is null then 'removed' else 'set' end,
        case when not private.is_service() then private.caller() end
    );
    return private.ok(jsonb_build_object('store', p_store, 'alert_email', v_email));
end;
$$;
revoke execute on function public.set_alert_email(text, text) from public, anon;
grant execute on function public.set_alert_email(text, text) to authenticated, service_role;
comment on function public.set_alert_email(text, text) is
    'Sets where e-mails about a store go; without p_email none are sent any more. Audited. Returns {store, alert_email}. Callable by an Admin and service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';
