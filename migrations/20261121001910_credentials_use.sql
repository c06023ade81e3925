-- Reading sealed keys in order to use them, and sealing them anew under another key.

create function private.sealed(p_row private.shop_credentials)
returns jsonb
language sql
immutable
set search_path = ''
as $$
    -- Postgres breaks base64 into lines of 76 characters.
    select jsonb_build_object(
        'store', p_row.store, 'provider', p_row.provider, 'key_id', p_row.key_id,
        'nonce', encode(p_row.nonce, 'base64'),
        'ciphertext', translate(encode(p_row.ciphertext, 'base64'), E'\n', '')
    );
$$;
revoke execute on function private.sealed(private.shop_credentials) from public, anon;
comment on function private.sealed(private.shop_credentials) is
    'Sealed keys as the edge reads them. Called by other functions only; no error codes.';

create function public.read_shop_credentials(p_stores text[] default null)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: the private schema is closed to every role of the API.
begin
    if p_stores is null or cardinality(p_stores) > 1000 then
        return private.fail('BAD_INPUT', 'p_stores must be a list of at most 1000 stores');
    end if;
    return private.ok(jsonb_build_object('credentials', (
        select coalesce(jsonb_agg(private.sealed(c)), '[]')
        from private.shop_credentials c
        where c.store = any (p_stores)
    )));
end;
$$;
revoke execute on function public.read_shop_credentials(text[]) from public, anon, authenticated;
grant execute on function public.read_shop_credentials(text[]) to service_role;
comment on function public.read_shop_credentials(text[]) is
    'The sealed keys of these stores, to be opened and used: {credentials: [{store, provider, key_id, nonce, ciphertext}]}; a store that has none, or does not exist, is not in it. Callable by service_role. Codes: BAD_INPUT.';

create function public.read_stale_credentials(
    p_key_id text default null,
    p_stores text[] default null,
    p_after text default null,
    p_limit integer default 200,
    p_user uuid default null
)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: the private schema is closed to every role of the API.
begin
    if p_user is not null and not private.is_admin(p_user) then
        return private.fail('PERMISSION_DENIED', 'only an Admin manages credentials');
    elsif p_key_id is null or p_limit is null or p_limit not between 1 and 200 then
        return private.fail('BAD_INPUT', 'p_key_id must be given, and p_limit be 1 to 200');
    end if;
    return private.ok(jsonb_build_object('credentials', (
        select coalesce(jsonb_agg(private.sealed(page) order by page.store, page.provider), '[]')
        from (
            select c.*
            from private.shop_credentials c
            where c.key_id <> p_key_id and (p_stores is null or c.store = any (p_stores))
                and (p_after is null or (c.store, c.provider) > (split_part(p_after, '/', 1), split_part(p_after, '/', 2)))
            order by c.store, c.provider
            limit p_limit
        ) as page
    )));
end;
$$;
revoke execute on function public.read_stale_credentials(text, text[], text, integer, uuid) from public, anon, authenticated;
grant execute on function public.read_stale_credentials(text, text[], text, integer, uuid) to service_role;
comment on function public.read_stale_credentials(text, text[], text, integer, uuid) is
    'A page of what is sealed with another key than p_key_id, of these stores or all, from behind p_after (<store>/<provider>) on: {credentials: [{store, provider, key_id, nonce, ciphertext}]}. p_user is the Admin in whose name. Callable by service_role. Codes: PERMISSION_DENIED, BAD_INPUT.';

create function public.reseal_shop_credentials(p_items jsonb default null, p_user uuid default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: the private schema is closed to every role of the API.
declare
    v_resealed bigint;
begin
    if p_user is not null and not private.is_admin(p_user) then
        return private.fail('PERMISSION_DENIED', 'only an Admin manages credentials');
    elsif jsonb_typeof(p_items) is distinct from 'array' or exists (
        select 1 from jsonb_array_elements(p_items) as item
        where private.sealed_problem(item) is not null or jsonb_typeof(item -> 'was') is distinct from 'string'
    ) then
        return private.fail('BAD_INPUT', 'p_items must be a list of {store, provider, was, key_id, nonce, ciphertext}');
    end if;

    with given as materialized (
        select *
        from jsonb_to_recordset(p_items) as item (
            store text, provider text, was text, key_id text, nonce text, ciphertext text
        )
    ),
    held as materialized (
        -- Whoever put other keys meanwhile has sealed them himself: they are left as they are.
        select c.store, c.provider, g.key_id, g.nonce, g.ciphertext
        from private.shop_credentials c
        join given g on g.store = c.store and g.provider = c.provider and g.was = encode(c.nonce, 'base64')
        order by c.store, c.provider
        for update of c
    ),
    resealed as (
        update private.shop_credentials c set
            key_id = h.key_id, nonce = decode(h.nonce, 'base64'), ciphertext = decode(h.ciphertext, 'base64')
        from held h
        where c.store = h.store and c.provider = h.provider
        returning c.store, c.provider, c.key_id
    ),
    written as (
        insert into public.store_audit (store, subject, action, details, performed_by)
        select
            r.store, 'credentials', 'resealed',
            jsonb_build_object('provider', r.provider, 'key_id', r.key_id), p_user
        from resealed r
    )
    select count(*) into v_resealed from resealed;
    return private.ok(jsonb_build_object('resealed', v_resealed), v_resealed = 0);
end;
$$;
revoke execute on function public.reseal_shop_credentials(jsonb, uuid) from public, anon, authenticated;
grant execute on function public.reseal_shop_credentials(jsonb, uuid) to service_role;
comment on function public.reseal_shop_credentials(jsonb, uuid) is
    'Replaces sealed keys by the same keys sealed anew: p_items are [{store, provider, was, key_id, nonce, ciphertext}], was being the nonce that they were read with; what has changed since is left alone. p_user is the Admin in whose name. Audited. Returns {resealed}. Callable by service_role. Codes: PERMISSION_DENIED, BAD_INPUT.';
