-- Which inventory item of Shopify a SKU is, at which location it is stocked, and who may say so.
begin;
select plan(52);

create function pg_temp.become(p_user text)
returns void
language sql
as $$
    select set_config('request.jwt.claims', case when p_user is null then '{"role":"service_role"}' else jsonb_build_object(
        'role', 'authenticated', 'aud', 'authenticated', 'exp', 4102444800, 'sub', '00000000-0000-4000-8000-00000000000' || p_user
    )::text end, true),
        set_config('role', case when p_user is null then 'service_role' else 'authenticated' end, true);
$$;
create function pg_temp.item(p_sku text)
returns public.inventory_items
language sql
as $$ select i from public.inventory_items i where i.store = 'bannos' and i.sku = p_sku; $$;
create function pg_temp.pushes(p_sku text)
returns bigint
language sql
as $$
    select count(*) from public.work_queue w
    where w.store = 'bannos' and w.topic = 'inventory_push' and w.payload ->> 'sku' = p_sku;
$$;
create function pg_temp.gid(p_number integer)
returns text
language sql
as $$ select 'gid://shopify/InventoryItem/' || p_number; $$;
create function pg_temp.mapping(p_sku text)
returns text
language sql
as $$ select public.get_stock('bannos', array[p_sku]) #>> '{data,items,0,mapping}'; $$;
grant execute on all functions in schema pg_temp to authenticated, service_role;

-- Every store has its settings.
select is((select count(*) from public.stock_settings), (select count(*) from public.stores), 'every store has stock settings');
select pg_temp.become('1');
select is((select array_agg(store) from public.stock_settings), '{bannos}', 'Staff read those of their own store');
select is(public.update_stock_settings('bannos', '{}') ->> 'code', 'PERMISSION_DENIED', 'and change none');
select is(public.upsert_inventory_item('bannos', 'M-1', 5) ->> 'code', 'PERMISSION_DENIED', 'nor take in a SKU');
select is(public.map_inventory_item('bannos', 'MWW0034') ->> 'code', 'PERMISSION_DENIED', 'nor map one');
select throws_ok($$select public.save_mapping('bannos', '[]')$$, '42501', null, 'what the worker reports is the service role''s');
select throws_ok($$select public.begin_mapping('bannos', '{}')$$, '42501', null, 'as what it asks');
select throws_ok($$select public.save_locations('bannos', '[]')$$, '42501', null, 'and which locations there are');

select pg_temp.become('3');
select is(
    (select array_agg(public.update_stock_settings('bannos', s) ->> 'code') from unnest(array[
        '[]', '{"x": 1}', '{"location_gid": "gid://shopify/Shop/1"}', '{"location_gid": null}', '{"reconcile_policy": "mine"}',
        '{"reconcile_at": "25:00"}', '{"reconcile_at": 3}', '{"drift_threshold": -1}', '{"drift_threshold": "5"}',
        '{"settle_seconds": 3601}', '{"import_skus": "yes"}', '{"store": "flourlane"}', '{"locations": []}'
    ]::jsonb[]) s),
    array_fill('BAD_INPUT'::text, '{13}'), 'every wrong setting is refused'
);
select is(public.update_stock_settings('nowhere', '{}') ->> 'code', 'NOT_FOUND', 'as is an unknown store');
select is(
    public.update_stock_settings('bannos', '{"reconcile_at": "02:30", "drift_threshold": 0, "settle_seconds": 3600, "import_skus": true}')
        -> 'data' @> '{"reconcile_at": "02:30:00", "drift_threshold": 0, "settle_seconds": 3600, "import_skus": true}',
    true, 'an Admin sets them'
);
select is(public.update_stock_settings('bannos', '{"settle_seconds": 3600}') -> 'already_done', 'true', 'the same again is no change');

