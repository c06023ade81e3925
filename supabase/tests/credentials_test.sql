-- Credentials of stores: kept sealed, by Admins and the service role, read by nobody else, and written down.
begin;
select plan(48);

create function pg_temp.sealed(p_key text, p_nonce text)
returns jsonb
language sql
as $$ select jsonb_build_object('key_id', p_key, 'nonce', p_nonce, 'ciphertext', repeat('QUJD', 40)); $$;
grant execute on all functions in schema pg_temp to authenticated, service_role;

-- Nobody but the service role calls them, and nobody at all touches the table ----------------------------------------
select is_empty(
    $$
        select p.proname, client.role
        from pg_catalog.pg_proc p, unnest(array['anon', 'authenticated']) as client (role)
        where p.pronamespace = 'public'::regnamespace and p.proname like '%credentials'
            and has_function_privilege(client.role, p.oid, 'execute')
    $$,
    'users do not call the functions themselves'
);
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select throws_ok('select * from private.shop_credentials', '42501', null, 'not even the service role reads the table');
select throws_ok('delete from private.shop_credentials', '42501', null, 'or writes it');

-- For an Admin, and for the service role itself ----------------------------------------------------------------------
select is(
    public.list_shop_credentials('bannos', who.id::uuid) ->> 'code', who.code, 'list as ' || who.name
)
from (
    values
        ('a Staff member', '00000000-0000-4000-8000-000000000001', 'PERMISSION_DENIED'),
        ('a Supervisor', '00000000-0000-4000-8000-000000000002', 'PERMISSION_DENIED'),
        ('an Admin', '00000000-0000-4000-8000-000000000003', null),
        ('a former member', '00000000-0000-4000-8000-000000000005', 'PERMISSION_DENIED'),
        ('nobody', '00000000-0000-4000-8000-000000000006', 'PERMISSION_DENIED')
) as who (name, id, code);
select is(
    call.answer ->> 'code', 'PERMISSION_DENIED', 'a Supervisor does not ' || call.name
)
from (
    values
        ('put', public.put_shop_credentials('bannos', 'slack', pg_temp.sealed('k1', repeat('A', 16)), true, '00000000-0000-4000-8000-000000000002')),
        ('remove', public.remove_shop_credentials('bannos', 'slack', '00000000-0000-4000-8000-000000000002')),
        ('read what is stale', public.read_stale_credentials('k1', null, null, 1, '00000000-0000-4000-8000-000000000002')),
        ('reseal', public.reseal_shop_credentials('[]', '00000000-0000-4000-8000-000000000002'))
) as call (name, answer);
select is(public.list_shop_credentials('nowhere') ->> 'code', 'NOT_FOUND', 'an unknown store is not found');
select is(public.list_shop_credentials() ->> 'code', 'NOT_FOUND', 'nor none');
select is(
    public.list_shop_credentials('bannos') -> 'data',
    '{"store": "bannos", "shop_domain": "bannos.myshopify.com", "credentials": []}', 'at first there are none'
);

-- Put, read, replace, remove -----------------------------------------------------------------------------------------
select is(
    public.put_shop_credentials('bannos', 'shopify', pg_temp.sealed('k1', repeat('A', 16)), true, '00000000-0000-4000-8000-000000000003') -> 'data' ->> 'key_id',
    'k1', 'an Admin puts keys'
);
select is(
    public.put_shop_credentials('flourlane', 'slack', pg_temp.sealed('k1', repeat('B', 16))) -> 'data' -> 'checked_at',
    'null', 'the service role puts some that nobody checked'
);
select throws_ok(
    $$select public.put_shop_credentials('flourlane', 'shopify', pg_temp.sealed('k1', repeat('A', 16)))$$,
    '23505', null, 'a nonce is used once under a key'
);
select is(
    public.read_shop_credentials(array['bannos', 'nowhere']) -> 'data' -> 'credentials',
    jsonb_build_array(jsonb_build_object('store', 'bannos', 'provider', 'shopify') || pg_temp.sealed('k1', repeat('A', 16))),
    'they are read as they were put, in one line'
);
select is(jsonb_array_length(public.read_shop_credentials(array['bannos', 'flourlane']) -> 'data' -> 'credentials'), 2, 'those of several stores at once');
select is(public.read_shop_credentials() ->> 'code', 'BAD_INPUT', 'never those of all');
select is(
    jsonb_path_query_array(public.list_shop_credentials('bannos'), '$.data.credentials[*].keyvalue().key'),
    '["key_id", "set_at", "set_by", "provider", "checked_at"]', 'the list tells no ciphertext'
);
select is(
    public.put_shop_credentials('bannos', 'shopify', pg_temp.sealed('k2', repeat('C', 16)), false) -> 'data' -> 'checked_at',
    'null', 'others take their place'
);
select is(jsonb_array_length(public.read_shop_credentials(array['bannos']) -> 'data' -> 'credentials'), 1, 'and are the only ones');
select is(public.remove_shop_credentials('flourlane', 'slack') -> 'already_done', 'false', 'keys are forgotten');
select is(public.remove_shop_credentials('flourlane', 'slack') -> 'already_done', 'true', 'once');
select is(public.remove_shop_credentials('flourlane', 'wms') ->> 'code', 'BAD_INPUT', 'of a provider that exists');

