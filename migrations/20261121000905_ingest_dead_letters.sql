-- Keeping whole what could not be processed.

create function private.keep_dead_letter(
    p_store text,
    p_source text,
    p_shop_domain text,
    p_topic text,
    p_external_id text,
    p_reason text,
    p_body text,
    p_encoding text
)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_forgotten boolean := coalesce(private.is_about_forgotten(p_store, p_body, p_encoding), false);
    v_id bigint;
begin
    insert into public.dead_letters (
        store, source, topic, reason, shop_domain, external_id, body, encoding
    )
    values (
        p_store, left(p_source, 100), left(p_topic, 100), left(p_reason, 500), left(p_shop_domain, 200),
        left(p_external_id, 500), case when v_forgotten then '[redacted]' else p_body end,
        case when v_forgotten then 'utf8' else p_encoding end
    )
    on conflict (source, external_id) do nothing
    returning id into v_id;

    if v_id is not null then
        perform private.enqueue_alert(p_store, 'dead_letter', jsonb_build_object(
            'dead_letter_id', v_id, 'source', p_source, 'topic', left(p_topic, 100), 'reason', left(p_reason, 500)
        ));
    else
        select d.id into v_id
        from public.dead_letters d
        where d.source = left(p_source, 100) and d.external_id = left(p_external_id, 500);
    end if;

    return v_id;
end;
$$;
revoke execute on function private.keep_dead_letter(text, text, text, text, text, text, text, text)
    from public, anon;
comment on function private.keep_dead_letter(text, text, text, text, text, text, text, text) is
    'Adds a dead letter and has people told, or finds the one with this source and external id, and returns its id. A body about an order or a person that had to be forgotten is not kept. Called by other functions only; no error codes.';

create function public.record_dead_letter(
    p_source text,
    p_shop_domain text default null,
    p_topic text default null,
    p_external_id text default null,
    p_reason text default null,
    p_body text default null,
    p_encoding text default null,
    p_secret_of text default null,
    p_own_secrets text[] default null
)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write dead_letters directly, the service role included.
declare
    v_store text;
begin
    if coalesce(p_source, '') = '' or coalesce(p_reason, '') = '' then
        return private.fail('BAD_INPUT', 'p_source and p_reason are needed');
    end if;
    if coalesce(p_encoding, 'utf8') not in ('utf8', 'base64', 'json') then
        return private.fail('BAD_INPUT', 'p_encoding must be utf8, base64 or json');
    end if;

    select s.key into v_store from public.stores s where s.shop_domain = lower(btrim(p_shop_domain));
    -- As for a delivery that can be read: the shop is a claim, and the secret has to agree with it.
    if v_store is not null
        and p_secret_of is distinct from (case when upper(v_store) = any(p_own_secrets) then upper(v_store) end)
    then
        return private.fail('UNAUTHENTICATED', 'the signature is not of this shop');
    end if;

    return private.ok(jsonb_build_object('dead_letter_id', private.keep_dead_letter(
        v_store, p_source, p_shop_domain, p_topic, nullif(p_external_id, ''), p_reason, p_body,
        coalesce(p_encoding, 'utf8')
    )));
end;
$$;
revoke execute on function
    public.record_dead_letter(text, text, text, text, text, text, text, text, text[])
    from public, anon, authenticated;
grant execute on function
    public.record_dead_letter(text, text, text, text, text, text, text, text, text[])
    to service_role;
comment on function public.record_dead_letter(text, text, text, text, text, text, text, text, text[]) is
    'Keeps a delivery that cannot be processed, with its raw body, once for each source and external id. A body with bytes that text cannot hold comes as base64. p_secret_of and p_own_secrets as in ingest_shopify_event. Returns {dead_letter_id}. Callable by service_role. Codes: BAD_INPUT, UNAUTHENTICATED (nothing stored).';
