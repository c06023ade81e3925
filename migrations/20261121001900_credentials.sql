-- Keys of stores to other companies' systems: kept as ciphertext, which only the edge can open.

create table private.shop_credentials (
    store text not null references public.stores (key),
    provider text not null check (provider in ('shopify', 'slack', 'shipstation', 'email')),
    key_id text not null check (key_id ~ '^[a-z0-9_-]{1,32}$'),
    nonce bytea not null check (length(nonce) = 12),
    ciphertext bytea not null check (length(ciphertext) between 17 and 8192),
    set_by uuid references public.staff (user_id),
    set_at timestamptz not null default now(),
    checked_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (store, provider)
);
-- A nonce used twice under one key gives both texts away: randomness that repeats itself stores nothing.
create unique index shop_credentials_key_id_nonce_idx on private.shop_credentials (key_id, nonce);
create index shop_credentials_set_by_idx on private.shop_credentials (set_by);
comment on table private.shop_credentials is
    'Per store and provider: AES-256-GCM ciphertext, nonce and the name of the key, which is a secret of the edge.';
comment on column private.shop_credentials.set_by is 'The Admin who put them; null: the service role.';
comment on column private.shop_credentials.checked_at is
    'When the provider last accepted them as they were put; null: nobody asked it.';

create table public.store_audit (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    subject text not null check (subject in ('credentials', 'alert_email')),
    action text not null check (action in ('set', 'removed', 'resealed')),
    details jsonb not null default '{}'::jsonb,
    performed_by uuid references public.staff (user_id),
    created_at timestamptz not null default now()
);
create index store_audit_store_id_idx on public.store_audit (store, id);
create index store_audit_performed_by_idx on public.store_audit (performed_by);
comment on table public.store_audit is
    'Append-only: who changed what about a store; which keys or address were set, never what they are. performed_by is null for the service role.';

create trigger store_audit_append_only before update or delete on public.store_audit
    for each row execute function private.refuse_change();
create trigger store_audit_no_truncate before truncate on public.store_audit
    for each statement execute function private.refuse_change();

alter table public.store_audit enable row level security;
revoke all on public.store_audit from anon, authenticated, service_role;
grant select on public.store_audit to authenticated, service_role;
create policy store_audit_select_admin on public.store_audit for select to authenticated
    using (store = any ((select private.readable_stores('Admin'))::text[]));
create policy store_audit_select_service on public.store_audit for select to service_role using (true);