-- What has no form of sealed keys is refused -------------------------------------------------------------------------
select is(
    public.put_shop_credentials('bannos', bad.provider, bad.sealed) ->> 'code', 'BAD_INPUT', 'refused: ' || bad.name
)
from (
    values
        ('nothing', 'slack', null::jsonb),
        ('a list', 'slack', '[]'),
        ('no provider', null, pg_temp.sealed('k1', repeat('D', 16))),
        ('another provider', 'wms', pg_temp.sealed('k1', repeat('D', 16))),
        ('a strange key id', 'slack', pg_temp.sealed('K 1', repeat('D', 16))),
        ('a short nonce', 'slack', pg_temp.sealed('k1', repeat('D', 12))),
        ('a nonce that is no base64', 'slack', pg_temp.sealed('k1', repeat('*', 16))),
        ('no ciphertext', 'slack', pg_temp.sealed('k1', repeat('D', 16)) - 'ciphertext'),
        ('a short ciphertext', 'slack', pg_temp.sealed('k1', repeat('D', 16)) || '{"ciphertext": "QUJD"}'),
        ('broken base64', 'slack', pg_temp.sealed('k1', repeat('D', 16)) || '{"ciphertext": "QUJDQUJDQUJDQUJDQUJDQUJDQU"}'),
        ('a huge ciphertext', 'slack', pg_temp.sealed('k1', repeat('D', 16)) || jsonb_build_object('ciphertext', repeat('QUJD', 4000)))
) as bad (name, provider, sealed);

-- Sealing anew -------------------------------------------------------------------------------------------------------
select is(
    jsonb_path_query_array(public.read_stale_credentials('k1'), '$.data.credentials[*].store'), '["bannos"]', 'what has another key is stale'
);
select is(
    public.read_stale_credentials('k1', null, 'bannos/shopify') -> 'data' -> 'credentials', '[]', 'a page goes on behind the one before'
);
select is(
    public.reseal_shop_credentials(jsonb_build_array(
        jsonb_build_object('store', 'bannos', 'provider', 'shopify', 'was', repeat('A', 16)) || pg_temp.sealed('k3', repeat('E', 16))
    )) -> 'data' -> 'resealed', '0', 'what has changed since it was read is left alone'
);
select is(
    public.reseal_shop_credentials(jsonb_build_array(
        jsonb_build_object('store', 'bannos', 'provider', 'shopify', 'was', repeat('C', 16)) || pg_temp.sealed('k3', repeat('E', 16))
    )) -> 'data' -> 'resealed', '1', 'what has not is sealed anew'
);
select is(public.reseal_shop_credentials('[{"store": "bannos"}]') ->> 'code', 'BAD_INPUT', 'but not by halves');

-- Written down, and only for Admins to read --------------------------------------------------------------------------
select results_eq(
    $$select store || ' ' || action || ' ' || (details ->> 'provider') from public.store_audit order by id$$,
    array['bannos set shopify', 'flourlane set slack', 'bannos set shopify', 'flourlane removed slack', 'bannos resealed shopify'],
    'every change is written down'
);
select is_empty($$select 1 from public.store_audit where details::text like '%QUJD%'$$, 'without what was changed');
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is_empty('select 1 from public.store_audit', 'a Supervisor does not read that');

-- A shop that is to be forgotten -------------------------------------------------------------------------------------
reset role;
select lives_ok($$select private.redact_texts_of_shop('bannos')$$, 'a shop is forgotten');
select results_eq(
    $$
        select (select count(*) from private.shop_credentials c where c.store = 'bannos'),
            (select a.action from public.store_audit a where a.store = 'bannos' order by a.id desc limit 1)
    $$,
    $$values (0::bigint, 'removed')$$, 'and its keys with it'
);

select * from finish();
rollback;
