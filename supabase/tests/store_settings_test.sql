-- Settings of a store: who sets them, what they must be, and how the edge learns of them.
begin;
select plan(27);

create function pg_temp.deliver(p_hash text, p_rev integer, p_topic text default 'orders/create')
returns jsonb
language sql
as $$
    select public.ingest_shopify_event(
        p_shop_domain => 'bannos.myshopify.com', p_topic => p_topic, p_content_hash => p_hash,
        p_order => case when p_topic = 'orders/create' then jsonb_build_object(
            'snapshot', true, 'gid', 'gid://shopify/Order/88' || p_hash, 'order_number', '88' || p_hash, 'lines', '[]'::jsonb
        ) end,
        p_payload => '{}', p_own_secrets => '{}', p_settings_rev => p_rev
    );
$$;
grant execute on all functions in schema pg_temp to service_role;

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(public.update_store_settings('bannos', '{}') ->> 'code', 'PERMISSION_DENIED', 'a Supervisor changes no settings');
select is(public.mark_store_installed('bannos') ->> 'code', 'PERMISSION_DENIED', 'nor whether a store is there');

set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(
    public.update_store_settings('bannos', '{}'),
    '{"ok": true, "data": {"store": "bannos", "rev": 0, "settings": {}}, "already_done": true}', 'what is built in is no change'
);
select is(
    public.update_store_settings('bannos', '{"size_property": "Tier", "flavour_properties": ["Filling", "Sponge"], "delivery_tag": ""}') -> 'data',
    '{"store": "bannos", "rev": 1, "settings": {"size_property": "Tier", "flavour_properties": ["Filling", "Sponge"], "delivery_tag": ""}}',
    'an Admin names them'
);
select is(
    public.update_store_settings('bannos', '{"delivery_tag": "", "flavour_properties": ["Filling", "Sponge"], "size_property": "Tier"}')
        -> 'already_done', 'true', 'the same again is done already'
);
select is(public.update_store_settings('nobody', '{}') ->> 'code', 'NOT_FOUND', 'an unknown store is not found');
select is(
    public.update_store_settings('bannos', bad.settings::jsonb) ->> 'code', 'BAD_INPUT', 'refused: ' || left(coalesce(bad.settings, 'null'), 60)
)
from (
    values
        (null), ('[]'), ('"x"'), ('{"kitchen": false}'), ('{"size_property": 5}'), ('{"size_property": null}'),
        ('{"size_property": "' || repeat('x', 201) || '"}'), ('{"pickup_words": "pickup"}'), ('{"pickup_words": [5]}'),
        ('{"pickup_words": [""]}'), ('{"pickup_words": {}}'),
        ('{"pickup_words": ' || (select jsonb_agg('w'::text)::text from generate_series(1, 21)) || '}')
) as bad (settings);

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(
    pg_temp.deliver('1', 0),
    '{"ok": false, "code": "STALE_SETTINGS", "message": "read the order again with these settings", "data": {"rev": 1, "settings":
        {"size_property": "Tier", "flavour_properties": ["Filling", "Sponge"], "delivery_tag": ""}}}',
    'an order that was read by other names is refused, with the names'
);
select is((select count(*) from public.event_store e where e.content_hash = '1'), 0::bigint, 'nothing of it is stored');
select is(pg_temp.deliver('1', 1) #>> '{data,outcome}', 'created', 'read by these it is taken');
select is(pg_temp.deliver('1', 2) ->> 'code', 'STALE_SETTINGS', 'a revision that is not there yet is refused as well');
select is(pg_temp.deliver('2', 0, 'products/update') #>> '{data,outcome}', 'ignored', 'what is no order needs no names');
select is(
    (public.update_store_settings('bannos', '{}') #>> '{data,rev}') || (pg_temp.deliver('3', 0) ->> 'code'), '2STALE_SETTINGS',
    'back to what is built in is a revision too'
);
select is(pg_temp.deliver('3', 2) #>> '{data,outcome}', 'created', 'of its own');
select is(
    (public.create_store('bannos', 'Bannos', 'bannos.myshopify.com', 'Australia/Sydney', 'AU', 'AUD', 'bannos', 'B')) -> 'already_done',
    'true', 'adding a store that is there looks past its settings'
);
select is(public.mark_store_installed('bannos') -> 'already_done', 'true', 'a store that never left is there');

select * from finish();
rollback;
