-- Data of a local stack: both stores, somebody of every role, stock. Never run against a real project.
-- It may be repeated: nothing that is already there changes.

do $stores$
declare
    v_answer jsonb;
begin
    -- create_store obeys the service role; the setting ends with this statement's transaction.
    perform set_config('request.jwt.claims', '{"role":"service_role"}', true);

    v_answer := public.create_store(
        p_key => 'bannos', p_name => 'Bannos', p_shop_domain => 'bannos.myshopify.com',
        p_timezone => 'Australia/Sydney', p_origin_country => 'AU', p_currency => 'AUD',
        p_id_prefix => 'bannos', p_scan_letter => 'B'
    );
    if not (v_answer ->> 'ok')::boolean then
        raise exception 'bannos: %', v_answer;
    end if;

    v_answer := public.create_store(
        p_key => 'flourlane', p_name => 'Flour Lane', p_shop_domain => 'flourlane.myshopify.com',
        p_timezone => 'Australia/Sydney', p_origin_country => 'AU', p_currency => 'AUD',
        p_id_prefix => 'flourlane', p_scan_letter => 'F'
    );
    if not (v_answer ->> 'ok')::boolean then
        raise exception 'flourlane: %', v_answer;
    end if;

    perform set_config('request.jwt.claims', '', true);
end;
$stores$;

insert into auth.users (id, aud, role, email, created_at, updated_at) values
    ('00000000-0000-4000-8000-000000000001', 'authenticated', 'authenticated', 'staff@bannos.example', now(), now()),
    ('00000000-0000-4000-8000-000000000002', 'authenticated', 'authenticated', 'supervisor@bannos.example', now(), now()),
    ('00000000-0000-4000-8000-000000000003', 'authenticated', 'authenticated', 'admin@ordak.example', now(), now()),
    ('00000000-0000-4000-8000-000000000004', 'authenticated', 'authenticated', 'staff@flourlane.example', now(), now()),
    ('00000000-0000-4000-8000-000000000005', 'authenticated', 'authenticated', 'former@bannos.example', now(), now()),
    ('00000000-0000-4000-8000-000000000006', 'authenticated', 'authenticated', 'nobody@ordak.example', now(), now())
on conflict (id) do nothing;

-- User 6 can sign in but has no staff row: the one who must see nothing.
insert into public.staff (user_id, name, role, active) values
    ('00000000-0000-4000-8000-000000000001', 'Bea Baker', 'Staff', true),
    ('00000000-0000-4000-8000-000000000002', 'Sam Supervisor', 'Supervisor', true),
    ('00000000-0000-4000-8000-000000000003', 'Ada Admin', 'Admin', true),
    ('00000000-0000-4000-8000-000000000004', 'Flo Flour', 'Staff', true),
    ('00000000-0000-4000-8000-000000000005', 'Fay Former', 'Staff', false)
on conflict (user_id) do nothing;

insert into public.staff_stores (user_id, store) values
    ('00000000-0000-4000-8000-000000000001', 'bannos'),
    ('00000000-0000-4000-8000-000000000002', 'bannos'),
    ('00000000-0000-4000-8000-000000000004', 'flourlane'),
    ('00000000-0000-4000-8000-000000000005', 'bannos')
on conflict (user_id, store) do nothing;

insert into public.inventory_items
    (store, sku, opening_ats, ats, shopify_inventory_item_gid, shopify_location_gid)
select
    stock.store,
    stock.sku,
    100,
    100,
    'gid://shopify/InventoryItem/' || stock.number,
    'gid://shopify/Location/' || case stock.store when 'bannos' then 1 else 2 end
from (
    values
        ('bannos', 'MWW0034', 1001),
        ('bannos', 'MWW0044', 1002),
        ('bannos', 'MWW0003', 1003),
        ('bannos', 'MSH002B', 1004),
        ('bannos', 'DT65GN', 1005),
        ('bannos', 'TD-901GT', 1006),
        ('bannos', 'IPOD2008PINK', 1007),
        ('bannos', 'CAKE-VAN-M', 1008),
        ('flourlane', 'CAKE-CHOC-L', 1001),
        ('flourlane', 'MSH002B', 1002)
) as stock (store, sku, number)
on conflict (store, sku) do nothing;