-- A SKU is taken in.
select pg_temp.become('2');
select is(
    public.upsert_inventory_item('bannos', ' M-1 ', 5) -> 'data' @> '{"sku": "M-1", "ats": 5, "tracked": true, "mapping": "waiting"}',
    true, 'a Supervisor takes a SKU in, with a stock'
);
select is(public.upsert_inventory_item('bannos', 'M-1', 5) -> 'already_done', 'true', 'once');
select is(public.upsert_inventory_item('bannos', 'M-1', 6) ->> 'code', 'CONFLICT', 'another opening stock is no opening stock');
select is(
    public.upsert_inventory_item('bannos', 'M-2') -> 'data' @> '{"ats": 0, "tracked": false, "mapping": "waiting"}',
    true, 'or as Shopify says, and not before it has'
);
select is(public.upsert_inventory_item('flourlane', 'M-1', 5) ->> 'code', 'NOT_FOUND', 'in no other store');
select is(
    array[
        public.upsert_inventory_item('bannos', ' ', 5) ->> 'code', public.upsert_inventory_item('bannos', repeat('x', 256), 5) ->> 'code',
        public.upsert_inventory_item('bannos', 'M-9', -1) ->> 'code', public.upsert_inventory_item('bannos', 'M-9', 1, true, 'x') ->> 'code',
        public.map_inventory_item('bannos', 'M-1', 'gid://shopify/Product/1') ->> 'code'
    ], array_fill('BAD_INPUT'::text, '{5}'), 'nonsense is refused'
);
select is(public.map_inventory_item('bannos', 'NONE', pg_temp.gid(9)) ->> 'code', 'NOT_FOUND', 'an unknown SKU is no SKU');
select is(pg_temp.pushes('M-1'), 1::bigint, 'and has it looked up');

-- What the worker asks
select pg_temp.become(null);
select is(
    public.begin_mapping('bannos', '{M-1,M-2,MWW0034,NONE}') -> 'data', '{"ask_locations": true, "skus": ["M-1", "M-2"]}',
    'only what is not mapped is looked up'
);
select is(public.begin_mapping('nowhere', '{M-1}') ->> 'code', 'NOT_FOUND', 'in a store that exists');
select is(public.begin_mapping('bannos') ->> 'code', 'BAD_INPUT', 'by name');