create function private.sealed_problem(p_sealed jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
begin
    return case
        when jsonb_typeof(p_sealed) is distinct from 'object' then 'sealed keys must be {key_id, nonce, ciphertext}'
        when coalesce(p_sealed ->> 'key_id', '') !~ '^[a-z0-9_-]{1,32}$' then
            'key_id must be 1 to 32 lower-case letters, digits, - or _'
        when coalesce(p_sealed ->> 'nonce', '') !~ '^[A-Za-z0-9+/]{16}$' then 'nonce must be 12 bytes in base64'
        when coalesce(p_sealed ->> 'ciphertext', '') !~ '^([A-Za-z0-9+/]{4})+([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$'
            or length(p_sealed ->> 'ciphertext') not between 24 and 10920 then
            'ciphertext must be 17 to 8190 bytes in base64'
    end;
end;
$$;
revoke execute on function private.sealed_problem(jsonb) from public, anon;
comment on function private.sealed_problem(jsonb) is
    'What is wrong with the form of sealed keys, null when nothing is. Called by other functions only; no error codes.';

create function private.refuse_credentials(p_store text, p_user uuid)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
begin
    if p_user is not null and not private.is_admin(p_user) then
        return private.fail('PERMISSION_DENIED', 'only an Admin manages credentials');
    elsif not exists (select 1 from public.stores s where s.key = p_store) then
        return private.fail('NOT_FOUND', 'no such store');
    end if;
    return null;
end;
$$;
revoke execute on function private.refuse_credentials(text, uuid) from public, anon, authenticated;
comment on function private.refuse_credentials(text, uuid) is
    'Why this person, or the service role itself, may not manage the credentials of a store; null when they may. Called by other functions only.';

create function public.list_shop_credentials(p_store text default null, p_user uuid default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: the private schema is closed to every role of the API.
declare
    v_refusal jsonb := private.refuse_credentials(p_store, p_user);
begin
    if v_refusal is not null then
        return v_refusal;
    end if;
    return (
        select private.ok(jsonb_build_object(
            'store', s.key,
            'shop_domain', s.shop_domain,
            'credentials', coalesce(
                (
                    select jsonb_agg(
                        jsonb_build_object(
                            'provider', c.provider, 'key_id', c.key_id, 'set_at', c.set_at, 'set_by', c.set_by,
                            'checked_at', c.checked_at
                        )
                        order by c.provider
                    )
                    from private.shop_credentials c
                    where c.store = s.key
                ),
                '[]'
            )
        ))
        from public.stores s
        where s.key = p_store
    );
end;
$$;
revoke execute on function public.list_shop_credentials(text, uuid) from public, anon, authenticated;
grant execute on function public.list_shop_credentials(text, uuid) to service_role;
comment on function public.list_shop_credentials(text, uuid) is
    'To which providers a store has keys, and never the keys: {store, shop_domain, credentials: [{provider, key_id, set_at, set_by, checked_at}]}. p_user is the Admin in whose name. Callable by service_role. Codes: PERMISSION_DENIED, NOT_FOUND.';

create function public.put_shop_credentials(
    p_store text default null,
    p_provider text default null,
    p_sealed jsonb default null,
    p_checked boolean default false,
    p_user uuid default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: the private schema is closed to every role of the API.
declare
    v_refusal jsonb := private.refuse_credentials(p_store, p_user);
    v_problem text := private.sealed_problem(p_sealed);
    v_row private.shop_credentials;
begin
    if v_refusal is not null then
        return v_refusal;
    elsif p_provider is null or p_provider not in ('shopify', 'slack', 'shipstation', 'email') then
        return private.fail('BAD_INPUT', 'provider must be shopify, slack, shipstation or email');
    elsif v_problem is not null then
        return private.fail('BAD_INPUT', v_problem);
    end if;

    insert into private.shop_credentials as c (store, provider, key_id, nonce, ciphertext, set_by, checked_at)
    values (
        p_store, p_provider, p_sealed ->> 'key_id', decode(p_sealed ->> 'nonce', 'base64'),
        decode(p_sealed ->> 'ciphertext', 'base64'), p_user, case when p_checked then now() end
    )
    on conflict (store, provider) do update set
        key_id = excluded.key_id, nonce = excluded.nonce, ciphertext = excluded.ciphertext,
        set_by = excluded.set_by, set_at = now(), checked_at = excluded.checked_at
    returning * into v_row;
    insert into public.store_audit (store, subject, action, details, performed_by)
    values (
        p_store, 'credentials', 'set',
        jsonb_build_object('provider', p_provider, 'key_id', v_row.key_id, 'checked', coalesce(p_checked, false)), p_user
    );
    return private.ok(jsonb_build_object(
        'store', v_row.store, 'provider', v_row.provider, 'key_id', v_row.key_id, 'set_at', v_row.set_at,
        'checked_at', v_row.checked_at
    ));
end;
$$;
revoke execute on function public.put_shop_credentials(text, text, jsonb, boolean, uuid) from public, anon, authenticated;
grant execute on function public.put_shop_credentials(text, text, jsonb, boolean, uuid) to service_role;
comment on function public.put_shop_credentials(text, text, jsonb, boolean, uuid) is
    'Keeps a store''s sealed keys to a provider, in place of those that were there; p_sealed is {key_id, nonce, ciphertext}, the bytes in base64, p_checked whether the provider has accepted them, p_user the Admin in whose name. Audited. Returns {store, provider, key_id, set_at, checked_at}. Callable by service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';

create function public.remove_shop_credentials(
    p_store text default null,
    p_provider text default null,
    p_user uuid default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: the private schema is closed to every role of the API.
declare
    v_refusal jsonb := private.refuse_credentials(p_store, p_user);
    v_key_id text;
begin
    if v_refusal is not null then
        return v_refusal;
    elsif p_provider is null or p_provider not in ('shopify', 'slack', 'shipstation', 'email') then
        return private.fail('BAD_INPUT', 'provider must be shopify, slack, shipstation or email');
    end if;

    delete from private.shop_credentials c where c.store = p_store and c.provider = p_provider
    returning c.key_id into v_key_id;
    if v_key_id is not null then
        insert into public.store_audit (store, subject, action, details, performed_by)
        values (
            p_store, 'credentials', 'removed', jsonb_build_object('provider', p_provider, 'key_id', v_key_id), p_user
        );
    end if;
    return private.ok(jsonb_build_object('store', p_store, 'provider', p_provider), v_key_id is null);
end;
$$;
revoke execute on function public.remove_shop_credentials(text, text, uuid) from public, anon, authenticated;
grant execute on function public.remove_shop_credentials(text, text, uuid) to service_role;
comment on function public.remove_shop_credentials(text, text, uuid) is
    'Forgets a store''s keys to a provider; the settings of the edge hold from then on. p_user is the Admin in whose name. Audited. Returns {store, provider}. Callable by service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';