-- Locations
select is(public.save_locations('bannos', '{}') ->> 'code', 'BAD_INPUT', 'locations are a list');
select is(
    public.save_locations('bannos', '[{"gid": "gid://shopify/Location/71", "name": "Shop"}, {"gid": "gid://shopify/Location/72", "name": "Van"}]')
        #> '{data,location_gid}',
    'null', 'of several locations none is guessed'
);
select is(
    (select w.payload -> 'locations' from public.work_queue w where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'stock_location'),
    '["Shop", "Van"]', 'people are told to choose'
);
select is(public.begin_mapping('bannos', '{}') #> '{data,ask_locations}', 'false', 'and Shopify is not asked at every push');
select pg_temp.become('3');
select is(
    public.update_stock_settings('bannos', '{"location_gid": "gid://shopify/Location/73"}') ->> 'code', 'BAD_INPUT',
    'what is chosen exists'
);
select is(
    public.update_stock_settings('bannos', '{"location_gid": "gid://shopify/Location/72"}') #>> '{data,location_gid}',
    'gid://shopify/Location/72', 'an Admin chooses'
);
select pg_temp.become(null);
select is(
    public.save_locations('bannos', '[{"gid": "gid://shopify/Location/71", "name": "Shop"}]') #>> '{data,location_gid}',
    'gid://shopify/Location/72', 'a choice stands'
);
select is(
    public.save_locations('flourlane', '[{"gid": "gid://shopify/Location/81", "name": "Shop"}, {"name": "none"}]') #>> '{data,location_gid}',
    'gid://shopify/Location/81', 'the only location needs no choice'
);

-- What the worker finds
select is(public.save_mapping('bannos', '{}') ->> 'code', 'BAD_INPUT', 'what was found is a list');
select is(
    public.upsert_inventory_item('bannos', s, 1) ->> 'ok', 'true', s || ' is taken in'
) from unnest('{M-3,M-4,M-5,M-6}'::text[]) s;
select is(
    public.save_mapping('bannos', jsonb_build_array(
        jsonb_build_object('sku', 'M-1', 'gids', array[pg_temp.gid(901), pg_temp.gid(901)]),
        jsonb_build_object('sku', 'M-2', 'gids', array[pg_temp.gid(902)]),
        jsonb_build_object('sku', 'M-3', 'gids', array[pg_temp.gid(903), pg_temp.gid(904)]),
        jsonb_build_object('sku', 'M-4', 'gids', '[]'::jsonb),
        jsonb_build_object('sku', 'M-5', 'gids', array[(pg_temp.item('MWW0034')).shopify_inventory_item_gid]),
        jsonb_build_object('sku', 'MWW0034', 'gids', array[pg_temp.gid(905)]),
        jsonb_build_object('sku', 'NONE', 'gids', array[pg_temp.gid(906)])
    )) -> 'data', '{"mapped": 2, "refused": 3}', 'one hit is mapped, anything else refused'
);
select is(
    array[pg_temp.mapping('M-1'), pg_temp.mapping('M-3'), pg_temp.mapping('M-4'), pg_temp.mapping('M-5'), pg_temp.mapping('M-6')],
    '{mapped,ambiguous,not_found,taken,waiting}', 'and screens show it'
);
select is((pg_temp.item('MWW0034')).shopify_inventory_item_gid, pg_temp.gid(1001), 'a mapping is for good');
select is((pg_temp.item('M-3')).mapping_candidates, array[pg_temp.gid(903), pg_temp.gid(904)], 'the candidates are kept');
select is(
    (select w.payload -> 'skus' from public.work_queue w where w.topic = 'slack_alert' and w.payload ->> 'kind' = 'stock_mapping'),
    '["M-3", "M-4", "M-5"]', 'people are told'
);
select is(array[pg_temp.pushes('M-1'), pg_temp.pushes('M-3')], '{2,1}', 'what is mapped is pushed, what is refused is not');
select is(
    (select (c.cause, c.theirs) from public.stock_checks c where c.item_id = (pg_temp.item('M-2')).id),
    ('mapped'::text, null::integer), 'what waits for Shopify''s level has it looked at'
);
select is(public.begin_mapping('bannos', '{M-3,M-4}') #> '{data,skus}', '[]', 'what is refused is not asked again');

-- A person decides.
select pg_temp.become('2');
select is(public.map_inventory_item('bannos', 'M-3', pg_temp.gid(901)) ->> 'code', 'CONFLICT', 'not what another SKU is');
select is(public.map_inventory_item('bannos', 'M-3', pg_temp.gid(904)) ->> 'ok', 'true', 'one of the candidates');
select is(public.map_inventory_item('bannos', 'M-3', pg_temp.gid(904)) -> 'already_done', 'true', 'once');
select is((pg_temp.mapping('M-3'), cardinality(coalesce((pg_temp.item('M-3')).mapping_candidates, '{}'))), ('mapped'::text, 0), 'and it is settled');
select is(public.map_inventory_item('bannos', 'M-4') ->> 'ok', 'true', 'what was not found is looked up once more');
select pg_temp.become(null);
select is(array[pg_temp.pushes('M-3'), pg_temp.pushes('M-4')], '{2,2}', 'both have a push');
select is(public.begin_mapping('bannos', '{M-3,M-4}') #> '{data,skus}', '["M-4"]', 'which looks up the one');
select is(
    (select jsonb_agg(distinct c -> 'context' -> 'location_gid')
    from jsonb_array_elements(public.claim_work('tap', '{inventory_push}', 1000) #> '{data,items}') c
    where c -> 'context' ->> 'sku' in ('M-1', 'M-3')),
    '["gid://shopify/Location/72"]', 'a push goes to the location of the store'
);
select * from finish();
rollback;
